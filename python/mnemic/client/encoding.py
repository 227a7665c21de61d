"""Domain requests as messages of the contract."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from mnemic.client.requests import AddRequest, DeleteRequest, RestoreRequest, UpdateRequest
from mnemic.model.context import ComposeRequest
from mnemic.model.memory import MemoryInput
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest, SignalWeights
from mnemic.model.watching import WatchRequest
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import query_pb2, resources_pb2
from mnemic.wire.values import filter_to_proto, metadata_to_proto, scope_to_proto, timestamp_from_micros

# Numbers of the domain's enums typed as the wire's; at run time each is `int`.
_Mode = pb.AddMode.ValueType
_Wait = pb.WaitFor.ValueType
_Kind = resources_pb2.MemoryKind.ValueType
_Role = resources_pb2.Role.ValueType
_Precision = resources_pb2.TimePrecision.ValueType
_Trust = resources_pb2.TrustLevel.ValueType
_Match = resources_pb2.ScopeMatch.ValueType

# A vector comes only when the mask names it, and then the mask names everything that is to come.
_EVERYTHING = FieldMask(paths=list(resources_pb2.Memory.DESCRIPTOR.fields_by_name))


def memory_mask(*, with_vector: bool) -> FieldMask | None:
    """The mask of a read: None for everything but the vector."""
    return _EVERYTHING if with_vector else None


def new_request_id(given: str) -> str:
    """The caller's request id, or one for this call, so that a retry of it is safe."""
    return given or str(uuid.uuid4())


def add(request: AddRequest) -> pb.AddMemoriesRequest:
    """The message of an add."""
    return pb.AddMemoriesRequest(
        scope=scope_to_proto(request.scope),
        memories=[_memory_input(item) for item in request.memories],
        request_id=new_request_id(request.request_id),
        mode=_Mode(request.mode or 0),
        wait_for=_Wait(request.wait_for),
        extraction_instructions=request.extraction_instructions,
    )


def _memory_input(item: MemoryInput) -> pb.MemoryInput:
    return pb.MemoryInput(
        body=item.body,
        kind=_Kind(item.kind),
        role=_Role(item.role or 0),
        name=item.name,
        event_time=_timestamp(item.event_time_micros),
        event_time_end=_timestamp(item.event_time_end_micros),
        event_time_precision=_Precision(item.event_time_precision),
        expire_time=_timestamp(item.expire_time_micros),
        metadata=metadata_to_proto(item.metadata),
        categories=item.categories,
        entities=item.entities,
        vector=item.vector or b"",
        source_ids=item.source_ids,
        importance=item.importance,
        pinned=item.pinned,
        trust=_Trust(item.trust or 0),
        slot=item.slot,
        slot_value=item.slot_value,
        supersedes=item.supersedes,
    )


def search(request: SearchRequest, parts: Collection[str]) -> pb.SearchMemoriesRequest:
    """The message of a search that asks for these optional parts of its hits."""
    return pb.SearchMemoriesRequest(
        scope=scope_to_proto(request.scope),
        match=_Match(request.match),
        query=request.query,
        vector=request.vector or b"",
        filter=None if request.filter is None else filter_to_proto(request.filter),
        as_of=_timestamp(request.as_of_micros),
        reference_time=_timestamp(request.reference_time_micros),
        top_k=request.top_k,
        profile=request.profile,
        weights=_weights(request.weights),
        min_score=request.min_score,
        min_revision=request.min_revision,
        explain=request.explain,
        read_mask=FieldMask(paths=parts),
        include_superseded=request.include_superseded,
        context_window=request.context_window,
        rerank=request.rerank,
        separate=request.separate,
        min_confidence=request.min_confidence,
    )


def _weights(weights: SignalWeights) -> query_pb2.SignalWeights:
    return query_pb2.SignalWeights(
        vector=weights.vector,
        lexical=weights.lexical,
        entity=weights.entity,
        time=weights.time,
        actor=weights.actor,
        recency=weights.recency,
        context=weights.context,
    )


def batch_search(requests: Sequence[SearchRequest], parts: Collection[str]) -> pb.BatchSearchMemoriesRequest:
    """The message of a batch of searches."""
    return pb.BatchSearchMemoriesRequest(searches=[search(request, parts) for request in requests])


