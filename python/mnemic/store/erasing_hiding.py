"""Hiding what is to be destroyed, and what was derived from it, in one transaction of bounded size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, bindparam, delete, func, select, update

from mnemic.model.access import Quota
from mnemic.model.erasure import ErasedPlace, TargetKind
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.accounts import Growth, body_size, count_growth
from mnemic.store.consolidating_release import release
from mnemic.store.consolidation import CONSOLIDATED
from mnemic.store.erasing_holds import held_of
from mnemic.store.erasing_records import note_revision, tell
from mnemic.store.erasure_interface import Hidden, HidingPlace, Rederivation, StoredErasure
from mnemic.store.erasure_tables import derivations
from mnemic.store.listing import scope_conditions
from mnemic.store.models import load_seals
from mnemic.store.outbox import enqueue
from mnemic.store.places import partition_keys
from mnemic.store.rows import chunks, decode_texts, encode_texts, open_contents
from mnemic.store.sealing import Content, sealer_of
from mnemic.store.tables import memory_versions, outbox, pending_vectors, scopes, supersessions
from mnemic.store.work import OutboxKind, OutboxState
from mnemic.store.writing import advance, require_rebuild, touch_partitions

# How a fact of extraction begins to say where it came from (`mnemic.engine.extracting`).
DRAWN = "drawn from its sources"
WITHOUT_WINNER = "superseded by a memory that was erased"
HELD_FACTS = "their words come from other sources alone, or a legal hold keeps them; only those sources are named now"
KEPT_FACTS = "their words come from other sources alone; only those are named now"

_VERSION = memory_versions.c
_IDS: BindParameter[list[int | str]] = bindparam("ids", expanding=True)

_NEXT_OF_SCOPE = (
    select(_VERSION.memory_id)
    .distinct()
    .where(
        _VERSION.scope_id == bindparam("scope"),
        _VERSION.memory_id > bindparam("after"),
        _VERSION.id <= bindparam("last"),
        _VERSION.erasure_id.is_(None),
    )
    .order_by(_VERSION.memory_id)
    .limit(bindparam("limit"))
)
_VERSIONS = select(
    _VERSION.id,
    _VERSION.memory_id,
    _VERSION.partition_id,
    _VERSION.valid_to_micros.is_(None).label("holds"),
    body_size.label("body_bytes"),
).where(_VERSION.memory_id.in_(_IDS), _VERSION.tenant == bindparam("tenant"), _VERSION.erasure_id.is_(None))
_HIDE = (
    update(memory_versions)
    .where(_VERSION.id.in_(_IDS))
    .values(
        is_deleted=True,
        erasure_id=bindparam("erasure"),
        fact_key=None,
        valid_to_micros=func.coalesce(_VERSION.valid_to_micros, bindparam("now")),
    )
)
_DROP_PENDING = delete(pending_vectors).where(pending_vectors.c.version_id.in_(_IDS))
# In two queries: one that joins them is planned as a walk through the tenant.
_DERIVED_ROWS = select(derivations.c.version_id).distinct().where(derivations.c.source_id.in_(_IDS))
_MEMORIES_OF = (
    select(_VERSION.memory_id)
    .distinct()
    .where(_VERSION.id.in_(_IDS), _VERSION.erasure_id.is_(None), _VERSION.tenant == bindparam("tenant"))
)
_HISTORY = (
    select(
        _VERSION.id,
        _VERSION.memory_id,
        _VERSION.version,
        _VERSION.scope_id,
        _VERSION.partition_id,
        _VERSION.sealed,
        _VERSION.body,
        _VERSION.reason,
        _VERSION.source_ids,
        _VERSION.entities,
        _VERSION.categories,
        _VERSION.confidence,
    )
    .where(_VERSION.memory_id.in_(_IDS))
    .order_by(_VERSION.memory_id, _VERSION.version)
)
_HIDDEN_OF = select(_VERSION.memory_id).distinct().where(_VERSION.memory_id.in_(_IDS), _VERSION.erasure_id.is_not(None))
_STRIKE = (
    update(memory_versions)
    .where(_VERSION.id == bindparam("row"))
    .values(
        source_ids=bindparam("sources"),
        entities=bindparam("names"),
        categories=bindparam("labels"),
        confidence=bindparam("certainty"),
        sealed=bindparam("blob"),
    )
)
_DROP_DERIVATIONS = delete(derivations).where(derivations.c.source_id.in_(_IDS))
_SUPERSEDED_BY = (
    select(_VERSION.partition_id).distinct().where(_VERSION.superseded_by.in_(_IDS), _VERSION.erasure_id.is_(None))
)
_UNLINK = (
    update(memory_versions)
    .where(_VERSION.superseded_by.in_(_IDS), _VERSION.erasure_id.is_(None))
    .values(superseded_by=None)
)
_UNLINK_RECORDS = (
    update(supersessions).where(supersessions.c.superseded_by.in_(_IDS)).values(superseded_by="", reason=WITHOUT_WINNER)
)
# Whoever draws facts now may have read what is hidden: it loses its claim, and reads again.
_RESTART_EXTRACTION = (
    update(outbox)
    .where(
        outbox.c.kind == OutboxKind.EXTRACT.value,
        outbox.c.tenant == bindparam("whose"),
        outbox.c.due_micros.is_not(None),
        outbox.c.state == OutboxState.RUNNING.value,
    )
    .values(state=OutboxState.PENDING.value, due_micros=bindparam("now"))
)


def select_scopes(erasure: StoredErasure, after: int = 0) -> Any:  # noqa: ANN401 (a statement)
    """The row ids of the scopes that an erasure of a scope or a tenant destroys."""
    target = None if erasure.target is None else erasure.target.scope
    match = ScopeMatch.TENANT if erasure.kind is TargetKind.TENANT else ScopeMatch.EXACT
    return (
        select(scopes.c.id)
        .where(*scope_conditions(erasure.tenant, target or Scope(), match), scopes.c.id >= after)
        .order_by(scopes.c.id)
    )


def hide(
    connection: Connection,
    erasure: StoredErasure,
    place: HidingPlace,
    *,
    limit: int,
    rederive: Rederivation,
    now_micros: int,
) -> Hidden:
    """See `ErasureStore.hide`."""
    revision, _ = advance(connection)
    memory_ids, resume = _next_memories(connection, erasure, place, limit)
    step = _Hiding(connection, erasure, now_micros)
    step.hide_with_derived(memory_ids)
    step.rederive(rederive)
    connection.execute(_RESTART_EXTRACTION, {"whose": erasure.tenant, "now": now_micros})
    touch_partitions(connection, step.partitions, revision)
    require_rebuild(connection, sorted(step.partitions))
    count_growth(connection, erasure.tenant, step.growth, Quota())
    tell(connection, erasure.row_id, step.told())
    note_revision(connection, erasure.row_id, revision)
    return Hidden(revision, frozenset(partition_keys(connection, step.partitions).values()), resume)


def _next_memories(
    connection: Connection, erasure: StoredErasure, place: HidingPlace, limit: int
) -> tuple[list[str], HidingPlace | None]:
    if erasure.target is None:
        return [], None
    if erasure.kind is TargetKind.MEMORY:
        return [erasure.target.memory_id], None
    if erasure.kind is TargetKind.MEMORIES:
        later = sorted(memory_id for memory_id in erasure.target.memory_ids if memory_id > place.memory_id)[:limit]
        held = held_of(connection, later)
        left = [memory_id for memory_id in later if memory_id not in held]
        return left, HidingPlace(0, later[-1]) if len(later) == limit else None
    found: list[str] = []
    after = place.memory_id
    for scope_row in connection.execute(select_scopes(erasure, place.scope_row)).scalars().all():
        if scope_row != place.scope_row:
            after = ""
        values = {"scope": scope_row, "after": after, "last": erasure.last_version_id, "limit": limit - len(found)}
        of_scope = connection.execute(_NEXT_OF_SCOPE, values).scalars().all()
        found.extend(of_scope)
        if len(found) >= limit:
            return found, HidingPlace(scope_row, of_scope[-1])
    return found, None


@dataclass(slots=True)
class PastVersion:
    """A version of what was derived, as far as its derivation goes; `content` is None in a store that is plain."""

    row_id: int
    memory_id: str
    version: int
    scope_id: int
    partition_id: int
    body: str
    reason: str
    sources: tuple[str, ...]
    entities: str
    categories: str
    confidence: float
    content: Content | None


@dataclass(slots=True)
class _Hiding:
    """What one step hides, and what follows from it."""

    connection: Connection
    erasure: StoredErasure
    now_micros: int
    partitions: set[int] = field(default_factory=set)
    growth: Growth = field(default_factory=Growth)
    told_of: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _orphaned: dict[str, None] = field(default_factory=dict)
    _taken: dict[str, list[str]] = field(default_factory=dict)

    def hide_with_derived(self, memory_ids: Sequence[str]) -> None:
        """Hides memories, then what has its words from them, then what has its words from that.

        Of what leaves the archive only itself: nobody asked to forget what was said, only to keep it no longer word for
        word. The facts drawn from it stay, pinned ones too, and name it by its id alone.
        """
        if self.erasure.kind is TargetKind.MEMORIES:
            for ids in chunks(memory_ids):
                self._hide(ids)
                self._unlink(ids)
            return
        frontier = list(memory_ids)
        while frontier:
            following: list[str] = []
            for ids in chunks(frontier):
                self._hide(ids)
                following.extend(self._derived(ids))
                self._unlink(ids)
            self.told_of["derived"] += len(following)
            self._release_taken()
            frontier = following

    def _release_taken(self) -> None:
        """Lets what is derived, and goes, no longer stand for what said the same from other sources."""
        for memory_id, taken in self._taken.items():
            self.partitions |= release(self.connection, memory_id, taken, self.growth)
        self._taken.clear()

    def told(self) -> list[ErasedPlace]:
        """What was found, for the erasure's counts. What is hidden is counted as destroyed when it is."""
        kept = self.told_of["kept"]
        links, work = self.told_of["links"], self.told_of["pending"]
        return [
            ErasedPlace(place="memories", found=self.told_of["memories"]),
            ErasedPlace(place="history", found=self.told_of["versions"] - self.told_of["memories"]),
            ErasedPlace(
                place="derived_facts",
                found=self.told_of["derived"] + kept,
                destroyed=self.told_of["derived"],
                kept=kept,
                kept_reason=(HELD_FACTS if self.told_of["held"] else KEPT_FACTS) if kept else "",
            ),
            ErasedPlace(place="links", found=links, destroyed=links),
            ErasedPlace(place="missing_vectors", found=work, destroyed=work),
        ]

    def rederive(self, rederive: Rederivation) -> None:
        """Has facts drawn again from the sources that lost one with an erased one."""
        messages = list(self._orphaned)
        if not messages:
            return
        hidden = set(self._hidden_of(messages))
        work = rederive([message for message in messages if message not in hidden])
        if work:
            enqueue(self.connection, self.erasure.tenant, work, self.now_micros)

    def _hide(self, memory_ids: Sequence[str]) -> None:
        rows = self.connection.execute(_VERSIONS, {"ids": memory_ids, "tenant": self.erasure.tenant}).all()
        for row in rows:
            self.partitions.add(row.partition_id)
            if row.holds:
                self.growth.shrink(row.body_bytes)
        self.told_of["versions"] += len(rows)
        self.told_of["memories"] += len({row.memory_id for row in rows})
        for ids in chunks([row.id for row in rows]):
            values = {"ids": ids, "erasure": self.erasure.row_id, "now": self.now_micros}
            self.connection.execute(_HIDE, values)
            self.told_of["pending"] += self.connection.execute(_DROP_PENDING, {"ids": ids}).rowcount

    def _derived(self, memory_ids: Sequence[str]) -> list[str]:
        """What has its words from these memories; the rest of what names them names them no longer."""
        found = derived_from(self.connection, self.erasure.tenant, memory_ids)
        doomed: list[str] = []
        for ids in chunks(found):
            histories = histories_of(self.connection, ids)
            sources = {source for history in histories.values() for version in history for source in version.sources}
            hidden = set(self._hidden_of(sorted(sources)))
            held = held_of(self.connection, list(histories))
            for memory_id, history in histories.items():
                if memory_id in held:
                    self.told_of["held"] += 1
                    self._strike(history, hidden)
                elif has_words_of(history, hidden):
                    doomed.append(memory_id)
                    self._taken[memory_id] = _taken_over(history)
                    if history[0].reason.startswith(DRAWN):
                        self._orphaned.update(dict.fromkeys(history[-1].sources))
                else:
                    self._strike(history, hidden)
        for ids in chunks(memory_ids):
            self.connection.execute(_DROP_DERIVATIONS, {"ids": ids})
        return doomed

    def _hidden_of(self, memory_ids: Sequence[str]) -> Iterator[str]:
        for ids in chunks(memory_ids):
            yield from self.connection.execute(_HIDDEN_OF, {"ids": ids}).scalars()

    def _strike(self, history: Sequence[PastVersion], hidden: set[str]) -> None:
        """Takes hidden sources out of a memory, with the names, labels and certainty that came with them."""
        clean: dict[str, PastVersion] = {}
        changes = []
        for version in history:
            if not hidden.intersection(version.sources):
                clean[version.body] = version
                continue
            # What a legal hold keeps may have its words from what is hidden: then it stays as it is.
            before = clean.get(version.body, version)
            left = [source for source in version.sources if source not in hidden]
            changes.append(self._struck(version, left, before))
        self.connection.execute(_STRIKE, changes)
        self.partitions.update(version.partition_id for version in history)
        self.told_of["kept"] += 1

    def _struck(self, version: PastVersion, sources: Sequence[str], before: PastVersion) -> dict[str, object]:
        """The columns of a version with other sources, and with names and labels as they were before."""
        struck: dict[str, object] = {
            "row": version.row_id,
            "sources": encode_texts(sources),
            "names": before.entities,
            "labels": before.categories,
            "certainty": before.confidence,
            "blob": None,
        }
        if version.content is None:
            return struck
        seal = load_seals(self.connection, [version.scope_id])[version.scope_id]
        content = version.content._replace(entities=before.entities, categories=before.categories)
        row = content._asdict() | {"id": version.row_id, "memory_id": version.memory_id, "version": version.version}
        sealer_of(self.connection).seal_version(row, seal)
        return struck | {"names": row["entities"], "labels": row["categories"], "blob": row["sealed"]}

    def _unlink(self, memory_ids: Sequence[str]) -> None:
        """What they superseded stays superseded, and no longer says by what."""
        values = {"ids": memory_ids}
        self.partitions.update(self.connection.execute(_SUPERSEDED_BY, values).scalars())
        self.told_of["links"] += self.connection.execute(_UNLINK, values).rowcount
        self.connection.execute(_UNLINK_RECORDS, values)


