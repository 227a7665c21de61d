"""What holds for `Memory`, `AsyncMemory`, `MnemicClient` and `AsyncMnemicClient` alike."""

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mnemic import MemoryInput, MemoryKind, MnemicError, Reason, Role, Scope, TimePrecision, TrustLevel
from mnemic.model.errors import Code
from mnemic.model.memory import ChangeKind, to_micros

SOON = datetime.now(tz=UTC) + timedelta(days=30)


def refusal(call, *arguments, **options) -> MnemicError:
    with pytest.raises(MnemicError) as refused:
        call(*arguments, **options)
    return refused.value


def bodies(memories):
    return [memory.body for memory in memories]


def test_what_is_added_is_found(memory):
    added = memory.add("I'm vegetarian", user_id="u1")
    result = memory.search("vegetarian", user_id="u1")
    assert [hit.memory_id for hit in result] == list(added.memory_ids)
    assert result.hits[0].body == "I'm vegetarian"
    assert 0 < result[0].score <= 1
    assert result.revision >= added.revision > 0
    assert added.to_dict()["results"] == [{"id": added.memory_ids[0], "memory": "I'm vegetarian", "event": "ADD"}]


def test_everything_that_is_said_of_a_memory_comes_back(memory):
    source = memory.add("source", user_id="u1").memory_ids[0]
    given = MemoryInput(
        body="Ana moved to Porto",
        kind=MemoryKind.FACT,
        role=Role.ASSISTANT,
        name="Ben",
        event_time_micros=to_micros(datetime(2026, 5, 1, tzinfo=UTC)),
        event_time_end_micros=to_micros(datetime(2026, 6, 1, tzinfo=UTC)),
        event_time_precision=TimePrecision.MONTH,
        expire_time_micros=to_micros(SOON),
        metadata={"text": "x", "whole": 3, "half": 0.5, "true": True, "many": ("a", "b"), "big": 2**53 + 1},
        categories=("home",),
        entities=("Ana", "Porto"),
        source_ids=(source,),
        importance=0.75,
        pinned=True,
        trust=TrustLevel.VERIFIED,
    )
    memory_id = memory.add([given], user_id="u1", agent_id="a1", session_id="s1", app_id="p1").memory_ids[0]
    found = memory.get(memory_id)
    assert found.scope == Scope("u1", "a1", "s1", "p1")
    asked = set(MemoryInput.__dataclass_fields__) - {"vector", "entities"}
    assert {name: getattr(found, name) for name in asked} == {name: getattr(given, name) for name in asked}
    assert set(given.entities) <= set(found.entities)
    assert (found.version, found.vector, found.valid_to_micros, found.superseded_by) == (1, None, None, None)
    hit = memory.search("Porto", user_id="u1", match="exact")[0].memory
    parts = ("memory_id", "scope", "kind", "body", "role", "name", "event_time_micros", "metadata", "categories")
    parts = (
        *parts,
        "source_ids",
        "entities",
        "create_time_micros",
        "update_time_micros",
        "valid_from_micros",
        "version",
    )
    assert {name: getattr(hit, name) for name in parts} == {name: getattr(found, name) for name in parts}


def test_messages_in_mem0s_and_openais_shape(memory):
    messages = [
        {"role": "user", "name": "Ana", "content": "We moved to Porto.", "timestamp": "2026-05-01T09:30:00Z"},
        {"role": "assistant", "content": "How is the flat?"},
    ]
    added = memory.add(messages, user_id="u1", run_id="s1", metadata={"source": "chat"})
    first, second = memory.batch_get(added.memory_ids)[0]
    assert (first.role, first.name, first.event_time) == (Role.USER, "Ana", datetime(2026, 5, 1, 9, 30, tzinfo=UTC))
    assert (second.role, second.event_time) == (Role.ASSISTANT, None)
    assert first.metadata == second.metadata == {"source": "chat"}
    assert first.scope == Scope(user_id="u1", session_id="s1")


def test_visible_is_the_default_and_exact_finds_every_session(memory):
    memory.add("tea at home", user_id="u1")
    memory.add("tea in the session", user_id="u1", session_id="s1")
    assert bodies(memory.search("tea", user_id="u1")) == ["tea at home"]
    assert len(memory.search("tea", user_id="u1", session_id="s1")) == 2
    assert len(memory.search("tea", user_id="u1", match="exact")) == 2
    assert len(memory.search("tea", match="tenant")) == 2
    assert bodies(memory.list(user_id="u1")) == ["tea at home"]


