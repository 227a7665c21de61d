"""MemoryService: every RPC that works, with what was put in coming out."""

import struct
import uuid

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from wire import Wire, scenario

from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import query_pb2, resources_pb2

DIMENSION = 256  # of the static model
MAY = Timestamp(seconds=1_683_000_000)
JUNE = Timestamp(seconds=1_686_000_000)
Value = resources_pb2.MetadataValue
METADATA = {
    "city": Value(string_value="Łódź"),
    "count": Value(integer_value=2**63 - 1),
    "ratio": Value(number_value=0.25),
    "done": Value(boolean_value=False),
    "tags": Value(string_list=resources_pb2.StringList(values=["b", "a"])),
}
EVERY_PART = FieldMask(paths=["scope", "metadata", "categories", "source_ids", "entities", "slot", "validity"])


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
        slot="anna.home",
        slot_value="Łódź",
    )


def add(wire: Wire, *texts: str, **fields) -> pb.AddMemoriesResponse:
    """Adds texts for Anna."""
    return wire.AddMemories(pb.AddMemoriesRequest(**({"scope": wire.scope(), "texts": texts} | fields)))


def unit_vector(axis: int = 0) -> bytes:
    return struct.pack(f"<{DIMENSION}f", *[1.0 if n == axis else 0.0 for n in range(DIMENSION)])


def bodies(found) -> list[str]:
    return [item.body for item in found]


@scenario
def an_add_and_a_read_give_back_every_field(wire):
    scope = wire.scope(agent_id="coach", session_id="s1", app_id="web")
    added = wire.AddMemories(pb.AddMemoriesRequest(scope=scope, memories=[full_input()]))
    (item,) = added.memories
    assert (item.version, item.duplicate, item.embedding_pending) == (1, False, False)
    assert added.revision > 0
    assert not added.replayed
    memory = wire.GetMemory(pb.GetMemoryRequest(memory_id=item.memory_id)).memory
    given = full_input()
    for name in given.DESCRIPTOR.fields_by_name:
        if name in memory.DESCRIPTOR.fields_by_name and name not in {"role", "entities"}:
            assert getattr(memory, name) == getattr(given, name), name
    assert memory.scope == scope
    assert memory.role == resources_pb2.ROLE_UNSPECIFIED
    assert "Fafik" in memory.entities
    assert (memory.version, memory.revision) == (1, added.revision)
    assert memory.create_time == memory.update_time
    assert memory.valid_from == MAY
    assert not memory.HasField("valid_to")
    assert (memory.vector, memory.embedding_model, memory.confidence) == (b"", "", 1.0)


@scenario
def bare_texts_are_messages_of_the_user(wire):
    added = add(wire, "I like tea.", "I have a cat.")
    memory = wire.GetMemory(pb.GetMemoryRequest(memory_id=added.memories[1].memory_id)).memory
    assert memory.body == "I have a cat."
    assert (memory.kind, memory.role) == (resources_pb2.MEMORY_KIND_MESSAGE, resources_pb2.ROLE_USER)
    assert not memory.HasField("event_time")
    assert (memory.importance, memory.trust) == (0.5, resources_pb2.TRUST_LEVEL_NORMAL)


@scenario
def a_search_after_an_add_sees_it_and_explains_itself(wire):
    added = add(wire, "Anna is a vegetarian.", "The train leaves at noon.")
    found = wire.SearchMemories(
        pb.SearchMemoriesRequest(scope=wire.scope(), query="vegetarian", explain=True, min_revision=added.revision)
    )
    best = found.hits[0]
    assert (best.memory_id, best.body) == (added.memories[0].memory_id, "Anna is a vegetarian.")
    assert found.revision >= added.revision
    assert found.considered == 2
    assert not found.vector_skipped
    assert found.timings.total_micros > 0
    parts = [part for _, part in best.score_parts.ListFields()]
    assert sum(part.weight * part.normalized for part in parts) == pytest.approx(best.score, abs=1e-5)
    assert best.score_parts.lexical.rank == 1
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)


