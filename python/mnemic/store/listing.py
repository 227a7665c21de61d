"""Listing memories and scopes.

A page costs what it shows, not what the scope holds. The memories of one scope lie in order in an index, so a page of
one scope is a short walk. Where ids select several scopes, one index seek per scope finds each one's newest entry; the
scopes are then walked from the newest on until no further one can add to the page. Where they select so many scopes
that the seeks would dominate, the tenant's own order is walked instead and what is not selected is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, or_, select, tuple_

from mnemic.model.memory import Memory, ScopeSummary
from mnemic.model.scope import OwnerKind, PartitionKey, Scope, ScopeMatch
from mnemic.store.reading import load_rows
from mnemic.store.rows import SCOPE_COLUMNS, chunks, scope_of_row, scope_values
from mnemic.store.tables import memory_versions, partitions, scopes

# Above this many scopes, one seek each (about 2 µs) costs more than passing over what other scopes hold.
MANY_SCOPES = 2000

_VERSION = memory_versions.c
_POSITION = (_VERSION.memory_id.desc(), _VERSION.version.desc())

# A listed version: memory id, version, row id. Greater is newer.
_Entry = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What a listing asks; see `Store.list_memories`."""

    tenant: str
    scope: Scope
    match: ScopeMatch
    limit: int
    now_micros: int
    before_id: str | None
    before_version: int | None
    as_of_micros: int | None
    include_superseded: bool
    include_expired: bool

    def conditions(self) -> list[ColumnElement[bool]]:
        """What a version must fulfil, its scope aside."""
        return [*self._validity(), *self._expiry(), *self._after_last_page()]

    def _validity(self) -> list[ColumnElement[bool]]:
        if self.as_of_micros is None:
            return [~_VERSION.is_deleted] if self.include_superseded else [_VERSION.valid_to_micros.is_(None)]
        begun = [~_VERSION.is_deleted, _VERSION.valid_from_micros <= self.as_of_micros]
        if self.include_superseded:
            return begun
        return [*begun, or_(_VERSION.valid_to_micros.is_(None), _VERSION.valid_to_micros > self.as_of_micros)]

    def _expiry(self) -> list[ColumnElement[bool]]:
        if self.include_expired:
            return []
        return [or_(_VERSION.expire_time_micros.is_(None), _VERSION.expire_time_micros > self.now_micros)]

    def _after_last_page(self) -> list[ColumnElement[bool]]:
        if self.before_id is None:
            return []
        if self.before_version is None:
            return [_VERSION.memory_id < self.before_id]
        return [tuple_(_VERSION.memory_id, _VERSION.version) < tuple_(self.before_id, self.before_version)]


def list_memories(connection: Connection, query: ListQuery, *, with_vectors: bool) -> list[Memory]:
    """See `Store.list_memories`."""
    found: list[Memory] = []
    while len(found) < query.limit:
        page = _page_of(connection, query)
        row_ids = [row_id for _, _, row_id in page]
        memories = load_rows(connection, row_ids, with_vectors=with_vectors)
        found.extend(memories[row_id] for row_id in row_ids if row_id in memories)
        if len(page) < query.limit or len(memories) == len(page):
            break
        # Some cannot be read any more, their keys were destroyed: others take their place.
        last_id, last_version, _ = page[-1]
        query = replace(query, before_id=last_id, before_version=last_version)
    return found[: query.limit]


def _page_of(connection: Connection, query: ListQuery) -> list[_Entry]:
    if selects_whole_tenant(query.scope, query.match):
        return _walk(connection, tenant_walk(query))
    if query.match is ScopeMatch.EXACT and _are_many(connection, query):
        return _walk(connection, filtered_tenant_walk(query))
    return _merge_scopes(connection, query)


def selects_whole_tenant(scope: Scope, match: ScopeMatch) -> bool:
    """Whether every memory of the tenant is selected: `Scope.selects` is the definition."""
    return match is ScopeMatch.TENANT or (match is ScopeMatch.EXACT and scope.is_empty)


def scope_conditions(tenant: str, scope: Scope, match: ScopeMatch) -> list[ColumnElement[bool]]:
    """Which rows of `scopes` are selected: `Scope.selects` is the definition."""
    conditions: list[ColumnElement[bool]] = [scopes.c.tenant == tenant]
    if match is ScopeMatch.TENANT:
        return conditions
    for column, asked in scope_values(scope).items():
        if match is ScopeMatch.VISIBLE:
            conditions.append(scopes.c[column].in_(["", asked]) if asked else scopes.c[column] == "")
        elif asked:
            conditions.append(scopes.c[column] == asked)
    return conditions


def scope_walk(query: ListQuery) -> Select[str, int, int]:
    """A page of the scope whose row id is the parameter `scope`."""
    return _page(query, _VERSION.scope_id == bindparam("scope"))


def tenant_walk(query: ListQuery) -> Select[str, int, int]:
    """A page of a whole tenant."""
    return _page(query, _VERSION.tenant == query.tenant)


