"""No sequence of adds, searches, filters or ids returns a memory outside tenant and scope, and none is missed."""

import itertools
import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.filters import AllOf, AnyOf, Comparison, Not, Operator
from mnemic.model.memory import MemoryInput
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest

# Ids that have broken other systems: wildcards, separators, quotes, patterns, other alphabets, very long ones.
IDS = ["a", "b", "*", "%", "_", "a/b", "a'b\"", "..", "null", "None", "a&b|c", "ä", "用户", "x" * 256, "user:a"]
optional_id = st.none() | st.sampled_from(IDS)
scopes = st.builds(Scope, user_id=optional_id, agent_id=optional_id, session_id=optional_id, app_id=optional_id)
full_scopes = scopes.filter(lambda scope: not scope.is_empty)
leaves = st.builds(
    Comparison,
    field=st.sampled_from(["user_id", "agent_id", "session_id", "app_id", "name", "metadata.user_id"]),
    operator=st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN, Operator.CONTAINS]),
    values=st.tuples(st.sampled_from(IDS)),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(AllOf, st.tuples(inner)),
        st.builds(AnyOf, st.tuples(inner, inner)),
    ),
    max_leaves=4,
)
tenant_numbers = itertools.count()


@given(
    added=st.lists(st.tuples(st.sampled_from([0, 1]), full_scopes), min_size=1, max_size=12),
    asked=st.lists(st.tuples(scopes, st.sampled_from(list(ScopeMatch)), st.none() | filters), min_size=1, max_size=6),
    data=st.data(),
)
def test_searches_and_lists_see_their_scope_and_nothing_else(engine, added, asked, data):
    run = next(tenant_numbers)
    tenants = [f"tenant {run} {side}" for side in (0, 1)]
    expected = {}
    for side, scope in added:
        item = MemoryInput(body="the shared word banana", metadata={"user_id": "*"})
        result = engine.add(tenants[side], scope, [item])
        expected[result.memories[0].memory_id] = (side, scope)
    for memory_id in data.draw(st.lists(st.sampled_from(sorted(expected)), max_size=3, unique=True)):
        side, scope = expected[memory_id]
        foreign = tenants[1 - side]
        with pytest.raises(MnemicError) as refused:
            engine.delete(foreign, memory_id)
        assert refused.value.reason is Reason.MEMORY_NOT_FOUND
        engine.delete(tenants[side], memory_id)
        del expected[memory_id]
    for scope, match, narrowing in asked:
        if scope.is_empty != (match is ScopeMatch.TENANT):
            with pytest.raises(MnemicError):
                engine.search(tenants[0], SearchRequest(scope=scope, match=match, query="banana"))
            continue
        for side in (0, 1):
            visible = {
                memory_id
                for memory_id, (owner, carried) in expected.items()
                if owner == side and scope.selects(carried, match)
            }
            request = SearchRequest(scope=scope, match=match, query="banana", top_k=1000, separate=True)
            found = [hit.memory_id for hit in engine.search(tenants[side], request).hits]
            assert Counter(found) == Counter(visible)
            page = engine.list_memories(tenants[side], ListRequest(scope=scope, match=match, page_size=1000))
            assert Counter(memory.memory_id for memory in page.memories) == Counter(visible)
            if narrowing is not None:
                request = SearchRequest(
                    scope=scope, match=match, query="banana", top_k=1000, separate=True, filter=narrowing
                )
                narrowed = {hit.memory_id for hit in engine.search(tenants[side], request).hits}
                listed = engine.list_memories(
                    tenants[side], ListRequest(scope=scope, match=match, filter=narrowing, page_size=1000)
                )
                assert narrowed <= visible
                assert narrowed == {memory.memory_id for memory in listed.memories}


def test_a_foreign_id_answers_like_an_absent_one(engine):
    mine = engine.add("t1", Scope(user_id="u"), [MemoryInput(body="secret")]).memories[0].memory_id
    absent = str(uuid.uuid4())
    calls = {
        "get": lambda memory_id, **more: engine.get("t2", memory_id, **more),
        "history": lambda memory_id, **more: engine.history("t2", memory_id, **more),
        "delete": lambda memory_id, **more: engine.delete("t2", memory_id, **more),
        "update": lambda memory_id, **more: engine.update(
            "t2", memory_id, MemoryUpdate(fields=frozenset({"body"}), body="x"), **more
        ),
        "source": lambda memory_id: engine.add(
            "t2", Scope(user_id="u"), [MemoryInput(body="x", source_ids=[memory_id])]
        ),
    }
    for name, call in calls.items():
        answers = []
        for memory_id in (mine, absent):
            with pytest.raises(MnemicError) as refused:
                call(memory_id)
            answers.append((refused.value.reason, refused.value.message.replace(memory_id, "ID")))
        assert answers[0] == answers[1], name
    assert engine.batch_get("t2", [mine, absent]) == ([], [mine, absent])
    assert engine.get("t1", mine).body == "secret"


def test_a_memory_outside_the_asked_scope_is_not_found(engine):
    memory_id = engine.add("t", Scope(user_id="u", session_id="s"), [MemoryInput(body="x")]).memories[0].memory_id
    assert engine.get("t", memory_id, scope=Scope(user_id="u")).memory_id == memory_id
    for scope in (Scope(user_id="other"), Scope(user_id="u", session_id="other"), Scope(agent_id="u")):
        for call in (engine.get, engine.history, engine.delete):
            with pytest.raises(MnemicError) as refused:
                call("t", memory_id, scope=scope)
            assert refused.value.reason is Reason.MEMORY_NOT_FOUND


def test_a_filter_that_leaves_a_restriction_no_room_is_refused_as_such(engine):
    owner, deepest = Scope(user_id="a"), Comparison("metadata.k", Operator.EXISTS, ())
    for _ in range(7):
        deepest = Not(deepest)
    # With a session beside the user the restriction is a condition of its own, one level above the caller's.
    request = SearchRequest(scope=Scope(user_id="a", session_id="s"), query="bees", filter=deepest)
    engine.search("t", request)
    with pytest.raises(MnemicError) as caught:
        engine.search("t", request, within=owner)
    assert caught.value.reason is Reason.INVALID_FILTER
