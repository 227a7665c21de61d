"""The archive: memories that retention removed and that can still be restored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, tuple_, update

from mnemic.model.access import Quota
from mnemic.model.retention import DEFAULT_ARCHIVE_MICROS, ArchivedMemory, RetentionCause
from mnemic.model.scope import OwnerKind, PartitionKey, Scope, ScopeMatch
from mnemic.store.accounts import Growth, body_size, count_growth
from mnemic.store.interface import Committed, PartitionChanges, PartitionEnd
from mnemic.store.listing import scope_conditions
from mnemic.store.reading import load_rows
from mnemic.store.retaining import ArchiveCounts, Archiving, Candidate
from mnemic.store.retaining_rules import carries, is_held, is_one_of
from mnemic.store.retaining_runs import save_run
from mnemic.store.retaining_tables import archived_memories
from mnemic.store.tables import memory_versions, partitions, pending_vectors, scopes
from mnemic.store.writing import advance, touch_partitions

_VERSION = memory_versions.c
_ARCHIVED = archived_memories.c
_LATER = memory_versions.alias("later")

# Of the candidates those that nothing happened to since they were found.
_UNCHANGED = (
    select(_VERSION.id, _VERSION.partition_id, _VERSION.valid_to_micros)
    .select_from(memory_versions.join(scopes, scopes.c.id == _VERSION.scope_id))
    .where(
        is_one_of(_VERSION.id, "rows"),
        ~_VERSION.is_deleted,
        ~select(_LATER.c.id)
        .where(_LATER.c.memory_id == _VERSION.memory_id, _LATER.c.version > _VERSION.version)
        .exists(),
        ~is_held(),
    )
)
_KEYS = select(partitions.c.id, partitions.c.tenant, partitions.c.owner_kind, partitions.c.owner_id).where(
    is_one_of(partitions.c.id, "rows")
)
_END = (
    update(memory_versions)
    .where(is_one_of(_VERSION.id, "rows"))
    .values(
        valid_to_micros=func.coalesce(_VERSION.valid_to_micros, bindparam("now")),
        delete_time_micros=bindparam("now"),
        delete_revision=bindparam("commit"),
    )
)
# Every version of a deleted memory is marked: an index may hold any of them.
_FLAG = (
    update(memory_versions)
    .where(is_one_of(_VERSION.memory_id, "memories"))
    .values(is_deleted=True, changed_revision=bindparam("commit"))
)
_DROP_PENDING = delete(pending_vectors).where(
    pending_vectors.c.version_id.in_(select(_VERSION.id).where(is_one_of(_VERSION.memory_id, "memories")))
)
_INSERT = insert(archived_memories)


def archive(connection: Connection, archiving: Archiving) -> tuple[Committed, list[Candidate]]:
    """See `RetentionStore.archive`."""
    revision, _ = advance(connection)
    asked = {candidate.version_id: candidate for candidate in archiving.candidates}
    rows = {row.id: row for row in connection.execute(_UNCHANGED, {"rows": json.dumps(list(asked))})}
    gone = [candidate for row_id, candidate in asked.items() if row_id in rows]
    changes: dict[int, PartitionChanges] = {}
    growth = Growth()
    for candidate in gone:
        row = rows[candidate.version_id]
        end = PartitionEnd(candidate.memory_id, candidate.version, None)
        changes.setdefault(row.partition_id, PartitionChanges()).ends.append(end)
        if row.valid_to_micros is None:
            growth.shrink(candidate.body_bytes)
    if gone:
        _write(connection, archiving, gone, revision)
        touch_partitions(connection, changes, revision)
        count_growth(connection, archiving.tenant, growth, Quota())
    record = archiving.record(gone)
    save_run(connection, record, revision=revision if gone else record.revision)
    keys = {
        row.id: PartitionKey(row.tenant, OwnerKind(row.owner_kind), row.owner_id)
        for row in connection.execute(_KEYS, {"rows": json.dumps(list(changes))})
    }
    return Committed(revision, (), {keys[partition_id]: change for partition_id, change in changes.items()}), gone


def _write(connection: Connection, archiving: Archiving, gone: Sequence[Candidate], revision: int) -> None:
    now = archiving.now_micros
    row_ids = json.dumps([candidate.version_id for candidate in gone])
    memory_ids = json.dumps([candidate.memory_id for candidate in gone])
    connection.execute(_END, {"rows": row_ids, "now": now, "commit": revision})
    connection.execute(_FLAG, {"memories": memory_ids, "commit": revision})
    connection.execute(_DROP_PENDING, {"memories": memory_ids})
    connection.execute(
        _INSERT,
        [
            {
                "version_id": candidate.version_id,
                "memory_id": candidate.memory_id,
                "tenant": archiving.tenant,
                "policy_id": candidate.policy_id,
                "cause": int(candidate.cause),
                "retention_score": candidate.score,
                "archive_time_micros": now,
                "erase_time_micros": now + archiving.archive_micros.get(candidate.policy_id, DEFAULT_ARCHIVE_MICROS),
            }
            for candidate in gone
        ],
    )


def list_archived(
    connection: Connection,
    tenant: str,
    scope: Scope,
    match: ScopeMatch,
    *,
    limit: int,
    before: tuple[int, int] | None,
) -> list[tuple[tuple[int, int], ArchivedMemory]]:
    """See `RetentionStore.archived`."""
    place = (_ARCHIVED.archive_time_micros, _ARCHIVED.version_id)
    statement = (
        select(*place, _ARCHIVED.policy_id, _ARCHIVED.cause, _ARCHIVED.erase_time_micros)
        .select_from(_with_scopes())
        .where(_ARCHIVED.tenant == tenant, _ARCHIVED.restore_time_micros.is_(None), _VERSION.erasure_id.is_(None))
        .where(*scope_conditions(tenant, scope, match))
        .order_by(*(column.desc() for column in place))
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(tuple_(*place) < tuple_(*before))
    rows = connection.execute(statement).all()
    memories = load_rows(connection, [row.version_id for row in rows], with_vectors=False)
    return [
        (
            (row.archive_time_micros, row.version_id),
            ArchivedMemory(
                memories[row.version_id],
                row.policy_id,
                RetentionCause(row.cause),
                row.archive_time_micros,
                row.erase_time_micros,
            ),
        )
        for row in rows
        # What was sealed under a key that was destroyed is nobody's to see.
        if row.version_id in memories
    ]


def due(connection: Connection, tenant: str, scope: Scope, now_micros: int, limit: int) -> list[str]:
    """See `RetentionStore.due_archived`."""
    statement = (
        select(_ARCHIVED.memory_id)
        .select_from(_with_scopes())
        .where(*_is_due(tenant, scope, now_micros))
        .order_by(_ARCHIVED.erase_time_micros)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def count_due(connection: Connection, tenant: str, scope: Scope, now_micros: int) -> int:
    """See `RetentionStore.count_due`."""
    statement = select(func.count()).select_from(_with_scopes()).where(*_is_due(tenant, scope, now_micros))
    return int(connection.execute(statement).scalar_one())


def counts(connection: Connection, tenant: str | None, since_micros: int) -> ArchiveCounts:
    """See `RetentionStore.archive_counts`."""
    mine = [] if tenant is None else [_ARCHIVED.tenant == tenant]
    held, body_bytes = connection.execute(
        select(func.count(), func.coalesce(func.sum(body_size), 0))
        .select_from(archived_memories.join(memory_versions, _VERSION.id == _ARCHIVED.version_id))
        .where(*mine, _ARCHIVED.restore_time_micros.is_(None))
    ).one()
    added = connection.execute(
        select(func.count()).select_from(archived_memories).where(*mine, _ARCHIVED.archive_time_micros >= since_micros)
    ).scalar_one()
    return ArchiveCounts(held, body_bytes, added)


def _with_scopes() -> Any:  # noqa: ANN401 (a join)
    return archived_memories.join(memory_versions, _VERSION.id == _ARCHIVED.version_id).join(
        scopes, scopes.c.id == _VERSION.scope_id
    )


def _is_due(tenant: str, scope: Scope, now_micros: int) -> list[ColumnElement[bool]]:
    return [
        _ARCHIVED.tenant == tenant,
        _ARCHIVED.restore_time_micros.is_(None),
        _ARCHIVED.erase_time_micros <= now_micros,
        # What an erasure hides is on its way out already.
        _VERSION.erasure_id.is_(None),
        ~is_held(),
        *carries(scope),
        ~is_held(),
    ]
