"""What is taken of an LLM's answer: facts that their sources support, mapped to their messages."""

from datetime import UTC, datetime

import pytest

from mnemic.model.deadline import NO_DEADLINE
from mnemic.model.fact import KnownFact
from mnemic.model.memory import MemoryKind, Role, TimePrecision, to_micros
from tests.extraction.chat_services import completion, fact, facts
from tests.extraction.extraction_support import message, request


@pytest.fixture
def answered(service, llm):
    """What becomes of facts that a model gives for messages."""

    def extract(messages, *items, settings=None, **parts):
        service.answers = [facts(*items)]
        return llm(**(settings or {})).extract(request(*messages, **parts), NO_DEADLINE)

    return extract


def moment(*parts):
    return to_micros(datetime(*parts, tzinfo=UTC))


def test_a_fact_is_taken_with_all_that_it_says(answered):
    told = fact(
        "Ana moved to Porto in April 2023.",
        sources=[2],
        time="2023-04",
        slot="Ana.Home",
        value="Porto",
        corrects=True,
        entities=["Ana", "Porto", "Rex"],
        categories=["Personal"],
        confidence=0.8,
    )
    (taken,) = answered(["Hi!", "We moved to Porto last month."], told).facts
    assert taken.body == "Ana moved to Porto in April 2023."
    assert taken.source_ids == ("m2",)
    assert taken.name == "Ana"
    assert (taken.slot, taken.slot_value) == ("ana.home", "Porto")
    assert (taken.event_time_micros, taken.event_time_end_micros) == (moment(2023, 4, 1), moment(2023, 5, 1))
    assert taken.event_time_precision is TimePrecision.MONTH
    assert (taken.is_correction, taken.is_additive) == (True, False)
    assert taken.entities == ("Ana", "Porto")
    assert (taken.categories, taken.confidence) == (("personal",), 0.8)


def test_an_instruction_is_one(answered):
    (taken,) = answered(
        ["Keep it short please."], fact("The user wants short answers.", kind="instruction"), name=""
    ).facts
    assert taken.kind is MemoryKind.INSTRUCTION


@pytest.mark.parametrize(
    ("text", "parts", "reason"),
    [
        ("Ana lives in Madrid.", {}, "unsupported_name"),
        ("Ana lives in Lisbon with Tom.", {}, "unsupported_name"),
        ("Ana lives in Lisbon.", {"slot": "ana.home", "value": "Madrid"}, "unsupported_name"),
        ("Ana has 3 dogs in Lisbon.", {}, "unsupported_number"),
        ("Ana lives in Lisbon for 1,200 euros.", {}, "unsupported_number"),
        ("Ana moved to Lisbon on 3 March 2019.", {}, "unsupported_date"),
        ("Ana moved to Lisbon.", {"time": "2019-03-03"}, "unsupported_date"),
        ("Ana is a cat.", {}, "unsupported_words"),
        ("Melanie adopted a cat named Milo.", {}, "unsupported_name"),
        ("Ana lives in Lisbon.", {"sources": [7]}, "unknown_source"),
        ("Ana lives in Lisbon.", {"sources": []}, "unknown_source"),
        ("Ana lives in Lisbon.", {"confidence": 0.1}, "low_confidence"),
        ("…", {}, "empty"),
        ("Ana lives in Lisbon. " * 60, {}, "too_long"),
    ],
)
def test_what_the_sources_do_not_say_is_dropped_and_counted(answered, text, parts, reason):
    result = answered(["I live in Lisbon, since last year, with 2 dogs."], fact(text, **parts))
    assert result.facts == ()
    assert result.dropped == {reason: 1}


@pytest.mark.parametrize(
    ("said", "text", "parts"),
    [
        ("I have two dogs.", "Ana has 2 dogs.", {}),
        ("I have 2 dogs.", "Ana has two dogs.", {}),
        ("The flat costs 1,200 euros.", "Ana's flat costs 1200 euros.", {}),
        ("It costs 30k a year.", "Ana's course costs 30,000 a year.", {}),
        ("I went there yesterday.", "Ana went to the place on 7 May 2023.", {"time": "2023-05-07"}),
        ("I went there two weeks ago.", "Ana went to the place two weeks before 8 May 2023.", {"time": "2023-04-24"}),
        ("I just signed the lease.", "Ana signed the lease.", {"time": "2023-05-08"}),
        ("I met Dr. Müller's team", "Ana met the team of Dr. Müller.", {"entities": ["Dr. Müller"]}),
        (
            "Ich war gestern mit Rex und im Park.",
            "Ana war am 7. Mai 2023 mit Rex im Park.",
            {"time": "2023-05-07"},
        ),
        ("Je suis allée à Lyon hier.", "Ana est allée à Lyon le 7 mai 2023.", {"time": "2023-05-07"}),
        ("昨天我去了北京", "Ana 昨天去了北京", {}),
    ],
)
def test_what_they_say_in_other_words_is_kept(answered, said, text, parts):
    result = answered([said], fact(text, **parts))
    assert result.dropped == {}
    assert [taken.body for taken in result.facts] == [text]