@scenario
def hits_come_with_what_was_said_around_them(wire):
    added = add(wire, "Where did you go?", "To Lisbon.", "Nice!", "The train leaves at noon.")
    ids = [memory.memory_id for memory in added.memories]
    request = pb.SearchMemoriesRequest(scope=wire.scope(), query="Lisbon", profile="lexical", context_window=1)
    (hit,) = wire.SearchMemories(request).hits
    assert hit.memory_id == ids[1]
    assert [(message.memory_id, message.body) for message in hit.before] == [(ids[0], "Where did you go?")]
    assert [(message.memory_id, message.role) for message in hit.after] == [(ids[2], resources_pb2.ROLE_USER)]
    wire.DeleteMemory(pb.DeleteMemoryRequest(memory_id=ids[0]))
    (hit,) = wire.SearchMemories(request).hits
    assert (len(hit.before), len(hit.after)) == (0, 1)


def by_words(wire: Wire, query: str) -> list[str]:
    """The bodies of the hits of a search by words, without ids and times that differ from run to run."""
    request = pb.SearchMemoriesRequest(scope=wire.scope(), query=query, profile="lexical")
    return bodies(wire.SearchMemories(request).hits)


@scenario
def what_is_written_exactly_is_found_exactly(wire):
    printer, others = "ERR-4012 stops the printer.", "ERR 4012, ERR-4021 and 4012 ERR."
    sky, blue = "A blue sky over Oslo.", "The sky was blue, so blue, over Rome, blue sea and sky."
    receipt, violin = "The receipt says 73,115.", "Anna's violin is old."
    add(wire, printer, others, sky, blue, receipt, "The receipt says 73,116.", violin)
    assert by_words(wire, "ERR-4012")[0] == printer
    assert by_words(wire, '"blue sky"')[0] == sky
    assert by_words(wire, "73115") == [receipt]
    assert by_words(wire, "anna’s")[0] == by_words(wire, "Anna")[0] == violin


@scenario
def a_misspelt_word_is_taken_for_one_that_the_memories_have(wire):
    violin, tulips = "Caroline repaired the violin.", "Tulips need water."
    add(wire, violin, tulips)
    assert by_words(wire, "the violni") == by_words(wire, "Caroilne's") == [violin]
    # In quotation marks, as an identifier, and once somebody has written it, it is what it is.
    assert by_words(wire, '"violni"') == by_words(wire, "violni-2") == []
    add(wire, "Violni is a village.")
    assert by_words(wire, "the violni") == ["Violni is a village."]


@scenario
def hits_carry_their_optional_parts_only_when_asked(wire):
    wire.AddMemories(pb.AddMemoriesRequest(scope=wire.scope(), memories=[full_input()]))
    lean = wire.SearchMemories(pb.SearchMemoriesRequest(scope=wire.scope(), query="Fafik")).hits[0]
    assert lean.event_time_micros == MAY.seconds * 1_000_000
    assert not any(lean.HasField(name) for name in ("scope", "score_parts", "valid_from_micros"))
    assert [list(part) for part in (lean.metadata, lean.categories, lean.entities)] == [[], [], []]
    request = pb.SearchMemoriesRequest(scope=wire.scope(), query="Fafik", read_mask=EVERY_PART)
    full = wire.SearchMemories(request).hits[0]
    assert full.scope == wire.scope()
    assert dict(full.metadata) == METADATA
    assert list(full.categories) == ["home", "pets"]
    assert "Fafik" in full.entities
    assert full.valid_from_micros == MAY.seconds * 1_000_000
    assert not full.HasField("valid_to_micros")


def comparison(field: str, operator: int, *values: int) -> query_pb2.Filter:
    wanted = [Value(integer_value=value) for value in values]
    return query_pb2.Filter(comparison=query_pb2.Comparison(field=field, operator=operator, values=wanted))


