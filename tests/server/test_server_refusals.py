"""Bad input of each kind gets its error: the code, the reason, the field at fault, and what would be accepted."""

import struct
import time
import uuid

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.server.admin_service import AdminService
from mnemic.server.calls import python_name
from mnemic.server.memory_service import MemoryService
from mnemic.server.server import MnemicServer
from mnemic.v1 import admin_service_pb2, lifecycle_service_pb2, query_pb2, resources_pb2
from mnemic.v1 import memory_service_pb2 as pb

TIMEOUT = 20.0
ANNA = resources_pb2.Scope(user_id="anna")
INVALID = grpc.StatusCode.INVALID_ARGUMENT
Input = pb.MemoryInput


@pytest.fixture(scope="module")
def server_settings():
    return ServerSettings(address="127.0.0.1:0")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """One for all: a refused call leaves nothing behind that another test could meet."""
    settings = load_settings(data_directory=tmp_path_factory.mktemp("data"), embedding={"provider": "static"})
    with Engine.open(settings, pull_missing_model=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(engine, server_settings):
    with MnemicServer(engine, server_settings) as started:
        yield started


def adding(*items: pb.MemoryInput, **fields) -> pb.AddMemoriesRequest:
    return pb.AddMemoriesRequest(**({"scope": ANNA, "memories": items} | fields))


def searching(**fields) -> pb.SearchMemoriesRequest:
    return pb.SearchMemoriesRequest(**({"scope": ANNA, "query": "tea"} | fields))


def compare(field: str = "kind", operator: int = 1, *values: str) -> query_pb2.Filter:
    return query_pb2.Filter(
        comparison=query_pb2.Comparison(
            field=field, operator=operator, values=[resources_pb2.MetadataValue(string_value=value) for value in values]
        )
    )


def nested(depth: int) -> query_pb2.Filter:
    node = compare("kind", query_pb2.COMPARISON_OPERATOR_EQUAL, "fact")
    for _ in range(depth):
        node = query_pb2.Filter(negation=node)
    return node


NO_VALUE = {"a": resources_pb2.MetadataValue()}
NAN_VALUE = {"a": resources_pb2.MetadataValue(number_value=float("nan"))}
EMPTY_ID = resources_pb2.Scope(user_id="")

ADDS = {
    "nothing to add": (adding(), "INVALID_FIELD", "memories"),
    "both forms": (adding(Input(body="x"), texts=["y"]), "INVALID_FIELD", "texts"),
    "empty text": (adding(Input(body="fine"), Input(body="")), "INVALID_FIELD", "memories[1].body"),
    "white space": (adding(Input(body=" \n\t")), "INVALID_FIELD", "memories[0].body"),
    "no scope": (adding(Input(body="x"), scope=None), "SCOPE_MISSING", "scope"),
    "an id that is empty": (adding(Input(body="x"), scope=EMPTY_ID), "INVALID_FIELD", "scope.user_id"),
    "a text over the limit": (adding(Input(body="x" * 40_000)), "BODY_TOO_LARGE", "memories[0].body"),
    "unknown kind": (adding(Input(body="x", kind=77)), "INVALID_FIELD", "memories[0].kind"),
    "unknown role": (adding(Input(body="x", role=77)), "INVALID_FIELD", "memories[0].role"),
    "unknown precision": (
        adding(Input(body="x", event_time_precision=77)),
        "INVALID_FIELD",
        "memories[0].event_time_precision",
    ),
    "unknown trust": (adding(Input(body="x", trust=-1)), "INVALID_FIELD", "memories[0].trust"),
    "unknown mode": (adding(Input(body="x"), mode=9), "INVALID_FIELD", "mode"),
    "unknown wait": (adding(Input(body="x"), wait_for=9), "INVALID_FIELD", "wait_for"),
    "time out of range": (
        adding(Input(body="x", event_time=Timestamp(seconds=1 << 60))),
        "INVALID_FIELD",
        "memories[0].event_time",
    ),
    "nanoseconds out of range": (
        adding(Input(body="x", expire_time=Timestamp(seconds=4_000_000_000, nanos=-1))),
        "INVALID_FIELD",
        "memories[0].expire_time",
    ),
    "range that ends before it begins": (
        adding(Input(body="x", event_time=Timestamp(seconds=2), event_time_end=Timestamp(seconds=1))),
        "INVALID_FIELD",
        "memories[0].event_time_end",
    ),
    "expired already": (
        adding(Input(body="x", expire_time=Timestamp(seconds=1))),
        "INVALID_FIELD",
        "memories[0].expire_time",
    ),
    "metadata without a value": (
        adding(Input(body="x", metadata=NO_VALUE)),
        "INVALID_FIELD",
        "memories[0].metadata['a']",
    ),
    "metadata that is no number": (
        adding(Input(body="x", metadata=NAN_VALUE)),
        "INVALID_FIELD",
        "memories[0].metadata['a']",
    ),
    "importance out of range": (adding(Input(body="x", importance=1.5)), "INVALID_FIELD", "memories[0].importance"),
    "a request id that is none": (adding(Input(body="x"), request_id="again"), "INVALID_FIELD", "request_id"),
    "a vector of another dimension": (
        adding(Input(body="x", vector=b"\0\0\x80?")),
        "DIMENSION_MISMATCH",
        "memories[0].vector",
    ),
    "half a float": (adding(Input(body="x", vector=b"\0")), "DIMENSION_MISMATCH", "memories[0].vector"),
}

SEARCHES = {
    "nothing asked": (searching(query=""), "INVALID_FIELD", "query"),
    "no scope": (searching(scope=None), "SCOPE_MISSING", "scope"),
    "an id that is empty": (searching(scope=EMPTY_ID), "INVALID_FIELD", "scope.user_id"),
    "a tenant-wide search that names a user": (
        searching(match=resources_pb2.SCOPE_MATCH_TENANT),
        "INVALID_FIELD",
        "scope",
    ),
    "unknown match": (searching(match=9), "INVALID_FIELD", "match"),
    "top_k of zero": (searching(top_k=0), "INVALID_FIELD", "top_k"),
    "negative top_k": (searching(top_k=-1), "INVALID_FIELD", "top_k"),
    "huge top_k": (searching(top_k=1_000_001), "INVALID_FIELD", "top_k"),
    "unknown profile": (searching(profile="best"), "INVALID_FIELD", "profile"),
    "weight out of range": (searching(weights=query_pb2.SignalWeights(vector=-1)), "INVALID_FIELD", "weights.vector"),
    "min_score out of range": (searching(min_score=2), "INVALID_FIELD", "min_score"),
    "negative revision": (searching(min_revision=-1), "INVALID_FIELD", "min_revision"),
    "query over the limit": (searching(query="x" * 9000), "INVALID_FIELD", "query"),
    "time out of range": (searching(as_of=Timestamp(nanos=2_000_000_000)), "INVALID_FIELD", "as_of"),
    "unknown part": (searching(read_mask=FieldMask(paths=["vector"])), "INVALID_FIELD", "read_mask"),
    "a vector of another dimension": (searching(vector=b"\0\0\x80?"), "DIMENSION_MISMATCH", "vector"),
    "a filter that is empty": (searching(filter=query_pb2.Filter()), "INVALID_FILTER", "filter"),
    "a list that is empty": (
        searching(filter=query_pb2.Filter(any_of=query_pb2.FilterList())),
        "INVALID_FILTER",
        None,
    ),
    "unknown operator": (searching(filter=compare("kind", 99, "fact")), "INVALID_FILTER", "filter.comparison.operator"),
    "no operator": (searching(filter=compare("kind", 0, "fact")), "INVALID_FILTER", "filter.comparison.operator"),
    "unknown field": (searching(filter=compare("colour", 1, "red")), "INVALID_FILTER", None),
    "no value to compare with": (searching(filter=compare("kind", 1)), "INVALID_FILTER", None),
    "too deep": (searching(filter=nested(8)), "INVALID_FILTER", None),
}


def check(refusal, reason: str, field: str | None) -> None:
    assert refusal.code is INVALID, refusal
    assert (refusal.reason, refusal.domain) == (reason, "mnemic.dev"), refusal
    assert refusal.violations, refusal
    if field is not None:
        assert list(refusal.violations) == [field]
        assert refusal.violations[field] in refusal.message
        assert refusal.metadata["field"] == field


@pytest.mark.parametrize(("request_message", "reason", "field"), list(ADDS.values()), ids=list(ADDS))
def test_adds(memories, refused, request_message, reason, field, engine):
    before = engine.revision()
    check(refused(memories.AddMemories, request_message), reason, field)
    assert engine.revision() == before, "nothing is half-written"


@pytest.mark.parametrize(("request_message", "reason", "field"), list(SEARCHES.values()), ids=list(SEARCHES))
def test_searches(memories, refused, request_message, reason, field):
    check(refused(memories.SearchMemories, request_message), reason, field)


def test_a_bad_search_in_a_batch_says_which(memories, refused):
    request = pb.BatchSearchMemoriesRequest(searches=[searching(), searching(top_k=0)])
    check(refused(memories.BatchSearchMemories, request), "INVALID_FIELD", None)
    assert list(refused(memories.BatchSearchMemories, request).violations) == ["searches[1].top_k"]
    mask = pb.BatchSearchMemoriesRequest(searches=[searching(), searching(read_mask=FieldMask(paths=["x"]))])
    assert list(refused(memories.BatchSearchMemories, mask).violations) == ["searches[1].read_mask"]


def test_an_oversized_text_is_told_the_limit_and_its_size(memories, refused):
    refusal = refused(memories.AddMemories, adding(Input(body="ł" * 20_000)))
    assert refusal.metadata["limit_bytes"] == "32768"
    assert refusal.metadata["actual_bytes"] == "40000"
    assert "32768" in refusal.message
    assert "40000" in refusal.message


def test_an_oversized_message_is_told_the_limit_and_its_size(memories, refused, server_settings):
    request = adding(*[Input(body="x" * 32_000)] * 600)
    assert request.ByteSize() > server_settings.max_message_bytes
    refusal = refused(memories.AddMemories, request)
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(server_settings.max_message_bytes) in refusal.message
    assert str(request.ByteSize()) in refusal.message


def test_oversized_metadata_of_a_call_is_refused(memories, refused, server_settings):
    header = ("x-large", "x" * (server_settings.max_metadata_bytes + 1))
    refusal = refused(memories.SearchMemories, searching(), metadata=[header])
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(server_settings.max_metadata_bytes) in refusal.message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
@pytest.mark.parametrize("call", ["add", "search"])
def test_a_vector_without_a_direction_is_refused(memories, refused, engine, value, call):
    dimension = engine.stats().dimension
    vector = struct.pack(f"<{dimension}f", *[value] * dimension)
    if call == "add":
        refusal = refused(memories.AddMemories, adding(Input(body="x", vector=vector)))
    else:
        refusal = refused(memories.SearchMemories, searching(vector=vector))
    check(refusal, "VECTOR_NOT_FINITE", "memories[0].vector" if call == "add" else "vector")


@pytest.mark.parametrize(
    ("request_message", "field"),
    [
        (adding(Input(body="x"), mode=pb.ADD_MODE_LOCAL), "mode"),
        (adding(Input(body="x"), mode=pb.ADD_MODE_LLM), "mode"),
        (adding(Input(body="x"), mode=pb.ADD_MODE_HYBRID), "mode"),
        (adding(Input(body="x"), wait_for=pb.WAIT_FOR_EXTRACTED), "wait_for"),
        (adding(Input(body="x"), extraction_instructions="be brief"), "extraction_instructions"),
        (adding(Input(body="x", slot="user.diet")), "memories[0].slot"),
        (adding(Input(body="x", slot_value="vegan")), "memories[0].slot_value"),
        (adding(Input(body="x", supersedes=[str(uuid.uuid4())])), "memories[0].supersedes"),
        (searching(context_window=1), "context_window"),
        (searching(reference_time=Timestamp(seconds=1)), "reference_time"),
        (searching(weights=query_pb2.SignalWeights(time=0.5)), "weights.time"),
        (searching(weights=query_pb2.SignalWeights(actor=0.5)), "weights.actor"),
        (searching(weights=query_pb2.SignalWeights(context=0.5)), "weights.context"),
        (
            pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=str(uuid.uuid4()), slot="user.diet")),
            "memory.slot",
        ),
    ],
)
def test_fields_of_later_versions_are_refused_rather_than_ignored(memories, refused, request_message, field):
    method = {
        pb.AddMemoriesRequest: memories.AddMemories,
        pb.SearchMemoriesRequest: memories.SearchMemories,
        pb.UpdateMemoryRequest: memories.UpdateMemory,
    }[type(request_message)]
    refusal = refused(method, request_message)
    assert refusal.code is grpc.StatusCode.UNIMPLEMENTED
    assert refusal.reason == "NOT_IMPLEMENTED"
    assert refusal.metadata["field"] == field
    assert refusal.message.startswith(field)


