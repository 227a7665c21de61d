"""Reading memories by id and by partition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, and_, bindparam, func, select

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import ChangeKind, Memory, MemoryRevision
from mnemic.model.scope import OwnerKind, PartitionKey
from mnemic.model.stats import StoreStats
from mnemic.store.interface import PartitionRow
from mnemic.store.models import ModelRow, active_model
from mnemic.store.rows import (
    MEMORY_COLUMNS,
    MEMORY_WIDTH,
    ScopeRows,
    chunks,
    load_scopes,
    memory_of,
    readable,
    scopes_of_partition,
)
from mnemic.store.sealing import place_of_reason, sealer_of
from mnemic.store.tables import (
    embeddings,
    memory_versions,
    outbox,
    partitions,
    scopes,
    store_state,
    supersessions,
    tenants,
)
from mnemic.store.work import OutboxState

_VERSION = memory_versions.c
_LATEST = memory_versions.alias("latest")

_REVISION = select(store_state.c.revision)
_BY_ROW_ID = select(*MEMORY_COLUMNS, _VERSION.id).where(_VERSION.id.in_(bindparam("ids", expanding=True)))
_VECTORS = select(embeddings.c.version_id, embeddings.c.vector).where(
    embeddings.c.version_id.in_(bindparam("ids", expanding=True)), embeddings.c.model_id == bindparam("model")
)
_LATEST_OF = select(_VERSION.id).where(
    _VERSION.memory_id.in_(bindparam("memory_ids", expanding=True)),
    _VERSION.tenant == bindparam("tenant"),
    _VERSION.is_deleted.in_(bindparam("deleted", expanding=True)),
    _VERSION.version
    == select(func.max(_LATEST.c.version))
    .where(_LATEST.c.memory_id == _VERSION.memory_id)
    .correlate(memory_versions)
    .scalar_subquery(),
)
_HISTORY = (
    select(
        *MEMORY_COLUMNS,
        _VERSION.id,
        _VERSION.change,
        _VERSION.reason,
        _VERSION.delete_time_micros,
        _VERSION.delete_revision,
    )
    .where(_VERSION.memory_id == bindparam("memory_id"), _VERSION.tenant == bindparam("tenant"))
    .order_by(_VERSION.version)
)
_SUPERSESSIONS = (
    select(
        supersessions.c.version_id,
        supersessions.c.superseded_by,
        supersessions.c.valid_to_micros,
        supersessions.c.reason,
        supersessions.c.revision,
        supersessions.c.create_time_micros,
    )
    .where(supersessions.c.version_id.in_(bindparam("ids", expanding=True)))
    .order_by(supersessions.c.id)
)
PARTITION = select(partitions.c.id, partitions.c.changed_revision, partitions.c.rebuild_revision).where(
    partitions.c.tenant == bindparam("tenant"),
    partitions.c.owner_kind == bindparam("owner_kind"),
    partitions.c.owner_id == bindparam("owner_id"),
)
_IN_PARTITION = (_VERSION.partition_id == bindparam("partition"), ~_VERSION.is_deleted)
_PARTITION_ROWS = select(*MEMORY_COLUMNS).where(*_IN_PARTITION).order_by(_VERSION.id)
_PARTITION_ROWS_WITH_VECTORS: Select[*tuple[Any, ...]] = (
    select(*MEMORY_COLUMNS, embeddings.c.vector)
    .select_from(
        memory_versions.outerjoin(
            embeddings, and_(embeddings.c.version_id == _VERSION.id, embeddings.c.model_id == bindparam("model"))
        )
    )
    .where(*_IN_PARTITION)
    .order_by(_VERSION.id)
)


def read_revision(connection: Connection) -> int:
    """The sequence number of the last commit."""
    return int(connection.execute(_REVISION).scalar_one())


def load_rows(connection: Connection, row_ids: Sequence[int], *, with_vectors: bool) -> dict[int, Memory]:
    """Memories by the row ids of their versions, with the active model's vectors if asked; without those whose keys
    were destroyed.
    """
    rows: list[Row[*tuple[Any, ...]]] = []
    vectors: dict[int, bytes] = {}
    model = active_model(connection) if with_vectors else None
    for ids in chunks(row_ids):
        rows.extend(connection.execute(_BY_ROW_ID, {"ids": ids}).all())
        if model is not None:
            found = connection.execute(_VECTORS, {"ids": ids, "model": model.row_id})
            vectors.update({row.version_id: row.vector for row in found})
    scope_of = load_scopes(connection, (row[0] for row in rows))
    identity = None if model is None else model.identity
    return dict(
        readable(
            rows,
            lambda row: (row[MEMORY_WIDTH], memory_of(row, scope_of, vectors.get(row[MEMORY_WIDTH]), identity)),
        )
    )


def get(
    connection: Connection, tenant: str, memory_ids: Iterable[str], *, with_vectors: bool, include_deleted: bool
) -> dict[str, Memory]:
    """See `Store.get`."""
    row_ids: list[int] = []
    deleted = [False, True] if include_deleted else [False]
    for ids in chunks(list(dict.fromkeys(memory_ids))):
        row_ids.extend(
            connection.execute(_LATEST_OF, {"memory_ids": ids, "tenant": tenant, "deleted": deleted}).scalars()
        )
    found = {memory.memory_id: memory for memory in load_rows(connection, row_ids, with_vectors=with_vectors).values()}
    if row_ids and not found:
        raise _key_destroyed()
    return found


def history(connection: Connection, tenant: str, memory_id: str) -> list[MemoryRevision]:
    """See `Store.history`."""
    sealer = sealer_of(connection)
    rows = connection.execute(_HISTORY, {"memory_id": memory_id, "tenant": tenant}).all()
    scope_of = load_scopes(connection, (row[0] for row in rows))
    memories = dict(readable(rows, lambda row: (row.id, memory_of(row, scope_of))))
    if rows and not memories:
        raise _key_destroyed()
    entries: list[MemoryRevision] = []
    for row in rows:
        memory = memories.get(row.id)
        if memory is None:
            continue
        sealed = scope_of.content_of(row)
        reason = row.reason if sealed is None else sealed.reason
        entries.append(
            MemoryRevision(ChangeKind(row.change), memory, memory.update_time_micros, memory.revision, reason)
        )
        if row.delete_revision is not None:
            entries.append(MemoryRevision(ChangeKind.DELETED, memory, row.delete_time_micros, row.delete_revision))
    for ids in chunks(list(memories)):
        for version_id, winner, valid_to, reason, revision, moment in connection.execute(_SUPERSESSIONS, {"ids": ids}):
            ended = replace(memories[version_id], valid_to_micros=valid_to, superseded_by=winner)
            told = sealer.open_text(reason, *place_of_reason(memory_id, ended.version, winner, revision))
            entries.append(MemoryRevision(ChangeKind.SUPERSEDED, ended, moment, revision, told))
    # What one commit did stays in its order: a version may come already superseded.
    return sorted(entries, key=lambda entry: entry.revision)


def scan_partition(
    connection: Connection, key: PartitionKey, consume: Callable[[list[PartitionRow]], None], rows: int
) -> int:
    """See `Store.scan_partition`."""
    revision = read_revision(connection)
    partition = connection.execute(PARTITION, key_values(key)).one_or_none()
    if partition is None:
        return revision
    values = {"partition": partition.id}
    scope_of = scopes_of_partition(connection, partition.id)
    model = active_model(connection)
    statement = _PARTITION_ROWS if model is None else _PARTITION_ROWS_WITH_VECTORS
    if model is not None:
        values["model"] = model.row_id
    for found in connection.execute(statement, values, execution_options={"yield_per": rows}).partitions():
        consume(index_rows(found, scope_of, model))
    return revision


def index_rows(
    rows: Sequence[Row[*tuple[Any, ...]]], scope_of: ScopeRows, model: ModelRow | None
) -> list[PartitionRow]:
    """What an index gets of rows of `MEMORY_COLUMNS` and, with a model, a vector."""
    if model is None:
        return readable(rows, lambda row: (memory_of(row, scope_of), None))
    identity = model.identity
    return readable(rows, lambda row: (memory_of(row, scope_of), scope_of.vector_of(row, row[MEMORY_WIDTH], identity)))


def _key_destroyed() -> MnemicError:
    return MnemicError(
        Reason.MEMORY_NOT_FOUND, "it cannot be read any more: the data key of its scope was destroyed by an erasure"
    )


def partition_changes(connection: Connection, key: PartitionKey, after_revision: int) -> bool:
    """See `Store.partition_changes`."""
    partition = connection.execute(PARTITION, key_values(key)).one_or_none()
    return partition is not None and partition.changed_revision > after_revision


def all_partitions(connection: Connection) -> list[PartitionKey]:
    """See `Store.all_partitions`."""
    rows = connection.execute(
        select(partitions.c.tenant, partitions.c.owner_kind, partitions.c.owner_id).order_by(partitions.c.id)
    )
    return [PartitionKey(tenant, OwnerKind(owner_kind), owner_id) for tenant, owner_kind, owner_id in rows]


def stats(connection: Connection, tenant: str | None, bytes_on_disk: int, since_micros: int) -> StoreStats:
    """See `Store.stats`."""

    def count(table: Table, tenant_column: Column[str], *conditions: ColumnElement[bool]) -> int:
        statement = select(func.count()).select_from(table).where(*conditions)
        if tenant is not None:
            statement = statement.where(tenant_column == tenant)
        return int(connection.execute(statement).scalar_one())

    def total(column: Column[int]) -> int:
        statement = select(func.coalesce(func.sum(column), 0))
        if tenant is not None:
            statement = statement.where(tenants.c.tenant == tenant)
        return int(connection.execute(statement).scalar_one())

    # Ids of memories begin with the millisecond in which they were added, and an index has them in order.
    first_id = f"{max(since_micros, 0) // 1000:012x}"
    since = f"{first_id[:8]}-{first_id[8:]}"
    vectors = select(func.count()).select_from(embeddings)
    if tenant is not None:
        vectors = vectors.join(memory_versions, _VERSION.id == embeddings.c.version_id).where(_VERSION.tenant == tenant)
    return StoreStats(
        tenants=count(tenants, tenants.c.tenant),
        scopes=count(scopes, scopes.c.tenant),
        memories=total(tenants.c.memory_count),
        body_bytes=total(tenants.c.body_bytes),
        added=count(memory_versions, _VERSION.tenant, _VERSION.memory_id >= since, _VERSION.version == 1),
        versions=count(memory_versions, _VERSION.tenant),
        vectors=int(connection.execute(vectors).scalar_one()),
        outbox_pending=count(outbox, outbox.c.tenant, outbox.c.due_micros.is_not(None)),
        outbox_failed=count(
            outbox, outbox.c.tenant, outbox.c.due_micros.is_(None), outbox.c.state == OutboxState.FAILED.value
        ),
        revision=read_revision(connection),
        bytes_on_disk=bytes_on_disk,
    )


def key_values(key: PartitionKey) -> dict[str, object]:
    """The parameters of `PARTITION`."""
    return {"tenant": key.tenant, "owner_kind": int(key.owner_kind), "owner_id": key.owner_id}
