"""Leaving and coming on the wire."""

import hashlib
import json
import uuid

import grpc
from memory_scenarios import add
from wire import Wire, scenario

from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.v1 import query_pb2, resources_pb2

JSONL, CHAT = pb.TRANSFER_FORMAT_JSONL, pb.TRANSFER_FORMAT_CHAT


def exported(wire: Wire, **fields) -> tuple[bytes, list[pb.ExportMemoriesResponse]]:
    request = pb.ExportMemoriesRequest(**({"scope": wire.scope()} | fields))
    pieces = wire.ExportMemories(
        request, only=lambda answers: [(piece.exported_count, piece.HasField("summary")) for piece in answers]
    )
    data = b"".join(piece.data for piece in pieces)
    assert pieces[-1].summary.sha256 == hashlib.sha256(data).digest()
    assert pieces[-1].summary.byte_count == len(data)
    return data, pieces


def importing(data: bytes, **fields) -> list[pb.ImportMemoriesRequest]:
    configuration = pb.ImportConfiguration(**({"format": JSONL} | fields))
    chunks = [data[start : start + 1000] for start in range(0, len(data), 1000)]
    return [
        pb.ImportMemoriesRequest(configuration=configuration),
        *(pb.ImportMemoriesRequest(data=chunk) for chunk in chunks),
    ]


@scenario
def what_leaves_comes_in_again_somewhere_else(wire):
    add(wire, "one", "two", "three")
    data, pieces = exported(wire, include_vectors=True)
    assert [json.loads(line)["body"] for line in data.splitlines()] == ["one", "two", "three"]
    assert pieces[-1].revision > 0
    ben = wire.scope("ben")
    for added in (3, 0):
        answers = wire.ImportMemories(importing(data, override_scope=ben, keep_vectors=True))
        last = answers[-1]
        assert (last.processed_count, last.added_count, last.duplicate_count, last.done) == (3, added, 3 - added, True)
    again, _ = exported(wire, scope=ben, include_vectors=True)
    vectors = [[json.loads(line)["vector"] for line in each.splitlines()] for each in (data, again)]
    assert vectors[0] == vectors[1]


@scenario
def history_leaves_when_asked_and_filters_choose(wire):
    from mnemic.v1 import memory_service_pb2

    first, _ = (item.memory_id for item in add(wire, "one", "two").memories)
    wire.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(memory_id=first))
    now, _ = exported(wire)
    ever, _ = exported(wire, include_history=True)
    assert [json.loads(line)["body"] for line in now.splitlines()] == ["two"]
    assert ["deleteTime" in json.loads(line) for line in ever.splitlines()] == [True, False]
    nothing = query_pb2.Filter(
        comparison=query_pb2.Comparison(
            field="kind",
            operator=query_pb2.COMPARISON_OPERATOR_EQUAL,
            values=[resources_pb2.MetadataValue(string_value="fact")],
        )
    )
    data, pieces = exported(wire, filter=nothing)
    assert (data, pieces[-1].summary.memory_count) == (b"", 0)


@scenario
def a_chat_log_is_taken_in_and_errors_are_told(wire):
    turns = [
        {"role": "user", "content": "tea"},
        {"role": "king", "content": "x"},
        {"role": "assistant", "content": "ok"},
    ]
    data = json.dumps(turns).encode()
    request_id = str(uuid.uuid4())
    scope = wire.scope()
    answers = wire.ImportMemories(importing(data, format=CHAT, default_scope=scope, request_id=request_id))
    errors = [(error.item_index, error.reason) for answer in answers for error in answer.errors]
    assert errors == [(1, "INVALID_FIELD")]
    assert (answers[-1].added_count, answers[-1].error_count) == (2, 1)
    [replayed] = wire.ImportMemories(importing(data, format=CHAT, default_scope=scope, request_id=request_id))
    assert (replayed.replayed, replayed.added_count) == (True, 2)
    *_, stopped = wire.ImportMemories(importing(data, format=CHAT, default_scope=wire.scope("b"), stop_on_error=True))
    assert (stopped.processed_count, stopped.done) == (1, False)
    checked = wire.ImportMemories(importing(data, format=CHAT, default_scope=wire.scope("c"), validate_only=True))
    assert checked[-1].added_count == 2
    assert exported(wire, scope=wire.scope("c"))[0] == b""


REFUSED = {
    "no scope": ("ExportMemories", pb.ExportMemoriesRequest(), "SCOPE_MISSING"),
    "a format that is for imports": (
        "ExportMemories",
        pb.ExportMemoriesRequest(scope=resources_pb2.Scope(user_id="u"), format=CHAT),
        "INVALID_FIELD",
    ),
    "a token of nothing": (
        "ExportMemories",
        pb.ExportMemoriesRequest(scope=resources_pb2.Scope(user_id="u"), resume_token="x"),  # noqa: S106 (no secret)
        "INVALID_PAGE_TOKEN",
    ),
    "no request": ("ImportMemories", [], "INVALID_FIELD"),
    "no configuration": ("ImportMemories", [pb.ImportMemoriesRequest(data=b"x")], "INVALID_FIELD"),
    "no format": (
        "ImportMemories",
        [pb.ImportMemoriesRequest(configuration=pb.ImportConfiguration())],
        "INVALID_FIELD",
    ),
    "two configurations": ("ImportMemories", importing(b"") * 2, "INVALID_FIELD"),
    "two scopes": (
        "ImportMemories",
        importing(b"", default_scope=resources_pb2.Scope(user_id="u"), override_scope=resources_pb2.Scope(user_id="v")),
        "INVALID_FIELD",
    ),
    "a document that is none": ("ImportMemories", importing(b"{", format=CHAT), "INVALID_FIELD"),
    "a file that is no Parquet": (
        "ImportMemories",
        importing(b"x" * 100, format=pb.TRANSFER_FORMAT_PARQUET),
        "INVALID_FIELD",
    ),
}


@scenario
def what_cannot_be_exported_or_imported_is_refused(wire):
    for method, request, reason in REFUSED.values():
        refusal = wire.refused(method, request)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
