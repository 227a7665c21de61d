"""Every RPC that works, over a real port: what was put in comes out."""

import struct
import uuid

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from mnemic.v1 import admin_service_pb2, query_pb2, resources_pb2
from mnemic.v1 import memory_service_pb2 as pb

TIMEOUT = 20.0
MAY = Timestamp(seconds=1_683_000_000)
JUNE = Timestamp(seconds=1_686_000_000)


def text(value: str) -> resources_pb2.MetadataValue:
    return resources_pb2.MetadataValue(string_value=value)


METADATA = {
    "city": text("Łódź"),
    "count": resources_pb2.MetadataValue(integer_value=2**63 - 1),
    "ratio": resources_pb2.MetadataValue(number_value=0.25),
    "done": resources_pb2.MetadataValue(boolean_value=False),
    "tags": resources_pb2.MetadataValue(string_list=resources_pb2.StringList(values=["b", "a"])),
}


def full_input() -> pb.MemoryInput:
    return pb.MemoryInput(
        body="Anna moved to Łódź with her dog Fafik.",
        kind=resources_pb2.MEMORY_KIND_FACT,
        name="Anna",
        event_time=MAY,
        event_time_end=JUNE,
        event_time_precision=resources_pb2.TIME_PRECISION_MONTH,
        expire_time=Timestamp(seconds=4_000_000_000),
        metadata=METADATA,
        categories=["home", "pets"],
        entities=["Fafik"],
        importance=0.75,
        pinned=True,
        trust=resources_pb2.TRUST_LEVEL_VERIFIED,
    )


def test_add_and_get_give_back_every_field(memories):
    scope = resources_pb2.Scope(user_id="anna", agent_id="coach", session_id="s1", app_id="web")
    added = memories.AddMemories(pb.AddMemoriesRequest(scope=scope, memories=[full_input()]), timeout=TIMEOUT)
    (item,) = added.memories
    assert (item.version, item.duplicate, item.embedding_pending) == (1, False, False)
    assert added.revision > 0
    assert not added.replayed

    memory = memories.GetMemory(pb.GetMemoryRequest(memory_id=item.memory_id), timeout=TIMEOUT).memory

    given = full_input()
    for name in given.DESCRIPTOR.fields_by_name:
        if name in memory.DESCRIPTOR.fields_by_name and name not in {"role", "entities"}:
            assert getattr(memory, name) == getattr(given, name), name
    assert memory.scope == scope
    assert memory.role == resources_pb2.ROLE_UNSPECIFIED
    assert "Fafik" in memory.entities
    assert memory.version == 1
    assert memory.revision == added.revision
    assert memory.create_time == memory.update_time
    assert memory.valid_from == MAY
    assert not memory.HasField("valid_to")
    assert memory.vector == b""
    assert memory.embedding_model == ""
    assert memory.confidence == 1.0


def test_bare_texts_are_messages_of_the_user(memories, add):
    added = add("I like tea.", "I have a cat.")
    assert len(added.memories) == 2
    memory = memories.GetMemory(pb.GetMemoryRequest(memory_id=added.memories[1].memory_id), timeout=TIMEOUT).memory
    assert memory.body == "I have a cat."
    assert memory.kind == resources_pb2.MEMORY_KIND_MESSAGE
    assert memory.role == resources_pb2.ROLE_USER
    assert not memory.HasField("event_time")
    assert memory.importance == 0.5
    assert memory.trust == resources_pb2.TRUST_LEVEL_NORMAL


def test_a_search_after_an_add_sees_it_and_explains_itself(memories, add, scope):
    added = add("Anna is a vegetarian.", "The train leaves at noon.")
    request = pb.SearchMemoriesRequest(scope=scope, query="vegetarian", explain=True, min_revision=added.revision)
    found = memories.SearchMemories(request, timeout=TIMEOUT)
    best = found.hits[0]
    assert best.memory_id == added.memories[0].memory_id
    assert best.body == "Anna is a vegetarian."
    assert found.revision >= added.revision
    assert found.considered == 2
    assert not found.vector_skipped
    assert found.timings.total_micros > 0
    parts = [part for _, part in best.score_parts.ListFields()]
    assert sum(part.weight * part.normalized for part in parts) == pytest.approx(best.score, abs=1e-5)
    assert best.score_parts.lexical.rank == 1
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)


def test_hits_carry_their_optional_parts_only_when_asked(memories, scope):
    memories.AddMemories(pb.AddMemoriesRequest(scope=scope, memories=[full_input()]), timeout=TIMEOUT)
    lean = memories.SearchMemories(pb.SearchMemoriesRequest(scope=scope, query="Fafik"), timeout=TIMEOUT).hits[0]
    assert lean.event_time_micros == MAY.seconds * 1_000_000
    assert not lean.HasField("scope")
    assert not lean.HasField("score_parts")
    assert not lean.HasField("valid_from_micros")
    assert [list(part) for part in (lean.metadata, lean.categories, lean.entities)] == [[], [], []]
    mask = FieldMask(paths=["scope", "metadata", "categories", "entities", "validity"])
    request = pb.SearchMemoriesRequest(scope=scope, query="Fafik", read_mask=mask)
    full = memories.SearchMemories(request, timeout=TIMEOUT).hits[0]
    assert full.scope == scope
    assert dict(full.metadata) == METADATA
    assert list(full.categories) == ["home", "pets"]
    assert "Fafik" in full.entities
    assert full.valid_from_micros == MAY.seconds * 1_000_000
    assert not full.HasField("valid_to_micros")


