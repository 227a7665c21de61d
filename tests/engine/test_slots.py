"""Slots: one value at a time, by when it held and not when it was heard; what ends says why and can come back."""

import pytest

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import ChangeKind, MemoryInput, MemoryKind
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest

ANNA = Scope(user_id="anna")
DAY = 86_400_000_000
JANUARY, FEBRUARY, MARCH, APRIL = (1_700_000_000_000_000 + 30 * DAY * month for month in range(4))


def fact(body, when=None, *, slot="anna.home", **more):
    more.setdefault("kind", MemoryKind.FACT)
    return MemoryInput(body=body, event_time_micros=when, slot=slot, **more)


def add(engine, *inputs, scope=ANNA, **more):
    return [added.memory_id for added in engine.add("t", scope, inputs, **more).memories]


def found(engine, *, scope=ANNA, **more):
    """What a search finds, which is what a listing shows."""
    request = {"scope": scope, "match": ScopeMatch.EXACT} | more
    hits = engine.search("t", SearchRequest(query="Anna lives", top_k=100, separate=True, **request)).hits
    listed = engine.list_memories("t", ListRequest(page_size=1000, **request)).memories
    assert sorted(hit.memory.body for hit in hits) == sorted(memory.body for memory in listed)
    assert engine.check() == []
    return sorted(memory.body for memory in listed)


def test_a_newer_value_supersedes_the_older(engine):
    (oslo,) = add(engine, fact("Anna lives in Oslo", JANUARY))
    (bergen,) = add(engine, fact("Anna lives in Bergen", MARCH))
    assert found(engine) == ["Anna lives in Bergen"]
    assert found(engine, as_of_micros=FEBRUARY) == ["Anna lives in Oslo"]
    assert found(engine, as_of_micros=MARCH) == ["Anna lives in Bergen"]
    assert found(engine, as_of_micros=JANUARY - 1) == []
    assert found(engine, include_superseded=True) == ["Anna lives in Bergen", "Anna lives in Oslo"]
    old = engine.get("t", oslo)
    assert (old.valid_from_micros, old.valid_to_micros, old.superseded_by) == (JANUARY, MARCH, bergen)


def test_the_history_says_why_and_by_whom(engine):
    (oslo,) = add(engine, fact("Anna lives in Oslo", JANUARY))
    (bergen,) = add(engine, fact("Anna lives in Bergen", MARCH))
    added, superseded = engine.history("t", oslo)
    assert (added.change, superseded.change) == (ChangeKind.ADDED, ChangeKind.SUPERSEDED)
    assert superseded.memory.superseded_by == bergen
    assert superseded.memory.valid_to_micros == MARCH
    assert superseded.revision == engine.get("t", bergen).revision
    assert "'anna.home'" in superseded.reason


def test_late_news_about_the_past_does_not_overturn_the_present(engine):
    (oslo,) = add(engine, fact("Anna lives in Oslo", JANUARY))
    (rome,) = add(engine, fact("Anna lives in Rome", MARCH))
    (bergen,) = add(engine, fact("Anna lives in Bergen", FEBRUARY))
    assert found(engine) == ["Anna lives in Rome"]
    assert found(engine, as_of_micros=FEBRUARY) == ["Anna lives in Bergen"]
    assert found(engine, as_of_micros=FEBRUARY - 1) == ["Anna lives in Oslo"]
    late = engine.get("t", bergen)
    assert (late.valid_from_micros, late.valid_to_micros, late.superseded_by) == (FEBRUARY, MARCH, rome)
    assert engine.get("t", oslo).superseded_by == bergen
    assert [entry.memory.valid_to_micros for entry in engine.history("t", oslo)[1:]] == [MARCH, FEBRUARY]
    assert "late news" in engine.history("t", bergen)[1].reason


def test_the_index_holds_a_moved_end_whether_it_saw_the_change_or_loads_it(engine):
    add(engine, fact("Anna lives in Oslo", JANUARY))
    add(engine, fact("Anna lives in Rome", MARCH))
    assert found(engine, as_of_micros=FEBRUARY + 1) == ["Anna lives in Oslo"]
    add(engine, fact("Anna lives in Bergen", FEBRUARY))
    assert found(engine, as_of_micros=FEBRUARY + 1) == ["Anna lives in Bergen"]
    engine.drop_index()
    assert found(engine, as_of_micros=FEBRUARY + 1) == ["Anna lives in Bergen"]


