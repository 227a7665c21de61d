"""Consolidation: of facts that say the same one stays, with the sources of all."""

from __future__ import annotations

import hashlib
import json
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mnemic.engine.consolidating_words import words_of
from mnemic.engine.live_index import LiveIndex, PartitionChange, changes_of
from mnemic.engine.replay import fingerprint_of, kept_answer, same_contents
from mnemic.engine.restriction import NO_RESTRICTION, narrowed
from mnemic.engine.retaining_checks import check_sample_size
from mnemic.engine.validation import check_ids_filter, check_request_id
from mnemic.engine.versions import content_hash, embedding_work
from mnemic.model.consolidation import ConsolidationReport, ConsolidationResult, ConsolidationSample
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.memory import ChangeKind, Memory, metadata_to_json
from mnemic.model.retention import DEFAULT_SAMPLE_SIZE
from mnemic.model.scope import PartitionKey, Scope, ScopeMatch
from mnemic.store.consolidation import CONSOLIDATED, Statement
from mnemic.store.interface import RequestIdTakenError, RequestRecord, Store, VersionEnd, VersionWrite, WriteBatch
from mnemic.store.standing import Standing

_SUPERSEDED = "consolidated: another memory says the same, and has its sources"
_METHOD = "ConsolidateScope"
# One commit takes so many memories: other writers wait for it.
_MERGED_AT_ONCE = 100
_SAMPLED_EACH = 10
# After each step others have the machine for so many times as long as it took.
_REST = 0.5


@dataclass(slots=True)
class _Group:
    """Statements that say the same: their ids, and the versions in which they do."""

    versions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Merge:
    """What one memory takes over in one commit."""

    keeper: str
    others: tuple[str, ...]


