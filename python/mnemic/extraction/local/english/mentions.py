"""Sentences of which no clause could be read and which yet tell something of their speaker: "Been with Octopus since spring".

They are kept in the speaker's words, with the value that they name, under a slot named after what the value is of; nothing is replaced
by one alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mnemic.extraction.local.english import guards, values
from mnemic.extraction.local.english.lexicon.things import classes_of
from mnemic.extraction.local.english.likeness import Span, shape_of, spans
from mnemic.extraction.local.english.person import folded
from mnemic.extraction.local.english.slots import SlotReading
from mnemic.extraction.local.english.statements import stands_alone
from mnemic.extraction.local.english.values import KIN

_OWN = re.compile(r"\b(?:I|me|my|mine|we|us|our|ours|myself)\b", re.IGNORECASE)
_OF_THE_FAMILY = re.compile(
    r"^(?:and |but |so |now )*(?:(?:[Mm]um|[Mm]om|[Dd]ad|[Gg]ran|[Gg]randad|[Gg]randma|[Gg]randpa|[Nn]an|[Nn]ana|[Aa]untie?|[Uu]ncle)\b"
    rf"|[Tt]he (?:wife|husband|missus|kids?|boys?|girls?|lads?|twins|baby|little one|other half|dog|cat|puppy|kitten|car|in-laws|landlord|boss|boiler|house|flat|garden)\b|(?:my|our) (?:{KIN}|\w+))",
    re.IGNORECASE,
)
# "The wifi password is tulip44", "the standup is at 9:45".
_DEFINES = re.compile(
    r"^(?:and |but |so |now )*[Tt]he (?:[a-z][\w'-]*[ ]){1,3}(?:is|are) (?:(?:now|actually|at|on|in|called|number|extension|the) )*(?=[^ ]*\d|(?-i:[A-Z]))"
)
_SUBJECTLESS = re.compile(
    r"^(?:(?:still|currently|now|finally|just|officially|recently|already|back|presently|always|mostly|also|not|never|forever|only) )*"
    r"(?:been|being|working|living|pulling|doing|playing|driving|studying|learning|training|using|running|teaching|reading|going|having|getting|seeing|renting|based|stuck|settled|married|engaged|knee-deep|signed|enrolled|turned|turning|got|started|joined|took|bought|sold|moved|picked|adopted|switched|changed|gave|caved|treated|ended|landed|passed|became|named|booked|went|made|found|put|tried|in|on|at|with|from|allergic|home|fluent|addicted|registered|subscribed|taken|back)\b",
    re.IGNORECASE,
)
_HEADED = re.compile(r"^(?P<what>[A-Za-z][\w'-]*(?: [a-z][\w'-]*){0,2})(?:-wise,?| wise,?)?: (?=\S)")
_NO_TOPICS = frozenset(
    "ps pps fyi btw edit correction update note news hot hint todo tip warning question answer reminder spoiler".split()
)
_PAST = re.compile(
    r"\b(?:was|were|had|used to|ago|back in|years? before|once|in my (?:teens|twenties|thirties|childhood|youth)|as a (?:kid|child|boy|girl|teen|student|toddler)|growing up|when I was|until|before that|formerly|previously)\b",
    re.IGNORECASE,
)
# Classes of which a mention says little: everybody mentions a song or a cake.
_TELLING_CLASSES = frozenset(
    "diet language instrument animal medicine illness vehicle phone computer job allergen status".split()
)
_NO_SHAPES = frozenset(("word", "number"))


@dataclass(frozen=True, slots=True)
class Mention:
    """A value that a sentence names of its speaker's life.

    Attributes:
        value: The value.
        attribute: What it is of, as far as one can tell.
        is_past: Whether the sentence tells of a time that is over.
    """

    value: str
    attribute: str
    is_past: bool


def read_mention(text: str, participants: frozenset[str]) -> Mention | None:
    """The value that a sentence names of its speaker, if it is about them.

    Args:
        text: Written out, without openings.
        participants: First names, lower case, of those who take part.
    """
    headed = _HEADED.match(text)
    is_headed = headed is not None and headed["what"].split()[0].lower() not in _NO_TOPICS
    if not (
        is_headed or _DEFINES.match(text) or _OWN.search(text) or _OF_THE_FAMILY.match(text) or _SUBJECTLESS.match(text)
    ):
        return None
    stranger = _OF_A_STRANGER.match(text)
    if _NO_NEWS.search(text) or (stranger is not None and "job" in classes_of(stranger["who"])):
        return None
    best = next(
        (span for span in _sorted(spans(text)) if is_telling(span, participants) and not _is_in_front(span, text)), None
    )
    if best is None:
        return None
    what = headed["what"] if is_headed and headed is not None else _noun_of(text, best)
    return Mention(best.value, f"mention.{folded(what)}", bool(_PAST.search(text)))


# What somebody feels or does for somebody, rather than what is so.
_NO_NEWS = re.compile(
    r"\b(?:agree|agrees|sorry|thrilled|stoked|excited|joy|joyful|inspir\w+|awesome|amazing|passion|motivat\w+|difference|remind\w*|impact|proud|cute|fascinat\w+|stress|trust"
    r"|especially|seeing|sounds|dream|grateful|thankful|creativity|meaningful|express|love being|loving|special to|important to|for example|however|so cool|gotta|blast|various|sense of|spots|stories)\b",
    re.IGNORECASE,
)


_OF_A_STRANGER = re.compile(r"(?:my|our|the) (?P<who>[\w-]+)\b", re.IGNORECASE)


def _is_in_front(span: Span, text: str) -> bool:
    """Whether a value is one word with which the sentence begins: what has a capital there may be any noun."""
    if span.begin or " " in span.value or classes_of(span.value) & _TELLING_CLASSES or not span.value.isalpha():
        return False
    return not re.match(r" and (?:I|my)\b|'s\b", text[span.end :])


_DUMMY = re.compile(r"\b(?:it|that|this|there) (?:is|was|has been)\b", re.IGNORECASE)
_FINDS_ME = re.compile(
    r"\b(?:you will|you can|you) (?:usually |always |normally |mostly )?(?:find|catch|reach|see|get) (?:me|us)\b",
    re.IGNORECASE,
)


def can_be_understood(text: str, mention: Mention) -> bool:
    """Whether a sentence that names a value says enough alone: a pronoun beside a word of a class leaves no doubt of what it is."""
    text = _DUMMY.sub("there is", _FINDS_ME.sub("I am", text))
    is_sure = bool(classes_of(mention.value) & _TELLING_CLASSES) or shape_of(mention.value) not in (*_NO_SHAPES, "name")
    return not guards.speaks_to_somebody(text) and (stands_alone(text) or (is_sure and _OWN.search(text) is not None))


def slot_of_mention(mention: Mention, body: str) -> SlotReading:
    """The slot of a mention, whose statement is the sentence that names it: with another value it tells of that one."""
    escaped = body.replace("{", "{{").replace("}", "}}")
    template = escaped.replace(mention.value, "{value}", 1) if mention.value in escaped else "{s}: {value}"
    return SlotReading(mention.attribute, mention.value, template, "", adds=True)


def _sorted(found: list[Span]) -> list[Span]:
    """Names and codes first, then what has a class."""
    return sorted(found, key=lambda span: (shape_of(span.value) == "word", not classes_of(span.value)))


def is_telling(span: Span, participants: frozenset[str]) -> bool:
    """Whether a span is a value and not somebody who takes part."""
    words = {word.lower() for word in span.value.split()}
    classes = classes_of(span.value)
    if words & participants or (not classes and words <= values.NO_PLACES | values.NO_ORGANISATIONS):
        return False
    if span.value.lower().endswith("s") and "job" in classes:
        classes -= {"job"}
    return bool(classes & _TELLING_CLASSES) or shape_of(span.value) not in _NO_SHAPES


_NOUN_BEFORE = re.compile(
    r"(?:^|\b(?:the|my|our|a|an|his|her) )(?P<what>[a-z][\w-]*(?: [a-z][\w-]+)?) (?:is|are|at|with|by|called|goes by|of|for|from|in|on)\b[^,]*$",
    re.IGNORECASE,
)


def _noun_of(text: str, span: Span) -> str:
    found = _NOUN_BEFORE.search(text[: span.begin])
    classes = sorted(classes_of(span.value) & _TELLING_CLASSES)
    if classes:
        return classes[0]
    return found["what"] if found else shape_of(span.value)
