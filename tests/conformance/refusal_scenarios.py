"""Bad input of each kind gets its error: the code, the reason, the field at fault, and what would be accepted."""

import struct
import uuid
from collections.abc import Callable
from functools import partial

import grpc
from access_support import METHODS
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from memory_requests import ANNA, adding, compare, nested, searching
from memory_scenarios import DIMENSION, add
from wire import PATHS, Wire, add_scenario, scenario

from mnemic.server.admin_service import AdminService
from mnemic.server.calls import python_name
from mnemic.server.lifecycle_service import LifecycleService
from mnemic.server.memory_service import MemoryService
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import query_pb2, resources_pb2

ABSENT = str(uuid.UUID(int=7))
Input = pb.MemoryInput


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
    "long instructions": (
        adding(Input(body="x"), extraction_instructions="x" * 4097),
        "INVALID_FIELD",
        "extraction_instructions",
    ),
    "a mode that nobody defined": (adding(Input(body="x"), mode=99), "INVALID_FIELD", "mode"),
    "a value without a slot": (adding(Input(body="x", slot_value="vegan")), "INVALID_FIELD", "memories[0].slot_value"),
    "a slot with space around it": (adding(Input(body="x", slot=" a")), "INVALID_FIELD", "memories[0].slot"),
    "no memory to supersede": (
        adding(Input(body="x", supersedes=["x"])),
        "INVALID_FIELD",
        "memories[0].supersedes[0]",
    ),
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
    "negative context_window": (searching(context_window=-1), "INVALID_FIELD", "context_window"),
    "huge min_confidence": (searching(min_confidence=1.5), "INVALID_FIELD", "min_confidence"),
    "huge context_window": (searching(context_window=11), "INVALID_FIELD", "context_window"),
    "weight out of range": (searching(weights=query_pb2.SignalWeights(vector=-1)), "INVALID_FIELD", "weights.vector"),
    "min_score out of range": (searching(min_score=2), "INVALID_FIELD", "min_score"),
    "negative revision": (searching(min_revision=-1), "INVALID_FIELD", "min_revision"),
    "query over the limit": (searching(query="x" * 9000), "INVALID_FIELD", "query"),
    "time out of range": (searching(as_of=Timestamp(nanos=2_000_000_000)), "INVALID_FIELD", "as_of"),
    "reference time out of range": (
        searching(reference_time=Timestamp(nanos=2_000_000_000)),
        "INVALID_FIELD",
        "reference_time",
    ),
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