class Consolidation:
    """Merges what says the same; see `mnemic.v1.LifecycleService.ConsolidateScope`. Safe to call from many threads.

    Args:
        store: The truth.
        index: Kept equal to it.
    """

    def __init__(self, store: Store, index: LiveIndex) -> None:
        self._store = store
        self._index = index

    def consolidate(
        self,
        tenant: str,
        scope: Scope | None = None,
        *,
        validate_only: bool = False,
        sample_size: int | None = None,
        request_id: str = "",
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> ConsolidationResult:
        """Merges the facts of each scope that carries the ids, in bounded commits.

        What was merged when it is cut off stays so, and a repetition goes on: merging twice does nothing.
        """
        scope = scope or Scope()
        size = DEFAULT_SAMPLE_SIZE if sample_size is None else sample_size
        check_request_id(request_id)
        fingerprint = fingerprint_of("consolidate", scope) if request_id else ""
        kept = self._store.find_request(tenant, _METHOD, request_id) if request_id and not validate_only else None
        if kept is not None:
            return _replayed(same_contents(kept, fingerprint))
        check_ids_filter(scope)
        check_sample_size(size)
        asked = narrowed(scope, ScopeMatch.EXACT, within)
        run = _Run(self._store, self._index, tenant, size, deadline, writes=not validate_only)
        if asked is not None:
            run.carry_out(asked)
        record = None if validate_only else kept_answer(_METHOD, request_id, fingerprint, run.counts())
        if record is not None:
            try:
                run.revision = self._index.commit(WriteBatch(tenant=tenant, request=record, now_micros=_now())).revision
            except RequestIdTakenError as taken:
                return _replayed(same_contents(taken.record, fingerprint))
        return ConsolidationResult(run.report(), run.revision)


class _Run:
    """One pass over the scopes that carry some ids."""

    def __init__(
        self, store: Store, index: LiveIndex, tenant: str, sample_size: int, deadline: Deadline, *, writes: bool
    ) -> None:
        self._store = store
        self._index = index
        self._tenant = tenant
        self._sample_size = sample_size
        self._deadline = deadline
        self._writes = writes
        self._examined = self._merged = self._changed = 0
        self._keepers: set[str] = set()
        self._samples: list[ConsolidationSample] = []
        self.revision = index.revision

    def carry_out(self, scope: Scope) -> None:
        """Looks at the scopes one after another."""
        after: int | None = 0
        while after is not None:
            groups: dict[bytes, _Group] = {}

            def note(statements: Sequence[Statement], groups: dict[bytes, _Group] = groups) -> None:
                begin = time.monotonic()
                self._deadline.check()
                self._examined += len(statements)
                for statement in statements:
                    memory = statement.memory
                    groups.setdefault(key_of(statement), _Group()).versions[memory.memory_id] = memory.version
                _rest(begin)

            after = self._store.statements(self._tenant, scope, note, after=after, now_micros=_now())
            self._merge_groups(group for group in groups.values() if len(group.versions) > 1)

    def counts(self) -> dict[str, int]:
        """What was done, as it is kept for replay."""
        return {
            "examined_count": self._examined,
            "kept_count": len(self._keepers),
            "merged_count": self._merged,
            "changed_count": self._changed,
        }

    def report(self) -> ConsolidationReport:
        """What was done."""
        return ConsolidationReport(**self.counts(), samples=tuple(self._samples))

    def _merge_groups(self, groups: Iterable[_Group]) -> None:
        versions: dict[str, int] = {}
        batch: list[_Merge] = []
        size = 0
        for group in groups:
            versions |= group.versions
            for merge in self._planned(group):
                more = 1 + len(merge.others)
                if batch and (size + more > _MERGED_AT_ONCE or batch[-1].keeper == merge.keeper):
                    self._commit(batch, versions)
                    batch, size = [], 0
                batch.append(merge)
                size += more
        if batch:
            self._commit(batch, versions)

    def _planned(self, group: _Group) -> Iterator[_Merge]:
        """Which memory takes over the others: the one that holds for the longest, whatever order they came in."""
        found = self._store.get(self._tenant, list(group.versions))
        same = [memory for memory in found.values() if _is_as_seen(memory, group.versions)]
        self._changed += len(group.versions) - len(same)
        if len(same) < 2:
            return
        keeper, *others = sorted(same, key=_rank)
        if len(self._samples) < self._sample_size:
            self._samples.append(ConsolidationSample(keeper, tuple(others[:_SAMPLED_EACH])))
        if not self._writes:
            self._count(keeper, len(others))
            return
        step = _MERGED_AT_ONCE - 1
        for first in range(0, len(others), step):
            yield _Merge(keeper.memory_id, tuple(memory.memory_id for memory in others[first : first + step]))

    def _commit(self, merges: Sequence[_Merge], versions: dict[str, int]) -> None:
        self._deadline.check()
        begin = time.monotonic()

        def write() -> tuple[int, dict[PartitionKey, PartitionChange]]:
            committed = self._store.commit(self._batch(merges, versions))
            return committed.revision, changes_of(committed)

        self.revision = self._index.commit_with(write)
        _rest(begin)

    def _batch(self, merges: Sequence[_Merge], versions: dict[str, int]) -> WriteBatch:
        """The merges of what is still as it was seen; nobody else writes between this look and the commit."""
        ids = [memory_id for merge in merges for memory_id in (merge.keeper, *merge.others)]
        found = self._store.get(self._tenant, ids, with_vectors=True)
        now = _now()
        ends: list[VersionEnd] = []
        inserts: list[VersionWrite] = []
        for merge in merges:
            members = [found[memory_id] for memory_id in (merge.keeper, *merge.others) if memory_id in found]
            same = [memory for memory in members if _is_as_seen(memory, versions)]
            if len(same) < 2 or same[0].memory_id != merge.keeper:
                self._changed += len(merge.others)
                continue
            keeper, others = same[0], same[1:]
            self._count(keeper, len(others))
            self._changed += len(merge.others) - len(others)
            new = _united(keeper, others, now)
            versions[keeper.memory_id] = new.version
            ends.append(VersionEnd(keeper.memory_id, keeper.version, new.valid_from_micros))
            standing = Standing(supersedes=tuple(memory.memory_id for memory in others), reason=_SUPERSEDED)
            inserts.append(VersionWrite(new, ChangeKind.MERGED, content_hash(new.body), CONSOLIDATED, standing))
        memories = [write.memory for write in inserts]
        return WriteBatch(
            tenant=self._tenant, ends=ends, inserts=inserts, outbox=embedding_work(memories), now_micros=now
        )

    def _count(self, keeper: Memory, merged: int) -> None:
        self._keepers.add(keeper.memory_id)
        self._merged += merged


def key_of(statement: Statement) -> bytes:
    """A digest that statements share if nothing that they tell differs: where they hold, what they say and of when, who
    says it, how far it is trusted, and the caller's own fields.
    """
    memory = statement.memory
    told = (
        memory.scope,
        int(memory.kind),
        words_of(memory.body),
        int(memory.role),
        memory.name,
        memory.event_time_micros,
        memory.event_time_end_micros,
        int(memory.event_time_precision),
        int(memory.trust),
        memory.slot,
        unicodedata.normalize("NFKC", memory.slot_value).casefold(),
        statement.takes_slot,
        metadata_to_json(memory.metadata),
    )
    return hashlib.blake2b(repr(told).encode(), digest_size=16).digest()


def _is_as_seen(memory: Memory, versions: dict[str, int]) -> bool:
    return memory.valid_to_micros is None and memory.version == versions[memory.memory_id]


def _rank(memory: Memory) -> tuple[int, str, str]:
    return memory.valid_from_micros, memory.body, memory.memory_id


def _united(keeper: Memory, others: Sequence[Memory], now: int) -> Memory:
    """The next version of a memory that takes over others: their sources and themselves, so that whatever erases one of
    them finds what came of it; all of their labels and names; the greatest importance and confidence, the latest
    expiry.
    """
    everyone = (keeper, *others)
    expiries = [memory.expire_time_micros for memory in everyone]
    moment = max(now, *(memory.update_time_micros + 1 for memory in everyone))
    return replace(
        keeper,
        version=keeper.version + 1,
        revision=0,
        update_time_micros=moment,
        valid_from_micros=max(moment, *(memory.valid_from_micros for memory in everyone)),
        source_ids=_union((*memory.source_ids, *named) for memory, named in _with_names(everyone)),
        categories=_union(memory.categories for memory in everyone),
        entities=_union(memory.entities for memory in everyone),
        importance=max(memory.importance for memory in everyone),
        confidence=max(memory.confidence for memory in everyone),
        pinned=any(memory.pinned for memory in everyone),
        expire_time_micros=None if None in expiries else max(time for time in expiries if time is not None),
    )


def _with_names(everyone: Sequence[Memory]) -> Iterator[tuple[Memory, tuple[str, ...]]]:
    yield everyone[0], ()
    for memory in everyone[1:]:
        yield memory, (memory.memory_id,)


def _union(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for texts in lists for text in texts))


def _rest(begin: float) -> None:
    time.sleep((time.monotonic() - begin) * _REST)


def _replayed(record: RequestRecord) -> ConsolidationResult:
    return ConsolidationResult(ConsolidationReport(**json.loads(record.response)), record.revision, replayed=True)


def _now() -> int:
    return time.time_ns() // 1000
