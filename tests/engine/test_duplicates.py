"""Facts that say the same are one: at once, from many threads, and with all of their sources."""

import threading

import pytest

from mnemic.model.errors import Reason
from mnemic.model.memory import ChangeKind, MemoryInput, MemoryKind
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.scope import Scope

ANNA = Scope(user_id="anna")
DAY = 86_400_000_000
MAY = 1_683_000_000_000_000


def fact(body, **more):
    return MemoryInput(body=body, kind=MemoryKind.FACT, **more)


def add(engine, *inputs, scope=ANNA, **more):
    return engine.add("t", scope, inputs, **more).memories


def messages(engine, count):
    return [item.memory_id for item in add(engine, *(MemoryInput(body=f"said {number}") for number in range(count)))]


def facts(engine, scope=ANNA):
    page = engine.list_memories("t", ListRequest(scope=scope, page_size=1000))
    return [memory for memory in page.memories if memory.kind is MemoryKind.FACT]


def test_the_same_fact_again_says_nothing_new(engine):
    (first,) = add(engine, fact("Anna likes  tea"))
    before = engine.revision()
    (second,) = add(engine, fact("anna LIKES tea"))
    assert (second.memory_id, second.version, second.duplicate) == (first.memory_id, 1, True)
    assert not first.duplicate
    assert [memory.body for memory in facts(engine)] == ["Anna likes  tea"]
    assert engine.revision() == before + 1
    assert len(engine.history("t", first.memory_id)) == 1
    assert engine.check() == []


def test_its_sources_are_all_kept(engine):
    one, two, three = messages(engine, 3)
    (first,) = add(engine, fact("Anna likes tea", source_ids=(one, two), categories=("drinks",)))
    (second,) = add(engine, fact("Anna likes tea", source_ids=(two, three), categories=("taste",)))
    assert (second.memory_id, second.version, second.duplicate) == (first.memory_id, 2, True)
    memory = engine.get("t", first.memory_id, with_vector=True)
    assert memory.source_ids == (one, two, three)
    assert memory.categories == ("drinks", "taste")
    assert memory.vector is not None
    added, merged = engine.history("t", first.memory_id)
    assert (added.change, merged.change) == (ChangeKind.ADDED, ChangeKind.MERGED)
    assert (added.memory.source_ids, bool(merged.reason)) == ((one, two), True)
    assert engine.check() == []


def test_within_one_add_the_same_fact_is_one(engine):
    one, two = messages(engine, 2)
    first, second = add(engine, fact("Anna likes tea", source_ids=(one,)), fact("Anna likes tea", source_ids=(two,)))
    assert (first.memory_id, first.duplicate) == (second.memory_id, False)
    assert second.duplicate
    assert [memory.source_ids for memory in facts(engine)] == [(one, two)]
    assert len(engine.history("t", first.memory_id)) == 1


def test_what_is_told_apart(engine):
    """Another scope, another day, another slot, and every turn of a conversation."""
    add(engine, fact("Anna ran", event_time_micros=MAY))
    add(engine, fact("Anna ran", event_time_micros=MAY + DAY))
    add(engine, fact("Anna ran", slot="anna.sport"))
    assert [item.duplicate for item in add(engine, fact("Anna ran"), scope=Scope(user_id="anna", session_id="s"))] == [
        False
    ]
    assert len(facts(engine)) == 3
    assert [item.duplicate for item in add(engine, MemoryInput(body="yes"), MemoryInput(body="yes"))] == [False, False]


def test_a_fact_that_ended_can_come_again(engine):
    for body in ("Anna lives in Oslo", "Anna lives in Rome", "Anna lives in Oslo"):
        assert not add(engine, fact(body, slot="anna.home"))[0].duplicate
    assert [memory.body for memory in facts(engine)] == ["Anna lives in Oslo"]
    assert engine.check() == []


def test_that_a_value_held_before_another_one_is_news(engine):
    add(engine, fact("Anna lives in Rome", slot="anna.home", event_time_micros=MAY))
    add(engine, fact("Anna lives in Oslo", slot="anna.home", event_time_micros=MAY + 2 * DAY))
    (early,) = add(engine, fact("Anna lives in Oslo", slot="anna.home", event_time_micros=MAY - DAY))
    assert not early.duplicate
    page = engine.list_memories("t", ListRequest(scope=ANNA, as_of_micros=MAY - 1))
    assert [memory.body for memory in page.memories] == ["Anna lives in Oslo"]


def test_a_caller_may_make_two_memories_say_the_same(engine):
    (tea,) = add(engine, fact("Anna likes tea"))
    (coffee,) = add(engine, fact("Anna likes coffee"))
    engine.update("t", coffee.memory_id, MemoryUpdate(fields=frozenset({"body"}), body="Anna likes tea"))
    assert len(facts(engine)) == 2
    assert add(engine, fact("Anna likes tea"))[0].memory_id == tea.memory_id
    engine.delete("t", tea.memory_id)
    (new,) = add(engine, fact("Anna likes tea"))
    engine.restore("t", tea.memory_id)
    assert engine.check() == []
    assert add(engine, fact("Anna likes tea"))[0].memory_id == new.memory_id


def test_64_threads_add_the_same_facts_once_and_lose_none(engine):
    sources = messages(engine, 64)
    errors = []
    begin = threading.Barrier(64)

    def work(worker):
        try:
            begin.wait()
            for number in range(10):
                add(engine, fact(f"Anna knows thing {(number + worker) % 10}", source_ids=(sources[worker],)))
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    kept = facts(engine)
    assert sorted(memory.body for memory in kept) == [f"Anna knows thing {number}" for number in range(10)]
    assert all(sorted(memory.source_ids) == sorted(sources) for memory in kept)
    assert engine.check() == []


def test_an_import_that_is_repeated_changes_nothing(engine):
    batch = [fact(f"Anna knows thing {number}", event_time_micros=MAY + number) for number in range(50)]
    first = add(engine, *batch)
    assert [item.memory_id for item in add(engine, *batch)] == [item.memory_id for item in first]
    assert len(facts(engine)) == 50


@pytest.mark.parametrize("shape", ["same", "other"])
def test_a_replayed_add_tells_what_the_first_one_told(engine, shape):
    add(engine, fact("Anna likes tea"))
    request_id = "0189d0a1-7c2b-7def-8123-456789abcdef"
    inputs = [fact("Anna likes tea"), fact("Anna likes coffee")]
    first = engine.add("t", ANNA, inputs, request_id=request_id)
    assert [item.duplicate for item in first.memories] == [True, False]
    if shape == "same":
        again = engine.add("t", ANNA, inputs, request_id=request_id)
        assert (again.memories, again.revision, again.replayed) == (first.memories, first.revision, True)
    else:
        with pytest.raises(Exception, match=Reason.REQUEST_ID_REUSED):
            engine.add("t", ANNA, inputs[:1], request_id=request_id)


def test_what_is_said_again_lives_on_as_it_is_said_now(engine):
    """Else a fact that had expired would swallow what repeats it."""
    soon, later = (4_000_000_000_000_000 + days * DAY for days in (1, 2))
    (first,) = add(engine, fact("Anna likes tea", expire_time_micros=soon))
    add(engine, fact("Anna likes tea", expire_time_micros=later))
    assert engine.get("t", first.memory_id).expire_time_micros == later
    (again,) = add(engine, fact("Anna likes tea"))
    assert (again.memory_id, again.duplicate) == (first.memory_id, True)
    assert engine.get("t", first.memory_id).expire_time_micros is None
