"""What refers to what was said before: corrections, changes, further values, and names given later."""

import pytest

from mnemic.extraction.local.english.verb_groups import Situation, read_verb_group
from mnemic.model.deadline import NO_DEADLINE
from mnemic.model.fact import KnownFact
from tests.extraction.extraction_support import request


def slots(found):
    return [(fact.slot, fact.slot_value) for fact in found if fact.slot]


def last(found):
    return [fact for fact in found if fact.slot][-1]


@pytest.mark.parametrize(
    ("before", "after", "slot", "value"),
    [
        ("I live in Kyoto.", "No, I meant Dublin, I live in Dublin.", "home", "Dublin"),
        ("I work at Globex.", "Correction: I work at Acme.", "employer", "Acme"),
        ("My favourite colour is red.", "Sorry, my favourite colour is blue, I misspoke.", "favourite_colour", "blue"),
        ("I'm 46, so be gentle.", "Make that 47, I've stopped counting.", "age", "47"),
        ("My partner's name is Stefan.", "Bloody autocorrect. It's Stellan, with two Ls.", "partner", "Stellan"),
        ("I go to Wichita State.", "Edit: Emporia State.", "school", "Emporia State"),
        ("I live at number 48, Elm Street.", "It's number 84 I live at, not 48.", "address", "number 84, Elm Street"),
        ("I work at Delphi, in accounts.", "I said Delphi but I meant Delfino, sorry.", "employer", "Delfino"),
        ("I drive a Mazda.", "Actually it's a Kia.", "vehicle", "Kia"),
        ("My favourite flower is the peony.", "I checked and it's actually the dahlia.", "favourite_flower", "dahlia"),
    ],
)  # fmt: skip
def test_what_takes_back_a_value_corrects_it(facts, before, after, slot, value):
    corrected = last(facts(before, after))
    assert (corrected.slot, corrected.slot_value, corrected.is_correction) == (f"ana.{slot}", value, True)


@pytest.mark.parametrize(
    ("before", "after", "value", "replaced"),
    [
        ("I'm learning Norwegian.", "Argh, my bad, Swedish! I'm learning Swedish.", "Swedish", ("Norwegian",)),
        ("I do kendo on Thursdays.", "*aikido", "aikido", ("kendo",)),
        ("Our cat's called Mimi.", "Not Mimi, Fifi!", "cat Fifi", ("cat Mimi",)),
    ],
)
def test_of_several_values_a_correction_replaces_one(facts, before, after, value, replaced):
    corrected = [fact for fact in facts(before, after) if fact.replaces][-1]
    assert (corrected.slot_value, corrected.replaces, corrected.is_correction) == (value, replaced, True)
    assert corrected.is_additive, "the others stay"


def test_a_mood_is_no_correction(facts):
    found = facts("Our neighbour is called Marianne.", "I got the name wrong, she's called Marietta. Mortifying.")
    assert slots(found) == [("ana.neighbour", "Marianne"), ("ana.neighbour", "Marietta")]


@pytest.mark.parametrize(
    ("before", "after", "slot", "value"),
    [
        ("I work at Halden Logistics.", "I'm at Brightwell Foods now.", "employer", "Brightwell Foods"),
        ("I go to Boise State.", "I go to Gonzaga now.", "school", "Gonzaga"),
        ("I live in Leeds.", "I've swapped Leeds for Whitby.", "home", "Whitby"),
        ("My boyfriend is called Callum.", "It's Idris now.", "partner", "Idris"),
    ],
)
def test_a_change_may_leave_the_attribute_to_what_was_said(facts, before, after, slot, value):
    changed = last(facts(before, after))
    assert (changed.slot, changed.slot_value, changed.is_correction) == (f"ana.{slot}", value, False)


def test_there_is_but_one_where_it_is_said(facts):
    changed = last(facts("I'm learning Portuguese.", "The only language I'm learning now is Korean."))
    assert (changed.slot_value, changed.replaces, changed.is_additive) == ("Korean", ("Portuguese",), False)


