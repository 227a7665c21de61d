"""The calls in flight: how many, and whether more are taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from mnemic.model.errors import MnemicError, Reason

_RETRY_SECONDS = 1.0


class Activity:
    """Counts calls, and refuses new ones once the server drains.

    A draining server goes on answering for a moment, with UNAVAILABLE, before its listener closes: a call that is on
    its way then gets an answer that says to retry, where grpcio would let it end as CANCELLED.

    Attributes:
        draining: Set once no new calls are taken.
    """

    def __init__(self) -> None:
        self.draining = threading.Event()
        self._idle = threading.Condition()
        self._count = 0
        self._listening: set[Callable[[], object]] = set()

    @contextmanager
    def call(self) -> Generator[None]:
        """One call.

        Raises:
            MnemicError: SHUTTING_DOWN when the server drains.
        """
        with self._idle:
            if self.draining.is_set():
                raise shutting_down()
            self._count += 1
        try:
            yield
        finally:
            with self._idle:
                self._count -= 1
                if not self._count:
                    self._idle.notify_all()

    def listening(self, requests: Iterator[bytes], cancel: Callable[[], object]) -> Iterator[bytes]:
        """The requests of a stream, which a drain cancels while it waits for the next one: else it would wait with it.

        Args:
            requests: As they come.
            cancel: Ends the stream.
        """
        while True:
            try:
                with self.interruptible(cancel):
                    request = next(requests)
            except StopIteration:
                return
            yield request

    @contextmanager
    def interruptible(self, interrupt: Callable[[], object]) -> Generator[None]:
        """What a drain interrupts after its linger, since it may wait for long."""
        with self._idle:
            self._listening.add(interrupt)
        try:
            yield
        finally:
            with self._idle:
                self._listening.discard(interrupt)

    def drain(self, timeout_seconds: float, *, linger_seconds: float) -> bool:
        """Takes no new calls and waits for those in flight.

        Args:
            timeout_seconds: How long to wait for them.
            linger_seconds: For so long (within the timeout) new calls are refused and silent streams may still send
                a step, to be told so.

        Returns:
            Whether all have ended.
        """
        started = time.monotonic()
        with self._idle:
            self.draining.set()
        time.sleep(min(linger_seconds, timeout_seconds))
        with self._idle:
            silent = list(self._listening)
        for cancel in silent:
            cancel()
        with self._idle:
            return self._idle.wait_for(lambda: not self._count, timeout_seconds - (time.monotonic() - started))


def shutting_down() -> MnemicError:
    """What a draining server answers."""
    return MnemicError(
        Reason.SHUTTING_DOWN,
        "the server is shutting down and did not begin this; try again, elsewhere or later",
        retry_after_seconds=_RETRY_SECONDS,
    )
