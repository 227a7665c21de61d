"""What holds for `Memory`, `AsyncMemory`, `MnemicClient` and `AsyncMnemicClient` alike.

All scenarios share a store: what each makes carries its name as the user.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial

import numpy as np
import pytest

from mnemic import MemoryInput, MemoryKind, MnemicError, Reason, Role, Scope, TimePrecision, TrustLevel
from mnemic.model.errors import Code
from mnemic.model.memory import ChangeKind, to_micros

CLIENT_SCENARIOS: dict[str, Callable[..., None]] = {}
SOON = datetime.now(tz=UTC) + timedelta(days=30)


# What a hit does not carry over gRPC, as docs/clients.md says; a read by id does.
NOT_OF_A_HIT = (
    "event_time_end_micros",
    "event_time_precision",
    "expire_time_micros",
    "superseded_by",
    "confidence",
    "importance",
    "pinned",
    "trust",
    "revision",
)


def client_scenario(behaviour):
    """Registers what holds of every client, under the function's name."""
    CLIENT_SCENARIOS[behaviour.__name__.replace("_", " ")] = behaviour
    return behaviour


def other(user: str) -> str:
    """Somebody else of the same scenario."""
    return f"not {user}"


def refusal(call, *arguments, **options) -> MnemicError:
    with pytest.raises(MnemicError) as refused:
        call(*arguments, **options)
    return refused.value


def bodies(memories):
    return [memory.body for memory in memories]


@client_scenario
def what_is_added_is_found(memory, user):
    added = memory.add("I'm vegetarian", user_id=user)
    result = memory.search("vegetarian", user_id=user)
    assert [hit.memory_id for hit in result] == list(added.memory_ids)
    assert result.hits[0].body == "I'm vegetarian"
    assert 0 < result[0].score <= 1
    assert result.revision >= added.revision > 0
    assert added.to_dict()["results"] == [{"id": added.memory_ids[0], "memory": "I'm vegetarian", "event": "ADD"}]


@client_scenario
def everything_that_is_said_of_a_memory_comes_back(memory, user):
    source = memory.add("source", user_id=user).memory_ids[0]
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
        slot="ana.home",
        slot_value="Porto",
    )
    memory_id = memory.add([given], user_id=user, agent_id="a1", session_id="s1", app_id="p1").memory_ids[0]
    found = memory.get(memory_id)
    assert found.scope == Scope(user, "a1", "s1", "p1")
    asked = set(MemoryInput.__dataclass_fields__) - {"vector", "entities", "supersedes"}
    assert {name: getattr(found, name) for name in asked} == {name: getattr(given, name) for name in asked}
    assert set(given.entities) <= set(found.entities)
    assert (found.version, found.vector, found.valid_to_micros, found.superseded_by) == (1, None, None, None)
    hit = memory.search("Porto", user_id=user, match="exact")[0].memory
    parts = ("memory_id", "scope", "kind", "body", "role", "name", "event_time_micros", "metadata", "categories")
    parts += ("source_ids", "entities", "slot", "slot_value", "valid_from_micros", "version")
    parts += ("create_time_micros", "update_time_micros")
    assert {name: getattr(hit, name) for name in parts} == {name: getattr(found, name) for name in parts}


@client_scenario
def messages_in_mem0s_and_openais_shape(memory, user):
    messages = [
        {"role": "user", "name": "Ana", "content": "We moved to Porto.", "timestamp": "2026-05-01T09:30:00Z"},
        {"role": "assistant", "content": "How is the flat?"},
    ]
    added = memory.add(messages, user_id=user, run_id="s1", metadata={"source": "chat"})
    first, second = memory.batch_get(added.memory_ids)[0]
    assert (first.role, first.name, first.event_time) == (Role.USER, "Ana", datetime(2026, 5, 1, 9, 30, tzinfo=UTC))
    assert (second.role, second.event_time) == (Role.ASSISTANT, None)
    assert first.metadata == second.metadata == {"source": "chat"}
    assert first.scope == Scope(user_id=user, session_id="s1")


