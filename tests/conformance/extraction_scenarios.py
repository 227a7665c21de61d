"""MemoryService and AdminService: facts that are drawn behind the answers, and how to follow that."""

import uuid

import grpc
from google.protobuf.duration_pb2 import Duration
from memory_scenarios import JUNE, MAY, bodies
from wire import Wire, scenario

from mnemic.v1 import admin_service_pb2 as admin
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import query_pb2, resources_pb2


def say(wire: Wire, *texts: str, when=MAY, **fields) -> pb.AddMemoriesResponse:
    """Anna says it; facts are drawn by rules, and waited for unless said."""
    values = {"mode": pb.ADD_MODE_LOCAL, "wait_for": pb.WAIT_FOR_EXTRACTED} | fields
    messages = [pb.MemoryInput(body=text, name="Anna", event_time=when) for text in texts]
    return wire.AddMemories(pb.AddMemoriesRequest(scope=wire.scope(), memories=messages, **values))


def facts(wire: Wire, **more) -> list[resources_pb2.Memory]:
    value = resources_pb2.MetadataValue(string_value="fact")
    comparison = query_pb2.Comparison(field="kind", operator=query_pb2.COMPARISON_OPERATOR_EQUAL, values=[value])
    request = pb.ListMemoriesRequest(scope=wire.scope(), filter=query_pb2.Filter(comparison=comparison), **more)
    return list(wire.ListMemories(request).memories)


@scenario
def a_message_is_kept_and_its_facts_are_drawn(wire):
    added = say(wire, "I live in Oslo.")
    assert added.operation_id
    (fact,) = facts(wire)
    assert ("Oslo" in fact.body, list(fact.source_ids)) == (True, [added.memories[0].memory_id])
    assert (fact.valid_from, bool(fact.slot)) == (MAY, True)
    found = wire.SearchMemories(pb.SearchMemoriesRequest(scope=wire.scope(), query="Oslo", separate=True))
    assert sorted(bodies(found.hits)) == sorted([fact.body, "I live in Oslo."])
    done = wire.GetOperation(pb.GetOperationRequest(operation_id=added.operation_id))
    assert (done.state, done.attempts) == (resources_pb2.OPERATION_STATE_DONE, 1)
    assert (list(done.memory_ids), done.last_error) == ([fact.memory_id], "")
    assert added.revision >= done.revision > 0
    assert not done.HasField("next_attempt_time")


@scenario
def an_operation_is_waited_for(wire):
    added = say(wire, "I live in Oslo.", wait_for=pb.WAIT_FOR_INDEXED)
    request = pb.GetOperationRequest(operation_id=added.operation_id, wait=Duration(seconds=30))
    assert wire.GetOperation(request).state == resources_pb2.OPERATION_STATE_DONE
    assert len(facts(wire)) == 1


@scenario
def what_is_said_later_supersedes_what_was_said_before(wire):
    say(wire, "I live in Rome.", when=JUNE)
    say(wire, "I live in Oslo.", when=MAY)
    assert ["Rome" in fact.body for fact in facts(wire)] == [True]
    assert ["Oslo" in fact.body for fact in facts(wire, as_of=MAY)] == [True]


@scenario
def without_messages_there_is_no_operation(wire):
    fact = pb.MemoryInput(body="Anna lives in Oslo", kind=resources_pb2.MEMORY_KIND_FACT)
    request = pb.AddMemoriesRequest(scope=wire.scope(), memories=[fact], mode=pb.ADD_MODE_LOCAL)
    assert wire.AddMemories(request).operation_id == ""


@scenario
def a_language_model_that_is_not_there_is_not_asked(wire):
    for mode in (pb.ADD_MODE_LLM, pb.ADD_MODE_HYBRID):
        refusal = wire.refused("AddMemories", pb.AddMemoriesRequest(scope=wire.scope(), texts=["x"], mode=mode))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "EXTRACTOR_NOT_CONFIGURED",
        )
    assert not wire.ListMemories(pb.ListMemoriesRequest(scope=wire.scope())).memories


@scenario
def an_operation_that_is_not_there_is_not_found(wire):
    refusal = wire.refused("GetOperation", pb.GetOperationRequest(operation_id=str(uuid.UUID(int=7))))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")


@scenario
def what_was_given_up_is_listed_and_replayed(wire):
    """Nothing was: what a dead letter is, the tests of the engine tell."""
    assert not wire.ListDeadLetters(admin.ListDeadLettersRequest()).dead_letters
    request = admin.ReplayDeadLettersRequest(operation_ids=[str(uuid.UUID(int=7))], request_id=str(uuid.uuid4()))
    answer = wire.ReplayDeadLetters(request)
    assert (answer.requeued_count, list(answer.missing_ids), answer.replayed) == (0, [str(uuid.UUID(int=7))], False)
    assert wire.ReplayDeadLetters(request).replayed
    request = admin.ReplayDeadLettersRequest(operation_ids=["1"], kind=admin.WORK_KIND_EXTRACT)
    assert list(wire.refused("ReplayDeadLetters", request).violations) == ["kind"]
    assert list(wire.refused("ListDeadLetters", admin.ListDeadLettersRequest(page_size=-1)).violations) == ["page_size"]
