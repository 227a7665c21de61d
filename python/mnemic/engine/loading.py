"""How a partition comes into memory: from its snapshot or from the store, and then by what changed since."""

from __future__ import annotations

from dataclasses import dataclass

from mnemic import _core
from mnemic.engine.snapshots import SnapshotFiles, words_of
from mnemic.model.scope import PartitionKey
from mnemic.store.interface import PartitionChanges, PartitionRow, Store

# So many rows at a time.
_ROWS = 1000


@dataclass(slots=True)
class Arrival:
    """A partition that is being loaded.

    Attributes:
        revision: Up to which it is.
        unsaved: The rows and ends that no snapshot file holds.
        is_mapped: Whether it came from a file.
    """

    revision: int = 0
    unsaved: int = 0
    is_mapped: bool = False


class Loader:
    """Loads partitions into the core. Whoever calls sees to it that nobody else writes the partition meanwhile."""

    def __init__(self, core: _core.Index, store: Store, snapshots: SnapshotFiles | None) -> None:
        self._core = core
        self._store = store
        self._snapshots = snapshots

    def load(self, key: PartitionKey) -> Arrival:
        """Loads the partition as it is at some revision not long ago."""
        revision = None if self._snapshots is None else self._snapshots.open(self._core, key)
        if revision is None:
            arrival = Arrival()
            self._read(key, arrival)
        else:
            arrival = Arrival(revision, is_mapped=True)
            self.catch_up(key, arrival)
        return arrival

    def catch_up(self, key: PartitionKey, arrival: Arrival) -> None:
        """Applies what changed since the revision up to which the partition is."""

        def take(changes: PartitionChanges) -> None:
            apply_changes(self._core, key, changes)
            arrival.unsaved += len(changes.rows) + len(changes.ends)

        problem = f"the store cannot tell what changed since revision {arrival.revision}"
        try:
            reached = self._store.scan_changes(key, arrival.revision, take, rows=_ROWS)
        except _core.CoreError as error:
            if not arrival.is_mapped:
                raise
            reached, problem = None, words_of(error)
        if reached is not None:
            arrival.revision = reached
            return
        if self._snapshots is not None and arrival.is_mapped:
            self._snapshots.refuse(key, problem)
        self._read(key, arrival)

    def _read(self, key: PartitionKey, arrival: Arrival) -> None:
        self._core.drop(key)
        arrival.unsaved, arrival.is_mapped = 0, False

        def take(rows: list[PartitionRow]) -> None:
            # The first rows make the partition anew, the others join it.
            self._core.apply(key, rows, [])
            arrival.unsaved += len(rows)

        arrival.revision = self._store.scan_partition(key, take, rows=_ROWS)


def apply_changes(core: _core.Index, key: PartitionKey, changes: PartitionChanges) -> None:
    """Applies what the store read as changes since the revision up to which the partition is."""
    closes = [_core.Close(end.memory_id, end.version, end.valid_to_micros) for end in changes.ends]
    core.apply(key, changes.rows, closes)
