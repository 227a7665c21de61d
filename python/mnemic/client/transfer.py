"""Leaving and coming, for clients: exports as pieces of a file, imports of a file as progress."""

from __future__ import annotations

import asyncio
import io
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar, Unpack, cast

import grpc

from mnemic.client.encodable import encodable
from mnemic.client.failures import from_rpc_error
from mnemic.client.filters import compile_filters
from mnemic.client.inputs import named
from mnemic.client.options import FriendlyFilter, FriendlyMatch, ScopeOptions
from mnemic.client.requests import scope_of
from mnemic.client.transfer_messages import export_message, export_piece, import_configuration, import_progress
from mnemic.model.errors import invalid_field
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.transfer import (
    ExportPiece,
    ExportRequest,
    ImportProgress,
    ImportRequest,
    TransferFormat,
)
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.v1 import lifecycle_service_pb2_grpc

# Smaller than the contract's 1 MiB, so that a server with a low limit for messages takes them too.
_CHUNK_BYTES = 256 * 1024

FriendlyFormat = TransferFormat | str
# The file itself: its path, an open binary file, its bytes, or pieces of them.
FriendlyFile = str | Path | IO[bytes] | bytes | Iterable[bytes]
Item = TypeVar("Item")


class ExportOptions(ScopeOptions, total=False):
    """What to export.

    Attributes:
        match: `visible` (default), `exact` or `tenant`, as for `list`.
        filters: Conditions that narrow the scope further.
        format: `jsonl` (default) or `parquet`.
        include_history: Also older versions, and deleted and superseded memories.
        include_vectors: Also the embeddings.
        resume_token: The last one of an export with the same options that broke off.
    """

    match: FriendlyMatch
    filters: FriendlyFilter | None
    format: FriendlyFormat
    include_history: bool
    include_vectors: bool
    resume_token: str


class ImportOptions(ScopeOptions, total=False):
    """How to import. The ids are for items that carry none of their own.

    Attributes:
        override_scope: Use these ids for every item instead, whatever it carries.
        extract: Also draw facts from messages.
        keep_vectors: Take the file's embeddings when they are of the store's model.
        validate_only: Only check the file.
        skip_count: Go on after so many items.
        stop_on_error: Stop at the first item that cannot be taken.
        request_id: A UUID that makes a retry safe.
    """

    override_scope: Scope | None
    extract: bool
    keep_vectors: bool
    validate_only: bool
    skip_count: int
    stop_on_error: bool
    request_id: str


def export_request(
    *,
    match: FriendlyMatch = ScopeMatch.VISIBLE,
    filters: FriendlyFilter | None = None,
    format: FriendlyFormat = TransferFormat.JSONL,  # noqa: A002 (the contract's name)
    include_history: bool = False,
    include_vectors: bool = False,
    resume_token: str = "",
    **ids: Unpack[ScopeOptions],
) -> ExportRequest:
    """The export that `ExportOptions` describe."""
    return ExportRequest(
        scope=scope_of(**ids),
        match=named(ScopeMatch, match, "match"),
        filter=compile_filters(filters),
        format=named(TransferFormat, format, "format"),
        include_history=include_history,
        include_vectors=include_vectors,
        resume_token=resume_token,
    )


def import_request(
    format: FriendlyFormat,  # noqa: A002 (the contract's name)
    *,
    override_scope: Scope | None = None,
    extract: bool = False,
    keep_vectors: bool = False,
    validate_only: bool = False,
    skip_count: int = 0,
    stop_on_error: bool = False,
    request_id: str = "",
    **ids: Unpack[ScopeOptions],
) -> ImportRequest:
    """The import that `ImportOptions` describe."""
    return ImportRequest(
        format=named(TransferFormat, format, "format"),
        default_scope=scope_of(**ids),
        override_scope=override_scope,
        extract=extract,
        keep_vectors=keep_vectors,
        validate_only=validate_only,
        skip_count=skip_count,
        stop_on_error=stop_on_error,
        request_id=request_id,
    )


def chunks_of(file: FriendlyFile) -> Iterator[bytes]:
    """The bytes of a file in pieces that fit a message.

    Raises:
        MnemicError: INVALID_FIELD when it is no file.
        OSError: It cannot be read.
    """
    if isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            yield from _read(opened)
    elif isinstance(file, bytes | bytearray | memoryview):
        yield from _cut(bytes(file))
    elif isinstance(file, io.IOBase):
        yield from _read(cast("IO[bytes]", file))
    elif isinstance(file, Iterable):
        for piece in file:
            yield from _cut(piece)
    else:
        raise invalid_field("file", f"is a {type(file).__name__}; give a path, an open file or bytes")


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _cut(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _CHUNK_BYTES):
        yield data[start : start + _CHUNK_BYTES]