@scenario
def a_search_and_a_listing_by_vector_and_filter(wire):
    inputs = [
        pb.MemoryInput(body=f"number {n}", vector=unit_vector(), metadata={"n": Value(integer_value=n)})
        for n in range(3)
    ]
    wire.AddMemories(pb.AddMemoriesRequest(scope=wire.scope(), memories=inputs))
    condition = query_pb2.Filter(
        all_of=query_pb2.FilterList(
            filters=[
                comparison("metadata.n", query_pb2.COMPARISON_OPERATOR_GREATER_OR_EQUAL, 1),
                query_pb2.Filter(negation=comparison("metadata.n", query_pb2.COMPARISON_OPERATOR_IN, 2)),
            ]
        )
    )
    request = pb.SearchMemoriesRequest(
        scope=wire.scope(), vector=unit_vector(), filter=condition, profile="semantic", explain=True
    )
    assert bodies(wire.SearchMemories(request).hits) == ["number 1"]
    listed = wire.ListMemories(pb.ListMemoriesRequest(scope=wire.scope(), filter=condition))
    assert bodies(listed.memories) == ["number 1"]


@scenario
def a_vector_need_not_be_of_unit_length(wire):
    tripled = struct.pack(f"<{DIMENSION}f", *(3 * value for value in struct.unpack(f"<{DIMENSION}f", unit_vector(1))))
    wire.AddMemories(pb.AddMemoriesRequest(scope=wire.scope(), memories=[pb.MemoryInput(body="x", vector=tripled)]))
    request = pb.SearchMemoriesRequest(scope=wire.scope(), vector=tripled, profile="semantic", explain=True)
    (hit,) = wire.SearchMemories(request).hits
    assert hit.score_parts.vector.raw == pytest.approx(1.0, abs=1e-5)


@scenario
def searches_at_their_bounds(wire):
    add(wire, "Anna drinks tea.", "Anna plays chess.", "Anna runs.")
    for fields in (
        {"top_k": 1},
        {"top_k": 1000},
        {"query": "x" * 8192},
        {"query": "tea " * 2000},
        {"query": "🦊"},
        {"query": " tea "},
        {"query": "tea", "vector": unit_vector()},
        {"min_score": 0.0},
        {"min_score": 1.0},
        {"min_score": 0.5},
        {"weights": query_pb2.SignalWeights(vector=0.0, lexical=1.0, entity=0.0, recency=0.0)},
        {"weights": query_pb2.SignalWeights(recency=1.0)},
        {"profile": "lexical"},
        {"profile": "semantic"},
        {"profile": "balanced"},
        {"profile": "fast"},
        {"profile": "precise"},
        {"separate": True},
        {"min_confidence": 0.5},
        {"min_confidence": 1.0, "explain": True},
        {"include_superseded": True},
        {"as_of": Timestamp(seconds=1)},
        {"as_of": Timestamp(seconds=4_000_000_000)},
        {"query": "tea last week", "reference_time": Timestamp(seconds=1_700_000_000), "explain": True},
        {"query": "When did she drink tea?", "explain": True},
        {"scope": wire.scope("nobody")},
        {"scope": wire.scope(session_id="none"), "match": resources_pb2.SCOPE_MATCH_EXACT},
        {"scope": resources_pb2.Scope(session_id=wire.name)},
    ):
        request = {"scope": wire.scope(), "query": "tea"} | fields
        wire.SearchMemories(pb.SearchMemoriesRequest(**request))


