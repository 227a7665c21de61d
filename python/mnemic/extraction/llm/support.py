"""Whether the messages say what a candidate says: its names, its numbers and its dates must occur in them.

A check by words cannot tell a true statement from a false one of the same words. It does stop what models invent:
people who were never named, prices, dates, and sentences of the prompt's own example.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from mnemic import _core
from mnemic.extraction.llm.iso_time import IsoTime
from mnemic.extraction.reasons import Dropped
from mnemic.model.fact import ExtractionRequest, SourceMessage
from mnemic.model.memory import from_micros

_DAY_MICROS = 86_400_000_000
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LIKE_A_NAME = re.compile(r"(?<![\w'’-])[^\W\d_a-z][\w'’-]*")
_WORD = re.compile(r"[^\W_]+")
_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
} | {"first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "once": "1", "twice": "2", "thirty": "30"}
# Capitalised in English without being names of anything that could be invented.
_NO_NAMES = frozenset(
    """the a an i monday tuesday wednesday thursday friday saturday sunday january february march april may june july
    august september october november december user assistant spring summer autumn fall winter""".split()  # noqa: SIM905 (words)
)
# Of the terms of a fact so many must be said; the rest may be paraphrase.
_LEAST_SHARED_TERMS = 0.3
# A name in another form ("Lissabons", "Anna's"): so much of its beginning must agree.
_LEAST_STEM = 4
_EVER_SINCE, _FOR_EVER = -(2**62), 2**62
_GERMAN = frozenset(
    ("ich", "und", "der", "die", "das", "nicht", "ein", "eine", "mit", "im", "ist", "wir", "zu", "mein")
)
_LEAST_GERMAN = 2


class Support:
    """What the messages of one request say.

    Names may be told from anything that the model was shown, for it is asked to put names for pronouns. Numbers and
    dates are the sources' own, and those of the message right before one: "Is it 25?" "Yes."
    """

    def __init__(self, request: ExtractionRequest) -> None:
        self._offset_minutes = request.utc_offset_minutes
        self._messages = request.messages
        everyone = (*request.context, *request.messages)
        self._order = sorted(everyone, key=lambda message: (message.said_at_micros, message.create_time_micros))
        shown = [*(f"{message.name} {message.body}" for message in everyone), *(fact.body for fact in request.known)]
        self._words = {word for text in shown for word in _words(text)}
        self._terms = {term for text in shown for term in _core.tokenize(text)}

    def refusal(
        self, text: str, names: Iterable[str], sources: Sequence[SourceMessage], time: IsoTime | None
    ) -> Dropped | None:
        """Why a candidate is not supported; None if it is.

        Args:
            text: The statement.
            names: The names that the model says are in it.
            sources: The messages that it rests on.
            time: When it says that it happened.
        """
        said = self._with_previous(sources)
        ranges = self._ranges(said)
        if time is not None and not _overlaps(time.start_micros, time.end_micros, ranges):
            return Dropped.UNSUPPORTED_DATE
        rest = self._without_dates(text, said[0].said_at_micros, ranges)
        if rest is None:
            return Dropped.UNSUPPORTED_DATE
        known = {number for message in said for number in _numbers(f"{message.name} {message.body}")}
        # In languages whose dates the core does not read, the parts of a date stand alone.
        known |= set(_parts(time)) if time is not None else set()
        if not known.issuperset(_digits(rest)):
            return Dropped.UNSUPPORTED_NUMBER
        if not all(self._has_name(name) for name in (*names, *self._capitalised(text, sources))):
            return Dropped.UNSUPPORTED_NAME
        return None if self._has_words(text) else Dropped.UNSUPPORTED_WORDS

    def _with_previous(self, sources: Sequence[SourceMessage]) -> list[SourceMessage]:
        said = list(sources)
        for source in sources:
            place = self._order.index(source)
            if place:
                said.append(self._order[place - 1])
        return said

    def _ranges(self, said: Sequence[SourceMessage]) -> list[tuple[int, int]]:
        """The times that messages name, every way to understand them, and the days around their own.

        Two days are allowed on each side: weeks begin on other days elsewhere, and "two weeks ago" is no exact day.
        """
        ranges = []
        for message in said:
            moment = message.said_at_micros
            ranges.append((moment - _DAY_MICROS, moment + _DAY_MICROS))
            for found in _core.find_times(
                message.body, reference_micros=moment, utc_offset_minutes=self._offset_minutes
            ):
                bounds = [(found.start_micros, found.end_micros), *((a, b) for a, b, _ in found.alternatives)]
                ranges += [
                    (_or(a, _EVER_SINCE) - 2 * _DAY_MICROS, _or(b, _FOR_EVER) + 2 * _DAY_MICROS) for a, b in bounds
                ]
        return ranges

    def _without_dates(self, text: str, said_at_micros: int, ranges: Sequence[tuple[int, int]]) -> str | None:
        """The statement without the times that the messages name as well; None if it has a date that they do not."""
        rest = text
        found = _core.find_times(text, reference_micros=said_at_micros, utc_offset_minutes=self._offset_minutes)
        for expression in reversed(found):
            since, until = _or(expression.start_micros, _EVER_SINCE), _or(expression.end_micros, _FOR_EVER)
            ways = [(since, until), *((_or(a, _EVER_SINCE), _or(b, _FOR_EVER)) for a, b, _ in expression.alternatives)]
            if any(_overlaps(begin, end, ranges) for begin, end in ways):
                rest = rest[: expression.span[0]] + " " + rest[expression.span[1] :]
            elif _NUMBER.search(expression.text):
                return None
        return rest

    def _capitalised(self, text: str, sources: Sequence[SourceMessage]) -> list[str]:
        """The words of a statement that are written like names; none in German, which writes all nouns so."""
        said = [word for message in sources for word in _words(message.body)]
        if sum(word in _GERMAN for word in said) >= _LEAST_GERMAN:
            return []
        return [match[0] for match in _LIKE_A_NAME.finditer(text) if match.start() > 0 and match[0][0].isupper()]

    def _has_name(self, name: str) -> bool:
        return all(self._has_word(word) for word in _words(name))

    def _has_word(self, word: str) -> bool:
        if len(word) == 1 or word.isdigit() or word in _NO_NAMES or word in _NUMBER_WORDS or word in self._words:
            return True
        if word.upper() == word:
            # Scripts without capitals mostly write without spaces, too: the name is within a longer run.
            return any(word in known for known in self._words)
        return any(_is_form_of(word, known) for known in self._words)

    def _has_words(self, text: str) -> bool:
        terms = [term for term in _core.tokenize(text) if term not in _NO_NAMES and not term.isdigit()]
        speakers = {term for message in self._order for term in _core.tokenize(message.name)}
        told = [term for term in terms if term not in speakers]
        if not told:
            return False
        shared = sum(term in self._terms for term in told)
        return shared >= max(1.0, _LEAST_SHARED_TERMS * len(told))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text.replace("'s", " ").replace("’s", " "))]


def _is_form_of(word: str, known: str) -> bool:
    shorter = min(len(word), len(known))
    return (shorter >= _LEAST_STEM and word[:shorter] == known[:shorter]) or (
        shorter > _LEAST_STEM and word[: shorter - 1] == known[: shorter - 1] and abs(len(word) - len(known)) <= 1
    )


def _overlaps(begin: int, end: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(begin < until and since < end for since, until in ranges)


def _or(micros: int | None, otherwise: int) -> int:
    return otherwise if micros is None else micros


def _digits(text: str) -> list[str]:
    """The numbers in digits, in one spelling: a comma as a point, no zeros in front or behind the point."""
    plain = (number.replace(",", ".") for number in _NUMBER.findall(text))
    return [re.sub(r"\.0+$", "", number).lstrip("0") or "0" for number in plain]


def _numbers(text: str) -> set[str]:
    """The numbers of a text, those in words too, whole and in parts ("15:30" has 15 and 30)."""
    found = {part for number in _digits(text) for part in (number, *number.split("."))}
    found |= {number for word in _words(text) if (number := _NUMBER_WORDS.get(word)) is not None}
    # "30k" and "1,500" are written in more than one way.
    found |= {number.replace(".", "") for number in found}
    found |= {f"{number}000" for number in re.findall(r"(\d+)\s?k\b", text, re.IGNORECASE)}
    return found


def _parts(time: IsoTime) -> Iterator[str]:
    for micros in (time.start_micros, time.end_micros - 1):
        moment = from_micros(micros)
        yield from map(str, (moment.year, moment.month, moment.day, moment.hour, moment.minute))
