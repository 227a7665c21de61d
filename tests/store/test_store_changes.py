"""The change feed: what happened in a partition after a revision, as an index takes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_support import (
    DIMENSION,
    MODEL,
    USER,
    USERS_PARTITION,
    add,
    change,
    changes,
    insertion,
    memory_of,
    next_version,
    remove,
    restore,
    supersede,
    vector_of,
)

from mnemic.model.memory import ChangeKind, MemoryKind
from mnemic.model.scope import Scope
from mnemic.store import writing
from mnemic.store.interface import PartitionEnd, WriteBatch
from mnemic.store.standing import Standing


@pytest.fixture(autouse=True)
def model(store):
    store.register_model(MODEL, DIMENSION, active=True)


def bodies(found):
    return [memory.body for memory, _ in found[0]]


def test_what_was_written_comes_in_order_with_its_vectors(store):
    add(store, memory_of("before"))
    known = add(store, memory_of("known", vector=vector_of(0)))
    add(store, *(memory_of(f"new {number}", vector=vector_of(number)) for number in range(3)))
    add(store, memory_of("another's", Scope(user_id="ben")))
    add(store, memory_of("newest"))
    rows, ends = changes(store, after=known)
    assert [(memory.body, vector) for memory, vector in rows] == [
        *((f"new {number}", vector_of(number)) for number in range(3)),
        ("newest", None),
    ]
    assert ends == []
    assert changes(store, after=store.revision()) == ([], [])


def test_an_update_ends_the_old_version_and_brings_the_new(store):
    old = memory_of("old")
    known = add(store, old)
    new = change(store, old, "new", now=2000)
    (row,), ends = changes(store, after=known)
    assert row == (replace(new, revision=known + 1), None)
    assert ends == [PartitionEnd(old.memory_id, 1, 2000)]


def test_what_ended_comes_as_an_end_however_old_it_is(store):
    memories = [memory_of(f"number {number}") for number in range(5)]
    known = add(store, *memories)
    supersede(store, memories[1], now=3000)
    remove(store, memories[3], now=4000)
    assert changes(store, after=known) == (
        [],
        [PartitionEnd(memories[1].memory_id, 1, 3000), PartitionEnd(memories[3].memory_id, 1, None)],
    )


def test_a_deletion_ends_every_version_that_may_be_known(store):
    """Whatever of the memory an index has, it learns that the memory is gone."""
    memory = memory_of("first")
    first = add(store, memory)
    memory = change(store, memory, "second", now=2000)
    supersede(store, memory, now=3000)
    third = next_version(memory, "third", now=4000)
    store.write(WriteBatch(tenant="t", inserts=[insertion(third, ChangeKind.UPDATED)], now_micros=4000))
    remove(store, third, now=5000)
    for known in range(first, store.revision()):
        rows, ends = changes(store, after=known)
        assert rows == []
        assert {(end.memory_id, end.valid_to_micros) for end in ends} == {(memory.memory_id, None)}


def test_what_came_and_went_since_is_not_told(store):
    known = add(store, memory_of("stays"))
    memory = memory_of("goes")
    add(store, memory)
    remove(store, memory, now=2000)
    assert changes(store, after=known) == ([], [])


def test_a_restored_memory_leaves_no_way_from_before(store):
    """An index that saw the deletion does not take the memory's older versions again."""
    memory = memory_of("first")
    add(store, memory)
    memory = change(store, memory, "second", now=2000)
    known = remove(store, memory, now=3000)
    restored = restore(store, memory, now=4000)
    assert changes(store, after=known) is None
    assert changes(store, after=known + 1) == ([], [])
    remove(store, restored, now=5000)
    assert changes(store, after=known) is None
    assert {end.valid_to_micros for end in changes(store, after=known + 1)[1]} == {None}


def test_a_vector_that_came_late_brings_its_version_again(store):
    memory, other = memory_of("late"), memory_of("other", vector=vector_of(2))
    known = add(store, memory, other)
    store.put_vectors(MODEL, [(memory.memory_id, 1, vector_of(1))])
    rows, ends = changes(store, after=known)
    assert [(found.memory_id, vector) for found, vector in rows] == [(memory.memory_id, vector_of(1))]
    assert ends == []
    ended = supersede(store, memory, now=2000)
    assert changes(store, after=ended - 1) == ([], [PartitionEnd(memory.memory_id, 1, 2000)])
    assert [found.valid_to_micros for found, _ in changes(store, after=known)[0]] == [2000]


def test_an_end_that_is_moved_brings_its_version_again(store):
    """What an index has ended does not end anew: it gets the version as it is."""

    def home(body, held_from):
        memory = memory_of(body, slot="home", valid_from_micros=held_from, kind=MemoryKind.FACT)
        write = replace(insertion(memory), standing=Standing(takes_slot=True))
        return memory, store.write(WriteBatch(tenant="t", inserts=[write], now_micros=9000))

    first, began = home("first", 100)
    third, ended = home("third", 300)
    second, moved = home("second", 200)
    assert changes(store, after=began)[1] == []
    told = {memory.memory_id: memory.valid_to_micros for memory, _ in changes(store, after=ended)[0]}
    assert told == {first.memory_id: 200, second.memory_id: 300}
    store.put_vectors(MODEL, [(third.memory_id, 1, vector_of(1))])
    store.write(
        WriteBatch(
            tenant="t",
            inserts=[replace(insertion(memory_of("news")), standing=Standing(supersedes=(third.memory_id,)))],
            now_micros=9000,
        )
    )
    rows, _ = changes(store, after=moved)
    assert [(memory.body, vector) for memory, vector in rows] == [("third", vector_of(1)), ("news", None)]


def test_vectors_of_another_model_are_no_change_until_it_is_the_active_one(store):
    memory = memory_of("text", vector=vector_of(1))
    known = add(store, memory)
    store.register_model("second", DIMENSION, active=False)
    embedded = store.put_vectors("second", [(memory.memory_id, 1, vector_of(2))])
    assert changes(store, after=known) == ([], [])
    store.register_model("second", DIMENSION, active=True)
    assert changes(store, after=known) is None
    assert changes(store, after=embedded) == ([], [])
    add(store, memory_of("newer"))
    assert bodies(changes(store, after=embedded)) == ["newer"]


def test_a_revision_that_the_store_has_not_reached_leads_nowhere(store):
    """Such as after a backup was put in the place of the database."""
    last = add(store, memory_of("text"))
    assert changes(store, after=last) == ([], [])
    assert changes(store, after=last + 1) is None


def test_what_was_removed_for_good_leaves_no_way_from_before(store):
    """Rows that are not there any more cannot be told; whoever removes them says so."""
    known = add(store, memory_of("text"))
    add(store, memory_of("another's", Scope(user_id="ben")))
    with store._database.writing() as connection:
        revision, _ = writing.advance(connection)
        writing.require_rebuild(connection, [1])
    assert changes(store, after=known) is None
    assert changes(store, after=revision) == ([], [])
    assert store.rebuild_revisions() == {USERS_PARTITION: revision}
    bens = USERS_PARTITION._replace(owner_id="ben")
    assert store.scan_changes(bens, known, lambda _: None, rows=5) == revision


def test_an_owner_without_memories_has_no_changes(store):
    assert USER.partition("t") == USERS_PARTITION
    assert changes(store, after=0) == ([], [])
