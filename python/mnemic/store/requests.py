"""Answers that are kept so that a repeated request gets the first one again."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select

from mnemic.store.interface import RequestRecord
from mnemic.store.tables import requests

_FIND = select(
    requests.c.method, requests.c.request_id, requests.c.fingerprint, requests.c.response, requests.c.revision
).where(
    requests.c.tenant == bindparam("tenant"),
    requests.c.method == bindparam("method"),
    requests.c.request_id == bindparam("request_id"),
)
_FORGET = delete(requests).where(requests.c.create_time_micros < bindparam("before"))


def find_request(connection: Connection, tenant: str, method: str, request_id: str) -> RequestRecord | None:
    """See `Store.find_request`."""
    row = connection.execute(_FIND, {"tenant": tenant, "method": method, "request_id": request_id}).one_or_none()
    return None if row is None else RequestRecord(*row)


def forget_requests(connection: Connection, before_micros: int) -> int:
    """See `Store.forget_requests`."""
    return connection.execute(_FORGET, {"before": before_micros}).rowcount