def _messages(request: ImportRequest, chunks: Iterator[bytes]) -> Iterator[pb.ImportMemoriesRequest]:
    with encodable():
        yield pb.ImportMemoriesRequest(configuration=import_configuration(request))
    for chunk in chunks:
        yield pb.ImportMemoriesRequest(data=chunk)


class _Source:
    """The requests of an import. A failure of the caller's file is kept, since gRPC would only log it."""

    def __init__(self, request: ImportRequest, file: FriendlyFile) -> None:
        self._messages = _messages(request, chunks_of(file))
        self._failure: Exception | None = None

    def __iter__(self) -> Iterator[pb.ImportMemoriesRequest]:
        try:
            yield from self._messages
        except Exception as error:  # noqa: BLE001 (raised again by `check`)
            self._failure = error

    async def steps(self) -> AsyncGenerator[pb.ImportMemoriesRequest, None]:
        """As iterating, without blocking the event loop while the file is read."""
        try:
            async for message in _in_threads(self._messages):
                yield message
        except Exception as error:  # noqa: BLE001 (raised again by `check`)
            self._failure = error

    def check(self) -> None:
        """Raises what reading the file raised."""
        if self._failure is not None:
            raise self._failure


async def _in_threads(items: Iterator[Item]) -> AsyncGenerator[Item, None]:
    end = object()
    while (item := await asyncio.to_thread(next, items, end)) is not end:
        yield item  # type: ignore[misc]  # it is not the mark of the end


class ClientTransfer(ABC):
    """The part of `MnemicClient` that exports and imports."""

    address: str
    _metadata: Any
    _lifecycle: lifecycle_service_pb2_grpc.LifecycleServiceStub

    @abstractmethod
    def _require_open(self) -> None: ...

    def export_memories(
        self, *, timeout: float | None = None, **options: Unpack[ExportOptions]
    ) -> Generator[ExportPiece, None, None]:
        """The pieces of a file of memories, which reflects one revision. The last one has a summary.

        Args:
            timeout: Seconds for the whole stream; any time unless given.
            **options: See `ExportOptions`.
        """
        self._require_open()
        request = export_request(**options)
        with encodable():
            message = export_message(request)
        call = self._lifecycle.ExportMemories(message, timeout=timeout, metadata=self._metadata)
        try:
            yield from map(export_piece, call)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error
        finally:
            call.cancel()

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
            file: Its path, an open binary file, its bytes, or pieces of them; read in a thread of gRPC's.
            format: `jsonl` or `parquet` (what an export gives), `mem0` or `chat`.
            timeout: Seconds for the whole stream; any time unless given.
            **options: See `ImportOptions`.
        """
        self._require_open()
        source = _Source(import_request(format, **options), file)
        call = self._lifecycle.ImportMemories(iter(source), timeout=timeout, metadata=self._metadata)
        try:
            for answer in call:
                source.check()
                yield import_progress(answer)
        except grpc.RpcError as error:
            source.check()
            raise from_rpc_error(error, self.address) from error
        finally:
            call.cancel()
        source.check()


class AsyncClientTransfer(ABC):
    """The part of `AsyncMnemicClient` that exports and imports."""

    address: str
    _metadata: Any

    @abstractmethod
    def _lifecycle_stub(self) -> lifecycle_service_pb2_grpc.LifecycleServiceAsyncStub: ...

    async def export_memories(
        self, *, timeout: float | None = None, **options: Unpack[ExportOptions]
    ) -> AsyncGenerator[ExportPiece, None]:
        """The pieces of a file of memories; see `MnemicClient.export_memories`."""
        request = export_request(**options)
        with encodable():
            message = export_message(request)
        call = self._lifecycle_stub().ExportMemories(message, timeout=timeout, metadata=self._metadata)
        try:
            async for answer in call:
                yield export_piece(answer)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error
        finally:
            call.cancel()

    async def import_memories(
        self,
        file: FriendlyFile,
        format: FriendlyFormat,  # noqa: A002 (the contract's name)
        *,
        timeout: float | None = None,
        **options: Unpack[ImportOptions],
    ) -> AsyncGenerator[ImportProgress, None]:
        """Takes a file in; see `MnemicClient.import_memories`. The file is read in threads."""
        source = _Source(import_request(format, **options), file)
        call = self._lifecycle_stub().ImportMemories(source.steps(), timeout=timeout, metadata=self._metadata)
        try:
            async for answer in call:
                source.check()
                yield import_progress(answer)
        except grpc.RpcError as error:
            source.check()
            raise from_rpc_error(error, self.address) from error
        finally:
            call.cancel()
        source.check()
