"""What waits to be done for the index behind the calls: bounded, each partition at most once."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass

from mnemic import _core
from mnemic.engine.residence import Residence
from mnemic.model.scope import PartitionKey

# A partition that is crowded out is noted again by its next writes.
_MOST_PARTITIONS = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """A state of a partition that is to be written to a file.

    Attributes:
        key: Whose.
        stay: The partition's stay in memory then.
        state: What the index held, whatever happens to the partition since.
        revision: Of the store.
        bytes: What it takes in memory, and about what the file will.
        unsaved: The rows and ends in it that no file holds.
    """

    key: PartitionKey
    stay: Residence
    state: _core.Snapshot
    revision: int
    bytes: int
    unsaved: int


class Backlog:
    """What `Upkeep` works off. Safe to call from many threads; nobody waits here but the one who works it off.

    Args:
        limit_bytes: What states of partitions that left memory may take while they wait to be written.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._changed = threading.Condition()
        self._noted: OrderedDict[PartitionKey, None] = OrderedDict()
        self._frozen: deque[Frozen] = deque()
        self._bytes = 0
        self._closed = False

    def note(self, key: PartitionKey) -> None:
        """The partition was written or loaded: it may need compaction, a graph, a snapshot, or its file verified."""
        with self._changed:
            self._noted[key] = None
            if len(self._noted) > _MOST_PARTITIONS:
                self._noted.popitem(last=False)
            self._changed.notify()

    def has_room(self, size: int) -> bool:
        """Whether a state of that size may wait: one always may, however large."""
        return not self._frozen or self._bytes + size <= self._limit_bytes

    def save(self, frozen: Frozen) -> None:
        """A partition leaves memory: its state is to be written."""
        with self._changed:
            self._frozen.append(frozen)
            self._bytes += frozen.bytes
            self._changed.notify()

    def wait(self) -> bool:
        """Waits until there is something to do; False once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._noted or self._frozen)
            return not self._closed

    def take(self) -> Frozen | PartitionKey | None:
        """The next piece of work: a state to write (first, for it holds memory), or a partition that was noted."""
        with self._changed:
            if self._frozen:
                return self._frozen[0]
            return self._noted.popitem(last=False)[0] if self._noted else None

    def finish(self, frozen: Frozen) -> None:
        """A state is written, or will not be: its memory is free."""
        with self._changed:
            self._frozen.remove(frozen)
            self._bytes -= frozen.bytes

    def frozen(self) -> list[Frozen]:
        """The states that wait to be written."""
        with self._changed:
            return list(self._frozen)

    def close(self) -> None:
        """Ends all waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
