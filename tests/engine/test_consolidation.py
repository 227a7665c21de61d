"""Facts that say the same become one, with the sources of all; nothing is lost, and everything can be undone."""

from __future__ import annotations

import itertools
import random
import threading
import uuid

import pytest

from mnemic.engine import consolidating
from mnemic.engine.engine import Engine
from mnemic.model.deadline import Deadline
from mnemic.model.erasure import ErasureRequest, ErasureTarget
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import ChangeKind, MemoryInput, MemoryKind
from mnemic.model.operations import OperationState
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.retention import RetentionPolicy
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest

ANA = Scope(user_id="ana")
MAY = 1_683_000_000_000_000
DAY = 86_400_000_000
# Four ways to say one thing.
WAYS = ("The user has three cats", "User has 3 cats.", "The user also has three cats", "the user has 3 cats, too")


def fact(body, **more):
    return MemoryInput(body=body, kind=MemoryKind.FACT, **more)


def add(engine, *inputs, scope=ANA, **more):
    """One add for each, so that the first holds for the longest."""
    return [engine.add("t", scope, [item], **more).memories[0].memory_id for item in inputs]


def messages(engine, count, scope=ANA):
    return add(engine, *(MemoryInput(body=f"said {number}") for number in range(count)), scope=scope)


def facts(engine, scope=ANA):
    page = engine.list_memories("t", ListRequest(scope=scope, page_size=1000))
    return sorted(memory.body for memory in page.memories if memory.kind is not MemoryKind.MESSAGE)


def consolidate(engine, **options):
    return engine.consolidation.consolidate("t", **options)


def test_one_stays_with_the_sources_of_all(engine):
    sources = messages(engine, 4)
    first, second, third = add(
        engine,
        fact(WAYS[0], source_ids=sources[:2], categories=("pets",), importance=0.3),
        fact(WAYS[1], source_ids=sources[1:3], categories=("animals",), importance=0.9, pinned=True),
        fact(WAYS[2], source_ids=sources[3:], entities=("Cats",)),
    )
    result = consolidate(engine)
    assert (result.report.examined_count, result.report.kept_count, result.report.merged_count) == (3, 1, 2)
    assert result.revision == engine.revision()
    kept = engine.get("t", first, with_vector=True)
    assert kept.source_ids == (*sources[:3], second, sources[3], third)
    assert (kept.categories, kept.entities) == (("pets", "animals"), ("Cats",))
    assert (kept.importance, kept.pinned, kept.version) == (0.9, True, 2)
    assert kept.vector is not None
    assert facts(engine) == [WAYS[0]]
    for other in (second, third):
        gone = engine.get("t", other)
        assert (gone.superseded_by, gone.valid_to_micros) == (first, kept.valid_from_micros)
        assert engine.history("t", other)[-1].change is ChangeKind.SUPERSEDED
        assert "consolidated" in engine.history("t", other)[-1].reason
    assert engine.history("t", first)[-1].change is ChangeKind.MERGED
    hits = engine.search("t", SearchRequest(scope=ANA, query="cats")).hits
    assert [hit.memory.memory_id for hit in hits if hit.memory.kind is MemoryKind.FACT] == [first]
    assert engine.check() == []


def test_a_dry_run_says_the_same_and_changes_nothing(engine):
    add(engine, *map(fact, WAYS))
    before = engine.revision()
    preview = consolidate(engine, validate_only=True)
    assert engine.revision() == before == preview.revision
    assert len(facts(engine)) == 4
    assert consolidate(engine).report == preview.report
    ((kept, merged),) = [(sample.kept.body, len(sample.merged)) for sample in preview.report.samples]
    assert (kept, merged) == (WAYS[0], 3)


def test_a_second_pass_finds_nothing(engine):
    add(engine, *map(fact, WAYS))
    consolidate(engine)
    before = engine.revision()
    again = consolidate(engine)
    assert (again.report.examined_count, again.report.merged_count, again.revision) == (1, 0, before)
    assert engine.revision() == before