READS = {
    "an operation of no id": (pb.GetOperationRequest(operation_id="x"), "INVALID_FIELD", "operation_id"),
    "a wait into the past": (
        pb.GetOperationRequest(operation_id=ABSENT, wait=Duration(seconds=-1)),
        "INVALID_FIELD",
        "wait",
    ),
    "a search that is bad in a batch": (
        pb.BatchSearchMemoriesRequest(searches=[searching(), searching(top_k=0)]),
        "INVALID_FIELD",
        "searches[1].top_k",
    ),
    "a mask that is bad in a batch": (
        pb.BatchSearchMemoriesRequest(searches=[searching(), searching(read_mask=FieldMask(paths=["x"]))]),
        "INVALID_FIELD",
        "searches[1].read_mask",
    ),
    "no search in a batch": (pb.BatchSearchMemoriesRequest(), "INVALID_FIELD", "searches"),
    "too many searches in a batch": (
        pb.BatchSearchMemoriesRequest(searches=[searching()] * 101),
        "INVALID_FIELD",
        "searches",
    ),
    "no ids": (pb.BatchGetMemoriesRequest(), "INVALID_FIELD", "memory_ids"),
    "too many ids": (pb.BatchGetMemoriesRequest(memory_ids=[ABSENT] * 1001), "INVALID_FIELD", "memory_ids"),
    "a read of an empty scope": (
        pb.GetMemoryRequest(memory_id=ABSENT, scope=resources_pb2.Scope()),
        "SCOPE_MISSING",
        "scope",
    ),
    "a read of an id that is empty": (
        pb.GetMemoryRequest(memory_id=ABSENT, scope=EMPTY_ID),
        "INVALID_FIELD",
        "scope.user_id",
    ),
    "a listing without a scope": (pb.ListMemoriesRequest(), "SCOPE_MISSING", "scope"),
    "a listing with a negative page size": (
        pb.ListMemoriesRequest(scope=ANNA, page_size=-1),
        "INVALID_FIELD",
        "page_size",
    ),
    "scopes with a negative page size": (pb.ListScopesRequest(page_size=-1), "INVALID_FIELD", "page_size"),
    "a history of an id that is none": (pb.GetMemoryHistoryRequest(memory_id="x"), "INVALID_FIELD", "memory_id"),
    "an update of nothing": (
        pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=ABSENT)),
        "INVALID_FIELD",
        "update_mask",
    ),
    "an update of a negative version": (
        pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=ABSENT, body="x"), expected_version=-1),
        "INVALID_FIELD",
        "expected_version",
    ),
    "an update without an id": (
        pb.UpdateMemoryRequest(memory=resources_pb2.Memory(body="x")),
        "INVALID_FIELD",
        "memory.memory_id",
    ),
    "a deletion of a negative version": (
        pb.DeleteMemoryRequest(memory_id=ABSENT, expected_version=-1),
        "INVALID_FIELD",
        "expected_version",
    ),
    "a deletion with a request id that is none": (
        pb.DeleteMemoryRequest(memory_id=ABSENT, request_id="again"),
        "INVALID_FIELD",
        "request_id",
    ),
    **{
        f"a page token that is {token}": (
            pb.ListMemoriesRequest(scope=ANNA, page_token=token),
            "INVALID_PAGE_TOKEN",
            "page_token",
        )
        for token in ("nonsense", "e30", "WzEsIngiLFtdXQ")
    },
    **{
        f"a page token of scopes that is {token}": (
            pb.ListScopesRequest(page_token=token),
            "INVALID_PAGE_TOKEN",
            "page_token",
        )
        for token in ("nonsense", "e30", "WzEsIngiLFtdXQ")
    },
}
for memory_id in ("", "*", "1", "x" * 36):
    READS |= {
        f"a read of the id {memory_id!r}": (pb.GetMemoryRequest(memory_id=memory_id), "INVALID_FIELD", "memory_id"),
        f"a deletion of the id {memory_id!r}": (
            pb.DeleteMemoryRequest(memory_id=memory_id),
            "INVALID_FIELD",
            "memory_id",
        ),
        f"a batch with the id {memory_id!r}": (
            pb.BatchGetMemoriesRequest(memory_ids=[ABSENT, memory_id]),
            "INVALID_FIELD",
            "memory_ids[1]",
        ),
    }
for path in ("colour", "scope.user_id", "*"):
    mask = FieldMask(paths=[path])
    READS |= {
        f"a read of the path {path}": (
            pb.GetMemoryRequest(memory_id=ABSENT, read_mask=mask),
            "INVALID_FIELD",
            "read_mask",
        ),
        f"a batch of the path {path}": (
            pb.BatchGetMemoriesRequest(memory_ids=[ABSENT], read_mask=mask),
            "INVALID_FIELD",
            "read_mask",
        ),
        f"a listing of the path {path}": (
            pb.ListMemoriesRequest(scope=ANNA, read_mask=mask),
            "INVALID_FIELD",
            "read_mask",
        ),
    }


def is_refused(request: Message, reason: str, field: str | None, wire: Wire) -> None:
    before = wire.revision
    refusal = wire.refused(type(request).__name__.removesuffix("Request"), request)
    assert wire.revision == before, "nothing is half-written"
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT, refusal
    assert (refusal.reason, refusal.domain) == (reason, "mnemic.dev"), refusal
    assert refusal.violations, refusal
    if field is not None:
        assert list(refusal.violations) == [field], refusal
        assert refusal.violations[field] in refusal.message
        assert field.endswith(refusal.metadata["field"])


for kind, table in (("add", ADDS), ("search", SEARCHES), ("read", READS)):
    for name, (request, reason, field) in table.items():
        add_scenario(f"{kind}: {name}", partial(is_refused, request, reason, field))


def is_not_implemented(path: str, wire: Wire) -> None:
    method = METHODS[path]
    request = GetMessageClass(method.input_type)()
    refusal = wire.refused(method.name, [request] if method.client_streaming else request)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")
    assert refusal.domain == "mnemic.dev"
    assert refusal.metadata == {"method": f"{method.containing_service.name}.{method.name}"}
    assert "docs/contract.md" in refusal.message


WORKING = {"MemoryService": MemoryService, "AdminService": AdminService, "LifecycleService": LifecycleService}
for path, method in METHODS.items():
    if not hasattr(WORKING[method.containing_service.name], python_name(method.name)):
        add_scenario(f"later: {method.name}", partial(is_not_implemented, path))


@scenario
def an_oversized_text_is_told_the_limit_and_its_size(wire):
    refusal = wire.refused("AddMemories", adding(Input(body="ł" * 20_000)))
    assert (refusal.metadata["limit_bytes"], refusal.metadata["actual_bytes"]) == ("32768", "40000")
    assert "32768" in refusal.message
    assert "40000" in refusal.message