def test_of_two_values_from_the_same_moment_the_later_arrival_holds(engine):
    add(engine, fact("Anna lives in Oslo", JANUARY))
    add(engine, fact("Anna lives in Bergen", JANUARY))
    assert found(engine) == found(engine, as_of_micros=JANUARY) == ["Anna lives in Bergen"]


def test_values_about_the_future_come_in_the_order_in_which_they_are_said(engine):
    """The day that a deadline names is not the day from which it is the deadline."""
    add(engine, fact("Anna lives by the deadline of July", 4_000_000_000_000_000, slot="deadline"))
    add(engine, fact("Anna lives by the deadline of June", 3_990_000_000_000_000, slot="deadline"))
    assert found(engine) == ["Anna lives by the deadline of June"]


def test_one_add_may_bring_a_whole_chain_in_any_order(engine):
    inputs = [fact(f"Anna lives in {place}", when) for place, when in
              (("Rome", MARCH), ("Oslo", JANUARY), ("Riga", APRIL), ("Bergen", FEBRUARY))]  # fmt: skip
    add(engine, *inputs)
    assert found(engine) == ["Anna lives in Riga"]
    states = [found(engine, as_of_micros=moment) for moment in (JANUARY, FEBRUARY, MARCH, APRIL)]
    assert states == [[f"Anna lives in {place}"] for place in ("Oslo", "Bergen", "Rome", "Riga")]


def test_a_slot_is_that_of_one_scope(engine):
    add(engine, fact("Anna lives in Oslo", JANUARY))
    session = Scope(user_id="anna", session_id="s")
    add(engine, fact("Anna lives in a hotel", MARCH), scope=session)
    engine.add("other", ANNA, [fact("Anna lives in Rome", MARCH)])
    add(engine, fact("Anna lives on tofu", MARCH, slot="anna.diet"))
    assert found(engine) == ["Anna lives in Oslo", "Anna lives in a hotel", "Anna lives on tofu"]


def test_what_is_named_is_superseded_whatever_its_slot(engine):
    (said,) = add(engine, MemoryInput(body="Anna lives for football", event_time_micros=JANUARY))
    (now,) = add(engine, fact("Anna lives for chess", FEBRUARY, slot="", supersedes=(said,)))
    assert found(engine) == ["Anna lives for chess"]
    assert found(engine, as_of_micros=JANUARY) == ["Anna lives for football"]
    superseded = engine.history("t", said)[-1]
    assert (superseded.change, superseded.memory.superseded_by) == (ChangeKind.SUPERSEDED, now)
    add(engine, fact("Anna lives for go", MARCH, slot="", supersedes=(said,)))
    assert engine.get("t", said).valid_to_micros == FEBRUARY


@pytest.mark.parametrize("theirs", [Scope(user_id="ben"), Scope(agent_id="a")])
def test_nobody_supersedes_what_is_not_theirs(engine, theirs):
    (foreign,) = add(engine, fact("Ben lives in Oslo"), scope=theirs)
    for tenant, memory_id in (("t", foreign), ("other", foreign), ("t", "0189d0a1-7c2b-7def-8123-456789abcdef")):
        with pytest.raises(MnemicError) as refused:
            engine.add(tenant, ANNA, [fact("Anna lives in Rome", supersedes=(memory_id,))])
        assert refused.value.reason is Reason.MEMORY_NOT_FOUND
    assert found(engine) == []


def test_a_session_supersedes_what_it_sees_of_its_user(engine):
    (oslo,) = add(engine, fact("Anna lives in Oslo", slot=""))
    add(engine, fact("Anna lives in Rome", slot="", supersedes=(oslo,)), scope=Scope(user_id="anna", session_id="s"))
    assert found(engine) == ["Anna lives in Rome"]


def test_an_update_may_put_a_memory_into_a_slot(engine):
    (oslo,) = add(engine, fact("Anna lives in Oslo", JANUARY))
    (rome,) = add(engine, MemoryInput(body="Anna lives in Rome"))
    changes = MemoryUpdate(fields=frozenset({"slot", "slot_value"}), slot="anna.home", slot_value="Rome")
    updated = engine.update("t", rome, changes).memory
    assert (updated.slot, updated.slot_value, updated.version) == ("anna.home", "Rome", 2)
    assert found(engine) == ["Anna lives in Rome"]
    assert engine.get("t", oslo).superseded_by == rome


