"""Reads what happened after a revision.

Nothing is kept for it: row ids of versions grow in the order of commits, so what was written since lies behind one row
id, which a bisection finds; deletions and supersessions have an index by revision.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from mnemic.model.memory import ChangeKind, Memory, MemoryRevision
from mnemic.model.scope import PartitionKey
from mnemic.store.changes import ChangePosition, ChangesPage
from mnemic.store.reading import PARTITION, key_values, load_rows
from mnemic.store.rows import chunks, open_contents
from mnemic.store.sealing import place_of_reason, sealer_of
from mnemic.store.tables import memory_versions, store_state, supersessions

_VERSION = memory_versions.c
# A page looks at so many versions at most, most of which may be another's, and is then sent as it is.
_MOST_LOOKED_AT = 20_000
_WINDOW = 1_000
# Most who watch are near the end: the bisection begins so far from it.
_FIRST_STEP = 64

_LAST_ROW = select(store_state.c.last_version_id)
_NEXT_ROW = (
    select(_VERSION.id, _VERSION.revision).where(_VERSION.id > bindparam("after")).order_by(_VERSION.id).limit(1)
)
# Not by the tenant, whose index has another order: the rows of others are passed over.
_WRITTEN = (
    select(_VERSION.id, _VERSION.revision, _VERSION.tenant)
    .where(_VERSION.id > bindparam("after"))
    .order_by(_VERSION.id)
    .limit(_WINDOW)
)
_WRITTEN_IN = (
    select(_VERSION.id, _VERSION.revision, _VERSION.tenant)
    .where(_VERSION.partition_id == bindparam("partition"), _VERSION.id > bindparam("after"))
    .order_by(_VERSION.id)
    .limit(_WINDOW)
)
_DELETED = (
    select(_VERSION.id, _VERSION.delete_revision, _VERSION.delete_time_micros, _VERSION.partition_id)
    .where(
        _VERSION.tenant == bindparam("tenant"),
        _VERSION.delete_revision > bindparam("after"),
        _VERSION.delete_revision <= bindparam("until"),
    )
    .order_by(_VERSION.delete_revision, _VERSION.id)
)
_SUPERSEDED: Select[*tuple[Any, ...]] = (
    select(
        supersessions.c.version_id,
        supersessions.c.revision,
        supersessions.c.create_time_micros,
        supersessions.c.superseded_by,
        supersessions.c.valid_to_micros,
        supersessions.c.reason,
        _VERSION.tenant,
        _VERSION.partition_id,
    )
    .select_from(supersessions.join(memory_versions, _VERSION.id == supersessions.c.version_id))
    .where(supersessions.c.revision > bindparam("after"), supersessions.c.revision <= bindparam("until"))
    .order_by(supersessions.c.revision, supersessions.c.id)
)
_KINDS = select(
    _VERSION.id,
    _VERSION.change,
    _VERSION.reason,
    _VERSION.scope_id,
    _VERSION.memory_id,
    _VERSION.version,
    _VERSION.sealed,
).where(_VERSION.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A change, before its memory is read.

    Attributes:
        revision: Of the commit.
        row_id: Of the version.
        change: What happened; None for what the version itself says.
        moment: When; of a version its own time.
        end: Of a supersession: by which memory, and what end it set.
        reason: Of a supersession.
    """

    revision: int
    row_id: int
    change: ChangeKind | None = None
    moment: int = 0
    end: tuple[str, int] | None = None
    reason: str = ""


def changes(
    connection: Connection,
    tenant: str,
    keys: Collection[PartitionKey] | None,
    after: ChangePosition,
    *,
    until_revision: int,
    limit: int,
) -> ChangesPage:
    """See `ChangeStore.changes`."""
    within = None if keys is None else _partition_ids(connection, keys)
    if until_revision <= after.revision or within == []:
        return ChangesPage((), ChangePosition(max(until_revision, after.revision)), is_last=True)
    enough = after.given + limit
    entries: list[_Entry] = []
    until = until_revision
    sources = (_written(connection, tenant, within, after), _deleted(connection, tenant, within, after, until))
    for source in (*sources, _superseded(connection, tenant, within, after, until)):
        until = _take(source, entries, until, enough)
    # What one commit did stays in its order: versions, deletions, supersessions.
    known = sorted((entry for entry in entries if entry.revision <= until), key=attrgetter("revision"))
    told = known[after.given : enough]
    position = _position_after(known, enough) if len(known) > enough else ChangePosition(until)
    return ChangesPage(tuple(_read(connection, told)), position, is_last=position == ChangePosition(until_revision))


def _partition_ids(connection: Connection, keys: Collection[PartitionKey]) -> list[int]:
    rows = (connection.execute(PARTITION, key_values(key)).one_or_none() for key in sorted(keys))
    return [row.id for row in rows if row is not None]