@scenario
def a_vector_without_a_direction_is_refused(wire):
    for value in (float("nan"), float("inf"), 0.0):
        vector = struct.pack(f"<{DIMENSION}f", *[value] * DIMENSION)
        is_refused(adding(Input(body="x", vector=vector)), "VECTOR_NOT_FINITE", "memories[0].vector", wire)
        is_refused(searching(vector=vector), "VECTOR_NOT_FINITE", "vector", wire)


@scenario
def a_page_token_of_another_request_is_refused(wire):
    add(wire, "one", "two", "three")
    page = wire.ListMemories(pb.ListMemoriesRequest(scope=wire.scope(), page_size=1))
    request = pb.ListMemoriesRequest(scope=wire.scope("bert"), page_size=1, page_token=page.next_page_token)
    is_refused(request, "INVALID_PAGE_TOKEN", "page_token", wire)


@scenario
def a_foreign_memory_is_not_found_exactly_like_an_absent_one(wire):
    memory_id = add(wire, "mine").memories[0].memory_id
    # It is in memory: the front knows it.
    wire.SearchMemories(pb.SearchMemoriesRequest(scope=wire.scope(), query="mine"))
    bert = wire.scope("bert")
    requests: list[Callable[[str], Message]] = [
        lambda wanted: pb.GetMemoryRequest(memory_id=wanted, scope=bert),
        lambda wanted: pb.GetMemoryHistoryRequest(memory_id=wanted, scope=bert),
        lambda wanted: pb.DeleteMemoryRequest(memory_id=wanted, scope=bert),
        lambda wanted: pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=wanted, body="x"), scope=bert),
    ]
    for request in requests:
        method = type(request("")).__name__.removesuffix("Request")
        foreign, missing = wire.refused(method, request(memory_id)), wire.refused(method, request(ABSENT))
        assert (foreign.code, foreign.reason) == (grpc.StatusCode.NOT_FOUND, "MEMORY_NOT_FOUND")
        missing.message = missing.message.replace(ABSENT, memory_id)
        missing.metadata["memory_id"] = memory_id
        assert foreign == missing


@scenario
def sources_that_are_not_there_are_refused(wire):
    request = pb.AddMemoriesRequest(scope=wire.scope(), memories=[Input(body="x", source_ids=[ABSENT])])
    assert wire.refused("AddMemories", request).reason == "MEMORY_NOT_FOUND"


@scenario
def a_version_that_is_no_longer_current_is_refused(wire):
    memory_id = add(wire, "one").memories[0].memory_id
    memory = resources_pb2.Memory(memory_id=memory_id, body="two")
    for method, request in (
        ("DeleteMemory", pb.DeleteMemoryRequest(memory_id=memory_id, expected_version=7)),
        ("UpdateMemory", pb.UpdateMemoryRequest(memory=memory, expected_version=7)),
    ):
        refusal = wire.refused(method, request)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_CONFLICT")
        assert refusal.metadata["current_version"] == "1"


@scenario
def a_field_that_cannot_change_is_named(wire):
    memory_id = add(wire, "one").memories[0].memory_id
    for path in ("memory_id", "scope", "create_time", "version", "colour", "scope.user_id"):
        request = pb.UpdateMemoryRequest(
            memory=resources_pb2.Memory(memory_id=memory_id), update_mask=FieldMask(paths=["body", path])
        )
        is_refused(request, "INVALID_FIELD", "update_mask", wire)
    fetched = wire.GetMemory(pb.GetMemoryRequest(memory_id=memory_id)).memory
    fetched.body = "two"
    is_refused(pb.UpdateMemoryRequest(memory=fetched), "INVALID_FIELD", "memory.scope", wire)


@scenario
def bytes_that_are_no_message_are_refused_by_every_rpc(wire):
    for method, path in PATHS.items():
        if METHODS[path].client_streaming:
            continue  # their steps are answered one by one
        for data in (b"\xff\xff\xff", b"\x0a\x7f"):
            refusal = wire.refused(method, data)
            if refusal.reason != "NOT_IMPLEMENTED":
                assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
                assert refusal.metadata == {"message": METHODS[path].input_type.full_name}


@scenario
def a_text_that_is_no_unicode_is_refused(wire):
    for method, data in (("AddMemories", b"\x1a\x02\xff\xfe"), ("SearchMemories", b"\x1a\x02\xff\xfe")):
        assert wire.refused(method, data).reason == "MALFORMED_MESSAGE"
