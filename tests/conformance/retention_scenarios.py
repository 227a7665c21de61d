"""LifecycleService: retention, the archive and legal holds. All share a tenant: each looks at its own scope."""

import uuid

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from memory_scenarios import add
from wire import Wire, scenario

from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.v1 import memory_service_pb2, query_pb2, resources_pb2

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
DAY = 86_400


def policy_of(wire: Wire, number: int = 0, **limits) -> pb.RetentionPolicy:
    """A policy of the scenario's own scope and name, that scheduled runs of others do not apply."""
    policy_id = f"{wire.name.replace(' ', '-').replace(',', '')[:60].lower()}-{number}"
    return pb.RetentionPolicy(policy_id=policy_id, scope=wire.scope(), disabled=True, **limits)


def refusal_of(wire: Wire, method: str, request) -> tuple[grpc.StatusCode, str]:
    found = wire.refused(method, request)
    return found.code, found.reason


def finished(wire: Wire, run: pb.RetentionRun) -> pb.RetentionRun:
    return wire.GetRetentionRun(pb.GetRetentionRunRequest(run_id=run.run_id, wait=Duration(seconds=20))).run


@scenario
def a_retention_policy_is_set_read_listed_changed_and_removed(wire):
    asked = policy_of(
        wire,
        description="chat",
        kinds=[resources_pb2.MEMORY_KIND_MESSAGE],
        categories=["small-talk"],
        filter=query_pb2.Filter(
            comparison=query_pb2.Comparison(
                field="metadata.team",
                operator=query_pb2.COMPARISON_OPERATOR_EQUAL,
                values=[resources_pb2.MetadataValue(string_value="a")],
            )
        ),
        max_age=Duration(seconds=90 * DAY, nanos=1000),
        max_memories_per_scope=100,
        score_weights=pb.RetentionScoreWeights(use=0.5),
        archive_period=Duration(),
    )
    only_checked = wire.SetRetentionPolicy(pb.SetRetentionPolicyRequest(policy=asked, validate_only=True)).policy
    assert only_checked.version == 1
    get = pb.GetRetentionPolicyRequest(policy_id=asked.policy_id)
    assert refusal_of(wire, "GetRetentionPolicy", get) == NOT_FOUND
    request = pb.SetRetentionPolicyRequest(policy=asked, request_id=str(uuid.uuid4()))
    made, again = wire.SetRetentionPolicy(request), wire.SetRetentionPolicy(request)
    assert (made.replayed, again.replayed, again.policy) == (False, True, made.policy)
    stored = pb.RetentionPolicy()
    stored.CopyFrom(made.policy)
    for name in ("version", "create_time", "update_time"):
        stored.ClearField(name)
    assert stored == asked
    assert wire.GetRetentionPolicy(get).policy == made.policy
    listed = wire.ListRetentionPolicies(pb.ListRetentionPoliciesRequest(), only=lambda _: "all policies")
    assert made.policy in listed.policies
    request.policy.description = "other"
    assert wire.refused("SetRetentionPolicy", request).reason == "REQUEST_ID_REUSED"
    change = pb.SetRetentionPolicyRequest(policy=request.policy, expected_version=1)
    assert wire.SetRetentionPolicy(change).policy.version == 2
    assert refusal_of(wire, "SetRetentionPolicy", change) == (grpc.StatusCode.ABORTED, "VERSION_CONFLICT")
    remove = pb.DeleteRetentionPolicyRequest(policy_id=asked.policy_id, request_id=str(uuid.uuid4()))
    assert [wire.DeleteRetentionPolicy(remove).replayed for _ in range(2)] == [False, True]
    remove.request_id = ""
    assert refusal_of(wire, "DeleteRetentionPolicy", remove) == NOT_FOUND
    assert (
        wire.refused("ListRetentionPolicies", pb.ListRetentionPoliciesRequest(page_size=-1)).reason == "INVALID_FIELD"
    )


