"""Which facts of a message stay beside each other: none that it takes back itself, none that only names what is over."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mnemic.extraction.local.english.alternatives import any_of
from mnemic.extraction.local.english.person import folded
from mnemic.extraction.local.english.references import Heard
from mnemic.model.fact import ExtractedFact

_FEW_LETTERS = 2
_OF_MANY_NAMES = frozenset(
    "The New San Los Saint North South East West School College University Academy High Primary Gym Bank Street Road".split()
)


def is_denial(fact: ExtractedFact) -> bool:
    """Whether a fact only says that a value no longer holds."""
    return fact.slot_value.startswith("not ")


def settled(facts: list[ExtractedFact], candidates: Callable[[], Sequence[Heard]]) -> list[ExtractedFact]:
    """The facts of a message without those that it takes back itself, and those that only name what it replaces.

    Args:
        facts: In the order in which they are told.
        candidates: What was told before; asked only where it matters.
    """
    kept = _without_taken_back(facts)
    filled = {
        fact.slot: fact.slot_value
        for fact in kept
        if fact.slot and not is_denial(fact) and (fact.replaces or not fact.is_additive)
    }
    if not filled or all(fact.slot and not is_denial(fact) for fact in kept):
        return kept
    over = {value for fact in kept for value in fact.replaces}
    over |= {
        heard.slot.value
        for heard in candidates()
        if heard.name in filled and folded(heard.slot.value) != folded(filled[heard.name]) and not heard.slot.adds
    }
    words = {word for value in over for word in _telling_words(value)}
    words -= {word for value in filled.values() for word in _telling_words(value)}
    named = re.compile(rf"\b{any_of(words)}\b") if words else None
    return [
        fact
        for fact in kept
        if (fact.slot and not is_denial(fact))
        or (not (named and named.search(fact.body)) and not (is_denial(fact) and fact.slot in filled))
    ]


def _telling_words(value: str) -> set[str]:
    """The words of a value by which a text can be seen to name it."""
    capitals = {word for word in value.split() if word[:1].isupper() and len(word) > _FEW_LETTERS}
    return (capitals - _OF_MANY_NAMES) or {value}


def _without_taken_back(facts: list[ExtractedFact]) -> list[ExtractedFact]:
    """The facts of a message without those that it corrects itself."""
    corrected = {
        fact.slot: place
        for place, fact in enumerate(facts)
        if fact.is_correction and fact.slot and not fact.is_additive
    }
    replaced = {(fact.slot, value) for fact in facts for value in fact.replaces}
    alone = {
        (fact.slot, fact.slot_value): place for place, fact in enumerate(facts) if fact.slot and not fact.is_additive
    }
    return [
        fact
        for place, fact in enumerate(facts)
        if place >= corrected.get(fact.slot, 0)
        and (fact.slot, fact.slot_value) not in replaced
        and not (fact.is_additive and (fact.slot, fact.slot_value) in alone)
    ]
