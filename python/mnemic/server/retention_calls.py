"""The part of LifecycleService that forgets on purpose: policies, previews, runs, the archive and legal holds."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from mnemic.engine.engine import Engine
from mnemic.model.errors import invalid_field
from mnemic.model.memory import MemoryKind
from mnemic.model.retention import (
    LegalHold,
    RetentionPolicy,
    RetentionReport,
    RetentionRun,
    RetentionSample,
    RetentionScoreWeights,
)
from mnemic.server import to_proto
from mnemic.server.calls import Call
from mnemic.server.from_proto import enum_value, filter_condition, micros, scope_match, seconds
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.v1 import resources_pb2
from mnemic.wire.retention import (
    BUDGETS,
    DURATIONS,
    hold_to_proto,
    micros_from_duration,
    optional_timestamp,
    policy_to_proto,
    weights_from_proto,
)
from mnemic.wire.values import scope_from_proto, timestamp_from_micros


class RetentionCalls:
    """The RPCs of retention.

    Attributes:
        _engine: What answers.
    """

    _engine: Engine

    def set_retention_policy(self, request: pb.SetRetentionPolicyRequest, call: Call) -> pb.SetRetentionPolicyResponse:
        """Creates or replaces a policy."""
        result = self._engine.retention.set_policy(
            call.tenant,
            _policy(request.policy, "policy"),
            expected_version=request.expected_version,
            request_id=request.request_id,
            validate_only=request.validate_only,
        )
        return pb.SetRetentionPolicyResponse(policy=policy_to_proto(result.policy), replayed=result.replayed)

    def get_retention_policy(self, request: pb.GetRetentionPolicyRequest, call: Call) -> pb.GetRetentionPolicyResponse:
        """One policy."""
        policy = self._engine.retention.policy(call.tenant, request.policy_id)
        return pb.GetRetentionPolicyResponse(policy=policy_to_proto(policy))

    def list_retention_policies(
        self, request: pb.ListRetentionPoliciesRequest, call: Call
    ) -> pb.ListRetentionPoliciesResponse:
        """One page of the policies."""
        page = self._engine.retention.policies(call.tenant, size=request.page_size, token=request.page_token)
        return pb.ListRetentionPoliciesResponse(
            policies=map(policy_to_proto, page.policies), next_page_token=page.next_page_token
        )

    def delete_retention_policy(
        self, request: pb.DeleteRetentionPolicyRequest, call: Call
    ) -> pb.DeleteRetentionPolicyResponse:
        """Removes a policy."""
        replayed = self._engine.retention.delete_policy(
            call.tenant,
            request.policy_id,
            expected_version=request.expected_version,
            request_id=request.request_id,
        )
        return pb.DeleteRetentionPolicyResponse(replayed=replayed)

    def preview_retention(self, request: pb.PreviewRetentionRequest, call: Call) -> pb.PreviewRetentionResponse:
        """What a run would remove."""
        has_time = request.HasField("reference_time")
        preview = self._engine.retention.preview(
            call.tenant,
            scope=scope_from_proto(request.scope),
            policy_ids=tuple(request.policy_ids),
            trial_policies=[
                _policy(policy, f"trial_policies[{position}]") for position, policy in enumerate(request.trial_policies)
            ],
            sample_size=request.sample_size if request.HasField("sample_size") else None,
            reference_micros=micros(request.reference_time, "reference_time") if has_time else None,
            deadline=call.deadline,
        )
        return pb.PreviewRetentionResponse(report=_report(preview.report), revision=preview.revision)

    def run_retention(self, request: pb.RunRetentionRequest, call: Call) -> pb.RunRetentionResponse:
        """Starts a run."""
        result = self._engine.retention.run(
            call.tenant,
            scope=scope_from_proto(request.scope),
            policy_ids=tuple(request.policy_ids),
            request_id=request.request_id,
        )
        return pb.RunRetentionResponse(run=_run(result.run), replayed=result.replayed)

    def get_retention_run(self, request: pb.GetRetentionRunRequest, call: Call) -> pb.GetRetentionRunResponse:
        """How far a run is."""
        run = self._engine.retention.find_run(
            call.tenant,
            request.run_id,
            wait_seconds=seconds(request.wait, "wait") if request.HasField("wait") else 0.0,
            deadline=call.deadline,
        )
        return pb.GetRetentionRunResponse(run=_run(run))

    def list_archived_memories(
        self, request: pb.ListArchivedMemoriesRequest, call: Call
    ) -> pb.ListArchivedMemoriesResponse:
        """One page of the archive."""
        page = self._engine.retention.archived(
            call.tenant,
            scope_from_proto(request.scope),
            scope_match(request.match),
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListArchivedMemoriesResponse(
            memories=[
                pb.ArchivedMemory(
                    memory=to_proto.memory(item.memory),
                    policy_id=item.policy_id,
                    cause=_Cause(item.cause),
                    archive_time=timestamp_from_micros(item.archive_time_micros),
                    erase_time=timestamp_from_micros(item.erase_time_micros),
                )
                for item in page.memories
            ],
            next_page_token=page.next_page_token,
        )

    def create_legal_hold(self, request: pb.CreateLegalHoldRequest, call: Call) -> pb.CreateLegalHoldResponse:
        """Makes a legal hold."""
        asked = LegalHold(hold_id="", scope=scope_from_proto(request.hold.scope), reason=request.hold.reason)
        result = self._engine.retention.hold(call.tenant, asked, request_id=request.request_id)
        return pb.CreateLegalHoldResponse(hold=hold_to_proto(result.hold), replayed=result.replayed)

    def list_legal_holds(self, request: pb.ListLegalHoldsRequest, call: Call) -> pb.ListLegalHoldsResponse:
        """One page of the legal holds."""
        page = self._engine.retention.holds(
            call.tenant,
            include_released=request.include_released,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListLegalHoldsResponse(holds=map(hold_to_proto, page.holds), next_page_token=page.next_page_token)

    def release_legal_hold(self, request: pb.ReleaseLegalHoldRequest, call: Call) -> pb.ReleaseLegalHoldResponse:
        """Ends a legal hold."""
        result = self._engine.retention.release(call.tenant, request.hold_id, request_id=request.request_id)
        return pb.ReleaseLegalHoldResponse(hold=hold_to_proto(result.hold), replayed=result.replayed)


# Numbers of the domain's enums typed as the wire's; at run time each is `int`.
_Cause = pb.RetentionCause.ValueType
_State = resources_pb2.OperationState.ValueType


def _policy(message: pb.RetentionPolicy, field: str) -> RetentionPolicy:
    """The policy of a request; what the server sets is not read."""
    spans = {
        f"{name}_micros": _span(getattr(message, name), f"{field}.{name}")
        for name in DURATIONS
        if message.HasField(name)  # type: ignore[arg-type]  # names of fields
    }
    budgets = {name: getattr(message, name) for name in BUDGETS if message.HasField(name)}  # type: ignore[arg-type]  # the same
    return RetentionPolicy(
        policy_id=message.policy_id,
        description=message.description,
        scope=scope_from_proto(message.scope),
        kinds=tuple(_kind(number, f"{field}.kinds[{place}]") for place, number in enumerate(message.kinds)),
        categories=tuple(message.categories),
        filter=filter_condition(message.filter, f"{field}.filter") if message.HasField("filter") else None,
        score_weights=(
            weights_from_proto(message.score_weights) if message.HasField("score_weights") else RetentionScoreWeights()
        ),
        disabled=message.disabled,
        **spans,
        **budgets,
    )


def _kind(number: int, field: str) -> MemoryKind:
    kind = enum_value(MemoryKind, number, field, unspecified=None)
    if kind is None:
        raise invalid_field(field, "is not set; name a kind, or leave the list empty for all")
    return kind


def _span(duration: Duration, field: str) -> int:
    seconds(duration, field)
    return micros_from_duration(duration)


def _report(report: RetentionReport) -> pb.RetentionReport:
    return pb.RetentionReport(
        examined_count=report.examined_count,
        removed=[
            pb.RetentionCount(
                policy_id=count.policy_id,
                cause=_Cause(count.cause),
                memory_count=count.memory_count,
                body_bytes=count.body_bytes,
            )
            for count in report.removed
        ],
        pinned_count=report.pinned_count,
        held_count=report.held_count,
        archive_erased_count=report.archive_erased_count,
        samples=map(_sample, report.samples),
    )


def _sample(sample: RetentionSample) -> pb.RetentionSample:
    return pb.RetentionSample(
        memory=to_proto.memory(sample.memory),
        policy_id=sample.policy_id,
        cause=_Cause(sample.cause),
        retention_score=sample.retention_score,
        last_recall_time=optional_timestamp(sample.last_recall_micros),
    )


def _run(run: RetentionRun) -> pb.RetentionRun:
    return pb.RetentionRun(
        run_id=run.run_id,
        state=_State(run.state),
        report=_report(run.report),
        start_time=timestamp_from_micros(run.start_time_micros),
        end_time=optional_timestamp(run.end_time_micros),
        revision=run.revision,
        last_error=run.last_error,
    )
