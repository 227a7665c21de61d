"""What happened after a revision, in order: it is what the histories of the memories tell, whoever reads it how."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_support import USER, USERS_PARTITION, add, change, memory_of, remove, restore

from mnemic.model.memory import ChangeKind, MemoryRevision
from mnemic.model.scope import Scope
from mnemic.store.changes import ChangePosition
from mnemic.store.interface import Store, VersionWrite, WriteBatch
from mnemic.store.sqlite import open_sqlite
from mnemic.store.standing import Standing

OTHER = Scope(user_id="ben")


def read(store: Store, *, tenant="t", partitions=None, after=0, until=None, limit=1000) -> list[MemoryRevision]:
    """All pages."""
    until = store.revision() if until is None else until
    position, found = ChangePosition(after), []
    for _ in range(10_000):
        page = store.changes(tenant, partitions, position, until_revision=until, limit=limit)
        assert len(page.changes) <= limit
        assert (page.position.revision, page.position.given) >= (position.revision, position.given)
        found.extend(page.changes)
        position = page.position
        if page.is_last:
            assert position == ChangePosition(max(until, after))
            return found
    raise AssertionError("it does not end")


def told(entries):
    return [(entry.change, entry.memory.body, entry.revision) for entry in entries]


def supersede_by(store: Store, old, body: str, *, tenant="t", scope=USER):
    new = memory_of(body, scope, now=5000)
    write = VersionWrite(new, ChangeKind.ADDED, body, "said later", Standing(supersedes=(old.memory_id,)))
    store.write(WriteBatch(tenant=tenant, inserts=[write], now_micros=5000))
    return new


def test_all_that_can_happen_to_a_memory_is_told_in_order(store):
    memory = memory_of("one")
    add(store, memory, memory_of("two"))
    newer = change(store, memory, "one again", now=2000)
    remove(store, newer, now=3000)
    back = restore(store, newer, now=4000)
    supersede_by(store, back, "three")
    assert told(read(store)) == [
        (ChangeKind.ADDED, "one", 1),
        (ChangeKind.ADDED, "two", 1),
        (ChangeKind.UPDATED, "one again", 2),
        (ChangeKind.DELETED, "one again", 3),
        (ChangeKind.RESTORED, "one again", 4),
        (ChangeKind.ADDED, "three", 5),
        (ChangeKind.SUPERSEDED, "one again", 5),
    ]
    superseded = read(store)[-1]
    assert (superseded.reason, superseded.memory.superseded_by) == (
        store.history("t", memory.memory_id)[-1].reason,
        read(store)[-2].memory.memory_id,
    )


def test_only_what_came_after_and_up_to_a_commit_is_told(store):
    for number in range(1, 6):
        add(store, memory_of(f"m {number}"))
    assert [entry.revision for entry in read(store, after=2, until=4)] == [3, 4]
    assert read(store, after=5) == []
    assert read(store, after=9, until=5) == []


def test_another_tenant_is_never_told(store):
    add(store, memory_of("ours"))
    theirs = memory_of("theirs")
    add(store, theirs, tenant="other")
    supersede_by(store, theirs, "theirs again", tenant="other")
    remove(store, theirs, now=3000, tenant="other")
    assert told(read(store)) == [(ChangeKind.ADDED, "ours", 1)]
    assert len(read(store, tenant="other")) == 4


def test_a_partition_that_is_not_there_tells_nothing(store):
    add(store, memory_of("bens", OTHER))
    assert read(store, partitions={USERS_PARTITION}) == []
    assert read(store, partitions=set()) == []


@pytest.mark.parametrize("partitions", [None, {USERS_PARTITION}], ids=["tenant", "partition"])
def test_a_commit_larger_than_a_page_comes_in_several_and_is_not_told_as_done_before(store, partitions):
    add(store, memory_of("before"))
    add(store, *(memory_of(f"m {number}") for number in range(10)))
    add(store, memory_of("after"))
    position, sizes = ChangePosition(0), []
    while True:
        page = store.changes("t", partitions, position, until_revision=3, limit=4)
        sizes.append((len(page.changes), page.position.revision))
        position = page.position
        if page.is_last:
            break
    assert sizes == [(4, 1), (4, 1), (4, 3)]
    assert [entry.memory.body for entry in read(store, partitions=partitions, limit=4)] == [
        "before",
        *(f"m {number}" for number in range(10)),
        "after",
    ]


def test_others_that_are_passed_over_do_not_make_a_page_endless(store, monkeypatch):
    monkeypatch.setattr("mnemic.store.following._MOST_LOOKED_AT", 5)
    for number in range(20):
        add(store, memory_of(f"theirs {number}"), tenant="other")
    add(store, memory_of("ours"))
    page = store.changes("t", None, ChangePosition(0), until_revision=21, limit=10)
    assert (page.changes, page.is_last) == ((), False)
    assert [entry.memory.body for entry in read(store)] == ["ours"]


actions = st.lists(
    st.tuples(
        st.sampled_from(["add", "add many", "update", "delete", "restore", "supersede"]),
        st.sampled_from([("t", USER), ("t", OTHER), ("other", USER)]),
        st.integers(0, 9),
    ),
    max_size=25,
)


@given(actions, st.integers(0, 30), st.integers(1, 7))
def test_whoever_reads_it_how_gets_what_the_histories_tell(tmp_path_factory, taken, after, limit):
    store = open_sqlite(tmp_path_factory.mktemp("store"))
    try:
        known = carry_out(store, taken)
        for tenant, partitions in (("t", None), ("t", {USERS_PARTITION}), ("other", None)):
            entries = [
                entry
                for memory_id, owner, scope in known
                for entry in store.history(owner, memory_id)
                if owner == tenant and (partitions is None or scope == USER) and entry.revision > after
            ]
            found = read(store, tenant=tenant, partitions=partitions, after=after, limit=limit)
            assert [entry.revision for entry in found] == sorted(entry.revision for entry in found)
            key = lambda entry: (entry.revision, entry.change, entry.memory.memory_id, entry.memory.version)  # noqa: E731
            assert sorted(found, key=key) == sorted(entries, key=key)
    finally:
        store.close()


def carry_out(store: Store, taken) -> set[tuple[str, str, Scope]]:
    """Does what can be done of it; the memories that there are."""
    known: set[tuple[str, str, Scope]] = set()
    living: dict[tuple[str, Scope], list] = {}
    dead: dict[tuple[str, Scope], list] = {}
    for number, (action, place, choice) in enumerate(taken):
        tenant, scope = place
        mine, gone = living.setdefault(place, []), dead.setdefault(place, [])
        now = 1000 + number
        if action.startswith("add"):
            new = [memory_of(f"{number} {part}", scope, now=now) for part in range(5 if action == "add many" else 1)]
            add(store, *new, tenant=tenant, now=now)
            mine.extend(new)
        elif action == "restore" and gone:
            mine.append(restore(store, gone.pop(choice % len(gone)), now=now, tenant=tenant))
        elif mine and action in {"update", "delete", "supersede"}:
            old = mine.pop(choice % len(mine))
            if action == "update":
                mine.append(change(store, old, f"{number} anew", now=now, tenant=tenant))
            elif action == "delete":
                remove(store, old, now=now, tenant=tenant)
                gone.append(old)
            else:
                mine.append(supersede_by(store, old, f"{number} instead", tenant=tenant, scope=scope))
        known |= {(memory.memory_id, tenant, scope) for memory in itertools.chain(mine, gone)}
    return known