@client_scenario
def visible_is_the_default_and_exact_finds_every_session(memory, user):
    memory.add("tea at home", user_id=user)
    memory.add("tea in the session", user_id=user, session_id="s1")
    assert bodies(memory.search("tea", user_id=user)) == ["tea at home"]
    assert len(memory.search("tea", user_id=user, session_id="s1")) == 2
    assert len(memory.search("tea", user_id=user, match="exact")) == 2
    assert len(memory.search("tea", match="tenant", filters={"user_id": user})) == 2
    assert bodies(memory.list(user_id=user)) == ["tea at home"]


@client_scenario
def filters_narrow(memory, user):
    memory.add("tea in Porto", user_id=user, metadata={"city": "Porto", "n": 3})
    memory.add("tea in Faro", user_id=user, metadata={"city": "Faro", "n": 5})
    porto = {"city": "Porto"}
    assert bodies(memory.search("tea", user_id=user, filters=porto)) == ["tea in Porto"]
    assert bodies(memory.list(user_id=user, filters={"NOT": [porto]})) == ["tea in Faro"]
    assert bodies(memory.list(user_id=user, filters={"n": {"gt": 3}, "created_at": {"gte": "2020-01-01"}})) == [
        "tea in Faro"
    ]
    assert len(memory.search("tea", user_id=user, filters={})) == 2


@client_scenario
def no_filter_widens(memory, user):
    memory.add("hers", user_id=user)
    memory.add("his", user_id=other(user))
    for filters in (
        {"user_id": other(user)},
        {"user_id": "*"},
        {"AND": [{"user_id": [user, other(user)]}, {"user_id": other(user)}]},
    ):
        assert not memory.search("his hers", user_id=user, filters=filters)
        assert not memory.list(user_id=user, filters=filters)
    assert refusal(memory.search, "his", filters={"user_id": other(user)}).reason is Reason.SCOPE_MISSING
    assert not memory.search("his", user_id="*", match="exact")


@client_scenario
def a_search_can_be_bounded_and_explained(memory, user):
    memory.add([f"tea number {number}" for number in range(5)], user_id=user)
    assert len(memory.search("tea", user_id=user, top_k=2)) == 2
    assert len(memory.search("tea", user_id=user, limit=3)) == 3
    result = memory.search("tea number 3", user_id=user, explain=True, threshold=0.5)
    assert result[0].body == "tea number 3"
    assert all(hit.score >= 0.5 for hit in result)
    parts = result[0].score_parts
    assert {"vector", "lexical"} <= set(parts)
    assert sum(part.weight * part.normalized for part in parts.values()) == pytest.approx(result[0].score, abs=1e-5)
    assert not memory.search("tea", user_id=user)[0].score_parts


@client_scenario
def vectors_may_be_the_callers(memory, user):
    memory.add("anchor", user_id=user)
    vector = memory.get(memory.list(user_id=user).memories[0].memory_id, with_vector=True).vector
    numbers = np.frombuffer(vector, dtype="<f4")
    memory.add({"content": "opposite", "vector": (-numbers).tolist()}, user_id=user)
    assert bodies(memory.search(vector=numbers, user_id=user))[0] == "anchor"
    assert bodies(memory.search(vector=-numbers, user_id=user))[0] == "opposite"
    assert refusal(memory.search, vector=[1.0], user_id=user).reason is Reason.DIMENSION_MISMATCH


@client_scenario
def batches_answer_in_order(memory, user):
    memory.add("tea", user_id=user)
    memory.add("coffee", user_id=other(user))
    found = memory.batch_search([{"query": "tea", "user_id": user}, {"query": "coffee", "user_id": other(user)}])
    assert [bodies(result) for result in found] == [["tea"], ["coffee"]]
    error = refusal(memory.batch_search, [{"query": "tea", "user_id": user}, {"query": "tea"}])
    assert (error.reason, error.violations[0].field) == (Reason.SCOPE_MISSING, "searches[1].scope")
    error = refusal(memory.batch_search, [{"query": "tea", "user_id": user, "colour": "red"}])
    assert error.violations[0].field == "searches[0]"
    absent = str(uuid.uuid4())
    first = memory.add("x", user_id=user).memory_ids[0]
    memories, missing = memory.batch_get([absent, first])
    assert ([item.memory_id for item in memories], list(missing)) == ([first], [absent])
    assert refusal(memory.batch_get, first).violations[0].field == "memory_ids"