@scenario
def a_retention_policy_that_cannot_be_is_refused(wire):
    bad = {
        "policy.policy_id": pb.RetentionPolicy(policy_id="A b", max_age=Duration(seconds=1)),
        "policy": pb.RetentionPolicy(policy_id="a"),
        "policy.max_age": pb.RetentionPolicy(policy_id="a", max_age=Duration()),
        "policy.session_grace": pb.RetentionPolicy(policy_id="a", session_grace=Duration(seconds=-1)),
        "policy.max_memories_per_scope": pb.RetentionPolicy(policy_id="a", max_memories_per_scope=0),
        "policy.archive_period": pb.RetentionPolicy(
            policy_id="a", max_age=Duration(seconds=1), archive_period=Duration(seconds=-1)
        ),
        "policy.score_weights.use": pb.RetentionPolicy(
            policy_id="a", max_bytes_per_scope=1, score_weights=pb.RetentionScoreWeights(use=2)
        ),
        "policy.kinds[0]": pb.RetentionPolicy(policy_id="a", max_age=Duration(seconds=1), kinds=[99]),
    }
    for field, policy in bad.items():
        found = wire.refused("SetRetentionPolicy", pb.SetRetentionPolicyRequest(policy=policy))
        assert (found.code, found.reason, list(found.violations)) == (*INVALID, [field])
    preview = pb.PreviewRetentionRequest(trial_policies=[pb.RetentionPolicy(policy_id="a")])
    assert list(wire.refused("PreviewRetention", preview).violations) == ["trial_policies[0]"]


@scenario
def what_a_preview_shows_a_run_archives_and_it_can_be_restored(wire):
    scope = wire.scope()
    old = Timestamp(seconds=1_577_836_800)
    texts = [f"it was the day number {number}" for number in range(5)]
    ids = [
        add(wire, memories=[resources_and(text, old, pinned=number == 4)]).memories[0].memory_id
        for number, text in enumerate(texts)
    ]
    add(wire, memories=[memory_service_pb2.MemoryInput(body="it is today")])
    # The time of erasure is then one of now, which transcripts do not compare.
    policy = policy_of(wire, max_age=Duration(seconds=365 * DAY), archive_period=Duration(seconds=600))
    trial = pb.PreviewRetentionRequest(scope=scope, trial_policies=[policy], policy_ids=[], sample_size=2)
    tried = wire.PreviewRetention(trial).report
    wire.SetRetentionPolicy(pb.SetRetentionPolicyRequest(policy=policy))
    chosen = {"scope": scope, "policy_ids": [policy.policy_id]}
    shown = wire.PreviewRetention(pb.PreviewRetentionRequest(**chosen)).report
    assert [(count.cause, count.memory_count) for count in shown.removed] == [(pb.RETENTION_CAUSE_AGE, 4)]
    assert (shown.examined_count, shown.pinned_count) == (6, 1)
    assert (tried.removed, len(tried.samples)) == (shown.removed, 2)
    request = pb.RunRetentionRequest(request_id=str(uuid.uuid4()), **chosen)
    # How far it is in its first answer is chance.
    begun = wire.RunRetention(request, only=lambda _: "begun")
    again = wire.RunRetention(request, only=lambda answer: answer.replayed)
    assert (again.run.run_id, again.replayed) == (begun.run.run_id, True)
    run = finished(wire, begun.run)
    assert run.state == resources_pb2.OPERATION_STATE_DONE
    assert (run.report.removed, run.report.examined_count) == (shown.removed, shown.examined_count)
    assert [item.memory.memory_id for item in run.report.samples] == [item.memory.memory_id for item in shown.samples]
    assert run.revision > 0
    archived = wire.ListArchivedMemories(
        pb.ListArchivedMemoriesRequest(scope=scope, match=resources_pb2.SCOPE_MATCH_EXACT, page_size=3)
    )
    rest = wire.ListArchivedMemories(
        pb.ListArchivedMemoriesRequest(
            scope=scope, match=resources_pb2.SCOPE_MATCH_EXACT, page_size=3, page_token=archived.next_page_token
        )
    )
    gone = [item.memory.memory_id for page in (archived, rest) for item in page.memories]
    assert sorted(gone) == sorted(ids[:4])
    get = memory_service_pb2.GetMemoryRequest(memory_id=ids[0])
    assert wire.refused("GetMemory", get).reason == "MEMORY_NOT_FOUND"
    restored = wire.RestoreMemory(memory_service_pb2.RestoreMemoryRequest(memory_id=ids[0])).memory
    assert (restored.body, restored.version) == (texts[0], 2)
    assert wire.GetMemory(get).memory == restored
    history = wire.GetMemoryHistory(memory_service_pb2.GetMemoryHistoryRequest(memory_id=ids[0])).revisions
    assert [entry.change for entry in history] == [
        resources_pb2.CHANGE_KIND_ADDED,
        resources_pb2.CHANGE_KIND_ARCHIVED,
        resources_pb2.CHANGE_KIND_RESTORED,
    ]
    assert history[1].reason == f"retention policy {policy.policy_id}: age"
    wire.DeleteRetentionPolicy(pb.DeleteRetentionPolicyRequest(policy_id=policy.policy_id))