def derived_from(connection: Connection, tenant: str, memory_ids: Sequence[str]) -> list[str]:
    """The memories that name any of these as a source, in any of their versions."""
    rows = connection.execute(_DERIVED_ROWS, {"ids": memory_ids}).scalars().all()
    found: dict[str, None] = {}
    for ids in chunks(rows):
        found.update(dict.fromkeys(connection.execute(_MEMORIES_OF, {"ids": ids, "tenant": tenant}).scalars()))
    return list(found)


def histories_of(connection: Connection, memory_ids: Sequence[str]) -> dict[str, list[PastVersion]]:
    """The versions of memories, oldest first."""
    histories: dict[str, list[PastVersion]] = {}
    for ids in chunks(memory_ids):
        rows = connection.execute(_HISTORY, {"ids": ids}).all()
        sealed = [(row.scope_id, row.memory_id, row.version, row.sealed) for row in rows]
        for row, content in zip(rows, open_contents(connection, sealed), strict=True):
            histories.setdefault(row.memory_id, []).append(_version_of(row, content))
    return histories


def has_words_of(history: Sequence[PastVersion], hidden: Collection[str]) -> bool:
    """Whether any text that a memory has had came up together with a hidden source. A source that joined a text that
    was there before only said the same.
    """
    seen: set[str] = set()
    for version in history:
        if version.body not in seen and any(source in hidden for source in version.sources):
            return True
        seen.add(version.body)
    return False


def _taken_over(history: Sequence[PastVersion]) -> list[str]:
    """The ids that joined a memory's sources when it took over others that say the same."""
    joined: list[str] = []
    for before, version in pairwise(history):
        if version.reason == CONSOLIDATED:
            joined.extend(source for source in version.sources if source not in before.sources)
    return joined


def _version_of(row: Row[*tuple[Any, ...]], content: Content | None) -> PastVersion:
    words = row if content is None else content
    return PastVersion(
        row_id=row.id,
        memory_id=row.memory_id,
        version=row.version,
        scope_id=row.scope_id,
        partition_id=row.partition_id,
        body=words.body,
        reason=words.reason,
        sources=decode_texts(row.source_ids),
        entities=words.entities,
        categories=words.categories,
        confidence=row.confidence,
        content=content,
    )
