"""Requests of the wire as domain types.

Only what the wire alone can have wrong is refused here: enum numbers that nobody defined, oneofs that are not set,
timestamps out of range, field masks, and parts of the contract that this version does not carry out. Everything
about values is refused by the engine, so that callers in process get the same answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import IntEnum
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mnemic.model.context import ComposeRequest, hits_for_budget
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.filters import MAX_FILTER_DEPTH, AllOf, AnyOf, Comparison, Filter, Not, Operator
from mnemic.model.memory import MemoryInput, MemoryKind, Role, TimePrecision, TrustLevel
from mnemic.model.requests import AddMode, ListRequest, WaitFor
from mnemic.model.scope import ScopeMatch
from mnemic.model.search import DEFAULT_TOP_K, SearchRequest, SignalWeights
from mnemic.model.watching import DEFAULT_HEARTBEAT_SECONDS, WatchRequest
from mnemic.server.masks import read_mask
from mnemic.v1 import memory_service_pb2, query_pb2
from mnemic.wire.values import (
    metadata_from_proto,
    metadata_value_from_proto,
    micros_from_timestamp,
    scope_from_proto,
)

# The range of google.protobuf.Timestamp: years 1 to 9999.
_MIN_SECONDS, _MAX_SECONDS = -62_135_596_800, 253_402_300_799
_MAX_NANOS = 999_999_999
# The range of google.protobuf.Duration.
_MAX_DURATION_SECONDS = 315_576_000_000

E = TypeVar("E", bound=IntEnum)
F = TypeVar("F")


def enum_value(kind: type[E], number: int, field: str, *, unspecified: F) -> E | F:
    """The member of a domain enum; 0 means what the contract says for it."""
    if number == 0:
        return unspecified
    return _known(kind, number, field, Reason.INVALID_FIELD)


def _known(kind: type[E], number: int, field: str, reason: Reason) -> E:
    try:
        return kind(number)
    except ValueError:
        known = ", ".join(f"{member.value} ({member.name})" for member in kind)
        raise invalid_field(field, f"has the unknown value {number}; known are {known}", reason=reason) from None


def scope_match(number: int) -> ScopeMatch:
    """How the ids select."""
    return enum_value(ScopeMatch, number, "match", unspecified=ScopeMatch.VISIBLE)


def micros(timestamp: Timestamp, field: str) -> int:
    """Microseconds since 1970-01-01 UTC; finer parts are cut off."""
    if not (_MIN_SECONDS <= timestamp.seconds <= _MAX_SECONDS and 0 <= timestamp.nanos <= _MAX_NANOS):
        raise invalid_field(
            field, "is not a valid timestamp; years 1 to 9999 with 0 to 999,999,999 nanoseconds are accepted"
        )
    return micros_from_timestamp(timestamp)


def seconds(duration: Duration, field: str) -> float:
    """A duration in seconds."""
    if abs(duration.seconds) > _MAX_DURATION_SECONDS or abs(duration.nanos) > _MAX_NANOS:
        raise invalid_field(field, "is not a valid duration; up to 10,000 years are accepted")
    return float(duration.seconds + duration.nanos / 1e9)


def filter_condition(message: query_pb2.Filter, field: str = "filter", depth: int = 1) -> Filter:
    """A condition; the engine checks fields and values.

    Raises:
        MnemicError: INVALID_FILTER for a node without contents, an unknown operator, or one that is too deep.
    """
    if depth > MAX_FILTER_DEPTH:
        raise invalid_field(field, f"is nested deeper than {MAX_FILTER_DEPTH} levels", reason=Reason.INVALID_FILTER)
    match message.WhichOneof("node"):
        case "comparison":
            return _comparison(message.comparison, f"{field}.comparison")
        case "all_of":
            return AllOf(_conditions(message.all_of.filters, f"{field}.all_of.filters", depth))
        case "any_of":
            return AnyOf(_conditions(message.any_of.filters, f"{field}.any_of.filters", depth))
        case "negation":
            return Not(filter_condition(message.negation, f"{field}.negation", depth + 1))
        case _:
            description = "is empty; set exactly one of comparison, all_of, any_of and negation"
            raise invalid_field(field, description, reason=Reason.INVALID_FILTER)


def _conditions(messages: Iterable[query_pb2.Filter], field: str, depth: int) -> tuple[Filter, ...]:
    return tuple(
        filter_condition(message, f"{field}[{position}]", depth + 1) for position, message in enumerate(messages)
    )


def _comparison(message: query_pb2.Comparison, field: str) -> Comparison:
    operator = _known(Operator, message.operator, f"{field}.operator", Reason.INVALID_FILTER)
    values = [
        metadata_value_from_proto(value, f"{field}.values[{position}]") for position, value in enumerate(message.values)
    ]
    return Comparison(message.field, operator, tuple(values))


def add_inputs(request: memory_service_pb2.AddMemoriesRequest) -> list[MemoryInput]:
    """What an add brings, from either of its two forms."""
    if request.memories and request.texts:
        raise invalid_field("texts", "cannot be given together with memories; give one of them")
    if request.texts:
        return [MemoryInput(body=text) for text in request.texts]
    return [_memory_input(item, f"memories[{position}]") for position, item in enumerate(request.memories)]


def _memory_input(message: memory_service_pb2.MemoryInput, field: str) -> MemoryInput:
    return MemoryInput(
        body=message.body,
        kind=enum_value(MemoryKind, message.kind, f"{field}.kind", unspecified=MemoryKind.MESSAGE),
        role=enum_value(Role, message.role, f"{field}.role", unspecified=Role.NONE) or None,
        name=message.name,
        event_time_micros=(
            micros(message.event_time, f"{field}.event_time") if message.HasField("event_time") else None
        ),
        event_time_end_micros=(
            micros(message.event_time_end, f"{field}.event_time_end") if message.HasField("event_time_end") else None
        ),
        event_time_precision=time_precision(message.event_time_precision, f"{field}.event_time_precision"),
        expire_time_micros=(
            micros(message.expire_time, f"{field}.expire_time") if message.HasField("expire_time") else None
        ),
        metadata=metadata_from_proto(message.metadata, f"{field}.metadata"),
        categories=tuple(message.categories),
        entities=tuple(message.entities),
        vector=message.vector or None,
        source_ids=tuple(message.source_ids),
        importance=message.importance if message.HasField("importance") else 0.5,
        pinned=message.pinned,
        trust=trust_level(message.trust, f"{field}.trust"),
        slot=message.slot,
        slot_value=message.slot_value,
        supersedes=tuple(message.supersedes),
    )


def time_precision(number: int, field: str) -> TimePrecision:
    """How exactly a time is known."""
    return enum_value(TimePrecision, number, field, unspecified=TimePrecision.UNSPECIFIED)


def trust_level(number: int, field: str) -> TrustLevel | None:
    """How far a memory may be trusted; None as the tenant's settings say."""
    return enum_value(TrustLevel, number, field, unspecified=None)


