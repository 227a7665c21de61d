"""`AsyncMemory`: the engine in the caller's own process, for asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from mnemic.client.channel import closed_error
from mnemic.client.consolidation_in_process import AsyncMemoryConsolidation
from mnemic.client.erasure_in_process import AsyncMemoryErasure
from mnemic.client.ingest import each
from mnemic.client.mem0_config import settings_from_config
from mnemic.client.memory import Memory, ingest_step, refuse_with_engine, resolve_settings
from mnemic.client.options import (
    AddItem,
    AddOptions,
    ComposeOptions,
    DeleteOptions,
    FriendlyMessages,
    FriendlySearch,
    ListOptions,
    RestoreOptions,
    ScopeOptions,
    SearchOptions,
    SelectOptions,
    UpdateOptions,
    WatchOptions,
)
from mnemic.client.requests import AddRequest
from mnemic.client.results import AddResult, History, IngestResult, MemoryPage, SearchResult
from mnemic.client.retention_in_process import AsyncRetentionMemory
from mnemic.client.transfer_in_process import AsyncMemoryTransfer
from mnemic.client.watching import AsyncLocalWatch, AsyncWatch
from mnemic.engine.engine import Engine
from mnemic.engine.settings import Settings
from mnemic.model import memory as model
from mnemic.model.context import ComposedContext
from mnemic.model.deadline import Deadline
from mnemic.model.operations import Operation
from mnemic.model.requests import DeleteResult, ScopePage, UpdateResult
from mnemic.model.stats import NodeStats

Result = TypeVar("Result")

DEFAULT_WORKERS = 8


class AsyncMemory(AsyncRetentionMemory, AsyncMemoryConsolidation, AsyncMemoryErasure, AsyncMemoryTransfer):
    """As `Memory`, without ever blocking the event loop: calls run on a bounded pool of threads of its own.

    The engine does its work outside the GIL, so calls run side by side. A call that is cancelled before a thread takes
    it is never begun; one that has begun is finished behind the caller's back: a write is whole or absent, and
    repeating it with the same `request_id` is safe.
    """

    def __init__(
        self,
        data_directory: str | Path | None = None,
        *,
        settings: Settings | None = None,
        engine: Engine | None = None,
        max_workers: int = DEFAULT_WORKERS,
    ) -> None:
        """Opens at the first call, or with `async with`; the settings are read at once.

        Args:
            data_directory: As for `Memory`.
            settings: As for `Memory`.
            engine: As for `Memory`.
            max_workers: Calls that run at the same time; further ones wait for their turn, and a call's `timeout`
                counts that.
        """
        self._open: Callable[[], Memory]
        if engine is not None:
            refuse_with_engine(data_directory, settings)
            self._open = partial(Memory, engine=engine)
        else:
            self._open = partial(Memory, settings=resolve_settings(data_directory, settings))
        self._opened: Memory | None = None
        self._opening = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers, thread_name_prefix="mnemic-memory")
        self._closed = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, max_workers: int = DEFAULT_WORKERS) -> Self:
        """With the settings of a dict; see `Memory.from_config`."""
        return cls(settings=settings_from_config(config), max_workers=max_workers)

    async def add(
        self, messages: FriendlyMessages, *, timeout: float | None = None, **options: Unpack[AddOptions]
    ) -> AddResult:
        """Adds one or several messages: all of them or none; see `Memory.add`."""
        deadline = Deadline.after(timeout)
        return await self._run(lambda memory: memory.add(messages, timeout=deadline.remaining(), **options))

    async def ingest(
        self,
        adds: Iterable[AddItem | AddRequest] | AsyncIterable[AddItem | AddRequest],
        *,
        timeout: float | None = None,
    ) -> AsyncGenerator[IngestResult, None]:
        """Adds in bulk; see `Memory.ingest`. `adds` may be asynchronous."""
        deadline, position = Deadline.after(timeout), 0
        async for item in each(adds):
            deadline.check()
            yield await self._run(partial(_ingest_step, position=position, item=item, deadline=deadline))
            position += 1

    async def search(
        self, query: str = "", *, timeout: float | None = None, **options: Unpack[SearchOptions]
    ) -> SearchResult:
        """Finds what matters to a query within a scope, best first; see `Memory.search`."""
        deadline = Deadline.after(timeout)
        return await self._run(lambda memory: memory.search(query, timeout=deadline.remaining(), **options))

    async def batch_search(
        self, searches: Sequence[FriendlySearch], *, timeout: float | None = None
    ) -> Sequence[SearchResult]:
        """Several searches, answered in order; see `Memory.batch_search`."""
        deadline = Deadline.after(timeout)
        return await self._run(lambda memory: memory.batch_search(searches, timeout=deadline.remaining()))

    async def compose(
        self, query: str = "", *, timeout: float | None = None, **options: Unpack[ComposeOptions]
    ) -> ComposedContext:
        """Composes a block of prompt of what a search finds; see `Memory.compose`."""
        deadline = Deadline.after(timeout)
        return await self._run(lambda memory: memory.compose(query, timeout=deadline.remaining(), **options))

    async def get(self, memory_id: str, *, with_vector: bool = False, **ids: Unpack[ScopeOptions]) -> model.Memory:
        """One memory; MEMORY_NOT_FOUND when there is none, or it does not carry the ids given."""
        return await self._run(lambda memory: memory.get(memory_id, with_vector=with_vector, **ids))

    async def batch_get(
        self, memory_ids: Sequence[str], *, with_vectors: bool = False, **ids: Unpack[ScopeOptions]
    ) -> tuple[Sequence[model.Memory], Sequence[str]]:
        """The memories that are there, in the order asked, and the ids that are not."""
        return await self._run(lambda memory: memory.batch_get(memory_ids, with_vectors=with_vectors, **ids))

    async def list(self, *, page_token: str = "", **options: Unpack[ListOptions]) -> MemoryPage:
        """One page of a scope's memories, newest first; see `ListOptions`."""
        return await self._run(lambda memory: memory.list(page_token=page_token, **options))

    async def iterate(self, **options: Unpack[ListOptions]) -> AsyncIterator[model.Memory]:
        """All of a scope's memories, newest first, page after page."""
        token = ""
        while True:
            page = await self.list(page_token=token, **options)
            for memory in page:
                yield memory
            token = page.next_page_token
            if not token:
                return

    async def get_all(
        self, *, top_k: int | None = None, limit: int | None = None, **options: Unpack[SelectOptions]
    ) -> MemoryPage:
        """All of a scope's memories at once, newest first; see `Memory.get_all`."""
        return await self._run(lambda memory: memory.get_all(top_k=top_k, limit=limit, **options))

    async def update(
        self, memory_id: str, text: str | None = None, *, timeout: float | None = None, **options: Unpack[UpdateOptions]
    ) -> UpdateResult:
        """Writes a new version; the older stays in the history. See `Memory.update`."""
        deadline = Deadline.after(timeout)
        return await self._run(lambda memory: memory.update(memory_id, text, timeout=deadline.remaining(), **options))

    async def delete(self, memory_id: str, **options: Unpack[DeleteOptions]) -> DeleteResult:
        """Takes a memory out of every search and listing; its history stays."""
        return await self._run(lambda memory: memory.delete(memory_id, **options))

    async def restore(
        self, memory_id: str, *, timeout: float | None = None, **options: Unpack[RestoreOptions]
    ) -> UpdateResult:
        """Brings back a memory that was deleted or superseded, as a new version; others stay as they are."""
        deadline = Deadline.after(timeout)
        return await self._run(lambda memory: memory.restore(memory_id, timeout=deadline.remaining(), **options))

    async def delete_all(self, **ids: Unpack[ScopeOptions]) -> int:
        """Deletes every memory that carries the ids given, of every session; see `Memory.delete_all`."""
        return await self._run(lambda memory: memory.delete_all(**ids))

    async def history(self, memory_id: str, **ids: Unpack[ScopeOptions]) -> History:
        """All versions of a memory, oldest first; also of a deleted one."""
        return await self._run(lambda memory: memory.history(memory_id, **ids))

    async def list_scopes(self, *, page_size: int = 0, page_token: str = "", **ids: Unpack[ScopeOptions]) -> ScopePage:
        """One page of the scopes that hold memories and carry the ids given, with counts."""
        return await self._run(lambda memory: memory.list_scopes(page_size=page_size, page_token=page_token, **ids))

    def watch(self, *, timeout: float | None = None, **options: Unpack[WatchOptions]) -> AsyncWatch:
        """Watches the memories of a scope change; see `Memory.watch`. It begins with the first that is asked for."""
        deadline = Deadline.after(timeout)
        return AsyncLocalWatch(lambda: self._run(lambda memory: memory.watch(timeout=deadline.remaining(), **options)))

    async def operation(self, operation_id: str, *, wait: float = 0.0) -> Operation:
        """How far the work is that an add left to do; see `Memory.operation`."""
        return await self._run(lambda memory: memory.operation(operation_id, wait=wait))

    async def stats(self, *, all_tenants: bool = True) -> NodeStats:
        """What the data directory and the index hold: of all tenants, or of this one."""
        return await self._run(lambda memory: memory.stats(all_tenants=all_tenants))

    async def close(self) -> None:
        """Waits for the calls that have begun and releases the data directory; those not begun are dropped."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._shut_down)

    def _shut_down(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._opened is not None:
            self._opened.close()

    async def __aenter__(self) -> Self:
        await self._run(lambda memory: memory)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, work: Callable[[Memory], Result]) -> Result:
        if self._closed:
            raise closed_error(type(self).__name__)
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(self._memory()))

    def _memory(self) -> Memory:
        """The memory, opened by the first call; if that fails, the next call tries again."""
        with self._opening:
            if self._opened is None:
                self._opened = self._open()
            return self._opened


def _ingest_step(memory: Memory, position: int, item: AddItem | AddRequest, deadline: Deadline) -> IngestResult:
    return ingest_step(memory.engine, position, item, deadline)
