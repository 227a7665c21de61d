"""Leaving and coming with the engine in the caller's own process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any, TypeVar, Unpack

from mnemic.client.transfer import (
    ExportOptions,
    FriendlyFile,
    FriendlyFormat,
    ImportOptions,
    chunks_of,
    export_request,
    import_request,
)
from mnemic.engine.engine import Engine
from mnemic.model.deadline import Deadline
from mnemic.model.scope import DEFAULT_TENANT
from mnemic.model.transfer import ExportPiece, ImportProgress

Item = TypeVar("Item")


class MemoryTransfer(ABC):
    """The part of `Memory` that exports and imports."""

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The engine."""

    def export_memories(self, **options: Unpack[ExportOptions]) -> Generator[ExportPiece, None, None]:
        """The pieces of a file of memories, which reflects one revision. The last one has a summary.

        Args:
            **options: See `ExportOptions`.
        """
        yield from self.engine.transfer.export_memories(DEFAULT_TENANT, export_request(**options))

    def import_memories(
        self,
        file: FriendlyFile,
        format: FriendlyFormat,  # noqa: A002 (the contract's name)
        *,
        timeout: float | None = None,
        **options: Unpack[ImportOptions],
    ) -> Generator[ImportProgress, None, None]:
        """Takes a file in; importing it again adds nothing. Lazy: iterate over the progress; the last is `done`.

        Args:
            file: Its path, an open binary file, its bytes, or pieces of them.
            format: `jsonl` or `parquet` (what an export gives), `mem0` or `chat`.
            timeout: Seconds for all of it; any time unless given.
            **options: See `ImportOptions`.
        """
        request = import_request(format, **options)
        yield from self.engine.transfer.import_memories(
            DEFAULT_TENANT, request, chunks_of(file), deadline=Deadline.after(timeout)
        )


class AsyncMemoryTransfer(ABC):
    """The part of `AsyncMemory` that exports and imports."""

    @abstractmethod
    async def _run(self, work: Callable[[Any], Item]) -> Item: ...

    async def export_memories(self, **options: Unpack[ExportOptions]) -> AsyncGenerator[ExportPiece, None]:
        """The pieces of a file of memories; see `Memory.export_memories`."""
        pieces = await self._run(lambda memory: memory.export_memories(**options))
        async for piece in self._each(pieces):
            yield piece

    async def import_memories(
        self,
        file: FriendlyFile,
        format: FriendlyFormat,  # noqa: A002 (the contract's name)
        *,
        timeout: float | None = None,
        **options: Unpack[ImportOptions],
    ) -> AsyncGenerator[ImportProgress, None]:
        """Takes a file in; see `Memory.import_memories`."""
        answers = await self._run(lambda memory: memory.import_memories(file, format, timeout=timeout, **options))
        async for answer in self._each(answers):
            yield answer

    async def _each(self, items: Iterator[Item]) -> AsyncGenerator[Item, None]:
        end = object()
        while (item := await self._run(lambda _: next(items, end))) is not end:
            yield item  # type: ignore[misc]  # it is not the mark of the end
