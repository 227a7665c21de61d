"""What a message changes, corrects or adds in words that no frame reads."""

import pytest
from extraction_support import request

from mnemic.extraction.local.english.likeness import Likeness, likeness
from mnemic.extraction.local.extractor import LocalExtractor
from mnemic.model.deadline import NO_DEADLINE


def facts(*bodies):
    return LocalExtractor().extract(request(*bodies), NO_DEADLINE).facts


def told_last(*bodies):
    """What the last message tells, by slot: the value and those that it replaces."""
    source = f"m{len(bodies)}"
    return {fact.slot: (fact.slot_value, fact.replaces) for fact in facts(*bodies) if source in fact.source_ids}


@pytest.mark.parametrize(
    ("before", "message", "slot", "value"),
    [
        ("My dentist is Dr Patel.", "Dr Patel retired so I see Dr Novak now.", "ana.dentist", "Novak"),
        ("I play the trombone.", "I've given up the trombone for the tuba.", "ana.plays", "tuba"),
        ("I use Spotify for music.", "I cancelled Spotify and switched to Tidal.", "ana.habit.use", "Tidal"),
        ("My laptop is a ThinkPad.", "Work replaced my ThinkPad with a MacBook.", "ana.laptop", "MacBook"),
    ],
)
def test_a_value_that_is_over_gives_way_to_one_like_it(before, message, slot, value):
    assert told_last(before, message)[slot][0] == value


@pytest.mark.parametrize(
    ("before", "message", "slot", "value"),
    [
        (
            "My flight is on 12 May.",
            "Just checked the booking and it's actually 14 May.",
            "ana.appointment.flight",
            "14 May",
        ),
        ("My manager is called Kirsty.", "Kirstie, with an ie.", "ana.manager", "Kirstie"),
        ("My doctor is Dr Lindqvist.", "I said Lindqvist, it's Lundqvist.", "ana.doctor", "Lundqvist"),
        ("I'm a radiographer.", "Hmm, autocorrect: radiologist.", "ana.job", "radiologist"),
        ("My postcode is BS6 5QA.", "Whoops, typo, BS6 5QR.", "ana.postcode", "BS6 5QR"),
    ],
)
def test_what_was_told_wrong_is_corrected_by_what_is_like_it(before, message, slot, value):
    corrections = {fact.slot: fact.slot_value for fact in facts(before, message) if fact.is_correction}
    assert corrections == {slot: value}


@pytest.mark.parametrize(
    "message",
    [
        "I might switch from Spotify to Tidal one day.",
        "I'm thinking of leaving Spotify for Tidal.",
        "Should I cancel Spotify and get Tidal?",
        "My sister cancelled nothing, she likes Tidal as well.",
    ],
)
def test_what_has_not_come_about_replaces_nothing(message):
    assert not any(fact.replaces or fact.is_correction for fact in facts("I use Spotify for music.", message))


def test_who_moves_away_is_still_the_sister():
    told = facts("My sister Ruth lives in Norwich.", "Ruth moved to Inverness, would you believe it.")
    assert [fact.slot_value for fact in told if fact.slot == "ana.sister"] == ["Ruth"]
    assert [fact.slot_value for fact in told if fact.slot == "ana.ruth.home"] == ["Norwich", "Inverness"]


def test_what_is_done_as_a_rule_stands_beside_other_such_things_until_it_is_told_with_now():
    assert told_last("I swim at the Kingsway pool.", "I swim at the Marina.")["ana.habit.swim_at"] == ("Marina", ())
    assert told_last("I swim at the Kingsway pool.", "I swim at the Marina now.")["ana.habit.swim_at"] == (
        "Marina",
        ("Kingsway pool",),
    )


def test_a_newcomer_may_be_named_in_the_next_sentence():
    told = told_last("I talked my way into a goldfish. His name is Captain.")
    assert told["ana.pet"][0] == "goldfish Captain"


def test_a_sentence_without_a_clause_is_kept_in_its_words():
    (fact,) = facts("Been with Octopus for the electricity since spring.")
    assert "Octopus" in fact.body
    assert fact.body.startswith("Ana: ")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Joanne", "Joanna", Likeness.SPELLING),
        ("iPhone 13", "iPhone 14", Likeness.SPELLING),
        ("vegan", "omnivore", Likeness.CLASS),
        ("early shift", "night shift", Likeness.CLASS),
        ("Leeds", "Porto", Likeness.SHAPE),
        ("Honda", "Portuguese", Likeness.NONE),
        ("12 May", "Porto", Likeness.NONE),
    ],
)
def test_values_are_alike_by_spelling_by_class_or_by_shape(one, other, expected):
    assert likeness(one, other) is likeness(other, one) is expected