@pytest.mark.parametrize(
    ("text", "slot", "value"),
    [
        ("I also work at Cobb's Bakery now, Sundays only.", "employer", "Cobb's Bakery"),
        ("I've picked up a second job as a barista.", "job", "barista"),
        ("Another favourite band of mine is Tin Orchard.", "favourite_band", "Tin Orchard"),
        ("I've started seeing Dr Renshaw too, for my back.", "doctor", "Renshaw"),
    ],
)
def test_a_further_value_supersedes_nothing(facts, text, slot, value):
    further = last(facts(text))
    assert (further.slot, further.slot_value, further.is_additive) == (f"ana.{slot}", value, True)


def test_a_name_may_come_later(facts):
    found = facts("I got a puppy!", "Her name's Coco.")
    assert slots(found) == [("ana.pet", "puppy"), ("ana.pet", "puppy Coco")]
    assert found[-1].replaces == ("puppy",)


def test_what_is_known_can_be_referred_to_in_another_session(local):
    known = KnownFact(memory_id="f1", body="Ana lives in Lisbon.", slot="ana.home", slot_value="Lisbon")
    (fact,) = local.extract(request("Sorry, Porto, not Lisbon.", known=(known,)), NO_DEADLINE).facts
    assert (fact.slot, fact.slot_value, fact.body) == ("ana.home", "Porto", "Ana lives in Porto.")


def test_those_around_the_speaker_are_told_of_by_name(facts):
    assert slots(facts("My sister Ruth lives in Norwich.", "Ruth's upped sticks and moved to Inverness.")) == [
        ("ana.ruth.home", "Norwich"),
        ("ana.sister", "Ruth"),
        ("ana.ruth.home", "Inverness"),
    ]
    assert slots(facts("Mom's favorite flower is the dahlia.")) == [("ana.mother.favourite_flower", "dahlia")]
    assert slots(facts("Sounds like a plan!")) == []


def test_what_replaces_a_value_is_not_told_again_as_a_statement(facts):
    found = facts(
        "I work for Quillon Bank.", "So I left Quillon last Friday and this morning I started at Ferris Capital."
    )
    assert [fact.slot_value for fact in found] == ["Quillon Bank", "Ferris Capital"]


@pytest.mark.parametrize(
    "text",
    [
        "Back in 2019 I lived in Oslo.",
        "I used to work for Kessler Motors.",
        "My first car was a Volvo.",
        "In 2020 I was leading the Zephyr project.",
        "When I was little we had a labrador called Rusty.",
        "I'm moving to Oslo next year.",
        "My plumber's off to live in New Zealand.",
        "My boss's wife works for Kodak, or so he says.",
        "Would you ever move to Oslo, if money didn't matter?",
    ],
)
def test_what_was_will_be_or_is_somebody_elses_fills_no_slot(facts, text):
    assert slots(facts(text)) == []


@pytest.mark.parametrize(
    ("predicate", "lemma", "rest", "situation"),
    [
        ("have just been living in Rome", "live", "in Rome", Situation.HOLDS),
        ("lived in Rome", "live", "in Rome", Situation.HELD),
        ("used to live in Rome", "live", "in Rome", Situation.HELD),
        ("moved to Rome", "move", "to Rome", Situation.HOLDS),
        ("am moving to Rome", "move", "to Rome", Situation.COMES),
        ("will move to Rome", "move", "to Rome", Situation.COMES),
        ("ended up moving to Rome", "move", "to Rome", Situation.HOLDS),
        ("started working at Acme", "work", "at Acme", Situation.HOLDS),
        ("stopped working at Acme", "work", "at Acme", Situation.ENDED),
        ("no longer work at Acme", "work", "at Acme", Situation.ENDED),
        ("do not work at Acme anymore", "work", "at Acme", Situation.ENDED),
        ("was born in Rome", "be", "born in Rome", Situation.HELD),
    ],
)
def test_a_verb_tells_whether_it_holds(predicate, lemma, rest, situation):
    group = read_verb_group(predicate)
    assert (group.lemma, group.rest, group.situation) == (lemma, rest, situation)
