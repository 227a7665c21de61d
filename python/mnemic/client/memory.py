"""`Memory`: the engine in the caller's own process."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from mnemic.client import requests, results
from mnemic.client.channel import closed_error
from mnemic.client.consolidation_in_process import MemoryConsolidation
from mnemic.client.erasure_in_process import MemoryErasure
from mnemic.client.mem0_config import settings_from_config
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
from mnemic.client.progress import ProgressLine
from mnemic.client.requests import AddRequest
from mnemic.client.results import AddResult, History, IngestResult, MemoryPage, SearchResult
from mnemic.client.retention_in_process import RetentionMemory
from mnemic.client.transfer_in_process import MemoryTransfer
from mnemic.client.watching import LocalWatch
from mnemic.engine.engine import Engine
from mnemic.engine.settings import Settings, load_settings
from mnemic.model import memory as model
from mnemic.model.context import ComposedContext
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, invalid_field
from mnemic.model.operations import Operation
from mnemic.model.requests import DeleteResult, ScopePage, UpdateResult
from mnemic.model.scope import DEFAULT_TENANT, Scope
from mnemic.model.stats import NodeStats

_MAX_PAGE = 1000


class Memory(RetentionMemory, MemoryConsolidation, MemoryErasure, MemoryTransfer):
    """A memory in this process: no server, no network once the embedding model is there.

    The methods, arguments, results and errors are those of `MnemicClient`, so that one can stand for the other, and
    besides them `get_all`, `delete_all` and `from_config` for those who come from Mem0. Safe to use from many threads.
    One process at a time can have a data directory open.
    """

    def __init__(
        self,
        data_directory: str | Path | None = None,
        *,
        settings: Settings | None = None,
        engine: Engine | None = None,
    ) -> None:
        """Opens the data directory. The first time it also fetches the embedding model, and tells so on stderr.

        Args:
            data_directory: Where memories are kept; unless given, where the settings say, which is the platform's
                place for a user's data unless they say otherwise.
            settings: Everything else; unless given, from the environment and the file that MNEMIC_CONFIG names.
            engine: Instead of both: one that is open already, and that stays the caller's to close.

        Raises:
            MnemicError: STORE_UNAVAILABLE when the directory is open elsewhere; MODEL_NOT_INSTALLED when the model
                cannot be fetched; MODEL_MISMATCH when the memories were embedded with another one.
        """
        self._engine: Engine | None
        self._closing: weakref.finalize[..., Any] | None = None
        self._watches = weakref.WeakSet[LocalWatch]()
        if engine is not None:
            refuse_with_engine(data_directory, settings)
            self._engine = engine
        else:
            self._engine = _open_engine(resolve_settings(data_directory, settings))
            # Closed at the latest when nobody can use it any more or the interpreter ends.
            self._closing = weakref.finalize(self, self._engine.close)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Opens with the settings of a dict: the fields of `Settings`, or Mem0's `embedder` for `embedding`.

        Raises:
            MnemicError: INVALID_FIELD for a section that Mnemic does not have; says what it has instead.
        """
        return cls(settings=settings_from_config(config))

    @property
    def engine(self) -> Engine:
        """The engine below, for what is not offered here, such as its statistics and its checks."""
        if self._engine is None:
            raise closed_error(type(self).__name__)
        return self._engine

    def add(
        self, messages: FriendlyMessages, *, timeout: float | None = None, **options: Unpack[AddOptions]
    ) -> AddResult:
        """Adds one or several messages: all of them or none; durable, and found by the next search.

        Args:
            messages: A text, a dict `{"role": "user", "content": "…"}`, a `MemoryInput`, or a list of them.
            timeout: Seconds after which the work is not begun any more; any time unless given.
            **options: See `AddOptions`; at least one id.
        """
        return _add(self.engine, requests.add_request(messages, **options), Deadline.after(timeout))

    def ingest(
        self, adds: Iterable[AddItem | AddRequest], *, timeout: float | None = None
    ) -> Generator[IngestResult, None, None]:
        """Adds in bulk. Lazy: iterate over the results, one for each add and in order.

        A bad add has its error as its result and does not end the rest.

        Args:
            adds: Dicts of `messages` and the keywords of `add`.
            timeout: Seconds for all of them; any time unless given.
        """
        deadline = Deadline.after(timeout)
        for position, item in enumerate(adds):
            deadline.check()
            yield ingest_step(self.engine, position, item, deadline)

    def search(
        self, query: str = "", *, timeout: float | None = None, **options: Unpack[SearchOptions]
    ) -> SearchResult:
        """Finds what matters to a query within a scope, best first.

        Args:
            query: The question; may be left out when a `vector` is given.
            timeout: Seconds after which the work is not begun any more; any time unless given.
            **options: See `SearchOptions`; at least one id.
        """
        request = requests.search_request(query, **options)
        found = self.engine.search(DEFAULT_TENANT, request, deadline=Deadline.after(timeout))
        return results.search_result(found)

    def batch_search(
        self, searches: Sequence[FriendlySearch], *, timeout: float | None = None
    ) -> Sequence[SearchResult]:
        """Several searches, answered in order; one bad search fails the call.

        Args:
            searches: Dicts of `query` and the keywords of `search`.
            timeout: As for `search`.
        """
        batch = requests.search_requests(searches)
        found = self.engine.batch_search(DEFAULT_TENANT, batch, deadline=Deadline.after(timeout))
        return [results.search_result(result) for result in found]

    def compose(
        self, query: str = "", *, timeout: float | None = None, **options: Unpack[ComposeOptions]
    ) -> ComposedContext:
        """Composes a block of prompt of what a search finds, within a budget of tokens.

        The block says [1] of the first of its `memory_ids`, [2] of the second; docs/composing.md describes it.

        Args:
            query: The question; may be left out when a `vector` is given.
            timeout: As for `search`.
            **options: See `ComposeOptions`; at least one id.
        """
        request = requests.compose_request(query, **options)
        return self.engine.compose(DEFAULT_TENANT, request, deadline=Deadline.after(timeout))

    def get(self, memory_id: str, *, with_vector: bool = False, **ids: Unpack[ScopeOptions]) -> model.Memory:
        """One memory; MEMORY_NOT_FOUND when there is none, or it does not carry the ids given."""
        scope = requests.optional_scope(**ids)
        return self.engine.get(DEFAULT_TENANT, memory_id, scope=scope, with_vector=with_vector)

    def batch_get(
        self, memory_ids: Sequence[str], *, with_vectors: bool = False, **ids: Unpack[ScopeOptions]
    ) -> tuple[Sequence[model.Memory], Sequence[str]]:
        """The memories that are there, in the order asked, and the ids that are not."""
        scope, wanted = requests.optional_scope(**ids), requests.memory_ids_of(memory_ids)
        return self.engine.batch_get(DEFAULT_TENANT, wanted, scope=scope, with_vectors=with_vectors)

    def list(self, *, page_token: str = "", **options: Unpack[ListOptions]) -> MemoryPage:
        """One page of a scope's memories, newest first; see `ListOptions`."""
        request = requests.list_request(page_token=page_token, **options)
        return results.memory_page(self.engine.list_memories(DEFAULT_TENANT, request))

    def iterate(self, **options: Unpack[ListOptions]) -> Iterator[model.Memory]:
        """All of a scope's memories, newest first, page after page."""
        token = ""
        while True:
            page = self.list(page_token=token, **options)
            yield from page
            token = page.next_page_token
            if not token:
                return

    def get_all(
        self, *, top_k: int | None = None, limit: int | None = None, **options: Unpack[SelectOptions]
    ) -> MemoryPage:
        """All of a scope's memories at once, newest first: Mem0's name for what `iterate` does piece by piece.

        Args:
            top_k: At most so many; all unless given.
            limit: Mem0's older name for `top_k`.
            **options: See `SelectOptions`; at least one id.
        """
        count = requests.most(top_k, limit)
        found: list[model.Memory] = []
        page = self.list(page_size=_MAX_PAGE if count is None else min(_MAX_PAGE, count), **options)
        while True:
            found.extend(page)
            left = None if count is None else count - len(found)
            if not page.next_page_token or left == 0:
                return MemoryPage(tuple(found), page.next_page_token, page.revision)
            page = self.list(
                page_token=page.next_page_token,
                page_size=_MAX_PAGE if left is None else min(_MAX_PAGE, left),
                **options,
            )

    def update(
        self, memory_id: str, text: str | None = None, *, timeout: float | None = None, **options: Unpack[UpdateOptions]
    ) -> UpdateResult:
        """Writes a new version; the older stays in the history.

        Args:
            memory_id: Which.
            text: The new text; unchanged unless given.
            timeout: As for `add`.
            **options: See `UpdateOptions`: what else changes.
        """
        request = requests.update_request(memory_id, text, **options)
        return self.engine.update(
            DEFAULT_TENANT,
            request.memory_id,
            request.changes,
            expected_version=request.expected_version,
            request_id=request.request_id,
            scope=request.scope,
            deadline=Deadline.after(timeout),
        )

    def delete(self, memory_id: str, **options: Unpack[DeleteOptions]) -> DeleteResult:
        """Takes a memory out of every search and listing; its history stays."""
        request = requests.delete_request(memory_id, **options)
        return self.engine.delete(
            DEFAULT_TENANT,
            request.memory_id,
            expected_version=request.expected_version,
            request_id=request.request_id,
            scope=request.scope,
        )

    def restore(
        self, memory_id: str, *, timeout: float | None = None, **options: Unpack[RestoreOptions]
    ) -> UpdateResult:
        """Brings back a memory that was deleted or superseded, as a new version; others stay as they are."""
        request = requests.restore_request(memory_id, **options)
        return self.engine.restore(
            DEFAULT_TENANT,
            request.memory_id,
            request_id=request.request_id,
            scope=request.scope,
            deadline=Deadline.after(timeout),
        )

    def delete_all(self, **ids: Unpack[ScopeOptions]) -> int:
        """Deletes every memory that carries the ids given (match `exact`), of every session; how many it were.

        Raises:
            MnemicError: SCOPE_MISSING without any id.
        """
        return self.engine.delete_all(DEFAULT_TENANT, requests.scope_of(**ids))

    def history(self, memory_id: str, **ids: Unpack[ScopeOptions]) -> History:
        """All versions of a memory, oldest first; also of a deleted one."""
        scope = requests.optional_scope(**ids)
        return History(self.engine.history(DEFAULT_TENANT, memory_id, scope=scope))

    def list_scopes(self, *, page_size: int = 0, page_token: str = "", **ids: Unpack[ScopeOptions]) -> ScopePage:
        """One page of the scopes that hold memories and carry the ids given, with counts."""
        scope: Scope = requests.scope_of(**ids)
        return self.engine.list_scopes(DEFAULT_TENANT, scope, page_size=page_size, page_token=page_token)

    def watch(self, *, timeout: float | None = None, **options: Unpack[WatchOptions]) -> LocalWatch:
        """Watches the memories of a scope change, from now on or from a revision on; ends when the memory is closed.

        Args:
            timeout: Seconds for all of it, after which DEADLINE_EXCEEDED is raised; any time unless given.
            **options: See `WatchOptions`; at least one id.
        """
        deadline = Deadline.after(timeout)
        opened = self.engine.watching.open(DEFAULT_TENANT, requests.watch_request(**options), deadline=deadline)
        watch = LocalWatch(opened, deadline)
        self._watches.add(watch)
        return watch

    def operation(self, operation_id: str, *, wait: float = 0.0) -> Operation:
        """How far the work is that an add left to do; `wait` is for how many seconds to wait until it has ended."""
        return self.engine.operation(DEFAULT_TENANT, operation_id, wait_seconds=wait)

    def stats(self, *, all_tenants: bool = True) -> NodeStats:
        """What the data directory and the index hold: of all tenants, or of this one."""
        return self.engine.stats(None if all_tenants else DEFAULT_TENANT)

    def close(self) -> None:
        """Releases the data directory. Wait for calls of other threads first."""
        self._engine = None
        for watch in list(self._watches):
            watch.close()
        if self._closing is not None:
            self._closing()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ingest_step(engine: Engine, position: int, item: AddItem | AddRequest, deadline: Deadline) -> IngestResult:
    """One add of an ingest, its failure as its result."""
    try:
        return IngestResult(
            position, added=_add(engine, requests.add_item_request(item, f"adds[{position}]"), deadline)
        )
    except MnemicError as error:
        return IngestResult(position, error=error)