def resources_and(text: str, moment: Timestamp, *, pinned: bool) -> memory_service_pb2.MemoryInput:
    return memory_service_pb2.MemoryInput(body=text, event_time=moment, pinned=pinned)


@scenario
def a_budget_keeps_the_best(wire):
    scope = wire.scope()
    for number in range(4):
        add(wire, memories=[memory_service_pb2.MemoryInput(body=f"thing {number}", importance=number / 10)])
    policy = policy_of(wire, max_memories_per_scope=2)
    shown = wire.PreviewRetention(pb.PreviewRetentionRequest(scope=scope, trial_policies=[policy]), only=bodies).report
    assert [sample.memory.body for sample in shown.samples] == ["thing 0", "thing 1"]
    assert all(0.0 < sample.retention_score < 1.0 for sample in shown.samples)


def bodies(answer: pb.PreviewRetentionResponse) -> list[str]:
    """Without the scores, which fall as time goes."""
    return [sample.memory.body for sample in answer.report.samples]


@scenario
def a_legal_hold_keeps_until_it_is_released(wire):
    scope = wire.scope()
    add(wire, memories=[resources_and("long ago", Timestamp(seconds=DAY), pinned=False)])
    request = pb.CreateLegalHoldRequest(hold=pb.LegalHold(scope=scope, reason="a case"), request_id=str(uuid.uuid4()))
    made, again = wire.CreateLegalHold(request), wire.CreateLegalHold(request)
    assert (again.hold, again.replayed) == (made.hold, True)
    preview = pb.PreviewRetentionRequest(scope=scope, trial_policies=[policy_of(wire, max_age=Duration(seconds=DAY))])
    report = wire.PreviewRetention(preview).report
    assert (list(report.removed), report.held_count) == ([], 1)
    listed = wire.ListLegalHolds(pb.ListLegalHoldsRequest(), only=lambda _: "all holds")
    assert made.hold in listed.holds
    release = pb.ReleaseLegalHoldRequest(hold_id=made.hold.hold_id)
    released = wire.ReleaseLegalHold(release).hold
    assert released.HasField("release_time")
    assert wire.ReleaseLegalHold(release).hold == released
    listed = wire.ListLegalHolds(pb.ListLegalHoldsRequest(), only=lambda _: "all holds")
    assert made.hold.hold_id not in [hold.hold_id for hold in listed.holds]
    every = wire.ListLegalHolds(pb.ListLegalHoldsRequest(include_released=True), only=lambda _: "all holds")
    assert released in every.holds
    assert wire.PreviewRetention(preview).report.held_count == 0


@scenario
def what_is_not_there_or_cannot_be_meant_is_refused_by_retention(wire):
    nobody = str(uuid.UUID(int=4))
    for method, request in (
        ("RunRetention", pb.RunRetentionRequest(policy_ids=["no-such-policy"])),
        ("GetRetentionRun", pb.GetRetentionRunRequest(run_id=nobody)),
        ("DeleteRetentionPolicy", pb.DeleteRetentionPolicyRequest(policy_id="no-such-policy")),
        ("ReleaseLegalHold", pb.ReleaseLegalHoldRequest(hold_id=nobody)),
    ):
        assert refusal_of(wire, method, request) == NOT_FOUND
    for method, request in (
        ("GetRetentionRun", pb.GetRetentionRunRequest(run_id="x")),
        ("PreviewRetention", pb.PreviewRetentionRequest(sample_size=101)),
        ("CreateLegalHold", pb.CreateLegalHoldRequest(hold=pb.LegalHold(scope=wire.scope()))),
        ("ListLegalHolds", pb.ListLegalHoldsRequest(page_size=-1)),
    ):
        assert refusal_of(wire, method, request) == INVALID
    for method, request in (
        ("CreateLegalHold", pb.CreateLegalHoldRequest(hold=pb.LegalHold(reason="everything"))),
        ("ListArchivedMemories", pb.ListArchivedMemoriesRequest()),
    ):
        assert refusal_of(wire, method, request) == (grpc.StatusCode.INVALID_ARGUMENT, "SCOPE_MISSING")
