"""Request ids: what makes a retry safe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.interface import RequestRecord


def fingerprint_of(*parts: object) -> str:
    """A digest of what a request asks for."""
    return hashlib.sha256(repr([_canonical(part) for part in parts]).encode()).hexdigest()


def _canonical(value: object) -> object:
    if isinstance(value, Mapping):
        return sorted((key, _canonical(item)) for key, item in value.items())
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_canonical(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return [(name, _canonical(getattr(value, name))) for name in value.__dataclass_fields__]
    return value


def kept_answer(method: str, request_id: str, fingerprint: str, response: object) -> RequestRecord | None:
    """The answer as it is kept; None without a request id."""
    if not request_id:
        return None
    return RequestRecord(method, request_id, fingerprint, json.dumps(response))


def same_contents(record: RequestRecord, fingerprint: str) -> RequestRecord:
    """The record, if the request is the one that it answers.

    Raises:
        MnemicError: REQUEST_ID_REUSED when it asks for something else.
    """
    if record.fingerprint != fingerprint:
        raise reused(record)
    return record


def reused(record: RequestRecord) -> MnemicError:
    """The refusal of a request id that was used before."""
    return MnemicError(
        Reason.REQUEST_ID_REUSED,
        f"request_id: {record.request_id} was used before with other contents; make a new one per logical call",
        metadata={"request_id": record.request_id},
    )
