"""Reading the versions of a revision, page by page, each page in a read of its own.

Rows of later commits carry a later revision. Of rows that a later commit ended or deleted, `changed_revision` says
so, and what they were before is put together again from the records of deletions and supersessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, or_, select, tuple_

from mnemic.model.memory import ChangeKind, Memory
from mnemic.model.transfer import VersionRecord
from mnemic.store.listing import scope_conditions, selects_whole_tenant
from mnemic.store.models import active_model
from mnemic.store.rows import MEMORY_COLUMNS, MEMORY_WIDTH, chunks, load_scopes, memory_of
from mnemic.store.tables import embeddings, memory_versions, scopes, supersessions
from mnemic.store.transfer import ExportPage, ExportPosition, ExportQuery

_VERSION = memory_versions.c
_NEXT = memory_versions.alias("following")
_COLUMNS = (
    *MEMORY_COLUMNS,
    _VERSION.id,
    _VERSION.change,
    _VERSION.reason,
    _VERSION.takes_slot,
    _VERSION.delete_time_micros,
    _VERSION.delete_revision,
    _VERSION.changed_revision,
)
_VECTORS = select(embeddings.c.version_id, embeddings.c.vector).where(
    embeddings.c.version_id.in_(bindparam("ids", expanding=True)), embeddings.c.model_id == bindparam("model")
)
_FOLLOWING = (
    select(_VERSION.id, _NEXT.c.revision, _NEXT.c.update_time_micros)
    .join(_NEXT, and_(_NEXT.c.memory_id == _VERSION.memory_id, _NEXT.c.version == _VERSION.version + 1))
    .where(_VERSION.id.in_(bindparam("ids", expanding=True)))
)
_RECORDS = (
    select(
        supersessions.c.version_id,
        supersessions.c.revision,
        supersessions.c.valid_to_micros,
        supersessions.c.superseded_by,
    )
    .where(supersessions.c.version_id.in_(bindparam("ids", expanding=True)))
    .order_by(supersessions.c.id)
)
# A page looks into so many scopes at most; most of a tenant's may hold nothing any more.
_SCOPES_PER_PAGE = 1000


def export_page(connection: Connection, query: ExportQuery, after: ExportPosition | None, limit: int) -> ExportPage:
    """See `TransferStore.export_page`."""
    if selects_whole_tenant(query.scope, query.match):
        rows = _walk(connection, query, _VERSION.tenant == query.tenant, after, limit)
        position = ExportPosition(0, rows[-1].memory_id, rows[-1].version) if len(rows) == limit else None
    else:
        rows, position = _walk_scopes(connection, query, after, limit)
    return ExportPage(_records(connection, query, rows), position)


def _conditions(query: ExportQuery) -> list[ColumnElement[bool]]:
    conditions = [_VERSION.revision <= query.revision]
    if not query.include_history:
        # What ended since may have held then; `_records` looks closer.
        conditions.append(or_(_VERSION.valid_to_micros.is_(None), _VERSION.changed_revision > query.revision))
        conditions.append(or_(_VERSION.expire_time_micros.is_(None), _VERSION.expire_time_micros > query.now_micros))
    return conditions


def _walk(
    connection: Connection, query: ExportQuery, where: ColumnElement[bool], after: ExportPosition | None, limit: int
) -> list[Row[Any]]:
    statement = select(*_COLUMNS).where(where, *_conditions(query))
    if after is not None:
        statement = statement.where(
            tuple_(_VERSION.memory_id, _VERSION.version) > tuple_(after.memory_id, after.version)
        )
    ordered = statement.order_by(_VERSION.memory_id, _VERSION.version).limit(limit)
    rows: list[Any] = list(connection.execute(ordered).all())
    return rows


def _walk_scopes(
    connection: Connection, query: ExportQuery, after: ExportPosition | None, limit: int
) -> tuple[list[Row[Any]], ExportPosition | None]:
    """One scope after another: the versions of a scope lie in order in an index."""
    first = after.scope_row if after is not None else 0
    selected = (
        select(scopes.c.id)
        .where(*scope_conditions(query.tenant, query.scope, query.match), scopes.c.id >= first)
        .order_by(scopes.c.id)
        .limit(_SCOPES_PER_PAGE)
    )
    scope_rows = connection.execute(selected).scalars().all()
    found: list[Row[Any]] = []
    for scope_row in scope_rows:
        start = after if after is not None and after.scope_row == scope_row else None
        found += _walk(connection, query, _VERSION.scope_id == scope_row, start, limit - len(found))
        if len(found) == limit:
            return found, ExportPosition(scope_row, found[-1].memory_id, found[-1].version)
    if len(scope_rows) < _SCOPES_PER_PAGE:
        return found, None
    last = scope_rows[-1]
    if found and found[-1].scope_id == last:
        return found, ExportPosition(last, found[-1].memory_id, found[-1].version)
    return found, after if after is not None and after.scope_row == last else ExportPosition(last, "", 0)


def _records(connection: Connection, query: ExportQuery, rows: Sequence[Row[Any]]) -> list[VersionRecord]:
    scope_of = load_scopes(connection, (row.scope_id for row in rows))
    vectors: dict[int, bytes] = {}
    model = active_model(connection) if query.with_vectors else None
    if model is not None:
        for ids in chunks([row.id for row in rows]):
            found = connection.execute(_VECTORS, {"ids": ids, "model": model.row_id})
            vectors.update({row.version_id: row.vector for row in found})
    pasts = _pasts(connection, query.revision, rows)
    records = []
    for row in rows:
        vector = vectors.get(row.id)
        identity = None if model is None else model.identity
        memory = memory_of(row[:MEMORY_WIDTH], scope_of, vector, identity)
        past = pasts.get(row.id)
        if past is not None:
            memory = past.as_it_was(memory)
        if not query.include_history and memory.valid_to_micros is not None:
            continue
        is_deleted = row.delete_revision is not None and row.delete_revision <= query.revision
        delete_time = row.delete_time_micros if is_deleted else None
        records.append(VersionRecord(memory, ChangeKind(row.change), row.reason, delete_time, row.takes_slot))
    return records


@dataclass(slots=True)
class _Past:
    """What had happened to a version by a revision.

    Attributes:
        closed: The last supersession by then: its end and its winner.
        is_moved: Whether another one came later.
        followed_at: When a version came after it, if one had.
        was_deleted: Whether a deletion had ended it.
    """

    closed: tuple[int, str] | None = None
    is_moved: bool = False
    followed_at: int | None = None
    was_deleted: bool = False

    def as_it_was(self, memory: Memory) -> Memory:
        if self.closed is not None:
            return replace(memory, valid_to_micros=self.closed[0], superseded_by=self.closed[1])
        if self.followed_at is None and not self.was_deleted:
            return replace(memory, valid_to_micros=None, superseded_by=None)
        if self.is_moved and self.followed_at is not None:
            return replace(memory, valid_to_micros=self.followed_at, superseded_by=None)
        return memory


def _pasts(connection: Connection, revision: int, rows: Sequence[Row[Any]]) -> dict[int, _Past]:
    """Of the rows that changed since the revision, those that have an end now."""
    changed = [
        row
        for row in rows
        if row.valid_to_micros is not None and row.changed_revision is not None and row.changed_revision > revision
    ]
    pasts = {
        row.id: _Past(was_deleted=row.delete_revision is not None and row.delete_revision <= revision)
        for row in changed
    }
    for ids in chunks(list(pasts)):
        for row_id, following, moment in connection.execute(_FOLLOWING, {"ids": ids}):
            if following <= revision:
                pasts[row_id].followed_at = moment
        for row_id, closed_at, valid_to, winner in connection.execute(_RECORDS, {"ids": ids}):
            if closed_at <= revision:
                pasts[row_id].closed = (valid_to, winner)
            else:
                pasts[row_id].is_moved = True
    return pasts
