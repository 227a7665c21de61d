"""LifecycleService: consolidation."""

import uuid

import grpc
from wire import Wire, scenario

from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.v1 import memory_service_pb2, resources_pb2

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


def add_facts(wire: Wire, *bodies: str) -> list[str]:
    """One add for each, so that the first holds for the longest."""
    return [
        wire.AddMemories(
            memory_service_pb2.AddMemoriesRequest(
                scope=wire.scope(),
                memories=[memory_service_pb2.MemoryInput(body=body, kind=resources_pb2.MEMORY_KIND_FACT)],
            )
        )
        .memories[0]
        .memory_id
        for body in bodies
    ]


def consolidate(wire: Wire, **fields) -> pb.ConsolidateScopeResponse:
    request = pb.ConsolidateScopeRequest(scope=wire.scope(), **fields)
    return wire.ConsolidateScope(
        request,
        only=lambda answer: (
            answer.report.examined_count,
            answer.report.kept_count,
            answer.report.merged_count,
            answer.report.changed_count,
            [(sample.kept.body, [memory.body for memory in sample.merged]) for sample in answer.report.samples],
            answer.replayed,
        ),
    )


@scenario
def what_says_the_same_is_merged_and_can_be_restored(wire):
    first, second, _ = add_facts(wire, "The user has three cats", "User has 3 cats.", "The user has four cats")
    preview = consolidate(wire, validate_only=True)
    assert (preview.report.merged_count, preview.report.examined_count) == (1, 3)
    request_id = str(uuid.uuid4())
    done = consolidate(wire, request_id=request_id)
    assert done.report == preview.report
    assert [
        (sample.kept.memory_id, [memory.memory_id for memory in sample.merged]) for sample in done.report.samples
    ] == [(first, [second])]
    again = consolidate(wire, request_id=request_id)
    assert (again.replayed, again.report.merged_count, again.revision) == (True, 1, done.revision)
    assert consolidate(wire, sample_size=0).report.merged_count == 0
    gone = wire.GetMemory(memory_service_pb2.GetMemoryRequest(memory_id=second)).memory
    assert gone.superseded_by == first
    entries = wire.GetMemoryHistory(
        memory_service_pb2.GetMemoryHistoryRequest(memory_id=first), only=lambda answer: len(answer.revisions)
    ).revisions
    assert [entry.change for entry in entries] == [
        resources_pb2.CHANGE_KIND_ADDED,
        resources_pb2.CHANGE_KIND_MERGED,
    ]
    wire.RestoreMemory(memory_service_pb2.RestoreMemoryRequest(memory_id=second))
    assert consolidate(wire).report.merged_count == 0


@scenario
def a_consolidation_that_makes_no_sense_is_refused(wire):
    for request in (
        pb.ConsolidateScopeRequest(scope=wire.scope(), sample_size=101),
        pb.ConsolidateScopeRequest(scope=wire.scope(), sample_size=-1),
        pb.ConsolidateScopeRequest(scope=wire.scope(), request_id="x"),
        pb.ConsolidateScopeRequest(scope=resources_pb2.Scope(user_id="")),
    ):
        found = wire.refused("ConsolidateScope", request)
        assert found.code == grpc.StatusCode.INVALID_ARGUMENT
