"""Embedding models with their vectors, and the outbox."""

from __future__ import annotations

import threading

import pytest
from store_support import DIMENSION, MODEL, USER, add, change, memory_of, new_id, remove, restore, vector_of

from mnemic.model.errors import MnemicError, Reason
from mnemic.store import sql_models
from mnemic.store.interface import Mutation, RequestRecord
from mnemic.store.model_store import Filling, StoredModel
from mnemic.store.work import FinishedWork, OutboxKind, OutboxState, OutboxWrite, WorkLostError

SECOND = "test-model:2"


def refused(reason: Reason):
    return pytest.raises(MnemicError, check=lambda error: error.reason is reason)


def test_one_model_is_active(store):
    assert store.models() == []
    store.register_model(MODEL, DIMENSION, active=True)
    store.register_model(SECOND, 4, active=False)
    assert store.models() == [StoredModel(MODEL, DIMENSION, True), StoredModel(SECOND, 4, False)]
    store.register_model(MODEL, DIMENSION, active=False)  # Known: no change.
    assert [model.active for model in store.models()] == [True, False]
    store.register_model(SECOND, 4, active=True)
    assert [model.active for model in store.models()] == [False, True]


def test_a_filling_is_noted_until_the_switch(store):
    store.register_model(MODEL, DIMENSION, active=True)
    store.begin_filling(SECOND, 4, 1000)
    store.begin_filling(SECOND, 4, 2000)  # Under way: it goes on.
    store.note_filling(SECOND, 3000, "the provider is away")
    assert store.models()[1] == StoredModel(SECOND, 4, False, Filling(1000, 1000, "the provider is away"))
    store.note_filling(SECOND, 4000)
    assert store.models()[1].filling == Filling(1000, 4000)
    store.register_model(SECOND, 4, active=True)
    assert [model.filling for model in store.models()] == [None, Filling(1000, 4000)]
    store.begin_filling(SECOND, 4, 5000)  # Active: there is nothing to fill.
    assert store.models()[1].filling == Filling(1000, 4000)


def test_a_known_model_keeps_its_dimension(store):
    store.register_model(MODEL, DIMENSION, active=True)
    with refused(Reason.MODEL_MISMATCH):
        store.register_model(MODEL, DIMENSION + 1, active=True)


def test_vectors_of_two_models_are_not_mixed(store):
    with refused(Reason.MODEL_MISMATCH):
        add(store, memory_of(vector=vector_of(1)))
    store.register_model(MODEL, DIMENSION, active=True)
    with refused(Reason.MODEL_MISMATCH):
        add(store, memory_of(vector=vector_of(1), embedding_model=SECOND))
    for wrong in (b"", vector_of(1)[:-4], vector_of(1) + b"\0"):
        with refused(Reason.DIMENSION_MISMATCH):
            add(store, memory_of(vector=wrong))
        with refused(Reason.DIMENSION_MISMATCH):
            store.put_vectors(MODEL, [(new_id(), 1, wrong)])
    with refused(Reason.MODEL_MISMATCH):
        store.put_vectors(SECOND, [])
    assert store.revision() == 0


def test_late_vectors_are_stored_and_replaced(store):
    store.register_model(MODEL, DIMENSION, active=True)
    memory = memory_of()
    add(store, memory)
    assert [found.memory_id for found in store.versions_without_vector(MODEL, limit=5)] == [memory.memory_id]
    assert store.put_vectors(MODEL, [(memory.memory_id, 1, vector_of(1))]) == 2
    assert store.put_vectors(MODEL, [(memory.memory_id, 1, vector_of(2))]) == 3
    assert store.get("t", [memory.memory_id], with_vectors=True)[memory.memory_id].vector == vector_of(2)
    assert store.count_without_vector(MODEL) == 0
    assert store.stats().vectors == 1


def test_vectors_of_what_is_not_there_are_passed_over(store):
    store.register_model(MODEL, DIMENSION, active=True)
    memory = memory_of()
    add(store, memory)
    gone = [(new_id(), 1, vector_of(1)), (memory.memory_id, 2, vector_of(1))]
    assert store.put_vectors(MODEL, gone) == 1
    assert store.put_vectors(MODEL, [*gone, (memory.memory_id, 1, vector_of(1))]) == 2
    assert store.stats().vectors == 1


