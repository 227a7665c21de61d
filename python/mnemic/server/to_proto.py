"""Answers of the engine as messages. Each is built once, by keywords: that is the cheapest way to build one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mnemic.model.context import ComposedContext
from mnemic.model.memory import AddResult, Memory, MemoryRevision, ScopeSummary
from mnemic.model.operations import DeadLetter, Operation
from mnemic.model.search import ContextMessage, SearchHit, SearchResult, SignalScore
from mnemic.model.watching import WatchedChanges
from mnemic.v1 import admin_service_pb2, memory_service_pb2, query_pb2, resources_pb2
from mnemic.wire.values import metadata_to_proto, scope_to_proto, timestamp_from_micros

# Numbers of the domain's enums typed as the wire's; at run time each is `int`.
_MemoryKind = resources_pb2.MemoryKind.ValueType
_Role = resources_pb2.Role.ValueType
_TimePrecision = resources_pb2.TimePrecision.ValueType
_TrustLevel = resources_pb2.TrustLevel.ValueType
_ChangeKind = resources_pb2.ChangeKind.ValueType
_OperationState = resources_pb2.OperationState.ValueType
_WorkKind = admin_service_pb2.WorkKind.ValueType

_LISTS = frozenset({"categories", "source_ids", "entities"})


def _timestamp(micros: int | None) -> Timestamp | None:
    return None if micros is None else timestamp_from_micros(micros)


def memory(value: Memory) -> resources_pb2.Memory:
    """A memory with everything that the engine read of it."""
    return resources_pb2.Memory(
        memory_id=value.memory_id,
        scope=scope_to_proto(value.scope),
        kind=_MemoryKind(value.kind),
        body=value.body,
        role=_Role(value.role),
        name=value.name,
        event_time=_timestamp(value.event_time_micros),
        event_time_end=_timestamp(value.event_time_end_micros),
        event_time_precision=_TimePrecision(value.event_time_precision),
        create_time=_timestamp(value.create_time_micros),
        update_time=_timestamp(value.update_time_micros),
        valid_from=_timestamp(value.valid_from_micros),
        valid_to=_timestamp(value.valid_to_micros),
        expire_time=_timestamp(value.expire_time_micros),
        metadata=metadata_to_proto(value.metadata),
        categories=value.categories,
        source_ids=value.source_ids,
        entities=value.entities,
        slot=value.slot,
        slot_value=value.slot_value,
        superseded_by=value.superseded_by or "",
        confidence=value.confidence,
        importance=value.importance,
        pinned=value.pinned,
        trust=_TrustLevel(value.trust),
        version=value.version,
        revision=value.revision,
        vector=value.vector or b"",
        embedding_model=value.embedding_model or "",
    )


def memory_revision(value: MemoryRevision) -> resources_pb2.MemoryRevision:
    """One entry of a history."""
    return resources_pb2.MemoryRevision(
        change=_ChangeKind(value.change),
        memory=memory(value.memory),
        change_time=_timestamp(value.change_time_micros),
        revision=value.revision,
        reason=value.reason,
    )


def watch_response(changes: WatchedChanges) -> memory_service_pb2.WatchMemoriesResponse:
    """What changed, or a heartbeat."""
    return memory_service_pb2.WatchMemoriesResponse(
        changes=[memory_revision(entry) for entry in changes], revision=changes.revision
    )


def scope_summary(value: ScopeSummary) -> memory_service_pb2.ScopeSummary:
    """One scope with its count."""
    return memory_service_pb2.ScopeSummary(
        scope=scope_to_proto(value.scope),
        memory_count=value.memory_count,
        first_create_time=_timestamp(value.first_create_time_micros),
        last_create_time=_timestamp(value.last_create_time_micros),
    )


def add_response(result: AddResult) -> memory_service_pb2.AddMemoriesResponse:
    """What became of an add."""
    return memory_service_pb2.AddMemoriesResponse(
        memories=[
            memory_service_pb2.AddedMemory(
                memory_id=item.memory_id,
                version=item.version,
                duplicate=item.duplicate,
                embedding_pending=item.embedding_pending,
            )
            for item in result.memories
        ],
        revision=result.revision,
        operation_id=result.operation_id,
        replayed=result.replayed,
    )


def operation_response(value: Operation) -> memory_service_pb2.GetOperationResponse:
    """How far an operation is."""
    return memory_service_pb2.GetOperationResponse(
        state=_OperationState(value.state),
        attempts=value.attempts,
        last_error=value.last_error,
        memory_ids=value.memory_ids,
        revision=value.revision,
        next_attempt_time=_timestamp(value.next_attempt_time_micros),
    )


def dead_letter(value: DeadLetter) -> admin_service_pb2.DeadLetter:
    """Work that was given up."""
    return admin_service_pb2.DeadLetter(
        operation_id=value.operation_id,
        tenant_id=value.tenant,
        kind=_WorkKind(value.kind),
        memory_ids=value.memory_ids,
        attempts=value.attempts,
        last_error=value.last_error,
        create_time=_timestamp(value.create_time_micros),
        fail_time=_timestamp(value.fail_time_micros),
    )


def compose_response(composed: ComposedContext) -> memory_service_pb2.ComposeContextResponse:
    """A block of prompt."""
    return memory_service_pb2.ComposeContextResponse(
        text=composed.text,
        token_count=composed.token_count,
        memory_ids=composed.memory_ids,
        revision=composed.revision,
        omitted=composed.omitted,
        vector_skipped=composed.vector_skipped,
        rerank_skipped=composed.rerank_skipped,
    )


def search_response(result: SearchResult, parts: frozenset[str]) -> memory_service_pb2.SearchMemoriesResponse:
    """What a search found, with the optional parts of each hit that were asked for."""
    timings = result.timings
    return memory_service_pb2.SearchMemoriesResponse(
        hits=[search_hit(hit, parts) for hit in result.hits],
        revision=result.revision,
        timings=memory_service_pb2.StageTimings(
            prepare_micros=timings.prepare,
            embed_micros=timings.embed,
            load_micros=timings.load,
            search_micros=timings.search,
            rerank_micros=timings.rerank,
            total_micros=timings.total,
        ),
        considered=result.considered,
        vector_skipped=result.vector_skipped,
        rerank_skipped=result.rerank_skipped,
        abstain=result.abstain,
        confidence=result.confidence,
    )


def search_hit(hit: SearchHit, parts: frozenset[str]) -> memory_service_pb2.SearchHit:
    """One hit."""
    found = hit.memory
    return memory_service_pb2.SearchHit(
        memory_id=found.memory_id,
        body=found.body,
        score=hit.score,
        kind=_MemoryKind(found.kind),
        role=_Role(found.role),
        name=found.name,
        event_time_micros=found.event_time_micros,
        create_time_micros=found.create_time_micros,
        version=found.version,
        score_parts=score_parts(hit.score_parts) if hit.score_parts else None,
        before=map(_context_message, hit.before),
        after=map(_context_message, hit.after),
        group_id=hit.group_id,
        grouped=[search_hit(other, parts) for other in hit.grouped],
        **(_hit_parts(found, parts) if parts else {}),
    )


def _context_message(message: ContextMessage) -> memory_service_pb2.ContextMessage:
    return memory_service_pb2.ContextMessage(
        memory_id=message.memory_id,
        body=message.body,
        role=_Role(message.role),
        name=message.name,
        event_time_micros=message.event_time_micros,
    )


def _hit_parts(found: Memory, parts: frozenset[str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(found, name) for name in _LISTS & parts}
    if "scope" in parts:
        values["scope"] = scope_to_proto(found.scope)
    if "metadata" in parts:
        values["metadata"] = metadata_to_proto(found.metadata)
    if "slot" in parts:
        values |= {"slot": found.slot, "slot_value": found.slot_value}
    if "validity" in parts:
        values |= {"valid_from_micros": found.valid_from_micros, "valid_to_micros": found.valid_to_micros}
    return values


def score_parts(parts: Mapping[str, SignalScore]) -> query_pb2.ScoreParts:
    """What a score is made of, by signal."""
    return query_pb2.ScoreParts(
        **{
            name: query_pb2.SignalScore(raw=part.raw, normalized=part.normalized, weight=part.weight, rank=part.rank)
            for name, part in parts.items()
        }
    )