def test_filters_narrow(memory):
    memory.add("tea in Porto", user_id="u1", metadata={"city": "Porto", "n": 3})
    memory.add("tea in Faro", user_id="u1", metadata={"city": "Faro", "n": 5})
    porto = {"city": "Porto"}
    assert bodies(memory.search("tea", user_id="u1", filters=porto)) == ["tea in Porto"]
    assert bodies(memory.list(user_id="u1", filters={"NOT": [porto]})) == ["tea in Faro"]
    assert bodies(memory.list(user_id="u1", filters={"n": {"gt": 3}, "created_at": {"gte": "2020-01-01"}})) == [
        "tea in Faro"
    ]
    assert len(memory.search("tea", user_id="u1", filters={})) == 2


def test_no_filter_widens(memory):
    memory.add("hers", user_id="u1")
    memory.add("his", user_id="u2")
    for filters in ({"user_id": "u2"}, {"user_id": "*"}, {"AND": [{"user_id": ["u1", "u2"]}, {"user_id": "u2"}]}):
        assert not memory.search("his hers", user_id="u1", filters=filters)
        assert not memory.list(user_id="u1", filters=filters)
    assert refusal(memory.search, "his", filters={"user_id": "u2"}).reason is Reason.SCOPE_MISSING
    assert not memory.search("his", user_id="*", match="exact")


def test_a_search_can_be_bounded_and_explained(memory):
    memory.add([f"tea number {number}" for number in range(5)], user_id="u1")
    assert len(memory.search("tea", user_id="u1", top_k=2)) == 2
    assert len(memory.search("tea", user_id="u1", limit=3)) == 3
    result = memory.search("tea number 3", user_id="u1", explain=True, threshold=0.5)
    assert result[0].body == "tea number 3"
    assert all(hit.score >= 0.5 for hit in result)
    parts = result[0].score_parts
    assert {"vector", "lexical"} <= set(parts)
    assert sum(part.weight * part.normalized for part in parts.values()) == pytest.approx(result[0].score, abs=1e-5)
    assert not memory.search("tea", user_id="u1")[0].score_parts


def test_vectors_may_be_the_callers(memory):
    memory.add("anchor", user_id="u1")
    vector = memory.get(memory.list(user_id="u1").memories[0].memory_id, with_vector=True).vector
    numbers = np.frombuffer(vector, dtype="<f4")
    memory.add({"content": "opposite", "vector": (-numbers).tolist()}, user_id="u1")
    assert bodies(memory.search(vector=numbers, user_id="u1"))[0] == "anchor"
    assert bodies(memory.search(vector=-numbers, user_id="u1"))[0] == "opposite"
    assert refusal(memory.search, vector=[1.0], user_id="u1").reason is Reason.DIMENSION_MISMATCH


def test_batches_answer_in_order(memory):
    memory.add("tea", user_id="u1")
    memory.add("coffee", user_id="u2")
    found = memory.batch_search([{"query": "tea", "user_id": "u1"}, {"query": "coffee", "user_id": "u2"}])
    assert [bodies(result) for result in found] == [["tea"], ["coffee"]]
    error = refusal(memory.batch_search, [{"query": "tea", "user_id": "u1"}, {"query": "tea"}])
    assert (error.reason, error.violations[0].field) == (Reason.SCOPE_MISSING, "searches[1].scope")
    error = refusal(memory.batch_search, [{"query": "tea", "user_id": "u1", "colour": "red"}])
    assert error.violations[0].field == "searches[0]"
    absent = str(uuid.uuid4())
    first = memory.add("x", user_id="u1").memory_ids[0]
    memories, missing = memory.batch_get([absent, first])
    assert ([item.memory_id for item in memories], list(missing)) == ([first], [absent])
    assert refusal(memory.batch_get, first).violations[0].field == "memory_ids"


def test_pages_and_all_of_them(memory):
    memory.add([f"number {number}" for number in range(7)], user_id="u1")
    newest_first = [f"number {number}" for number in reversed(range(7))]
    page = memory.list(user_id="u1", page_size=3)
    rest = memory.list(user_id="u1", page_size=3, page_token=page.next_page_token)
    assert bodies(page) + bodies(rest) == newest_first[:6]
    assert bodies(memory.iterate(user_id="u1", page_size=3)) == newest_first
    assert page.to_dict()["results"][0]["memory"] == "number 6"
    foreign = refusal(memory.list, user_id="u2", page_token=page.next_page_token)
    assert foreign.reason is Reason.INVALID_PAGE_TOKEN


