"""The audit log in the store: entries are chained as they are added, within the transaction that they tell of."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from mnemic.model.audit import (
    CURRENT_NOTE,
    MAX_MEMORY_IDS,
    NO_HASH,
    SYSTEM,
    AuditAction,
    AuditEntry,
    AuditEvent,
    scope_hashes,
)
from mnemic.model.memory import Memory
from mnemic.model.scope import Scope
from mnemic.store.audit import AuditStore
from mnemic.store.audit_tables import audit_entries, audit_logs
from mnemic.store.database import Database
from mnemic.store.interface import Committed

_SALT_BYTES = 32
_LOG = select(audit_logs.c.salt, audit_logs.c.last_sequence, audit_logs.c.last_hash).where(
    audit_logs.c.tenant == bindparam("wanted")
)
_NEW_LOG = insert(audit_logs)
_ADVANCE = (
    update(audit_logs)
    .where(audit_logs.c.tenant == bindparam("wanted"))
    .values(last_sequence=bindparam("sequence"), last_hash=bindparam("hash"))
)
_ENTER = insert(audit_entries)
_ENTRIES = (
    select(audit_entries)
    .where(audit_entries.c.tenant == bindparam("wanted"), audit_entries.c.sequence > bindparam("after"))
    .order_by(audit_entries.c.sequence)
    .limit(bindparam("limit"))
)
_EXTRACTION = "extraction"


class SqlAuditing(AuditStore):
    """Implements `AuditStore` on a relational database."""

    _database: Database
    _audits_commits = False

    def enter(self, tenant: str, events: Sequence[AuditEvent]) -> None:
        """See `AuditStore.enter`."""
        if events:
            with self._database.writing() as connection:
                enter(connection, tenant, events)

    def audit_entries(self, tenant: str, *, after: int, limit: int) -> list[AuditEntry]:
        """See `AuditStore.audit_entries`."""
        with self._database.reading() as connection:
            rows = connection.execute(_ENTRIES, {"wanted": tenant, "after": after, "limit": limit}).all()
        return [_entry_of(row) for row in rows]

    def audit_commits(self, *, enabled: bool) -> None:
        """See `AuditStore.audit_commits`."""
        self._audits_commits = enabled

    def _enter_commit(
        self, connection: Connection, tenant: str, committed: Committed, ended: Sequence[str] = (), *, is_work: bool
    ) -> None:
        """Enters a commit within its transaction: of the call that the thread carries out, or of the system.

        Args:
            connection: The transaction.
            tenant: In whose log.
            committed: The commit.
            ended: Memories that it ended.
            is_work: Whether it is work that the system does behind the calls.
        """
        note = CURRENT_NOTE.get()
        if note is None and not (self._audits_commits and is_work):
            return
        memories = [item.memory for item in committed.inserted]
        memory_ids = list(dict.fromkeys([*(memory.memory_id for memory in memories), *ended]))
        event = AuditEvent(
            event_time_micros=time.time_ns() // 1000,
            principal=SYSTEM if note is None else note.principal,
            action=AuditAction.AUTOMATIC if note is None else note.action,
            method=_EXTRACTION if note is None else note.method,
            code=0,
            scope=note.scope if note is not None and not note.scope.is_empty else _common_scope(memories),
            memory_ids=memory_ids[:MAX_MEMORY_IDS],
            memory_count=len(memory_ids),
            revision=committed.revision,
            call_id="" if note is None else note.call_id,
        )
        enter(connection, tenant, [event])
        if note is not None:
            note.is_entered = True


def _common_scope(memories: Sequence[Memory]) -> Scope:
    """The ids that all memories carry."""
    scopes = {memory.scope for memory in memories}
    return scopes.pop() if len(scopes) == 1 else Scope()


def enter(connection: Connection, tenant: str, events: Sequence[AuditEvent]) -> None:
    """Adds entries to a tenant's log; its first write makes the log."""
    log = connection.execute(_LOG, {"wanted": tenant}).one_or_none()
    if log is None:
        salt, sequence, previous = secrets.token_bytes(_SALT_BYTES), 0, NO_HASH
        connection.execute(_NEW_LOG, {"tenant": tenant, "salt": salt, "last_sequence": sequence, "last_hash": previous})
    else:
        salt, sequence, previous = log
    rows = []
    for event in events:
        sequence += 1
        entry = AuditEntry(
            sequence=sequence,
            event_time_micros=event.event_time_micros,
            principal=event.principal,
            action=event.action,
            method=event.method,
            code=event.code,
            scope_hashes=scope_hashes(salt, event.scope),
            memory_ids=tuple(event.memory_ids[:MAX_MEMORY_IDS]),
            memory_count=event.memory_count,
            revision=event.revision,
            call_id=event.call_id,
            previous_hash=previous,
        )
        previous = entry.expected_hash()
        rows.append(_row_of(tenant, entry, previous))
    connection.execute(_ENTER, rows)
    connection.execute(_ADVANCE, {"wanted": tenant, "sequence": sequence, "hash": previous})


def _row_of(tenant: str, entry: AuditEntry, entry_hash: bytes) -> dict[str, object]:
    return {
        "tenant": tenant,
        "sequence": entry.sequence,
        "event_time_micros": entry.event_time_micros,
        "principal": entry.principal,
        "action": int(entry.action),
        "method": entry.method,
        "code": entry.code,
        "scope_hashes": json.dumps(entry.scope_hashes),
        "memory_ids": json.dumps(entry.memory_ids),
        "memory_count": entry.memory_count,
        "revision": entry.revision,
        "call_id": entry.call_id,
        "previous_hash": entry.previous_hash,
        "entry_hash": entry_hash,
    }


def _entry_of(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        sequence=row.sequence,
        event_time_micros=row.event_time_micros,
        principal=row.principal,
        action=AuditAction(row.action),
        method=row.method,
        code=row.code,
        scope_hashes=tuple(json.loads(row.scope_hashes)),
        memory_ids=tuple(json.loads(row.memory_ids)),
        memory_count=row.memory_count,
        revision=row.revision,
        call_id=row.call_id,
        previous_hash=row.previous_hash,
        entry_hash=row.entry_hash,
    )