APART = {
    "kind": ({}, {"kind": MemoryKind.INSTRUCTION}),
    "speaker": ({"name": "Ana"}, {"name": "Tom"}),
    "slot": ({"slot": "ana.cats"}, {"slot": "ana.pets"}),
    "event time": ({"event_time_micros": MAY}, {"event_time_micros": MAY + DAY}),
    "end of the event": (
        {"event_time_micros": MAY},
        {"event_time_micros": MAY, "event_time_end_micros": MAY + DAY},
    ),
    "metadata": ({"metadata": {"plan": "free"}}, {"metadata": {"plan": "paid"}}),
    "known and unknown time": ({}, {"event_time_micros": MAY}),
}


@pytest.mark.parametrize("name", APART)
def test_what_differs_beside_the_words_is_not_merged(engine, name):
    one, other = APART[name]
    for body, more in ((WAYS[0], one), (WAYS[1], other)):
        engine.add("t", ANA, [MemoryInput(**({"body": body, "kind": MemoryKind.FACT} | more))])
    assert consolidate(engine).report.merged_count == 0


def test_scopes_tenants_and_messages_stay_apart(engine):
    session = Scope(user_id="ana", session_id="s")
    add(engine, fact(WAYS[0]))
    add(engine, fact(WAYS[1]), scope=session)
    add(engine, fact(WAYS[2]), scope=Scope(user_id="tom"))
    engine.add("other", ANA, [fact(WAYS[3])])
    add(engine, MemoryInput(body=WAYS[0]), MemoryInput(body=WAYS[1]))
    assert consolidate(engine).report == consolidate(engine, validate_only=True).report
    assert consolidate(engine).report.merged_count == 0
    assert consolidate(engine, scope=ANA).report.examined_count == 2
    assert consolidate(engine, scope=session).report.examined_count == 1
    assert consolidate(engine, scope=Scope(user_id="tom"), within=ANA).report.examined_count == 0
    assert consolidate(engine, within=session).report.examined_count == 1


def test_what_was_superseded_deleted_or_expired_is_no_part_of_it(engine):
    old, new, deleted, *_ = add(engine, *map(fact, WAYS[:3]))
    add(engine, fact("The user has 4 cats", supersedes=(old,)))
    engine.delete("t", deleted)
    assert consolidate(engine).report.merged_count == 0
    assert facts(engine) == sorted([WAYS[1], "The user has 4 cats"])
    assert engine.get("t", new).valid_to_micros is None


def test_what_is_restored_stays_restored(engine):
    first, second = add(engine, fact(WAYS[0]), fact(WAYS[1]))
    consolidate(engine)
    restored = engine.restore("t", second).memory
    assert (restored.superseded_by, restored.valid_to_micros) == (None, None)
    assert consolidate(engine).report.merged_count == 0
    assert facts(engine) == sorted(WAYS[:2])
    # Also when it takes further sources.
    engine.add("t", ANA, [fact(WAYS[1], source_ids=messages(engine, 1))])
    assert consolidate(engine).report.merged_count == 0
    assert engine.get("t", first).valid_to_micros is None
    assert engine.check() == []


def test_retention_takes_what_was_merged_after_its_grace(engine):
    first, second = add(engine, fact(WAYS[0]), fact(WAYS[1]))
    consolidate(engine)
    engine.retention.set_policy("t", RetentionPolicy(policy_id="p", superseded_grace_micros=0, archive_period_micros=0))
    run = engine.retention.find_run("t", engine.retention.run("t").run.run_id, wait_seconds=30)
    assert (run.state, run.report.removed_count) == (OperationState.DONE, 1)
    assert engine.get("t", first).source_ids == (second,)
    with pytest.raises(MnemicError) as refused:
        engine.history("t", second)
    assert refused.value.reason is Reason.MEMORY_NOT_FOUND


def test_the_latest_expiry_counts(engine):
    soon, later = (2_000_000_000_000_000 + days * DAY for days in (1, 2))
    first, _ = add(engine, fact(WAYS[0], expire_time_micros=soon), fact(WAYS[1], expire_time_micros=later))
    consolidate(engine)
    assert engine.get("t", first).expire_time_micros == later
    add(engine, fact(WAYS[2]))
    consolidate(engine)
    assert engine.get("t", first).expire_time_micros is None


