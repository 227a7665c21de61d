"""Taking back what was just said: "no, I meant Porto", "Porto, not Lisbon"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mnemic.extraction.local.english import values

_VALUE = r"(?P<value>[\w'&+./-]+(?: [\w'&+./-]+){0,3}?)"
_WRONG = r"(?:, (?:and )?not (?P<wrong>[\w'&+./-]+(?: [\w'&+./-]+){0,3}))"
_TAKES_BACK = (
    r"(?:no|nope|sorry|oops|ops|wait|correction|actually|my bad|whoops|ah|oh|i mean|typo|my mistake|apologies)"
)
_PATTERNS = (
    re.compile(
        rf"^(?:{_TAKES_BACK}\b[,.:! -]*)*(?:I (?:meant|mean)(?: to say)?|I should have said|make that|it should (?:be|say)|that should (?:be|say))"
        rf" (?:in |at |the )?{_VALUE}{_WRONG}?$",
        re.IGNORECASE,
    ),
    re.compile(rf"^(?:{_TAKES_BACK}\b[,.:! -]*)+(?:it is |it was )?(?:in |at )?{_VALUE}{_WRONG}$", re.IGNORECASE),
    re.compile(rf"^(?:it is |it was )?(?:in |at )?{_VALUE}{_WRONG}$", re.IGNORECASE),
    re.compile(rf"^(?:correction|typo)\b[,.:! -]*{_VALUE}$", re.IGNORECASE),
)
_BEGINS_A_CLAUSE = re.compile(r"(?:I|my|we|our|the)\b", re.IGNORECASE)
_DENIES_ANOTHER = re.compile(
    r", not (?:in |at |an? |the )?[\w'&-]+(?: [\w'&-]+){0,2}$|\bI (?:misspoke|was wrong)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Correction:
    """A value that takes the place of one that was said.

    Attributes:
        value: What is right.
        wrong: What was wrong, or empty where the speaker does not say.
    """

    value: str
    wrong: str = ""


_WITHIN = re.compile(
    r"\s*[,;–-]+\s*(?=(?:no|sorry|oops|wait|actually)?,? ?(?:I meant|I mean|make that)\b)|\s*[,;–-]+\s*(?=(?:no|sorry|wait),? )",
    re.IGNORECASE,
)


def before_and_after(text: str) -> list[str]:
    """A sentence cut where its speaker takes back its beginning: "I live in Lisbon, no, I meant Porto"."""
    return _WITHIN.split(text, maxsplit=1)


def read_correction(text: str) -> Correction | None:
    """The correction that a sentence is, if it says nothing else.

    Args:
        text: Written out, with its openings: a "no" is the point.
    """
    for pattern in _PATTERNS:
        match = pattern.match(text)
        if match is not None and values.is_value(match["value"]) and not _BEGINS_A_CLAUSE.match(match["value"]):
            wrong = match.groupdict().get("wrong") or ""
            return Correction(values.without_article(match["value"]), values.without_article(wrong))
    return None


def denies_another(clause: str) -> bool:
    """Whether a statement corrects an earlier one by itself: "I live in Porto, not Lisbon"."""
    return bool(_DENIES_ANOTHER.search(clause))
