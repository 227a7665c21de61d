"""What a statement says, whatever its spelling: the form in which two statements are equal if nothing differs between
them that carries information.

The form keeps the words and their order. Only what is known to say nothing, or to say the same, is made alike:
punctuation at the end, contractions, the spelling of numbers, dates, clock times and units, British and American
spelling, a few fillers, a time that stands in front, the order of a plain list. Names, numbers, negations, tenses,
prepositions, articles and who does what to whom stay as they are. Where there is a doubt the forms differ: a repetition
that is kept costs a row, a statement that is merged away is lost.

Since forms are compared as wholes, "says the same" is an equivalence: what is merged does not depend on the order in
which statements come.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from mnemic.extraction.local.english.detection import is_english

Words = tuple[str, ...]

_SIGNS = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "−": "-"})
_TOKEN = re.compile(
    r"\d{4}-\d{2}-\d{2}(?!\d)|--\d{2}-\d{2}(?!\d)"
    r"|(?<![\w.,:/-])[-+]?\d+(?:[.,:/]\d+)*|\d+(?:[.,:/]\d+)*"
    r"|[^\W\d_]\w*(?:'[^\W\d_]+)*|'[^\W\d_]+|\S"
)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+)(?![\d,]|\.\d{3},)")
# Verbs by which short statements are told to be English, besides the words of any English text.
_VERBS = frozenset(
    """likes loves enjoys hates dislikes prefers speaks plays drinks eats owns uses wants needs knows studies teaches
    collects is has bought sold joined visited met married drives runs writes reads paid earns costs moved lived worked
    can can't cannot must does does not will won't didn't isn't aren't wasn't hasn't hadn't""".split()  # noqa: SIM905 (words)
)
_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()  # noqa: SIM905 (words)
    )
}
_TENS = {
    word: 10 * number
    for number, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_CONTRACTIONS = {"won't": ("will", "not"), "can't": ("can", "not"), "cannot": ("can", "not"), "i'm": ("I", "am")}
_ENDINGS = {"'re": "are", "'ve": "have", "'ll": "will"}
_NOT_ENDINGS = frozenset(
    "don't doesn't didn't isn't aren't wasn't weren't hasn't haven't hadn't wouldn't shouldn't couldn't mustn't needn't".split()  # noqa: SIM905,E501 (words)
)
# One of several spellings of the same word.
_SPELLINGS = {
    "favourite": "favorite",
    "favourites": "favorites",
    "colour": "color",
    "colours": "colors",
    "neighbour": "neighbor",
    "neighbours": "neighbors",
    "neighbourhood": "neighborhood",
    "grey": "gray",
    "mum": "mom",
    "travelling": "traveling",
    "travelled": "traveled",
    "organise": "organize",
    "organises": "organizes",
    "organised": "organized",
    "centre": "center",
    "theatre": "theater",
    "programme": "program",
}
_UNITS = {
    "km": "kilometer",
    "kilometre": "kilometer",
    "kilometres": "kilometer",
    "kilometers": "kilometer",
    "kg": "kilogram",
    "kilograms": "kilogram",
    "cm": "centimeter",
    "centimetre": "centimeter",
    "centimetres": "centimeter",
    "centimeters": "centimeter",
    "%": "percent",
    "hrs": "hour",
    "hr": "hour",
    "hours": "hour",
    "minutes": "minute",
    "mins": "minute",
    "days": "day",
    "weeks": "week",
    "months": "month",
    "years": "year",
    "miles": "mile",
    "euros": "euro",
    "EUR": "euro",
    "€": "euro",
}
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("January", "Jan"),
            ("February", "Feb"),
            ("March", "Mar"),
            ("April", "Apr"),
            ("May",),
            ("June", "Jun"),
            ("July", "Jul"),
            ("August", "Aug"),
            ("September", "Sept", "Sep"),
            ("October", "Oct"),
            ("November", "Nov"),
            ("December", "Dec"),
        ),
        1,
    )
    for name in names
}
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})\b(?:\.(?=\s+\d))?"
_DAY = r"(?<![\w.,:/-])(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?P<year>\d{4})(?![\w]|[.,:/-]\d))?"
_DATES = (
    re.compile(rf"{_DAY}\s+(?:of\s+)?{_MONTH}{_YEAR}"),
    re.compile(rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?![\w]|[.,:/-]\d){_YEAR}"),
)
_CLOCK = re.compile(
    r"(?<![\w.,:/-])(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s?(?P<half>[ap])(?:\.m\.|m\b)", re.IGNORECASE
)
_COMPOUND = re.compile(r"(?<=[a-z\d])-(?=[a-z])")
_MONEY = re.compile(r"€\s?(\d[\d.,]*\d|\d)")
_WEEKDAYS = frozenset("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())  # noqa: SIM905 (words)
_DATE = re.compile(r"(?:\d{4}-|--)\d{2}-\d{2}")
_YEAR_ALONE = re.compile(r"(?:19|20)\d{2}")
# Words that a sentence may begin with and that are no names.
_CLOSED = frozenset(
    "the a an in on at since i you he she it we they his her their my our your this that these those user".split()  # noqa: SIM905 (words)
)
_TITLES = frozenset("Dr Mr Mrs Ms Prof St".split())  # noqa: SIM905 (words)
_LINKING = frozenset("is are was were lives works has have owns drives uses studies".split())  # noqa: SIM905 (words)
# What is told with one of these and then listed is the same in any order.
_LISTING = frozenset(
    "likes loves enjoys hates dislikes speaks plays drinks eats knows studies teaches collects".split()  # noqa: SIM905 (words)
)
# A time in front of a clause with one of these is the time of what it tells, as it is at the end.
_EVENTS = frozenset(
    """moved lived started joined left visited bought sold married graduated worked met finished adopted began became
    won retired""".split()  # noqa: SIM905 (words)
)
# With one of these the clause is not the only one, so that a time at the end may be that of another.
_MORE_CLAUSES = frozenset(
    [
        ",",
        ";",
        ":",
        ".",
        "-",
        "(",
        ")",
        '"',
        "?",
        "and",
        "but",
        "or",
        "that",
        "who",
        "which",
        "when",
        "while",
        "because",
        "if",
        "before",
        "after",
        "since",
    ]
)


def words_of(text: str) -> Words:
    """The form of a statement: texts of which it is equal say the same.

    Args:
        text: The statement. Of another language than English only white space, the kinds of quotation marks and dashes,
            compatible characters and the point at the end are made alike.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).translate(_SIGNS).split())
    if not _is_english(plain):
        return tuple(_without_end(_TOKEN.findall(plain)))
    tokens = _without_end(list(_spelled(_TOKEN.findall(_with_times(plain)))))
    for step in (_numbered, _measured, _without_fillers, _time_last, _sorted_list):
        tokens = step(tokens)
    return tuple(tokens)