def test_names_for_pronouns_come_from_what_the_model_was_shown(answered):
    context = (message("My sister Emma is a nurse.", number=0),)
    told = fact("Emma moved to Porto.", entities=["Emma"])
    assert len(answered(["She moved to Porto."], told, context=context).facts) == 1
    known = (KnownFact(memory_id="k", body="Ana's sister is called Emma."),)
    assert len(answered(["She moved to Porto."], told, known=known).facts) == 1
    assert answered(["She moved to Porto."], told).dropped == {"unsupported_name": 1}


def test_a_number_may_come_from_the_question_before(answered):
    context = (message("Is your flat on the 5th floor?", number=0, name="Mel"),)
    assert (
        len(answered(["Yes, my flat is up there."], fact("Ana's flat is on the 5th floor."), context=context).facts)
        == 1
    )


def test_whose_words_they_are_is_not_the_model_s_to_say(answered):
    context = (message("Hi Ana!", number=0, name="Mel"),)
    (taken,) = answered(["I live in Lisbon."], fact("Ana lives in Lisbon.", speaker="Mel"), context=context).facts
    assert taken.name == "Ana"


def test_what_is_known_already_is_dropped(answered):
    known = (KnownFact(memory_id="k", body="Ana lives in Lisbon"),)
    assert answered(["I live in Lisbon."], fact("Ana lives in Lisbon."), known=known).dropped == {"duplicate": 1}


def test_excluded_topics_are_dropped_although_the_model_was_told(answered):
    told = fact("Ana has diabetes.", categories=["health"])
    assert answered(["I have diabetes."], told, exclude_topics=("health",)).dropped == {"topic": 1}


def test_only_listed_categories_are_kept(answered):
    told = fact("Ana has diabetes.", categories=["HEALTH", "misc"])
    (taken,) = answered(["I have diabetes."], told, categories=("Health", "Work")).facts
    assert taken.categories == ("Health",)


@pytest.mark.parametrize(
    ("written", "begins", "ends", "precision"),
    [
        ("2023-05-07", moment(2023, 5, 7), moment(2023, 5, 8), TimePrecision.DAY),
        ("2023-05-07T15:30", moment(2023, 5, 7, 15, 30), moment(2023, 5, 7, 15, 31), TimePrecision.INSTANT),
        ("2023-05-05/2023-05-07", moment(2023, 5, 5), moment(2023, 5, 8), TimePrecision.APPROXIMATE),
        ("2023", moment(2023, 1, 1), moment(2024, 1, 1), TimePrecision.YEAR),
        ("2023-05-01/2023-05-07", moment(2023, 5, 1), moment(2023, 5, 8), TimePrecision.WEEK),
        ("last week", None, None, TimePrecision.UNSPECIFIED),
        ("2023-13-45", None, None, TimePrecision.UNSPECIFIED),
        ("9999-12-31", None, None, TimePrecision.UNSPECIFIED),
    ],
)
def test_times_keep_their_vagueness(answered, written, begins, ends, precision):
    (taken,) = answered(["I went to the dentist yesterday."], fact("Ana went to the dentist.", time=written)).facts
    assert (taken.event_time_micros, taken.event_time_end_micros) == (begins, ends)
    assert taken.event_time_precision is precision


def test_days_are_those_of_the_zone(answered):
    told = fact("Ana went to the dentist.", time="2023-05-07")
    (taken,) = answered(["I went to the dentist yesterday."], told, utc_offset_minutes=120).facts
    assert taken.event_time_micros == moment(2023, 5, 6, 22)


@pytest.mark.parametrize(
    "content",
    [
        '[{"text": "Ana lives in Lisbon.", "sources": [1]}]',
        '{"memory": [{"text": "Ana lives in Lisbon.", "sources": ["[1]"]}]}',
        "{'facts': [{'text': 'Ana lives in Lisbon.', 'sources': 1,},]}",
        '<think>{"facts": "hm"}</think> Here: {"facts": [{"text": "Ana lives in Lisbon.", "source": 1}]} Done.',
        '{"facts": [{"text": "Ana lives in Lisbon.", "sources": [1], "confidence": "high", "entities": null}]}',
        '{"text": "Ana lives in Lisbon.", "sources": [1]}',
    ],
)
def test_answers_near_the_shape_are_understood(service, llm, content):
    service.answers = [completion(content)]
    (taken,) = llm().extract(request("I live in Lisbon."), NO_DEADLINE).facts
    assert (taken.body, taken.source_ids) == ("Ana lives in Lisbon.", ("m1",))


def test_what_has_no_shape_at_all_is_counted(service, llm):
    service.answers = [completion('{"facts": ["Ana lives in Lisbon.", 7, null]}')]
    assert llm().extract(request("I live in Lisbon."), NO_DEADLINE).dropped == {"malformed": 3}


def test_what_an_assistant_did_may_be_a_fact(answered):
    told = fact("The assistant recommended the hotel Aurora to the user.", entities=["Aurora"])
    assert len(answered(["I recommend the hotel Aurora."], told, name="", role=Role.ASSISTANT).facts) == 1