@pytest.mark.parametrize("seed", range(4))
def test_what_stays_does_not_depend_on_order_or_on_the_size_of_batches(settings, monkeypatch, tmp_path, seed):
    """Facts with the times from which they hold, in any order of writing and of passes, leave the same texts, and no
    source is lost."""
    choose = random.Random(seed)
    told = [
        (f"{way} and {number} dogs" if way.endswith("cats") else f"{way}", MAY + choose.randrange(9) * DAY, number)
        for number, way in itertools.product(range(3), WAYS)
    ]
    # What happened then holds from then; the end of a range tells the facts of different numbers apart.
    left = []
    for turn, at_once in enumerate((2, 100)):
        monkeypatch.setattr(consolidating, "_MERGED_AT_ONCE", at_once)
        choose.shuffle(told)
        changed = settings.model_copy(update={"data_directory": tmp_path / f"{turn}"})
        with Engine.open(changed, pull_missing_model=True) as engine:
            sources = dict.fromkeys(messages(engine, len(told)))
            for (body, moment, number), source in zip(told, sources, strict=True):
                timed = {"event_time_micros": MAY + number, "source_ids": (source,)}
                add(engine, fact(body, importance=(moment - MAY) / (9 * DAY), **timed))
                if choose.random() < 0.3:
                    consolidate(engine)
            consolidate(engine)
            memories = engine.list_memories("t", ListRequest(scope=ANA, page_size=1000)).memories
            kept = [memory for memory in memories if memory.kind is MemoryKind.FACT]
            left.append(sorted(memory.body for memory in kept))
            assert {source for memory in kept for source in memory.source_ids} >= sources.keys()
            assert engine.check() == []
    assert left[0] == left[1]


def test_a_thousand_repetitions_are_one(engine):
    sources = messages(engine, 150)
    bodies = [f"The user has three cats{'.' * (number + 1)}" for number in range(150)]
    add(engine, *(fact(body, source_ids=(source,)) for body, source in zip(bodies, sources, strict=True)))
    result = consolidate(engine)
    assert (result.report.kept_count, result.report.merged_count) == (1, 149)
    (kept,) = facts(engine)
    assert kept == bodies[0]
    memories = engine.list_memories("t", ListRequest(scope=ANA, page_size=1000)).memories
    (memory,) = [memory for memory in memories if memory.kind is MemoryKind.FACT]
    assert set(memory.source_ids) >= set(sources)
    assert engine.check() == []


def test_a_fact_that_is_changed_meanwhile_is_left(engine, monkeypatch):
    first, second, third = add(engine, *map(fact, WAYS[:3]))
    planned = consolidating._Run._commit

    def change_first(self, merges, versions):
        changes = MemoryUpdate(body="The user has no cats", fields=frozenset({"body"}))
        engine.update("t", second, changes)
        planned(self, merges, versions)

    monkeypatch.setattr(consolidating._Run, "_commit", change_first)
    report = consolidate(engine).report
    assert (report.merged_count, report.changed_count) == (1, 1)
    assert facts(engine) == sorted([WAYS[0], "The user has no cats"])
    assert engine.get("t", third).superseded_by == first


def test_beside_writers_nothing_is_lost(engine):
    sources = messages(engine, 120)
    stop = threading.Event()
    failures: list[Exception] = []

    def merge_all_the_time():
        try:
            while not stop.is_set():
                consolidate(engine)
        except Exception as error:  # noqa: BLE001 (shown below)
            failures.append(error)

    merger = threading.Thread(target=merge_all_the_time)
    merger.start()
    for number, source in enumerate(sources):
        add(engine, fact(f"{WAYS[number % 4]} or {number // 4} dogs", source_ids=(source,)))
    stop.set()
    merger.join()
    consolidate(engine)
    assert failures == []
    memories = engine.list_memories("t", ListRequest(scope=ANA, page_size=1000)).memories
    kept = [memory for memory in memories if memory.kind is MemoryKind.FACT]
    assert {source for memory in kept for source in memory.source_ids} >= set(sources)
    assert engine.check() == []


def test_a_repeated_request_gives_the_first_answer(engine):
    add(engine, *map(fact, WAYS))
    request_id = str(uuid.uuid4())
    done = consolidate(engine, request_id=request_id)
    again = consolidate(engine, request_id=request_id)
    assert (again.replayed, again.report.merged_count, again.revision) == (True, 3, done.revision)
    with pytest.raises(MnemicError) as refused:
        consolidate(engine, scope=ANA, request_id=request_id)
    assert refused.value.reason is Reason.REQUEST_ID_REUSED


