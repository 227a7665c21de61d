"""What happened in a partition after a revision: what an index that was made then has to catch up with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, select

from mnemic.model.scope import OwnerKind, PartitionKey
from mnemic.store.interface import PartitionChanges, PartitionEnd
from mnemic.store.models import active_model
from mnemic.store.reading import PARTITION, index_rows, key_values, read_revision
from mnemic.store.rows import MEMORY_COLUMNS, scopes_of_partition
from mnemic.store.tables import embeddings, memory_versions, partitions

_VERSION = memory_versions.c

# Row ids grow in the order of commits, so that what was written since is what lies behind the last row that was not.
_LAST_KNOWN = (
    select(_VERSION.id)
    .where(_VERSION.partition_id == bindparam("partition"), _VERSION.revision <= bindparam("after"))
    .order_by(_VERSION.id.desc())
    .limit(1)
)
_CHANGED = (
    _VERSION.partition_id == bindparam("partition"),
    _VERSION.changed_revision > bindparam("after"),
    _VERSION.id <= bindparam("last_known"),
)
_IN_ORDER = (_VERSION.changed_revision, _VERSION.id)
_IS_RENEWED = func.coalesce(_VERSION.renewed_revision, 0) > bindparam("after")
_ENDED = (
    select(_VERSION.memory_id, _VERSION.version, _VERSION.valid_to_micros, _VERSION.is_deleted)
    .where(*_CHANGED, _VERSION.is_deleted | ~_IS_RENEWED)
    .order_by(*_IN_ORDER)
)
# A model of 0 has no vectors: then the rows come without.
_ROWS: Select[*tuple[Any, ...]] = select(*MEMORY_COLUMNS, embeddings.c.vector).select_from(
    memory_versions.outerjoin(
        embeddings, and_(embeddings.c.version_id == _VERSION.id, embeddings.c.model_id == bindparam("model"))
    )
)
_RENEWED = _ROWS.where(*_CHANGED, ~_VERSION.is_deleted, _IS_RENEWED).order_by(*_IN_ORDER)
_WRITTEN = _ROWS.where(
    _VERSION.partition_id == bindparam("partition"), _VERSION.id > bindparam("last_known"), ~_VERSION.is_deleted
).order_by(_VERSION.id)

_REBUILDS = select(
    partitions.c.tenant, partitions.c.owner_kind, partitions.c.owner_id, partitions.c.rebuild_revision
).where(partitions.c.rebuild_revision.is_not(None))


def scan_changes(
    connection: Connection,
    key: PartitionKey,
    after_revision: int,
    consume: Callable[[PartitionChanges], None],
    rows: int,
) -> int | None:
    """See `Store.scan_changes`."""
    revision = read_revision(connection)
    if after_revision > revision:
        return None
    partition = connection.execute(PARTITION, key_values(key)).one_or_none()
    if partition is None:
        return revision
    if partition.rebuild_revision is not None and partition.rebuild_revision > after_revision:
        return None
    if partition.changed_revision <= after_revision:
        return revision
    values: dict[str, object] = {"partition": partition.id, "after": after_revision}
    values["last_known"] = connection.execute(_LAST_KNOWN, values).scalar_one_or_none() or 0
    in_parts = {"yield_per": rows}
    for ended in connection.execute(_ENDED, values, execution_options=in_parts).partitions():
        consume(PartitionChanges(ends=[_end_of(*row) for row in ended]))
    scope_of = scopes_of_partition(connection, partition.id)
    model = active_model(connection)
    values["model"] = 0 if model is None else model.row_id
    for statement in (_RENEWED, _WRITTEN):
        for found in connection.execute(statement, values, execution_options=in_parts).partitions():
            consume(PartitionChanges(rows=index_rows(found, scope_of, model)))
    return revision


def rebuild_revisions(connection: Connection) -> dict[PartitionKey, int]:
    """See `Store.rebuild_revisions`."""
    rows = connection.execute(_REBUILDS)
    return {PartitionKey(row.tenant, OwnerKind(row.owner_kind), row.owner_id): row.rebuild_revision for row in rows}


def _end_of(memory_id: str, version: int, valid_to_micros: int | None, is_deleted: bool) -> PartitionEnd:  # noqa: FBT001 (columns of a row)
    return PartitionEnd(memory_id, version, None if is_deleted else valid_to_micros)