def test_an_update_that_only_says_it_better_stands_where_it_stood(engine):
    (oslo,) = add(engine, fact("Anna lives in Oslo", JANUARY))
    add(engine, fact("Anna lives in Rome", FEBRUARY))
    engine.restore("t", oslo)
    engine.update("t", oslo, MemoryUpdate(fields=frozenset({"body"}), body="Anna lives in Oslo, Norway"))
    assert found(engine) == ["Anna lives in Oslo, Norway", "Anna lives in Rome"]


def test_what_is_superseded_is_not_updated(engine):
    (oslo,) = add(engine, fact("Anna lives in Oslo", JANUARY))
    (rome,) = add(engine, fact("Anna lives in Rome", FEBRUARY))
    with pytest.raises(MnemicError) as refused:
        engine.update("t", oslo, MemoryUpdate(fields=frozenset({"body"}), body="Anna lives in Oslo still"))
    assert (refused.value.reason, refused.value.metadata["superseded_by"]) == (Reason.VERSION_CONFLICT, rome)


def test_a_wrong_retirement_is_undone_as_if_it_had_not_been(engine):
    (rex,) = add(engine, fact("Anna lives with Rex", JANUARY, slot="anna.pet"))
    add(engine, fact("Anna lives with Mia", FEBRUARY, slot="anna.pet"))
    restored = engine.restore("t", rex)
    assert (restored.memory.version, restored.memory.superseded_by) == (2, None)
    assert restored.memory.valid_from_micros == FEBRUARY
    assert found(engine) == found(engine, as_of_micros=MARCH) == ["Anna lives with Mia", "Anna lives with Rex"]
    kinds = [entry.change for entry in engine.history("t", rex)]
    assert kinds == [ChangeKind.ADDED, ChangeKind.SUPERSEDED, ChangeKind.RESTORED]
    add(engine, fact("Anna lives without pets", MARCH, slot="anna.pet"))
    assert found(engine) == ["Anna lives without pets"]


def test_a_deletion_is_undone(engine):
    (oslo,) = add(engine, fact("Anna lives in Oslo", JANUARY, metadata={"k": 1}))
    vector = engine.get("t", oslo, with_vector=True).vector
    engine.delete("t", oslo)
    assert found(engine) == []
    restored = engine.restore("t", oslo, request_id=(request_id := "0189d0a1-7c2b-7def-8123-456789abcdef"))
    assert found(engine) == found(engine, as_of_micros=FEBRUARY) == ["Anna lives in Oslo"]
    assert engine.get("t", oslo, with_vector=True).vector == vector
    assert (restored.memory.metadata, restored.memory.version) == ({"k": 1}, 2)
    again = engine.restore("t", oslo, request_id=request_id)
    assert again.replayed
    assert (again.revision, again.memory) == (restored.revision, restored.memory)


def test_what_holds_or_is_foreign_cannot_be_restored(engine):
    (oslo,) = add(engine, fact("Anna lives in Oslo"))
    with pytest.raises(MnemicError, match="nothing to restore"):
        engine.restore("t", oslo)
    engine.delete("t", oslo)
    for tenant, within, scope in (("other", Scope(), None), ("t", Scope(user_id="ben"), None),
                                  ("t", Scope(), Scope(user_id="ben"))):  # fmt: skip
        with pytest.raises(MnemicError) as refused:
            engine.restore(tenant, oslo, within=within, scope=scope)
        assert refused.value.reason is Reason.MEMORY_NOT_FOUND


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"slot_value": "x", "slot": ""}, "slot_value"),
        ({"slot": " home"}, "slot"),
        ({"slot": "x" * 257}, "slot"),
        ({"slot_value": "x" * 1025}, "slot_value"),
        ({"supersedes": ("x",)}, "supersedes[0]"),
        ({"supersedes": ("0189d0a1-7c2b-7def-8123-456789abcdef",) * 257}, "supersedes"),
    ],
)
def test_what_a_slot_can_be(engine, wrong, field):
    with pytest.raises(MnemicError) as refused:
        add(engine, fact("Anna lives", **wrong))
    assert refused.value.violations[0].field == f"memories[0].{field}"
