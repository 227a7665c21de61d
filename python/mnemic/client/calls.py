"""Every unary RPC as one value: its method, its message and how to read the answer. Both gRPC clients make them so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, Unpack

from mnemic.client import decoding, encoding, requests
from mnemic.client.encodable import encodable
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
)
from mnemic.client.results import AddResult, History, MemoryPage, SearchResult
from mnemic.model.context import ComposedContext
from mnemic.model.memory import Memory
from mnemic.model.operations import Operation
from mnemic.model.requests import DeleteResult, ScopePage, UpdateResult
from mnemic.model.stats import NodeStats
from mnemic.v1 import admin_service_pb2
from mnemic.v1 import memory_service_pb2 as pb

Result = TypeVar("Result")

# All optional parts of a hit, so that what a hit lacks the memory lacks; name fewer for a leaner answer.
ALL_PARTS: tuple[HitPart, ...] = ("scope", "metadata", "categories", "source_ids", "entities", "slot", "validity")


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One call.

    Attributes:
        method: The RPC's name.
        message: What is sent.
        decode: The result of the answer.
        is_admin: Whether the RPC is of AdminService rather than of MemoryService.
        is_lifecycle: Whether it is of LifecycleService.
    """

    method: str
    message: Any
    decode: Callable[[Any], Result]
    is_admin: bool = False
    is_lifecycle: bool = False


def add(messages: FriendlyMessages, **options: Unpack[AddOptions]) -> Call[AddResult]:
    """AddMemories."""
    request = requests.add_request(messages, **options)
    with encodable(request):
        return Call("AddMemories", encoding.add(request), partial(decoding.add, inputs=request.memories))


def search(query: str, include: Collection[HitPart], **options: Unpack[SearchOptions]) -> Call[SearchResult]:
    """SearchMemories."""
    request = requests.search_request(query, **options)
    with encodable(request):
        return Call("SearchMemories", encoding.search(request, include), decoding.search)


def batch_search(searches: Sequence[FriendlySearch], include: Collection[HitPart]) -> Call[list[SearchResult]]:
    """BatchSearchMemories."""
    batch = requests.search_requests(searches)
    with encodable():
        return Call("BatchSearchMemories", encoding.batch_search(batch, include), decoding.batch_search)


def compose(query: str, **options: Unpack[ComposeOptions]) -> Call[ComposedContext]:
    """ComposeContext."""
    request = requests.compose_request(query, **options)
    with encodable(request):
        return Call("ComposeContext", encoding.compose(request), decoding.compose)


def get(memory_id: str, *, with_vector: bool, **ids: Unpack[ScopeOptions]) -> Call[Memory]:
    """GetMemory."""
    scope = requests.optional_scope(**ids)
    with encodable():
        return Call("GetMemory", encoding.get(memory_id, scope, with_vector=with_vector), decoding.get)


def batch_get(
    memory_ids: Sequence[str], *, with_vectors: bool, **ids: Unpack[ScopeOptions]
) -> Call[tuple[list[Memory], list[str]]]:
    """BatchGetMemories."""
    scope = requests.optional_scope(**ids)
    wanted = requests.memory_ids_of(memory_ids)
    with encodable():
        message = encoding.batch_get(wanted, scope, with_vectors=with_vectors)
        return Call("BatchGetMemories", message, decoding.batch_get)


def list_memories(page_token: str, options: ListOptions) -> Call[MemoryPage]:
    """ListMemories."""
    request = requests.list_request(page_token=page_token, **options)
    with encodable(request):
        return Call("ListMemories", encoding.list_memories(request), decoding.list_memories)


def update(memory_id: str, text: str | None, **options: Unpack[UpdateOptions]) -> Call[UpdateResult]:
    """UpdateMemory."""
    request = requests.update_request(memory_id, text, **options)
    with encodable(request):
        return Call("UpdateMemory", encoding.update(request), decoding.update)


def delete(memory_id: str, **options: Unpack[DeleteOptions]) -> Call[DeleteResult]:
    """DeleteMemory."""
    request = requests.delete_request(memory_id, **options)
    with encodable():
        return Call("DeleteMemory", encoding.delete(request), decoding.delete)


def restore(memory_id: str, **options: Unpack[RestoreOptions]) -> Call[UpdateResult]:
    """RestoreMemory."""
    request = requests.restore_request(memory_id, **options)
    with encodable():
        return Call("RestoreMemory", encoding.restore(request), decoding.update)


def history(memory_id: str, **ids: Unpack[ScopeOptions]) -> Call[History]:
    """GetMemoryHistory."""
    scope = requests.optional_scope(**ids)
    with encodable():
        message = pb.GetMemoryHistoryRequest(memory_id=memory_id, scope=encoding.optional_scope(scope))
        return Call("GetMemoryHistory", message, decoding.history)


def list_scopes(page_size: int, page_token: str, **ids: Unpack[ScopeOptions]) -> Call[ScopePage]:
    """ListScopes."""
    scope = requests.optional_scope(**ids)
    with encodable():
        message = pb.ListScopesRequest(scope=encoding.optional_scope(scope), page_size=page_size, page_token=page_token)
        return Call("ListScopes", message, decoding.list_scopes)


def operation(operation_id: str, wait: float) -> Call[Operation]:
    """GetOperation."""
    with encodable():
        message = pb.GetOperationRequest(operation_id=operation_id)
        if wait:
            message.wait.FromMicroseconds(round(wait * 1e6))
        return Call("GetOperation", message, partial(decoding.operation, operation_id=operation_id))


def stats(*, all_tenants: bool) -> Call[NodeStats]:
    """GetStats of AdminService."""
    return Call("GetStats", admin_service_pb2.GetStatsRequest(all_tenants=all_tenants), decoding.stats, is_admin=True)