@client_scenario
def pages_and_all_of_them(memory, user):
    memory.add([f"number {number}" for number in range(7)], user_id=user)
    newest_first = [f"number {number}" for number in reversed(range(7))]
    page = memory.list(user_id=user, page_size=3)
    rest = memory.list(user_id=user, page_size=3, page_token=page.next_page_token)
    assert bodies(page) + bodies(rest) == newest_first[:6]
    assert bodies(memory.iterate(user_id=user, page_size=3)) == newest_first
    assert page.to_dict()["results"][0]["memory"] == "number 6"
    foreign = refusal(memory.list, user_id=other(user), page_token=page.next_page_token)
    assert foreign.reason is Reason.INVALID_PAGE_TOKEN


@client_scenario
def an_update_is_a_new_version_and_a_delete_leaves_the_history(memory, user):
    memory_id = memory.add("I live in Lisbon", user_id=user, metadata={"n": 1}).memory_ids[0]
    updated = memory.update(memory_id, "I live in Porto", event_time="2026-05-01").memory
    assert (updated.body, updated.version, updated.metadata) == ("I live in Porto", 2, {"n": 1})
    assert updated.event_time_precision is TimePrecision.DAY
    cleared = memory.update(memory_id, event_time=None, metadata={}, importance=0.25, pinned=True).memory
    assert (cleared.event_time, cleared.metadata, cleared.importance, cleared.pinned) == (None, {}, 0.25, True)
    assert cleared.body == "I live in Porto"
    stale = refusal(memory.update, memory_id, "x", expected_version=1)
    assert (stale.reason, stale.code, stale.metadata["current_version"]) == (Reason.VERSION_CONFLICT, Code.ABORTED, "3")
    hit = memory.search("live", user_id=user)[0].memory
    assert (hit.version, hit.update_time_micros) == (3, cleared.update_time_micros)
    memory.delete(memory_id, expected_version=3)
    assert not memory.search("live", user_id=user)
    assert refusal(memory.get, memory_id).reason is Reason.MEMORY_NOT_FOUND
    history = memory.history(memory_id)
    assert [entry.change for entry in history][:2] == [ChangeKind.ADDED, ChangeKind.UPDATED]
    assert history[-1].change is ChangeKind.DELETED
    assert [entry["event"] for entry in history.to_dict()["results"]] == ["ADD", "UPDATE", "UPDATE", "DELETE"]


@client_scenario
def the_past_can_be_asked(memory, user):
    memory_id = memory.add("I live in Lisbon", user_id=user).memory_ids[0]
    before = memory.get(memory_id).create_time
    memory.update(memory_id, "I live in Porto")
    assert bodies(memory.search("live", user_id=user, as_of=before)) == ["I live in Lisbon"]
    assert bodies(memory.list(user_id=user, as_of=before.isoformat())) == ["I live in Lisbon"]
    assert bodies(memory.search("live", user_id=user)) == ["I live in Porto"]


@client_scenario
def a_write_can_be_waited_for_by_its_revision(memory, user):
    added = memory.add("tea", user_id=user)
    assert bodies(memory.search("tea", user_id=user, min_revision=added.revision)) == ["tea"]


@client_scenario
def weights_and_profiles_choose_the_signals(memory, user):
    memory.add("tea", user_id=user)
    lexical = memory.search("tea", user_id=user, profile="lexical", explain=True)[0]
    assert set(lexical.score_parts) == {"lexical"}
    weighed = memory.search("tea", user_id=user, weights={"vector": 0.9, "lexical": 0.1}, explain=True)[0]
    assert weighed.score_parts["vector"].weight > weighed.score_parts["lexical"].weight > 0
    around = memory.search("tea", user_id=user, weights={"vector": 0.0, "lexical": 0.5, "context": 0.5}, explain=True)[
        0
    ]
    assert around.score_parts["context"].weight == around.score_parts["lexical"].weight > 0


@client_scenario
def times_in_a_query_count_from_the_reference_time(memory, user):
    for day in (3, 7, 21):
        memory.add(f"dinner for {day} guests", user_id=user, event_time=date(2023, 5, day))
    asked = {"user_id": user, "profile": "lexical", "weights": {"time": 1.0}, "explain": True}
    for query, day in (("dinner on May 21, 2023", 21), ("dinner yesterday", 7)):
        best = memory.search(query, reference_time=date(2023, 5, 8), **asked)[0]
        assert (best.event_time, best.score_parts["time"].raw) == (datetime(2023, 5, day, tzinfo=UTC), 1.0)
    assert "time" not in memory.search("dinner", **asked)[0].score_parts


