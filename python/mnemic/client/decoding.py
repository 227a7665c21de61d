"""Answers of the contract as domain results."""

from __future__ import annotations

from typing import Any

from mnemic.client.results import AddResult, History, MemoryPage, SearchResult
from mnemic.model.context import ComposedContext
from mnemic.model.memory import (
    AddedMemory,
    ChangeKind,
    Memory,
    MemoryInput,
    MemoryKind,
    MemoryRevision,
    Role,
    ScopeSummary,
    TimePrecision,
    TrustLevel,
)
from mnemic.model.operations import Operation, OperationState
from mnemic.model.requests import DeleteResult, ScopePage, UpdateResult
from mnemic.model.search import ContextMessage, SearchHit, SignalScore, StageTimings
from mnemic.model.stats import IndexStats, NodeStats, StoreStats
from mnemic.model.watching import WatchedChanges
from mnemic.v1 import admin_service_pb2, query_pb2, resources_pb2
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.wire.values import metadata_from_proto, micros_from_timestamp, scope_from_proto


def add(response: pb.AddMemoriesResponse, inputs: tuple[MemoryInput, ...]) -> AddResult:
    """The result of an add."""
    added = tuple(
        AddedMemory(item.memory_id, item.version, item.duplicate, item.embedding_pending) for item in response.memories
    )
    return AddResult(added, response.revision, response.operation_id, response.replayed, inputs)


def search(response: pb.SearchMemoriesResponse) -> SearchResult:
    """The result of a search."""
    timings = response.timings
    return SearchResult(
        hits=tuple(_hit(message) for message in response.hits),
        revision=response.revision,
        timings=StageTimings(
            prepare=timings.prepare_micros,
            embed=timings.embed_micros,
            load=timings.load_micros,
            search=timings.search_micros,
            rerank=timings.rerank_micros,
            total=timings.total_micros,
        ),
        considered=response.considered,
        vector_skipped=response.vector_skipped,
        rerank_skipped=response.rerank_skipped,
        abstain=response.abstain,
        confidence=response.confidence if response.HasField("confidence") else None,
    )


def batch_search(response: pb.BatchSearchMemoriesResponse) -> list[SearchResult]:
    """The results of a batch."""
    return [search(result) for result in response.results]


def compose(response: pb.ComposeContextResponse) -> ComposedContext:
    """The block of prompt."""
    return ComposedContext(
        text=response.text,
        token_count=response.token_count,
        memory_ids=tuple(response.memory_ids),
        revision=response.revision,
        omitted=response.omitted,
        vector_skipped=response.vector_skipped,
        rerank_skipped=response.rerank_skipped,
    )


def _hit(message: pb.SearchHit) -> SearchHit:
    parts = _score_parts(message.score_parts) if message.HasField("score_parts") else {}
    return SearchHit(
        memory=_hit_memory(message),
        score=message.score,
        score_parts=parts,
        before=tuple(map(_context_message, message.before)),
        after=tuple(map(_context_message, message.after)),
        group_id=message.group_id,
        grouped=tuple(map(_hit, message.grouped)),
    )


def _context_message(message: pb.ContextMessage) -> ContextMessage:
    time = message.event_time_micros if message.HasField("event_time_micros") else None
    return ContextMessage(message.memory_id, message.body, Role(message.role), message.name, time)


def _hit_memory(message: pb.SearchHit) -> Memory:
    """What a hit says of its memory. The rest of its fields have their defaults."""
    create_time = message.create_time_micros
    valid_from = message.valid_from_micros if message.HasField("valid_from_micros") else create_time
    return Memory(
        memory_id=message.memory_id,
        scope=scope_from_proto(message.scope),
        kind=MemoryKind(message.kind),
        body=message.body,
        role=Role(message.role),
        name=message.name,
        event_time_micros=message.event_time_micros if message.HasField("event_time_micros") else None,
        create_time_micros=create_time,
        # A later version holds from its writing (the contract, Memory.valid_from).
        update_time_micros=create_time if message.version <= 1 else valid_from,
        valid_from_micros=valid_from,
        valid_to_micros=message.valid_to_micros if message.HasField("valid_to_micros") else None,
        metadata=metadata_from_proto(message.metadata),
        categories=tuple(message.categories),
        source_ids=tuple(message.source_ids),
        entities=tuple(message.entities),
        slot=message.slot,
        slot_value=message.slot_value,
        version=message.version,
    )


def _score_parts(message: query_pb2.ScoreParts) -> dict[str, SignalScore]:
    return {
        field.name: SignalScore(part.raw, part.normalized, part.weight, part.rank)
        for field, part in message.ListFields()
    }


