"""The slots of common life and work facts, as a table of patterns over the predicate of a clause.

Values are read as they stand in the text; a pattern that is not sure of its value does not match. A slot holds one value
unless its row says that values add up (a second pet, another language).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.person import folded
from mnemic.extraction.local.english.values import (
    ANIMAL,
    DIETS,
    END,
    ILLNESSES,
    INSTRUMENTS,
    LANGUAGES,
    NAME,
    NOUN,
    ORGANISATION,
    PLACE,
    SPORTS,
)

Groups = dict[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One pattern.

    Attributes:
        attribute: The slot behind the person; `{name}` is the group of that name, folded.
        pattern: Over the predicate, from its beginning.
        template: The statement; `{s}` is the person and the other fields are groups of the pattern.
        category: The fact's label.
        adds: Whether a further value supersedes nothing.
        value: What the slot's value is; the group `value` unless told otherwise.
        accepts: Refuses values that a pattern cannot tell apart.
    """

    attribute: str
    pattern: re.Pattern[str]
    template: str
    category: str
    adds: bool = False
    value: str = "{value}"
    accepts: Callable[[Groups], bool] = lambda groups: values.is_value(groups["value"])


@dataclass(frozen=True, slots=True)
class SlotReading:
    """A slot with its value, read from a clause.

    Attributes:
        attribute: The slot behind the person, such as `home`.
        value: Such as `Lisbon`.
        template: The statement with `{s}` for the person and `{value}` for the value: what a correction fills anew.
        category: The fact's label.
        adds: Whether it supersedes nothing.
        span: Where the match lies in the predicate.
        is_denial: Whether it says that a value no longer holds.
        is_timeless: Whether the times of its clause are not its own: a name that is told in passing.
    """

    attribute: str
    value: str
    template: str
    category: str
    adds: bool
    span: tuple[int, int]
    is_denial: bool = False
    is_timeless: bool = False


def _row(attribute: str, pattern: str, template: str, category: str, **more: object) -> Row:
    return Row(attribute, re.compile(pattern, re.IGNORECASE), template, category, **more)  # type: ignore[arg-type]  # checked by Row itself


def _is_home(groups: Groups) -> bool:
    return groups["value"].split(",")[0].split()[0].lower() not in values.NO_PLACES


def _is_organisation(groups: Groups) -> bool:
    return groups["value"].split()[0].lower() not in values.NO_ORGANISATIONS


def _is_job(groups: Groups) -> bool:
    return groups["value"].split()[-1].lower() in values.JOBS and values.is_value(groups["value"])


def _is_taste(groups: Groups) -> bool:
    value = groups["value"].lower()
    return values.is_value(value) and _NO_TASTES.match(value) is None


# Beginnings of what somebody likes, and not what: "spending" of "spending time with friends".
_NO_TASTES = re.compile(
    r"(?:be|see|hear|know|my|our|being|spending|going|getting|having|making|taking|looking|trying|doing|seeing|hearing|keeping"
    r"|helping|giving|finding|just|take|go|get|have|make|do|spend|try|keep|give|find|help|talking|coming|bringing)\b"
)


def _is_subject(groups: Groups) -> bool:
    first = groups["value"].lower().split()[0]
    return values.is_value(groups["value"]) and first not in (
        "hard",
        "abroad",
        "late",
        "all",
        "my",
        "our",
        "a",
        "online",
    )


