"""Listing memories and scopes: what is selected, in what order, and that no other tenant's is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_support import add, change, memory_of, new_id, remove, supersede

from mnemic.model.scope import OwnerKind, PartitionKey, Scope, ScopeMatch
from mnemic.store import listing

HOSTILE = ["*", "%", "_", "'", '"', "''; DROP TABLE scopes; --", "\\", "ann%", "ЖЖ", "🦊", "a" * 256, "ann\x01", "None"]


def ids(memories):
    return [memory.memory_id for memory in memories]


def bodies(store, scope, match, tenant="t", limit=100, **options):
    found = store.list_memories(tenant, scope, match, limit=limit, now_micros=1000, **options)
    assert ids(found) == sorted(ids(found), reverse=True)
    return [memory.body for memory in found]


@pytest.fixture
def family(store):
    """Memories that carry different ids; each body says which."""
    for scope, body in (
        (Scope(user_id="u"), "u"),
        (Scope(user_id="u", session_id="s"), "u s"),
        (Scope(user_id="u", session_id="z"), "u z"),
        (Scope(user_id="u", agent_id="a"), "u a"),
        (Scope(user_id="u", agent_id="a", session_id="s", app_id="p"), "u a s p"),
        (Scope(agent_id="a"), "a"),
        (Scope(agent_id="a", session_id="s"), "a s"),
        (Scope(session_id="s"), "s"),
        (Scope(app_id="p"), "p"),
        (Scope(user_id="v"), "v"),
    ):
        add(store, memory_of(body, scope))
    return store


@pytest.mark.parametrize(
    ("scope", "visible", "exact"),
    [
        (Scope(user_id="u"), {"u"}, {"u", "u s", "u z", "u a", "u a s p"}),
        (Scope(user_id="u", session_id="s"), {"u", "u s", "s"}, {"u s", "u a s p"}),
        (Scope(user_id="u", agent_id="a"), {"u", "a", "u a"}, {"u a", "u a s p"}),
        (Scope(agent_id="a"), {"a"}, {"a", "a s", "u a", "u a s p"}),
        (Scope(session_id="s"), {"s"}, {"s", "a s", "u s", "u a s p"}),
        (Scope(app_id="p"), {"p"}, {"p", "u a s p"}),
        (
            Scope(user_id="u", agent_id="a", session_id="s", app_id="p"),
            {"u", "u s", "u a", "u a s p", "a", "a s", "s", "p"},
            {"u a s p"},
        ),
        (Scope(user_id="nobody"), set(), set()),
    ],
)
def test_ids_select_by_match(family, scope, visible, exact):
    assert set(bodies(family, scope, ScopeMatch.VISIBLE)) == visible
    assert set(bodies(family, scope, ScopeMatch.EXACT)) == exact
    assert len(bodies(family, Scope(), ScopeMatch.TENANT)) == 10


def test_partitions_are_those_of_the_selected_scopes(family):
    user, agent = PartitionKey("t", OwnerKind.USER, "u"), PartitionKey("t", OwnerKind.AGENT, "a")
    assert family.partitions("t", Scope(user_id="u", session_id="q"), ScopeMatch.VISIBLE) == [user]
    assert family.partitions("t", Scope(agent_id="a"), ScopeMatch.EXACT) == [user, agent]
    assert family.partitions("t", Scope(agent_id="nobody"), ScopeMatch.EXACT) == []
    assert len(family.partitions("t", Scope(), ScopeMatch.TENANT)) == 5
    assert family.partitions("other", Scope(), ScopeMatch.TENANT) == []


def test_a_partition_stays_known_when_all_of_it_is_deleted(store):
    memory = memory_of()
    add(store, memory)
    remove(store, memory, now=2000)
    assert store.partitions("t", memory.scope, ScopeMatch.VISIBLE) == [memory.scope.partition("t")]


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize(
    ("scope", "match"),
    [
        (Scope(user_id="u"), ScopeMatch.EXACT),
        (Scope(user_id="u", session_id="s1"), ScopeMatch.VISIBLE),
        (Scope(agent_id="a"), ScopeMatch.EXACT),
        (Scope(), ScopeMatch.TENANT),
        (Scope(), ScopeMatch.EXACT),
    ],
)
@pytest.mark.parametrize("many_scopes", [2000, 2])
def test_pages_join_to_the_whole(store, monkeypatch, size, scope, match, many_scopes):
    monkeypatch.setattr(listing, "MANY_SCOPES", many_scopes)
    memories = []
    for number in range(40):
        carried = Scope(
            user_id="u" if number % 3 else "w",
            agent_id="a" if number % 4 == 0 else None,
            session_id=f"s{number // 8}" if number % 5 else None,
        )
        memories.append(memory_of(f"{number}", carried))
    add(store, *memories)
    expected = [memory.memory_id for memory in reversed(memories) if scope.selects(memory.scope, match)]
    listed, before = [], None
    while True:
        page = store.list_memories("t", scope, match, limit=size, now_micros=0, before_id=before)
        assert len(page) <= size
        if not page:
            break
        listed += ids(page)
        before = listed[-1]
    assert listed == expected


@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_of_versions_split_no_memory(store, size):
    expected = []
    for number in range(5):
        memory = memory_of(f"{number}")
        add(store, memory)
        expected.append((memory.memory_id, 1))
        for version in range(2, 2 + number):
            memory = change(store, memory, f"{number}.{version}", now=2000 + version)
            expected.append((memory.memory_id, version))
    listed, position = [], {}
    while True:
        page = store.list_memories(
            "t", Scope(user_id="ann"), ScopeMatch.VISIBLE, limit=size, now_micros=0, include_superseded=True, **position
        )
        if not page:
            break
        listed += [(memory.memory_id, memory.version) for memory in page]
        position = {"before_id": page[-1].memory_id, "before_version": page[-1].version}
    assert listed == sorted(expected, reverse=True)


def test_as_of_shows_what_held_then(store):
    memory = memory_of("v1", now=100)
    add(store, memory)
    change(store, memory, "v2", now=200)
    scope = memory.scope

    def at(moment, **options):
        return bodies(store, scope, ScopeMatch.VISIBLE, as_of_micros=moment, **options)

    assert at(99) == []
    assert at(100) == ["v1"]
    assert at(199) == ["v1"]
    assert at(200) == ["v2"]
    assert at(200, include_superseded=True) == ["v2", "v1"]
    assert at(199, include_superseded=True) == ["v1"]
    assert bodies(store, scope, ScopeMatch.VISIBLE, include_superseded=True) == ["v2", "v1"]


def test_expired_memories_are_listed_only_when_asked_for(store):
    add(store, memory_of("gone", expire_time_micros=1000), memory_of("there", expire_time_micros=1001))
    scope = Scope(user_id="ann")
    assert bodies(store, scope, ScopeMatch.VISIBLE) == ["there"]
    assert bodies(store, scope, ScopeMatch.VISIBLE, include_expired=True) == ["there", "gone"]


def test_no_list_is_longer_than_asked(store):
    add(store, *(memory_of() for _ in range(3)))
    for limit, expected in ((-1, 0), (0, 0), (2, 2), (10**9, 3)):
        assert len(bodies(store, Scope(user_id="ann"), ScopeMatch.VISIBLE, limit=limit)) == expected


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_id_is_a_wildcard(store, hostile):
    mine = memory_of("mine", Scope(user_id=hostile))
    add(store, mine, tenant=hostile)
    add(store, memory_of("ann's"), memory_of("ann2's", Scope(user_id="ann2")), tenant="t")
    for tenant in ("t", hostile):
        for match in (ScopeMatch.VISIBLE, ScopeMatch.EXACT):
            for field in ("user_id", "agent_id", "session_id", "app_id"):
                expected = ["mine"] if (tenant, field) == (hostile, "user_id") else []
                assert bodies(store, Scope(**{field: hostile}), match, tenant) == expected
    assert bodies(store, Scope(), ScopeMatch.TENANT, hostile) == ["mine"]
    assert [summary.scope for summary in store.list_scopes(hostile, Scope(), limit=9)] == [mine.scope]
    assert store.list_scopes("t", Scope(user_id=hostile), limit=9) == []
    assert store.get("t", [hostile, mine.memory_id]) == {}
    assert store.history("t", mine.memory_id) == store.history(hostile, hostile) == []
    assert store.find_request(hostile, hostile, hostile) is None
    assert store.partitions("t", mine.scope, ScopeMatch.EXACT) == []
    assert store.partition_rows(mine.scope.partition("t"))[0] == []


def test_scopes_come_in_order_with_their_counts(store):
    first = memory_of("1", Scope(user_id="b"), now=10)
    add(store, first, memory_of("2", Scope(user_id="b"), now=30), memory_of("3", Scope(user_id="b"), now=20))
    add(store, memory_of("4", Scope(user_id="b", session_id="s"), now=5))
    add(store, memory_of("5", Scope(agent_id="x"), now=7))
    add(store, memory_of("6", Scope(user_id="a", app_id="p"), now=8))
    deleted, superseded = memory_of("7", Scope(user_id="c")), memory_of("8", Scope(user_id="d"))
    add(store, deleted, superseded)
    remove(store, deleted, now=50)
    supersede(store, superseded, now=50)
    change(store, first, "1 again", now=60)
    found = store.list_scopes("t", Scope(), limit=10)
    assert [
        (entry.scope, entry.memory_count, entry.first_create_time_micros, entry.last_create_time_micros)
        for entry in found
    ] == [
        (Scope(agent_id="x"), 1, 7, 7),
        (Scope(user_id="a", app_id="p"), 1, 8, 8),
        (Scope(user_id="b"), 3, 10, 30),
        (Scope(user_id="b", session_id="s"), 1, 5, 5),
    ]
    assert store.list_scopes("t", Scope(user_id="b"), limit=10) == found[2:]
    assert store.list_scopes("t", Scope(user_id="b", session_id="s"), limit=10) == found[3:]
    for position in range(4):
        assert (
            store.list_scopes("t", Scope(), limit=1, after=found[position].scope) == found[position + 1 : position + 2]
        )
    assert store.list_scopes("t", Scope(), limit=0) == []
    assert store.list_scopes("other", Scope(), limit=10) == []


def test_vectors_come_only_when_asked_for(store):
    store.register_model("m", 2, active=True)
    add(store, memory_of(vector=b"\0\0\x80?\0\0\0\0"), memory_of())
    scope = Scope(user_id="ann")
    plain = store.list_memories("t", scope, ScopeMatch.VISIBLE, limit=5, now_micros=0)
    assert {memory.vector for memory in plain} == {None}
    full = store.list_memories("t", scope, ScopeMatch.VISIBLE, limit=5, now_micros=0, with_vectors=True)
    assert [(memory.vector, memory.embedding_model) for memory in full] == [(None, None), (b"\0\0\x80?\0\0\0\0", "m")]
    assert [replace(memory, vector=None, embedding_model=None) for memory in full] == plain


def test_a_page_may_begin_below_an_id_that_does_not_exist(store):
    low, memory = new_id(), memory_of()
    high = new_id()
    add(store, memory)
    assert bodies(store, memory.scope, ScopeMatch.VISIBLE, before_id=high) == ["likes tea"]
    assert bodies(store, memory.scope, ScopeMatch.VISIBLE, before_id=low) == []
