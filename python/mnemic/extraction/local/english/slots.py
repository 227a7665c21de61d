"""The slots that a predicate fills or ends, read by the frames of its verb."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.clause_grammar import of_kin
from mnemic.extraction.local.english.frame import Frame, Groups
from mnemic.extraction.local.english.frames import FRAMES
from mnemic.extraction.local.english.person import folded
from mnemic.extraction.local.english.values import END, NAME, NOUN, ORGANISATION, PLACE, is_value
from mnemic.extraction.local.english.verb_groups import Situation, VerbGroup, read_verb_group

_DISLIKES = {"likes": "dislikes", "dislikes": "likes"}


@dataclass(frozen=True, slots=True)
class SlotReading:
    """A slot with its value, read from a clause.

    Attributes:
        attribute: The slot behind the person, such as `home`.
        value: Such as `Lisbon`.
        template: The statement with `{s}` for the person and `{value}` for the value: what a correction fills anew.
        category: The fact's label.
        adds: Whether it supersedes nothing.
        is_denial: Whether it says that a value no longer holds.
        is_timeless: Whether the times of its clause are not its own: a name that is told in passing.
        is_exclusive: Whether it says that there is no other value ("the only language").
    """

    attribute: str
    value: str
    template: str
    category: str
    adds: bool
    is_denial: bool = False
    is_timeless: bool = False
    is_exclusive: bool = False

    def told_of(self, label: str, value: str = "") -> str:
        """The statement about somebody."""
        return self.template.format(s=label, value=value or self.value)


_ANOTHER = re.compile(
    r"\b(?:another|an? (?:second|third|new second|separate|extra|additional)|as well|on top of|alongside|besides|in addition|on the side"
    r"|one of (?:my|our)|(?:my|our) other|too)\b(?! (?:many|much|hot|cold|far|long|late|expensive|busy|old|young|big|small|noisy|hard))",
    re.IGNORECASE,
)
_ONLY = re.compile(r"\b(?:only|instead|nothing else|full time from|from here on|exclusively|solely)\b", re.IGNORECASE)


_BESIDES = re.compile(
    r"\b(?:another|an? (?:second|third|separate|extra|additional)|(?:our|my) (?:second|other)|as well(?: as)?|on top of|alongside|besides|in addition|on the side|part-time|still (?:have|got|at|in|go|work|see|do)|(?:am|is|are) keeping|stays?\b)",
    re.IGNORECASE,
)


def tells_further(sentence: str) -> bool:
    """Whether a whole sentence tells of something beside what there was: "I've got a second job, I work as a barista"."""
    return bool(_BESIDES.search(sentence)) and not _ONLY.search(sentence)


def says_another(text: str) -> bool:
    """Whether a clause tells of a further value beside those that are known."""
    return bool(_ANOTHER.search(text)) or bool(_ALSO.search(text))


_ALSO = re.compile(r"\balso\b", re.IGNORECASE)


def says_only(text: str) -> bool:
    """Whether a clause tells of the one value that there is."""
    return bool(_ONLY.search(text))


def read_slots(predicate: str) -> list[SlotReading]:
    """The slots that a predicate fills, or those that it ends; at most one reading of each, by the first frame that matches.

    Args:
        predicate: Written out, in the first or the third person, without its subject.
    """
    group = read_verb_group(predicate)
    if group is None:
        return []
    ended = list(_endings(group))
    if ended:
        return ended
    found: dict[str, SlotReading] = {}
    for frame in FRAMES.get(group.lemma, ()):
        for reading in _read(frame, group):
            found.setdefault(reading.attribute, reading)
    readings = list(found.values())
    if says_another(predicate):
        readings = [replace(reading, adds=True) for reading in readings]
    elif says_only(predicate):
        readings = [replace(reading, adds=False, is_exclusive=True) for reading in readings]
    return readings


def _read(frame: Frame, group: VerbGroup) -> Iterator[SlotReading]:
    is_over = group.situation is Situation.COMES or (group.situation is Situation.HELD and not frame.outlasts)
    if is_over or (frame.told_by and group.form not in frame.told_by):
        return
    match = frame.pattern.match(group.rest)
    if match is None:
        return
    groups = {key: values.without_article(text or "") for key, text in match.groupdict().items()}
    if ("value" in groups and not groups["value"]) or not frame.accepts(groups):
        return
    reading = _reading(frame, groups)
    if group.situation is Situation.ENDED:
        yield from _denial(reading)
    elif not group.is_denied:
        yield reading
    elif reading.attribute.startswith("taste."):
        yield from _denial(reading)


def _reading(frame: Frame, groups: Groups) -> SlotReading:
    names = {key: folded(text) for key, text in groups.items()}
    adds = frame.adds
    if "kin" in names:
        names["kin"], adds = of_kin(groups["kin"])
    value = " ".join(frame.value.format(**groups).split())
    template = frame.template
    for key, text in groups.items():
        if key != "value" or frame.attribute.startswith("taste."):
            template = template.replace("{" + key + "}", text)
    return SlotReading(frame.attribute.format(**names), value, " ".join(template.split()), frame.category, adds)


def _denial(slot: SlotReading) -> Iterator[SlotReading]:
    if slot.attribute.startswith("taste."):
        stance = _DISLIKES[slot.value]
        yield replace(
            slot, value=stance, template=f"It is no longer so that {slot.template}", adds=False, is_denial=True
        )
        return
    template = f"It is no longer so that {slot.template.replace('{value}', slot.value)}"
    yield replace(slot, value=f"not {slot.value}", template=template, adds=False, is_denial=True)


@dataclass(frozen=True, slots=True)
class _End:
    """What is over when it is told: of which verbs, followed by what."""

    verbs: frozenset[str]
    attribute: str
    pattern: re.Pattern[str]
    template: str
    category: str


def _end(verbs: str, attribute: str, pattern: str, template: str, category: str) -> _End:
    return _End(frozenset(verbs.split()), attribute, re.compile(pattern, re.IGNORECASE), template, category)


_DET = r"(?:my|our|the|his|her)"
_ENDS = (
    _end(
        "quit leave lose resign retire",
        "employer",
        rf"(?:{_DET} (?:old )?(?:job|position|role) )?(?:at|with|from) (?P<value>{ORGANISATION})",
        "{s} no longer works at {value}.",
        "work",
    ),
    _end(
        "be get",
        "employer",
        rf"(?:laid off|fired|let go|sacked|made redundant) (?:from|by|at) (?P<value>{ORGANISATION})",
        "{s} no longer works at {value}.",
        "work",
    ),
    _end(
        "break split divorce",
        "partner",
        rf"(?:up )?(?:with |from )?(?P<value>{NAME})",
        "{s} is no longer together with {value}.",
        "family",
    ),
    _end(
        "sell scrap",
        "vehicle",
        rf"{_DET} (?:old )?(?P<value>(?-i:[A-Z][\w-]*(?: [A-Z\d][\w-]*)*))(?! (?:for|and))",
        "{s} no longer has the {value}.",
        "personal",
    ),
)


def _endings(group: VerbGroup) -> Iterator[SlotReading]:
    """What the predicate says to be over."""
    if group.situation in (Situation.HELD, Situation.COMES) and group.lemma != "be":
        return
    if (group.lemma == "eat" and (group.situation is Situation.ENDED or group.is_denied)) or group.lemma == "drink":
        match = _NOT_EATEN.match(group.rest)
        if match is not None and (group.situation is Situation.ENDED or group.is_denied):
            yield SlotReading("not_eaten", match["value"], "{s} does not eat or drink {value}.", "food", adds=True)
        return
    for end in _ENDS:
        if group.lemma in end.verbs and not group.is_denied:
            match = end.pattern.match(group.rest)
            if match is not None and is_value(match["value"]):
                filled = end.template.replace("{value}", match["value"])
                yield SlotReading(
                    end.attribute, f"not {match['value']}", filled, end.category, adds=False, is_denial=True
                )


_NOT_EATEN = re.compile(rf"(?:any )?(?P<value>(?!that|it|much)[a-z]+(?: [a-z]+)?){END}", re.IGNORECASE)
_CHANGED = re.compile(
    rf"^(?:(?:in|out) )?(?:(?:from|my|our|the|an?|being an?) )*(?P<old>{NOUN}) (?:for|to|with|and (?:am|I am) now) (?:(?:a|an|the|my|being an?|become an?|become) )*(?P<new>{NOUN}){END}",
    re.IGNORECASE,
)
_CHANGES = frozenset(
    "swap trade exchange replace switch change leave ditch drop quit move go convert give upgrade transfer".split()
)


def read_change(predicate: str) -> tuple[str, str] | None:
    """What somebody gave up and what they took in its place, of whatever slot: "swapped the Honda for a Golf"."""
    group = read_verb_group(predicate)
    if group is None or group.lemma not in _CHANGES or group.is_denied or group.situation is not Situation.HOLDS:
        return None
    match = _CHANGED.match(group.rest)
    if match is None or not (is_value(match["old"]) and is_value(match["new"])):
        return None
    return match["old"], match["new"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is or goes, without a word for what they do there.

    Attributes:
        value: The place.
        attributes: What it can be of theirs, the likeliest first.
        says_now: Whether it says that it was not always so.
    """

    value: str
    attributes: tuple[str, ...]
    says_now: bool


