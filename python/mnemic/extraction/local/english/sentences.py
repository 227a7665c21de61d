"""A message cut into the sentences that its writer says about the world; what is quoted or pasted is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"\b(?:https?://|www\.)\S+")
_QUOTED_LINE = re.compile(r"^\s*>.*$", re.MULTILINE)
_ASIDE = re.compile(r"\*[^*\n]{1,80}\*(?!\*)|\((?:lol|haha|jk)\)", re.IGNORECASE)
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]+|(?<!\\w)[:;]-?[)(DPp]+")
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")

# A dot after these ends no sentence.
_ABBREVIATIONS = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|approx|dept|est|Inc|Ltd|Co|No|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct"
    r"|Nov|Dec|e\.g|i\.e|a\.m|p\.m)|(?<!['’-])\b[A-Za-z])\.$"
)
_END = re.compile(r"[.!?…]+[\"')\]]*(?=\s|$)|\n+|\s+[-–—]{1,2}\s+(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence.

    Attributes:
        text: Without its end mark, trimmed, one space between words.
        mark: How it ends: `.`, `!`, `?` or empty.
    """

    text: str
    mark: str = ""


def sentences(body: str) -> list[Sentence]:
    """The sentences of a message in order: code, links, quoted lines, emoji and `*asides*` are no part of them."""
    for pattern in (_CODE, _QUOTED_LINE, _LINK, _ASIDE):
        body = pattern.sub(" ", body)
    body = _EMOJI.sub(". ", body)
    found: list[Sentence] = []
    start = 0
    for match in _END.finditer(body):
        if match[0] == "." and _ABBREVIATIONS.search(body[max(start, match.start() - 8) : match.end()]):
            after = body[match.end() :].lstrip()[:1]
            if not after.isupper() or not body[: match.end()].endswith(("a.m.", "p.m.", "etc.")):
                continue
        _append(found, body[start : match.end()])
        start = match.end()
    _append(found, body[start:])
    return found


def _append(found: list[Sentence], piece: str) -> None:
    text = " ".join(_LIST_MARK.sub("", piece).split())
    ending = text.rstrip("\"')] ")
    mark = "?" if "?" in ending[-4:] else ending[-1:] if ending[-1:] in (".", "!", "…") else ""
    text = text.rstrip(" .!?…-–—").strip()
    if any(character.isalpha() for character in text):
        found.append(Sentence(text, "." if mark == "…" else mark))
