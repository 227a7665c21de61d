"""A server, asked over gRPC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

from mnemic.cli.backend import Backend, Connection
from mnemic.client.admin_client import MnemicAdminClient
from mnemic.client.grpc_client import MnemicClient
from mnemic.client.options import ScopeOptions, SearchOptions, UpdateOptions
from mnemic.model.context import ComposedContext, ComposeRequest
from mnemic.model.memory import AddResult, Memory, MemoryInput, MemoryRevision, from_micros
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

_MICROS = "_micros"
_WAITING_SECONDS = 120.0


class RemoteBackend(Backend):
    """Speaks to the server at an address."""

    def __init__(self, address: str, connection: Connection) -> None:
        self._address = address
        self._connection = connection
        self._client = MnemicClient(address, api_key=connection.api_key, credentials=connection.credentials())

    def add(
        self,
        scope: Scope,
        inputs: Sequence[MemoryInput],
        *,
        request_id: str = "",
        mode: AddMode = AddMode.VERBATIM,
        wait_for: WaitFor = WaitFor.INDEXED,
    ) -> AddResult:
        """See `Backend.add`."""
        # Waiting for facts takes longer than a call may otherwise take.
        timeout = _WAITING_SECONDS if wait_for is WaitFor.EXTRACTED else None
        return self._client.add(
            list(inputs), request_id=request_id, mode=mode, wait_for=wait_for, timeout=timeout, **_ids(scope)
        )

    def operation(self, operation_id: str, wait_seconds: float) -> Operation:
        """See `Backend.operation`."""
        return self._client.operation(operation_id, wait=wait_seconds)

    def dead_letters(self, page_token: str) -> DeadLetterPage:
        """See `Backend.dead_letters`."""
        with self._administration() as client:
            return client.dead_letters(page_token=page_token)

    def replay_dead_letters(self, operation_ids: Sequence[str]) -> ReplayResult:
        """See `Backend.replay_dead_letters`."""
        with self._administration() as client:
            return client.replay_dead_letters(operation_ids)

    def _administration(self) -> MnemicAdminClient:
        return MnemicAdminClient(
            self._address, api_key=self._connection.api_key, credentials=self._connection.credentials()
        )

    def search(self, request: SearchRequest) -> SearchResult:
        """See `Backend.search`."""
        return self._client.search(request.query, **_search_options(request))

    def compose(self, request: ComposeRequest) -> ComposedContext:
        """See `Backend.compose`."""
        return self._client.compose(
            request.search.query,
            token_budget=request.token_budget,
            tokenizer=request.tokenizer,
            include_instructions=request.include_instructions,
            **_search_options(request.search),
        )

    def get(self, memory_id: str, scope: Scope | None) -> Memory:
        """See `Backend.get`."""
        return self._client.get(memory_id, **_ids(scope))

    def list_memories(self, request: ListRequest) -> MemoryPage:
        """See `Backend.list_memories`."""
        return self._client.list(
            page_token=request.page_token,
            page_size=request.page_size,
            match=request.match,
            filters=request.filter,
            as_of=_moment(request.as_of_micros),
            include_superseded=request.include_superseded,
            include_expired=request.include_expired,
            **_ids(request.scope),
        )

    def update(
        self, memory_id: str, changes: MemoryUpdate, *, expected_version: int, scope: Scope | None
    ) -> UpdateResult:
        """See `Backend.update`."""
        values: dict[str, object] = {"expected_version": expected_version, **_ids(scope)}
        for name in changes.fields - {"body"}:
            value = getattr(changes, name)
            # The client takes moments as datetimes and names them without their unit.
            values[name.removesuffix(_MICROS)] = _moment(value) if name.endswith(_MICROS) else value
        text = changes.body if "body" in changes.fields else None
        return self._client.update(memory_id, text, **cast("UpdateOptions", values))

    def delete(self, memory_id: str, *, expected_version: int, scope: Scope | None) -> DeleteResult:
        """See `Backend.delete`."""
        return self._client.delete(memory_id, expected_version=expected_version, **_ids(scope))

    def restore(self, memory_id: str, *, scope: Scope | None) -> UpdateResult:
        """See `Backend.restore`."""
        return self._client.restore(memory_id, **_ids(scope))

    def history(self, memory_id: str, scope: Scope | None) -> list[MemoryRevision]:
        """See `Backend.history`."""
        return list(self._client.history(memory_id, **_ids(scope)))

    def list_scopes(self, scope: Scope, *, page_size: int, page_token: str) -> ScopePage:
        """See `Backend.list_scopes`."""
        return self._client.list_scopes(page_size=page_size, page_token=page_token, **_ids(scope))

    def export_memories(self, request: ExportRequest) -> Iterator[ExportPiece]:
        """See `Backend.export_memories`."""
        return self._client.export_memories(
            match=request.match,
            format=request.format,
            include_history=request.include_history,
            include_vectors=request.include_vectors,
            resume_token=request.resume_token,
            **_ids(request.scope),
        )

    def import_memories(self, request: ImportRequest, chunks: Iterator[bytes]) -> Iterator[ImportProgress]:
        """See `Backend.import_memories`."""
        return self._client.import_memories(
            chunks,
            request.format,
            keep_vectors=request.keep_vectors,
            extract=request.extract,
            validate_only=request.validate_only,
            stop_on_error=request.stop_on_error,
            **_ids(request.default_scope),
        )

    def stats(self) -> NodeStats:
        """See `Backend.stats`."""
        return self._client.stats()

    def is_serving(self, timeout_seconds: float) -> bool:
        """Whether the server answers and takes calls."""
        return self._client.is_serving(timeout=timeout_seconds)

    def close(self) -> None:
        """See `Backend.close`."""
        self._client.close()


def _search_options(request: SearchRequest) -> SearchOptions:
    """What the commands can ask of a search, as the client's keywords."""
    options = {
        "match": request.match,
        "filters": request.filter,
        "as_of": _moment(request.as_of_micros),
        "top_k": request.top_k,
        "profile": request.profile,
        "weights": request.weights,
        "min_score": request.min_score,
        "explain": request.explain,
        "include_superseded": request.include_superseded,
        "context_window": request.context_window,
        "rerank": request.rerank,
        "separate": request.separate,
        "min_confidence": request.min_confidence,
        **_ids(request.scope),
    }
    return cast("SearchOptions", options)


def _ids(scope: Scope | None) -> ScopeOptions:
    """The ids as the client's keywords; none without a scope."""
    if scope is None:
        return {}
    return {
        "user_id": scope.user_id,
        "agent_id": scope.agent_id,
        "session_id": scope.session_id,
        "app_id": scope.app_id,
    }


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