def compose(request: ComposeRequest) -> pb.ComposeContextRequest:
    """The message of a context."""
    return pb.ComposeContextRequest(
        search=search(request.search, ()),
        token_budget=request.token_budget,
        tokenizer=request.tokenizer,
        include_instructions=request.include_instructions,
    )


def get(memory_id: str, scope: Scope | None, *, with_vector: bool) -> pb.GetMemoryRequest:
    """The message of a read by id."""
    return pb.GetMemoryRequest(
        memory_id=memory_id, read_mask=memory_mask(with_vector=with_vector), scope=optional_scope(scope)
    )


def batch_get(memory_ids: Sequence[str], scope: Scope | None, *, with_vectors: bool) -> pb.BatchGetMemoriesRequest:
    """The message of a read by ids."""
    return pb.BatchGetMemoriesRequest(
        memory_ids=memory_ids, read_mask=memory_mask(with_vector=with_vectors), scope=optional_scope(scope)
    )


def list_memories(request: ListRequest) -> pb.ListMemoriesRequest:
    """The message of a listing's page."""
    return pb.ListMemoriesRequest(
        scope=scope_to_proto(request.scope),
        match=_Match(request.match),
        filter=None if request.filter is None else filter_to_proto(request.filter),
        page_size=request.page_size,
        page_token=request.page_token,
        as_of=_timestamp(request.as_of_micros),
        include_superseded=request.include_superseded,
        include_expired=request.include_expired,
        read_mask=memory_mask(with_vector=request.with_vectors),
    )


def update(request: UpdateRequest) -> pb.UpdateMemoryRequest:
    """The message of an update. A field that the mask names and that is not set is cleared."""
    changes = request.changes
    return pb.UpdateMemoryRequest(
        memory=_changed_memory(request.memory_id, changes),
        update_mask=FieldMask(paths=_mask_paths(changes)),
        expected_version=request.expected_version,
        request_id=new_request_id(request.request_id),
        scope=optional_scope(request.scope),
    )


def _changed_memory(memory_id: str, changes: MemoryUpdate) -> resources_pb2.Memory:
    """The memory with what changes and nothing else."""
    values = {
        "body": changes.body,
        "name": changes.name,
        "event_time": _timestamp(changes.event_time_micros),
        "event_time_end": _timestamp(changes.event_time_end_micros),
        "event_time_precision": _Precision(changes.event_time_precision),
        "expire_time": _timestamp(changes.expire_time_micros),
        "metadata": metadata_to_proto(changes.metadata),
        "categories": changes.categories,
        "entities": changes.entities,
        "importance": changes.importance,
        "pinned": changes.pinned,
        "trust": _Trust(changes.trust or 0),
        "slot": changes.slot,
        "slot_value": changes.slot_value,
        "vector": changes.vector or b"",
    }
    given: dict[str, Any] = {name: values[name] for name in _mask_paths(changes)}
    return resources_pb2.Memory(memory_id=memory_id, **given)


def _mask_paths(changes: MemoryUpdate) -> list[str]:
    return sorted(name.removesuffix("_micros") for name in changes.fields)


def delete(request: DeleteRequest) -> pb.DeleteMemoryRequest:
    """The message of a deletion."""
    return pb.DeleteMemoryRequest(
        memory_id=request.memory_id,
        expected_version=request.expected_version,
        request_id=new_request_id(request.request_id),
        scope=optional_scope(request.scope),
    )


def restore(request: RestoreRequest) -> pb.RestoreMemoryRequest:
    """The message of a restoration."""
    return pb.RestoreMemoryRequest(
        memory_id=request.memory_id,
        request_id=new_request_id(request.request_id),
        scope=optional_scope(request.scope),
    )


def watch(request: WatchRequest) -> pb.WatchMemoriesRequest:
    """The message of a watch."""
    heartbeat = Duration()
    heartbeat.FromMicroseconds(round(request.heartbeat_seconds * 1e6))
    return pb.WatchMemoriesRequest(
        scope=scope_to_proto(request.scope),
        match=_Match(request.match),
        after_revision=request.after_revision,
        from_start=request.from_start,
        filter=None if request.filter is None else filter_to_proto(request.filter),
        heartbeat=heartbeat,
    )


def optional_scope(scope: Scope | None) -> resources_pb2.Scope | None:
    """The message of a scope, if there is one."""
    return None if scope is None else scope_to_proto(scope)


def _timestamp(micros: int | None) -> Timestamp | None:
    return None if micros is None else timestamp_from_micros(micros)
