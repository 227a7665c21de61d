"""How what is written relates to what is known: what it supersedes, and what says the same already.

A slot of a scope has one value at a time. Its values stand in a chain by the moment from which they hold: a value that
is written later but held earlier takes its place within the chain, already closed, and does not overturn what holds
now. Everything is decided within the transaction that writes, from rows that it reads and from what the batch has
decided before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select

from mnemic.model.memory import ChangeKind, Memory, MemoryKind
from mnemic.store.interface import VersionWrite
from mnemic.store.reading import load_rows
from mnemic.store.rows import chunks, open_contents
from mnemic.store.tables import memory_versions

_VERSION = memory_versions.c
_COLUMNS = (
    _VERSION.id,
    _VERSION.memory_id,
    _VERSION.version,
    _VERSION.scope_id,
    _VERSION.partition_id,
    _VERSION.valid_from_micros,
    _VERSION.valid_to_micros,
    _VERSION.kind,
    _VERSION.slot_value,
    _VERSION.takes_slot,
    _VERSION.fact_key,
    _VERSION.content_hash,
    _VERSION.sealed,
)
_IN_SLOT = select(*_COLUMNS).where(
    _VERSION.scope_id == bindparam("scope"),
    _VERSION.slot == bindparam("asked_slot"),
    _VERSION.slot != "",
    ~_VERSION.is_deleted,
    or_(_VERSION.valid_to_micros.is_(None), _VERSION.valid_to_micros > bindparam("after")),
)
_SAYING = select(*_COLUMNS).where(
    _VERSION.scope_id == bindparam("scope"),
    _VERSION.content_hash.in_(bindparam("hashes", expanding=True)),
    _VERSION.valid_to_micros.is_(None),
    _VERSION.fact_key.is_not(None),
)
_BY_ID = select(*_COLUMNS).where(_VERSION.id.in_(bindparam("ids", expanding=True)))
_EARLIEST = -(1 << 63)
# How extraction tells that a value does not hold.
_DENIAL = "not "
# Kinds of which no two of a scope say the same.
_STATEMENTS = (MemoryKind.FACT, MemoryKind.INSTRUCTION)


@dataclass(slots=True, kw_only=True)
class Entry:
    """A version that is to be inserted, as the batch has left it so far.

    Attributes:
        write: What to insert.
        scope_id: The row id of its scope.
        partition_id: And of its partition.
        content_hash: That of the write as SQL compares it: in an encrypted store a keyed hash of it.
        slot: The slot of its memory, the same.
        takes_slot: See `Standing.takes_slot`; of a later version, what the one before had.
        fact_key: See `mnemic.store.tables`.
    """

    write: VersionWrite
    scope_id: int
    partition_id: int
    content_hash: str
    slot: str = ""
    takes_slot: bool = False
    fact_key: str | None = None

    @property
    def memory(self) -> Memory:
        """The version."""
        return self.write.memory


@dataclass(slots=True, kw_only=True)
class Stored:
    """A version that the store has, as the batch has left it so far.

    Attributes:
        row_id: Its row.
        memory_id: Whose.
        version: Which.
        scope_id: The row id of its scope.
        partition_id: And of its partition.
        valid_from: From when it holds.
        valid_to: Until when, or None.
        had_ended: Whether it had an end before the batch.
        superseded_by: What the batch superseded it by, if it did.
    """

    row_id: int
    memory_id: str
    version: int
    scope_id: int
    partition_id: int
    valid_from: int
    valid_to: int | None
    had_ended: bool
    superseded_by: str | None = None


@dataclass(slots=True)
class _Known:
    """A version that may relate to another: one of the store's or one of the batch."""

    version: Entry | Stored
    kind: int
    slot_value: str
    takes_slot: bool
    fact_key: str | None

    @property
    def memory_id(self) -> str:
        return self.version.memory.memory_id if isinstance(self.version, Entry) else self.version.memory_id

    @property
    def valid_from(self) -> int:
        return self.version.memory.valid_from_micros if isinstance(self.version, Entry) else self.version.valid_from

    @property
    def valid_to(self) -> int | None:
        return self.version.memory.valid_to_micros if isinstance(self.version, Entry) else self.version.valid_to

    def holds_at(self, moment: int) -> bool:
        return self.valid_from <= moment and (self.valid_to is None or self.valid_to > moment)


@dataclass(frozen=True, slots=True)
class Supersession:
    """One closing of a version, to be recorded."""

    version: Entry | Stored
    superseded_by: str
    valid_to: int
    reason: str