@pytest.mark.parametrize("token", ["nonsense", "e30", "WzEsIngiLFtdXQ"])
def test_a_bad_page_token(memories, refused, token):
    refusal = refused(memories.ListMemories, pb.ListMemoriesRequest(scope=ANNA, page_token=token))
    check(refusal, "INVALID_PAGE_TOKEN", "page_token")
    refusal = refused(memories.ListScopes, pb.ListScopesRequest(page_token=token))
    check(refusal, "INVALID_PAGE_TOKEN", "page_token")


def test_a_page_token_of_another_request(memories, refused, add):
    add("one", "two", "three")
    page = memories.ListMemories(pb.ListMemoriesRequest(scope=ANNA, page_size=1), timeout=TIMEOUT)
    other = resources_pb2.Scope(user_id="bert")
    request = pb.ListMemoriesRequest(scope=other, page_size=1, page_token=page.next_page_token)
    check(refused(memories.ListMemories, request), "INVALID_PAGE_TOKEN", "page_token")


def test_a_negative_page_size(memories, refused):
    check(
        refused(memories.ListMemories, pb.ListMemoriesRequest(scope=ANNA, page_size=-1)), "INVALID_FIELD", "page_size"
    )
    check(refused(memories.ListScopes, pb.ListScopesRequest(page_size=-1)), "INVALID_FIELD", "page_size")


