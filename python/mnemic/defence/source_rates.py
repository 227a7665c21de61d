"""How fast each source may write: a bucket of tokens for each, in a table that is bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable


class SourceRates:
    """Token buckets by source. Safe to call from many threads.

    A source that is not in the table has a full bucket. The table forgets whoever wrote the longest ago.

    Args:
        per_second: How many memories a source may write on average.
        burst: How many at once after a pause.
        most_sources: How many sources are remembered.
    """

    def __init__(self, per_second: float, burst: int, most_sources: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._most_sources = most_sources
        self._lock = threading.Lock()
        # How many tokens a source had left, and when, in seconds.
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def charge(self, source: Hashable, count: int, now: float) -> float:
        """Takes tokens for so many memories; 0, or in how many seconds there would be enough.

        What is more than a whole burst passes when the bucket is full, and is owed: the source waits longer afterwards.
        """
        with self._lock:
            left, at = self._buckets.get(source, (float(self._burst), now))
            left = min(float(self._burst), left + max(0.0, now - at) * self._per_second)
            missing = min(count, self._burst) - left
            self._buckets[source] = (left if missing > 0 else left - count, now)
            self._buckets.move_to_end(source)
            if len(self._buckets) > self._most_sources:
                self._buckets.popitem(last=False)
        return max(0.0, missing / self._per_second)

    def __len__(self) -> int:
        """How many sources are remembered."""
        return len(self._buckets)
