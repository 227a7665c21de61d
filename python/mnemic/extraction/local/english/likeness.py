"""Which values a text names, and which of two may stand in the place of the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import IntEnum

from mnemic.extraction.local.english import values
from mnemic.extraction.local.english.alternatives import any_of
from mnemic.extraction.local.english.lexicon.things import CLASSES, classes_of
from mnemic.extraction.local.english.values import DATE, MONTHS
from mnemic.extraction.local.english.verb_groups import VERB_FORMS
from mnemic.extraction.local.english.verbs import is_past

_NUMBER_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    " twenty thirty forty fifty sixty seventy eighty ninety"
).split()
_EMAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_NUMBER = rf"(?:{any_of(_NUMBER_WORDS)})(?:-(?:{any_of(_NUMBER_WORDS)}))?"
# Words that have a capital only because they begin something, or are no name of anything that a slot holds.
_NO_NAMES = frozenset(
    """i i'm i've my our we the a an it it's its is are was were he she they his her their this that these those there here not no yes
    oh ah ugh argh oops whoops sorry wait actually well so and but or because then now today tomorrow yesterday also just only
    hang hold scratch strike correction typo edit make let ha haha lol omg ok okay hey hi hello thanks thank please what who when
    where why how which if in at on to for from with by as of about after before since still update news turns got get have had
    has did do does don't guess looks looking new first last next big good bad great nice love hello dear mum mom dad god christmas
    easter january february march april may june july august september october november december spring summer autumn winter
    finally officially apparently lately recently technically basically honestly seriously clearly obviously anyway besides
    mine ours yours hers theirs your you me us him them someone somebody everyone everybody nobody whole all both every each some
    any more most much many few than too very quite really never always ever once twice again long day week month year time turned
    moved left quit sold bought joined started switched swapped changed gave given put took taken said meant wrote typed told
    monday tuesday wednesday thursday friday saturday sunday autocorrect brain blame misread misheard apologies pardon rather
    nope nah nearly almost maybe perhaps one two ten goodbye bye farewell adieu out can could would should will might must let's
    wife husband strictly hmm um er erm phew yikes gosh blimey right wrong another other same different my""".split()
)
_CAPITALS = r"(?:(?:Dr|Mr|Mrs|Ms|Prof|St)\.? )?(?:i(?=[A-Z]))?[A-Z][\w'&.+-]*\w\+?(?:(?: (?:of|de|da|la|le|the|and the|&|upon|von|van) | )(?:[A-Z\d][\w'&.+-]*\w\+?|[A-Z\d]))*"
_PLAIN = r"[a-z][\w'-]*(?: (?!(?:now|and|but|so|for|at|in|on|to|from|with|these|instead|too|as|because|since|that|which|who|by|again|then|of|is|are|was|or|if|when|while|not|I|my)\b)[a-z][\w'-]*){0,2}"
_SHAPED = re.compile(
    rf"(?P<address>{_EMAIL})"
    rf"|(?P<phone>(?<!\w)\+?\d[\d ()-]{{6,}}\d)"
    rf"|(?P<date>(?i:{DATE}))"
    r"|(?P<time>\b\d{1,2}[:.]\d\d(?: ?[ap]\.?m\.?)?\b|\b\d{1,2} ?[ap]m\b|\b(?:half|quarter) (?:past |to )?(?:[a-z]+)\b)"
    rf"|(?P<measure>\b\d+(?:[.,]\d+)? ?(?:foot|feet|ft|cm|kg|kilos?|stone|lbs?|pounds?|miles?|km|k|%|hours?|minutes?|metres?|meters?|percent)\b(?: \d+)?|[£$€]\d[\d,.]*k?)"
    rf"|(?P<code>\b(?:[A-Z]{{1,3}}\d{{1,2}} ?\d[A-Z]{{2}}|[a-z]+\d+\w*|\d+[a-z]\b)\b)"
    rf"|(?P<quoted>(?<![\w'])[\"“‘'](?!s\b)[^\"”’']{{2,40}}[\"”’'](?!\w))"
    rf"|(?P<name>\b{_CAPITALS})"
    rf"|(?P<number>\b\d+(?:\.\d+)?\b|\b(?i:{_NUMBER})\b)"
)
_OF_A_CLASS = re.compile(
    rf"(?<![\w-])(?:(?:{any_of(word.replace('-', ' ') for words in CLASSES.values() for word in words if '-' in word)})"
    rf"|(?:[a-z]+ )?(?:{any_of(word for words in CLASSES.values() for word in words)})s?(?: (?:team|shift|department|class|lessons|degree|course|milk|food|club))?)(?![\w-])"
    r"|\b(?:year|grade|class|form|room|floor|flat|seat|row|gate|platform|terminal|level|chapter|group|block|number) (?:\d+\w?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|[A-Z])\b"
    r"|\b(?:early|late|night|day|morning|evening) shift\b",
    re.IGNORECASE,
)
_AFTER_CUE = re.compile(
    rf"\b(?:is|are|am|'s|it's|to|for|an?|called|named|with|into|by|in|on|at|onto|like|love|prefer|the|some|meant|mean|said|be|become|became|than|do|play|have|eat|drink|use)"
    rf" (?:(?:actually|really|now|an?|the|being|doing|my|our|some|also|just|technically) )*(?P<value>{_PLAIN})"
)
_TITLE = re.compile(r"^(?:dr|doctor|mr|mrs|ms|prof)\.? ", re.IGNORECASE)
_MONTH = re.compile(rf"\b(?:{any_of(MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b|\d[-/]\d", re.IGNORECASE)


class Likeness(IntEnum):
    """How like two values are, from those that cannot be of one slot to those that nearly are one word."""

    NONE = 0
    SHAPE = 1
    CLASS = 2
    SPELLING = 3


@dataclass(frozen=True, slots=True)
class Span:
    """A value that a text names.

    Attributes:
        value: As it stands, without its article.
        begin: Where.
        end: Behind it.
    """

    value: str
    begin: int
    end: int


def spans(text: str) -> list[Span]:
    """The values that a text names, in order; none lies within another."""
    found: dict[tuple[int, int], Span] = {}
    for match in _SHAPED.finditer(text):
        for span in _named(match, text):
            found.setdefault((span.begin, span.end), span)
    for match in _OF_A_CLASS.finditer(text):
        for span in _classed(match):
            found.setdefault((span.begin, span.end), span)
    taken = sorted(found)
    for match in _AFTER_CUE.finditer(text):
        begin, end = match.span("value")
        if (
            values.is_value(match["value"])
            and match["value"].split()[-1] not in _NO_NAMES
            and not any(b < end and begin < e for b, e in taken)
        ):
            found.setdefault((begin, end), Span(match["value"], begin, end))
    return [
        found[begin, end]
        for begin, end in sorted(found)
        if not any(b <= begin and end <= e and (b, e) != (begin, end) for b, e in found)
    ]


def _named(match: re.Match[str], text: str) -> Iterator[Span]:
    kind, begin, end = match.lastgroup, match.start(), match.end()
    value = match[0].strip("\"“”‘’' ") if kind == "quoted" else match[0]
    if kind == "name":
        words = value.split()
        is_first = _begins_a_sentence(text, begin)
        while (
            words and words[0].lower().rstrip(".,") in _NO_NAMES and (is_first or words[0] != "New" or len(words) == 1)
        ):
            begin += len(words[0]) + 1
            words = words[1:]
        while words and words[-1].lower() in _NO_NAMES:
            end -= len(words[-1]) + 1
            words = words[:-1]
        value = " ".join(words)
        if not value or (value[:1].islower() and not value[:1].isdigit()):
            return
        if len(words) == 1 and _begins_a_sentence(text, begin) and not _is_name_in_front(value, text[end:]):
            return
        # "Anna's a nurse": whose, not what.
        if value.endswith("'s") and text[end : end + 1] == " ":
            return
    yield Span(value, begin, end)


def _begins_a_sentence(text: str, begin: int) -> bool:
    return begin == 0 or text[:begin].rstrip().endswith((".", "!", "?", ":"))


def _is_name_in_front(value: str, after: str) -> bool:
    """Whether the first word of a sentence is a name and has its capital not only from its place."""
    word = value.lower()
    if classes_of(word) or any(letter.isupper() or letter.isdigit() for letter in value[1:]):
        return True
    return not (is_past(word) or word in VERB_FORMS or word.endswith(("ing", "ly"))) and bool(
        re.match(r"\s*(?:[,.!;:–-]|$|is\b|has\b)", after)
    )


def _classed(match: re.Match[str]) -> Iterator[Span]:
    value, begin = match[0], match.start()
    first, _, rest = value.partition(" ")
    is_verb = first.lower() in VERB_FORMS or is_past(first.lower()) or first.endswith(("ly", "s"))
    is_verb = is_verb and "job" not in classes_of(rest)
    if rest and (is_verb or first.lower() in _NO_NAMES | _NO_ADJECTIVES):
        yield Span(rest, begin + len(first) + 1, match.end())
    else:
        yield Span(value, begin, match.end())


_NO_ADJECTIVES = frozenset(
    """a an the my our your of from on at in off over for and or but so now s m gone am is are be been was to into with by play plays playing learn learning speak speaks drink drinks eat eats eating allergic
    drive drives driving like likes loves love study studying fully going gone became become being does doing do called named
    has have having got get getting his her its old favourite favorite this that than little lovely used take taking teach teaches
    take up keep keeps own owns rescue adopt adopted small big work works working strictly really not tried try no trying
    without within off over under round bought sell sold lost found love hate avoid prefer started""".split()
)


def shape_of(value: str) -> str:
    """What a value looks like: an address, a phone number, a date, a time, a measure, a code, a number, a name or a word."""
    value = _tail(_TITLE.sub("", value.strip()))
    if _MONTH.search(value) and any(c.isdigit() for c in value):
        return "date"
    match = _SHAPED.match(value)
    if match is not None and match.end() == len(value) and match.lastgroup not in ("name", "quoted"):
        return str(match.lastgroup)
    if value[:1].isupper():
        return "name"
    if value.lower() in MONTHS:
        return "date"
    return "digits" if any(character.isdigit() for character in value) else "word"


def likeness(one: str, other: str) -> Likeness:
    """How like two values are.

    Of names and words the class decides if both have one ("Honda", "Volvo"); one that has a class and one that has none
    are alike in shape alone.
    """
    one, other = _TITLE.sub("", one.strip()), _TITLE.sub("", other.strip())
    if is_respelt(one, other):
        return Likeness.SPELLING
    first, second = classes_of(one), classes_of(other)
    if first and second:
        return Likeness.CLASS if first & second else Likeness.NONE
    if _shares_a_word(one, other):
        return Likeness.CLASS
    shapes = shape_of(one), shape_of(other)
    if shapes[0] == shapes[1]:
        return Likeness.CLASS if shapes[0] in _TELLING_SHAPES else Likeness.SHAPE
    return Likeness.SHAPE if set(shapes) in _MIXED else Likeness.NONE


def _shares_a_word(one: str, other: str) -> bool:
    """Whether two values are of one kind by a word of theirs: "early shift" and "night shift", "year three" and "Year four"."""
    first, second = one.lower().split(), other.lower().split()
    return (
        len(first) > 1 and len(second) > 1 and (first[-1] == second[-1] or first[0] == second[0]) and first[0] != "the"
    )


_TELLING_SHAPES = frozenset(("address", "phone", "date", "time", "measure", "code"))
_MIXED = ({"name", "digits"}, {"name", "code"}, {"number", "time"}, {"digits", "code"})
_LEAST_LETTERS = 4
_LEAST_RATIO = 0.72


def is_respelt(one: str, other: str) -> bool:
    """Whether two values differ so little that one may be a slip of the other: "Joanne" and "Joanna", "i10" and "i20"."""
    first, second = one.casefold(), other.casefold()
    if first == second or first.rstrip("s") == second.rstrip("s"):
        return False
    if any(character.isdigit() for character in first + second):
        # Of numbers only the digits may differ.
        plain = [re.sub(r"\d", "0", each) for each in (first, second)]
        return plain[0] == plain[1] and len(first) > 1 and not first.isdigit()
    if min(len(first), len(second)) < _LEAST_LETTERS:
        return first[:2] == second[:2] and abs(len(first) - len(second)) <= 1
    return first[:1] == second[:1] and SequenceMatcher(None, first, second, autojunk=False).ratio() >= _LEAST_RATIO


def _tail(value: str) -> str:
    """The name at the end of a value such as `dog Rex`, or the whole value."""
    head, _, rest = value.partition(" ")
    return rest if rest[:1].isupper() and head.islower() else value