@pytest.mark.parametrize("memory_id", ["", "*", "1", "x" * 36])
def test_an_id_that_is_none(memories, refused, memory_id):
    check(refused(memories.GetMemory, pb.GetMemoryRequest(memory_id=memory_id)), "INVALID_FIELD", "memory_id")
    check(refused(memories.DeleteMemory, pb.DeleteMemoryRequest(memory_id=memory_id)), "INVALID_FIELD", "memory_id")
    request = pb.BatchGetMemoriesRequest(memory_ids=[str(uuid.uuid4()), memory_id])
    check(refused(memories.BatchGetMemories, request), "INVALID_FIELD", "memory_ids[1]")


def test_a_foreign_memory_is_not_found_exactly_like_an_absent_one(memories, refused, add):
    memory_id = add("mine").memories[0].memory_id
    bert = resources_pb2.Scope(user_id="bert")
    calls = [
        (memories.GetMemory, lambda wanted: pb.GetMemoryRequest(memory_id=wanted, scope=bert)),
        (memories.GetMemoryHistory, lambda wanted: pb.GetMemoryHistoryRequest(memory_id=wanted, scope=bert)),
        (memories.DeleteMemory, lambda wanted: pb.DeleteMemoryRequest(memory_id=wanted, scope=bert)),
        (
            memories.UpdateMemory,
            lambda wanted: pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=wanted, body="x"), scope=bert),
        ),
    ]
    absent = str(uuid.uuid4())
    for method, request in calls:
        foreign, missing = refused(method, request(memory_id)), refused(method, request(absent))
        assert foreign.code is grpc.StatusCode.NOT_FOUND
        assert foreign.reason == "MEMORY_NOT_FOUND"
        missing.message = missing.message.replace(absent, memory_id)
        missing.metadata["memory_id"] = memory_id
        assert foreign == missing


