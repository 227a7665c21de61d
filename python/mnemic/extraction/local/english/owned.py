"""What is said of somebody's own things and people: "my name is Ana", "my sister Emma lives in Porto"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.person import Person, folded
from mnemic.extraction.local.english.slots import SlotReading
from mnemic.extraction.local.english.values import ANIMAL, DATE, END, KIN, NAME, NOUN, PLACE

_BE = r"(?:is|are|was changed to|is now|'s)"
_NAMED = rf"(?:'s name)? {_BE}(?: (?:called|named))?"


@dataclass(frozen=True, slots=True)
class _Owned:
    """One pattern over a clause that begins with "my"."""

    attribute: str
    pattern: re.Pattern[str]
    template: str
    category: str
    adds: bool = False


def _owned(attribute: str, pattern: str, template: str, category: str, *, adds: bool = False) -> _Owned:
    return _Owned(
        attribute,
        re.compile(r"(?:my|our) (?:new |current |latest )?" + pattern, re.IGNORECASE),
        template,
        category,
        adds,
    )


_ROWS = (
    _owned("name", rf"(?:full |real |first )?name {_BE} (?P<value>{NAME})", "{s}'s name is {value}.", "personal"),
    _owned("nickname", rf"nickname {_BE} (?P<value>{NAME})", "{s}'s nickname is {value}.", "personal"),
    _owned("birthday", rf"birthday {_BE} (?:on )?(?P<value>{DATE})", "{s}'s birthday is {value}.", "personal"),
    _owned("home", rf"(?:home ?town|home city|city) {_BE} (?:now )?(?P<value>{PLACE})", "{s} lives in {value}.", "personal"),
    _owned("address", rf"(?:home |new )?address {_BE} (?P<value>\d+[\w ,.'-]+|[A-Z][\w ,.'-]*\d+[\w ,.'-]*)$", "{s}'s address is {value}.", "personal"),
    _owned("email", rf"(?:new |work )?e-?mail(?: address)? {_BE} (?P<value>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)", "{s}'s e-mail address is {value}.", "personal"),
    _owned("phone", rf"(?:(?:phone|mobile|cell)(?: phone)?(?: number)?|number) {_BE} (?P<value>\+?[\d ()-]{{6,}}\d)", "{s}'s phone number is {value}.", "personal"),
    _owned("time_zone", rf"time ?zone {_BE} (?P<value>(?-i:[A-Z]{{2,4}}(?:[+-]\d{{1,2}})?|[A-Z][a-z]+/[A-Z]\w+))", "{s}'s time zone is {value}.", "personal"),
    _owned("pronouns", rf"pronouns {_BE} (?P<value>\w+/\w+(?:/\w+)?)", "{s}'s pronouns are {value}.", "personal"),
    _owned("job", rf"(?:new |current )?(?:job(?: title)?|profession|occupation) {_BE} (?:as )?(?:an? )?(?P<value>{NOUN}){END}", "{s}'s job is {value}.", "work"),
    _owned("employer", rf"(?:new |current )?(?:employer|company) {_BE} (?:called )?(?P<value>{values.ORGANISATION})", "{s} works at {value}.", "work"),
    _owned("native_language", rf"(?:native language|mother tongue|first language) {_BE} (?P<value>{values.LANGUAGES})\b", "{s}'s native language is {value}.", "personal"),
    _owned("blood_type", rf"blood type {_BE} (?P<value>(?:AB|A|B|O)(?: ?[+-]| (?:positive|negative))?)(?!\w)", "{s}'s blood type is {value}.", "health"),
    _owned("shoe_size", rf"shoe size {_BE} (?P<value>\d{{1,2}}(?:\.5)?)\b", "{s}'s shoe size is {value}.", "personal"),
    _owned("height", rf"height {_BE} (?P<value>[\d.'\"]+ ?(?:m|cm|ft|feet)?)", "{s}'s height is {value}.", "personal"),
    _owned("vehicle", rf"car {_BE} (?:an? )?(?:new )?(?P<value>(?-i:[A-Z][\w-]*(?: [A-Z\d][\w-]*)*))", "{s}'s car is a {value}.", "personal"),
    _owned("favourite_{what}", rf"(?:all-time |absolute )?(?:favou?rite|fave) (?P<what>[\w-]+(?: [\w-]+)?) (?:of all time )?(?:is|are|has always been)(?: probably| definitely)? (?P<value>{NOUN}(?: and {NOUN})?){END}", "{s}'s favourite {what} is {value}.", "preferences"),
    _owned("favourite_{what}", r"(?:all-time |absolute )?(?:favou?rite|fave) (?P<what>[\w-]+) (?:is|are) (?:the )?[\"'](?P<value>[^\"']+)[\"']", "{s}'s favourite {what} is {value}.", "preferences"),
    _owned("pet", rf"(?:[\w-]+ ){{0,2}}?{ANIMAL}{_NAMED} (?P<value>{NAME})", "{s}'s {animal} is called {value}.", "pets", adds=True),
    _owned("{kin}", rf"{KIN}{_NAMED} (?P<value>{NAME})(?!'s)", "{s}'s {kin} is called {value}.", "family", adds=True),
)  # fmt: skip
# Of these people have one at a time: a new one supersedes the old one, and what is told of them needs no name.
_ONE_AT_A_TIME = frozenset(
    """wife husband girlfriend boyfriend partner fiance fiancé fiancée fiancee spouse mother mom mum father dad boss manager
    therapist landlord mother-in-law father-in-law""".split()
)
_SAME_KIN = {
    "mom": "mother",
    "mum": "mother",
    "dad": "father",
    "boss": "manager",
    "grandma": "grandmother",
    "grandpa": "grandfather",
}
_PARTNERS = frozenset("wife husband girlfriend boyfriend partner fiance fiancé fiancée fiancee spouse".split())
_NAMED_KIN = re.compile(
    rf"\b(?:my|our) (?:{KIN}|{ANIMAL}),? (?P<value>{NAME})(?P<possessive>'s)?(?:,|\b)", re.IGNORECASE
)
_SUBJECT_KIN = re.compile(rf"(?:my|our) {KIN}(?:,? (?P<name>{NAME}),?)? (?P<predicate>.+)", re.IGNORECASE)
_DEADLINE = re.compile(
    r"(?:(?:the|our|my) )?(?:(?P<of>[\w-]+(?: [\w-]+)?) )?(?:deadline|due date)(?: for (?:the |my |our )?(?P<for>[\w-]+(?: [\w-]+){0,2}))?"
    r" (?:(?:is|was|has|been|got|now|moved|extended|pushed|changed|set|postponed|delayed|brought|back|forward) )+(?:(?:to|on|for|by|until|till) )?",
    re.IGNORECASE,
)
_DUE = re.compile(r"(?:the |our |my )?(?P<of>[\w-]+(?: [\w-]+)?) (?:is|are) (?:now )?due (?:on |by )?", re.IGNORECASE)
_APPOINTMENT = r"(?P<what>(?:[\w'-]+ ){0,2}?(?:appointment|interview|exam|flight|surgery|check-?up|meeting|rehearsal|wedding|concert))"
_APPOINTMENTS = (
    re.compile(
        rf"(?:have|have got|booked|scheduled) (?:(?P<another>an?|another)|my|our|the) {_APPOINTMENT}\b", re.IGNORECASE
    ),
    re.compile(
        rf"(?:my|our|the) {_APPOINTMENT} (?:is|was|has been|got)(?: now| moved| rescheduled| postponed| pushed)*\b",
        re.IGNORECASE,
    ),
)


def read_owned(clause: str) -> Iterator[SlotReading]:
    """The slots of a clause that begins with "my", and the names of people and animals anywhere in it."""
    for row in _ROWS:
        match = row.pattern.match(clause)
        if match is None or not (row.attribute == "pronouns" or values.is_value(match["value"])):
            continue
        groups = match.groupdict()
        yield _reading(row.attribute, row.template, row.category, groups, match.span(), adds=row.adds)
        return
    match = _NAMED_KIN.search(clause)
    if match is not None:
        groups = match.groupdict()
        if groups["kin"]:
            yield _reading("{kin}", "{s}'s {kin} is called {value}.", "family", groups, match.span(), adds=True)
        else:
            yield _reading("pet", "{s}'s {animal} is called {value}.", "pets", groups, match.span(), adds=True)


_REVERSED = (
    ("favourite_{what}", re.compile(rf"(?P<value>{NOUN}) is (?:now )?my (?:new )?(?:all-time )?favou?rite (?P<what>[\w-]+)$", re.IGNORECASE), "{s}'s favourite {what} is {value}.", "preferences"),
    ("home", re.compile(rf"(?P<value>{PLACE}) is (?:now )?my (?:new )?home(?: now)?$"), "{s} lives in {value}.", "personal"),
    ("nickname", re.compile(rf"(?:my friends|my family|everyone|everybody|people|most people|they all) calls? me (?P<value>{NAME})$", re.IGNORECASE), "{s}'s nickname is {value}.", "personal"),
)  # fmt: skip


def read_reversed(text: str) -> SlotReading | None:
    """The slot of a sentence whose subject is its value ("Green is my favourite colour"), or somebody else."""
    for attribute, pattern, template, category in _REVERSED:
        match = pattern.match(text)
        if match is not None and values.is_value(match["value"]):
            return _reading(attribute, template, category, match.groupdict(), match.span(), adds=False)
    return None


def _reading(
    attribute: str, template: str, category: str, groups: dict[str, str | None], span: tuple[int, int], *, adds: bool
) -> SlotReading:
    value = values.without_article(groups["value"] or "")
    known = {key: text.lower() for key, text in groups.items() if text and key != "value"}
    for key, text in known.items():
        template = template.replace("{" + key + "}", text)
    if "kin" in known:
        known["kin"] = _SAME_KIN.get(known["kin"], known["kin"])
        adds = known["kin"] not in _ONE_AT_A_TIME
        attribute = "partner" if known["kin"] in _PARTNERS else attribute
    if "what" in known:
        known["what"] = known["what"].replace("color", "colour")
    if "animal" in known:
        value = f"{known['animal']} {value}"
        template = "{s} has a {value}."
    name = attribute.format(**{key: folded(text) for key, text in known.items()})
    return SlotReading(name, value, template, category, adds, span, is_timeless=True)


@dataclass(frozen=True, slots=True)
class Relative:
    """Somebody of whom the speaker tells.

    Attributes:
        person: Whose slots the predicate fills; without a key where one cannot tell which of several it is.
        predicate: What is told.
    """

    person: Person
    predicate: str


def read_relative(clause: str, speaker: Person) -> Relative | None:
    """Whom a clause is about that begins with "my sister" or "my sister Emma"."""
    match = _SUBJECT_KIN.match(clause)
    if match is None:
        return None
    kin, name = match["kin"].lower(), match["name"]
    label = f"{speaker.possessive} {kin}" + (f" {name}" if name else "")
    key = f"{speaker.key}.{folded(name or _SAME_KIN.get(kin, kin))}" if name or kin in _ONE_AT_A_TIME else ""
    return Relative(Person(label, key), match["predicate"])


@dataclass(frozen=True, slots=True)
class Dated:
    """Something with a date that may be moved: an appointment or a deadline.

    Attributes:
        owner: What stands before the dot of the slot instead of the speaker's key, or empty.
        attribute: The slot behind it.
        category: The fact's label.
        adds: Whether it stands beside others alike ("I have a meeting"), rather than in the place of one.
    """

    owner: str
    attribute: str
    category: str
    adds: bool


def read_dated(text: str, predicate: str) -> Dated | None:
    """An appointment or a deadline that a clause names, if it names one; its date is the clause's."""
    match = _DEADLINE.match(text) or _DUE.match(text)
    if match is not None:
        subject = match["of"] or match.groupdict().get("for") or ""
        return Dated(folded(subject) or "project", "deadline", "work", adds=False)
    for pattern, tail in zip(_APPOINTMENTS, (predicate, text), strict=True):
        match = pattern.match(tail)
        if match is not None:
            is_another = match.groupdict().get("another") is not None
            return Dated("", f"appointment.{folded(match['what'])}", "plans", adds=is_another)
    return None