def test_it_ends_with_the_deadline_and_goes_on_when_asked_again(engine):
    add(engine, *map(fact, WAYS))
    with pytest.raises(MnemicError) as late:
        consolidate(engine, deadline=Deadline.after(0.0))
    assert late.value.reason is Reason.DEADLINE_EXCEEDED
    assert consolidate(engine).report.merged_count == 3


@pytest.mark.parametrize("options", [{"sample_size": 101}, {"request_id": "no UUID"}])
def test_what_makes_no_sense_is_refused(engine, options):
    with pytest.raises(MnemicError) as refused:
        consolidate(engine, **options)
    assert refused.value.reason is Reason.INVALID_FIELD


def erase(engine, memory_id):
    return engine.erasure.erase("t", ErasureRequest(target=ErasureTarget(memory_id=memory_id), reason="asked"))


def test_erasing_a_source_that_came_later_keeps_the_fact_with_the_others(engine):
    one, two = messages(engine, 2)
    first, second = add(
        engine,
        fact(WAYS[0], source_ids=(one,), categories=("pets",)),
        fact(WAYS[1], source_ids=(two,), categories=("animals",)),
    )
    consolidate(engine)
    erase(engine, two)
    kept = engine.get("t", first)
    assert (kept.source_ids, kept.categories) == ((one,), ("pets",))
    with pytest.raises(MnemicError):
        engine.get("t", second)
    assert engine.check() == []


def test_what_was_merged_holds_again_when_the_words_that_stayed_are_erased(engine):
    """Who erases one of two messages that say the same still has what the other one says."""
    one, two = messages(engine, 2)
    first, second = add(engine, fact(WAYS[0], source_ids=(one,)), fact(WAYS[1], source_ids=(two,)))
    consolidate(engine)
    erase(engine, one)
    assert facts(engine) == [WAYS[1]]
    again = engine.get("t", second)
    assert (again.valid_to_micros, again.superseded_by, again.source_ids) == (None, None, (two,))
    assert [entry.change for entry in engine.history("t", second)] == [ChangeKind.ADDED]
    with pytest.raises(MnemicError):
        engine.get("t", first)
    hits = engine.search("t", SearchRequest(scope=ANA, query="cats")).hits
    assert [hit.memory.memory_id for hit in hits if hit.memory.kind is MemoryKind.FACT] == [second]
    assert engine.stats("t").store.memories == 2
    # It is told apart from others as before, and can be merged again.
    assert engine.add("t", ANA, [fact(WAYS[1])]).memories[0].memory_id == second
    assert engine.check() == []


def test_it_does_not_hold_again_when_it_says_what_is_erased_or_was_deleted(engine):
    one, two = messages(engine, 2)
    first, second = add(engine, fact(WAYS[0], source_ids=(one,)), fact(WAYS[1], source_ids=(one, two)))
    consolidate(engine)
    erase(engine, one)
    assert facts(engine) == []
    with pytest.raises(MnemicError):
        engine.get("t", second)
    three = messages(engine, 1)
    first, second = add(engine, fact(WAYS[0], source_ids=three), fact(WAYS[1], source_ids=(two,)))
    consolidate(engine)
    engine.delete("t", first)
    erase(engine, three[0])
    assert facts(engine) == []
    assert engine.get("t", second).valid_to_micros is not None
    assert engine.check() == []


def test_erasing_the_fact_itself_brings_nothing_back(engine):
    first, second = add(engine, fact(WAYS[0]), fact(WAYS[1]))
    consolidate(engine)
    erase(engine, first)
    assert facts(engine) == []
    assert engine.get("t", second).superseded_by is None


def test_erasing_what_was_merged_takes_its_labels_along(engine):
    first, second = add(engine, fact(WAYS[0], categories=("pets",)), fact(WAYS[1], categories=("secret",)))
    consolidate(engine)
    erase(engine, second)
    kept = engine.get("t", first)
    assert (kept.source_ids, kept.categories) == ((), ("pets",))
    assert engine.check() == []