def _is_english(text: str) -> bool:
    return is_english(text) or not _VERBS.isdisjoint(text.split())


def _without_end(tokens: Sequence[str]) -> list[str]:
    """Without the point or exclamation mark at the end. A question mark says something."""
    end = len(tokens)
    while end and tokens[end - 1] in ".!":
        end -= 1
    return list(tokens[:end])


def _with_times(text: str) -> str:
    """With dates and clock times in one notation, without the commas of thousands and the hyphens of compounds."""
    for pattern in _DATES:
        text = pattern.sub(_date, text)
    text = _CLOCK.sub(_clock, text)
    text = _THOUSANDS.sub(lambda found: found[1].replace(",", ""), text)
    text = _MONEY.sub(r"\1 €", text)
    return _COMPOUND.sub(" ", text)


def _date(found: re.Match[str]) -> str:
    day = int(found["day"])
    if not 1 <= day <= 31:
        return found[0]
    year = found["year"]
    return f"{f'{year}-' if year else '--'}{_MONTHS[found['month']]:02}-{day:02}"


def _clock(found: re.Match[str]) -> str:
    hour, minute = int(found["hour"]), found["minute"] or "00"
    if not 1 <= hour <= 12:
        return found[0]
    hour = hour % 12 + (12 if found["half"] in "pP" else 0)
    return f"{hour}:{minute}"