def test_a_reembed_fills_a_second_model_and_switches(store):
    store.register_model(MODEL, DIMENSION, active=True)
    memories = [memory_of(f"{number}", vector=vector_of(number)) for number in range(5)]
    add(store, *memories)
    changed = change(store, memories[0], "0 changed", now=2000)
    remove(store, memories[4], now=2000)
    store.register_model(SECOND, 2, active=False)
    assert store.count_without_vector(SECOND) == 5  # Both versions of the first, none of the deleted one.
    assert [memory.body for memory in store.versions_without_vector(SECOND, limit=2)] == ["0", "1"]
    late = memory_of("late", vector=vector_of(9))
    add(store, late)
    assert store.count_without_vector(SECOND) == 6
    done = []
    while batch := store.versions_without_vector(SECOND, limit=2):
        done += [memory.body for memory in batch]
        store.put_vectors(SECOND, [(memory.memory_id, memory.version, b"\1" * 8) for memory in batch])
    assert done == ["0", "1", "2", "3", "0 changed", "late"]
    found = store.get("t", [late.memory_id], with_vectors=True)[late.memory_id]
    assert (found.vector, found.embedding_model) == (vector_of(9), MODEL)
    with refused(Reason.MODEL_MISMATCH):
        store.drop_model(MODEL)
    store.register_model(SECOND, 2, active=True)
    rows, _ = store.partition_rows(USER.partition("t"))
    assert {vector for _, vector in rows} == {b"\1" * 8}
    store.drop_model(MODEL)
    assert [model.identity for model in store.models()] == [SECOND]
    assert store.stats().vectors == 6
    restore(store, memories[4].__class__(**_fields(memories[4])), now=3000)
    assert store.count_without_vector(SECOND) == 2
    assert changed.version == 2


def _fields(memory):
    return {name: getattr(memory, name) for name in memory.__slots__} | {"vector": None}


def test_dropping_a_model_can_be_interrupted(store, monkeypatch):
    monkeypatch.setattr(sql_models, "_DROPPED_AT_ONCE", 4)
    store.register_model(MODEL, DIMENSION, active=False)
    memories = [memory_of() for _ in range(10)]
    add(store, *memories)
    store.put_vectors(MODEL, [(memory.memory_id, 1, vector_of(1)) for memory in memories])
    forget = sql_models.models.forget_model
    monkeypatch.setattr(sql_models.models, "drop_vectors", _fail_at_third_call(sql_models.models.drop_vectors))
    with pytest.raises(RuntimeError):
        store.drop_model(MODEL)
    assert store.check() == []
    assert store.count_without_vector(MODEL) == 8
    monkeypatch.undo()
    assert sql_models.models.forget_model is forget
    store.drop_model(MODEL)
    store.drop_model(MODEL)  # Not there: nothing to do.
    assert store.models() == []
    assert store.stats().vectors == 0


