"""Slots of verbs and nouns that no frame knows: "I play for Riverside Rovers" fills `play_for`.

What somebody does as a rule has a slot named after its verb and preposition, with as many values as there are. Nothing is replaced by
it alone: that a value is over must be said ("now", "instead", or what `links` finds).
"""

from __future__ import annotations

import re

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.lexicon.things import classes_of
from mnemic.extraction.local.english.likeness import shape_of
from mnemic.extraction.local.english.person import folded
from mnemic.extraction.local.english.slots import SlotReading, says_another
from mnemic.extraction.local.english.values import END, NOUN, ORGANISATION
from mnemic.extraction.local.english.verbs import is_adverb, is_past, third_person

_NAME = rf"(?:the )?(?P<name>{ORGANISATION})"
_PREPOSITIONS = "in on at with for to from by into as under of about through via behind around"
_PREPOSITION = rf"(?:{'|'.join(_PREPOSITIONS.split())})"
_DET = r"(?:(?:an?|the|my|our|some|both|this) )?"
_PARTICLE = r"(?:up|out|off|down|over|along|back|away|in)"
_OBJECT = re.compile(
    rf"^(?:(?P<particle>{_PARTICLE})(?= (?:{_PREPOSITION})\b) )?(?:(?P<preposition>{_PREPOSITION}) )?"
    rf"(?:(?:my|our|his|her|their) (?P<thing>[a-z][\w-]+(?: [a-z][\w-]+)?) (?P<thing_preposition>{_PREPOSITION}) )?"
    rf"{_DET}(?:{_NAME}(?P<kind>(?: (?:pool|shop|team|gym|club|park|centre|center|app|service|bakery|cafe|library|church|choir))?)|(?P<noun>{NOUN}{END}))"
)
_RESULT = re.compile(
    r"^(?:my|our|his|her|their) (?P<thing>[a-z][\w-]+) (?P<value>black|white|neat|strong|weak|straight|rare|well-done|plain|hot|cold|long|short)\b"
)
_WISH = re.compile(
    r"^(?:wants?|hopes?|dreams?|plans?) (?:to (?:be|become)|of (?:being|becoming)) an? (?P<value>[\w' -]+?)" + END
)
_RISING = re.compile(
    r"^(?:usually |normally |always )*(?:get|gets|wake|wakes|getting|waking) up at (?:about |around )?(?P<value>[\w:.]+(?: (?:past|to) \w+| four| five| six| seven| am| pm)?)"
)
# What they tell is no state of affairs with a value of its own, or is told by frames.
_NO_STATES = frozenset(
    """stay remain practice face grow continue hop sound appear prove keep figure explore discuss suffer recommend think know hope feel mean say see guess want need try come get make do have let look seem keep find be tell ask believe wonder
    suppose remember forget understand agree appreciate thank love like enjoy hate adore dislike care wish plan start begin stop
    become move join buy sell leave quit take's give put show help happen talk call named can could would will should may might must
    shall am is are was were had did does done been being go hear bet miss doubt imagine expect consider decide assume swear promise
    might've used ought dare notice realise realize learn turn end finish meet send bring set cannot not""".split()
)
_NO_OBJECTS = frozenset(
    """it that this these those them him her me you us myself yourself something anything nothing everything someone anyone things thing stuff
    lot lots bit ton way ways time times day days week weeks month months year years night home today tomorrow tonight everyone people
    one ones much more most all fun hard well better best good great fine okay again forward part place mind turns turn front care advantage
    break breaks look sense note photo photos picture pictures pics step steps chance chances moment moments while long far mean here there
    life world pride joy heart love words work sure lately recently always often inspiration strength support help advice hope""".split()
)
_TEAMS = re.compile(
    r"\b(?:team|shift|squad|side|group|committee|board|department|choir|band|orchestra|club|plan|programme|program|tariff|list|course|year)$"
)
# Of these somebody has one at a time, so that what is told with "now" leaves no other.
_ONE_AT_A_TIME = frozenset(
    "use support drive read watch teach wear ride drink manage lead captain edit run supervise follow back sleep live".split()
)
_SAYS_NOW = re.compile(r"\b(?:now|these days|nowadays|instead|currently)\b", re.IGNORECASE)


