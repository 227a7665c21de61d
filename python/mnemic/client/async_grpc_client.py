"""The asyncio gRPC client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mnemic.client import calls, requests
from mnemic.client.calls import ALL_PARTS, Call
from mnemic.client.channel import (
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT_SECONDS,
    ChannelOptions,
    call_metadata,
    channel_options,
    closed_error,
)
from mnemic.client.consolidation import AsyncConsolidationClient
from mnemic.client.erasure import AsyncErasureClient
from mnemic.client.failures import from_rpc_error
from mnemic.client.ingest import FriendlyAdd, IngestLedger
from mnemic.client.options import (
    AddOptions,
    ComposeOptions,
    DeleteOptions,
    FriendlyMessages,
    FriendlySearch,
    HitPart,
    ListOptions,
    RestoreOptions,
    ScopeOptions,
    SearchOptions,
    UpdateOptions,
    WatchOptions,
)
from mnemic.client.results import AddResult, History, IngestResult, MemoryPage, SearchResult
from mnemic.client.retention import AsyncRetentionClient
from mnemic.client.transfer import AsyncClientTransfer
from mnemic.client.watching import DEFAULT_PATIENCE_SECONDS, AsyncRemoteWatch, AsyncWatch, Resumption
from mnemic.model.context import ComposedContext
from mnemic.model.errors import Code
from mnemic.model.memory import Memory
from mnemic.model.operations import Operation
from mnemic.model.requests import DeleteResult, ScopePage, UpdateResult
from mnemic.model.stats import NodeStats
from mnemic.v1 import admin_service_pb2_grpc, lifecycle_service_pb2_grpc, memory_service_pb2_grpc
from mnemic.v1.memory_service_pb2 import WatchMemoriesRequest

Result = TypeVar("Result")


class AsyncMnemicClient(AsyncRetentionClient, AsyncConsolidationClient, AsyncErasureClient, AsyncClientTransfer):
    """A server's memory, for asyncio; otherwise as `MnemicClient`.

    It belongs to the event loop of its first call. A cancelled call is cancelled on the server too, which may have
    carried it out by then: a write is whole or absent, and repeating it with the same `request_id` is safe.

    Attributes:
        address: The server's.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        api_key: str | None = None,
        metadata: Sequence[tuple[str, str]] = (),
        credentials: grpc.ChannelCredentials | None = None,
        options: ChannelOptions = (),
    ) -> None:
        """Connects at the first call; the arguments are those of `MnemicClient`."""
        self.address = address
        self._timeout = timeout
        self._metadata = call_metadata(api_key, metadata)
        self._credentials = credentials
        self._options = channel_options(address, options)
        self._channel: grpc.aio.Channel | None = None
        self._stub: memory_service_pb2_grpc.MemoryServiceAsyncStub | None = None
        self._closed = False

    async def add(
        self, messages: FriendlyMessages, *, timeout: float | None = None, **options: Unpack[AddOptions]
    ) -> AddResult:
        """Adds one or several messages: all of them or none; see `MnemicClient.add`."""
        return await self._call(calls.add(messages, **options), timeout)

    async def ingest(
        self, adds: Iterable[FriendlyAdd] | AsyncIterable[FriendlyAdd], *, timeout: float | None = None
    ) -> AsyncGenerator[IngestResult, None]:
        """Adds in bulk over one stream; see `MnemicClient.ingest`. `adds` may be asynchronous."""
        ledger = IngestLedger()
        call = self._connected().IngestMemories(ledger.requests_of(adds), timeout=timeout, metadata=self._metadata)
        try:
            async for response in call:
                for result in ledger.answered(response):
                    yield result
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error
        finally:
            call.cancel()
        for result in ledger.rest():
            yield result

    async def search(
        self,
        query: str = "",
        *,
        include: Collection[HitPart] = ALL_PARTS,
        timeout: float | None = None,
        **options: Unpack[SearchOptions],
    ) -> SearchResult:
        """Finds what matters to a query within a scope, best first; see `MnemicClient.search`."""
        return await self._call(calls.search(query, include, **options), timeout)

    async def batch_search(
        self,
        searches: Sequence[FriendlySearch],
        *,
        include: Collection[HitPart] = ALL_PARTS,
        timeout: float | None = None,
    ) -> Sequence[SearchResult]:
        """Several searches in one call, answered in order; see `MnemicClient.batch_search`."""
        return await self._call(calls.batch_search(searches, include), timeout)

    async def compose(
        self, query: str = "", *, timeout: float | None = None, **options: Unpack[ComposeOptions]
    ) -> ComposedContext:
        """Composes a block of prompt of what a search finds; see `MnemicClient.compose`."""
        return await self._call(calls.compose(query, **options), timeout)

    async def get(
        self, memory_id: str, *, with_vector: bool = False, timeout: float | None = None, **ids: Unpack[ScopeOptions]
    ) -> Memory:
        """One memory; MEMORY_NOT_FOUND when there is none, or it does not carry the ids given."""
        return await self._call(calls.get(memory_id, with_vector=with_vector, **ids), timeout)

    async def batch_get(
        self,
        memory_ids: Sequence[str],
        *,
        with_vectors: bool = False,
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> tuple[Sequence[Memory], Sequence[str]]:
        """The memories that are there, in the order asked, and the ids that are not."""
        return await self._call(calls.batch_get(memory_ids, with_vectors=with_vectors, **ids), timeout)

    async def list(
        self, *, page_token: str = "", timeout: float | None = None, **options: Unpack[ListOptions]
    ) -> MemoryPage:
        """One page of a scope's memories, newest first; see `ListOptions`."""
        return await self._call(calls.list_memories(page_token, options), timeout)

    async def iterate(self, *, timeout: float | None = None, **options: Unpack[ListOptions]) -> AsyncIterator[Memory]:
        """All of a scope's memories, newest first, page after page; `timeout` is for each page."""
        token = ""
        while True:
            page = await self.list(page_token=token, timeout=timeout, **options)
            for memory in page:
                yield memory
            token = page.next_page_token
            if not token:
                return

    async def update(
        self, memory_id: str, text: str | None = None, *, timeout: float | None = None, **options: Unpack[UpdateOptions]
    ) -> UpdateResult:
        """Writes a new version; the older stays in the history. See `MnemicClient.update`."""
        return await self._call(calls.update(memory_id, text, **options), timeout)

    async def delete(
        self, memory_id: str, *, timeout: float | None = None, **options: Unpack[DeleteOptions]
    ) -> DeleteResult:
        """Takes a memory out of every search and listing; its history stays."""
        return await self._call(calls.delete(memory_id, **options), timeout)

    async def restore(
        self, memory_id: str, *, timeout: float | None = None, **options: Unpack[RestoreOptions]
    ) -> UpdateResult:
        """Brings back a memory that was deleted or superseded, as a new version; others stay as they are."""
        return await self._call(calls.restore(memory_id, **options), timeout)

    async def history(self, memory_id: str, *, timeout: float | None = None, **ids: Unpack[ScopeOptions]) -> History:
        """All versions of a memory, oldest first; also of a deleted one."""
        return await self._call(calls.history(memory_id, **ids), timeout)

    def watch(
        self,
        *,
        timeout: float | None = None,
        patience: float = DEFAULT_PATIENCE_SECONDS,
        **options: Unpack[WatchOptions],
    ) -> AsyncWatch:
        """Watches the memories of a scope change; see `MnemicClient.watch`."""

        def open_call(message: WatchMemoriesRequest, seconds: float | None) -> object:
            return self._connected().WatchMemories(message, timeout=seconds, metadata=self._metadata)

        request = requests.watch_request(**options)
        return AsyncRemoteWatch(Resumption(request, self.address, timeout, patience), open_call)

    async def list_scopes(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> ScopePage:
        """One page of the scopes that hold memories and carry the ids given, with counts."""
        return await self._call(calls.list_scopes(page_size, page_token, **ids), timeout)

    async def operation(self, operation_id: str, *, wait: float = 0.0, timeout: float | None = None) -> Operation:
        """How far the work is that an add left to do. See `MnemicClient.operation`."""
        limit = self._timeout if timeout is None else timeout
        return await self._call(calls.operation(operation_id, wait), None if limit is None else limit + wait)

    async def stats(self, *, all_tenants: bool = True, timeout: float | None = None) -> NodeStats:
        """What the server holds: of all tenants, which takes an operator's credential, or of the credential's own.

        The embedding model is told with all tenants only.
        """
        return await self._call(calls.stats(all_tenants=all_tenants), timeout)

    async def is_serving(self, *, timeout: float = 1.0) -> bool:
        """Whether the server answers and takes calls."""
        self._connected()
        try:
            answer = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            failure = from_rpc_error(error, self.address)
            if failure.code in {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}:
                return False
            raise failure from error
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Ends the connection, and calls in flight with it."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, call: Call[Result], timeout: float | None) -> Result:
        memories = self._connected()
        stub = self._admin if call.is_admin else self._lifecycle if call.is_lifecycle else memories
        method = getattr(stub, call.method)
        try:
            answer = await method(
                call.message, timeout=self._timeout if timeout is None else timeout, metadata=self._metadata
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error
        return call.decode(answer)

    def _connected(self) -> memory_service_pb2_grpc.MemoryServiceAsyncStub:
        """The stub, made at the first call: its channel belongs to the event loop in which it is made."""
        if self._closed:
            raise closed_error("AsyncMnemicClient")
        if self._stub is None:
            self._channel = (
                grpc.aio.insecure_channel(self.address, self._options)
                if self._credentials is None
                else grpc.aio.secure_channel(self.address, self._credentials, self._options)
            )
            self._stub = memory_service_pb2_grpc.MemoryServiceStub(self._channel)
            self._admin = admin_service_pb2_grpc.AdminServiceStub(self._channel)
            self._lifecycle = lifecycle_service_pb2_grpc.LifecycleServiceStub(self._channel)
            self._health = health_pb2_grpc.HealthStub(self._channel)
        return self._stub

    def _lifecycle_stub(self) -> lifecycle_service_pb2_grpc.LifecycleServiceAsyncStub:
        self._connected()
        return self._lifecycle