@scenario
def each_way_to_match_finds_its_own(wire):
    add(wire, "tea at home")
    add(wire, "tea in the session", scope=wire.scope(session_id="s1"))
    add(wire, "tea of the guide", scope=resources_pb2.Scope(agent_id=f"guide of {wire.name}"))
    everything = resources_pb2.SCOPE_MATCH_EXACT
    session = wire.scope(session_id="s1")
    guided = wire.scope(agent_id=f"guide of {wire.name}")
    for scope, match, expected in (
        (wire.scope(), 0, {"tea at home"}),
        (session, resources_pb2.SCOPE_MATCH_VISIBLE, {"tea at home", "tea in the session"}),
        (guided, 0, {"tea at home", "tea of the guide"}),
        (wire.scope(), everything, {"tea at home", "tea in the session"}),
        (session, everything, {"tea in the session"}),
    ):
        found = wire.SearchMemories(pb.SearchMemoriesRequest(scope=scope, match=match, query="tea"))
        assert set(bodies(found.hits)) == expected
        listed = wire.ListMemories(pb.ListMemoriesRequest(scope=scope, match=match))
        assert set(bodies(listed.memories)) == expected
    tenant = pb.SearchMemoriesRequest(
        match=resources_pb2.SCOPE_MATCH_TENANT,
        query="tea",
        filter=query_pb2.Filter(
            comparison=query_pb2.Comparison(
                field="user_id",
                operator=query_pb2.COMPARISON_OPERATOR_EQUAL,
                values=[Value(string_value=wire.scope().user_id)],
            )
        ),
    )
    assert set(bodies(wire.SearchMemories(tenant).hits)) == {"tea at home", "tea in the session"}


@scenario
def searches_in_a_batch_are_answered_in_order(wire):
    add(wire, "Anna drinks tea.", "Anna plays chess.")
    searches = [pb.SearchMemoriesRequest(scope=wire.scope(), query=word, top_k=1) for word in ("chess", "tea")]
    answer = wire.BatchSearchMemories(pb.BatchSearchMemoriesRequest(searches=searches))
    assert [result.hits[0].body for result in answer.results] == ["Anna plays chess.", "Anna drinks tea."]
    one = wire.BatchSearchMemories(pb.BatchSearchMemoriesRequest(searches=searches[:1] * 100))
    assert len(one.results) == 100


@scenario
def several_memories_by_id(wire):
    first, second = (item.memory_id for item in add(wire, "one", "two").memories)
    absent = str(uuid.UUID(int=5))
    wire.SearchMemories(pb.SearchMemoriesRequest(scope=wire.scope(), query="one"))
    for ids in ([first], [second, first], [first] * 1000):
        wire.BatchGetMemories(pb.BatchGetMemoriesRequest(memory_ids=ids))
        wire.BatchGetMemories(pb.BatchGetMemoriesRequest(memory_ids=ids, scope=wire.scope()))
    ids = [second, absent, first, first.upper()]
    answer = wire.BatchGetMemories(
        pb.BatchGetMemoriesRequest(memory_ids=ids, read_mask=FieldMask(paths=["body"]), scope=wire.scope())
    )
    assert bodies(answer.memories)[:2] == ["two", "one"]
    assert answer.memories[0].memory_id == ""
    assert list(answer.missing_ids) == [absent]
    foreign = pb.BatchGetMemoriesRequest(memory_ids=[first], scope=wire.scope("bert"))
    assert list(wire.BatchGetMemories(foreign).missing_ids) == [first]


@scenario
def a_vector_comes_when_it_is_named(wire):
    memory_id = add(wire, "one").memories[0].memory_id
    mask = FieldMask(paths=["memory_id", "vector", "embedding_model"])
    memory = wire.GetMemory(pb.GetMemoryRequest(memory_id=memory_id, read_mask=mask)).memory
    assert sum(value**2 for value in struct.unpack(f"<{DIMENSION}f", memory.vector)) == pytest.approx(1.0, abs=1e-5)
    assert memory.embedding_model
    assert memory.body == ""


@scenario
def a_mask_reads_what_it_names(wire):
    memory_id = (
        wire.AddMemories(pb.AddMemoriesRequest(scope=wire.scope(), memories=[full_input()])).memories[0].memory_id
    )
    # What a search has shown, the front may read itself.
    wire.SearchMemories(pb.SearchMemoriesRequest(scope=wire.scope(), query="Fafik"))
    for name in resources_pb2.Memory.DESCRIPTOR.fields_by_name:
        memory = wire.GetMemory(pb.GetMemoryRequest(memory_id=memory_id, read_mask=FieldMask(paths=[name]))).memory
        assert {field.name for field, _ in memory.ListFields()} <= {name}