_CARS = re.compile(
    r"(?:tesla|toyota|honda|ford|bmw|audi|mercedes|vw|volkswagen|volvo|kia|hyundai|nissan|mazda|subaru|fiat|renault|peugeot"
    r"|citro[eë]n|opel|skoda|seat|porsche|mini|jeep|chevy|chevrolet|dodge|lexus|jaguar|suzuki|dacia|polestar|rivian|prius|vespa"
    r"|harley|ducati|yamaha|motorbike|motorcycle|scooter|van|truck)\b",
    re.IGNORECASE,
)
_VEHICLE = (
    r"(?:new |used |second-hand )?(?P<value>(?-i:[A-Z][\w-]*(?: [A-Z\d][\w-]*)*)(?: \w+)?|motorbike|motorcycle|scooter|van|truck)"
    rf"(?= car| bike| to work|{END[3:]}"
)
_VERY = r"(?:really|so|very|also|more|mostly|totally|quite|still|super|just|pretty|especially|particularly|mainly|now)"
_PROGRESS = r"(?:am |are |is |have been |has been )?"
_KEEPING = r"(?:have|has|own|owns|adopted|got|bought|rescued)(?: also)? (?:an?|my|another|our|one|two|three|\d) (?:[\w-]+ ){0,3}?"
_ROWS: tuple[Row, ...] = (
    _row(
        "home",
        rf"{_PROGRESS}(?:lives?|living|resides?|residing|based|settled(?: down)?|(?:just |recently )?(?:moved|relocated))(?: back| over| down| up)?"
        rf"(?: from {PLACE})? (?:in|to) (?P<value>{PLACE})(?!'s)(?!\s+(?:team|department|division|role|group))",
        "{s} lives in {value}.",
        "personal",
        accepts=_is_home,
    ),
    _row(
        "origin",
        rf"(?:am|is|comes?) (?:originally )?from (?P<value>{PLACE})",
        "{s} is from {value}.",
        "personal",
        accepts=_is_home,
    ),
    _row("hometown", rf"(?:grew up|was raised) in (?P<value>{PLACE})", "{s} grew up in {value}.", "personal"),
    _row("birthplace", rf"was born in (?P<value>{PLACE})", "{s} was born in {value}.", "personal"),
    _row("birthday", rf"was born on (?P<value>{values.DATE})", "{s} was born on {value}.", "personal"),
    _row("birth_year", r"was born in (?P<value>(?:19|20)\d\d)\b", "{s} was born in {value}.", "personal"),
    _row(
        "age",
        r"(?:am|is|(?:just |recently )?turned) (?P<value>\d{1,3})(?: years old| yo| y/o)?(?=\s*(?:$|[,.;!]|\b(?:and|last|this|on|in|yesterday|today)\b))",
        "{s} is {value} years old.",
        "personal",
    ),
    _row(
        "job",
        rf"(?:{_PROGRESS}(?:works?|working)|got a (?:new )?job|(?:just )?started(?: working| a new job)?) as (?:an?|the) (?P<value>{NOUN}){END}",
        "{s} works as a {value}.",
        "work",
    ),
    _row(
        "job",
        rf"(?:(?:just )?(?:got|was|were) promoted to (?:an? |the )?|(?:am|is|became) (?:now )?the (?=(?:head|director|vice|vp|chief|ceo|cto|cfo)\b))"
        rf"(?P<value>{NOUN}(?: of {NOUN})?){END}",
        "{s} works as a {value}.",
        "work",
    ),
    _row(
        "job",
        rf"(?:am|is|became) (?:now )?(?:an?|the) (?P<value>{NOUN}){END}",
        "{s} is a {value}.",
        "work",
        accepts=_is_job,
    ),
    _row(
        "employer",
        rf"(?:{_PROGRESS}(?:works?|working)|got (?:a|my|the) (?:new |dream )?job|(?:just )?started(?: working| a new job| my new job)?)(?: as (?:an?|the) {NOUN})?"
        rf" (?:at|for|with) (?P<value>{ORGANISATION})",
        "{s} works at {value}.",
        "work",
        accepts=_is_organisation,
    ),
    _row(
        "employer",
        rf"(?:(?:just |recently )?joined|(?:got|was) hired by|(?:am|is) (?:now )?employed (?:at|by)|accepted (?:an|the|my) offer from) (?P<value>{ORGANISATION})",
        "{s} works at {value}.",
        "work",
        accepts=_is_organisation,
    ),
    _row(
        "field_of_study",
        rf"{_PROGRESS}(?:studies|study|studying|majors? in|majoring in|(?:switched|changed) (?:my|his|her) major to) (?!for\b|at\b)(?P<value>{NOUN}){END}",
        "{s} studies {value}.",
        "education",
        accepts=_is_subject,
    ),
    _row(
        "school",
        rf"{_PROGRESS}(?:studies|study|studying|attends?|attending|goes|go)(?: {NOUN})? (?:at|to) (?P<value>(?-i:(?:the )?(?:[A-Z][\w'&-]*\s)*"
        rf"(?:University|College|School|Institute|Academy)(?: of(?: [A-Z][\w-]*)+)?|MIT|ETH|UCLA|[A-Z][\w-]* University))",
        "{s} attends {value}.",
        "education",
    ),
    _row(
        "education", rf"graduated from (?P<value>{ORGANISATION})", "{s} graduated from {value}.", "education", adds=True
    ),
    _row(
        "diet",
        rf"(?:am|is|went|became|become|turned|have been|has been|(?:am|is) now)(?: an?)?(?: strict| mostly)? (?P<value>{DIETS})\b(?! options?| food)",
        "{s} is {value}.",
        "food",
    ),
    _row(
        "diet",
        rf"(?:follows?|eats?|(?:am|is) on|(?:switched|changed|moved) to)(?: an?)?(?: strict)? (?P<value>{DIETS})(?: diet| food)?{END}",
        "{s} eats {value}.",
        "food",
    ),
    _row(
        "not_eaten",
        r"(?:(?:do not|does not|cannot|never|no longer) (?:eat|drink)s?|(?:stopped|quit|gave up) (?:eating|drinking)) (?:any )?(?P<value>[a-z]+(?: [a-z]+)?)"
        + END,
        "{s} does not eat or drink {value}.",
        "food",
        adds=True,
    ),
    _row(
        "allergy",
        rf"(?:am|is) (?:\w+ly )?allergic to (?P<value>{NOUN}(?:(?:, {NOUN})*,? and {NOUN})?){END}",
        "{s} is allergic to {value}.",
        "health",
        adds=True,
    ),
    _row(
        "allergy",
        r"(?:have|has) an? (?:\w+ )?(?P<value>\w+) allergy\b",
        "{s} is allergic to {value}.",
        "health",
        adds=True,
    ),
    _row(
        "intolerance",
        r"(?:am|is) (?P<value>lactose|gluten|fructose|histamine)[- ]intolerant",
        "{s} is {value} intolerant.",
        "health",
        adds=True,
    ),
    _row(
        "health",
        rf"(?:have|has|suffers? from|(?:have been|has been|was|got) diagnosed with) (?P<value>{ILLNESSES})\b",
        "{s} has {value}.",
        "health",
        adds=True,
    ),
    _row(
        "marital_status",
        r"(?:am|is|got|are) (?:now |happily |newly |recently |just )?(?P<value>married|divorced|engaged|single|widowed|separated)\b(?! (?:with|by|from)\b)",
        "{s} is {value}.",
        "family",
    ),
    _row(
        "partner", rf"(?:am|is|got) (?:happily )?married to (?P<value>{NAME})", "{s} is married to {value}.", "family"
    ),
    _row("partner", rf"{_PROGRESS}dating (?P<value>{NAME})", "{s} is dating {value}.", "family"),
    _row(
        "children_count",
        r"(?:have|has) (?P<value>one|two|three|four|five|six|\d) (?:\w+ )?(?:kids?|children)\b",
        "{s} has {value} children.",
        "family",
    ),
    _row(
        "{kin}",
        rf"(?:have|has) an? {values.KIN}(?:,? (?:named|called|whose name is))? (?P<value>{NAME})",
        "{s} has a {kin} named {value}.",
        "family",
        adds=True,
    ),
    _row(
        "pet",
        rf"{_KEEPING}{ANIMAL}\b,? (?:named|called) (?P<name>{NAME}(?: and {NAME})?)",
        "{s} has a {animal} named {name}.",
        "pets",
        adds=True,
        value="{animal} {name}",
        accepts=lambda _groups: True,
    ),
    _row(
        "pet",
        rf"{_KEEPING}{ANIMAL}\b(?! (?:food|show|toy|bed|person|lover|shelter|park|cafe|sitter|walker))",
        "{s} has a {animal}.",
        "pets",
        adds=True,
        value="{animal}",
        accepts=lambda _groups: True,
    ),
    _row(
        "speaks",
        rf"(?:(?:can )?(?:also )?speaks?|(?:am|is) (?:fluent|bilingual) in) (?:fluent |some |a little |a bit of )?(?P<value>(?:{LANGUAGES})(?:(?:, | and |, and )(?:{LANGUAGES}))*)\b",
        "{s} speaks {value}.",
        "personal",
        adds=True,
    ),
    _row(
        "learning",
        rf"(?:{_PROGRESS}(?:learning|studying|practi[sc]ing)|started (?:learning|to learn)) (?:to play |to speak |the )*(?P<value>{LANGUAGES}|{INSTRUMENTS})\b",
        "{s} is learning {value}.",
        "hobbies",
        adds=True,
    ),
    _row(
        "plays",
        rf"{_PROGRESS}(?:plays?|playing) (?:the )?(?P<value>{INSTRUMENTS}|{SPORTS})\b",
        "{s} plays {value}.",
        "hobbies",
        adds=True,
    ),
    _row(
        "vehicle",
        rf"drives? an? {_VEHICLE}",
        "{s} drives a {value}.",
        "personal",
        accepts=lambda groups: bool(_CARS.match(groups["value"])),
    ),
    _row(
        "vehicle",
        rf"(?:(?:just )?(?:bought|got)|have|has|own|owns) an? {_VEHICLE}",
        "{s} has a {value}.",
        "personal",
        adds=True,
        accepts=lambda groups: bool(_CARS.match(groups["value"])),
    ),
    _row("name", rf"changed (?:my|his|her) name to (?P<value>{NAME})", "{s}'s name is {value}.", "personal"),
    _row("nickname", rf"(?:go|goes) by (?:the name )?(?P<value>{NAME})", "{s} goes by {value}.", "personal"),
    _row(
        "project",
        rf"{_PROGRESS}working on (?:an?|my|our) (?:new |own )?(?P<value>{NOUN})(?: project)?{END}",
        "{s} is working on a {value}.",
        "work",
        adds=True,
        accepts=lambda groups: values.is_value(groups["value"]) and groups["value"].lower() not in ("project", "book"),
    ),
    _row(
        "taste.{value}",
        rf"(?P<how>(?:really |absolutely |also |just |totally |genuinely |do |always )*(?:love|like|enjoy|adore)s?|(?:am|is) (?:{_VERY} )*(?:a )?(?:(?:big|huge|great|massive|real) )?(?:fan of|into|fond of|keen on))"
        rf" (?P<to>to )?(?!(?-i:the )|that |this |get|being )(?P<value>{NOUN}){END}(?! (?:that|who|which|where|when|about)\b)",
        "{s} likes {to} {value}.",
        "preferences",
        value="likes",
        accepts=_is_taste,
    ),
    _row(
        "taste.{value}",
        rf"(?P<how>(?:really |absolutely |also |just )*(?:hate|dislike|detest)s?|cannot stand|(?:do|does) not (?:really )?(?:like|enjoy)|(?:am|is) not (?:really )?(?:a )?(?:big )?(?:fan of|into|fond of|keen on))"
        rf" (?P<to>to )?(?!(?-i:the )|that |this |get|being )(?P<value>{NOUN}){END}",
        "{s} dislikes {to} {value}.",
        "preferences",
        value="dislikes",
        accepts=_is_taste,
    ),
)
_LEADING = re.compile(
    r"^(?:(?:also|currently|now|still|just|really|actually|recently|always|usually|mostly|finally|officially|already|absolutely"
    r"|totally|only|mainly)\s+)+(?=\w)"
)


