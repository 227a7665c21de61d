"""What a message means that no frame reads: which value, told before, its values change, correct or stand beside.

Three ways, from the surest: it names an earlier value and says that it is over ("Dr Patel retired, so I see Dr Novak now"); it says that
something was told wrong and has a value like an earlier one ("Just checked, it's actually 14 May"); it says that something is new
and has a value of the class of an earlier one ("I cycle to work these days").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mnemic.extraction.local.english.alternatives import any_of
from mnemic.extraction.local.english.discourse import Fragment, Relation
from mnemic.extraction.local.english.lexicon import signals
from mnemic.extraction.local.english.lexicon.things import classes_of
from mnemic.extraction.local.english.likeness import Likeness, Span, is_respelt, spans
from mnemic.extraction.local.english.loose_slots import is_strong
from mnemic.extraction.local.english.person import folded
from mnemic.extraction.local.english.references import Heard, is_kin, likeness_to, without_title


def _words(single: Iterable[str], phrases: Iterable[str] = ()) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{any_of([*single, *phrases])})(?![\w-])", re.IGNORECASE)


_ENDS = _words(signals.ENDINGS, signals.ENDING_PHRASES)
_BEGINS = _words(signals.BEGINNINGS, signals.BEGINNING_PHRASES)
_SLIPS = re.compile(rf"(?<![\w-])(?:{any_of(signals.SLIPS)})(?!\w)", re.IGNORECASE)
_FURTHER = _words(signals.FURTHER, signals.FURTHER_PHRASES)
# What stands before a value that is put in the place of another.
_BEFORE_NEW = re.compile(
    r"\b(?:to|for|with|is|are|am|at|on|onto|in|into|a|an|as|by|of|my|our|called|named|new|now|joined|got|bought|see|use|started|doing|meant|mean|said|just|actually|gone|going|become|became|me|become an?|it|favou?rite|the)[:,]? (?:(?:the|an?|my|our|being|actually|now|just|instead|Dr|all) )*$",
    re.IGNORECASE,
)
_BEFORE_OLD = re.compile(
    r"\b(?:not|from|left|leaving|quit|sold|was|were|than|of|off|old|previous|former|said|wrote|typed|up|ditched|dropped|in)\b[\w' ]{0,12}$",
    re.IGNORECASE,
)
_NO_LINK = frozenset(("name", "pronouns"))


def may_link(body: str) -> bool:
    """Whether a message has any sign of these, before more is asked of it; a short one may be a bare value."""
    return len(body) < FRAGMENT_LETTERS or any(sign.search(body) for sign in (_ENDS, _BEGINS, _SLIPS, _FURTHER))


FRAGMENT_LETTERS = 60


def says_over(text: str) -> bool:
    """Whether a text says that something ended."""
    return bool(_ENDS.search(text))


def says_new(text: str) -> bool:
    """Whether a text says that something is new."""
    return bool(_BEGINS.search(text))


def says_wrong(text: str) -> bool:
    """Whether a text says, or lets one see, that something was told wrong."""
    return bool(_SLIPS.search(text))


def says_further(text: str) -> bool:
    """Whether a text says that something stands beside something else."""
    return bool(_FURTHER.search(text))


def names(text: str, value: str) -> re.Match[str] | None:
    """Where a text names a value, by its words or by the last of several that is a name."""
    found = _whole(value).search(text)
    if found is None and value[:1].islower() and " " in value and value.rsplit(maxsplit=1)[-1][:1].isupper():
        found = _whole(" ".join(value.split()[1:])).search(text)
    if found is None and value[:1].isupper() and " " in value and len(value.split(maxsplit=1)[0]) > _FEW_LETTERS:
        found = _whole(value.split(maxsplit=1)[0]).search(text)
    return found


# Who has such a part in somebody's life can leave it; a sister stays one wherever she moves.
_IN_A_ROLE = frozenset(
    "manager boss doctor dentist therapist coach landlord teacher tutor trainer hairdresser physio optician vet flatmate roommate housemate".split()
)
_PARTED = re.compile(
    r"\b(?:broke up|broken up|break-?up|split|splitting|divorced?|separated|parted|dumped|ex|history|called it off|called off|finished|over between|ended things|no longer together|out of the picture|single)\b",
    re.IGNORECASE,
)
_OF_BLOOD = frozenset(
    """brother sister mother father son daughter child kid baby aunt uncle cousin niece nephew grandmother grandfather grandson
    granddaughter""".split()
)
_FEW_LETTERS = 3
_OTHER_WORDS = {
    "partner": ("wife", "husband", "girlfriend", "boyfriend", "fiance", "fiancé", "fiancée", "dating", "seeing"),
    "manager": ("boss", "supervisor"),
    "vehicle": ("car", "drive", "drives", "driving", "motor"),
    "phone_model": ("phone", "mobile", "handset"),
    "home": ("live", "living", "lives", "flat", "house", "moved", "city", "town"),
    "employer": ("work", "works", "job", "company", "joined", "firm"),
    "job": ("work", "career", "role", "promoted"),
    "school": ("college", "university", "uni", "goes", "class"),
    "bank": ("account", "accounts", "banking"),
    "doctor": ("gp", "surgery", "practice"),
    "birthday": ("born",),
    "surname": ("name", "married"),
}


def _whole(value: str) -> re.Pattern[str]:
    flags = 0 if value[:1].isupper() else re.IGNORECASE
    return re.compile(rf"(?<![\w@-]){re.escape(value)}(?:'s)?(?![\w@-])", flags)


def over_in(text: str, heard: Sequence[Heard]) -> Heard | None:
    """The value told before of which a text says that it is over, the nearest first."""
    for one in heard:
        if _is_linkable(one):
            found = names(text, one.slot.value)
            if found is not None and _can_end(one, text) and _ENDS.search(_clause_around(text, found)):
                return one
    return None


def _can_end(heard: Heard, text: str) -> bool:
    """Whether what is told of a name can end what it was told as: "Ruth moved to Leeds" ends nothing of who the sister is."""
    if heard.slot.attribute in _IN_A_ROLE or not (is_kin(heard) or heard.slot.attribute == "partner"):
        return True
    if heard.slot.attribute == "partner" and _PARTED.search(text):
        return True
    return heard.slot.attribute not in _OF_BLOOD and _names_attribute(text, heard)


def _clause_around(text: str, found: re.Match[str]) -> str:
    """The sentence in which a value stands, without the value itself."""
    begin = max(text.rfind(mark, 0, found.start()) for mark in (". ", "! ", "; "))
    ends = [place for mark in (". ", "! ", "; ") if (place := text.find(mark, found.end())) >= 0]
    return f"{text[begin + 1 : found.start()]} _ {text[found.end() : min(ends, default=len(text))]}"


def change_of(text: str, old: Heard, heard: Sequence[Heard]) -> Fragment | None:
    """The value of a text that stands in the place of one that is over."""
    best = _best(text, old, heard, is_named=True)
    return None if best is None else Fragment(Relation.CHANGES, best.value, wrong=old.slot.value)


def correction_of(text: str, heard: Sequence[Heard], *, is_marked: bool) -> Fragment | None:
    """What a text corrects of what was told before, the nearest first.

    Args:
        text: Its sentences that tell something.
        heard: What was told in the conversation.
        is_marked: Whether it says that something was wrong; without that only what is nearly the same word corrects it.
    """
    candidates = [one for one in heard if _is_linkable(one)]
    for one in candidates:
        for span in spans(text):
            is_slip = is_respelt(_core(one.slot.value), span.value) and _is_free(span, candidates)
            if is_slip and (is_marked or _is_bare(text)):
                return Fragment(Relation.CORRECTS, span.value, wrong=one.slot.value)
    if not is_marked:
        return None
    for one in candidates[:_NEAR]:
        best = _best(
            text, one, candidates, is_named=names(text, one.slot.value) is not None or _names_attribute(text, one)
        )
        if best is not None:
            return Fragment(Relation.CORRECTS, best.value, wrong=one.slot.value)
    return None


_NEAR = 2
_FEW_WORDS = 9


def _is_bare(text: str) -> bool:
    return len(text.split()) <= _FEW_WORDS


def news_of(text: str, heard: Sequence[Heard]) -> Fragment | None:
    """What a text tells as new in the place of what was told before, by the class of its value."""
    for one in heard:
        if not _is_linkable(one):
            continue
        for span in spans(text):
            alike = likeness_to(one.slot, span.value)
            is_meant = alike is Likeness.CLASS and (
                not one.slot.adds or one.slot.attribute.startswith("habit.") or _names_attribute(text, one)
            )
            if (
                is_meant or (alike >= Likeness.SHAPE and _names_attribute(text, one) and _is_led(text, span))
            ) and _is_free(span, heard):
                return Fragment(Relation.CHANGES, span.value, wrong=one.slot.value)
    return None


def addition_of(text: str, heard: Sequence[Heard]) -> Fragment | None:
    """What a text puts beside what was told before, by the class of its value."""
    for one in heard:
        if _is_linkable(one):
            for span in spans(text):
                alike = likeness_to(one.slot, span.value)
                if alike is Likeness.CLASS and classes_of(span.value) and _is_free(span, heard):
                    return Fragment(Relation.ADDS, span.value, wrong=one.slot.value)
    return None


def _best(text: str, old: Heard, heard: Sequence[Heard], *, is_named: bool) -> Span | None:
    """The span of a text that can stand in the place of a value."""
    best, most = None, 0
    for span in spans(text):
        alike = likeness_to(old.slot, span.value)
        if (
            alike is Likeness.NONE
            or not _is_free(span, heard)
            or (_BEFORE_OLD.search(text[: span.begin].replace("  ", " ")[-24:]) and not _is_led(text, span))
        ):
            continue
        led = _is_led(text, span)
        if alike is Likeness.SHAPE and not (is_named and led):
            continue
        score = 2 * alike + (1 if led else 0)
        if score > most:
            best, most = span, score
    return best


def _is_led(text: str, span: Span) -> bool:
    return span.begin == 0 or _BEFORE_NEW.search(text[: span.begin]) is not None


def _is_free(span: Span, heard: Sequence[Heard]) -> bool:
    """Whether a span is none of the values that are known."""
    told = folded(without_title(span.value))
    return not any(told == folded(one.slot.value) or _part(told, folded(one.slot.value)) for one in heard)


def _part(part: str, whole: str) -> bool:
    return f"_{part}_" in f"_{whole}_"


def _names_attribute(text: str, heard: Heard) -> bool:
    """Whether a text names what a slot is of: "manager" of `ana.manager`."""
    words = heard.slot.attribute.rpartition(".")[2].replace("favourite_", "").split("_")
    if heard.slot.attribute == "pet":
        words = [heard.slot.value.split()[0]]
    words += _OTHER_WORDS.get(heard.slot.attribute, ())
    return any(
        len(word) > _FEW_LETTERS - 1 and re.search(rf"\b{word}(?:s|ing)?\b", text, re.IGNORECASE) for word in words
    )


def _core(value: str) -> str:
    """The name of a value such as `dog Rex`."""
    head, _, rest = value.partition(" ")
    return rest if rest[:1].isupper() and head.islower() else value


def _is_linkable(heard: Heard) -> bool:
    slot = heard.slot
    return is_strong(slot.value.split()[0] if slot.attribute == "pet" else slot.value) and not (
        slot.is_denial or slot.attribute.startswith("taste.") or slot.attribute in _NO_LINK
    )