def test_an_update_is_a_new_version_and_a_delete_leaves_the_history(memory):
    memory_id = memory.add("I live in Lisbon", user_id="u1", metadata={"n": 1}).memory_ids[0]
    updated = memory.update(memory_id, "I live in Porto", event_time="2026-05-01").memory
    assert (updated.body, updated.version, updated.metadata) == ("I live in Porto", 2, {"n": 1})
    assert updated.event_time_precision is TimePrecision.DAY
    cleared = memory.update(memory_id, event_time=None, metadata={}, importance=0.25, pinned=True).memory
    assert (cleared.event_time, cleared.metadata, cleared.importance, cleared.pinned) == (None, {}, 0.25, True)
    assert cleared.body == "I live in Porto"
    stale = refusal(memory.update, memory_id, "x", expected_version=1)
    assert (stale.reason, stale.code, stale.metadata["current_version"]) == (Reason.VERSION_CONFLICT, Code.ABORTED, "3")
    hit = memory.search("live", user_id="u1")[0].memory
    assert (hit.version, hit.update_time_micros) == (3, cleared.update_time_micros)
    memory.delete(memory_id, expected_version=3)
    assert not memory.search("live", user_id="u1")
    assert refusal(memory.get, memory_id).reason is Reason.MEMORY_NOT_FOUND
    history = memory.history(memory_id)
    assert [entry.change for entry in history][:2] == [ChangeKind.ADDED, ChangeKind.UPDATED]
    assert history[-1].change is ChangeKind.DELETED
    assert [entry["event"] for entry in history.to_dict()["results"]] == ["ADD", "UPDATE", "UPDATE", "DELETE"]


def test_the_past_can_be_asked(memory):
    memory_id = memory.add("I live in Lisbon", user_id="u1").memory_ids[0]
    before = memory.get(memory_id).create_time
    memory.update(memory_id, "I live in Porto")
    assert bodies(memory.search("live", user_id="u1", as_of=before)) == ["I live in Lisbon"]
    assert bodies(memory.list(user_id="u1", as_of=before.isoformat())) == ["I live in Lisbon"]
    assert bodies(memory.search("live", user_id="u1")) == ["I live in Porto"]


def test_a_write_can_be_waited_for_by_its_revision(memory):
    added = memory.add("tea", user_id="u1")
    assert bodies(memory.search("tea", user_id="u1", min_revision=added.revision)) == ["tea"]


def test_weights_and_profiles_choose_the_signals(memory):
    memory.add("tea", user_id="u1")
    lexical = memory.search("tea", user_id="u1", profile="lexical", explain=True)[0]
    assert set(lexical.score_parts) == {"lexical"}
    weighed = memory.search("tea", user_id="u1", weights={"vector": 0.9, "lexical": 0.1}, explain=True)[0]
    assert weighed.score_parts["vector"].weight > weighed.score_parts["lexical"].weight > 0
    alone = memory.search("tea", user_id="u1", weights={"vector": 0.0, "lexical": 0.5, "context": 0.5}, explain=True)[0]
    assert alone.score_parts["context"].weight == alone.score_parts["lexical"].weight > 0


def test_ids_given_with_a_memory_id_must_be_carried(memory):
    memory_id = memory.add("hers", user_id="u1").memory_ids[0]
    assert memory.get(memory_id, user_id="u1").body == "hers"
    for call in (memory.get, memory.history, memory.delete):
        assert refusal(call, memory_id, user_id="u2").reason is Reason.MEMORY_NOT_FOUND
    assert refusal(memory.update, memory_id, "his", user_id="u2").reason is Reason.MEMORY_NOT_FOUND
    assert memory.batch_get([memory_id], user_id="u2")[0] == []


def test_a_request_id_makes_a_repeat_safe(memory):
    request_id = str(uuid.uuid4())
    first = memory.add("once", user_id="u1", request_id=request_id)
    again = memory.add("once", user_id="u1", request_id=request_id)
    assert (again.memory_ids, again.replayed, first.replayed) == (first.memory_ids, True, False)
    assert len(memory.list(user_id="u1")) == 1
    assert refusal(memory.add, "twice", user_id="u1", request_id=request_id).reason is Reason.REQUEST_ID_REUSED


def test_an_ingest_answers_each_add_in_order_and_goes_on_after_a_bad_one(memory):
    adds = [
        {"messages": "first", "user_id": "u1"},
        {"messages": "", "user_id": "u1"},  # refused by the engine
        {"messages": 7, "user_id": "u1"},  # refused before it is sent
        {"messages": ["second", "third"], "user_id": "u1", "metadata": {"n": 1}},
        {"messages": "x", "user_id": "u1", "colour": "red"},
    ]
    results = list(memory.ingest(iter(adds)))
    assert [result.position for result in results] == [0, 1, 2, 3, 4]
    assert [None if result.added is None else len(result.added.memories) for result in results] == [
        1,
        None,
        None,
        2,
        None,
    ]
    empty, no_message, unknown = results[1].error, results[2].error, results[4].error
    assert (empty.reason, empty.violations[0].field) == (Reason.INVALID_FIELD, "memories[0].body")
    assert no_message.violations[0].field == "messages"
    assert "colour" in unknown.message
    assert bodies(memory.iterate(user_id="u1")) == ["third", "second", "first"]
    assert list(memory.ingest([])) == []