def _add(engine: Engine, request: AddRequest, deadline: Deadline) -> AddResult:
    added = engine.add(
        DEFAULT_TENANT,
        request.scope,
        request.memories,
        mode=request.mode,
        wait=request.wait_for,
        instructions=request.extraction_instructions,
        request_id=request.request_id,
        deadline=deadline,
    )
    return results.add_result(added, request.memories)


def refuse_with_engine(data_directory: object, settings: object) -> None:
    """Refuses to be told where and how to open what is open already."""
    for field, value in (("data_directory", data_directory), ("settings", settings)):
        if value is not None:
            raise invalid_field(field, "is the engine's own; leave it out when you give an engine")


def resolve_settings(data_directory: str | Path | None, settings: Settings | None) -> Settings:
    """The settings with the directory, if one is given, in place of theirs."""
    if data_directory is None:
        return settings or load_settings()
    if not isinstance(data_directory, str | Path):
        raise invalid_field("data_directory", f"is a {type(data_directory).__name__}; give a path")
    if settings is None:
        return load_settings(data_directory=Path(data_directory))
    return settings.model_copy(update={"data_directory": Path(data_directory)})


def _open_engine(settings: Settings) -> Engine:
    progress = ProgressLine()
    try:
        return Engine.open(settings, pull_missing_model=True, progress=progress)
    finally:
        progress.finish()