def filtered_tenant_walk(query: ListQuery) -> Select[str, int, int]:
    """A page of a whole tenant that passes over scopes that are not selected."""
    is_selected = (
        select(scopes.c.id)
        .where(scopes.c.id == _VERSION.scope_id, *scope_conditions(query.tenant, query.scope, query.match))
        .exists()
    )
    return _page(query, _VERSION.tenant == query.tenant, is_selected)


def newest_by_scope(query: ListQuery) -> Select[int, str | None]:
    """The selected scopes with the newest memory id each that the page may show, newest first, then those without."""
    newest = (
        select(_VERSION.memory_id)
        .where(_VERSION.scope_id == scopes.c.id, *query.conditions())
        .order_by(*_POSITION)
        .limit(1)
        .correlate(scopes)
        .scalar_subquery()
        .label("newest")
    )
    # Leaving out the scopes without one would make SQLite seek twice for each of the others.
    return (
        select(scopes.c.id, newest)
        .where(*scope_conditions(query.tenant, query.scope, query.match))
        .order_by(newest.desc().nulls_last())
        .limit(query.limit)
    )


def _page(query: ListQuery, *where: ColumnElement[bool]) -> Select[str, int, int]:
    return (
        select(_VERSION.memory_id, _VERSION.version, _VERSION.id)
        .where(*where, *query.conditions())
        .order_by(*_POSITION)
        .limit(query.limit)
    )


def _walk(connection: Connection, statement: Select[str, int, int], **parameters: int) -> list[_Entry]:
    return [
        (memory_id, version, row_id) for memory_id, version, row_id in connection.execute(statement, parameters).all()
    ]


def _are_many(connection: Connection, query: ListQuery) -> bool:
    some = (
        select(scopes.c.id)
        .where(*scope_conditions(query.tenant, query.scope, query.match))
        .limit(MANY_SCOPES + 1)
        .subquery()
    )
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) > MANY_SCOPES


def _merge_scopes(connection: Connection, query: ListQuery) -> list[_Entry]:
    page: list[_Entry] = []
    walk = scope_walk(query)
    for scope_id, newest in connection.execute(newest_by_scope(query)).all():
        if newest is None or (len(page) == query.limit and newest < page[-1][0]):
            break
        page.extend(_walk(connection, walk, scope=scope_id))
        page.sort(reverse=True)
        del page[query.limit :]
    return page


def list_scopes(
    connection: Connection, tenant: str, scope: Scope, *, limit: int, after: Scope | None
) -> list[ScopeSummary]:
    """See `Store.list_scopes`."""
    rows = connection.execute(scopes_page(tenant, scope, limit=max(limit, 0), after=after)).all()
    counts = {counted[0]: counted for counted in _count_by_scope(connection, [row[0] for row in rows])}
    return [ScopeSummary(scope_of_row(row), *counts[row[0]][1:]) for row in rows]


def scopes_page(tenant: str, scope: Scope, *, limit: int, after: Scope | None) -> Select[int, str, str, str, str, str]:
    """The scopes that carry the ids of `scope` and hold a current memory, in order."""
    order = (scopes.c.user_id, scopes.c.agent_id, scopes.c.app_id, scopes.c.session_id)
    holds = select(_VERSION.id).where(_VERSION.scope_id == scopes.c.id, _VERSION.valid_to_micros.is_(None)).exists()
    statement = (
        select(*SCOPE_COLUMNS)
        .where(*scope_conditions(tenant, scope, ScopeMatch.EXACT), holds)
        .order_by(*order)
        .limit(limit)
    )
    if after is not None:
        ids = scope_values(after)
        statement = statement.where(tuple_(*order) > tuple_(*(ids[column.name] for column in order)))
    return statement


def _count_by_scope(connection: Connection, scope_ids: list[int]) -> Iterator[tuple[int, int, int, int]]:
    for ids in chunks(scope_ids):
        statement = (
            select(
                _VERSION.scope_id,
                func.count(),
                func.min(_VERSION.create_time_micros),
                func.max(_VERSION.create_time_micros),
            )
            .where(_VERSION.scope_id.in_(ids), _VERSION.valid_to_micros.is_(None))
            .group_by(_VERSION.scope_id)
        )
        yield from (tuple(row) for row in connection.execute(statement))


def select_partitions(connection: Connection, tenant: str, scope: Scope, match: ScopeMatch) -> list[PartitionKey]:
    """See `Store.partitions`."""
    selected = select(scopes.c.partition_id).where(*scope_conditions(tenant, scope, match))
    rows = connection.execute(
        select(partitions.c.tenant, partitions.c.owner_kind, partitions.c.owner_id)
        .where(partitions.c.id.in_(selected))
        .order_by(partitions.c.id)
    )
    return [PartitionKey(owner_tenant, OwnerKind(kind), owner) for owner_tenant, kind, owner in rows]