def _fail_at_third_call(function):
    calls = []

    def called(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise RuntimeError("interrupted")
        return function(*arguments)

    return called


@pytest.fixture
def work(store):
    """Three pieces of work, enqueued at 100, 200 and 300."""
    for number in (1, 2, 3):
        write = OutboxWrite(OutboxKind.EMBED, (f"m{number}", "ü"), {"k": f"v{number}"})
        add(store, outbox=[write], now=100 * number)
    add(store, outbox=[OutboxWrite(OutboxKind.EXTRACT, ())], now=100, tenant="other")
    return store


def claim(store, now, limit=10, kind=OutboxKind.EMBED):
    return store.claim_outbox(kind, limit=limit, now_micros=now, lease_micros=50)


def test_work_is_claimed_oldest_first_when_due(work):
    items = claim(work, 250)
    assert [(item.memory_ids, dict(item.payload), item.attempts, item.tenant) for item in items] == [
        (("m1", "ü"), {"k": "v1"}, 1, "t"),
        (("m2", "ü"), {"k": "v2"}, 1, "t"),
    ]
    assert claim(work, 250) == []
    assert [item.memory_ids[0] for item in claim(work, 300)] == ["m1", "m2", "m3"]  # The leases ended at 300.
    assert [item.tenant for item in claim(work, 100, kind=OutboxKind.EXTRACT)] == ["other"]
    assert claim(work, 10**6, limit=0) == []


def test_finished_work_is_gone(work):
    items = claim(work, 300)
    work.finish_outbox([item.item_id for item in items[:2]])
    work.finish_outbox([])
    assert [item.item_id for item in claim(work, 1000)] == [items[2].item_id]
    assert work.stats().outbox_pending == 2


def test_work_is_tried_again_later_or_given_up(work):
    first, second, _ = claim(work, 300)
    work.retry_outbox(first.item_id, error="provider away", next_attempt_micros=900)
    work.retry_outbox(second.item_id, error="x" * 10_000, next_attempt_micros=None)
    assert first.item_id not in {item.item_id for item in claim(work, 899)}
    again = claim(work, 1000)
    assert [(item.item_id, item.attempts) for item in again if item.item_id == first.item_id] == [(first.item_id, 2)]
    assert second.item_id not in {item.item_id for item in claim(work, 10**9)}
    assert (work.stats().outbox_pending, work.stats().outbox_failed) == (3, 1)


def test_work_does_not_count_as_a_revision(work):
    before = work.revision()
    items = claim(work, 300)
    work.finish_outbox([item.item_id for item in items])
    work.forget_requests(10**9)
    assert work.revision() == before


def test_two_workers_never_get_the_same_work(store):
    add(store, outbox=[OutboxWrite(OutboxKind.EMBED, (str(number),)) for number in range(60)])
    taken: list[int] = []

    def run():
        while items := claim(store, 2000, limit=3):
            taken.extend(item.item_id for item in items)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 60


def turn(store, after="", now=1000):
    return store.claim_turn(OutboxKind.EXTRACT, after_tenant=after, now_micros=now, lease_micros=50)


@pytest.fixture
def operations(store):
    """Two pieces of one operation of `t`, and one of another tenant."""
    add(store, outbox=[OutboxWrite(OutboxKind.EXTRACT, (name,), {}, "op") for name in ("m1", "m2")], now=100)
    add(store, outbox=[OutboxWrite(OutboxKind.EXTRACT, ("m3",), {}, "theirs")], now=100, tenant="u")
    return store


def test_tenants_take_turns_from_the_last_one_on(operations):
    first = turn(operations)
    second = turn(operations, after=first.tenant)
    third = turn(operations, after=second.tenant)
    assert [(item.tenant, item.memory_ids) for item in (first, second, third)] == [
        ("t", ("m1",)),
        ("u", ("m3",)),
        ("t", ("m2",)),
    ]
    assert turn(operations) is None
    assert turn(operations, now=1050).memory_ids == ("m1",)
    assert operations.next_due(OutboxKind.EXTRACT) == 1050
    assert operations.next_due(OutboxKind.EMBED) is None


def test_a_write_does_its_work_once(operations):
    item = turn(operations)
    done = FinishedWork(item.item_id, item.attempts)
    made = memory_of("made of it")
    revision = add(operations, made, finishes=done, now=2000)
    first, second = operations.operation("t", "op")
    assert (first.state, first.made_ids, first.revision) == (OutboxState.DONE, (made.memory_id,), revision)
    assert (first.end_time_micros, first.due_micros, second.state) == (2000, None, OutboxState.PENDING)
    for lost in (done, FinishedWork(second.item_id, 0), FinishedWork(77, 1)):
        with pytest.raises(WorkLostError):
            add(operations, memory_of("again"), finishes=lost)
    assert operations.revision() == revision
    assert operations.operation("u", "op") == []
    assert (operations.stats().outbox_pending, operations.stats().outbox_failed) == (2, 0)
    assert operations.forget_work(2000) == 0
    assert operations.forget_work(2001) == 1
    assert [work.item_id for work in operations.operation("t", "op")] == [second.item_id]


def test_a_claim_that_another_one_followed_is_lost(operations):
    item = turn(operations)
    again = turn(operations, after="u", now=2000)
    assert (again.item_id, again.attempts) == (item.item_id, 2)
    with pytest.raises(WorkLostError):
        add(operations, finishes=FinishedWork(item.item_id, item.attempts))
    add(operations, finishes=FinishedWork(again.item_id, again.attempts))


def test_what_an_ended_process_had_claimed_is_due_again(operations):
    item = turn(operations)
    assert operations.release_work(OutboxKind.EMBED, 1001) == 0
    assert operations.release_work(OutboxKind.EXTRACT, 1001) == 1
    assert turn(operations, now=1001).item_id == item.item_id


def test_what_was_given_up_is_listed_and_put_back(operations):
    items = [turn(operations), turn(operations, after="t"), turn(operations, after="u")]
    for item in items:
        operations.retry_outbox(item.item_id, error="no", next_attempt_micros=None)
    letters = operations.dead_letters("t", None, limit=10)
    assert [(work.memory_ids, work.last_error, work.end_time_micros is None) for work in letters] == [
        (("m1",), "no", False),
        (("m2",), "no", False),
    ]
    assert operations.dead_letters("t", None, limit=10, after=letters[0].item_id) == letters[1:]
    assert operations.dead_letters("t", OutboxKind.EMBED, limit=10) == []

    def replay(item_ids, **request):
        mutation = Mutation(caller="new", now_micros=5000, **request)
        return operations.replay_dead_letters("t", OutboxKind.EXTRACT, item_ids, str, mutation)

    assert replay([items[1].item_id]) == 0
    assert replay([letters[0].item_id], request=RequestRecord("Replay", "r", "f", "")) == 1
    assert operations.find_request("new", "Replay", "r").response == "1"
    assert replay(None) == 1
    assert turn(operations, now=5000).attempts == 1
