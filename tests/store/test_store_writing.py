"""Writing versions, and reading them by id."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from store_support import (
    DIMENSION,
    MODEL,
    USER,
    add,
    change,
    insertion,
    memory_of,
    new_id,
    next_version,
    remove,
    restore,
    supersede,
    vector_of,
)

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import ChangeKind, MemoryKind, Role, TimePrecision, TrustLevel
from mnemic.model.scope import OwnerKind, PartitionKey, Scope, ScopeMatch
from mnemic.store.interface import RequestIdTakenError, RequestRecord, VersionEnd, VersionWrite, WriteBatch
from mnemic.store.work import OutboxKind, OutboxWrite

REQUEST = RequestRecord("AddMemories", "9b2b9c3e-0000-4000-8000-000000000001", "abc", '{"ids":["x"]}')


def refused(reason: Reason):
    return pytest.raises(MnemicError, check=lambda error: error.reason is reason)


def list_all(store, tenant="t", **options):
    return store.list_memories(tenant, Scope(), ScopeMatch.TENANT, limit=1000, now_micros=0, **options)


def test_an_empty_store_is_at_revision_0(store):
    assert store.revision() == 0
    assert store.get("t", [new_id()]) == {}
    assert store.history("t", new_id()) == []
    assert list_all(store) == []
    assert store.all_partitions() == []


def test_every_field_comes_back_as_it_was_written(store):
    store.register_model(MODEL, DIMENSION, active=True)
    memory = memory_of(
        "Ann moved to Zürich — “für immer” 🏔\n",
        Scope(user_id="ann", agent_id="*", session_id="%_'\"", app_id="𝔸"),
        kind=MemoryKind.FACT,
        role=Role.ASSISTANT,
        name="Béla",
        event_time_micros=-5,
        event_time_end_micros=2**62,
        event_time_precision=TimePrecision.MONTH,
        expire_time_micros=2**61,
        metadata={"n": 2**62, "x": 0.1, "yes": True, "list": ("a", "b"), "text": "ü", "empty": ()},
        categories=("travel", "home"),
        source_ids=(new_id(), new_id()),
        entities=("Zürich",),
        slot="user.home",
        slot_value="Zürich",
        confidence=0.25,
        importance=0.75,
        pinned=True,
        trust=TrustLevel.VERIFIED,
        vector=vector_of(1),
        embedding_model=MODEL,
    )
    revision = add(store, memory)
    expected = replace(memory, revision=revision)
    assert store.get("t", [memory.memory_id], with_vectors=True) == {memory.memory_id: expected}
    without = replace(expected, vector=None, embedding_model=None)
    assert store.get("t", [memory.memory_id]) == {memory.memory_id: without}
    assert list_all(store, with_vectors=True) == [expected]
    key = PartitionKey("t", OwnerKind.USER, "ann")
    assert store.partition_rows(key) == ([(without, memory.vector)], revision)
    assert store.history("t", memory.memory_id)[0].memory == without


def test_an_update_adds_a_version_and_ends_the_one_before(store):
    first = memory_of("is vegetarian", now=10)
    add(store, first, now=10)
    second = change(store, first, "is vegan", now=20)
    latest = store.get("t", [first.memory_id])[first.memory_id]
    assert (latest.version, latest.body, latest.valid_to_micros, latest.revision) == (2, "is vegan", None, 2)
    entries = store.history("t", first.memory_id)
    assert [(entry.change, entry.memory.version, entry.change_time_micros, entry.revision) for entry in entries] == [
        (ChangeKind.ADDED, 1, 10, 1),
        (ChangeKind.UPDATED, 2, 20, 2),
    ]
    assert entries[0].memory.valid_to_micros == 20
    assert second.create_time_micros == 10


def test_a_deletion_ends_the_history_and_leaves_it_readable(store):
    memory = memory_of(now=10)
    add(store, memory, now=10)
    changed = change(store, memory, "likes coffee", now=20)
    revision = remove(store, changed, now=30)
    assert store.get("t", [memory.memory_id]) == {}
    assert list_all(store, include_superseded=True) == []
    assert list_all(store, as_of_micros=15) == []
    last = store.history("t", memory.memory_id)[-1]
    assert (last.change, last.change_time_micros, last.revision) == (ChangeKind.DELETED, 30, revision)
    assert (last.memory.version, last.memory.body, last.memory.valid_to_micros) == (2, "likes coffee", 30)
    assert store.partition_rows(PartitionKey("t", OwnerKind.USER, "ann")) == ([], revision)


def test_a_restored_memory_has_all_of_its_past(store):
    store.register_model(MODEL, DIMENSION, active=True)
    memory = memory_of(now=10, vector=vector_of(3))
    add(store, memory, now=10)
    remove(store, memory, now=20)
    assert store.count_without_vector(MODEL) == 0
    again = restore(store, replace(memory, vector=None), now=30)
    assert store.get("t", [memory.memory_id])[memory.memory_id].version == again.version == 2
    assert [entry.change for entry in store.history("t", memory.memory_id)] == [
        ChangeKind.ADDED,
        ChangeKind.DELETED,
        ChangeKind.RESTORED,
    ]
    assert [found.version for found in list_all(store, as_of_micros=15)] == [1]
    assert list_all(store, as_of_micros=25) == []
    assert [found.version for found in store.versions_without_vector(MODEL, limit=9)] == [2]


def test_only_a_restoration_brings_a_deleted_memory_back(store):
    memory = memory_of()
    add(store, memory)
    remove(store, memory, now=2000)
    new = next_version(memory, "back", now=3000)
    with refused(Reason.MEMORY_NOT_FOUND):
        store.write(WriteBatch(tenant="t", inserts=[insertion(new, ChangeKind.UPDATED)], now_micros=3000))


def test_a_superseded_memory_can_still_be_read_and_deleted(store):
    memory = memory_of(now=10)
    add(store, memory, now=10)
    supersede(store, memory, now=20)
    assert store.get("t", [memory.memory_id])[memory.memory_id].valid_to_micros == 20
    assert list_all(store) == []
    assert [found.memory_id for found in list_all(store, include_superseded=True)] == [memory.memory_id]
    with refused(Reason.VERSION_CONFLICT):
        supersede(store, memory, now=25)
    remove(store, memory, now=30)
    assert store.get("t", [memory.memory_id]) == {}
    assert store.history("t", memory.memory_id)[-1].memory.valid_to_micros == 20


def test_a_stale_version_conflicts_and_nothing_is_written(store):
    memory = memory_of()
    add(store, memory)
    change(store, memory, "new", now=2000)
    other = memory_of("rides along")
    with refused(Reason.VERSION_CONFLICT) as caught:
        store.write(
            WriteBatch(
                tenant="t",
                ends=[VersionEnd(memory.memory_id, 1, 3000)],
                inserts=[insertion(other)],
                outbox=[OutboxWrite(OutboxKind.EMBED, (other.memory_id,))],
                request=REQUEST,
                now_micros=3000,
            )
        )
    assert caught.value.metadata["current_version"] == "2"
    assert store.revision() == 2
    assert store.get("t", [other.memory_id]) == {}
    assert store.find_request("t", REQUEST.method, REQUEST.request_id) is None
    assert store.stats().outbox_pending == 0


@pytest.mark.parametrize("version", [1, 3])
def test_versions_follow_one_another_without_gaps(store, version):
    memory = memory_of()
    add(store, memory)
    new = replace(memory, version=version)
    with refused(Reason.VERSION_CONFLICT):
        store.write(
            WriteBatch(tenant="t", ends=[VersionEnd(memory.memory_id, 1, 5)], inserts=[insertion(new)], now_micros=2000)
        )


def test_a_version_needs_the_one_before_to_have_ended(store):
    memory = memory_of()
    add(store, memory)
    with refused(Reason.VERSION_CONFLICT):
        store.write(WriteBatch(tenant="t", inserts=[insertion(next_version(memory, "b", now=5))], now_micros=5))


def test_an_id_is_given_once(store):
    memory = memory_of()
    add(store, memory)
    for tenant in ("t", "other"):
        with refused(Reason.VERSION_CONFLICT):
            add(store, memory, tenant=tenant)
    twice = memory_of()
    with refused(Reason.VERSION_CONFLICT):
        add(store, twice, twice)
    assert store.revision() == 1


def test_a_memory_keeps_its_scope(store):
    memory = memory_of()
    add(store, memory)
    moved = replace(next_version(memory, "b", now=5), scope=Scope(user_id="bob"))
    with refused(Reason.INVALID_FIELD):
        store.write(
            WriteBatch(tenant="t", ends=[VersionEnd(memory.memory_id, 1, 5)], inserts=[insertion(moved)], now_micros=5)
        )


def test_a_scope_without_ids_is_refused(store):
    with refused(Reason.SCOPE_MISSING):
        add(store, memory_of(scope=Scope()))


def test_a_foreign_memory_is_answered_exactly_like_an_absent_one(store):
    memory = memory_of()
    add(store, memory, tenant="owner")
    answers = []
    for memory_id in (memory.memory_id, new_id()):
        with refused(Reason.MEMORY_NOT_FOUND) as caught:
            store.write(WriteBatch(tenant="thief", ends=[VersionEnd(memory_id, 1, 5, deleted=True)], now_micros=5))
        answers.append((caught.value.message.replace(memory_id, "ID"), set(caught.value.metadata)))
        with refused(Reason.MEMORY_NOT_FOUND):
            new = replace(memory, memory_id=memory_id, version=2)
            store.write(WriteBatch(tenant="thief", inserts=[insertion(new)], now_micros=5))
        assert store.get("thief", [memory_id]) == {}
        assert store.history("thief", memory_id) == []
    assert answers[0] == answers[1]
    assert store.revision() == 1


def test_several_versions_of_one_memory_can_come_in_one_batch(store):
    first = memory_of("a", now=1, valid_to_micros=5)
    second = next_version(first, "b", now=5)
    add(store, first, second)
    assert [entry.memory.body for entry in store.history("t", first.memory_id)] == ["a", "b"]
    assert [found.body for found in list_all(store)] == ["b"]


def test_a_batch_of_a_thousand_is_one_revision_and_keeps_its_order(store):
    memories = [memory_of(f"text {number}") for number in range(1000)]
    assert add(store, *memories) == 1
    rows, revision = store.partition_rows(PartitionKey("t", OwnerKind.USER, "ann"))
    assert revision == 1
    assert [memory.body for memory, _ in rows] == [memory.body for memory in memories]
    assert {memory.revision for memory, _ in rows} == {1}
    assert len({id(memory.scope) for memory, _ in rows}) == 1
    found = store.get("t", [memory.memory_id for memory in memories] * 2)
    assert len(found) == 1000


def test_the_reason_of_an_automatic_change_is_kept(store):
    memory = memory_of()
    store.write(
        WriteBatch(
            tenant="t", inserts=[VersionWrite(memory, ChangeKind.MERGED, "h", reason="same words")], now_micros=5
        )
    )
    (entry,) = store.history("t", memory.memory_id)
    assert (entry.change, entry.reason) == (ChangeKind.MERGED, "same words")


def test_a_request_is_answered_once(store):
    memory = memory_of()
    revision = add(store, memory, request=replace(REQUEST, revision=99))
    kept = store.find_request("t", REQUEST.method, REQUEST.request_id)
    assert kept == replace(REQUEST, revision=revision)
    with pytest.raises(RequestIdTakenError) as caught:
        add(store, memory_of("again"), request=replace(REQUEST, fingerprint="other"))
    assert caught.value.record == kept
    assert store.revision() == 1
    # A replay of an update is a replay, although its version is stale by now.
    with pytest.raises(RequestIdTakenError):
        store.write(WriteBatch(tenant="t", ends=[VersionEnd(memory.memory_id, 7, 5)], request=REQUEST, now_micros=2000))


def test_request_ids_are_apart_by_tenant_and_method(store):
    add(store, memory_of(), request=REQUEST)
    add(store, memory_of(), request=replace(REQUEST, method="DeleteMemory"))
    add(store, memory_of(), request=REQUEST, tenant="other")
    assert store.find_request("third", REQUEST.method, REQUEST.request_id) is None


def test_a_batch_of_nothing_but_a_request_is_kept(store):
    assert add(store, request=REQUEST, tenant="fresh") == 1
    assert store.find_request("fresh", REQUEST.method, REQUEST.request_id) is not None


def test_old_requests_are_forgotten(store):
    for number in range(3):
        add(store, request=replace(REQUEST, request_id=str(number)), now=100 * number)
    assert store.forget_requests(200) == 2
    assert store.find_request("t", REQUEST.method, "1") is None
    assert store.find_request("t", REQUEST.method, "2") is not None
    assert store.forget_requests(200) == 0


def test_threads_that_race_with_one_request_id_write_once(store):
    memories = [memory_of(f"try {number}") for number in range(8)]
    barrier = threading.Barrier(len(memories))
    outcomes: list[object] = []

    def run(memory):
        barrier.wait()
        try:
            outcomes.append(add(store, memory, request=REQUEST))
        except RequestIdTakenError as taken:
            outcomes.append(taken.record)

    threads = [threading.Thread(target=run, args=(memory,)) for memory in memories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["RequestRecord"] * 7 + ["int"]
    assert {outcome.revision for outcome in outcomes if isinstance(outcome, RequestRecord)} == {1}
    assert len(list_all(store)) == 1


def test_revisions_have_no_gaps_under_threads(store):
    revisions: list[int] = []
    conflicting = memory_of()
    add(store, conflicting)

    def run(name):
        for number in range(25):
            if number % 5 == 0:  # A write that fails must not use up a revision.
                with refused(Reason.VERSION_CONFLICT):
                    add(store, conflicting)
            revisions.append(add(store, memory_of(f"{name} {number}", Scope(user_id=name))))

    threads = [threading.Thread(target=run, args=(f"user {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(revisions) == list(range(2, 102))
    assert store.revision() == 101
    by_revision = {memory.revision for memory in list_all(store)}
    assert by_revision == set(range(1, 102))


def test_threads_that_race_for_one_version_write_once(store):
    memory = memory_of()
    add(store, memory)
    outcomes: list[str] = []

    def run(number):
        try:
            change(store, memory, f"change {number}", now=2000)
            outcomes.append("written")
        except MnemicError as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [Reason.VERSION_CONFLICT] * 5 + ["written"]


def test_partition_rows_hold_every_version_in_the_order_written(store):
    first = memory_of("a")
    add(store, first)
    other_session = memory_of("b", Scope(user_id="ann", session_id="s"))
    add(store, other_session)
    change(store, first, "a2", now=2000)
    add(store, memory_of("not hers", Scope(user_id="bob", session_id="s")))
    rows, revision = store.partition_rows(PartitionKey("t", OwnerKind.USER, "ann"))
    assert [(memory.body, memory.valid_to_micros) for memory, _ in rows] == [("a", 2000), ("b", None), ("a2", None)]
    assert revision == 4


def test_a_partition_says_whether_it_changed(store):
    store.register_model(MODEL, DIMENSION, active=True)
    ann, bob = PartitionKey("t", OwnerKind.USER, "ann"), PartitionKey("t", OwnerKind.USER, "bob")
    memory = memory_of()
    add(store, memory)
    add(store, memory_of(scope=Scope(user_id="bob")))
    assert store.partition_changes(ann, 0)
    assert not store.partition_changes(ann, 1)
    assert store.partition_changes(bob, 1)
    embedded = store.put_vectors(MODEL, [(memory.memory_id, 1, vector_of(1))])
    assert store.partition_changes(ann, embedded - 1)
    ended = remove(store, memory, now=2000)
    assert store.partition_changes(ann, ended - 1)
    assert not store.partition_changes(ann, ended)
    assert not store.partition_changes(bob, 2)
    assert not store.partition_changes(PartitionKey("t", OwnerKind.USER, "nobody"), 0)


def test_a_reader_sees_one_snapshot_while_others_write(store):
    key = PartitionKey("t", OwnerKind.USER, "ann")
    stop = threading.Event()

    def write():
        while not stop.is_set():
            add(store, memory_of("x"), memory_of("y"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(50):
            rows, revision = store.partition_rows(key)
            assert len(rows) == 2 * revision
    finally:
        stop.set()
        writer.join()


def test_text_and_numbers_that_no_database_takes_are_refused_in_words(store):
    with refused(Reason.INVALID_FIELD) as caught:
        add(store, memory_of("half a pair: \ud83d"))
    assert "surrogate" in caught.value.message
    with refused(Reason.INVALID_FIELD):
        add(store, memory_of(event_time_micros=2**70))
    assert store.revision() == 0


def test_counts(store):
    store.register_model(MODEL, DIMENSION, active=True)
    memory = memory_of(vector=vector_of(1))
    add(store, memory, outbox=[OutboxWrite(OutboxKind.EXTRACT, (memory.memory_id,))])
    change(store, memory, "b", now=2000)
    add(store, memory_of(scope=Scope(agent_id="x")), tenant="other")
    mine, everyones = store.stats("t"), store.stats()
    assert (mine.tenants, mine.scopes, mine.memories, mine.versions, mine.vectors) == (1, 1, 1, 2, 2)
    # The default tenant is there from the start.
    assert (everyones.tenants, everyones.scopes, everyones.memories, everyones.versions) == (3, 2, 2, 3)
    assert (mine.outbox_pending, mine.outbox_failed, mine.revision) == (1, 0, 3)
    assert everyones.bytes_on_disk > 10_000


def test_partitions_of_every_kind_of_owner(store):
    add(store, memory_of(scope=USER))
    add(store, memory_of(scope=Scope(agent_id="a", session_id="s")))
    add(store, memory_of(scope=Scope(app_id="p", session_id="s")))
    add(store, memory_of(scope=Scope(session_id="s")), tenant="other")
    assert store.all_partitions() == [
        PartitionKey("t", OwnerKind.USER, "ann"),
        PartitionKey("t", OwnerKind.AGENT, "a"),
        PartitionKey("t", OwnerKind.APP, "p"),
        PartitionKey("other", OwnerKind.SESSION, "s"),
    ]
