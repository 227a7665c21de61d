"""Retention for all four clients: friendly arguments, and the calls that the gRPC clients make of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack

from mnemic.client import decoding
from mnemic.client.calls import Call
from mnemic.client.encodable import encodable
from mnemic.client.encoding import new_request_id
from mnemic.client.filters import compile_filters
from mnemic.client.inputs import micros, named, texts_of
from mnemic.client.options import FriendlyFilter, FriendlyMatch, FriendlyTime, ScopeOptions
from mnemic.client.requests import scope_of
from mnemic.model.errors import invalid_field
from mnemic.model.memory import MemoryKind
from mnemic.model.operations import OperationState
from mnemic.model.retention import (
    ArchivedMemory,
    ArchivePage,
    HoldPage,
    HoldResult,
    PolicyPage,
    PolicyResult,
    RetentionCause,
    RetentionCount,
    RetentionPolicy,
    RetentionPreview,
    RetentionReport,
    RetentionRun,
    RetentionSample,
    RetentionScoreWeights,
    RunResult,
)
from mnemic.model.scope import ScopeMatch
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.v1 import resources_pb2
from mnemic.wire.retention import (
    DURATIONS,
    hold_from_proto,
    optional_micros,
    optional_timestamp,
    policy_from_proto,
    policy_to_proto,
)
from mnemic.wire.values import micros_from_timestamp, scope_to_proto

if TYPE_CHECKING:
    from mnemic.model.retention import LegalHold

# A span of time: a timedelta, or a number and a unit such as `90d` (s, m, h, d, w).
FriendlySpan = timedelta | str
FriendlyKind = MemoryKind | str

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_Match = resources_pb2.ScopeMatch.ValueType


class PolicyOptions(ScopeOptions, total=False):
    """What a retention policy selects and limits; docs/retention.md says more of each. The ids select scopes that
    carry them.

    Attributes:
        description: What it is for.
        kinds: Kinds of memories, such as `message`; all unless given.
        categories: Labels of which a memory must have one.
        filters: Conditions that narrow the selection further.
        max_age: At most this old, by event time if known.
        max_inactivity: At most this long since the last recall or write.
        superseded_grace: Keep superseded facts this long.
        session_grace: Keep what carries a session id this long after the last write to the session.
        max_memories_per_scope: Keep so many of the best in each distinct scope.
        max_bytes_per_scope: Keep so many bytes of body of the best in each distinct scope.
        score_weights: What the best is: `importance`, `confidence`, `recency`, `use`, each 0 to 1.
        archive_period: How long what goes can be restored; 30 days unless given.
        disabled: Whether only calls that name it apply it.
    """

    description: str
    kinds: Sequence[FriendlyKind]
    categories: Sequence[str]
    filters: FriendlyFilter | None
    max_age: FriendlySpan | None
    max_inactivity: FriendlySpan | None
    superseded_grace: FriendlySpan | None
    session_grace: FriendlySpan | None
    max_memories_per_scope: int | None
    max_bytes_per_scope: int | None
    score_weights: Mapping[str, float] | RetentionScoreWeights
    archive_period: FriendlySpan | None
    disabled: bool


def retention_policy(policy_id: str, **options: Unpack[PolicyOptions]) -> RetentionPolicy:
    """A retention policy of friendly values, such as `retention_policy("a-year", max_age=timedelta(days=365))`."""
    values: dict[str, Any] = dict(options)
    ids = {name: values.pop(name) for name in ScopeOptions.__annotations__ if name in values}
    for name in DURATIONS:
        if name in values:
            span = values.pop(name)
            values[f"{name}_micros"] = None if span is None else span_micros(span, f"policy.{name}")
    weights = values.pop("score_weights", None)
    if weights is not None:
        values["score_weights"] = _weights(weights)
    if "kinds" in values:
        values["kinds"] = tuple(named(MemoryKind, kind, "policy.kinds") for kind in values["kinds"])
    if "categories" in values:
        values["categories"] = texts_of(values["categories"], "policy.categories")
    values["filter"] = compile_filters(values.pop("filters", None), "policy.filter")
    return RetentionPolicy(policy_id=policy_id, scope=scope_of(**ids), **values)


def _weights(weights: Mapping[str, float] | RetentionScoreWeights) -> RetentionScoreWeights:
    if isinstance(weights, RetentionScoreWeights):
        return weights
    known = RetentionScoreWeights.__dataclass_fields__
    for name in weights:
        if name not in known:
            raise invalid_field("policy.score_weights", f"has no part {name!r}; there are {', '.join(known)}")
    return RetentionScoreWeights(**weights)


def span_micros(span: object, field: str) -> int:
    """Microseconds of a span of time.

    Raises:
        MnemicError: INVALID_FIELD.
    """
    if isinstance(span, timedelta):
        return span // timedelta(microseconds=1)
    match = _SPAN.fullmatch(span.strip()) if isinstance(span, str) else None
    if match is None:
        raise invalid_field(
            field, f"{str(span)[:64]!r} is no span of time; give a timedelta or text such as 90d or 12h"
        )
    return round(float(match[1]) * _SECONDS[match[2]] * 1_000_000)


def policy_of(policy: str | RetentionPolicy, options: PolicyOptions) -> RetentionPolicy:
    """The policy that a call means: one that was made, or an id and what it selects and limits."""
    if isinstance(policy, RetentionPolicy):
        if options:
            raise invalid_field("policy", "is whole already; give either a policy or an id and its limits")
        return policy
    return retention_policy(policy, **options)


def match_of(match: FriendlyMatch | None, options: ScopeOptions) -> ScopeMatch:
    """How ids select: as asked, else what they can be meant to: all of the tenant when there are none."""
    if match is not None:
        return named(ScopeMatch, match, "match")
    return ScopeMatch.TENANT if scope_of(**options).is_empty else ScopeMatch.EXACT


def set_policy(
    policy: RetentionPolicy, expected_version: int, request_id: str, *, validate_only: bool
) -> Call[PolicyResult]:
    """SetRetentionPolicy."""
    with encodable(policy):
        message = pb.SetRetentionPolicyRequest(
            policy=_asked(policy),
            expected_version=expected_version,
            request_id=new_request_id(request_id),
            validate_only=validate_only,
        )
    return _call(
        "SetRetentionPolicy", message, lambda answer: PolicyResult(policy_from_proto(answer.policy), answer.replayed)
    )


def get_policy(policy_id: str) -> Call[RetentionPolicy]:
    """GetRetentionPolicy."""
    with encodable():
        message = pb.GetRetentionPolicyRequest(policy_id=policy_id)
    return _call("GetRetentionPolicy", message, lambda answer: policy_from_proto(answer.policy))


def list_policies(page_size: int, page_token: str) -> Call[PolicyPage]:
    """ListRetentionPolicies."""
    with encodable():
        message = pb.ListRetentionPoliciesRequest(page_size=page_size, page_token=page_token)
    return _call(
        "ListRetentionPolicies",
        message,
        lambda answer: PolicyPage(tuple(map(policy_from_proto, answer.policies)), answer.next_page_token),
    )


def delete_policy(policy_id: str, expected_version: int, request_id: str) -> Call[bool]:
    """DeleteRetentionPolicy."""
    with encodable():
        message = pb.DeleteRetentionPolicyRequest(
            policy_id=policy_id, expected_version=expected_version, request_id=new_request_id(request_id)
        )
    return _call("DeleteRetentionPolicy", message, lambda answer: bool(answer.replayed))


def preview(
    policy_ids: Sequence[str],
    trial_policies: Sequence[RetentionPolicy],
    sample_size: int | None,
    reference_time: FriendlyTime | None,
    ids: ScopeOptions,
) -> Call[RetentionPreview]:
    """PreviewRetention."""
    moment = None if reference_time is None else micros(reference_time, "reference_time")
    with encodable():
        message = pb.PreviewRetentionRequest(
            scope=scope_to_proto(scope_of(**ids)),
            policy_ids=texts_of(policy_ids, "policy_ids"),
            trial_policies=map(_asked, trial_policies),
            sample_size=sample_size,
            reference_time=optional_timestamp(moment),
        )
    return _call("PreviewRetention", message, lambda answer: RetentionPreview(_report(answer.report), answer.revision))


def run(policy_ids: Sequence[str], request_id: str, ids: ScopeOptions) -> Call[RunResult]:
    """RunRetention."""
    with encodable():
        message = pb.RunRetentionRequest(
            scope=scope_to_proto(scope_of(**ids)),
            policy_ids=texts_of(policy_ids, "policy_ids"),
            request_id=new_request_id(request_id),
        )
    return _call("RunRetention", message, lambda answer: RunResult(_run(answer.run), answer.replayed))


def find_run(run_id: str, wait: float) -> Call[RetentionRun]:
    """GetRetentionRun."""
    with encodable():
        message = pb.GetRetentionRunRequest(run_id=run_id)
        if wait:
            message.wait.FromMicroseconds(round(wait * 1e6))
    return _call("GetRetentionRun", message, lambda answer: _run(answer.run))


def archived(match: FriendlyMatch | None, page_size: int, page_token: str, ids: ScopeOptions) -> Call[ArchivePage]:
    """ListArchivedMemories."""
    with encodable():
        message = pb.ListArchivedMemoriesRequest(
            scope=scope_to_proto(scope_of(**ids)),
            match=_Match(match_of(match, ids)),
            page_size=page_size,
            page_token=page_token,
        )
    return _call(
        "ListArchivedMemories",
        message,
        lambda answer: ArchivePage(tuple(map(_archived, answer.memories)), answer.next_page_token),
    )


def create_hold(hold: LegalHold, request_id: str) -> Call[HoldResult]:
    """CreateLegalHold."""
    with encodable():
        asked = pb.LegalHold(scope=scope_to_proto(hold.scope), reason=hold.reason)
        message = pb.CreateLegalHoldRequest(hold=asked, request_id=new_request_id(request_id))
    return _call("CreateLegalHold", message, _hold_result)


def list_holds(page_size: int, page_token: str, *, include_released: bool) -> Call[HoldPage]:
    """ListLegalHolds."""
    with encodable():
        message = pb.ListLegalHoldsRequest(
            include_released=include_released, page_size=page_size, page_token=page_token
        )
    return _call(
        "ListLegalHolds",
        message,
        lambda answer: HoldPage(tuple(map(hold_from_proto, answer.holds)), answer.next_page_token),
    )


def release_hold(hold_id: str, request_id: str) -> Call[HoldResult]:
    """ReleaseLegalHold."""
    with encodable():
        message = pb.ReleaseLegalHoldRequest(hold_id=hold_id, request_id=new_request_id(request_id))
    return _call("ReleaseLegalHold", message, _hold_result)


def _call(method: str, message: Any, decode: Any) -> Call[Any]:  # noqa: ANN401 (the message and answer of a method)
    return Call(method, message, decode, is_lifecycle=True)


def _asked(policy: RetentionPolicy) -> pb.RetentionPolicy:
    message = policy_to_proto(policy)
    for name in ("version", "create_time", "update_time"):
        message.ClearField(name)
    return message


def _hold_result(answer: pb.CreateLegalHoldResponse | pb.ReleaseLegalHoldResponse) -> HoldResult:
    return HoldResult(hold_from_proto(answer.hold), answer.replayed)


def _archived(message: pb.ArchivedMemory) -> ArchivedMemory:
    return ArchivedMemory(
        decoding.memory(message.memory),
        message.policy_id,
        RetentionCause(message.cause),
        micros_from_timestamp(message.archive_time),
        micros_from_timestamp(message.erase_time),
    )


def _run(message: pb.RetentionRun) -> RetentionRun:
    return RetentionRun(
        run_id=message.run_id,
        state=OperationState(message.state),
        report=_report(message.report),
        start_time_micros=micros_from_timestamp(message.start_time),
        end_time_micros=optional_micros(message, "end_time"),
        revision=message.revision,
        last_error=message.last_error,
    )


def _report(message: pb.RetentionReport) -> RetentionReport:
    return RetentionReport(
        examined_count=message.examined_count,
        removed=tuple(
            RetentionCount(item.policy_id, RetentionCause(item.cause), item.memory_count, item.body_bytes)
            for item in message.removed
        ),
        pinned_count=message.pinned_count,
        held_count=message.held_count,
        archive_erased_count=message.archive_erased_count,
        samples=tuple(
            RetentionSample(
                decoding.memory(item.memory),
                item.policy_id,
                RetentionCause(item.cause),
                item.retention_score if item.HasField("retention_score") else None,
                optional_micros(item, "last_recall_time"),
            )
            for item in message.samples
        ),
    )