def test_a_version_that_is_no_longer_current(memories, refused, add):
    memory_id = add("one").memories[0].memory_id
    request = pb.DeleteMemoryRequest(memory_id=memory_id, expected_version=7)
    refusal = refused(memories.DeleteMemory, request)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_CONFLICT")
    assert refusal.metadata["current_version"] == "1"


@pytest.mark.parametrize("path", ["memory_id", "scope", "create_time", "version", "colour", "scope.user_id"])
def test_a_field_that_cannot_change_is_named(memories, refused, add, path):
    memory_id = add("one").memories[0].memory_id
    request = pb.UpdateMemoryRequest(
        memory=resources_pb2.Memory(memory_id=memory_id), update_mask=FieldMask(paths=["body", path])
    )
    refusal = refused(memories.UpdateMemory, request)
    check(refusal, "INVALID_FIELD", "update_mask")
    assert repr(path) in refusal.message


def test_a_field_that_is_set_without_a_mask_and_cannot_change_is_named(memories, refused, add):
    memory_id = add("one").memories[0].memory_id
    fetched = memories.GetMemory(pb.GetMemoryRequest(memory_id=memory_id), timeout=TIMEOUT).memory
    fetched.body = "two"
    refusal = refused(memories.UpdateMemory, pb.UpdateMemoryRequest(memory=fetched))
    check(refusal, "INVALID_FIELD", "memory.scope")


