"""What a fragment is about: the slot, told before, whose value its value can replace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mnemic.extraction.local.english.clause_grammar import of_kin
from mnemic.extraction.local.english.discourse import Fragment, Relation
from mnemic.extraction.local.english.lexicon.things import classes_of
from mnemic.extraction.local.english.likeness import Likeness, likeness
from mnemic.extraction.local.english.person import Person, folded
from mnemic.extraction.local.english.slots import SlotReading
from mnemic.extraction.local.english.values import KIN
from mnemic.model.fact import KnownFact

_DATE = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b|\d[-/]\d",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"^(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty"
    r"|thirty|forty|fifty|sixty|seventy|\d+)(?:-\w+)?$",
    re.IGNORECASE,
)
HAS_SEVERAL = frozenset(
    "pet hobby speaks learning plays allergy intolerance health not_eaten education degree volunteering collects grows coaches teaches brews breeds restores".split()
)
"""Attributes of which people have several: one that corrects another stands beside the rest."""
# What is told by no frame: see `loose_slots` and `mentions`.
_BESIDE_EACH_OTHER = ("habit.", "mention.")
_KIN = re.compile(KIN, re.IGNORECASE)
_TITLE = re.compile(r"^(?:dr|doctor|mr|mrs|ms|prof)\.? ", re.IGNORECASE)
# Whose names "she is called Mia" may tell.
_NAMED = frozenset(("pet", "partner", "name", "surname", "nickname"))


@dataclass(frozen=True, slots=True)
class Heard:
    """A slot that somebody filled.

    Attributes:
        person: Whose it is.
        slot: What was told.
        sources: The messages that told it; empty of what was known before the conversation.
    """

    person: Person
    slot: SlotReading
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        """The slot's whole name."""
        return f"{self.person.key}.{self.slot.attribute}"


def of_known(facts: Iterable[KnownFact], speaker: Person) -> list[Heard]:
    """What is known of the speaker and theirs, as if it had been heard."""
    found = []
    for fact in facts:
        if not fact.slot.startswith(f"{speaker.key}.") or not fact.slot_value or fact.slot_value.startswith("not "):
            continue
        attribute = fact.slot.removeprefix(f"{speaker.key}.")
        escaped = fact.body.replace("{", "{{").replace("}", "}}")
        told = _tail(fact.slot_value)
        template = (
            escaped.replace(told, "{value}", 1) if told and told in escaped else f"{{s}}'s {attribute} is {{value}}."
        )
        kin = _KIN.fullmatch(attribute.replace("_", " "))
        adds = (
            attribute.startswith(_BESIDE_EACH_OTHER)
            or attribute in HAS_SEVERAL
            or (kin is not None and of_kin(kin["kin"])[1])
        )
        reading = SlotReading(attribute, fact.slot_value, template, "", adds=adds)
        found.append(Heard(speaker, reading, ()))
    return found


def resolve(fragment: Fragment, candidates: Sequence[Heard]) -> Heard | None:
    """The slot that a fragment is about: the one that had the wrong value, or the nearest whose values look alike.

    Args:
        fragment: What was said.
        candidates: The nearest first.
    """
    alike: Heard | None = None
    for heard in candidates:
        if heard.slot.is_denial or heard.slot.attribute.startswith("taste."):
            continue
        if fragment.wrong:
            if _names(heard.slot.value, fragment.wrong):
                return heard
        elif fragment.relation is Relation.NAMES:
            if heard.slot.attribute == "pet" or heard.slot.attribute in _NAMED or is_kin(heard):
                return heard
        elif not fragment.noun or fragment.noun in heard.slot.value or fragment.noun == "one":
            if alike is None and is_alike(heard.slot.value, fragment.value):
                alike = heard
            if _part_of(heard.slot, fragment.value)[1] >= Likeness.CLASS:
                # The nearest of a class is surer than the nearest of a shape.
                return heard
    return alike


def is_named(slot: SlotReading) -> bool:
    """Whether the value of a slot of somebody's animal or kin has a name, which then needs none."""
    return any(word[:1].isupper() for word in slot.value.split())


def answered(fragment: Fragment, heard: Heard) -> SlotReading:
    """The slot with the fragment's value in the place of the one that was told."""
    slot = heard.slot
    value = _TITLE.sub("", fragment.value)
    old = _tail(slot.value)
    if slot.attribute == "pet":
        name = _name_of(slot.value)
        animal = slot.value.removesuffix(name).strip() or slot.value
        if "animal" in classes_of(value) and name and not value[:1].isupper():
            # "Kiwi is a terrapin, sorry": the animal was wrong, and not its name.
            return replace(slot, value=f"{value} {name}", template="{s} has a {value}.", adds=True, is_timeless=True)
        return replace(slot, value=f"{animal} {value}", template="{s} has a {value}.", adds=True, is_timeless=True)
    if fragment.wrong and folded(fragment.wrong) != folded(slot.value) and _contains(slot.value, fragment.wrong):
        # "number 84, not 48" of "48 Alder Street".
        value = re.sub(
            rf"(?<!\w){re.escape(_TITLE.sub('', fragment.wrong))}(?!\w)", value, slot.value, flags=re.IGNORECASE
        )
    template = slot.template if "{value}" in slot.template or not old else slot.template.replace(old, "{value}")
    return replace(slot, value=value, template=template, is_timeless=True)


def without_title(value: str) -> str:
    """A name without "Dr" or another title in front."""
    return _TITLE.sub("", value)


def _part_of(slot: SlotReading, value: str) -> tuple[str, Likeness]:
    """The part of a slot's value that a value is like, and how like: of "dog Rex" the name or the animal."""
    animal = slot.value.removesuffix(_name_of(slot.value)).strip()
    parts = [_name_of(slot.value), animal or slot.value] if slot.attribute == "pet" else [_tail(slot.value)]
    return max(((part, likeness(part, value)) for part in parts), key=lambda one: one[1])


def likeness_to(slot: SlotReading, value: str) -> Likeness:
    """How like a value is to that of a slot."""
    return _part_of(slot, value)[1]


def _name_of(value: str) -> str:
    """The name at the end of what an animal is: `Duke` of `maine coon Duke`; the value where it has none."""
    words = value.split()
    first = next((place for place, word in enumerate(words) if word[:1].isupper()), 0)
    return " ".join(words[first:])


def _tail(value: str) -> str:
    """The name at the end of a value such as `dog Rex`, or the whole value."""
    head, _, rest = value.partition(" ")
    return rest if rest[:1].isupper() and head.islower() else value


def is_kin(heard: Heard) -> bool:
    """Whether a slot names one of somebody's people."""
    return _KIN.fullmatch(heard.slot.attribute.replace("_", " ")) is not None


def _contains(value: str, part: str) -> bool:
    return f"_{folded(_TITLE.sub('', part))}_" in f"_{folded(value)}_"


def _names(value: str, wrong: str) -> bool:
    return _contains(value, wrong) or folded(value.split(",", maxsplit=1)[0]) == folded(wrong)


def is_alike(one: str, other: str) -> bool:
    """Whether two values may be of the same slot: both names, both numbers, or both plain words."""
    return _shape(one) == _shape(other)


def _shape(value: str) -> str:
    value = _tail(_TITLE.sub("", value.strip()))
    if "@" in value:
        return "address"
    if _NUMBER.match(value):
        return "number"
    if _DATE.search(value):
        return "date"
    if value[:1].isupper():
        return "name"
    return "digits" if any(character.isdigit() for character in value) else "word"
