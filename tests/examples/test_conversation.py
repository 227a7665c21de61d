"""The conversation that the demo and other tests build on is well formed, and its questions point at real turns."""

import json
import re
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

CONVERSATION = Path(__file__).parents[2] / "examples" / "conversation"
TURN_FIELDS = {"session_id", "event_time", "name", "role", "body"}
RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})")
KINDS = {"single", "update", "temporal", "identifier", "person", "multi"}


def read_lines(name):
    with (CONVERSATION / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def turns():
    return read_lines("conversation.jsonl")


@pytest.fixture(scope="module")
def questions():
    return read_lines("questions.jsonl")


@pytest.fixture(scope="module")
def turns_by_reference(turns):
    counts = Counter()
    references = {}
    for turn in turns:
        counts[turn["session_id"]] += 1
        references[f"{turn['session_id']}:{counts[turn['session_id']]}"] = turn
    return references


def test_every_turn_has_exactly_the_documented_fields_as_text(turns):
    for turn in turns:
        assert set(turn) == TURN_FIELDS
        assert all(isinstance(value, str) and value == value.strip() != "" for value in turn.values()), turn


def test_the_size_is_what_the_readme_promises(turns):
    readme = (CONVERSATION / "README.md").read_text(encoding="utf-8")
    sessions = {turn["session_id"] for turn in turns}
    assert 320 <= len(turns) <= 400
    assert 12 <= len(sessions) <= 14
    assert re.search(rf"{len(turns)} turns\s+in {len(sessions)} sessions", readme)


def test_two_people_speak_and_each_of_them_in_every_session(turns):
    assert {turn["role"] for turn in turns} == {"user"}
    speakers = {turn["name"] for turn in turns}
    assert len(speakers) == 2
    spoken = {(turn["session_id"], turn["name"]) for turn in turns}
    assert len(spoken) == 2 * len({turn["session_id"] for turn in turns})


def test_turns_have_a_natural_length(turns):
    for turn in turns:
        assert 5 <= len(turn["body"].split()) <= 60, turn


def test_no_two_turns_say_the_same(turns):
    said = Counter(" ".join(re.findall(r"\w+", turn["body"].casefold())) for turn in turns)
    assert [body for body, count in said.items() if count > 1] == []


def test_times_carry_an_offset_and_always_increase(turns):
    assert all(RFC_3339.fullmatch(turn["event_time"]) for turn in turns)
    times = [datetime.fromisoformat(turn["event_time"]) for turn in turns]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[-1] - times[0] > timedelta(days=240)


def test_offsets_are_those_of_central_europe(turns):
    # Summer time ended on 2025-10-26 and began on 2026-03-29, at 01:00 UTC.
    winter_begins = datetime.fromisoformat("2025-10-26T01:00:00Z")
    winter_ends = datetime.fromisoformat("2026-03-29T01:00:00Z")
    for turn in turns:
        time = datetime.fromisoformat(turn["event_time"])
        hours = 1 if winter_begins <= time < winter_ends else 2
        assert time.utcoffset() == timedelta(hours=hours), turn


def test_sessions_are_numbered_in_order_and_never_resumed(turns):
    order = list(dict.fromkeys(turn["session_id"] for turn in turns))
    assert order == [f"s{number:02d}" for number in range(1, len(order) + 1)]
    assert [turn["session_id"] for turn in turns] == sorted(turn["session_id"] for turn in turns)


def test_there_are_forty_different_questions_of_every_kind(questions):
    assert len(questions) == 40
    assert len({question["question"].casefold() for question in questions}) == 40
    assert {question["kind"] for question in questions} == KINDS
    for question in questions:
        assert set(question) - {"demo"} == {"question", "evidence", "kind"}
        assert question["question"].endswith("?")


def test_evidence_names_one_to_three_turns_that_exist(questions, turns_by_reference):
    for question in questions:
        assert 1 <= len(question["evidence"]) <= 3, question
        assert len(set(question["evidence"])) == len(question["evidence"]), question
        assert set(question["evidence"]) <= set(turns_by_reference), question
        if question["kind"] == "multi":
            assert len(question["evidence"]) > 1, question


def test_the_demo_asks_eight_questions_that_one_turn_answers(questions):
    demo = [question for question in questions if "demo" in question]
    assert len(demo) == 8
    assert all(question["demo"] is True and len(question["evidence"]) == 1 for question in demo)
    assert len({reference for question in demo for reference in question["evidence"]}) == 8
    assert len({question["kind"] for question in demo}) >= 4


@pytest.mark.parametrize(
    ("question_holds", "evidence_holds"),
    [
        ("booking reference", "R8KD2W"),
        ("fault code", "F.28"),
        ("wood oil", "3062"),
        ("removal van", "SV-20418"),
        ("keypad", "9036"),
        ("Maregrafo was bought", "Thalweg"),
        ("Aoife getting married", "27th of June"),
        ("Halina's hip", "on Thursday"),
        ("after the Skoda", "Berlingo"),
    ],
)
def test_evidence_holds_the_answer(questions, turns_by_reference, question_holds, evidence_holds):
    """A turn inserted later would shift the numbers, and the evidence would no longer hold the answer."""
    [question] = [each for each in questions if question_holds in each["question"]]
    assert any(evidence_holds in turns_by_reference[reference]["body"] for reference in question["evidence"])
