"""How a sentence relates to what was said before: taking it back, changing it, adding to it or naming what it was about.

Two things are told apart. A *remark* ("my mistake", "scratch that", "wrong hospital") says that something was wrong and nothing more; with it
what the message tells is a correction. A *fragment* ("make that 47", "Porto, not Lisbon", "it's Ben now", "her name is Mia") has a value
and leaves the attribute to what was said before; `references` finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from mnemic.extraction.local.english import values


class Relation(Enum):
    """What a fragment does with the value that it refers to."""

    CORRECTS = auto()
    CHANGES = auto()
    ADDS = auto()
    NAMES = auto()


@dataclass(frozen=True, slots=True)
class Fragment:
    """A value whose attribute was told before.

    Attributes:
        relation: What it does.
        value: What is right, new or added.
        wrong: What was wrong, or empty where the speaker does not say.
        noun: What it is said of, where that is told ("the other dog"; "name" of "her name is"), or empty.
    """

    relation: Relation
    value: str
    wrong: str = ""
    noun: str = ""


_WRONG_THING = r"(?:wrong|incorrect|not (?:right|correct|true)|mistaken|backwards|nonsense|rubbish|a lie|a typo|muddled|mixed up|outdated)"
_REMARK = re.compile(
    r"\b(?:correction|typo|edit(?=:)|fix(?=:)|scratch (?:that|this|it)|strike that|let me (?:correct|rephrase|fix|clarify|amend|start (?:over|again)|try (?:that )?again|put (?:that|it) right|set that straight)"
    r"|(?:ignore|disregard|forget|delete|cancel) (?:that|this|my (?:last|previous|earlier)|what I|the last|the previous)|I stand corrected|correct(?:ing)? myself|misspoke|mistyped|mis-?wrote|mis-?remember(?:ed)?"
    r"|(?:I )?(?:meant|mean) (?:to (?:say|write|type|put|tell)|I |we |my |our )|I (?:meant|mean)\b(?! it\b| that\b| well\b)|should have (?:said|written|put|been)|ought to have (?:said|been)|my (?:mistake|bad|error|fault|brain)|slip of the (?:tongue|pen|finger)"
    rf"|made (?:a|an) (?:mistake|error|typo)|(?:I|we) (?:was|were) (?:wrong|mistaken|off|thinking of)|(?:got|get|getting|had|have|put|gave|said|told|wrote|named|typed|been getting)\b[^.!?]{{0,40}}?\b{_WRONG_THING}"
    rf"|(?:that|it|this|which) (?:is|was|were)(?: \w+)? {_WRONG_THING}|what am I (?:saying|on about|talking about)|auto-?correct|thinko|brain ?fart|(?:^|[,;:!] ?)wrong \w+|the wrong \w+|mixed (?:\w+ ){{0,3}}up|mix (?:\w+ ){{0,3}}up|muddled|confused (?:\w+ ){{0,3}}with"
    r"|don't know why I (?:said|typed|wrote)|no idea why I (?:said|typed|wrote)|not sure why I (?:said|typed|wrote)|I (?:said|wrote|put|typed)\b[^.!?]{1,50}\bbut (?:I meant|it is|it was|actually)|double-checked|I lied\b|I checked and|turns out (?:it|I|she|he|they|we|the)\b)",
    re.IGNORECASE,
)
_INTERJECTION = re.compile(
    r"^(?:(?:no|nope|nah|wait|hang on|hold on|sorry|so sorry|oops|ops|oopsie|whoops|actually|hmm+|oh|ah|ahh|er|erm|um|uh|well|ugh|argh|d'oh|doh|gah|apologies|pardon|ha|haha|lol|omg|yikes|and|but|so|okay|ok|right|rather"
    r"|in fact|to be (?:clear|precise|exact)|i mean|bloody hell|damn|crikey|sheesh|blimey|not)(?:(?<!not)|(?=,))\b[,.:! -]*)+",
    re.IGNORECASE,
)
# With one of these in front of a whole message it takes back the one before.
_SLIP = re.compile(
    r"^(?:[\w' -]{1,40}, (?:sorry|oops|whoops|my bad)\b|(?:oh |ah |um |er |hm+,? )*(?:oops|whoops|argh|ack|gah|d'oh|doh|wait|hang on|hold on|no wait|oh no|no|nope|sorry|apologies)\b(?=[,.!:-]| wait| no| sorry))",
    re.IGNORECASE,
)
# With one of these in front a bare value, or "it is" and a value, takes back the last one.
_DOUBT = re.compile(
    r"^(?:oh |ah |um |er |uh |hm+ )*(?:no|nope|wait|hang on|hold on|sorry|oops|whoops|actually|argh|ugh|apologies|d'oh|doh|rather)\b(?! (?:problem|worries|idea|way|one))",
    re.IGNORECASE,
)
_LEADING_REMARK = re.compile(
    r"^(?:(?:correction|typo|edit|fix|scratch that|strike that|my (?:mistake|bad|error)|I (?:meant|mean)(?: to (?:say|write|type|put))?|meant(?: to (?:say|write))?|I should have (?:said|written|put)"
    r"|I misspoke|let me (?:correct|rephrase|fix|clarify)(?: that| myself| this| it)?|I stand corrected|what am I saying|make that|make it|change that to|it should (?:be|say|read|have been)|that should (?:be|say|read|have been)"
    r"|should (?:be|say|read|have been)|read(?: that)? as|I was wrong|turns out)\b[,.:;! -]*)+",
    re.IGNORECASE,
)
_VALUE = r"(?P<value>[\w'&+./@-]+(?: [\w'&+./@-]+){0,3}?)"
_WRONG = r"(?P<wrong>[\w'&+./@-]+(?: [\w'&+./@-]+){0,3}?)"
_TO = r"(?:(?:in|at|to|on|for|with|an?|the|called|named|spelled|spelt|number) )*"
_IS = r"(?:it|that|this|ours|mine|his name|her name|its name|the name|their name|the answer|the (?:right|correct|real) (?:one|name|\w+)) (?:is|was|should be)"
_TAIL = r"(?:,? (?:with|without|as in|for the record|sorry|apologies|oops|my bad|my mistake|of course|obviously|instead|I mean|promise)\b.*)?$"
_SURELY = r"(?: (?:actually|really|in fact|obviously|of course|definitely))?"
_CORRECTING = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^it is {_TO}{_VALUE} (?:that )?(?:I|we|he|she|(?-i:[A-Z]\w+)) (?:am |is )?(?-i:[a-z]+)(?: \w+)?,? not {_TO}{_WRONG}{_TAIL}",
        rf"^(?:{_IS}{_SURELY} )?{_TO}{_VALUE},? (?:and |but |rather than |instead of )?not {_TO}{_WRONG}{_TAIL}",
        rf"^(?:{_IS}{_SURELY} )?{_TO}{_VALUE} (?:rather than|instead of) {_TO}{_WRONG}{_TAIL}",
        rf"^(?:(?:I|we) (?:said|wrote|put|typed|told you) )?(?:it is |it was )?not {_TO}{_WRONG}(?:,| -| but|;|!) (?:but )?(?:it is |{_IS} )?{_TO}{_VALUE}{_TAIL}",
        rf"^(?:earlier )?(?:I|we) (?:said|wrote|put|typed|told you|mentioned) {_TO}{_WRONG},? (?:but|when) (?:I|we)? ?(?:(?:actually|really) )?(?:meant|mean|it is|it was|should have (?:said|been)){_SURELY}(?: to say)? {_TO}{_VALUE}{_TAIL}",
        rf"^(?:I|we) (?:mixed up|confused) {_TO}{_WRONG} (?:and|with) {_TO}{_VALUE}{_TAIL}",
    )
)
_MARKED = re.compile(rf"^(?:{_IS}{_SURELY} )?{_TO}{_VALUE}{_TAIL}", re.IGNORECASE)
_ACTUALLY = re.compile(
    rf"^(?:and |but |so )?(?:{_IS} (?:actually|really|in fact)|actually,? {_IS}) {_TO}{_VALUE}{_TAIL}", re.IGNORECASE
)
_NOW = re.compile(
    rf"^(?:now )?{_IS} (?:now )?{_TO}{_VALUE}(?: (?:now|these days|nowadays|from now on|instead))?$",
    re.IGNORECASE,
)
_SAYS_NOW = re.compile(r"\b(?:now|these days|nowadays|from now on|instead|changed|switched)\b", re.IGNORECASE)
_OTHER = re.compile(
    rf"^(?:and )?the (?:other|second|new|third)(?: (?P<noun>\w+))? is (?:called |named )?{_TO}{_VALUE}$", re.IGNORECASE
)
_NAMING = re.compile(
    rf"^(?:and |so )?(?:(?:his|her|its|their)(?: new)? name is|(?:he|she|it) is (?:called|named)|(?:we|I|they) (?:have )?(?:named|called|are calling|call|am calling) (?:him|her|it|them)(?: after)?|(?:named|called)(?: (?:him|her|it))?|name is|goes by)"
    rf" (?P<value>{values.NAME})\b",
    re.IGNORECASE,
)
_BEGINS_A_CLAUSE = re.compile(
    r"(?:I|my|we|our|the|you|he|she|they|it|this|that|there|not|no|so|too|very|just)\b", re.IGNORECASE
)
_STARRED = re.compile(r"^\*\s?(?P<value>[\w'&./-]+(?: [\w'&./-]+){0,3})\*?(?:[.,!]|$)")
_DENIES_ANOTHER = re.compile(
    r", not (?:in |at |an? |the )?[\w'&-]+(?: [\w'&-]+){0,2}$|\bI (?:misspoke|was wrong)\b", re.IGNORECASE
)


_WITHIN = re.compile(
    r"\s*[,;–-]+\s*(?=(?:no|sorry|oops|wait|actually)?,? ?(?:I meant|I mean|make that|scratch that|correction)\b)|\s*[,;–-]+\s*(?=(?:no|sorry|wait|oops),? )",
    re.IGNORECASE,
)


def before_and_after(text: str) -> list[str]:
    """A sentence cut where its speaker takes back its beginning: "I live in Lisbon, no, I meant Porto"."""
    return _WITHIN.split(text, maxsplit=1)


def takes_back(text: str) -> bool:
    """Whether a text says that something said before was wrong."""
    return bool(_REMARK.search(text))


def slips(body: str) -> bool:
    """Whether a message begins as one does that takes back the last one."""
    return bool(_SLIP.match(body.strip()))


def starred(body: str) -> str:
    """The value of a message that corrects a word as people do who type: "*aikido"."""
    match = _STARRED.match(body.strip())
    return match["value"] if match else ""


def without_remarks(text: str) -> str:
    """What a sentence tells behind "no, sorry, I meant"."""
    while True:
        shorter = _LEADING_REMARK.sub("", _INTERJECTION.sub("", text))
        if shorter == text:
            return text
        text = shorter


def read_fragment(text: str, *, is_taken_back: bool) -> Fragment | None:
    """The fragment that a piece of a sentence is, if it is nothing else.

    Args:
        text: Written out, with its openings: a "no" is the point.
        is_taken_back: Whether its message says that something was wrong: a bare value is a correction then.
    """
    core = without_remarks(text)
    naming = _NAMING.match(core)
    if naming is not None:
        return Fragment(Relation.NAMES, naming["value"], noun="name" if " is " in f" {naming[0]}" else "")
    other = _OTHER.match(core)
    if other is not None and _is_plain(other["value"]):
        return Fragment(Relation.ADDS, values.without_article(other["value"]), noun=(other["noun"] or "").lower())
    for pattern in _CORRECTING:
        match = pattern.match(core)
        if match is not None and _is_plain(match["value"]):
            relation = Relation.CHANGES if _SAYS_NOW.search(core) else Relation.CORRECTS
            return Fragment(relation, values.without_article(match["value"]), values.without_article(match["wrong"]))
    match = _ACTUALLY.match(core) or _SPELT.match(core)
    if match is not None and _is_plain(match["value"]):
        return Fragment(Relation.CORRECTS, values.without_article(match["value"]))
    if _SAYS_NOW.search(core):
        match = _NOW.match(core)
        if match is not None and _is_plain(match["value"]):
            return Fragment(Relation.CHANGES, values.without_article(match["value"]))
    if (
        is_taken_back
        or _DOUBT.match(text)
        or (core != text.strip() and _LEADING_REMARK.match(_INTERJECTION.sub("", text)))
    ):
        match = _MARKED.match(core)
        # A bare word may be a mood: "Mortifying".
        is_mood = match is not None and core == match["value"] and _MOOD.match(core) is not None
        if match is not None and not is_mood and _is_plain(match["value"]):
            return Fragment(Relation.CORRECTS, values.without_article(match["value"]))
    return None


def _is_plain(value: str) -> bool:
    return values.is_value(value) and not (_BEGINS_A_CLAUSE.match(value) or _HAS_VERB.search(value))


# "It's Steven, with a v": what is spelt out was written wrong.
_SPELT = re.compile(
    rf"^(?:{_IS} )(?:spelled |spelt )?(?P<value>(?-i:[A-Z])[\w'. -]*?),? (?:with|without|as in|no (?-i:[a-zA-Z])\b|[a-z]-[a-z]-)",
    re.IGNORECASE,
)
_HAS_VERB = re.compile(
    r"\b(?:is|are|was|were|am|has|have|had|do|did|will|called|named)\b|^(?:an?|the|my|our)$", re.IGNORECASE
)


_MOOD = re.compile(
    r"^(?:(?:\w+(?:ing|ed|ly))|sorry|thanks|cheers|whatever|silly|stupid|classic|typical|oh dear|good grief|promise|honestly|never mind|long day|not enough \w+|"
    r"too \w+|no idea|numbers|names|autocorrect|bloody|wrong|same|anyway|lol|haha|phew)\b",
    re.IGNORECASE,
)
_PIECES = re.compile(r"\s*[,;:!]\s+|\s+[-–—]+\s+|[–—]|\s+(?:but|and|because) (?=(?:it|that|I)\b)")


def names_later(text: str) -> bool:
    """Whether a sentence may name what it told of: "I've got a hamster too, he's called Nugget"."""
    return bool(_NAMES_LATER.search(text))


_NAMES_LATER = re.compile(
    r"\b(?:he|she|it) is (?:called|named)|\b(?:his|her|its) name is|\b(?:called|named) (?:him|her|it)\b", re.IGNORECASE
)


def pieces(text: str) -> Iterator[str]:
    """What a sentence tells from each of its commas on, to its end and to the next one: a remark stands before a value."""
    places = [0, *(match.end() for match in _PIECES.finditer(text))]
    ends = [*(match.start() for match in _PIECES.finditer(text)), len(text)]
    for begin, end in zip(places, ends, strict=True):
        if begin:
            yield text[begin:].strip()
        if text[begin:end].strip():
            yield text[begin:end].strip()


_CLEFT = re.compile(
    r"^(?:no,? |sorry,? )?it is (?:actually )?(?P<value>(?-i:(?:number )?[A-Z\d][\w'&./-]*(?: [\w'&./-]+){0,3}?)) (?:that )?(?P<who>I|we|(?-i:[A-Z]\w+)|he|she) (?P<verb>(?:am |is |are )?[a-z]+(?: (?:in|at|to|for|with|on|by))?)(?P<tail>,.*)?$",
    re.IGNORECASE,
)
# Of a thing the preposition is left behind: "it's walnuts I'm allergic to".
_STRANDED = re.compile(
    r"^(?:no,? |sorry,? )?it is (?:actually )?(?P<value>[\w'-]+(?: [\w'-]+)?) (?:that )?(?P<who>I|we|he|she) (?P<verb>(?:am |is |are )?[\w ]{2,20}? (?:to|at|in|for|with|on))(?P<tail>,.*)?$",
    re.IGNORECASE,
)
_PSEUDO_CLEFT = re.compile(
    r"^what (?P<who>[\w' ]+?) (?:really |actually )?(?P<verb>is|am|are),? is,? (?P<value>.+)$", re.IGNORECASE
)
_HEADED = re.compile(
    r"^(?:and |so |now )*(?:the|another|one other|one more|a second|one) (?:only |main |other |new )*(?P<noun>[\w-]+(?: [\w-]+)?) (?:that |which )?(?P<who>I|we) (?P<verb>(?:am |are |have been )?[a-z]+(?: (?:at|in|for|on|with|to))?)(?: (?P<when>at the moment|right now|now|currently|these days))?"
    r" (?:is|are)(?: now)?(?: (?P<called>called|named))?,? (?P<value>.+)$",
    re.IGNORECASE,
)


# "I've got a new dentist, Dr Oyelaran": what is new, and then what it is.
_NEW_THING = re.compile(
    r"^(?:(?:I|we) (?:have |had )?(?:(?:just|now|also|finally|recently|already) )*(?:got|have|found|get|picked up|started using|signed up for|been given|been assigned|am on|are on|moved to|switched to|changed to|ended up with|acquired) "
    r"|(?:there is|it is|meet|say hello to|update:|new:) )?(?:myself |ourselves )?(?P<which>an?|my|our|the|another)? ?(?P<new>(?:brand[- ])?new|second|third|different|additional|extra|other|spare|work|proper)?"
    r" ?(?P<what>(?:favou?rite )?[a-z][\w-]*(?: [a-z][\w-]*)?)(?P<too> (?:too|as well|now|at work|these days))*(?:,? (?:called|named|and (?:it|he|she) is(?: called| named)?|(?:it|he|she|which|who) is(?: called| named)?|(?:his|her|its|their) name is|and (?:his|her|its|their) name is)|:|,| -| –)"
    r" (?:an? |the )?(?P<value>(?-i:[A-Z\d+])[\w'&.+@-]*(?: (?:of |the |de )?(?-i:[A-Z\d])[\w'&.-]*)*)(?P<tail>[,.;!:].*| (?:now|and|so|but|for|because|since|who|which|at|in)\b.*)?$",
    re.IGNORECASE,
)
_FURTHER_THING = re.compile(r"^(?:second|third|additional|extra|other|spare)$", re.IGNORECASE)


def thing_first(text: str) -> str:
    """A sentence that tells of a new thing and what it is as one that tells what the thing is: "my new dentist is Dr Oyelaran"."""
    match = _NEW_THING.match(text)
    if (
        match is None
        or not (match["new"] or match["too"] or match["which"])
        or _NO_THINGS & set(match["what"].lower().split())
    ):
        return text
    is_further = bool(
        match["too"] or (match["which"] or "").lower() == "another" or _FURTHER_THING.match(match["new"] or "")
    )
    if not (is_further or match["new"]):
        return text
    too = " as well" if is_further else ""
    return f"my {'' if is_further else 'new '}{match['what']} is {match['value']}{too}"


_NO_THINGS = frozenset(
    "is are was has have been called named one thing things news bit lot of and in at on with for to day week month year life chapter era plan idea start few couple".split()
)


def uncleft(text: str) -> str:
    """A sentence in the plain order of its words: "it's St Mark's that Poppy goes to" as "Poppy goes to St Mark's"."""
    match = _CLEFT.match(text) or _STRANDED.match(text)
    if match is not None:
        return f"{match['who']} {match['verb']} {match['value']}{match['tail'] or ''}"
    match = _PSEUDO_CLEFT.match(text)
    if match is not None:
        return f"{match['who']} {match['verb']} {match['value']}"
    match = _HEADED.match(text)
    if match is not None:
        only = (
            "also "
            if _ANOTHER_ONE.match(text)
            else "only "
            if re.match(r"^(?:and |so )?the only ", text, re.IGNORECASE)
            else ""
        )
        noun = (
            f"the {match['value']} {match['noun']}"
            if match["called"] and match["noun"].lower() == "project"
            else match["value"]
        )
        return f"{match['who']} {only}{match['verb']} {noun}"
    return text


_ANOTHER_ONE = re.compile(r"^(?:and |so |now )*(?:another|one|a second|the other)\b", re.IGNORECASE)


def denies_another(clause: str) -> bool:
    """Whether a statement corrects an earlier one by itself: "I live in Porto, not Lisbon"."""
    return bool(_DENIES_ANOTHER.search(clause))