def memory(message: resources_pb2.Memory) -> Memory:
    """A memory."""
    return Memory(
        memory_id=message.memory_id,
        scope=scope_from_proto(message.scope),
        kind=MemoryKind(message.kind),
        body=message.body,
        role=Role(message.role),
        name=message.name,
        event_time_micros=_moment(message, "event_time"),
        event_time_end_micros=_moment(message, "event_time_end"),
        event_time_precision=TimePrecision(message.event_time_precision),
        create_time_micros=micros_from_timestamp(message.create_time),
        update_time_micros=micros_from_timestamp(message.update_time),
        valid_from_micros=micros_from_timestamp(message.valid_from),
        valid_to_micros=_moment(message, "valid_to"),
        expire_time_micros=_moment(message, "expire_time"),
        metadata=metadata_from_proto(message.metadata),
        categories=tuple(message.categories),
        source_ids=tuple(message.source_ids),
        entities=tuple(message.entities),
        slot=message.slot,
        slot_value=message.slot_value,
        superseded_by=message.superseded_by or None,
        confidence=message.confidence,
        importance=message.importance,
        pinned=message.pinned,
        trust=TrustLevel(message.trust),
        version=message.version,
        revision=message.revision,
        vector=message.vector or None,
        embedding_model=message.embedding_model or None,
    )


def get(response: pb.GetMemoryResponse) -> Memory:
    """The memory that was asked for."""
    return memory(response.memory)


def batch_get(response: pb.BatchGetMemoriesResponse) -> tuple[list[Memory], list[str]]:
    """The memories that were found and the ids that were not."""
    return [memory(message) for message in response.memories], list(response.missing_ids)


def list_memories(response: pb.ListMemoriesResponse) -> MemoryPage:
    """One page of a listing."""
    return MemoryPage(
        tuple(memory(message) for message in response.memories), response.next_page_token, response.revision
    )


def update(response: pb.UpdateMemoryResponse | pb.RestoreMemoryResponse) -> UpdateResult:
    """The result of an update or a restoration."""
    return UpdateResult(memory(response.memory), response.revision, response.replayed)


def delete(response: pb.DeleteMemoryResponse) -> DeleteResult:
    """The result of a deletion."""
    return DeleteResult(response.revision, response.replayed)


def history(response: pb.GetMemoryHistoryResponse) -> History:
    """The versions of a memory."""
    return History(map(_revision, response.revisions))


def watched(response: pb.WatchMemoriesResponse) -> WatchedChanges:
    """What changed, or a heartbeat."""
    return WatchedChanges(tuple(map(_revision, response.changes)), response.revision)


def _revision(entry: resources_pb2.MemoryRevision) -> MemoryRevision:
    return MemoryRevision(
        ChangeKind(entry.change),
        memory(entry.memory),
        micros_from_timestamp(entry.change_time),
        entry.revision,
        entry.reason,
    )


def list_scopes(response: pb.ListScopesResponse) -> ScopePage:
    """One page of the scopes."""
    scopes = tuple(
        ScopeSummary(
            scope_from_proto(item.scope),
            item.memory_count,
            micros_from_timestamp(item.first_create_time),
            micros_from_timestamp(item.last_create_time),
        )
        for item in response.scopes
    )
    return ScopePage(scopes, response.next_page_token)


def operation(response: pb.GetOperationResponse, operation_id: str) -> Operation:
    """How far an operation is."""
    return Operation(
        operation_id=operation_id,
        state=OperationState(response.state),
        attempts=response.attempts,
        last_error=response.last_error,
        memory_ids=tuple(response.memory_ids),
        revision=response.revision,
        next_attempt_time_micros=_moment(response, "next_attempt_time"),
    )


def stats(response: admin_service_pb2.GetStatsResponse) -> NodeStats:
    """What the node holds; of one tenant the model is not told."""
    store, index, server = response.store, response.index, response.server
    return NodeStats(
        StoreStats(
            tenants=store.tenant_count,
            scopes=store.scope_count,
            memories=store.memory_count,
            versions=store.version_count,
            vectors=store.vector_count,
            outbox_pending=store.pending_work_count,
            outbox_failed=store.dead_letter_count,
            revision=store.revision,
            bytes_on_disk=store.disk_bytes,
            body_bytes=store.body_bytes,
            added=store.added_last_day_count,
        ),
        IndexStats(
            partitions=index.partition_count,
            rows=index.row_count,
            current=index.current_row_count,
            vectors=index.vector_count,
            bytes=index.memory_bytes,
        ),
        server.embedding_model,
        server.embedding_dimension,
    )


def _moment(message: Any, name: str) -> int | None:  # noqa: ANN401 (a message that has the field)
    return micros_from_timestamp(getattr(message, name)) if message.HasField(name) else None
