"""Retention policies and legal holds between the domain and the contract, both ways."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mnemic.model.filters import AllOf, AnyOf, Comparison, Filter, Not, Operator
from mnemic.model.memory import MemoryKind
from mnemic.model.retention import LegalHold, RetentionPolicy, RetentionScoreWeights
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.v1 import query_pb2, resources_pb2
from mnemic.wire.values import (
    filter_to_proto,
    metadata_value_from_proto,
    micros_from_timestamp,
    scope_from_proto,
    scope_to_proto,
    timestamp_from_micros,
)

DURATIONS = ("max_age", "max_inactivity", "superseded_grace", "session_grace", "archive_period")
BUDGETS = ("max_memories_per_scope", "max_bytes_per_scope")
WEIGHTS = ("importance", "confidence", "recency", "use")
_MICROS = 1_000_000
_NANOS_PER_MICRO = 1_000


def duration_from_micros(micros: int | None) -> Duration | None:
    """The duration of microseconds, exactly; None for none."""
    if micros is None:
        return None
    seconds, rest = divmod(abs(micros), _MICROS)
    sign = -1 if micros < 0 else 1
    return Duration(seconds=sign * seconds, nanos=sign * rest * _NANOS_PER_MICRO)


def micros_from_duration(duration: Duration) -> int:
    """Microseconds of a duration; what is finer is cut."""
    return duration.seconds * _MICROS + int(duration.nanos / _NANOS_PER_MICRO)


def optional_timestamp(micros: int | None) -> Timestamp | None:
    """The timestamp of microseconds since 1970-01-01 UTC; None for none."""
    return None if micros is None else timestamp_from_micros(micros)


def optional_micros(message: Message, name: str) -> int | None:
    """Microseconds since 1970-01-01 UTC of a message's timestamp; None if it is not set."""
    return micros_from_timestamp(getattr(message, name)) if message.HasField(name) else None


def policy_to_proto(policy: RetentionPolicy) -> pb.RetentionPolicy:
    """The message of a policy."""
    weights = policy.score_weights
    return pb.RetentionPolicy(
        policy_id=policy.policy_id,
        description=policy.description,
        scope=None if policy.scope.is_empty else scope_to_proto(policy.scope),
        kinds=[resources_pb2.MemoryKind.ValueType(int(kind)) for kind in policy.kinds],
        categories=policy.categories,
        filter=None if policy.filter is None else filter_to_proto(policy.filter),
        max_age=duration_from_micros(policy.max_age_micros),
        max_inactivity=duration_from_micros(policy.max_inactivity_micros),
        superseded_grace=duration_from_micros(policy.superseded_grace_micros),
        session_grace=duration_from_micros(policy.session_grace_micros),
        max_memories_per_scope=policy.max_memories_per_scope,
        max_bytes_per_scope=policy.max_bytes_per_scope,
        score_weights=(
            None
            if weights == RetentionScoreWeights()
            else pb.RetentionScoreWeights(
                importance=weights.importance,
                confidence=weights.confidence,
                recency=weights.recency,
                use=weights.use,
            )
        ),
        archive_period=duration_from_micros(policy.archive_period_micros),
        disabled=policy.disabled,
        version=policy.version,
        create_time=timestamp_from_micros(policy.create_time_micros) if policy.version else None,
        update_time=timestamp_from_micros(policy.update_time_micros) if policy.version else None,
    )


def policy_from_proto(message: pb.RetentionPolicy) -> RetentionPolicy:
    """The policy of a message that a server sent."""
    return RetentionPolicy(
        policy_id=message.policy_id,
        description=message.description,
        scope=scope_from_proto(message.scope),
        kinds=tuple(map(MemoryKind, message.kinds)),
        categories=tuple(message.categories),
        filter=_filter_from_proto(message.filter) if message.HasField("filter") else None,
        **{
            f"{name}_micros": micros_from_duration(getattr(message, name))
            for name in DURATIONS
            if message.HasField(name)  # type: ignore[arg-type]  # names of fields
        },
        **{name: getattr(message, name) for name in BUDGETS if message.HasField(name)},  # type: ignore[arg-type]  # the same
        score_weights=weights_from_proto(message.score_weights),
        disabled=message.disabled,
        version=message.version,
        create_time_micros=micros_from_timestamp(message.create_time),
        update_time_micros=micros_from_timestamp(message.update_time),
    )


def weights_from_proto(message: pb.RetentionScoreWeights) -> RetentionScoreWeights:
    """The weights of a message; None where it says nothing."""
    return RetentionScoreWeights(
        # float32 on the wire: what was meant is the shortest decimal that it stands for.
        **{name: float(f"{getattr(message, name):.7g}") for name in WEIGHTS if message.HasField(name)}  # type: ignore[arg-type]  # names of fields
    )


def hold_to_proto(hold: LegalHold) -> pb.LegalHold:
    """The message of a legal hold."""
    return pb.LegalHold(
        hold_id=hold.hold_id,
        scope=scope_to_proto(hold.scope),
        reason=hold.reason,
        create_time=timestamp_from_micros(hold.create_time_micros),
        release_time=optional_timestamp(hold.release_time_micros),
    )


def hold_from_proto(message: pb.LegalHold) -> LegalHold:
    """The legal hold of a message."""
    return LegalHold(
        hold_id=message.hold_id,
        scope=scope_from_proto(message.scope),
        reason=message.reason,
        create_time_micros=micros_from_timestamp(message.create_time),
        release_time_micros=optional_micros(message, "release_time"),
    )


def _filter_from_proto(message: query_pb2.Filter) -> Filter:
    match message.WhichOneof("node"):
        case "comparison":
            asked = message.comparison
            values = tuple(metadata_value_from_proto(value, "filter") for value in asked.values)
            return Comparison(asked.field, Operator(asked.operator), values)
        case "all_of":
            return AllOf(tuple(map(_filter_from_proto, message.all_of.filters)))
        case "any_of":
            return AnyOf(tuple(map(_filter_from_proto, message.any_of.filters)))
        case _:
            return Not(_filter_from_proto(message.negation))
