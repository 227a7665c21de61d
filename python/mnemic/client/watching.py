"""What `watch` gives: changes to iterate over, resumed where they ended when a connection is lost."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc

from mnemic.client import decoding, encoding
from mnemic.client.encodable import encodable
from mnemic.client.failures import from_rpc_error
from mnemic.model.deadline import Deadline
from mnemic.model.errors import Code, Reason
from mnemic.model.watching import WatchedChanges, WatchRequest
from mnemic.v1 import memory_service_pb2 as pb

if TYPE_CHECKING:
    from mnemic.engine import watching as engine_watching

DEFAULT_PATIENCE_SECONDS = 300.0
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0
# Opens the stream of a request, which may take so many seconds.
OpenCall = Callable[[pb.WatchMemoriesRequest, float | None], Any]


class Watch(Iterator[WatchedChanges]):
    """Changes as they are committed, one commit after another; use it as a context manager.

    Iterating waits for the next commit and gives `WatchedChanges`, empty ones now and then when nothing happens. It is
    for one thread at a time; `close` is for any, and ends the iteration.

    Attributes:
        revision: Everything up to it was given: a later watch goes on after it (`after_revision`).
    """

    revision: int = 0

    def close(self) -> None:
        """Ends it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalWatch(Watch):
    """Of the engine in this process."""

    def __init__(self, opened: engine_watching.Watch, deadline: Deadline) -> None:
        self._opened = opened
        self._deadline = deadline
        self._is_closed = False
        self._changes = opened.run(self._goes_on, deadline)
        self.revision = opened.revision

    def _goes_on(self) -> bool:
        return not self._is_closed

    def __next__(self) -> WatchedChanges:
        changes = next(self._changes)
        self.revision = changes.revision
        return changes

    def close(self) -> None:
        """See `Watch.close`."""
        self._is_closed = True
        self._opened.close()


class Resumption:
    """Where a watch over gRPC is, and when it is tried again after its connection was lost.

    Args:
        request: What is watched.
        address: The server's, for the words of a failure.
        timeout: Seconds for all of it; None for any time.
        patience: For so long a server that was reached once is tried again.
    """

    def __init__(self, request: WatchRequest, address: str, timeout: float | None, patience: float) -> None:
        with encodable(request):
            self._message = encoding.watch(request)
        self._address = address
        self._deadline = Deadline.after(timeout)
        self._patience = patience
        self._was_reached = False
        self._lost_since: float | None = None
        self._delay = _FIRST_DELAY_SECONDS

    def begin(self, open_call: OpenCall) -> Any:  # noqa: ANN401 (a call of either API)
        """Opens the stream where the last one ended."""
        self._deadline.check()
        return open_call(self._message, self._deadline.remaining())

    def take(self, response: pb.WatchMemoriesResponse) -> WatchedChanges:
        """What an answer says; a stream that is resumed begins after it."""
        self._was_reached, self._lost_since, self._delay = True, None, _FIRST_DELAY_SECONDS
        self._message.after_revision = response.revision
        # Nothing was committed before: 0 would mean from then on.
        self._message.from_start = not response.revision
        return decoding.watched(response)

    def delay_after(self, error: grpc.RpcError) -> float:
        """How many seconds to wait before the next try.

        Raises:
            MnemicError: What the failure is, if there is to be none.
        """
        failure = from_rpc_error(error, self._address)
        may_pass = failure.code is Code.UNAVAILABLE or failure.reason is Reason.OVERLOADED
        now = time.monotonic()
        self._lost_since = self._lost_since or now
        if not self._was_reached or not may_pass or now - self._lost_since > self._patience:
            raise failure from error
        # Many lose a server at once, and should not come back at once.
        delay = max(self._delay * random.uniform(0.5, 1.0), failure.retry_after_seconds or 0.0)  # noqa: S311 (jitter)
        self._delay = min(self._delay * 2, _LONGEST_DELAY_SECONDS)
        remaining = self._deadline.remaining()
        return delay if remaining is None else min(delay, remaining)


