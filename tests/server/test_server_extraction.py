"""Facts by a language model through a whole server: its worker asks a service that speaks the protocol."""

import uuid

import grpc
import pytest
from pydantic import SecretStr

from mnemic.engine.engine import Engine
from mnemic.server.server import MnemicServer
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import memory_service_pb2_grpc, resources_pb2
from tests.embedding.embedding_servers import serving
from tests.extraction.chat_services import KEY, ChatService, error, fact, facts

ANA = resources_pb2.Scope(user_id="ana", session_id="s1")
HOME = fact("Ana lives in Lisbon.", slot="ana.home", value="Lisbon", entities=["Ana", "Lisbon"])


@pytest.fixture
def service():
    return ChatService()


@pytest.fixture
def stub(settings, server_settings, service):
    with serving(service.handler()) as address:
        llm = {"base_url": f"{address}/v1", "api_key": SecretStr(KEY), "model": "m"}
        extraction = settings.extraction.model_copy(update={"llm": settings.extraction.llm.model_copy(update=llm)})
        with (
            Engine.open(settings.model_copy(update={"extraction": extraction}), pull_missing_model=True) as engine,
            MnemicServer(engine, server_settings) as server,
            grpc.insecure_channel(server.address) as channel,
        ):
            yield memory_service_pb2_grpc.MemoryServiceStub(channel)


def say(stub, text, mode, *, wait=pb.WAIT_FOR_EXTRACTED, **more):
    message = pb.MemoryInput(role=resources_pb2.ROLE_USER, name="Ana", body=text)
    request = pb.AddMemoriesRequest(
        scope=ANA, memories=[message], mode=mode, wait_for=wait, request_id=str(uuid.uuid4()), **more
    )
    return stub.AddMemories(request, timeout=60)


def told(stub, query):
    request = pb.SearchMemoriesRequest(scope=ANA, query=query, separate=True)
    kinds = {resources_pb2.MEMORY_KIND_FACT: "fact", resources_pb2.MEMORY_KIND_MESSAGE: "message"}
    return {(kinds[hit.kind], hit.body) for hit in stub.SearchMemories(request, timeout=10).hits}


def test_a_language_model_draws_the_facts(stub, service):
    service.answers = [facts(HOME)]
    say(stub, "We moved, I live in Lisbon now.", pb.ADD_MODE_LLM, extraction_instructions="Only homes.")
    assert told(stub, "Lisbon") == {
        ("message", "We moved, I live in Lisbon now."),
        ("fact", "Ana lives in Lisbon."),
    }
    (asked,) = service.requests
    assert "Only homes." in str(asked["messages"])


def test_rules_and_a_language_model_that_say_the_same_leave_one_fact(stub, service):
    service.answers = [facts(HOME)]
    say(stub, "I live in Lisbon.", pb.ADD_MODE_HYBRID)
    (fact_told,) = {body for kind, body in told(stub, "Lisbon") if kind == "fact"}
    assert fact_told.rstrip(".") == "Ana lives in Lisbon"


def test_the_next_batch_knows_what_was_drawn(stub, service):
    service.answers = [facts(HOME)]
    say(stub, "I live in Lisbon.", pb.ADD_MODE_LLM)
    service.answers = [facts()]
    say(stub, "Lisbon is lovely in June.", pb.ADD_MODE_LLM)
    assert "Ana lives in Lisbon." in str(service.requests[-1]["messages"])


def test_what_the_model_invents_is_not_kept(stub, service):
    service.answers = [facts(HOME, fact("Ana works for Zephyr Dynamics.", entities=["Zephyr Dynamics"]))]
    say(stub, "I live in Lisbon.", pb.ADD_MODE_LLM)
    assert {body for kind, body in told(stub, "Ana") if kind == "fact"} == {"Ana lives in Lisbon."}


def test_a_service_that_refuses_for_good_leaves_the_message_and_a_failed_operation(stub, service):
    service.answers = [error(401, "Incorrect API key provided", code="invalid_api_key")]
    added = say(stub, "I live in Lisbon.", pb.ADD_MODE_LLM, wait=pb.WAIT_FOR_INDEXED)
    asked = pb.GetOperationRequest(operation_id=added.operation_id, wait={"seconds": 30})
    operation = stub.GetOperation(asked, timeout=60)
    assert operation.state == resources_pb2.OPERATION_STATE_FAILED
    assert told(stub, "Lisbon") == {("message", "I live in Lisbon.")}