def test_a_search_by_vector_and_filter(memories, scope, engine):
    dimension = engine.stats().dimension
    vector = struct.pack(f"<{dimension}f", 1.0, *[0.0] * (dimension - 1))
    inputs = [
        pb.MemoryInput(body=f"number {n}", vector=vector, metadata={"n": resources_pb2.MetadataValue(integer_value=n)})
        for n in range(3)
    ]
    memories.AddMemories(pb.AddMemoriesRequest(scope=scope, memories=inputs), timeout=TIMEOUT)
    condition = query_pb2.Filter(
        all_of=query_pb2.FilterList(
            filters=[
                query_pb2.Filter(
                    comparison=query_pb2.Comparison(
                        field="metadata.n",
                        operator=query_pb2.COMPARISON_OPERATOR_GREATER_OR_EQUAL,
                        values=[resources_pb2.MetadataValue(integer_value=1)],
                    )
                ),
                query_pb2.Filter(
                    negation=query_pb2.Filter(
                        comparison=query_pb2.Comparison(
                            field="metadata.n",
                            operator=query_pb2.COMPARISON_OPERATOR_IN,
                            values=[resources_pb2.MetadataValue(integer_value=2)],
                        )
                    )
                ),
            ]
        )
    )
    request = pb.SearchMemoriesRequest(scope=scope, vector=vector, filter=condition, profile="semantic")
    assert [hit.body for hit in memories.SearchMemories(request, timeout=TIMEOUT).hits] == ["number 1"]
    listed = memories.ListMemories(pb.ListMemoriesRequest(scope=scope, filter=condition), timeout=TIMEOUT)
    assert [memory.body for memory in listed.memories] == ["number 1"]


def test_searches_in_a_batch_are_answered_in_order(memories, add, scope):
    add("Anna drinks tea.", "Anna plays chess.")
    searches = [pb.SearchMemoriesRequest(scope=scope, query=word, top_k=1) for word in ("chess", "tea")]
    answer = memories.BatchSearchMemories(pb.BatchSearchMemoriesRequest(searches=searches), timeout=TIMEOUT)
    assert [result.hits[0].body for result in answer.results] == ["Anna plays chess.", "Anna drinks tea."]


def test_several_memories_by_id(memories, add):
    first, second = (item.memory_id for item in add("one", "two").memories)
    absent = str(uuid.uuid4())
    request = pb.BatchGetMemoriesRequest(memory_ids=[second, absent, first], read_mask=FieldMask(paths=["body"]))
    answer = memories.BatchGetMemories(request, timeout=TIMEOUT)
    assert [memory.body for memory in answer.memories] == ["two", "one"]
    assert [memory.memory_id for memory in answer.memories] == ["", ""]
    assert list(answer.missing_ids) == [absent]


def test_a_vector_comes_when_it_is_named(memories, add, engine):
    memory_id = add("one").memories[0].memory_id
    mask = FieldMask(paths=["memory_id", "vector", "embedding_model"])
    memory = memories.GetMemory(pb.GetMemoryRequest(memory_id=memory_id, read_mask=mask), timeout=TIMEOUT).memory
    values = struct.unpack(f"<{engine.stats().dimension}f", memory.vector)
    assert sum(value * value for value in values) == pytest.approx(1.0, abs=1e-5)
    assert memory.embedding_model == engine.stats().model
    assert memory.body == ""


def test_pages_hold_every_memory_once_newest_first(memories, add, scope):
    bodies = [f"memory {n}" for n in range(7)]
    add(*bodies)
    seen, token = [], ""
    while True:
        page = memories.ListMemories(
            pb.ListMemoriesRequest(scope=scope, page_size=3, page_token=token), timeout=TIMEOUT
        )
        seen += [memory.body for memory in page.memories]
        token = page.next_page_token
        if not token:
            break
        assert len(page.memories) == 3
    assert seen == bodies[::-1]


