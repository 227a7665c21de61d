"""How good the facts of the LOCAL rules are, on LoCoMo's dialogues against its own annotations.

`python -m bench.ingest.quality_of_local --locomo locomo10.json [--show 40]`. Nothing is stored: the extractor alone
is asked, session by session, with the messages as their speakers wrote them. docs/benchmarks-ingest.md explains the
method.

LoCoMo lists for each session and speaker *observations* with the turn that each rests on, and asks questions of the
kind "temporal" whose answers are dates, with their evidence turns.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.harness import console
from bench.quality.corpora import Turn
from bench.quality.locomo import turns_of
from mnemic import _core
from mnemic.extraction.local.extractor import LocalExtractor
from mnemic.model.deadline import NO_DEADLINE
from mnemic.model.fact import ExtractedFact, ExtractionRequest, SourceMessage
from mnemic.model.memory import Role, to_micros

# A fact and an observation tell the same if they share so much of the shorter one's terms, and at least two of them.
LEAST_OVERLAP = 0.4
LEAST_SHARED = 2
# An observation may name the turn before or after the one that says it.
TURNS_AROUND = 2
_TURN = re.compile(r"D(\d+):(\d+)")
_PRONOUN_SUBJECT = re.compile(r"^(?:it|this|that|they|he|she|i|we|you)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Observation:
    """One annotation: about whom, what, and on which turns it rests."""

    speaker: str
    terms: frozenset[str]
    turns: frozenset[tuple[int, int]]


@dataclass
class Tally:
    """What was counted over all conversations."""

    messages: int = 0
    seconds: float = 0.0
    facts: int = 0
    with_slot: int = 0
    annotated: int = 0
    at_annotated_turn: int = 0
    broken: int = 0
    attributed: int = 0
    matched: int = 0
    observations: int = 0
    observations_found: int = 0
    dated_questions: int = 0
    dated_facts: int = 0
    dates_right: int = 0
    dates_of_the_session_right: int = 0
    unmatched: list[str] = field(default_factory=list)
    matched_examples: list[str] = field(default_factory=list)
    wrong_dates: list[str] = field(default_factory=list)


def measure(path: Path) -> Tally:
    """Extracts from every session of the file and compares."""
    tally = Tally()
    extractor = LocalExtractor()
    for sample in json.loads(path.read_text(encoding="utf-8")):
        turns = list(turns_of(sample["conversation"]))
        facts = _extract(extractor, turns, tally)
        _compare(facts, list(_observations(sample)), tally)
        _compare_dates(facts, turns, sample["qa"], tally)
    return tally


def _extract(
    extractor: LocalExtractor, turns: Sequence[Turn], tally: Tally
) -> list[tuple[tuple[int, int], ExtractedFact]]:
    found = []
    for _session, group in groupby(turns, key=lambda turn: turn.session):
        messages = tuple(_message(turn) for turn in group)
        started = time.process_time()
        result = extractor.extract(ExtractionRequest(messages=messages), NO_DEADLINE)
        tally.seconds += time.process_time() - started
        tally.messages += len(messages)
        found += [(_place(fact.source_ids[-1]), fact) for fact in result.facts]
    return found


def _message(turn: Turn) -> SourceMessage:
    moment = to_micros(turn.spoken_at)
    # What a picture shows is not said by anybody.
    body = turn.body.partition(" [shares a picture:")[0]
    return SourceMessage(
        memory_id=turn.turn_id,
        role=Role.USER,
        name=turn.name,
        body=body,
        event_time_micros=moment,
        create_time_micros=moment,
    )


def _place(turn_id: str) -> tuple[int, int]:
    match = _TURN.fullmatch(turn_id)
    if match is None:
        raise ValueError(turn_id)
    return int(match[1]), int(match[2])


def _observations(sample: Mapping[str, Any]) -> Iterator[Observation]:
    names = {str(sample["conversation"][key]) for key in ("speaker_a", "speaker_b")}
    for lists in sample["observation"].values():
        for speaker, entries in lists.items():
            for text, evidence, *_rest in entries:
                turns = frozenset((int(a), int(b)) for a, b in _TURN.findall(json.dumps(evidence)))
                if turns:
                    yield Observation(speaker, _terms(text, names), turns)


def _terms(text: str, names: set[str]) -> frozenset[str]:
    """What a statement is about: its terms without the speakers, who are in every one, and without dates."""
    leave_out = {term for name in names for term in _core.tokenize(name)}
    return frozenset(term for term in _core.tokenize(text) if term not in leave_out and not term.isdigit())


def _alike(terms: frozenset[str], other: frozenset[str]) -> float:
    shared = len(terms & other)
    return (
        shared / min(len(terms), len(other)) if shared >= min(LEAST_SHARED, len(terms), len(other)) and shared else 0.0
    )


def _compare(
    facts: Sequence[tuple[tuple[int, int], ExtractedFact]], observations: list[Observation], tally: Tally
) -> None:
    names = {observation.speaker for observation in observations}
    found: set[int] = set()
    tally.observations += len(observations)
    for (session, turn), fact in facts:
        tally.facts += 1
        tally.with_slot += bool(fact.slot)
        tally.broken += bool(_PRONOUN_SUBJECT.match(fact.body))
        terms = _terms(fact.body, names)
        of_session = [
            (position, observation)
            for position, observation in enumerate(observations)
            if any(one == session for one, _ in observation.turns)
        ]
        near = [
            (position, observation)
            for position, observation in of_session
            if any(one == session and abs(other - turn) <= TURNS_AROUND for one, other in observation.turns)
        ]
        tally.at_annotated_turn += any((session, turn) in observation.turns for _, observation in near)
        best = max(((_alike(terms, observation.terms), -position) for position, observation in near), default=(0.0, 0))
        if best[0] < LEAST_OVERLAP:
            tally.unmatched.append(f"D{session}:{turn} {fact.body}")
            continue
        tally.matched += 1
        tally.matched_examples.append(f"D{session}:{turn} {fact.body}")
        found.add(-best[1])
        tally.attributed += observations[-best[1]].speaker == fact.name
    tally.observations_found += len(found)


def _compare_dates(
    facts: Sequence[tuple[tuple[int, int], ExtractedFact]],
    turns: Sequence[Turn],
    questions: Sequence[Mapping[str, Any]],
    tally: Tally,
) -> None:
    spoken = {_place(turn.turn_id): to_micros(turn.spoken_at) for turn in turns}
    for question in questions:
        evidence = [(int(a), int(b)) for a, b in _TURN.findall(json.dumps(question.get("evidence", [])))]
        if question["category"] != 2 or len(evidence) != 1 or evidence[0] not in spoken:
            continue
        said = spoken[evidence[0]]
        answers = _core.find_times(str(question["answer"]), reference_micros=said)
        if len(answers) != 1 or answers[0].start_micros is None or answers[0].end_micros is None:
            continue
        tally.dated_questions += 1
        asked = _terms(question["question"], {turn.name for turn in turns})
        about = [fact for place, fact in facts if place == evidence[0] and fact.event_time_micros is not None]
        if not about:
            continue
        fact = max(about, key=lambda fact: len(asked & _terms(fact.body, set())))
        tally.dated_facts += 1
        begin, end = answers[0].start_micros, answers[0].end_micros
        until = fact.event_time_end_micros
        right = fact.event_time_micros < end and (until is None or until > begin)
        tally.dates_right += right
        tally.dates_of_the_session_right += begin <= said < end
        if not right:
            told = datetime.fromtimestamp(fact.event_time_micros / 1e6, UTC).date()
            tally.wrong_dates.append(f"{question['question']} -> {question['answer']} | {told} {fact.body}")


def rows_of(tally: Tally) -> list[dict[str, Any]]:
    """The figures for the report of `bench.ingest`: each a number, and of how many it is a part."""
    facts, matched, dated = (tally.facts, "facts"), (tally.matched, "matched facts"), (tally.dated_facts, "dated facts")
    figures = (
        ("facts", tally.facts, (tally.messages, "messages")),
        ("facts with a slot", tally.with_slot, facts),
        ("facts that an annotation tells as well", tally.matched, facts),
        ("facts of a turn that an annotation rests on", tally.at_annotated_turn, facts),
        ("annotations that a fact tells", tally.observations_found, (tally.observations, "annotations")),
        ("facts without a subject of their own", tally.broken, facts),
        ("right attribution", tally.attributed, matched),
        ("dated facts", tally.dated_facts, (tally.dated_questions, "questions whose answer is a date")),
        ("right dates", tally.dates_right, dated),
        ("right dates, had the day of the message been taken", tally.dates_of_the_session_right, dated),
        ("messages per second of one core", round(tally.messages / tally.seconds), (1, "core")),
    )
    return [{"what": what, "value": value, "of": of, "unit": unit} for what, value, (of, unit) in figures]


def main() -> None:
    """Prints the figures and, if asked, examples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locomo", type=Path, required=True, help="LoCoMo's JSON file, or a part of its list")
    parser.add_argument("--show", type=int, default=0, help="print so many facts at random, with and without a match")
    arguments = parser.parse_args()
    tally = measure(arguments.locomo)
    for row in rows_of(tally):
        share = f"{row['value'] / row['of']:.3f} of {row['of']} {row['unit']}" if row["of"] > 1 else row["unit"]
        console.print(f"{row['what']:<55} {row['value']:>6}  {share}")
    chance = random.Random(7)
    for title, texts in (
        ("unmatched", tally.unmatched),
        ("matched", tally.matched_examples),
        ("wrong dates", tally.wrong_dates),
    ):
        for text in chance.sample(texts, min(arguments.show, len(texts))):
            console.print(f"[dim]{title}[/dim] {text}", highlight=False)


if __name__ == "__main__":
    main()
