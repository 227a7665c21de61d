"""The work that writes left to do behind them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from mnemic.store.interface import OutboxItem, OutboxKind, OutboxState, OutboxWrite
from mnemic.store.rows import chunks, decode_texts, encode_texts
from mnemic.store.tables import outbox

MAX_ERROR_LENGTH = 2000

_DUE = (
    select(outbox.c.id, outbox.c.tenant, outbox.c.memory_ids, outbox.c.payload, outbox.c.attempts)
    .where(
        outbox.c.kind == bindparam("kind"),
        outbox.c.due_micros.is_not(None),
        outbox.c.due_micros <= bindparam("now"),
    )
    .order_by(outbox.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    update(outbox)
    .where(outbox.c.id == bindparam("item"))
    .values(state=OutboxState.RUNNING.value, attempts=outbox.c.attempts + 1, due_micros=bindparam("lease_until"))
)
_INSERT_WORK = insert(outbox)
_FINISH = delete(outbox).where(outbox.c.id.in_(bindparam("items", expanding=True)))
_RETRY = (
    update(outbox)
    .where(outbox.c.id == bindparam("item"))
    .values(state=bindparam("new_state"), due_micros=bindparam("due"), last_error=bindparam("error"))
)


def enqueue(connection: Connection, tenant: str, writes: Sequence[OutboxWrite], now_micros: int) -> None:
    """Adds work that is due at once; the tenant must be there."""
    rows = [
        {
            "tenant": tenant,
            "kind": write.kind.value,
            "memory_ids": encode_texts(write.memory_ids),
            "payload": json.dumps(dict(write.payload), sort_keys=True, ensure_ascii=False, separators=(",", ":")),
            "state": OutboxState.PENDING.value,
            "attempts": 0,
            "due_micros": now_micros,
            "last_error": "",
            "create_time_micros": now_micros,
        }
        for write in writes
    ]
    connection.execute(_INSERT_WORK, rows)


def claim(
    connection: Connection, kind: OutboxKind, *, limit: int, now_micros: int, lease_micros: int
) -> list[OutboxItem]:
    """See `Store.claim_outbox`."""
    rows = connection.execute(_DUE, {"kind": kind.value, "now": now_micros, "limit": max(limit, 0)}).all()
    if rows:
        connection.execute(_CLAIM, [{"item": row.id, "lease_until": now_micros + lease_micros} for row in rows])
    return [
        OutboxItem(row.id, row.tenant, kind, decode_texts(row.memory_ids), json.loads(row.payload), row.attempts + 1)
        for row in rows
    ]


def finish(connection: Connection, item_ids: Sequence[int]) -> None:
    """See `Store.finish_outbox`."""
    for items in chunks(item_ids):
        connection.execute(_FINISH, {"items": items})


def retry(connection: Connection, item_id: int, *, error: str, next_attempt_micros: int | None) -> None:
    """See `Store.retry_outbox`."""
    state = OutboxState.FAILED if next_attempt_micros is None else OutboxState.PENDING
    connection.execute(
        _RETRY,
        {
            "item": item_id,
            "new_state": state.value,
            "due": next_attempt_micros,
            "error": error[:MAX_ERROR_LENGTH],
        },
    )
