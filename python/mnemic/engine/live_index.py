"""The index kept equal to the store: partitions loaded on first use, every commit applied before it is answered."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import structlog

from mnemic import _core
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import Memory
from mnemic.model.scope import PartitionKey
from mnemic.model.stats import IndexStats
from mnemic.store.interface import PartitionChanges, Store, WriteBatch

_log = structlog.get_logger("mnemic.index")
# After so many times that a write overtook a load, it holds writers off while it catches up.
_UNLOCKED_CATCH_UPS = 3
# A load reads so many rows at a time.
_LOADED_ROWS = 1000
# Loads of one partition wait for each other; those of different ones seldom share a lock.
_LOADING_LOCKS = 64


@dataclass(slots=True)
class PartitionChange:
    """What one commit changes in one partition.

    Attributes:
        rows: New versions with their unit vectors (little-endian float32, or None).
        closes: Versions that end.
    """

    rows: list[tuple[Memory, bytes | None]] = field(default_factory=list)
    closes: list[_core.Close] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Residence:
    """One stay of a partition in memory; a later stay is another object.

    Attributes:
        bytes: What it takes, measured when it was loaded and estimated since.
        bytes_per_row: For the estimate.
    """

    bytes: int
    bytes_per_row: int


class LiveIndex:
    """Ties the core's index to the store.

    Commits run one after another (the database has one writer anyway), so the order of application is the order of
    revisions and the index is always at one revision. Partitions that were not asked for the longest leave memory when
    the index outgrows its budget, and are read again when they are next asked for.
    """

    def __init__(self, store: Store, dimension: int, *, budget_bytes: int) -> None:
        self._store = store
        self.core = _core.Index(dimension)
        self._budget_bytes = budget_bytes
        # In the order of use, the longest unused first.
        self._loaded: OrderedDict[PartitionKey, _Residence] = OrderedDict()
        self._bytes = 0
        self._loading = [threading.Lock() for _ in range(_LOADING_LOCKS)]
        self._write_lock = threading.Lock()
        self._advanced = threading.Condition()
        self._revision = store.revision()

    @property
    def revision(self) -> int:
        """The last revision that searches see."""
        return self._revision

    def commit(self, batch: WriteBatch, changes: dict[PartitionKey, PartitionChange]) -> int:
        """Writes a batch and applies it: when it returns, it is durable and the next search sees it.

        Returns:
            The revision.
        """
        return self.commit_with(lambda: (self._store.write(batch), changes))

    def commit_with(self, write: Callable[[], tuple[int, dict[PartitionKey, PartitionChange]]]) -> int:
        """As `commit`, for a write that looks at the store first: no other write comes between.

        Args:
            write: Commits, and answers the revision and what to apply.
        """
        with self._write_lock:
            revision, changes = write()
            for key, change in changes.items():
                if key in self._loaded:
                    self._apply(key, change, revision)
            with self._advanced:
                self._revision = revision
                self._advanced.notify_all()
        return revision

    def _apply(self, key: PartitionKey, change: PartitionChange, revision: int) -> None:
        rows = [(replace(memory, revision=revision), vector) for memory, vector in change.rows]
        try:
            self.core.apply(key, rows, change.closes)
        except Exception:  # noqa: BLE001 (whatever it was, the commit stands and the index must not lag)
            # Without the partition in memory the next search reads it from the store.
            _log.exception("partition_dropped", partition=_shown(key), revision=revision)
            self._forget(key)
        else:
            residence = self._loaded[key]
            growth = len(rows) * residence.bytes_per_row
            residence.bytes += growth
            self._bytes += growth

    def _forget(self, key: PartitionKey) -> None:
        """Takes a partition out of memory; the write lock is held."""
        residence = self._loaded.pop(key, None)
        if residence is not None:
            self._bytes -= residence.bytes
        self.core.drop(key)

    def wait_for(self, revision: int, deadline: Deadline, longest_seconds: float) -> None:
        """Waits until searches see a revision.

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
            f"min_revision: this node is at revision {self._revision}, not yet at {revision}",
            metadata={"current_revision": str(self._revision), "min_revision": str(revision)},
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
            outcome = run()
            if all(self._loaded.get(key) is residence for key, residence in residences.items()):
                return outcome, loading

    def ensure_loaded(self, keys: Iterable[PartitionKey], deadline: Deadline) -> dict[PartitionKey, _Residence]:
        """Brings partitions into memory; those that hold anything, with their present stay."""
        found = {}
        for key in keys:
            residence = self._touch(key)
            if residence is None:
                deadline.check()
                with self._loading[hash(key) % _LOADING_LOCKS]:
                    residence = self._touch(key) or self._load(key)
            if residence is not None:
                found[key] = residence
        if self._bytes > self._budget_bytes:
            self._make_room(found)
        return found

    def _touch(self, key: PartitionKey) -> _Residence | None:
        try:
            self._loaded.move_to_end(key)
            return self._loaded[key]
        except KeyError:
            return None

    def _load(self, key: PartitionKey) -> _Residence | None:
        revision = self._read(key)
        for _ in range(_UNLOCKED_CATCH_UPS):
            with self._write_lock:
                if not self._store.partition_changes(key, revision):
                    return self._finish_load(key)
            revision = self._catch_up(key, revision)
        with self._write_lock:
            self._catch_up(key, revision)
            return self._finish_load(key)

    def _catch_up(self, key: PartitionKey, revision: int) -> int:
        def apply(changes: PartitionChanges) -> None:
            apply_changes(self.core, key, changes)

        reached = self._store.scan_changes(key, revision, apply, rows=_LOADED_ROWS)
        return self._read(key) if reached is None else reached

    def _read(self, key: PartitionKey) -> int:
        self.core.drop(key)
        # The first rows make the partition anew, the others join it; nobody searches it before it counts as loaded.
        return self._store.scan_partition(key, lambda rows: self.core.apply(key, rows, []), rows=_LOADED_ROWS)

    def _finish_load(self, key: PartitionKey) -> _Residence | None:
        # An owner without memories is not kept: asking for strangers must not cost memory.
        if not self.core.contains(key):
            return None
        stats = self.core.stats(key)
        residence = _Residence(stats.bytes, stats.bytes // max(stats.rows, 1))
        self._loaded[key] = residence
        self._bytes += residence.bytes
        return residence

    def _make_room(self, keep: Collection[PartitionKey]) -> None:
        """Takes the longest unused partitions out of memory until the rest fits, but never those of the search at hand:
        one that needs more than the budget has it while it runs.
        """
        while self._bytes > self._budget_bytes:
            oldest = list(islice(self._loaded, len(keep) + 1))
            victim = next((key for key in oldest if key not in keep), None)
            if victim is None:
                return
            # Nobody may be loading it anew, or the new stay would be dropped with the old one.
            with self._loading[hash(victim) % _LOADING_LOCKS], self._write_lock:
                self._forget(victim)

    def stats(self) -> IndexStats:
        """What is in memory."""
        held = self.core.stats()
        return IndexStats(
            partitions=held.partitions, rows=held.rows, current=held.current, vectors=held.vectors, bytes=held.bytes
        )

    def drop_all(self) -> None:
        """Forgets every partition; they are read again from the store when they are next asked for."""
        with self._write_lock:
            for key in list(self._loaded):
                self._forget(key)

    def compare(self, keys: Sequence[PartitionKey]) -> tuple[list[str], int]:
        """Compares partitions with the store, one after another.

        Returns:
            Where they differ, in words, and how many rows were compared.
        """
        found, rows_compared = [], 0
        for key in keys:
            self.ensure_loaded([key], NO_DEADLINE)
            with self._write_lock:
                rows, _ = self._store.partition_rows(key)
                held = sorted(self.core.versions(key)) if key in self._loaded else []
            stored = sorted(
                (memory.memory_id, memory.version, memory.valid_to_micros is not None, vector is not None)
                for memory, vector in rows
            )
            rows_compared += len(stored)
            if stored != held:
                difference = len(set(stored) ^ set(held))
                found.append(f"{_shown(key)}: {difference} versions differ between index and store")
        return found, rows_compared


def apply_changes(core: _core.Index, key: PartitionKey, changes: PartitionChanges) -> None:
    """Applies what the store read as changes since the revision up to which the index is."""
    closes = [_core.Close(end.memory_id, end.version, end.valid_to_micros) for end in changes.ends]
    core.apply(key, changes.rows, closes)


def _shown(key: PartitionKey) -> str:
    return f"{key.tenant}/{key.owner_kind.name.lower()}:{key.owner_id}"