def _take(source: Iterable[_Entry | int], entries: list[_Entry], until: int, enough: int) -> int:
    """Adds the entries of a source up to a commit, or to the end of the one with which there are enough.

    Args:
        source: Entries in the order of revisions, and revisions of commits that were passed over.
        entries: Where they go.
        until: Up to and with this commit.
        enough: How many are more than a page.

    Returns:
        The last commit of which all entries are there.
    """
    count = last = 0
    for looked_at, item in enumerate(source):
        revision = item if isinstance(item, int) else item.revision
        if revision > until:
            break
        if (count > enough or looked_at >= _MOST_LOOKED_AT) and revision > last:
            return last
        last = revision
        if isinstance(item, _Entry):
            entries.append(item)
            count += 1
    return until


def _position_after(entries: list[_Entry], count: int) -> ChangePosition:
    """Where a page of so many entries ends: within a commit, unless the next entry is another's."""
    inside = entries[count].revision
    before = sum(entry.revision < inside for entry in entries)
    return ChangePosition(inside - 1, count - before)


def _written(
    connection: Connection, tenant: str, within: list[int] | None, after: ChangePosition
) -> Iterator[_Entry | int]:
    first = _last_row_of(connection, after.revision)
    if within is None:
        walks = [_walk(connection, _WRITTEN, {}, first)]
    else:
        walks = [_walk(connection, _WRITTEN_IN, {"partition": partition}, first) for partition in within]
    for row_id, revision, owner in heapq.merge(*walks):
        yield _Entry(revision, row_id) if owner == tenant else revision


def _walk(
    connection: Connection, statement: Select[int, int, str], values: dict[str, int], after: int
) -> Iterator[tuple[int, int, str]]:
    while True:
        rows = connection.execute(statement, values | {"after": after}).all()
        yield from ((row.id, row.revision, row.tenant) for row in rows)
        if len(rows) < _WINDOW:
            return
        after = rows[-1][0]


def _last_row_of(connection: Connection, revision: int) -> int:
    """A row id up to which all versions are of this commit and those before, and behind which none is."""
    high: int = connection.execute(_LAST_ROW).scalar_one()
    low, step = 0, _FIRST_STEP
    while low < high:
        middle = max(low, high - step)
        found = connection.execute(_NEXT_ROW, {"after": middle}).one_or_none()
        if found is None or found.revision > revision:
            # All behind the middle came later.
            high, step = middle, max((middle - low) // 2, 1) if low else step * 16
        else:
            low, step = found.id, max((high - found.id) // 2, 1)
    return high


def _deleted(
    connection: Connection, tenant: str, within: list[int] | None, after: ChangePosition, until: int
) -> Iterator[_Entry | int]:
    values = {"tenant": tenant, "after": after.revision, "until": until}
    for row in connection.execute(_DELETED, values, execution_options={"yield_per": _WINDOW}):
        is_wanted = within is None or row.partition_id in within
        entry = _Entry(row.delete_revision, row.id, ChangeKind.DELETED, row.delete_time_micros)
        yield entry if is_wanted else row.delete_revision


def _superseded(
    connection: Connection, tenant: str, within: list[int] | None, after: ChangePosition, until: int
) -> Iterator[_Entry | int]:
    values = {"after": after.revision, "until": until}
    for row in connection.execute(_SUPERSEDED, values, execution_options={"yield_per": _WINDOW}):
        is_wanted = row.tenant == tenant and (within is None or row.partition_id in within)
        end = (row.superseded_by, row.valid_to_micros)
        entry = _Entry(row.revision, row.version_id, ChangeKind.SUPERSEDED, row.create_time_micros, end, row.reason)
        yield entry if is_wanted else row.revision


def _read(connection: Connection, entries: list[_Entry]) -> Iterator[MemoryRevision]:
    row_ids = list(dict.fromkeys(entry.row_id for entry in entries))
    memories = load_rows(connection, row_ids, with_vectors=False)
    said: dict[int, tuple[ChangeKind, str]] = {}
    for ids in chunks(row_ids):
        rows = connection.execute(_KINDS, {"ids": ids}).all()
        sealed = open_contents(connection, [(row.scope_id, row.memory_id, row.version, row.sealed) for row in rows])
        for row, content in zip(rows, sealed, strict=True):
            said[row.id] = (ChangeKind(row.change), row.reason if content is None else content.reason)
    for entry in entries:
        memory = memories.get(entry.row_id)
        if memory is None:
            continue  # Its key was destroyed.
        if entry.change is None:
            change, reason = said[entry.row_id]
            yield MemoryRevision(change, memory, memory.update_time_micros, entry.revision, reason)
        else:
            yield MemoryRevision(
                entry.change, _ended(memory, entry), entry.moment, entry.revision, _reason(connection, memory, entry)
            )


def _reason(connection: Connection, memory: Memory, entry: _Entry) -> str:
    if entry.end is None:
        return entry.reason
    place = place_of_reason(memory.memory_id, memory.version, entry.end[0], entry.revision)
    return sealer_of(connection).open_text(entry.reason, *place)


def _ended(memory: Memory, entry: _Entry) -> Memory:
    if entry.end is None:
        return memory
    winner, valid_to = entry.end
    return replace(memory, valid_to_micros=valid_to, superseded_by=winner)
