"""The work that writes left to do behind them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from mnemic.store.rows import chunks, decode_texts, encode_texts
from mnemic.store.sealing import DestroyedKeyError, key_id_of_text, sealer_of
from mnemic.store.tables import outbox
from mnemic.store.work import (
    FinishedWork,
    OutboxItem,
    OutboxKind,
    OutboxState,
    OutboxWrite,
    WorkLostError,
    WorkState,
)

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
_TURN = (
    select(
        outbox.c.id, outbox.c.tenant, outbox.c.memory_ids, outbox.c.payload, outbox.c.attempts, outbox.c.operation_id
    )
    .where(
        outbox.c.kind == bindparam("kind"),
        outbox.c.tenant > bindparam("after"),
        outbox.c.due_micros.is_not(None),
        outbox.c.due_micros <= bindparam("now"),
    )
    .order_by(outbox.c.tenant, outbox.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_NEXT_DUE = select(func.min(outbox.c.due_micros)).where(
    outbox.c.kind == bindparam("kind"), outbox.c.due_micros.is_not(None)
)
_RELEASE = (
    update(outbox)
    .where(outbox.c.kind == bindparam("wanted"), outbox.c.state == OutboxState.RUNNING.value)
    .values(state=OutboxState.PENDING.value, due_micros=bindparam("now"))
)
_DO = (
    update(outbox)
    .where(
        outbox.c.id == bindparam("item"),
        outbox.c.state == OutboxState.RUNNING.value,
        outbox.c.attempts == bindparam("claimed"),
    )
    .values(
        state=OutboxState.DONE.value,
        due_micros=None,
        last_error="",
        end_time_micros=bindparam("now"),
        made_ids=bindparam("made"),
        done_revision=bindparam("commit"),
    )
)
_STATES = select(
    outbox.c.id,
    outbox.c.operation_id,
    outbox.c.tenant,
    outbox.c.kind,
    outbox.c.memory_ids,
    outbox.c.state,
    outbox.c.attempts,
    outbox.c.last_error,
    outbox.c.due_micros,
    outbox.c.create_time_micros,
    outbox.c.end_time_micros,
    outbox.c.made_ids,
    outbox.c.done_revision,
).order_by(outbox.c.id)
_FORGET = delete(outbox).where(
    outbox.c.state == OutboxState.DONE.value,
    outbox.c.due_micros.is_(None),
    outbox.c.end_time_micros < bindparam("before"),
)
_REPLAY = update(outbox).values(
    state=OutboxState.PENDING.value, due_micros=bindparam("now"), attempts=0, end_time_micros=None
)
_INSERT_WORK = insert(outbox)
_PAYLOAD = select(outbox.c.payload).where(outbox.c.id == bindparam("item"))
_FINISH = delete(outbox).where(outbox.c.id.in_(bindparam("items", expanding=True)))
_RETRY = (
    update(outbox)
    .where(outbox.c.id == bindparam("item"))
    .values(
        state=bindparam("new_state"),
        due_micros=bindparam("due"),
        last_error=bindparam("error"),
        end_time_micros=bindparam("ended"),
    )
)


def enqueue(
    connection: Connection,
    tenant: str,
    writes: Sequence[OutboxWrite],
    now_micros: int,
    key_id: bytes | None = None,
) -> None:
    """Adds work that is due at once; the tenant must be there.

    Args:
        connection: The transaction.
        tenant: Whose.
        writes: The work.
        now_micros: The time.
        key_id: Of an encrypted store: the data key of the scope that it is about, so that it is lost with it.
    """
    sealer = sealer_of(connection)

    def payload(write: OutboxWrite) -> str:
        text = json.dumps(dict(write.payload), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        if not sealer.seals or not write.payload:
            return text
        return sealer.seal_text(key_id or sealer.store_key, text, "outbox", tenant, encode_texts(write.memory_ids))

    rows = [
        {
            "tenant": tenant,
            "kind": write.kind.value,
            "memory_ids": encode_texts(write.memory_ids),
            "payload": payload(write),
            "state": OutboxState.PENDING.value,
            "attempts": 0,
            "due_micros": now_micros,
            "last_error": "",
            "create_time_micros": now_micros,
            "operation_id": write.operation_id or None,
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
        OutboxItem(
            row.id, row.tenant, kind, decode_texts(row.memory_ids), _payload_of(connection, row), row.attempts + 1
        )
        for row in rows
    ]


def _payload_of(connection: Connection, row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    try:
        text = sealer_of(connection).open_text(row.payload, "outbox", row.tenant, row.memory_ids)
    except DestroyedKeyError:
        return {}  # The memories that the work is about are gone with the same key.
    payload: dict[str, Any] = json.loads(text)
    return payload


def finish(connection: Connection, item_ids: Sequence[int]) -> None:
    """See `Store.finish_outbox`."""
    for items in chunks(item_ids):
        connection.execute(_FINISH, {"items": items})


def claim_turn(
    connection: Connection, kind: OutboxKind, *, after_tenant: str, now_micros: int, lease_micros: int
) -> OutboxItem | None:
    """See `Store.claim_turn`."""
    for after in dict.fromkeys((after_tenant, "")):
        row = connection.execute(_TURN, {"kind": kind.value, "after": after, "now": now_micros}).one_or_none()
        if row is not None:
            connection.execute(_CLAIM, {"item": row.id, "lease_until": now_micros + lease_micros})
            memory_ids, payload = decode_texts(row.memory_ids), _payload_of(connection, row)
            return OutboxItem(row.id, row.tenant, kind, memory_ids, payload, row.attempts + 1, row.operation_id or "")
    return None


def next_due(connection: Connection, kind: OutboxKind) -> int | None:
    """See `Store.next_due`."""
    return connection.execute(_NEXT_DUE, {"kind": kind.value}).scalar_one_or_none()


def release(connection: Connection, kind: OutboxKind, now_micros: int) -> int:
    """See `Store.release_work`."""
    return connection.execute(_RELEASE, {"wanted": kind.value, "now": now_micros}).rowcount


def finish_with(
    connection: Connection, work: FinishedWork, made_ids: Sequence[str], *, revision: int, now_micros: int
) -> None:
    """Marks work as done by the commit at hand.

    Raises:
        WorkLostError: The claim is no longer the last one.
    """
    made = encode_texts(dict.fromkeys(made_ids))
    values = {"item": work.item_id, "claimed": work.attempts, "now": now_micros, "made": made, "commit": revision}
    if connection.execute(_DO, values).rowcount != 1:
        raise WorkLostError


def operation(connection: Connection, tenant: str, operation_id: str) -> list[WorkState]:
    """See `Store.operation`."""
    statement = _STATES.where(outbox.c.operation_id == operation_id, outbox.c.tenant == tenant)
    return [_state_of(connection, row) for row in connection.execute(statement)]


def forget(connection: Connection, before_micros: int) -> int:
    """See `Store.forget_work`."""
    return connection.execute(_FORGET, {"before": before_micros}).rowcount


def _dead(tenant: str, kind: OutboxKind | None) -> list[ColumnElement[bool]]:
    conditions = [outbox.c.state == OutboxState.FAILED.value, outbox.c.due_micros.is_(None), outbox.c.tenant == tenant]
    return conditions if kind is None else [*conditions, outbox.c.kind == kind.value]


def dead_letters(
    connection: Connection, tenant: str, kind: OutboxKind | None, *, limit: int, after: int
) -> list[WorkState]:
    """See `Store.dead_letters`."""
    statement = _STATES.where(*_dead(tenant, kind), outbox.c.id > after).limit(max(limit, 0))
    return [_state_of(connection, row) for row in connection.execute(statement)]


def replay(
    connection: Connection, tenant: str, kind: OutboxKind | None, item_ids: Sequence[int] | None, now_micros: int
) -> int:
    """See `Store.replay_dead_letters`."""
    statement = _REPLAY.where(*_dead(tenant, kind))
    if item_ids is None:
        return connection.execute(statement, {"now": now_micros}).rowcount
    return sum(
        connection.execute(statement.where(outbox.c.id.in_(ids)), {"now": now_micros}).rowcount
        for ids in chunks(item_ids)
    )


def _state_of(connection: Connection, row: Row[*tuple[Any, ...]]) -> WorkState:
    try:
        last_error = sealer_of(connection).open_text(row.last_error, "outbox error", row.id)
    except DestroyedKeyError:
        last_error = "the data key of its scope was destroyed"
    return WorkState(
        item_id=row.id,
        operation_id=row.operation_id or "",
        tenant=row.tenant,
        kind=OutboxKind(row.kind),
        memory_ids=decode_texts(row.memory_ids),
        state=OutboxState(row.state),
        attempts=row.attempts,
        last_error=last_error,
        due_micros=row.due_micros,
        create_time_micros=row.create_time_micros,
        end_time_micros=row.end_time_micros,
        made_ids=decode_texts(row.made_ids),
        revision=row.done_revision or 0,
    )


def retry(connection: Connection, item_id: int, *, error: str, next_attempt_micros: int | None) -> None:
    """See `Store.retry_outbox`."""
    state = OutboxState.FAILED if next_attempt_micros is None else OutboxState.PENDING
    error = error[:MAX_ERROR_LENGTH]
    sealer = sealer_of(connection)
    if sealer.seals and error:
        # It may quote what a model answered.
        payload = connection.execute(_PAYLOAD, {"item": item_id}).scalar_one_or_none() or ""
        try:
            key_id = key_id_of_text(payload) or sealer.store_key
            error = sealer.seal_text(key_id, error, "outbox error", item_id)
        except DestroyedKeyError:
            error = ""
    connection.execute(
        _RETRY,
        {
            "item": item_id,
            "new_state": state.value,
            "due": next_attempt_micros,
            "ended": time.time_ns() // 1000 if next_attempt_micros is None else None,
            "error": error,
        },
    )