def test_an_update_of_nothing(memories, refused):
    request = pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=str(uuid.uuid4())))
    check(refused(memories.UpdateMemory, request), "INVALID_FIELD", "update_mask")


@pytest.mark.parametrize("path", ["colour", "scope.user_id", "*"])
def test_an_unknown_path_of_a_read_mask(memories, refused, path):
    mask = FieldMask(paths=[path])
    check(refused(memories.GetMemory, pb.GetMemoryRequest(memory_id="x", read_mask=mask)), "INVALID_FIELD", "read_mask")
    check(
        refused(memories.ListMemories, pb.ListMemoriesRequest(scope=ANNA, read_mask=mask)), "INVALID_FIELD", "read_mask"
    )


# A string field (texts, number 3) that holds bytes which are no UTF-8, and bytes that are no message at all.
@pytest.mark.parametrize(
    "data", [b"\x1a\x02\xff\xfe", b"\xff\xff\xff", b"\x0a\x7f"], ids=["text", "garbage", "cut off"]
)
def test_bytes_that_are_no_message(channel, refused, data, engine):
    before = engine.revision()
    raw = channel.unary_unary("/mnemic.v1.MemoryService/AddMemories")
    refusal = refused(raw, data)
    assert (refusal.code, refusal.reason) == (INVALID, "MALFORMED_MESSAGE")
    assert refusal.metadata == {"message": "mnemic.v1.AddMemoriesRequest"}
    assert engine.revision() == before


