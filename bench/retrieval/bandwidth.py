"""The memory bandwidth of this run, as far as one thread of NumPy reads it, and a way to empty the caches.

The largest of 32-bit integers and a scalar product of two halves both stream their input through 512-bit or 256-bit
registers; the faster of the two is a lower bound of what the memory gives. In L3 and DRAM it agrees with hand-written
reads; in L2 the calls themselves cost some of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SIZES = {"L2": 512 << 10, "L3": 8 << 20, "DRAM": 256 << 20}
FLUSH_BYTES = 64 << 20
READ_BYTES = 1 << 30


@dataclass(frozen=True)
class Bandwidth:
    """Bytes per nanosecond (GB/s) by level, the best of many reads."""

    by_level: dict[str, float]

    def microseconds(self, size: int, level: str) -> float:
        return size / self.by_level[level] / 1e3


def measure_bandwidth() -> Bandwidth:
    return Bandwidth({level: _best_rate(size) for level, size in SIZES.items()})


def _best_rate(size: int) -> float:
    data = np.ones(size // 4, dtype=np.float32)
    integers, half = data.view(np.uint32), len(data) // 2
    reads = max(10, READ_BYTES // size)
    return max(
        size / min(_nanoseconds(integers.max) for _ in range(reads)),
        size / min(_nanoseconds(lambda: np.dot(data[:half], data[half:])) for _ in range(reads)),
    )


def _nanoseconds(call: Callable[[], object]) -> int:
    begin = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - begin


def cache_flush() -> Callable[[], object]:
    """A call that reads 64 MB, more than the last cache holds: what is searched next comes from memory."""
    junk = np.ones(FLUSH_BYTES // 4, dtype=np.uint32)
    return junk.max