def test_an_update_writes_a_new_version_of_what_the_mask_names(memories, add, scope):
    memory_id = add("Anna lives in Lodz.").memories[0].memory_id
    memory = resources_pb2.Memory(memory_id=memory_id, body="Anna lives in Riga.", metadata={"k": text("v")}, name="no")
    mask = FieldMask(paths=["body", "metadata", "event_time"])
    answer = memories.UpdateMemory(
        pb.UpdateMemoryRequest(memory=memory, update_mask=mask, expected_version=1), timeout=TIMEOUT
    )
    assert answer.memory.version == 2
    assert answer.memory.body == "Anna lives in Riga."
    assert dict(answer.memory.metadata) == {"k": text("v")}
    assert answer.memory.name == ""
    assert answer.revision == answer.memory.revision
    found = memories.SearchMemories(pb.SearchMemoriesRequest(scope=scope, query="Riga"), timeout=TIMEOUT)
    assert [hit.body for hit in found.hits] == ["Anna lives in Riga."]


def test_an_update_without_a_mask_changes_what_is_set(memories, add):
    memory_id = add("Anna lives in Lodz.").memories[0].memory_id
    memory = resources_pb2.Memory(memory_id=memory_id, importance=0.875, event_time=MAY)
    answer = memories.UpdateMemory(pb.UpdateMemoryRequest(memory=memory), timeout=TIMEOUT).memory
    assert (answer.body, answer.importance, answer.event_time) == ("Anna lives in Lodz.", 0.875, MAY)


def test_a_deleted_memory_is_not_found_and_its_history_is(memories, add, scope, refused):
    memory_id = add("Anna likes jazz.").memories[0].memory_id
    deleted = memories.DeleteMemory(pb.DeleteMemoryRequest(memory_id=memory_id, expected_version=1), timeout=TIMEOUT)
    assert deleted.revision > 0
    assert not memories.SearchMemories(pb.SearchMemoriesRequest(scope=scope, query="jazz"), timeout=TIMEOUT).hits
    refusal = refused(memories.GetMemory, pb.GetMemoryRequest(memory_id=memory_id))
    assert refusal.reason == "MEMORY_NOT_FOUND"
    history = memories.GetMemoryHistory(pb.GetMemoryHistoryRequest(memory_id=memory_id), timeout=TIMEOUT).revisions
    assert [entry.change for entry in history] == [resources_pb2.CHANGE_KIND_ADDED, resources_pb2.CHANGE_KIND_DELETED]
    assert history[-1].memory.body == "Anna likes jazz."
    assert history[-1].revision == deleted.revision
    assert history[-1].HasField("change_time")


def test_scopes_are_listed_with_counts_in_pages(memories, add):
    scopes = [resources_pb2.Scope(user_id="anna"), resources_pb2.Scope(user_id="bert", session_id="s")]
    add("one", "two", scope=scopes[0])
    add("three", scope=scopes[1])
    first = memories.ListScopes(pb.ListScopesRequest(page_size=1), timeout=TIMEOUT)
    rest = memories.ListScopes(pb.ListScopesRequest(page_size=1, page_token=first.next_page_token), timeout=TIMEOUT)
    listed = [*first.scopes, *rest.scopes]
    assert [item.scope for item in listed] == scopes
    assert [item.memory_count for item in listed] == [2, 1]
    assert all(item.HasField("first_create_time") for item in listed)
    assert not rest.next_page_token


@pytest.mark.parametrize("call", ["add", "update", "delete"])
def test_a_repeated_request_id_gives_the_first_answer_and_writes_nothing(memories, add, scope, call, refused):
    memory_id = add("Anna likes jazz.").memories[0].memory_id
    request_id = str(uuid.uuid4())
    method, request, other = {
        "add": (
            memories.AddMemories,
            pb.AddMemoriesRequest(scope=scope, texts=["once"], request_id=request_id),
            pb.AddMemoriesRequest(scope=scope, texts=["twice"], request_id=request_id),
        ),
        "update": (
            memories.UpdateMemory,
            pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=memory_id, body="a"), request_id=request_id),
            pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=memory_id, body="b"), request_id=request_id),
        ),
        "delete": (
            memories.DeleteMemory,
            pb.DeleteMemoryRequest(memory_id=memory_id, request_id=request_id),
            pb.DeleteMemoryRequest(memory_id=str(uuid.uuid4()), request_id=request_id),
        ),
    }[call]
    first = method(request, timeout=TIMEOUT)
    again = method(request, timeout=TIMEOUT)
    assert not first.replayed
    assert again.replayed
    assert again.revision == first.revision
    again.replayed = False
    assert again == first
    refusal = refused(method, other)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


def test_stats_count_what_is_there(admin, memories, add, engine, scope):
    added = add("one", "two")
    # What is in memory is what was searched.
    memories.SearchMemories(pb.SearchMemoriesRequest(scope=scope, query="one"), timeout=TIMEOUT)
    stats = admin.GetStats(admin_service_pb2.GetStatsRequest(), timeout=TIMEOUT)
    assert stats.store.memory_count == 2
    assert stats.store.revision == added.revision
    assert not stats.HasField("server")
    overall = admin.GetStats(admin_service_pb2.GetStatsRequest(all_tenants=True), timeout=TIMEOUT)
    assert overall.server.embedding_model == engine.stats().model
    assert overall.index.row_count == 2