def read_slots(predicate: str) -> Iterator[SlotReading]:
    """The slots that a predicate fills; at most one reading per slot, the first row that matches.

    Args:
        predicate: Written out, in the first or the third person, without its subject; of "live in Rome and work at
            Acme" both halves are read.
    """
    taken: set[str] = set()
    for part in _JOINED.split(predicate):
        for reading in _read_part(part):
            if reading.attribute not in taken:
                taken.add(reading.attribute)
                yield reading


_JOINED = re.compile(
    r",? and (?=(?:also |now |currently )?(?:work|live|am|is|have|has|study|studies|speak|play|drive|love|like|hate|enjoy"
    r"|own|adopted|moved|got|joined|bought|started|became|eat|follow)s?\b)",
    re.IGNORECASE,
)


# "I have moved to Porto" says what "I moved to Porto" says.
_PERFECT = re.compile(
    r"^(?:have|has) (?=(?:just |recently |now |finally |already |also )?(?:moved|relocated|settled|joined|become|started|switched|changed"
    r"|adopted|bought|turned|accepted|graduated|stopped|quit)\b)"
)


def _read_part(predicate: str) -> Iterator[SlotReading]:
    predicate = _PERFECT.sub("", predicate)
    leading = _LEADING.match(predicate)
    offset = leading.end() if leading else 0
    says_also = bool(leading and "also" in leading[0].split()) or bool(_ANOTHER.search(predicate))
    for row in _ROWS:
        match = row.pattern.match(predicate, offset)
        if match is None:
            continue
        groups = {key: values.without_article(text or "") for key, text in match.groupdict().items()}
        if ("value" in groups and not groups["value"]) or not row.accepts(groups):
            continue
        yield _reading(row, groups, match.span(), says_also=says_also)


_ANOTHER = re.compile(r"\b(?:another|a second|as well|too)\b(?! (?:many|much))", re.IGNORECASE)


def _reading(row: Row, groups: Groups, span: tuple[int, int], *, says_also: bool) -> SlotReading:
    names = {key: folded(text) for key, text in groups.items()}
    value = " ".join(row.value.format(**groups).split())
    template = row.template
    for key, text in groups.items():
        if key != "value" or row.attribute.startswith("taste."):
            template = template.replace("{" + key + "}", text)
    return SlotReading(
        row.attribute.format(**names), value, " ".join(template.split()), row.category, row.adds or says_also, span
    )
