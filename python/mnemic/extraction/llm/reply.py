"""What the model answered, as candidates for facts: read leniently, taken strictly."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnemic.extraction.llm.near_json import read_near_json
from mnemic.extraction.reasons import Dropped

LONGEST_FACT = 1000
_LONGEST_SLOT = 100
_LONGEST_VALUE = 200
_MOST_LABELS = 8
_MOST_NAMES = 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """One fact as the model gave it; nothing of it is checked against the messages yet.

    Attributes:
        text: The sentence.
        sources: Numbers of messages.
        is_instruction: Whether it is to be followed.
        time: An ISO date, month, year, moment or range, or empty.
        slot: What it is about, or empty.
        value: The slot's value, or empty.
        adds: Whether the value is one more.
        corrects: Whether it takes back what was said.
        entities: Names.
        categories: Labels.
        confidence: 0 to 1.
    """

    text: str
    sources: tuple[int, ...]
    is_instruction: bool
    time: str
    slot: str
    value: str
    adds: bool
    corrects: bool
    entities: tuple[str, ...]
    categories: tuple[str, ...]
    confidence: float


def read_reply(text: str, dropped: Counter[str]) -> list[Candidate]:
    """The candidates of an answer.

    Args:
        text: What the model wrote.
        dropped: Counts what is no fact by its shape.

    Raises:
        NotJsonError: There is no JSON in it.
    """
    candidates = []
    for item in _items(read_near_json(text)):
        if not isinstance(item, Mapping):
            dropped[Dropped.MALFORMED] += 1
            continue
        candidate = _candidate(item)
        if not any(character.isalnum() for character in candidate.text):
            dropped[Dropped.EMPTY] += 1
        elif len(candidate.text) > LONGEST_FACT:
            dropped[Dropped.TOO_LONG] += 1
        else:
            candidates.append(candidate)
    return candidates


def _items(value: Any) -> list[Any]:  # noqa: ANN401 (any JSON value)
    """The list of facts: models that were not held to the schema also give it bare, or under another name."""
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping):
        if "text" in value:
            return [value]
        if "facts" in value:
            return value["facts"] if isinstance(value["facts"], list) else [value["facts"]]
        lists = [item for item in value.values() if isinstance(item, list)]
        return lists[0] if len(lists) == 1 else []
    return []


def _candidate(item: Mapping[str, Any]) -> Candidate:
    slot = re.sub(r"[^\w.]+", "_", _text(item.get("slot"))).strip("_.").casefold()[:_LONGEST_SLOT]
    value = _text(item.get("value"))[:_LONGEST_VALUE]
    # A slot without a value says nothing, and the other way round.
    slot, value = (slot, value) if slot and value else ("", "")
    return Candidate(
        text=_text(item.get("text")),
        sources=_numbers(item.get("sources", item.get("source"))),
        is_instruction=_text(item.get("kind")).casefold() == "instruction",
        time=_text(item.get("time")),
        slot=slot,
        value=value,
        adds=bool(slot) and item.get("adds") is True,
        corrects=item.get("corrects") is True,
        entities=_texts(item.get("entities"))[:_MOST_NAMES],
        categories=tuple(label.casefold() for label in _texts(item.get("categories"))[:_MOST_LABELS]),
        confidence=_confidence(item.get("confidence", 1.0)),
    )


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(text for item in items if (text := _text(item))))


def _numbers(value: object) -> tuple[int, ...]:
    items = value if isinstance(value, list) else [value]
    found = []
    for item in items:
        match = re.search(r"\d{1,9}", _text(item))
        if match is not None:
            found.append(int(match[0]))
    return tuple(dict.fromkeys(found))


def _confidence(value: object) -> float:
    try:
        number = float(_text(value))
    except ValueError:
        return 0.5
    return 0.5 if math.isnan(number) else min(1.0, max(0.0, number))
