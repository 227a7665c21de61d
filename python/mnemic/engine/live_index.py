"""The index kept equal to the store: partitions loaded on first use, every commit applied before it is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from mnemic import _core
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import Memory
from mnemic.model.scope import PartitionKey
from mnemic.model.stats import IndexStats
from mnemic.store.interface import Store, WriteBatch

_log = structlog.get_logger("mnemic.index")
# After so many loads that a write overtook, the load holds writers off instead of trying again.
_UNLOCKED_LOADS = 3
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


class LiveIndex:
    """Ties the core's index to the store.

    Commits run one after another (the database has one writer anyway), so the order of application is the order of
    revisions and the index is always at one revision.
    """

    def __init__(self, store: Store, dimension: int) -> None:
        self._store = store
        self.core = _core.Index(dimension)
        self._loaded: set[PartitionKey] = set()
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
            # The commit stands. Without the partition in memory the next search reads it from the store.
            _log.exception("partition_dropped", partition=_shown(key), revision=revision)
            self._loaded.discard(key)
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

    def ensure_loaded(self, keys: Iterable[PartitionKey], deadline: Deadline) -> bool:
        """Brings partitions into memory; whether any had to be."""
        missing = [key for key in keys if key not in self._loaded]
        for key in missing:
            deadline.check()
            with self._loading[hash(key) % _LOADING_LOCKS]:
                if key not in self._loaded:
                    self._load(key)
        return bool(missing)

    def _load(self, key: PartitionKey) -> None:
        for _ in range(_UNLOCKED_LOADS):
            revision = self._read(key)
            with self._write_lock:
                if not self._store.partition_changes(key, revision):
                    self._finish_load(key)
                    return
        with self._write_lock:
            self._read(key)
            self._finish_load(key)

    def _read(self, key: PartitionKey) -> int:
        self.core.drop(key)
        # The first rows make the partition anew, the others join it; nobody searches it before it counts as loaded.
        return self._store.scan_partition(key, lambda rows: self.core.apply(key, rows, []), rows=_LOADED_ROWS)

    def _finish_load(self, key: PartitionKey) -> None:
        # An owner without memories is not kept: asking for strangers must not cost memory.
        if self.core.contains(key):
            self._loaded.add(key)

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
                self._loaded.discard(key)
                self.core.drop(key)

    def disagreements(self, keys: Sequence[PartitionKey]) -> list[str]:
        """Where partitions in memory differ from the store, in words; none when they agree."""
        found = []
        for key in keys:
            with self._write_lock:
                if key not in self._loaded:
                    continue
                rows, _ = self._store.partition_rows(key)
                stored = sorted(
                    (memory.memory_id, memory.version, memory.valid_to_micros is not None, vector is not None)
                    for memory, vector in rows
                )
                held = sorted(self.core.versions(key))
            if stored != held:
                difference = len(set(stored) ^ set(held))
                found.append(f"{_shown(key)}: {difference} versions differ between index and store")
        return found


def _shown(key: PartitionKey) -> str:
    return f"{key.tenant}/{key.owner_kind.name.lower()}:{key.owner_id}"
