"""The client's side of an ingest: which answer belongs to which add."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from mnemic.client import decoding, encoding
from mnemic.client.encodable import encodable
from mnemic.client.failures import from_ingest_error
from mnemic.client.options import AddItem
from mnemic.client.requests import AddRequest, add_item_request
from mnemic.client.results import IngestResult
from mnemic.model.errors import MnemicError
from mnemic.model.memory import MemoryInput
from mnemic.v1 import memory_service_pb2 as pb

FriendlyAdd = AddItem | AddRequest


class IngestLedger:
    """Keeps the adds of one stream in order until they are answered.

    An add that cannot even be sent is answered in its place with its error. One thread (or task) writes, by the
    requests, and one reads, by the answers; a deque is safe for that.
    """

    def __init__(self) -> None:
        self._open: deque[IngestResult | tuple[int, tuple[MemoryInput, ...]]] = deque()
        self._failure: Exception | None = None

    def requests(self, adds: Iterable[FriendlyAdd]) -> Iterator[pb.IngestMemoriesRequest]:
        """The messages to send. A failure of the caller's iterator ends them; `rest` raises it."""
        try:
            for position, item in enumerate(adds):
                message = self._message(position, item)
                if message is not None:
                    yield message
        except Exception as error:  # noqa: BLE001 (raised again in the caller's thread; grpcio would only log it)
            self._failure = error

    async def requests_of(
        self, adds: Iterable[FriendlyAdd] | AsyncIterable[FriendlyAdd]
    ) -> AsyncIterator[pb.IngestMemoriesRequest]:
        """As `requests`, for asyncio."""
        try:
            position = 0
            async for item in each(adds):
                message = self._message(position, item)
                position += 1
                if message is not None:
                    yield message
        except Exception as error:  # noqa: BLE001 (raised again in the caller's task; grpcio would only log it)
            self._failure = error

    def _message(self, position: int, item: FriendlyAdd) -> pb.IngestMemoriesRequest | None:
        try:
            request = add_item_request(item, f"adds[{position}]")
            with encodable(request):
                message = pb.IngestMemoriesRequest(add=encoding.add(request))
        except MnemicError as error:
            self._open.append(IngestResult(position, error=error))
            return None
        self._open.append((position, request.memories))
        return message

    def answered(self, response: pb.IngestMemoriesResponse) -> Iterator[IngestResult]:
        """The results that are known with the server's next answer."""
        yield from self._refused()
        entry = self._open.popleft()
        assert not isinstance(entry, IngestResult), "refused ones were just taken out"  # noqa: S101 (for the checker)
        position, inputs = entry
        if response.HasField("error"):
            yield IngestResult(position, error=from_ingest_error(response.error))
        else:
            yield IngestResult(position, added=decoding.add(response.added, inputs))

    def rest(self) -> Iterator[IngestResult]:
        """The results that are known when the stream has ended.

        Raises:
            Exception: What the caller's iterator raised.
        """
        yield from self._refused()
        if self._failure is not None:
            raise self._failure

    def _refused(self) -> Iterator[IngestResult]:
        while self._open and isinstance(self._open[0], IngestResult):
            refused = self._open.popleft()
            assert isinstance(refused, IngestResult), "looked at just now"  # noqa: S101 (for the checker)
            yield refused


async def each(items: Iterable[FriendlyAdd] | AsyncIterable[FriendlyAdd]) -> AsyncIterator[FriendlyAdd]:
    """The items of either kind of iterable."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
