"""Errors of the engine as google.rpc.Status, the one place where that happens."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from mnemic.model.errors import ERROR_DOMAIN, MnemicError
from mnemic.v1 import memory_service_pb2

# A status travels in the trailing metadata, its words percent-encoded (up to three bytes for one) and its details in
# base64 (four bytes for three). Clients allow 8 KiB in all unless told otherwise and see another error when there is
# more, so everything is cut to stay below: 3 * 768 + 4 / 3 * (768 + 2 * 1500 + what surrounds them) < 8192.
_MESSAGE_BYTES = 768
_DETAIL_BYTES = 1500
_KEY_BYTES = 128
_VALUE_BYTES = 512


def rich_status(error: MnemicError) -> status_pb2.Status:
    """The status of an error: ErrorInfo always, BadRequest for fields at fault, RetryInfo where a delay is known."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason.value, domain=ERROR_DOMAIN, metadata=_metadata(error))
    ]
    if error.violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=name, description=description)
                    for name, description in _violations(error)
                ]
            )
        )
    if error.retry_after_seconds is not None:
        delay = Duration()
        delay.FromMicroseconds(round(error.retry_after_seconds * 1_000_000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return status_pb2.Status(
        code=code_number(error), message=_cut(error.message, _MESSAGE_BYTES), details=_packed(details)
    )


def code_number(error: MnemicError) -> int:
    """The google.rpc.Code of an error."""
    number: int = code_pb2.Code.Value(error.code.value)
    return number


def grpc_status(error: MnemicError) -> grpc.Status:
    """The status as grpcio's servers abort with."""
    status: grpc.Status = rpc_status.to_status(rich_status(error))
    return status


def ingest_error(error: MnemicError) -> memory_service_pb2.IngestError:
    """The same facts for one step of an ingest, whose stream goes on."""
    return memory_service_pb2.IngestError(
        code=code_number(error),
        message=_cut(error.message, _MESSAGE_BYTES),
        reason=error.reason.value,
        metadata=_metadata(error),
        violations=[
            memory_service_pb2.IngestFieldViolation(field=name, description=description)
            for name, description in _violations(error)
        ],
        retry_after_micros=round((error.retry_after_seconds or 0.0) * 1_000_000),
    )


def _metadata(error: MnemicError) -> dict[str, str]:
    return dict(_within_budget(error.metadata.items()))


def _violations(error: MnemicError) -> list[tuple[str, str]]:
    return _within_budget((item.field, item.description) for item in error.violations)


def _within_budget(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The first pairs, each cut, that fit in the space of one detail."""
    kept: list[tuple[str, str]] = []
    space = _DETAIL_BYTES
    for key, value in pairs:
        pair = (_cut(key, _KEY_BYTES), _cut(value, _VALUE_BYTES))
        space -= sum(len(part.encode()) for part in pair)
        if space < 0:
            break
        kept.append(pair)
    return kept


def _packed(details: Iterable[Message]) -> list[AnyMessage]:
    packed = []
    for detail in details:
        message = AnyMessage()
        message.Pack(detail)
        packed.append(message)
    return packed


def _cut(text: str, limit: int) -> str:
    """The text at no more than `limit` bytes, and encodable: words may quote what a caller sent."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[: limit - len("…".encode())].decode("utf-8", "ignore") + "…"
