"""Facts by a language model through a whole server: its worker asks a service that speaks the protocol."""

import uuid

import grpc
import pytest
from pydantic import SecretStr

from mnemic.engine.engine import Engine
from mnemic.server.server import MnemicServer
from mnemic.v1 import admin_service_pb2, admin_service_pb2_grpc, memory_service_pb2_grpc, resources_pb2
from mnemic.v1 import memory_service_pb2 as pb
from tests.embedding.embedding_servers import serving
from tests.extraction.chat_services import KEY, ChatService, error, fact, facts

ANA = resources_pb2.Scope(user_id="ana", session_id="s1")
HOME = fact("Ana lives in Lisbon.", slot="ana.home", value="Lisbon", entities=["Ana", "Lisbon"])


@pytest.fixture
def service():
    return ChatService()


@pytest.fixture
def channel(settings, server_settings, service):
    server_settings = server_settings.model_copy(update={"metrics_address": "127.0.0.1:0"})
    with serving(service.handler()) as address:
        llm = {"base_url": f"{address}/v1", "api_key": SecretStr(KEY), "model": "m"}
        # The service says of each answer that it read 100 tokens and wrote 20: 0.0003 of what the prices are in.
        llm |= {"price_per_million_prompt_tokens": 1.0, "price_per_million_completion_tokens": 10.0}
        extraction = settings.extraction.model_copy(update={"llm": settings.extraction.llm.model_copy(update=llm)})
        with (
            Engine.open(settings.model_copy(update={"extraction": extraction}), pull_missing_model=True) as engine,
            MnemicServer(engine, server_settings) as server,
            grpc.insecure_channel(server.address) as channel,
        ):
            channel.metrics_address = server.metrics.address
            yield channel


@pytest.fixture
def stub(channel):
    return memory_service_pb2_grpc.MemoryServiceStub(channel)


@pytest.fixture
def admin(channel):
    return admin_service_pb2_grpc.AdminServiceStub(channel)


def change(admin, **extraction):
    settings = admin_service_pb2.TenantSettings(extraction=admin_service_pb2.ExtractionSettings(**extraction))
    request = admin_service_pb2.UpdateTenantRequest(
        tenant=admin_service_pb2.Tenant(tenant_id="default", settings=settings),
        update_mask={"paths": [f"settings.extraction.{name}" for name in extraction]},
    )
    return admin.UpdateTenant(request, timeout=10).tenant


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


def test_the_model_is_told_what_the_tenant_wants(stub, admin, service):
    change(
        admin,
        instructions="Write British English.",
        include_topics=["homes"],
        exclude_topics=["health"],
        categories=[{"name": "place", "description": "where somebody is"}],
        time_zone="Asia/Tokyo",
        default_mode=pb.ADD_MODE_LLM,
    )
    labelled = HOME | {"categories": ["place", "other"]}
    sick = fact("Ana is not well.", categories=["health"])
    service.answers = [facts(labelled, sick)]
    message = pb.MemoryInput(
        role=resources_pb2.ROLE_USER,
        name="Ana",
        body="I am not well, and I live in Lisbon.",
        event_time={"seconds": 1_683_054_000},
    )
    stub.AddMemories(pb.AddMemoriesRequest(scope=ANA, memories=[message], wait_for=pb.WAIT_FOR_EXTRACTED), timeout=60)
    asked = service.requests[0]["messages"][1]["content"]
    for words in ("Write British English.", "homes", "health", "place", "where somebody is", "2023-05-03 Wed 04:00"):
        assert words in asked
    listed = stub.ListMemories(pb.ListMemoriesRequest(scope=resources_pb2.Scope(user_id="ana")), timeout=10)
    assert [(item.body, list(item.categories)) for item in listed.memories] == [("Ana lives in Lisbon.", ["place"])]


def test_beyond_its_budget_a_tenant_waits_and_goes_on_with_a_larger_one(channel, stub, admin, service, metrics_page):
    change(admin, monthly_budget_micros=200)
    service.answers = [facts(HOME)]
    say(stub, "I live in Lisbon.", pb.ADD_MODE_LLM)
    added = say(stub, "I live in Lisbon now.", pb.ADD_MODE_LLM, wait=pb.WAIT_FOR_INDEXED)
    operation = pb.GetOperationRequest(operation_id=added.operation_id)
    while not (waits := stub.GetOperation(operation, timeout=10)).last_error:
        pass
    assert (waits.state, waits.attempts) == (resources_pb2.OPERATION_STATE_PENDING, 0)
    assert waits.next_attempt_time.ToDatetime().day == 1
    stats = admin.GetStats(admin_service_pb2.GetStatsRequest(), timeout=10).extraction
    assert (stats.pending_count, stats.held_count, stats.monthly_budget_micros) == (1, 1, 200)
    assert (stats.month.batch_count, stats.month.cost_micros) == (1, 300)
    assert stats.month.duration_micros > 0
    page = metrics_page(channel.metrics_address)
    assert page[("mnemic_extraction_queue",)] == page[("mnemic_extraction_queue_held",)] == 1
    assert page["mnemic_extraction_tenant_cost_total", ("tenant", "default")] == pytest.approx(0.0003)
    assert page["mnemic_extraction_tenant_tokens_total", ("kind", "prompt"), ("tenant", "default")] == 100
    assert page["mnemic_extraction_read_total", ("method", "llm")] == 1
    change(admin, monthly_budget_micros=1000)
    operation.wait.seconds = 30
    assert stub.GetOperation(operation, timeout=60).state == resources_pb2.OPERATION_STATE_DONE
    assert len(service.requests) == 2
