"""Events, habits and plans beyond the slots: in the third person, dated, and understandable alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemic.extraction.local.english.person import Person, in_third_person, written_out
from mnemic.extraction.local.extractor import LocalExtractor
from mnemic.extraction.local.language import Passage
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.fact import ExtractedFact, ExtractionRequest
from mnemic.model.memory import Role, TimePrecision
from tests.extraction.extraction_support import SAID_AT, day, message, request

ANA = Person("Ana", "ana")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I'm learning Greek", "Ana is learning Greek"),
        ("I've finished my thesis", "Ana has finished Ana's thesis"),
        ("I always walk to work", "Ana always walks to work"),
        ("I don't watch television", "Ana does not watch television"),
        ("I try hard", "Ana tries hard"),
        ("I went home and slept", "Ana went home and slept"),
        ("I live in Rome and work at Acme", "Ana lives in Rome and works at Acme"),
        ("I like to hike and swim", "Ana likes to hike and swim"),
        ("My wife and I live in Rome", "Ana's wife and Ana live in Rome"),
        ("we were tired", "Ana and others were tired"),
        ("he gave me my keys", "He gave Ana Ana's keys"),
        ("I need it", "Ana needs it"),
        ("I put it there", "Ana put it there"),
        ("I can swim", "Ana can swim"),
        ("I wouldn't go", "Ana would not go"),
        ("I'd been there", "Ana had been there"),
    ],
)
def test_the_first_person_becomes_a_named_one(said, told):
    assert in_third_person(written_out(said), ANA) == told


@given(st.text(max_size=200))
def test_nothing_that_people_write_is_too_odd(text):
    told = in_third_person(written_out(text), ANA)
    assert " I " not in f" {told} "
    LocalExtractor().extract(request(text), NO_DEADLINE)


@pytest.mark.parametrize(
    ("said", "told", "begins", "precision"),
    [
        (
            "I went to a support group yesterday.",
            "Ana went to a support group on 7 May 2023.",
            "2023-05-07",
            TimePrecision.DAY,
        ),
        (
            "I ran a charity race last Saturday.",
            "Ana ran a charity race on 6 May 2023.",
            "2023-05-06",
            TimePrecision.DAY,
        ),
        (
            "I visited Rome in early May.",
            "Ana visited Rome in early May (as of 8 May 2023).",
            "2023-05-01",
            TimePrecision.APPROXIMATE,
        ),
        (
            "We're going camping next month.",
            "Ana and others are going camping in June 2023.",
            "2023-06-01",
            TimePrecision.MONTH,
        ),
        ("My mom passed away last year.", "Ana's mom passed away in 2022.", "2022-01-01", TimePrecision.YEAR),
        ("I met Tom in Rome on Friday.", "Ana met Tom in Rome on 5 May 2023.", "2023-05-05", TimePrecision.DAY),
        (
            "I'm flying to Oslo on Friday.",
            "Ana is flying to Oslo on 12 May 2023.",
            "2023-05-12",
            TimePrecision.DAY,
        ),
        (
            "I met Tom in Rome on 3 March 2021.",
            "Ana met Tom in Rome on 3 March 2021.",
            "2021-03-03",
            TimePrecision.DAY,
        ),
    ],
)
def test_times_are_counted_from_when_it_was_said(facts, said, told, begins, precision):
    (fact,) = facts(said)
    assert (fact.body, day(fact), fact.event_time_precision) == (told, begins, precision)


@pytest.mark.parametrize(
    ("said", "told", "begins"),
    [
        ("I moved in with Tom on the 3rd of May.", "Ana moved in with Tom on 3 May 2023.", "2023-05-03"),
        ("I start at Globex on Monday.", "Ana starts at Globex on 15 May 2023.", "2023-05-15"),
        ("I was in Rome last week.", "Ana was in Rome in the week of 1 May 2023.", "2023-05-01"),
        ("The day before yesterday I crashed my bike.", "On 6 May 2023 Ana crashed Ana's bike.", "2023-05-06"),
    ],
)
def test_dates_are_told_in_good_english(facts, said, told, begins):
    (fact,) = facts(said)
    assert (fact.body, day(fact)) == (told, begins)


def test_what_has_lasted_began_so_long_ago_and_goes_on(facts):
    (fact,) = facts("I've been vegan for three years.")
    assert fact.body == "Ana has been vegan for three years (as of 8 May 2023)."
    assert (day(fact), fact.event_time_end_micros) == ("2020-01-01", None)
    (over,) = facts("I studied in Rome for three years.")
    assert over.event_time_micros is None


def test_a_time_in_another_zone_is_that_zones_day(facts):
    late = SAID_AT + 10 * 3_600_000_000  # 23:56 UTC
    assert day(facts("I ran a charity race today.", said_at=late)[0]) == "2023-05-08"
    (fact,) = facts("I ran a charity race today.", said_at=late, utc_offset_minutes=120)
    assert fact.body == "Ana ran a charity race on 9 May 2023."


def test_an_event_time_of_the_caller_goes_before_the_time_of_storing(local):
    said = message("I went to Rome yesterday.")
    from dataclasses import replace

    old = replace(said, event_time_micros=None, create_time_micros=SAID_AT - 86_400_000_000)
    (fact,) = local.extract(ExtractionRequest(messages=(old,)), NO_DEADLINE).facts
    assert day(fact) == "2023-05-06"


def test_since_begins_and_does_not_end(facts):
    (fact,) = facts("I have been painting landscapes since 2016.")
    assert (day(fact), fact.event_time_end_micros) == ("2016-01-01", None)


@pytest.mark.parametrize(
    "text",
    [
        "Hey Mel! Good to see you!",
        "That's so cool!",
        "Wow, love that painting!",
        "I agree.",
        "I'm so happy for you!",
        "It was great.",
        "They loved it there.",
        "I saw him there.",
        "Can't wait!",
        "Thanks, your support means a lot to me.",
        "I hope it goes well.",
        "I know what you mean.",
        "Take care!",
        "And my marketing skills to make connections.",
        "lol",
        "👍👍",
        "",
    ],
)
def test_small_talk_gives_nothing(facts, text):
    assert facts(text) == []


def test_openings_and_names_of_those_spoken_to_are_left_out(facts):
    (fact,) = facts(
        "Oh yeah, Mel, guess what, I ran a marathon in Porto last Sunday!",
        context=(message("Hi!", number=0, name="Mel"),),
    )
    assert fact.body == "Ana ran a marathon in Porto on 7 May 2023."


def test_an_omitted_subject_is_the_speaker(facts):
    (fact,) = facts("Just got back from a trip to Rome.")
    assert fact.body == "Ana just got back from a trip to Rome."


@pytest.mark.parametrize("role", [Role.ASSISTANT, Role.SYSTEM, Role.TOOL])
def test_only_users_are_read(facts, role):
    assert facts("I live in Rome.", role=role) == []


@pytest.mark.parametrize(
    "text",
    [
        "Ich wohne in Berlin und arbeite bei Siemens.",
        "J'habite à Paris et je travaille chez Renault.",
        "Vivo en Madrid con mi perro Rex.",
        "我住在北京",
        "Я живу в Москве",
    ],
)
def test_other_languages_are_left_alone(facts, text):
    assert facts(text) == []


def test_another_language_can_be_given():
    class Shouting:
        code = "x-shout"

        def is_written_in(self, body):
            return body.isupper()

        def read(self, passage: Passage):
            return [ExtractedFact(body=passage.message.body.lower(), source_ids=(passage.message.memory_id,))]

    extractor = LocalExtractor([Shouting()])
    assert extractor.identity == "local:x-shout:2"
    result = extractor.extract(request("HELLO", "hello"), NO_DEADLINE)
    assert [fact.body for fact in result.facts] == ["hello"]


def test_a_fact_said_twice_has_both_sources(local):
    result = local.extract(
        request("I live in Rome.", "As I said before, my dog is sick.", "I live in Rome!"), NO_DEADLINE
    )
    assert [fact.source_ids for fact in result.facts if fact.slot == "ana.home"] == [("m1", "m3")]
    assert result.dropped == {"duplicate": 1}


def test_topics_decide_what_is_kept(local):
    bodies = ("I live in Rome. I'm allergic to peanuts. I love hiking.",)
    kept = local.extract(request(*bodies, include_topics=("health", "hiking")), NO_DEADLINE)
    assert [fact.slot for fact in kept.facts] == ["ana.allergy", "ana.taste.hiking"]
    assert kept.dropped == {"topic": 1}
    left = local.extract(request(*bodies, exclude_topics=("health",)), NO_DEADLINE)
    assert [fact.slot for fact in left.facts] == ["ana.home", "ana.taste.hiking"]


def test_categories_are_those_that_are_asked_for(local):
    (fact,) = local.extract(request("I'm allergic to peanuts."), NO_DEADLINE).facts
    assert fact.categories == ("health",)
    (asked,) = local.extract(request("I'm allergic to peanuts.", categories=("Health", "Work")), NO_DEADLINE).facts
    assert asked.categories == ("Health",)
    (none,) = local.extract(request("I'm allergic to peanuts.", categories=("Work",)), NO_DEADLINE).facts
    assert none.categories == ()


def test_no_facts_are_drawn_from_the_context(local):
    only_context = request("Nice!", context=(message("I live in Rome.", number=0),))
    assert local.extract(only_context, NO_DEADLINE).facts == ()


def test_a_correction_reaches_back_into_the_context(local):
    asked = request("No, I meant Porto.", context=(message("I live in Lisbon.", number=0),))
    (fact,) = local.extract(asked, NO_DEADLINE).facts
    assert (fact.slot, fact.slot_value) == ("ana.home", "Porto")


def test_the_deadline_is_kept(local):
    with pytest.raises(MnemicError) as error:
        local.extract(request("I live in Rome."), Deadline(time.monotonic() - 1))
    assert error.value.reason is Reason.DEADLINE_EXCEEDED


def test_the_same_answer_every_time(local):
    asked = request("I live in Rome and my sister Emma works at Acme. I went to Oslo last week.")
    assert local.extract(asked, NO_DEADLINE) == local.extract(asked, NO_DEADLINE)


def test_what_is_told_before_it_is_asked_is_kept(facts):
    (fact,) = facts("I adopted a puppy from the shelter last week, can you tell me what it may eat?")
    assert fact.body == "Ana adopted a puppy from the shelter in the week of 1 May 2023."
    assert facts("I wonder, can I live in Rome?") == []