@dataclass(slots=True)
class Settlement:
    """What is to be written.

    Attributes:
        entries: The versions to insert.
        outcomes: For each write of the batch, in order: the entry or the stored memory that it became, and whether that
            is one that said the same before.
        superseded: Versions of the store whose end is set or moved, each once.
        renewed: Versions of the store that end because a later version of the same memory takes sources.
        records: The supersessions, in order.
    """

    entries: list[Entry] = field(default_factory=list)
    outcomes: list[tuple[Entry | Memory, bool]] = field(default_factory=list)
    superseded: dict[int, Stored] = field(default_factory=dict)
    renewed: list[Stored] = field(default_factory=list)
    records: list[Supersession] = field(default_factory=list)


def is_to_be_settled(write: VersionWrite) -> bool:
    """Whether a write can relate to other memories; messages do not, and cost nothing here."""
    return write.memory.kind in _STATEMENTS or write.standing.takes_slot or bool(write.standing.supersedes)


def fact_key_of(memory: Memory, slot: str) -> str | None:
    """What tells a fact apart from others that have the same words: its slot, or else when it happened.

    Args:
        memory: The fact.
        slot: Its slot as SQL compares it.
    """
    if memory.kind not in _STATEMENTS:
        return None
    kind = "" if memory.kind is MemoryKind.FACT else f"{memory.kind.name}:"
    if slot:
        return f"{kind}#{slot}"
    return kind if memory.event_time_micros is None else f"{kind}@{memory.event_time_micros}"