def read_loosely(predicate: str) -> SlotReading | None:
    """The slot that a predicate in the present fills, if it is one of a rule and not of an event.

    Args:
        predicate: Written out, in the first or the third person, without its subject.
    """
    wish = _WISH.match(predicate)
    if wish is not None:
        return _reading("wants_to_be", "wants to be a", wish["value"], predicate, is_single=True)
    rising = _RISING.match(predicate)
    if rising is not None:
        return _reading("gets_up_at", "gets up at", rising["value"], predicate, is_single=True)
    verb, rest, is_being = _verb(predicate)
    if not verb:
        return None
    result = _RESULT.match(rest)
    if result is not None:
        lead = f"{_told(verb)} {{own}} {result['thing']}"
        return _reading(f"{verb} {result['thing']}", lead, result["value"], predicate, is_single=True)
    match = _OBJECT.match(rest)
    if match is None:
        return None
    value = values.without_article((match["name"] or "") + (match["kind"] or "") or match["noun"] or "")
    preposition = " ".join(filter(None, (match["particle"], match["preposition"])))
    if not _is_telling(value) or (is_being and not (preposition and (match["name"] or _TEAMS.search(value)))):
        return None
    thing = " ".join(filter(None, (match["thing"], match["thing_preposition"])))
    attribute = " ".join(filter(None, ("" if is_being else verb, preposition, thing)))
    lead = " ".join(filter(None, (_told(verb), preposition, f"{{own}} {thing}" if thing else "")))
    lead += _article(rest, match)
    is_single = verb in _ONE_AT_A_TIME or (bool(preposition or thing) and preposition.split()[-1:] != ["as"])
    return _reading(attribute, lead, value, predicate, is_single=is_single)


def _reading(attribute: str, lead: str, value: str, predicate: str, *, is_single: bool) -> SlotReading:
    is_exclusive = is_single and bool(_SAYS_NOW.search(predicate)) and not says_another(predicate)
    template = f"{{s}} {lead} {{value}}.".replace("{own}", "{s}'s")
    return SlotReading(
        f"habit.{folded(attribute)}", value, template, "", adds=True, is_timeless=False, is_exclusive=is_exclusive
    )


def _told(verb: str) -> str:
    """The verb after a name; "read" and "put" look like pasts and are none here."""
    return "is" if verb == "be" else third_person(verb) if not is_past(verb) else f"{verb}s"


def _article(rest: str, match: re.Match[str]) -> str:
    """The article in front of the value, which a statement with another value wants as well."""
    before = rest[: match.start("name") if match["name"] else match.start("noun")].rstrip().rsplit(" ", maxsplit=1)[-1]
    return " the" if before == "the" else ""


def _verb(predicate: str) -> tuple[str, str, bool]:
    """The verb in the form after "I", what follows it, and whether it is "be" alone; empty if it is none of the present."""
    words = predicate.split()
    place = _after_adverbs(words, 0)
    is_being = False
    if place < len(words) and words[place] in ("have", "has") and words[place + 1 : place + 2] == ["been"]:
        place += 1
    if place < len(words) and words[place] in ("am", "is", "are", "been"):
        place, is_being = _after_adverbs(words, place + 1), True
        if place < len(words) and re.fullmatch(r"[a-z]{2,}ing", words[place]):
            verb = _without_ing(words[place])
            return ("", "", False) if verb in _NO_STATES else (verb, " ".join(words[place + 1 :]), False)
        return "be", " ".join(words[place:]), is_being
    if place >= len(words) or not re.fullmatch(r"[a-z]{2,}", words[place]):
        return "", "", False
    verb = words[place]
    if verb in ("get", "gets", "buy", "buys") and _SUPPLY.match(" ".join(words[place + 1 :])):
        return _base(verb), " ".join(words[place + 1 :]), False
    if verb.endswith("ing") or (is_past(verb) and verb not in ("read", "put")) or _base(verb) in _NO_STATES:
        return "", "", False
    return _base(verb), " ".join(words[place + 1 :]), False


def _after_adverbs(words: list[str], place: int) -> int:
    while place < len(words) and (is_adverb(words[place]) or words[place] in _MORE_ADVERBS):
        place += 1
    return place


_SUPPLY = re.compile(r"(?:my|our|his|her|their) [a-z]+(?: [a-z]+)? (?:from|at|off)\b")
_MORE_ADVERBS = frozenset("now currently mainly mostly normally generally sometimes both all only actually".split())


def _base(verb: str) -> str:
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    if verb.endswith(("ches", "shes", "sses", "xes", "oes")):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


_DROPPED_E = re.compile(r"(?:[aeiou][vszc]|iv|[^aeiou]l|ak|at|ar|ur|id|od|ik|in|ut|iz|ov|us|ag|dg|ang)$")
_NO_E = frozenset(
    "read eat meat train explain heat treat join drain gain stay brain wear hear learn clean lean bear repair fear sweat row".split()
)


def _without_ing(form: str) -> str:
    """The verb of a form in -ing, near enough to give two forms of one verb one name."""
    stem = form[:-3]
    if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in "slz":
        return stem[:-1]
    return stem + "e" if _DROPPED_E.search(stem) and stem not in _NO_E and len(stem) > 2 else stem


def is_strong(value: str) -> bool:
    """Whether a value is a name, of a class or of a shape: what a conversation comes back to."""
    return bool(classes_of(value)) or shape_of(value) != "word" or _TEAMS.search(value) is not None


def _is_telling(value: str) -> bool:
    words = value.lower().split()
    if not words or not values.is_value(value) or words[-1] in _NO_OBJECTS or words[0] in _NO_OBJECTS:
        return False
    if words[0] in values.NO_PLACES | values.NO_ORGANISATIONS:
        return False
    return not (len(words) == 1 and (is_adverb(words[0]) or words[0].endswith("ing")) and not classes_of(value))