def _spelled(tokens: Sequence[str]) -> Iterator[str]:
    """Contractions as the words that they stand for, words in one spelling, the first word as within a sentence."""
    for position, word in enumerate(tokens):
        folded = word.casefold()
        stem, _, ending = word.rpartition("'")
        if folded in _CONTRACTIONS:
            yield from _CONTRACTIONS[folded]
        elif folded in _NOT_ENDINGS:
            yield from (word[:-3] if position else word[:-3].casefold(), "not")
        elif stem and f"'{ending.casefold()}" in _ENDINGS:
            yield from (_beginning(stem, position), _ENDINGS[f"'{ending.casefold()}"])
        elif stem and ending in {"s", "S"}:
            # Whose it is, or "is", or "has".
            yield from (_beginning(stem, position), "'s")
        elif word == "." and position and tokens[position - 1] in _TITLES:
            continue
        elif word == "&" and 0 < position < len(tokens) - 1:
            yield "&"
        else:
            yield _SPELLINGS.get(word, _beginning(word, position))


def _beginning(word: str, position: int) -> str:
    """A word as within a sentence, if it is one that may begin it and is no name."""
    folded = word.casefold()
    return folded if position == 0 and folded in _CLOSED and word != "I" else word


def _numbered(tokens: Sequence[str]) -> list[str]:
    """Numbers in words as digits."""
    made: list[str] = []
    skip = False
    for word, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if skip:
            skip = False
            continue
        unit = _NUMBER_WORDS.get(following, "")
        if word in _TENS and len(unit) == 1 and unit != "0":
            made.append(str(_TENS[word] + int(unit)))
            skip = True
        elif word in _TENS:
            made.append(str(_TENS[word]))
        else:
            made.append(_NUMBER_WORDS.get(word, word))
    return made


def _measured(tokens: Sequence[str]) -> list[str]:
    """Units in one spelling, behind a number."""
    return [
        _UNITS.get(word, word) if position and _NUMBER.fullmatch(tokens[position - 1]) else word
        for position, word in enumerate(tokens)
    ]


def _without_fillers(tokens: Sequence[str]) -> list[str]:
    """Without words that add nothing to a statement that is kept because it holds."""
    kept: list[str] = []
    for position, word in enumerate(tokens):
        before = tokens[position - 1] if position else ""
        after = tokens[position + 1] if position + 1 < len(tokens) else ""
        if _is_filler(position, word, before, after):
            continue
        kept.append(word)
    if kept[-2:] == ["as", "well"]:
        kept = kept[:-2]
    elif kept[-1:] == ["too"] and len(kept) > 2:
        kept = kept[:-1]
    while kept[-1:] == [","]:
        kept.pop()
    return kept


def _is_filler(position: int, word: str, before: str, after: str) -> bool:
    if word == "the":
        return after == "user" or (position == 0 and after == "User")
    if word == "also":
        return bool(after) and before not in {"not", "but", ","}
    if word == "currently":
        return before in _LINKING or after in _LINKING
    if word == "on":
        return _DATE.fullmatch(after) is not None
    # The comma before the last of a list.
    return word == "," and after in {"and", "or"}


def _time_last(tokens: Sequence[str]) -> list[str]:
    """With a time that stands in front of the only clause behind it."""
    tokens = list(tokens)
    length = _length_of_time(tokens)
    if not length:
        return tokens
    rest = tokens[length:]
    if rest[:1] == [","]:
        rest = rest[1:]
    is_plain = len(rest) > 2 and not _MORE_CLAUSES.intersection(rest) and not _EVENTS.isdisjoint(rest[1:3])
    return [*rest, *tokens[:length]] if is_plain else tokens


def _length_of_time(tokens: Sequence[str]) -> int:
    """How many words the time has that a statement begins with."""
    if not tokens:
        return 0
    if _DATE.fullmatch(tokens[0]):
        return 1
    if tokens[0] != "in":
        return 0
    if len(tokens) > 2 and tokens[1] in _MONTHS and _YEAR_ALONE.fullmatch(tokens[2]):
        return 3
    return 2 if len(tokens) > 1 and (tokens[1] in _MONTHS or _YEAR_ALONE.fullmatch(tokens[1])) else 0


def _sorted_list(tokens: Sequence[str]) -> list[str]:
    """With the single words of a plain list at the end in one order."""
    tokens = list(tokens)
    verb = next((position for position, word in enumerate(tokens) if word in _LISTING), None)
    if verb is None:
        return tokens
    items = tokens[verb + 1 :]
    words, separators = items[::2], items[1::2]
    is_list = len(items) > 2 and len(items) % 2 == 1 and separators == [","] * (len(separators) - 1) + ["and"]
    if not is_list or not all(word.isalpha() for word in words) or _MORE_CLAUSES.intersection(words):
        return tokens
    return [*tokens[: verb + 1], "and", *sorted(words)]