def test_a_failure_of_the_callers_iterator_is_the_callers(memory):
    def adds():
        yield {"messages": "first", "user_id": "u1"}
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(memory.ingest(adds()))
    assert bodies(memory.list(user_id="u1")) == ["first"]


def test_scopes_are_listed_with_their_counts(memory):
    memory.add(["a", "b"], user_id="u1")
    memory.add("c", user_id="u1", session_id="s1")
    page = memory.list_scopes(page_size=1)
    rest = memory.list_scopes(page_size=1, page_token=page.next_page_token)
    counts = {item.scope: item.memory_count for item in (*page.scopes, *rest.scopes)}
    assert counts == {Scope(user_id="u1"): 2, Scope(user_id="u1", session_id="s1"): 1}
    assert len(memory.list_scopes(session_id="s1").scopes) == 1


REFUSALS = {
    "no scope": (lambda memory: memory.add("x"), Reason.SCOPE_MISSING, "scope"),
    "empty id": (lambda memory: memory.add("x", user_id=""), Reason.INVALID_FIELD, "scope.user_id"),
    "empty text": (lambda memory: memory.add(" ", user_id="u1"), Reason.INVALID_FIELD, "memories[0].body"),
    "nothing": (lambda memory: memory.add([], user_id="u1"), Reason.INVALID_FIELD, "memories"),
    "long text": (lambda memory: memory.add("x" * 40_000, user_id="u1"), Reason.BODY_TOO_LARGE, "memories[0].body"),
    "no query": (lambda memory: memory.search("", user_id="u1"), Reason.INVALID_FIELD, "query"),
    "top_k 0": (lambda memory: memory.search("x", user_id="u1", top_k=0), Reason.INVALID_FIELD, "top_k"),
    "high score": (lambda memory: memory.search("x", user_id="u1", min_score=2.0), Reason.INVALID_FIELD, "min_score"),
    "profile": (lambda memory: memory.search("x", user_id="u1", profile="no"), Reason.INVALID_FIELD, "profile"),
    "tenant": (lambda memory: memory.search("x", user_id="u1", match="tenant"), Reason.INVALID_FIELD, "scope"),
    "no id": (lambda memory: memory.get("no id"), Reason.INVALID_FIELD, "memory_id"),
    "no change": (lambda memory: memory.update(str(uuid.uuid4())), Reason.INVALID_FIELD, "text"),
    "page size": (lambda memory: memory.list(user_id="u1", page_size=-1), Reason.INVALID_FIELD, "page_size"),
}


def test_refusals_are_the_same_everywhere(memory):
    errors = {name: refusal(call, memory) for name, (call, _, _) in REFUSALS.items()}
    found = {name: (error.reason, error.code, error.violations[0].field) for name, error in errors.items()}
    assert found == {name: (reason, reason.code, field) for name, (_, reason, field) in REFUSALS.items()}
    assert errors["long text"].metadata["limit_bytes"] == "32768"
    assert errors["long text"].metadata["actual_bytes"] == "40000"
    assert not memory.list_scopes().scopes


def test_an_update_of_one_field_leaves_the_others(memory):
    given = MemoryInput(body="x", importance=0.25, trust=TrustLevel.VERIFIED, pinned=True, categories=("a",))
    memory_id = memory.add(given, user_id="u1").memory_ids[0]
    memory.update(memory_id, name="Ana")
    found = memory.get(memory_id)
    assert (found.name, found.importance, found.trust, found.pinned) == ("Ana", 0.25, TrustLevel.VERIFIED, True)
    assert found.categories == ("a",)


@pytest.mark.parametrize("text", ["\ud800", "a\ud800b"])
def test_text_of_no_encoding_is_refused(memory, text):
    assert refusal(memory.add, text, user_id="u1").reason is Reason.MALFORMED_MESSAGE


def test_a_deadline_that_has_passed_is_told(memory):
    memory.add("x", user_id="u1")
    error = refusal(memory.search, "x", user_id="u1", min_revision=10**9, timeout=0.2)
    assert error.reason in {Reason.DEADLINE_EXCEEDED, Reason.REVISION_NOT_REACHED}
    assert refusal(memory.add, "y", user_id="u1", timeout=1e-9).reason is Reason.DEADLINE_EXCEEDED


def test_what_is_closed_says_so(memory):
    memory.add("x", user_id="u1")
    memory.close()
    assert "is closed" in refusal(memory.add, "x", user_id="u1").message
    assert "is closed" in refusal(memory.search, "x", user_id="u1").message


def test_the_counts_of_a_node(memory):
    memory.add("a", user_id="counted")
    stats = memory.stats()
    assert stats.store.memories >= 1
    assert stats.store.revision >= 1
    assert stats.dimension == 256
    memory.search("a", user_id="counted")
    assert memory.stats().index.partitions >= 1