def add_mode(number: int, field: str = "mode") -> AddMode | None:
    """How much to make of an add; None for the tenant's default."""
    return enum_value(AddMode, number, field, unspecified=None)


def wait_for(number: int) -> WaitFor:
    """What an add waits for; the engine refuses what later versions bring."""
    return enum_value(WaitFor, number, "wait_for", unspecified=WaitFor.INDEXED)


def search_request(request: memory_service_pb2.SearchMemoriesRequest) -> SearchRequest:
    """One search."""
    return SearchRequest(
        scope=scope_from_proto(request.scope),
        match=scope_match(request.match),
        query=request.query,
        vector=request.vector or None,
        filter=filter_condition(request.filter) if request.HasField("filter") else None,
        as_of_micros=micros(request.as_of, "as_of") if request.HasField("as_of") else None,
        reference_time_micros=(
            micros(request.reference_time, "reference_time") if request.HasField("reference_time") else None
        ),
        top_k=request.top_k if request.HasField("top_k") else DEFAULT_TOP_K,
        profile=request.profile,
        weights=_weights(request.weights) if request.HasField("weights") else _NO_WEIGHTS,
        min_score=request.min_score if request.HasField("min_score") else 0.0,
        min_revision=request.min_revision,
        explain=request.explain,
        include_superseded=request.include_superseded,
        context_window=request.context_window,
        rerank=request.rerank,
        separate=request.separate,
        min_confidence=request.min_confidence if request.HasField("min_confidence") else 0.0,
    )


def compose_request(request: memory_service_pb2.ComposeContextRequest) -> ComposeRequest:
    """One block of prompt."""
    try:
        search = search_request(request.search)
    except MnemicError as error:
        raise error.within("search") from error
    if not request.search.HasField("top_k"):
        search = replace(search, top_k=hits_for_budget(request.token_budget))
    return ComposeRequest(
        search=search,
        token_budget=request.token_budget,
        tokenizer=request.tokenizer,
        include_instructions=request.include_instructions,
    )


_NO_WEIGHTS = SignalWeights()


def _weights(message: query_pb2.SignalWeights) -> SignalWeights:
    return SignalWeights(
        vector=message.vector if message.HasField("vector") else None,
        lexical=message.lexical if message.HasField("lexical") else None,
        entity=message.entity if message.HasField("entity") else None,
        time=message.time if message.HasField("time") else None,
        actor=message.actor if message.HasField("actor") else None,
        recency=message.recency if message.HasField("recency") else None,
        context=message.context if message.HasField("context") else None,
    )


def list_request(request: memory_service_pb2.ListMemoriesRequest) -> ListRequest:
    """One page of a listing."""
    return ListRequest(
        scope=scope_from_proto(request.scope),
        match=scope_match(request.match),
        filter=filter_condition(request.filter) if request.HasField("filter") else None,
        page_size=request.page_size,
        page_token=request.page_token,
        as_of_micros=micros(request.as_of, "as_of") if request.HasField("as_of") else None,
        include_superseded=request.include_superseded,
        include_expired=request.include_expired,
        with_vectors=read_mask(request.read_mask).with_vector,
    )


def watch_request(request: memory_service_pb2.WatchMemoriesRequest) -> WatchRequest:
    """What is watched."""
    is_timed = request.HasField("heartbeat")
    return WatchRequest(
        scope=scope_from_proto(request.scope),
        match=scope_match(request.match),
        after_revision=request.after_revision,
        from_start=request.from_start,
        filter=filter_condition(request.filter) if request.HasField("filter") else None,
        heartbeat_seconds=seconds(request.heartbeat, "heartbeat") if is_timed else DEFAULT_HEARTBEAT_SECONDS,
    )
