"""Keeps count of which memories are recalled, off the path of searches.

Searches note the ids of what they give in the core's buffers, those that the front answers as well. Every few seconds
they are taken and added to the store in one commit. What a crash loses is the count of those seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mnemic.engine.live_index import LiveIndex
from mnemic.model.errors import MnemicError
from mnemic.model.search import SearchResult
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.retention")
_TAKEN_SECONDS = 5.0
# One commit notes so many memories: other writers wait for it.
_NOTED_AT_ONCE = 2000
_LONGEST_JOIN_SECONDS = 10.0


@dataclass(slots=True)
class RecallFigures:
    """What was counted since the start: recalls, and those that found no room in the buffers."""

    counted: int = 0
    dropped: int = 0


class RecallCounting:
    """Takes what searches noted and adds it to the store.

    Args:
        store: Where the counts are kept.
        index: Whose searches are counted.
        is_on: Whether there is anything to do.
    """

    def __init__(self, store: Store, index: LiveIndex, *, is_on: bool) -> None:
        self._store = store
        self._core = index.core
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.figures = RecallFigures()
        if is_on:
            self._core.count_recalls(is_on=True)
            self._thread = threading.Thread(target=self._take_in_turn, name="mnemic-recalls", daemon=True)
            self._thread.start()

    def note(self, memory_ids: Sequence[str]) -> None:
        """Notes what a caller was given."""
        if self._thread is not None and memory_ids:
            self._core.note_recalls(memory_ids)

    def note_hits(self, *results: SearchResult) -> None:
        """Notes what searches gave, with what came along in groups."""
        if self._thread is not None:
            hits = (hit for result in results for hit in result.hits)
            self.note([found.memory.memory_id for hit in hits for found in (hit, *hit.grouped)])

    def take(self) -> None:
        """Adds what was noted until now to the store."""
        counts, dropped = self._core.take_recalls()
        now = time.time_ns() // 1000
        self.figures.counted += sum(count for _, count in counts)
        self.figures.dropped += dropped
        for start in range(0, len(counts), _NOTED_AT_ONCE):
            self._store.retention.note_recalls(
                [(memory_id, count, now) for memory_id, count in counts[start : start + _NOTED_AT_ONCE]]
            )

    def stop(self) -> None:
        """Takes what is left, and ends."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_LONGEST_JOIN_SECONDS)
            self._core.count_recalls(is_on=False)

    def _take_in_turn(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stopping.wait(_TAKEN_SECONDS)
            try:
                self.take()
            except MnemicError as error:
                # Counts are lost rather than memory filled.
                _log.warning("recalls_not_noted", error=str(error))
