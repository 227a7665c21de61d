"""Deadlines: how long a caller will wait."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mnemic.model.errors import MnemicError, Reason


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock after which the answer is of no use.

    Attributes:
        at: `time.monotonic()` seconds, or None for no deadline.
    """

    at: float | None = None

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """A deadline so many seconds from now; None for none."""
        return cls(None if seconds is None else time.monotonic() + seconds)

    def remaining(self) -> float | None:
        """Seconds left, at least 0; None without a deadline."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def check(self) -> None:
        """Raises DEADLINE_EXCEEDED when it has passed: work that nobody waits for is not begun."""
        if self.at is not None and time.monotonic() >= self.at:
            raise MnemicError(Reason.DEADLINE_EXCEEDED, "the deadline passed before the work was done")


NO_DEADLINE = Deadline()
