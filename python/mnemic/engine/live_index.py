"""The index kept equal to the store: partitions loaded on first use, every commit applied before it is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from mnemic import _core
from mnemic.engine.announcing import Announcer
from mnemic.engine.backlog import Backlog, Frozen
from mnemic.engine.loading import Arrival, Loader
from mnemic.engine.recency import RecencyMap
from mnemic.engine.residence import Residence
from mnemic.engine.snapshots import SNAPSHOT_UNUSABLE, SnapshotFiles, SnapshotStats, words_of
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import Memory
from mnemic.model.scope import PartitionKey
from mnemic.model.stats import IndexStats
from mnemic.store.interface import Committed, Store, WriteBatch

_log = structlog.get_logger("mnemic.index")
# After so many times that a write overtook a load, it holds writers off while it catches up.
_UNLOCKED_CATCH_UPS = 3
# Loads of one partition wait for each other; those of different ones seldom share a lock.
_LOADING_LOCKS = 64
# States of partitions that left memory may take this part of the budget again while they wait to be written.
_SHARE_OF_BACKLOG = 4


@dataclass(slots=True)
class PartitionChange:
    """What one commit changes in one partition.

    Attributes:
        rows: New versions with their unit vectors (little-endian float32, or None).
        closes: Versions that end.
        rebuilds: What happened cannot be told: the partition is to be read anew.
    """

    rows: list[tuple[Memory, bytes | None]] = field(default_factory=list)
    closes: list[_core.Close] = field(default_factory=list)
    rebuilds: bool = False


@dataclass(slots=True)
class Comparison:
    """What came out of comparing the index with the store.

    Attributes:
        differences: Where they differ, in words.
        refused_snapshots: Which snapshots could not be used, in words; they are made anew.
        rows: How many rows were compared.
    """

    differences: list[str] = field(default_factory=list)
    refused_snapshots: list[str] = field(default_factory=list)
    rows: int = 0


class LiveIndex:
    """Ties the core's index to the store.

    Commits run one after another (the database has one writer anyway), so the order of application is the order of
    revisions and the index is always at one revision. Partitions that were not asked for the longest leave memory when
    the index outgrows its budget, and are loaded again when they are next asked for.

    The front searches the core without asking here. What it may use is marked in the core: partitions that are loaded,
    owners without memories and the revision, each under the write lock and before a write that it concerns is answered.

    Args:
        store: The truth.
        dimension: The length of the vectors.
        budget_bytes: What partitions may take.
        snapshots: Where they can be loaded from faster than from the store, if anywhere.

    Attributes:
        core: The core's index; only searches are for others to call.
        backlog: What the index needs behind the calls, for `Upkeep`.
        announcer: Tells those who watch of each commit.
    """

    def __init__(
        self, store: Store, dimension: int, *, budget_bytes: int, snapshots: SnapshotFiles | None = None
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self.core = _core.Index(dimension)
        self._loader = Loader(self.core, store, snapshots)
        self.backlog = Backlog(budget_bytes // _SHARE_OF_BACKLOG)
        self._budget_bytes = budget_bytes
        self._loaded: RecencyMap[PartitionKey, Residence] = RecencyMap()
        self._bytes = 0
        self._loading = [threading.Lock() for _ in range(_LOADING_LOCKS)]
        self._write_lock = threading.Lock()
        self._advanced = threading.Condition()
        self._revision = store.revision()
        self.core.set_revision(self._revision)
        self.announcer = Announcer(self._revision)

    @property
    def revision(self) -> int:
        """The last revision that searches see."""
        return self._revision

    def commit(self, batch: WriteBatch, check: Callable[[], None] | None = None) -> Committed:
        """Writes a batch and applies it: when it returns, it is durable and the next search sees it.

        Args:
            batch: What to write.
            check: Called first, while no other write comes between; raises if the batch must not be written.
        """
        committed: list[Committed] = []

        def write() -> tuple[int, dict[PartitionKey, PartitionChange]]:
            if check is not None:
                check()
            done = self._store.commit(batch)
            committed.append(done)
            return done.revision, changes_of(done)

        self.commit_with(write)
        return committed[0]

    def commit_with(self, write: Callable[[], tuple[int, dict[PartitionKey, PartitionChange]]]) -> int:
        """As `commit`, for a write that looks at the store first: no other write comes between.

        Args:
            write: Commits, and answers the revision and what to apply.
        """
        with self._write_lock:
            revision, changes = write()
            for key, change in changes.items():
                residence = self._loaded.get(key)
                if residence is not None and change.rebuilds:
                    # The next search reads it from the store; a load at hand sees that its changes cannot be told.
                    self._forget(key)
                elif residence is not None:
                    self._apply(key, residence, change, revision)
                else:
                    self.core.forget_empty(key)
            self.core.set_revision(revision)
            with self._advanced:
                self._revision = revision
                self._advanced.notify_all()
            self.announcer.announce(revision, changes.keys())
        return revision

    def _apply(self, key: PartitionKey, residence: Residence, change: PartitionChange, revision: int) -> None:
        # A version of an earlier commit, whose vector came late, keeps its revision.
        rows = [
            (memory if memory.revision else replace(memory, revision=revision), vector)
            for memory, vector in change.rows
        ]
        try:
            self.core.apply(key, rows, change.closes)
        except Exception as error:  # noqa: BLE001 (whatever it was, the commit stands and the index must not lag)
            # Without the partition in memory the next search reads it from the store.
            _log.exception("partition_dropped", partition=_shown(key), revision=revision)
            if self._snapshots is not None and residence.is_mapped:
                self._snapshots.refuse(key, words_of(error))
            self._forget(key)
        else:
            self._bytes += residence.grow(len(rows), len(change.closes))
            if residence.is_to_be_noted():
                self.backlog.note(key)

    def _forget(self, key: PartitionKey) -> None:
        """Takes a partition out of memory; the write lock is held."""
        residence = self._loaded.remove(key)
        if residence is not None:
            self._bytes -= residence.bytes
        self.core.drop(key)

    def wait_for(
        self, revision: int, deadline: Deadline, longest_seconds: float, *, field: str = "min_revision"
    ) -> None:
        """Waits until searches see a revision, which a request's field asks for.

        Raises:
            MnemicError: REVISION_NOT_REACHED when they do not in time.
        """
        remaining = deadline.remaining()
        seconds = longest_seconds if remaining is None else min(remaining, longest_seconds)
        with self._advanced:
            if self._advanced.wait_for(lambda: self._revision >= revision, timeout=seconds):
                return
        deadline.check()
        raise MnemicError(
            Reason.REVISION_NOT_REACHED,
            f"{field}: this node is at revision {self._revision}, not yet at {revision}",
            metadata={"current_revision": str(self._revision), field: str(revision)},
        )

    def search(
        self, keys: Sequence[PartitionKey], deadline: Deadline, run: Callable[[], _core.SearchOutcome]
    ) -> tuple[_core.SearchOutcome, int]:
        """Runs a search while its partitions are in memory.

        Args:
            keys: The partitions that it looks into.
            deadline: Until when the caller waits.
            run: The search. It may be run again if a partition left memory meanwhile, which it would take for empty.

        Returns:
            What it found, and the nanoseconds that loading took.
        """
        loading = 0
        while True:
            begin = time.perf_counter_ns()
            residences = self.ensure_loaded(keys, deadline)
            loading += time.perf_counter_ns() - begin
            deadline.check()
            try:
                outcome = run()
            except _core.CoreError as error:
                if not self._rebuild_mapped(residences, error):
                    raise
                continue
            if all(self._loaded.get(key) is residence for key, residence in residences.items()):
                return outcome, loading

    def understand(
        self, keys: Sequence[PartitionKey], query: str, deadline: Deadline
    ) -> tuple[_core.UnderstoodQuery, int]:
        """What a query means in a search of partitions, which are brought into memory: they tell how it is spelt, and
        how often a name occurs there decides whether it is left out.

        Returns:
            That, and the nanoseconds that loading took.
        """
        begin = time.perf_counter_ns()
        self.ensure_loaded(keys, deadline)
        loaded = time.perf_counter_ns()
        deadline.check()
        # A partition that leaves memory in between counts as empty: its names stay in, as in one that has few memories.
        return self.core.understand(keys, query), loaded - begin

    def ensure_loaded(self, keys: Iterable[PartitionKey], deadline: Deadline) -> dict[PartitionKey, Residence]:
        """Brings partitions into memory; those that hold anything, with their present stay."""
        found = {}
        for key in keys:
            residence = self._loaded.use(key)
            if residence is None:
                deadline.check()
                with self._loading[hash(key) % _LOADING_LOCKS]:
                    residence = self._loaded.use(key) or self._load(key)
            if residence is not None:
                found[key] = residence
        if self._bytes > self._budget_bytes:
            self._make_room(found)
        return found

    def _load(self, key: PartitionKey) -> Residence | None:
        # Nobody searches the partition, and commits pass it over, before it counts as loaded.
        arrival = self._loader.load(key)
        for _ in range(_UNLOCKED_CATCH_UPS):
            with self._write_lock:
                if not self._store.partition_changes(key, arrival.revision):
                    return self._finish_load(key, arrival)
            self._loader.catch_up(key, arrival)
        with self._write_lock:
            self._loader.catch_up(key, arrival)
            return self._finish_load(key, arrival)

    def _finish_load(self, key: PartitionKey, arrival: Arrival) -> Residence | None:
        # An owner without memories is not kept: asking for strangers must not cost memory.
        if not self.core.contains(key):
            self.core.note_empty(key)
            return None
        stats = self.core.stats(key)
        size = stats.bytes + stats.mapped_bytes
        residence = Residence(
            bytes=size,
            bytes_per_row=size // max(stats.rows, 1),
            rows=stats.rows,
            unsaved=arrival.unsaved,
            unnoted=arrival.unsaved,
            is_mapped=arrival.is_mapped,
            is_verified=not arrival.is_mapped,
        )
        self._loaded.put(key, residence)
        self._bytes += residence.bytes
        self.core.set_resident(key)
        if residence.is_to_be_noted() or not residence.is_verified:
            self.backlog.note(key)
        return residence

    def _make_room(self, keep: Collection[PartitionKey]) -> None:
        """Takes the longest unused partitions out of memory until the rest fits, but never those of the search at hand:
        one that needs more than the budget has it while it runs.
        """
        spared = 0
        while self._bytes > self._budget_bytes:
            oldest = self._loaded.oldest(len(keep) + 1)
            victim = next((key for key in oldest if key not in keep), None)
            if victim is None:
                return
            # The front's uses are not told one by one: what it used since it was last looked at counts as used now.
            if spared < len(self._loaded) and self.core.take_used(victim):
                self._loaded.use(victim)
                spared += 1
                continue
            # Nobody may be loading it anew, or the new stay would be dropped with the old one.
            with self._loading[hash(victim) % _LOADING_LOCKS], self._write_lock:
                self._evict(victim)

    def _evict(self, key: PartitionKey) -> None:
        residence = self._loaded.get(key)
        # Its state is written behind the search at hand. When the disk does not keep up it is not: memory comes first.
        if residence is not None and self.backlog.has_room(residence.bytes):
            frozen = self._freeze(key, at_rest=True)
            if frozen is not None:
                self.backlog.save(frozen)
        self._forget(key)

    def _freeze(self, key: PartitionKey, *, at_rest: bool) -> Frozen | None:
        """The partition's state if it is worth a snapshot; the write lock is held, so that it is of one revision."""
        residence = self._loaded.get(key)
        if self._snapshots is None or residence is None or not residence.is_worth_a_snapshot(at_rest=at_rest):
            return None
        if not residence.is_verified:
            # Damage would get a checksum that says it is none.
            return None
        state = self.core.freeze(key)
        if state is None:
            return None
        return Frozen(key, residence, state, self._revision, residence.bytes, residence.unsaved)

    def freeze_if_due(self, key: PartitionKey) -> Frozen | None:
        """The state of a partition in use, if its file is to be written."""
        with self._write_lock:
            return self._freeze(key, at_rest=False)

    def unverified(self) -> list[PartitionKey]:
        """The partitions that would be worth a file, were it known that the one they came from is undamaged."""
        with self._write_lock:
            return [
                key
                for key, residence in self._loaded.items()
                if not residence.is_verified and residence.is_worth_a_snapshot(at_rest=True)
            ]

    def freeze_at_rest(self) -> list[Frozen]:
        """The states that are worth a file before the process ends, in no order."""
        with self._write_lock:
            frozen = [self._freeze(key, at_rest=True) for key, _ in self._loaded.items()]
        return [state for state in frozen if state is not None]

    def note_saved(self, frozen: Frozen) -> None:
        """A state was written: what is unsaved is what came after it."""
        with self._write_lock:
            frozen.stay.unsaved -= frozen.unsaved

    def keep_to_budget(self) -> None:
        """Takes partitions out of memory that writes have let outgrow the budget, where no search does."""
        self._make_room(())

    def measure(self, key: PartitionKey) -> None:
        """Measures what a partition takes, after the upkeep changed it."""
        with self._write_lock:
            residence = self._loaded.get(key)
            if residence is None:
                return
            stats = self.core.stats(key)
            size = stats.bytes + stats.mapped_bytes
            self._bytes += size - residence.bytes
            residence.bytes, residence.rows = size, stats.rows

    def verify(self, key: PartitionKey) -> str:
        """Looks for damage in the file that a partition was loaded from, if nobody has yet. If there is any, partition
        and file are forgotten, and it is read from the store when it is next asked for.

        Returns:
            The damage in words; empty when there is none.
        """
        residence = self._loaded.get(key)
        if residence is None or residence.is_verified:
            return ""
        try:
            self.core.verify(key)
        except _core.CoreError as error:
            self._rebuild(key, residence, words_of(error))
            return words_of(error)
        residence.is_verified = True
        return ""

    def _rebuild(self, key: PartitionKey, residence: Residence, reason: str) -> None:
        """Forgets a partition and its file, unless it has left memory meanwhile."""
        with self._loading[hash(key) % _LOADING_LOCKS], self._write_lock:
            if self._loaded.get(key) is residence and self._snapshots is not None:
                self._forget(key)
                self._snapshots.refuse(key, reason)

    def _rebuild_mapped(self, residences: dict[PartitionKey, Residence], error: _core.CoreError) -> bool:
        """After a search that met damage: rebuilds those of its partitions that came from files; False if none did."""
        if error.args[0] != SNAPSHOT_UNUSABLE:
            return False
        mapped = {key: residence for key, residence in residences.items() if residence.is_mapped}
        for key, residence in mapped.items():
            self._rebuild(key, residence, words_of(error))
        return bool(mapped)

    def forget_snapshots(self, keys: Iterable[PartitionKey]) -> int:
        """Removes what lies on disk of partitions' states up to now; when it returns, no file has their texts.

        An erasure calls it once the store and the index have lost the texts, and makes older states useless in its
        transaction (`mnemic.store.writing.require_rebuild`), for the case that the process ends in between.

        Returns:
            How many there were.
        """
        if self._snapshots is None:
            return 0
        count = sum(self._snapshots.forget(key, self._revision) for key in keys)
        self._snapshots.forget_leftovers()
        return count

    def stats(self) -> IndexStats:
        """What is in memory, and on disk of it."""
        held = self.core.stats()
        files = self._snapshot_stats()
        return IndexStats(
            partitions=held.partitions,
            rows=held.rows,
            current=held.current,
            vectors=held.vectors,
            bytes=held.bytes,
            mapped_bytes=held.mapped_bytes,
            snapshots=files.files,
            snapshot_bytes=files.bytes,
            snapshots_opened=files.opened,
            snapshots_refused=files.refused,
        )

    def _snapshot_stats(self) -> SnapshotStats:
        return SnapshotStats() if self._snapshots is None else self._snapshots.stats()

    def drop_all(self) -> None:
        """Forgets every partition and its snapshot; they are read from the store when they are next asked for."""
        with self._write_lock:
            for key in self._loaded.oldest(len(self._loaded)):
                self._forget(key)
        if self._snapshots is not None:
            self._snapshots.forget_all()

    def compare(self, keys: Sequence[PartitionKey]) -> Comparison:
        """Compares partitions with the store, one after another, those with a snapshot as it has them."""
        comparison = Comparison()
        for key in keys:
            refused = self._snapshot_stats().refused
            self.ensure_loaded([key], NO_DEADLINE)
            if self.verify(key):
                self.ensure_loaded([key], NO_DEADLINE)
            if self._snapshot_stats().refused > refused:
                comparison.refused_snapshots.append(f"{_shown(key)}: its snapshot was damaged or stale, and is removed")
            with self._write_lock:
                rows, _ = self._store.partition_rows(key)
                held = sorted(self.core.versions(key)) if key in self._loaded else []
            stored = sorted(
                (memory.memory_id, memory.version, memory.valid_to_micros is not None, vector is not None)
                for memory, vector in rows
            )
            comparison.rows += len(stored)
            if stored != held:
                difference = len(set(stored) ^ set(held))
                comparison.differences.append(f"{_shown(key)}: {difference} versions differ between index and store")
        return comparison


def changes_of(committed: Committed) -> dict[PartitionKey, PartitionChange]:
    """What a commit changed, in the core's terms."""
    return {
        key: PartitionChange(
            rows=changes.rows,
            closes=[_core.Close(end.memory_id, end.version, end.valid_to_micros) for end in changes.ends],
            rebuilds=key in committed.rebuilt,
        )
        for key, changes in committed.changes.items()
    }


def _shown(key: PartitionKey) -> str:
    return f"{key.tenant}/{key.owner_kind.name.lower()}:{key.owner_id}"
