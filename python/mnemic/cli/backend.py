"""What the data commands need, from a server or from a data directory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemic.cli.failures import bad_input
from mnemic.cli.options import DirectoryOptions, TargetOptions
from mnemic.model.audit import AuditAction
from mnemic.model.context import ComposedContext, ComposeRequest
from mnemic.model.errors import MnemicError
from mnemic.model.memory import AddResult, Memory, MemoryInput, MemoryRevision
from mnemic.model.operations import DeadLetterPage, Operation, ReplayResult
from mnemic.model.requests import (
    AddMode,
    DeleteResult,
    ListRequest,
    MemoryPage,
    MemoryUpdate,
    ScopePage,
    UpdateResult,
    WaitFor,
)
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest, SearchResult
from mnemic.model.stats import NodeStats
from mnemic.model.transfer import ExportPiece, ExportRequest, ImportProgress, ImportRequest

if TYPE_CHECKING:
    import grpc

    from mnemic.engine.settings import Settings

_TLS_OPTIONS = {"authority": "--tls-ca", "certificate": "--tls-certificate", "certificate_key": "--tls-key"}


class Backend(ABC):
    """The use cases behind the commands; every method raises MnemicError."""

    @abstractmethod
    def add(
        self,
        scope: Scope,
        inputs: Sequence[MemoryInput],
        *,
        request_id: str = "",
        mode: AddMode | None = None,
        wait_for: WaitFor = WaitFor.INDEXED,
    ) -> AddResult:
        """Adds memories: all of them or none."""

    @abstractmethod
    def operation(self, operation_id: str, wait_seconds: float) -> Operation:
        """How far the work is that an add left to do."""

    @abstractmethod
    def dead_letters(self, page_token: str) -> DeadLetterPage:
        """One page of the work that was given up."""

    @abstractmethod
    def replay_dead_letters(self, operation_ids: Sequence[str]) -> ReplayResult:
        """Puts work back into the queue: that of the ids, or all."""

    @abstractmethod
    def search(self, request: SearchRequest) -> SearchResult:
        """Finds what matters to a query."""

    @abstractmethod
    def compose(self, request: ComposeRequest) -> ComposedContext:
        """Composes a block of prompt of what a search finds."""

    @abstractmethod
    def get(self, memory_id: str, scope: Scope | None) -> Memory:
        """One memory; if a scope is given, it must be in it."""

    @abstractmethod
    def list_memories(self, request: ListRequest) -> MemoryPage:
        """One page, newest first."""

    @abstractmethod
    def update(
        self, memory_id: str, changes: MemoryUpdate, *, expected_version: int, scope: Scope | None
    ) -> UpdateResult:
        """Writes a new version."""

    @abstractmethod
    def delete(self, memory_id: str, *, expected_version: int, scope: Scope | None) -> DeleteResult:
        """Takes a memory out of every search."""

    @abstractmethod
    def restore(self, memory_id: str, *, scope: Scope | None) -> UpdateResult:
        """Brings back what was deleted or superseded."""

    @abstractmethod
    def history(self, memory_id: str, scope: Scope | None) -> list[MemoryRevision]:
        """All versions, oldest first."""

    @abstractmethod
    def list_scopes(self, scope: Scope, *, page_size: int, page_token: str) -> ScopePage:
        """One page of the scopes that hold memories."""

    @abstractmethod
    def export_memories(self, request: ExportRequest) -> Iterator[ExportPiece]:
        """The pieces of a file of memories."""

    @abstractmethod
    def import_memories(self, request: ImportRequest, chunks: Iterator[bytes]) -> Iterator[ImportProgress]:
        """Takes a file in."""

    def entering(self, command: str, action: AuditAction, scope: Scope) -> AbstractContextManager[None]:
        """Enters what is done in the block in the audit log of a data directory; a server enters its calls itself."""
        del command, action, scope
        return nullcontext()

    @abstractmethod
    def stats(self, tenant: str | None = None) -> NodeStats:
        """What it holds, of one tenant or of all."""

    @abstractmethod
    def close(self) -> None:
        """Frees what it holds."""


@contextmanager
def open_backend(target: TargetOptions) -> Iterator[Backend]:
    """The backend that the options name."""
    backend = _open(target)
    try:
        yield backend
    finally:
        backend.close()


@dataclass(frozen=True, slots=True)
class Connection:
    """How to speak to a server.

    Attributes:
        api_key: The credential, if any.
        tls: Whether TLS is spoken.
        authority: Whose certificates the server may have.
        certificate: The client's own.
        certificate_key: Its private key.
    """

    api_key: str | None = None
    tls: bool = False
    authority: Path | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None

    def speaks_tls(self) -> bool:
        """Whether TLS is spoken, which each of its files says too."""
        return bool(self.tls or self.authority or self.certificate or self.certificate_key)

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Of the channel; None for plaintext."""
        from mnemic.client.channel import tls_credentials  # noqa: PLC0415 (start-up time: loads grpc)

        if not self.speaks_tls():
            return None
        if (self.certificate is None) != (self.certificate_key is None):
            raise bad_input("--tls-certificate and --tls-key go together; give both or none")
        try:
            return tls_credentials(
                authority=self.authority, certificate=self.certificate, certificate_key=self.certificate_key
            )
        except MnemicError as error:
            # A file is at fault: the user knows it by its option.
            at_fault = error.violations[0]
            raise bad_input(f"{_TLS_OPTIONS[at_fault.field]}: {at_fault.description}") from error


def connection_of(target: TargetOptions) -> Connection:
    """How the options say to speak to a server."""
    return Connection(target.credential(), target.tls, target.authority, target.certificate, target.certificate_key)


def _open(target: TargetOptions) -> Backend:
    address = target.address()
    if address is not None:
        from mnemic.cli.remote_backend import RemoteBackend  # noqa: PLC0415 (start-up time: loads grpc)

        return RemoteBackend(address, connection_of(target))
    from mnemic.cli.local_backend import LocalBackend  # noqa: PLC0415 (start-up time: loads the engine)

    quiet_logs()
    return LocalBackend(directory_settings(target))


def directory_settings(options: DirectoryOptions, *, next_embedding: str | None = None, **server: object) -> Settings:
    """The settings with the flags over them.

    Args:
        options: The flags.
        next_embedding: The flag of the model that is to come; None means not given.
        **server: Flags of the server's section; None means not given.
    """
    from mnemic.engine.settings import load_settings  # noqa: PLC0415 (start-up time: loads pydantic)

    overrides: dict[str, Any] = {}
    if options.data_directory is not None:
        overrides["data_directory"] = options.data_directory.expanduser()
    if options.embedding is not None:
        overrides["embedding"] = {"provider": options.embedding}
    if next_embedding is not None:
        overrides["next_embedding"] = {"provider": next_embedding}
    given = {name: value for name, value in server.items() if value is not None}
    if given:
        overrides["server"] = given
    return load_settings(config=options.config, **overrides)


def quiet_logs() -> None:
    """Sends the engine's own log to standard error, warnings and worse only: standard output is the result's."""
    import logging  # noqa: PLC0415 (start-up time)
    import sys  # noqa: PLC0415 (the same)

    import structlog  # noqa: PLC0415 (the same)

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        # Looked up at each line, since who runs commands within a process may replace it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