@scenario
def pages_hold_every_memory_once_newest_first(wire):
    texts = [f"memory {n}" for n in range(7)]
    add(wire, *texts)
    seen, token = [], ""
    while not seen or token:
        page = wire.ListMemories(pb.ListMemoriesRequest(scope=wire.scope(), page_size=3, page_token=token))
        seen += bodies(page.memories)
        token = page.next_page_token
        assert len(page.memories) == 3 or not token
    assert seen == texts[::-1]
    whole = wire.ListMemories(pb.ListMemoriesRequest(scope=wire.scope(), page_size=5000))
    assert bodies(whole.memories) == texts[::-1]


@scenario
def an_update_writes_a_new_version_of_what_the_mask_names(wire):
    memory_id = add(wire, "Anna lives in Lodz.").memories[0].memory_id
    text = Value(string_value="v")
    memory = resources_pb2.Memory(memory_id=memory_id, body="Anna lives in Riga.", metadata={"k": text}, name="no")
    mask = FieldMask(paths=["body", "metadata", "event_time"])
    answer = wire.UpdateMemory(pb.UpdateMemoryRequest(memory=memory, update_mask=mask, expected_version=1))
    assert (answer.memory.version, answer.memory.body, answer.memory.name) == (2, "Anna lives in Riga.", "")
    assert dict(answer.memory.metadata) == {"k": text}
    assert answer.revision == answer.memory.revision
    found = wire.SearchMemories(pb.SearchMemoriesRequest(scope=wire.scope(), query="Riga"))
    assert bodies(found.hits) == ["Anna lives in Riga."]
    read = wire.GetMemory(pb.GetMemoryRequest(memory_id=memory_id, scope=wire.scope())).memory
    assert read == answer.memory


@scenario
def an_update_without_a_mask_changes_what_is_set(wire):
    memory_id = add(wire, "Anna lives in Lodz.").memories[0].memory_id
    memory = resources_pb2.Memory(memory_id=memory_id, importance=0.875, event_time=MAY)
    answer = wire.UpdateMemory(pb.UpdateMemoryRequest(memory=memory, scope=wire.scope())).memory
    assert (answer.body, answer.importance, answer.event_time) == ("Anna lives in Lodz.", 0.875, MAY)


@scenario
def a_deleted_memory_is_not_found_and_its_history_is(wire):
    memory_id = add(wire, "Anna likes jazz.").memories[0].memory_id
    search = pb.SearchMemoriesRequest(scope=wire.scope(), query="jazz")
    assert wire.SearchMemories(search).hits
    deleted = wire.DeleteMemory(pb.DeleteMemoryRequest(memory_id=memory_id, expected_version=1, scope=wire.scope()))
    assert deleted.revision > 0
    assert not wire.SearchMemories(search).hits
    assert wire.refused("GetMemory", pb.GetMemoryRequest(memory_id=memory_id)).reason == "MEMORY_NOT_FOUND"
    assert list(wire.BatchGetMemories(pb.BatchGetMemoriesRequest(memory_ids=[memory_id])).missing_ids) == [memory_id]
    again = wire.refused("DeleteMemory", pb.DeleteMemoryRequest(memory_id=memory_id))
    assert again.reason == "MEMORY_NOT_FOUND"
    history = wire.GetMemoryHistory(pb.GetMemoryHistoryRequest(memory_id=memory_id)).revisions
    assert [entry.change for entry in history] == [resources_pb2.CHANGE_KIND_ADDED, resources_pb2.CHANGE_KIND_DELETED]
    assert history[-1].memory.body == "Anna likes jazz."
    assert history[-1].revision == deleted.revision
    assert history[-1].HasField("change_time")