class RemoteWatch(Watch):
    """Of a server."""

    def __init__(self, resumption: Resumption, open_call: OpenCall) -> None:
        self._resumption = resumption
        self._open_call = open_call
        self._closed = threading.Event()
        self._call: Any = None
        # The server answers at once: from then on nothing is missed, and what is wrong with the request is known.
        self._first: WatchedChanges | None = self._take()

    def __next__(self) -> WatchedChanges:
        changes = self._take() if self._first is None else self._first
        self._first = None
        self.revision = changes.revision
        return changes

    def _take(self) -> WatchedChanges:
        while not self._closed.is_set():
            try:
                if self._call is None:
                    self._call = self._resumption.begin(self._open_call)
                response = next(self._call)
            except grpc.RpcError as error:
                self._call = None
                if not self._closed.is_set():
                    self._closed.wait(self._resumption.delay_after(error))
                continue
            return self._resumption.take(response)
        raise StopIteration

    def close(self) -> None:
        """See `Watch.close`."""
        self._closed.set()
        call = self._call
        if call is not None:
            call.cancel()


class AsyncWatch(AsyncIterator[WatchedChanges]):
    """As `Watch`, for asyncio: `async with` and `async for`; `close` is awaited.

    It begins when it is entered, or without that with the first changes that are asked for.
    """

    revision: int = 0

    async def close(self) -> None:
        """Ends it."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncRemoteWatch(AsyncWatch):
    """Of a server."""

    def __init__(self, resumption: Resumption, open_call: OpenCall) -> None:
        self._resumption = resumption
        self._open_call = open_call
        self._closed = False
        self._call: Any = None
        self._first: WatchedChanges | None = None

    async def __aenter__(self) -> Self:
        self._first = await self._take()
        return self

    async def __anext__(self) -> WatchedChanges:
        changes = await self._take() if self._first is None else self._first
        self._first = None
        self.revision = changes.revision
        return changes

    async def _take(self) -> WatchedChanges:
        while not self._closed:
            try:
                if self._call is None:
                    self._call = self._resumption.begin(self._open_call)
                response = await self._call.read()
                if response is grpc.aio.EOF:
                    raise StopAsyncIteration
            except grpc.RpcError as error:
                self._call = None
                if not self._closed:
                    await asyncio.sleep(self._resumption.delay_after(error))
                continue
            except asyncio.CancelledError:
                # Cancelling a read cancels the call with it: the next one opens another.
                self._call = None
                if self._closed:
                    break
                raise
            return self._resumption.take(response)
        raise StopAsyncIteration

    async def close(self) -> None:
        """See `AsyncWatch`."""
        self._closed = True
        if self._call is not None:
            self._call.cancel()


class AsyncLocalWatch(AsyncWatch):
    """Of the engine in this process: it waits in a thread of its own."""

    def __init__(self, open_watch: Callable[[], Awaitable[LocalWatch]]) -> None:
        self._open_watch = open_watch
        self._watch: LocalWatch | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mnemic-watch")
        self._taking: asyncio.Future[WatchedChanges | None] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._watch = await self._open_watch()
        return self

    async def __anext__(self) -> WatchedChanges:
        if self._closed:
            raise StopAsyncIteration
        if self._watch is None:
            self._watch = await self._open_watch()
        if self._taking is None:
            loop = asyncio.get_running_loop()
            self._taking = loop.run_in_executor(self._thread, next, self._watch, None)
        # Who is cancelled while waiting finds at the next call what came meanwhile.
        changes = await asyncio.shield(self._taking)
        self._taking = None
        if changes is None:
            raise StopAsyncIteration
        self.revision = changes.revision
        return changes

    async def close(self) -> None:
        """See `AsyncWatch`."""
        self._closed = True
        if self._watch is not None:
            self._watch.close()
        self._thread.shutdown(wait=False)
