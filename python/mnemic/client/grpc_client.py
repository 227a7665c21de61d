"""The synchronous gRPC client."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
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
    closed_error,
    open_channel,
)
from mnemic.client.consolidation import ConsolidationClient
from mnemic.client.erasure import ErasureClient
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
from mnemic.client.retention import RetentionClient
from mnemic.client.transfer import ClientTransfer
from mnemic.client.watching import DEFAULT_PATIENCE_SECONDS, RemoteWatch, Resumption, Watch
from mnemic.model.context import ComposedContext
from mnemic.model.errors import Code
from mnemic.model.memory import Memory
from mnemic.model.operations import Operation
from mnemic.model.requests import DeleteResult, ScopePage, UpdateResult
from mnemic.model.stats import NodeStats
from mnemic.v1 import admin_service_pb2_grpc, lifecycle_service_pb2_grpc, memory_service_pb2_grpc
from mnemic.v1.memory_service_pb2 import WatchMemoriesRequest

Result = TypeVar("Result")


class MnemicClient(RetentionClient, ConsolidationClient, ErasureClient, ClientTransfer):
    """A server's memory. Safe to use from many threads; every method raises `MnemicError`.

    Each call has a deadline, and is tried again, up to four times in all with growing delays, when the server answers
    UNAVAILABLE and only then. Mutations carry a request id, so that a retry adds nothing twice.

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
        """Connects at the first call.

        Args:
            address: `host:port`, `unix:PATH`, or any target that gRPC resolves.
            timeout: Seconds that a call may take with all of its retries; None for any time. A call's own `timeout`
                wins.
            api_key: Sent as `authorization: Bearer …` with each call; without `credentials` it is readable on the wire.
            metadata: Sent with each call.
            credentials: Of the channel, such as `grpc.ssl_channel_credentials()`; None for plaintext.
            options: Further channel options of gRPC; they win over the client's.
        """
        self.address = address
        self._timeout = timeout
        self._metadata = call_metadata(api_key, metadata)
        self._channel = open_channel(address, credentials, options)
        self._stub = memory_service_pb2_grpc.MemoryServiceStub(self._channel)
        self._admin = admin_service_pb2_grpc.AdminServiceStub(self._channel)
        self._lifecycle = lifecycle_service_pb2_grpc.LifecycleServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._closed = False

    def add(
        self, messages: FriendlyMessages, *, timeout: float | None = None, **options: Unpack[AddOptions]
    ) -> AddResult:
        """Adds one or several messages: all of them or none; durable, and seen by the next search.

        Args:
            messages: A text, a dict `{"role": "user", "content": "…"}`, a `MemoryInput`, or a list of them.
            timeout: Seconds for this call.
            **options: See `AddOptions`; at least one id.
        """
        return self._call(calls.add(messages, **options), timeout)

    def ingest(
        self, adds: Iterable[FriendlyAdd], *, timeout: float | None = None
    ) -> Generator[IngestResult, None, None]:
        """Adds in bulk over one stream. Lazy: iterate over the results, one for each add and in order.

        A bad add has its error as its result and does not end the stream. `adds` is read in a thread of gRPC's.

        Args:
            adds: Dicts of `messages` and the keywords of `add`.
            timeout: Seconds for the whole stream; any time unless given.
        """
        self._require_open()
        ledger = IngestLedger()
        call = self._stub.IngestMemories(ledger.requests(adds), timeout=timeout, metadata=self._metadata)
        try:
            for response in call:
                yield from ledger.answered(response)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error
        finally:
            call.cancel()
        yield from ledger.rest()

    def search(
        self,
        query: str = "",
        *,
        include: Collection[HitPart] = ALL_PARTS,
        timeout: float | None = None,
        **options: Unpack[SearchOptions],
    ) -> SearchResult:
        """Finds what matters to a query within a scope, best first.

        Args:
            query: The question; may be left out when a `vector` is given.
            include: Which optional parts of the hits to send; fewer are faster.
            timeout: Seconds for this call.
            **options: See `SearchOptions`; at least one id.
        """
        return self._call(calls.search(query, include, **options), timeout)

    def batch_search(
        self,
        searches: Sequence[FriendlySearch],
        *,
        include: Collection[HitPart] = ALL_PARTS,
        timeout: float | None = None,
    ) -> Sequence[SearchResult]:
        """Several searches in one call, answered in order; one bad search fails the call.

        Args:
            searches: Dicts of `query` and the keywords of `search`.
            include: As for `search`.
            timeout: Seconds for this call.
        """
        return self._call(calls.batch_search(searches, include), timeout)

    def compose(
        self, query: str = "", *, timeout: float | None = None, **options: Unpack[ComposeOptions]
    ) -> ComposedContext:
        """Composes a block of prompt of what a search finds, within a budget of tokens.

        The block says [1] of the first of its `memory_ids`, [2] of the second; docs/composing.md describes it.

        Args:
            query: The question; may be left out when a `vector` is given.
            timeout: Seconds for this call.
            **options: See `ComposeOptions`; at least one id.
        """
        return self._call(calls.compose(query, **options), timeout)

    def get(
        self, memory_id: str, *, with_vector: bool = False, timeout: float | None = None, **ids: Unpack[ScopeOptions]
    ) -> Memory:
        """One memory; MEMORY_NOT_FOUND when there is none, or it does not carry the ids given."""
        return self._call(calls.get(memory_id, with_vector=with_vector, **ids), timeout)

    def batch_get(
        self,
        memory_ids: Sequence[str],
        *,
        with_vectors: bool = False,
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> tuple[Sequence[Memory], Sequence[str]]:
        """The memories that are there, in the order asked, and the ids that are not."""
        return self._call(calls.batch_get(memory_ids, with_vectors=with_vectors, **ids), timeout)

    def list(self, *, page_token: str = "", timeout: float | None = None, **options: Unpack[ListOptions]) -> MemoryPage:
        """One page of a scope's memories, newest first; see `ListOptions`."""
        return self._call(calls.list_memories(page_token, options), timeout)

    def iterate(self, *, timeout: float | None = None, **options: Unpack[ListOptions]) -> Iterator[Memory]:
        """All of a scope's memories, newest first, page after page; `timeout` is for each page."""
        token = ""
        while True:
            page = self.list(page_token=token, timeout=timeout, **options)
            yield from page
            token = page.next_page_token
            if not token:
                return

    def update(
        self, memory_id: str, text: str | None = None, *, timeout: float | None = None, **options: Unpack[UpdateOptions]
    ) -> UpdateResult:
        """Writes a new version; the older stays in the history.

        Args:
            memory_id: Which.
            text: The new text; unchanged unless given.
            timeout: Seconds for this call.
            **options: See `UpdateOptions`: what else changes.
        """
        return self._call(calls.update(memory_id, text, **options), timeout)

    def delete(self, memory_id: str, *, timeout: float | None = None, **options: Unpack[DeleteOptions]) -> DeleteResult:
        """Takes a memory out of every search and listing; its history stays."""
        return self._call(calls.delete(memory_id, **options), timeout)

    def restore(
        self, memory_id: str, *, timeout: float | None = None, **options: Unpack[RestoreOptions]
    ) -> UpdateResult:
        """Brings back a memory that was deleted or superseded, as a new version; others stay as they are."""
        return self._call(calls.restore(memory_id, **options), timeout)

    def history(self, memory_id: str, *, timeout: float | None = None, **ids: Unpack[ScopeOptions]) -> History:
        """All versions of a memory, oldest first; also of a deleted one."""
        return self._call(calls.history(memory_id, **ids), timeout)

    def watch(
        self,
        *,
        timeout: float | None = None,
        patience: float = DEFAULT_PATIENCE_SECONDS,
        **options: Unpack[WatchOptions],
    ) -> Watch:
        """Watches the memories of a scope change, from now on or from a revision on.

        It is resumed where it ended when the connection is lost or the server stops.

        Args:
            timeout: Seconds for all of it, after which DEADLINE_EXCEEDED is raised; any time unless given.
            patience: For so many seconds a server that is gone is tried again before that is raised.
            **options: See `WatchOptions`; at least one id.
        """

        def open_call(message: WatchMemoriesRequest, seconds: float | None) -> object:
            self._require_open()
            return self._stub.WatchMemories(message, timeout=seconds, metadata=self._metadata)

        request = requests.watch_request(**options)
        return RemoteWatch(Resumption(request, self.address, timeout, patience), open_call)

    def list_scopes(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> ScopePage:
        """One page of the scopes that hold memories and carry the ids given, with counts."""
        return self._call(calls.list_scopes(page_size, page_token, **ids), timeout)

    def operation(self, operation_id: str, *, wait: float = 0.0, timeout: float | None = None) -> Operation:
        """How far the work is that an add left to do.

        Args:
            operation_id: As the add named it.
            wait: For how many seconds to wait until it has ended, 60 at most.
            timeout: Seconds for this call; `wait` is added to it.
        """
        limit = self._timeout if timeout is None else timeout
        return self._call(calls.operation(operation_id, wait), None if limit is None else limit + wait)

    def stats(self, *, all_tenants: bool = True, timeout: float | None = None) -> NodeStats:
        """What the server holds: of all tenants, which takes an operator's credential, or of the credential's own.

        The embedding model is told with all tenants only.
        """
        return self._call(calls.stats(all_tenants=all_tenants), timeout)

    def is_serving(self, *, timeout: float = 1.0) -> bool:
        """Whether the server answers and takes calls."""
        self._require_open()
        try:
            answer = self._health.Check(health_pb2.HealthCheckRequest(), timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            failure = from_rpc_error(error, self.address)
            if failure.code in {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}:
                return False
            raise failure from error
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """Ends the connection, and calls in flight with it."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, call: Call[Result], timeout: float | None) -> Result:
        self._require_open()
        stub = self._admin if call.is_admin else self._lifecycle if call.is_lifecycle else self._stub
        method = getattr(stub, call.method)
        try:
            answer = method(
                call.message, timeout=self._timeout if timeout is None else timeout, metadata=self._metadata
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error
        return call.decode(answer)

    def _require_open(self) -> None:
        if self._closed:
            raise closed_error("MnemicClient")