@scenario
def scopes_are_listed_with_counts_in_pages(wire):
    app = f"app of {wire.name}"
    scopes = [wire.scope(app_id=app), wire.scope("bert", app_id=app, session_id="s")]
    add(wire, "one", "two", scope=scopes[0])
    add(wire, "three", scope=scopes[1])
    asked = resources_pb2.Scope(app_id=app)
    first = wire.ListScopes(pb.ListScopesRequest(scope=asked, page_size=1))
    rest = wire.ListScopes(pb.ListScopesRequest(scope=asked, page_size=1, page_token=first.next_page_token))
    listed = [*first.scopes, *rest.scopes]
    assert [item.scope for item in listed] == scopes
    assert [item.memory_count for item in listed] == [2, 1]
    assert all(item.HasField("first_create_time") for item in listed)
    assert not rest.next_page_token


@scenario
def a_repeated_request_id_gives_the_first_answer_and_writes_nothing(wire):
    ids = [item.memory_id for item in add(wire, "Anna likes jazz.", "Anna sings.").memories]

    def updated(body: str, request_id: str) -> pb.UpdateMemoryRequest:
        return pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=ids[0], body=body), request_id=request_id)

    def added(text: str, request_id: str) -> pb.AddMemoriesRequest:
        return pb.AddMemoriesRequest(scope=wire.scope(), texts=[text], request_id=request_id)

    def deleted(which: str, request_id: str) -> pb.DeleteMemoryRequest:
        return pb.DeleteMemoryRequest(memory_id=which, request_id=request_id)

    for method, request, one, other in (
        ("AddMemories", added, "once", "twice"),
        ("UpdateMemory", updated, "a", "b"),
        ("DeleteMemory", deleted, ids[0], ids[1]),
    ):
        request_id = str(uuid.uuid4())
        first, again = (getattr(wire, method)(request(one, request_id)) for _ in range(2))
        assert (first.replayed, again.replayed) == (False, True)
        again.replayed = False
        assert again == first
        refusal = wire.refused(method, request(other, request_id))
        assert (refusal.code.name, refusal.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")


def step(wire: Wire, *texts: str, **fields) -> pb.IngestMemoriesRequest:
    return pb.IngestMemoriesRequest(add=pb.AddMemoriesRequest(**({"scope": wire.scope(), "texts": texts} | fields)))


@scenario
def an_ingest_answers_each_step_and_goes_on_after_a_bad_one(wire):
    request_id = str(uuid.uuid4())
    steps = [
        step(wire, "fine"),
        step(wire, "fine", " "),
        step(wire, "fine", scope=None),
        pb.IngestMemoriesRequest(),
        b"\xff\xff",
        step(wire, "x" * 40_000),
        step(wire, "once", request_id=request_id),
        step(wire, "once", request_id=request_id),
        step(wire, "twice", request_id=request_id),
        pb.IngestMemoriesRequest(
            add=pb.AddMemoriesRequest(scope=wire.scope(), memories=[full_input()], mode=pb.ADD_MODE_LLM)
        ),
    ]
    answers = wire.IngestMemories(steps)
    assert [answer.sequence for answer in answers] == list(range(len(steps)))
    reasons = [answer.error.reason for answer in answers]
    assert reasons == [
        "",
        "INVALID_FIELD",
        "SCOPE_MISSING",
        "SCOPE_MISSING",
        "MALFORMED_MESSAGE",
        "BODY_TOO_LARGE",
        "",
        "",
        "REQUEST_ID_REUSED",
        "EXTRACTOR_NOT_CONFIGURED",
    ]
    assert answers[7].added.replayed
    listed = wire.ListMemories(pb.ListMemoriesRequest(scope=wire.scope()))
    assert bodies(listed.memories) == ["once", "fine"], "of a bad step nothing is written"
    assert wire.IngestMemories([]) == []
