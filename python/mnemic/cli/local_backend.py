"""The engine in this process, on a data directory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from mnemic.cli.backend import Backend
from mnemic.engine.engine import Engine
from mnemic.engine.settings import Settings
from mnemic.model.audit import LOCAL_COMMAND, AuditAction
from mnemic.model.context import ComposedContext, ComposeRequest
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
from mnemic.model.scope import DEFAULT_TENANT, Scope
from mnemic.model.search import SearchRequest, SearchResult
from mnemic.model.stats import NodeStats
from mnemic.model.transfer import ExportPiece, ExportRequest, ImportProgress, ImportRequest


class LocalBackend(Backend):
    """Opens the data directory; no other process can meanwhile."""

    def __init__(self, settings: Settings) -> None:
        self._directory = settings.data_directory
        self._engine = Engine.open(settings)

    def add(
        self,
        scope: Scope,
        inputs: Sequence[MemoryInput],
        *,
        request_id: str = "",
        mode: AddMode | None = None,
        wait_for: WaitFor = WaitFor.INDEXED,
    ) -> AddResult:
        """See `Backend.add`."""
        return self._engine.add(DEFAULT_TENANT, scope, inputs, mode=mode, wait=wait_for, request_id=request_id)

    def operation(self, operation_id: str, wait_seconds: float) -> Operation:
        """See `Backend.operation`."""
        return self._engine.operation(DEFAULT_TENANT, operation_id, wait_seconds=wait_seconds)

    def dead_letters(self, page_token: str) -> DeadLetterPage:
        """See `Backend.dead_letters`."""
        return self._engine.dead_letters(DEFAULT_TENANT, page_token=page_token)

    def replay_dead_letters(self, operation_ids: Sequence[str]) -> ReplayResult:
        """See `Backend.replay_dead_letters`."""
        return self._engine.replay_dead_letters(DEFAULT_TENANT, operation_ids)

    def search(self, request: SearchRequest) -> SearchResult:
        """See `Backend.search`."""
        return self._engine.search(DEFAULT_TENANT, request)

    def compose(self, request: ComposeRequest) -> ComposedContext:
        """See `Backend.compose`."""
        return self._engine.compose(DEFAULT_TENANT, request)

    def get(self, memory_id: str, scope: Scope | None) -> Memory:
        """See `Backend.get`."""
        return self._engine.get(DEFAULT_TENANT, memory_id, scope=scope)

    def list_memories(self, request: ListRequest) -> MemoryPage:
        """See `Backend.list_memories`."""
        return self._engine.list_memories(DEFAULT_TENANT, request)

    def update(
        self, memory_id: str, changes: MemoryUpdate, *, expected_version: int, scope: Scope | None
    ) -> UpdateResult:
        """See `Backend.update`."""
        return self._engine.update(DEFAULT_TENANT, memory_id, changes, expected_version=expected_version, scope=scope)

    def delete(self, memory_id: str, *, expected_version: int, scope: Scope | None) -> DeleteResult:
        """See `Backend.delete`."""
        return self._engine.delete(DEFAULT_TENANT, memory_id, expected_version=expected_version, scope=scope)

    def restore(self, memory_id: str, *, scope: Scope | None) -> UpdateResult:
        """See `Backend.restore`."""
        return self._engine.restore(DEFAULT_TENANT, memory_id, scope=scope)

    def history(self, memory_id: str, scope: Scope | None) -> list[MemoryRevision]:
        """See `Backend.history`."""
        return self._engine.history(DEFAULT_TENANT, memory_id, scope=scope)

    def list_scopes(self, scope: Scope, *, page_size: int, page_token: str) -> ScopePage:
        """See `Backend.list_scopes`."""
        return self._engine.list_scopes(DEFAULT_TENANT, scope, page_size=page_size, page_token=page_token)

    def export_memories(self, request: ExportRequest) -> Iterator[ExportPiece]:
        """See `Backend.export_memories`."""
        return self._engine.transfer.export_memories(DEFAULT_TENANT, request)

    def import_memories(self, request: ImportRequest, chunks: Iterator[bytes]) -> Iterator[ImportProgress]:
        """See `Backend.import_memories`."""
        return self._engine.transfer.import_memories(DEFAULT_TENANT, request, chunks)

    def entering(self, command: str, action: AuditAction, scope: Scope) -> AbstractContextManager[None]:
        """See `Backend.entering`."""
        return self._engine.audit.entering(DEFAULT_TENANT, LOCAL_COMMAND, action, command, scope=scope)

    def stats(self, tenant: str | None = None) -> NodeStats:
        """See `Backend.stats`."""
        return self._engine.stats(None if tenant is None else self._engine.authority.tenant(tenant).tenant_id)

    def close(self) -> None:
        """See `Backend.close`."""
        self._engine.close()