@client_scenario
def ids_given_with_a_memory_id_must_be_carried(memory, user):
    memory_id = memory.add("hers", user_id=user).memory_ids[0]
    assert memory.get(memory_id, user_id=user).body == "hers"
    for call in (memory.get, memory.history, memory.delete):
        assert refusal(call, memory_id, user_id=other(user)).reason is Reason.MEMORY_NOT_FOUND
    assert refusal(memory.update, memory_id, "his", user_id=other(user)).reason is Reason.MEMORY_NOT_FOUND
    assert memory.batch_get([memory_id], user_id=other(user))[0] == []


@client_scenario
def a_request_id_makes_a_repeat_safe(memory, user):
    request_id = str(uuid.uuid4())
    first = memory.add("once", user_id=user, request_id=request_id)
    again = memory.add("once", user_id=user, request_id=request_id)
    assert (again.memory_ids, again.replayed, first.replayed) == (first.memory_ids, True, False)
    assert len(memory.list(user_id=user)) == 1
    assert refusal(memory.add, "twice", user_id=user, request_id=request_id).reason is Reason.REQUEST_ID_REUSED


@client_scenario
def an_ingest_answers_each_add_in_order_and_goes_on_after_a_bad_one(memory, user):
    adds = [
        {"messages": "first", "user_id": user},
        {"messages": "", "user_id": user},  # refused by the engine
        {"messages": 7, "user_id": user},  # refused before it is sent
        {"messages": ["second", "third"], "user_id": user, "metadata": {"n": 1}},
        {"messages": "x", "user_id": user, "colour": "red"},
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
    assert bodies(memory.iterate(user_id=user)) == ["third", "second", "first"]
    assert list(memory.ingest([])) == []


@client_scenario
def a_failure_of_the_callers_iterator_is_the_callers(memory, user):
    def adds():
        yield {"messages": "first", "user_id": user}
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(memory.ingest(adds()))
    assert bodies(memory.list(user_id=user)) == ["first"]


@client_scenario
def scopes_are_listed_with_their_counts(memory, user):
    memory.add(["a", "b"], user_id=user)
    memory.add("c", user_id=user, session_id="s1")
    page = memory.list_scopes(page_size=1, user_id=user)
    rest = memory.list_scopes(page_size=1, page_token=page.next_page_token, user_id=user)
    counts = {item.scope: item.memory_count for item in (*page.scopes, *rest.scopes)}
    assert counts == {Scope(user_id=user): 2, Scope(user_id=user, session_id="s1"): 1}
    assert len(memory.list_scopes(user_id=user, session_id="s1").scopes) == 1


ABSENT = str(uuid.UUID(int=9))
DEEP = {"a": 1}
for _ in range(20):
    DEEP = {"NOT": DEEP}
# By name: the method, its arguments, the reason and the field at fault.
REFUSALS = {
    "no scope": ("add", ("x",), {}, Reason.SCOPE_MISSING, "scope"),
    "an empty id": ("add", ("x",), {"user_id": ""}, Reason.INVALID_FIELD, "scope.user_id"),
    "a long id": ("add", ("x",), {"user_id": "u" * 257}, Reason.INVALID_FIELD, "scope.user_id"),
    "an empty text": ("add", (" ",), {}, Reason.INVALID_FIELD, "memories[0].body"),
    "nothing to add": ("add", ([],), {}, Reason.INVALID_FIELD, "memories"),
    "too much to add": ("add", (["x"] * 1001,), {}, Reason.INVALID_FIELD, "memories"),
    "a long text": ("add", ("x" * 40_000,), {}, Reason.BODY_TOO_LARGE, "memories[0].body"),
    "a request id that is none": ("add", ("x",), {"request_id": "again"}, Reason.INVALID_FIELD, "request_id"),
    "extraction": ("add", ("x",), {"infer": True}, Reason.NOT_IMPLEMENTED, None),
    "a time that has passed": (
        "add",
        ("x",),
        {"expire_time": "2020-01-01"},
        Reason.INVALID_FIELD,
        "memories[0].expire_time",
    ),
    "metadata that is no number": (
        "add",
        ("x",),
        {"metadata": {"a": float("nan")}},
        Reason.INVALID_FIELD,
        "memories[0].metadata['a']",
    ),
    "a large number": ("add", ("x",), {"metadata": {"a": 2**63}}, Reason.INVALID_FIELD, None),
    "too many labels": ("add", ("x",), {"categories": [str(n) for n in range(33)]}, Reason.INVALID_FIELD, None),
    "a short vector": (
        "add",
        ({"content": "x", "vector": [1.0]},),
        {},
        Reason.DIMENSION_MISMATCH,
        "memories[0].vector",
    ),
    "importance": ("add", ({"content": "x", "importance": 1.5},), {}, Reason.INVALID_FIELD, "memories[0].importance"),
    "no sources": ("add", (MemoryInput(body="x", source_ids=(ABSENT,)),), {}, Reason.MEMORY_NOT_FOUND, None),
    "no query": ("search", ("",), {}, Reason.INVALID_FIELD, "query"),
    "a long query": ("search", ("x" * 9000,), {}, Reason.INVALID_FIELD, "query"),
    "no hits asked": ("search", ("x",), {"top_k": 0}, Reason.INVALID_FIELD, "top_k"),
    "too many hits asked": ("search", ("x",), {"top_k": 1001}, Reason.INVALID_FIELD, "top_k"),
    "a high score": ("search", ("x",), {"min_score": 2.0}, Reason.INVALID_FIELD, "min_score"),
    "a profile": ("search", ("x",), {"profile": "no"}, Reason.INVALID_FIELD, "profile"),
    "a weight": ("search", ("x",), {"weights": {"vector": -1.0}}, Reason.INVALID_FIELD, "weights.vector"),
    "too many neighbours": ("search", ("x",), {"context_window": 11}, Reason.INVALID_FIELD, "context_window"),
    "a user of a whole tenant": ("search", ("x",), {"match": "tenant"}, Reason.INVALID_FIELD, "scope"),
    "a negative revision": ("search", ("x",), {"min_revision": -1}, Reason.INVALID_FIELD, "min_revision"),
    "a filter without end": ("search", ("x",), {"filters": DEEP}, Reason.INVALID_FILTER, None),
    "a filter on nothing": ("list", (), {"filters": {"AND": []}}, Reason.INVALID_FILTER, None),
    "too many searches": ("batch_search", ([{"query": "x", "user_id": "u"}] * 101,), None, Reason.INVALID_FIELD, None),
    "no searches": ("batch_search", ([],), None, Reason.INVALID_FIELD, None),
    "no id": ("get", ("no id",), {}, Reason.INVALID_FIELD, "memory_id"),
    "an id that is not there": ("get", (ABSENT,), {}, Reason.MEMORY_NOT_FOUND, None),
    "no ids": ("batch_get", ([],), {}, Reason.INVALID_FIELD, "memory_ids"),
    "too many ids": ("batch_get", ([ABSENT] * 1001,), {}, Reason.INVALID_FIELD, "memory_ids"),
    "a history that is not there": ("history", (ABSENT,), {}, Reason.MEMORY_NOT_FOUND, None),
    "no change": ("update", (ABSENT,), {}, Reason.INVALID_FIELD, "text"),
    "a change of nothing": ("update", (ABSENT, "x"), {}, Reason.MEMORY_NOT_FOUND, None),
    "a change to nothing": ("update", (ABSENT, " "), {}, Reason.INVALID_FIELD, "memory.body"),
    "a negative version": ("update", (ABSENT, "x"), {"expected_version": -1}, Reason.INVALID_FIELD, "expected_version"),
    "a deletion of nothing": ("delete", (ABSENT,), {}, Reason.MEMORY_NOT_FOUND, None),
    "a restoration of nothing": ("restore", (ABSENT,), {}, Reason.MEMORY_NOT_FOUND, None),
    "a deletion of no id": ("delete", ("x",), {}, Reason.INVALID_FIELD, "memory_id"),
    "a page size": ("list", (), {"page_size": -1}, Reason.INVALID_FIELD, "page_size"),
    "a page token": ("list", (), {"page_token": "nonsense"}, Reason.INVALID_PAGE_TOKEN, "page_token"),
    "a page size of scopes": ("list_scopes", (), {"page_size": -1}, Reason.INVALID_FIELD, "page_size"),
    "a page token of scopes": ("list_scopes", (), {"page_token": "x"}, Reason.INVALID_PAGE_TOKEN, "page_token"),
    "a text of no encoding": ("add", ("\ud800",), {}, Reason.MALFORMED_MESSAGE, None),
    "a text of no encoding inside": ("add", ("a\ud800b",), {}, Reason.MALFORMED_MESSAGE, None),
    "a filter of no encoding": ("search", ("x",), {"filters": {"a": "\ud800"}}, Reason.MALFORMED_MESSAGE, "filter"),
    "a listing's filter of no encoding": (
        "list",
        (),
        {"filters": {"a": "\ud800"}},
        Reason.MALFORMED_MESSAGE,
        "filter",
    ),
    "an id of no encoding": ("add", ("x",), {"user_id": "\ud800"}, Reason.MALFORMED_MESSAGE, "scope.user_id"),
    "a label of no encoding": (
        "update",
        (ABSENT,),
        {"categories": ["\ud800"]},
        Reason.MALFORMED_MESSAGE,
        "memory.categories[0]",
    ),
    "a query of no encoding": ("search", ("\ud800",), {}, Reason.MALFORMED_MESSAGE, None),
}


def is_refused(row, memory, user):
    method, arguments, options, reason, field = row
    named = (
        {}
        if options is None or method in {"get", "batch_get", "history", "delete", "update", "restore"}
        else {"user_id": user}
    )
    if reason is Reason.SCOPE_MISSING:
        named = {}
    error = refusal(getattr(memory, method), *arguments, **(named | (options or {})))
    assert (error.reason, error.code) == (reason, reason.code)
    if field is not None:
        assert [item.field for item in error.violations] == [field]


for name, row in REFUSALS.items():
    CLIENT_SCENARIOS[f"refused: {name}"] = partial(is_refused, row)


@client_scenario
def a_long_text_is_told_the_limit_and_its_size(memory, user):
    error = refusal(memory.add, "x" * 40_000, user_id=user)
    assert (error.metadata["limit_bytes"], error.metadata["actual_bytes"]) == ("32768", "40000")
    assert not memory.list(user_id=user), "nothing is half-written"


@client_scenario
def an_update_of_one_field_leaves_the_others(memory, user):
    given = MemoryInput(body="x", importance=0.25, trust=TrustLevel.VERIFIED, pinned=True, categories=("a",))
    memory_id = memory.add(given, user_id=user).memory_ids[0]
    memory.update(memory_id, name="Ana")
    found = memory.get(memory_id)
    assert (found.name, found.importance, found.trust, found.pinned) == ("Ana", 0.25, TrustLevel.VERIFIED, True)
    assert found.categories == ("a",)


@client_scenario
def figures_are_of_all_tenants_or_of_ones_own(memory, user):
    memory.add("tea", user_id=user)
    memory.search("tea", user_id=user)
    for stats in (memory.client.stats(), memory.client.stats(all_tenants=False)):
        assert stats.store.memories >= 1
        assert stats.store.body_bytes >= 3
        assert stats.store.added >= 1
        assert stats.store.revision >= 1
        assert stats.index.partitions >= 1
    assert memory.client.stats().dimension == 256


@client_scenario
def a_deadline_that_has_passed_is_told(memory, user):
    memory.add("x", user_id=user)
    # Who tells depends on whether gRPC of the client gave up first: words and metadata are not compared.
    error = refusal(memory.client.search, "x", user_id=user, min_revision=10**9, timeout=0.2)
    assert error.reason in {Reason.DEADLINE_EXCEEDED, Reason.REVISION_NOT_REACHED}
    assert refusal(memory.client.add, "y", user_id=user, timeout=1e-9).reason is Reason.DEADLINE_EXCEEDED


@client_scenario
def reranking_is_refused_where_nothing_can_do_it(memory, user):
    memory.add("tea", user_id=user)
    error = refusal(memory.search, "tea", user_id=user, rerank=True)
    assert (error.reason, error.code) == (Reason.RERANKER_NOT_CONFIGURED, Code.FAILED_PRECONDITION)
    assert "reranking.provider" in error.message
    assert not memory.search("tea", user_id=user).rerank_skipped
