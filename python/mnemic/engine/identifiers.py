"""Memory ids: UUID version 7, so that ids sort by creation."""

from __future__ import annotations

import secrets
import threading
import time
import uuid

_COUNTER_BITS = 12
_RANDOM_BITS = 62


class IdentifierSource:
    """Gives strictly increasing UUIDs within a process (RFC 9562, section 6.2, method 1).

    The 12 bits after the version count within a millisecond; when they run out, or the clock steps back, the
    millisecond is advanced by itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        """A new id."""
        with self._lock:
            candidate = (time.time_ns() // 1_000_000) << _COUNTER_BITS
            self._last = max(candidate, self._last + 1)
            moment = self._last
        milliseconds, counter = moment >> _COUNTER_BITS, moment & ((1 << _COUNTER_BITS) - 1)
        value = milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        return str(uuid.UUID(int=value))
