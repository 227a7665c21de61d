"""Answers that are kept so that a repeated request gets the first one again."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select

from mnemic.store.interface import RequestIdTakenError, RequestRecord
from mnemic.store.sealing import sealer_of
from mnemic.store.tables import requests

_FIND = select(
    requests.c.method, requests.c.request_id, requests.c.fingerprint, requests.c.response, requests.c.revision
).where(
    requests.c.tenant == bindparam("tenant"),
    requests.c.method == bindparam("method"),
    requests.c.request_id == bindparam("request_id"),
)
_KEEP = insert(requests)
_FORGET = delete(requests).where(requests.c.create_time_micros < bindparam("before"))


def find_request(connection: Connection, tenant: str, method: str, request_id: str) -> RequestRecord | None:
    """See `Store.find_request`."""
    row = connection.execute(_FIND, {"tenant": tenant, "method": method, "request_id": request_id}).one_or_none()
    if row is None:
        return None
    opened = sealer_of(connection).open_text(row.fingerprint, "requests", tenant, method, request_id)
    return RequestRecord(method, request_id, opened, row.response, row.revision)


def refuse_replay(connection: Connection, tenant: str, request: RequestRecord) -> None:
    """Ends a write whose request id was used before.

    Raises:
        RequestIdTakenError: With the kept answer.
    """
    kept = find_request(connection, tenant, request.method, request.request_id)
    if kept is not None:
        raise RequestIdTakenError(kept)


def keep_request(
    connection: Connection, tenant: str, request: RequestRecord, *, revision: int, now_micros: int
) -> None:
    """Keeps the answer of a write for replay; the tenant must be there."""
    fingerprint = request.fingerprint
    sealer = sealer_of(connection)
    if sealer.seals:
        # A digest of what was said, which a dictionary could be tried on. The response holds ids alone.
        place = ("requests", tenant, request.method, request.request_id)
        fingerprint = sealer.seal_text(sealer.store_key, fingerprint, *place)
    values = {
        "tenant": tenant,
        "method": request.method,
        "request_id": request.request_id,
        "fingerprint": fingerprint,
        "response": request.response,
        "revision": revision,
        "create_time_micros": now_micros,
    }
    connection.execute(_KEEP, values)


def forget_requests(connection: Connection, before_micros: int) -> int:
    """See `Store.forget_requests`."""
    return connection.execute(_FORGET, {"before": before_micros}).rowcount