def test_a_past_deadline_is_not_begun(memories, refused, add, engine):
    add("warm")
    before = engine.revision()
    refusal = refused(memories.AddMemories, adding(Input(body="late")), timeout=-1.0)
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
    time.sleep(0.1)
    assert engine.revision() == before


def test_a_revision_that_does_not_come(memories, refused, add):
    add("one")
    started = time.monotonic()
    refusal = refused(memories.SearchMemories, searching(min_revision=10**9), timeout=0.5)
    assert time.monotonic() - started < 5
    assert refusal.code in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.FAILED_PRECONDITION}


def test_an_unknown_method(channel, refused):
    raw = channel.unary_unary("/mnemic.v1.MemoryService/ForgetEverything")
    assert refused(raw, b"").code is grpc.StatusCode.UNIMPLEMENTED


def test_stats_of_a_tenant_that_is_not_there(admin, refused):
    refusal = refused(admin.GetStats, admin_service_pb2.GetStatsRequest(tenant_id="other"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
    both = admin_service_pb2.GetStatsRequest(tenant_id="default", all_tenants=True)
    check(refused(admin.GetStats, both), "INVALID_FIELD", "tenant_id")


def unimplemented_methods():
    services = (
        (pb, "MemoryService", MemoryService),
        (lifecycle_service_pb2, "LifecycleService", object),
        (admin_service_pb2, "AdminService", AdminService),
    )
    for module, name, service in services:
        for method in module.DESCRIPTOR.services_by_name[name].methods:
            if not hasattr(service, python_name(method.name)):
                yield pytest.param(method, id=f"{name}.{method.name}")


@pytest.mark.parametrize("method", list(unimplemented_methods()))
def test_what_later_versions_bring_says_so(channel, method, refused):
    open_method = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }[method.client_streaming, method.server_streaming]
    request = GetMessageClass(method.input_type)()
    stub = open_method(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    refusal = refused(stub, iter([request]) if method.client_streaming else request)
    assert refusal.code is grpc.StatusCode.UNIMPLEMENTED
    assert (refusal.reason, refusal.domain) == ("NOT_IMPLEMENTED", "mnemic.dev")
    assert refusal.metadata == {"method": f"{method.containing_service.name}.{method.name}"}
    assert "docs/contract.md" in refusal.message


UNARY = [
    method
    for module, name in (
        (pb, "MemoryService"),
        (lifecycle_service_pb2, "LifecycleService"),
        (admin_service_pb2, "AdminService"),
    )
    for method in module.DESCRIPTOR.services_by_name[name].methods
    if not (method.client_streaming or method.server_streaming)
]
SEEDS = [
    adding(Input(body="x", metadata={"a": resources_pb2.MetadataValue(integer_value=1)}, vector=b"1234")),
    searching(filter=nested(3), weights=query_pb2.SignalWeights(vector=0.5), read_mask=FieldMask(paths=["scope"])),
    pb.ListMemoriesRequest(scope=ANNA, page_token="e30"),  # noqa: S106 (a page token)
    pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=str(uuid.UUID(int=7)), body="x"), request_id="x"),
]


@st.composite
def damaged_bytes(draw) -> bytes:
    """A message with some bytes changed, cut or added; or any bytes."""
    data = bytearray(draw(st.sampled_from([seed.SerializeToString() for seed in SEEDS])))
    for _ in range(draw(st.integers(0, 6))):
        position = draw(st.integers(0, max(len(data) - 1, 0)))
        data[position : position + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return draw(st.sampled_from([bytes(data), draw(st.binary(max_size=64))]))


@given(method=st.sampled_from(UNARY), data=damaged_bytes())
@hypothesis_settings(max_examples=300)
def test_no_bytes_make_the_server_fail(channel, method, data):
    raw = channel.unary_unary(f"/{method.containing_service.full_name}/{method.name}")
    try:
        raw(data, timeout=TIMEOUT)
    except grpc.RpcError as error:
        defects = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}
        if error.code() in defects:
            raise