class Settler:
    """Settles the writes of one batch, in their order.

    Args:
        connection: The transaction, in which the batch's own ends have been carried out.
        entries: The writes with their places.
        heads: The row ids of the latest versions of the memories that are named in `supersedes`.
        now_micros: The time of the write.
    """

    def __init__(
        self, connection: Connection, entries: Sequence[Entry], heads: dict[str, int], now_micros: int
    ) -> None:
        self._connection = connection
        self._now = now_micros
        self._heads = heads
        self._known: dict[int, _Known] = {}
        self._slots: dict[tuple[int, str], list[_Known]] = {}
        self._saying: dict[tuple[int, str], list[_Known]] = {}
        self._memories: dict[int, Memory] = {}
        self._entries = entries
        self._result = Settlement()

    def settle(self) -> Settlement:
        """Decides; writes nothing."""
        self._load()
        for entry in self._entries:
            self._settle(entry)
        return self._result

    def _load(self) -> None:
        after: dict[tuple[int, str], int] = {}
        slots: dict[tuple[int, str], str] = {}
        hashes: dict[int, set[str]] = {}
        for entry in self._entries:
            memory, standing = entry.memory, entry.write.standing
            if memory.slot and (standing.takes_slot or standing.reads_value):
                place = (entry.scope_id, memory.slot)
                start = _EARLIEST if standing.is_correction else memory.valid_from_micros
                after[place] = min(start, after.get(place, start))
                slots[place] = entry.slot
            if memory.kind in _STATEMENTS:
                hashes.setdefault(entry.scope_id, set()).add(entry.content_hash)
        for place, start in after.items():
            values = {"scope": place[0], "asked_slot": slots[place], "after": start}
            self._slots[place] = self._take(self._connection.execute(_IN_SLOT, values).all())
        for scope_id, wanted in hashes.items():
            for chunk in chunks(sorted(wanted)):
                found = self._connection.execute(_SAYING, {"scope": scope_id, "hashes": chunk}).all()
                for row, known in zip(found, self._take(found), strict=True):
                    self._saying.setdefault((scope_id, row.content_hash), []).append(known)
        for row_ids in chunks(sorted(set(self._heads.values()))):
            self._take(self._connection.execute(_BY_ID, {"ids": row_ids}).all())
        twins = [known.version.row_id for those in self._saying.values() for known in those
                 if isinstance(known.version, Stored)]  # fmt: skip
        self._memories = load_rows(self._connection, twins, with_vectors=True)

    def _take(self, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[_Known]:
        """Rows as what is known; each row is known once, however it was found."""
        found = []
        opened = open_contents(
            self._connection, [(row.scope_id, row.memory_id, row.version, row.sealed) for row in rows]
        )
        for row, content in zip(rows, opened, strict=True):
            if row.id not in self._known:
                self._known[row.id] = _Known(
                    Stored(
                        row_id=row.id,
                        memory_id=row.memory_id,
                        version=row.version,
                        scope_id=row.scope_id,
                        partition_id=row.partition_id,
                        valid_from=row.valid_from_micros,
                        valid_to=row.valid_to_micros,
                        had_ended=row.valid_to_micros is not None,
                    ),
                    row.kind,
                    row.slot_value if content is None else content.slot_value,
                    row.takes_slot,
                    row.fact_key,
                )
            found.append(self._known[row.id])
        return found

    def _settle(self, entry: Entry) -> None:
        memory = entry.memory
        if entry.write.is_imported and memory.valid_to_micros is not None:
            # What has ended elsewhere is settled.
            self._result.entries.append(entry)
            self._result.outcomes.append((entry, False))
            return
        named = [self._known[self._heads[memory_id]] for memory_id in entry.write.standing.supersedes]
        twin = self._twin(entry, named)
        if twin is not None and memory.version == 1:
            merged = self._merge(twin, entry)
            self._result.outcomes.append((merged, True))
            if named:
                keeper = merged.memory if isinstance(merged, Entry) else merged
                self._end_named(named, keeper.memory_id, memory.valid_from_micros, entry.write.standing.reason)
            return
        if twin is not None and twin.fact_key == entry.fact_key:
            entry.fact_key = None
        self._result.entries.append(entry)
        self._result.outcomes.append((entry, False))
        if entry.write.standing.takes_slot:
            self._take_slot(entry)
        if entry.write.standing.reads_value and memory.slot_value:
            self._end_contrary(entry)
            self._end_replaced(entry)
        self._end_named(named, memory.memory_id, memory.valid_from_micros, entry.write.standing.reason)
        self._note(entry)

    def _note(self, entry: Entry) -> None:
        """Later writes of the batch relate to this one."""
        memory = entry.memory
        known = _Known(entry, int(memory.kind), memory.slot_value, entry.takes_slot, entry.fact_key)
        if memory.slot:
            self._slots.setdefault((entry.scope_id, memory.slot), []).append(known)
        if entry.fact_key is not None:
            self._saying.setdefault((entry.scope_id, entry.content_hash), []).append(known)

    def _twin(self, entry: Entry, named: Sequence[_Known]) -> _Known | None:
        """The fact that holds and says the same."""
        memory, standing = entry.memory, entry.write.standing
        key = entry.fact_key
        if key is None:
            return None
        saying = [
            known
            for known in self._saying.get((entry.scope_id, entry.content_hash), ())
            if known.valid_to is None
            and known.kind == memory.kind
            and known not in named
            and known.memory_id != memory.memory_id
        ]
        twin = next((known for known in saying if known.fact_key == key), None)
        if twin is None and not memory.slot and memory.event_time_micros is None:
            # Said again without its slot.
            twin = next((known for known in saying if "#" in (known.fact_key or "")), None)
        if twin is None and standing.reads_value and memory.slot_value:
            value = memory.slot_value.casefold()
            twin = next(
                (
                    known
                    for known in self._slots.get((entry.scope_id, memory.slot), ())
                    if known.valid_to is None
                    and known.kind == memory.kind
                    and known not in named
                    and known.slot_value.casefold() == value
                    # The one value of a slot is more than one of several.
                    and (known.takes_slot or not standing.takes_slot)
                ),
                None,
            )
        # That it held earlier, before another value did, is news.
        if twin is not None and twin.takes_slot and memory.valid_from_micros < twin.valid_from:
            return None
        return twin

    def _merge(self, twin: _Known, entry: Entry) -> Entry | Memory:
        """The twin with what the entry adds to it, as a new version unless it is one of the batch itself."""
        stored = twin.version
        if isinstance(stored, Entry):
            stored.write = replace(stored.write, memory=_enriched(stored.memory, entry.memory))
            return stored
        if stored.row_id not in self._memories:
            self._memories |= load_rows(self._connection, [stored.row_id], with_vectors=True)
        old = self._memories[stored.row_id]
        enriched = _enriched(old, entry.memory)
        if enriched == old:
            return old
        moment = max(entry.memory.valid_from_micros, stored.valid_from)
        new = replace(
            enriched,
            version=old.version + 1,
            revision=0,
            update_time_micros=max(self._now, old.update_time_micros + 1),
            valid_from_micros=moment,
        )
        reason = "what says the same was added, and its sources are kept"
        write = VersionWrite(new, ChangeKind.MERGED, entry.write.content_hash, reason)
        merged = Entry(
            write=write,
            scope_id=entry.scope_id,
            partition_id=entry.partition_id,
            takes_slot=twin.takes_slot,
            content_hash=entry.content_hash,
            slot=entry.slot,
            fact_key=twin.fact_key,
        )
        stored.valid_to = moment
        self._result.renewed.append(stored)
        self._result.entries.append(merged)
        self._note(merged)
        return merged

    def _take_slot(self, entry: Entry) -> None:
        chain = [known for known in self._slots.get((entry.scope_id, entry.memory.slot), ()) if known.takes_slot]
        if entry.write.standing.is_correction:
            self._correct(entry, chain)
        moment, memory_id, slot = entry.memory.valid_from_micros, entry.memory.memory_id, entry.memory.slot
        later = [known for known in chain if known.valid_from > moment and known.valid_from != known.valid_to]
        for known in chain:
            if known.holds_at(moment):
                self._end(known, memory_id, moment, f"a newer value of the slot {slot!r}")
        if later:
            following = min(later, key=lambda known: known.valid_from)
            reason = f"late news: a newer value of the slot {slot!r} was known already"
            self._end(_Known(entry, 0, "", True, None), following.memory_id, following.valid_from, reason)  # noqa: FBT003 (as a row has it)

    def _correct(self, entry: Entry, chain: Sequence[_Known]) -> None:
        """The value that holds now never did; the entry holds from when that one was to, if not from even earlier."""
        holding = [known for known in chain if known.valid_to is None]
        if not holding:
            return
        wrong = max(holding, key=lambda known: known.valid_from)
        self._end(wrong, entry.memory.memory_id, wrong.valid_from, f"a correction of the slot {entry.memory.slot!r}")
        self._begin_with(entry, wrong)

    @staticmethod
    def _begin_with(entry: Entry, wrong: _Known) -> None:
        """What corrects holds for all of the time of what it corrects, even if it tells a later one: no gap is left."""
        start = min(wrong.valid_from, entry.memory.valid_from_micros)
        entry.write = replace(entry.write, memory=replace(entry.memory, valid_from_micros=start))

    def _end_contrary(self, entry: Entry) -> None:
        """Of a value and its denial the one that holds from later on ends the other."""
        moment, contrary = entry.memory.valid_from_micros, _contrary(entry.memory.slot_value)
        for known in self._slots.get((entry.scope_id, entry.memory.slot), ()):
            if known.slot_value.casefold() == contrary and known.holds_at(moment):
                self._end(known, entry.memory.memory_id, moment, f"the slot {entry.memory.slot!r} tells the contrary")

    def _end_replaced(self, entry: Entry) -> None:
        """Of the values beside each other those that the entry takes the place of."""
        standing, moment = entry.write.standing, entry.memory.valid_from_micros
        replaced = {value.casefold() for value in standing.replaces}
        for known in self._slots.get((entry.scope_id, entry.memory.slot), ()) if replaced else ():
            if known.valid_to is None and known.slot_value.casefold() in replaced:
                end = known.valid_from if standing.is_correction else max(moment, known.valid_from)
                reason = f"replaced by another value of the slot {entry.memory.slot!r}"
                self._end(known, entry.memory.memory_id, end, reason)
                if standing.is_correction:
                    self._begin_with(entry, known)

    def _end_named(self, named: Iterable[_Known], memory_id: str, moment: int, reason: str) -> None:
        for known in named:
            end = max(moment, known.valid_from)
            if known.valid_to is None or known.valid_to > end:
                self._end(known, memory_id, end, reason)

    def _end(self, known: _Known, memory_id: str, moment: int, reason: str) -> None:
        version = known.version
        if isinstance(version, Entry):
            ended = replace(version.memory, valid_to_micros=moment, superseded_by=memory_id)
            version.write = replace(version.write, memory=ended)
        else:
            version.valid_to, version.superseded_by = moment, memory_id
            self._result.superseded[version.row_id] = version
        self._result.records.append(Supersession(version, memory_id, moment, reason))


def _enriched(memory: Memory, other: Memory) -> Memory:
    """The memory with what another one that says the same knows besides."""
    return replace(
        memory,
        source_ids=_union(memory.source_ids, other.source_ids),
        categories=_union(memory.categories, other.categories),
        entities=_union(memory.entities, other.entities),
        confidence=max(memory.confidence, other.confidence),
        expire_time_micros=_later_expiry(memory.expire_time_micros, other.expire_time_micros),
    )


def _later_expiry(one: int | None, other: int | None) -> int | None:
    """What is said again lives on as it was said now, also when it had expired."""
    return None if one is None or other is None else max(one, other)


def _contrary(value: str) -> str:
    folded = value.casefold()
    return folded.removeprefix(_DENIAL) if folded.startswith(_DENIAL) else _DENIAL + folded


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