PLACE_TEMPLATES = {
    "employer": "{s} works at {value}.",
    "school": "{s} attends {value}.",
    "gym": "{s} trains at {value}.",
    "home": "{s} lives in {value}.",
    "partner": "{s} is together with {value}.",
    "doctor": "{s}'s doctor is {value}.",
    "project": "{s} works on the project {value}.",
}
_PLACES = (
    (re.compile(rf"^(?:now )?(?:over )?(?:at|with) (?:the )?(?P<value>{ORGANISATION})"), frozenset(("be", "start", "begin")), ("employer", "school", "gym", "partner", "doctor")),
    (re.compile(rf"^(?:now )?(?:back )?in (?P<value>{PLACE})"), frozenset(("be",)), ("home",)),
    (re.compile(rf"^(?:over )?to (?:the )?(?P<value>{ORGANISATION})"), frozenset(("go", "switch", "move", "change", "transfer")), ("school", "gym", "employer")),
    (re.compile(rf"^(?:now )?on(?:to)? (?:the )?(?P<value>{ORGANISATION})"), frozenset(("be", "move", "switch")), ("project",)),
)  # fmt: skip
_SAYS_NOW = re.compile(
    r"\b(?:now|these days|currently|nowadays|at the moment|at the minute|at present|for now|as of|from (?:now|here) on)\b",
    re.IGNORECASE,
)


def read_place(predicate: str) -> Place | None:
    """The place that a predicate names, if it names nothing else."""
    group = read_verb_group(predicate)
    if group is None or group.situation is not Situation.HOLDS or group.is_denied:
        return None
    for pattern, verbs, attributes in _PLACES:
        match = pattern.match(group.rest) if group.lemma in verbs else None
        if match is not None and is_value(match["value"]):
            return Place(match["value"], attributes, bool(_SAYS_NOW.search(predicate)))
    return None
