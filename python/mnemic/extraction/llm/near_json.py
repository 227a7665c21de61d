"""JSON as models write it: fenced, with comments, single quotes, trailing commas, or cut off in the middle.

What is cut off is left out, never guessed: an object whose end is missing is not part of the answer.
"""

from __future__ import annotations

import json
import re
from typing import Any

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_SPACE = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_BARE = re.compile(r"[^\s,:{}\[\]\"']+")
_WORDS = {"true": True, "false": False, "null": None, "none": None, "nan": None, "undefined": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_DEEPEST = 20


class NotJsonError(ValueError):
    """There is no object or list in the text."""


class _CutOffError(Exception):
    """The text ends within a value; carries what was whole of a list that it ends within."""

    def __init__(self, whole: Any = None) -> None:  # noqa: ANN401 (any JSON value)
        super().__init__()
        self.whole = whole


def read_near_json(text: str) -> Any:  # noqa: ANN401 (any JSON value)
    """The first JSON object or list in a text.

    Raises:
        NotJsonError: There is none.
    """
    text = _THINKING.sub("", text)
    stripped = text.strip()
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        pass
    for start in (match.start() for match in re.finditer(r"[{\[]", text)):
        try:
            value, _end = _Reader(text).value(start, 0)
        except _CutOffError as cut:
            if cut.whole:
                return cut.whole
        except NotJsonError:
            continue
        else:
            if value or text[start:].startswith(("{}", "[]")):
                return value
    raise NotJsonError("no JSON object in the answer")


class _Reader:
    """A recursive descent that forgives what models get wrong."""

    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """The value at a place, and where it ends."""
        at = self._skip(at)
        first = self._text[at]
        if depth > _DEEPEST:
            raise NotJsonError("nested too deeply")
        if first == "{":
            return self._object(at + 1, depth)
        if first == "[":
            return self._list(at + 1, depth)
        if first in _QUOTES:
            return self._string(at)
        return self._bare(at)

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        at = match.end() if match else at
        if at >= len(self._text):
            raise _CutOffError
        return at

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while True:
            at = self._skip(at)
            if self._text[at] == "}":
                return found, at + 1
            if self._text[at] == ",":
                at += 1
                continue
            key, at = self.value(at, depth + 1)
            at = self._skip(at)
            if not isinstance(key, str) or self._text[at] != ":":
                raise NotJsonError("an object without keys")
            try:
                found[key], at = self.value(at + 1, depth + 1)
            except _CutOffError as cut:
                if isinstance(cut.whole, list):
                    raise _CutOffError(found | {key: cut.whole}) from None
                raise

    def _list(self, at: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        try:
            while True:
                at = self._skip(at)
                if self._text[at] == "]":
                    return found, at + 1
                if self._text[at] == ",":
                    at += 1
                    continue
                item, at = self.value(at, depth + 1)
                found.append(item)
        except _CutOffError:
            # Lists within an object that is cut off go with it; the outermost list keeps its whole objects.
            raise _CutOffError(found if found and isinstance(found[0], dict) else None) from None

    def _string(self, at: int) -> tuple[str, int]:
        closing, at = _QUOTES[self._text[at]], at + 1
        written: list[str] = []
        while at < len(self._text):
            character = self._text[at]
            if character == "\\" and at + 1 < len(self._text):
                piece, at = self._escape(at + 1)
                written.append(piece)
                continue
            if character == closing and self._ends(at, closing):
                return "".join(written), at + 1
            written.append(character)
            at += 1
        raise _CutOffError

    def _ends(self, at: int, closing: str) -> bool:
        """Whether a quote closes its string: an apostrophe or a quote within one is followed by more text."""
        rest = self._text[at + 1 :].lstrip()[:1]
        return rest in ("", ",", "}", "]", ":") or (closing == '"' and rest in ("\n", "/"))

    def _escape(self, at: int) -> tuple[str, int]:
        character = self._text[at]
        digits = self._text[at + 1 : at + 5]
        if character == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", digits):
            whole = re.match(r"\\u[0-9a-fA-F]{4}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?", self._text[at - 1 :])
            written = whole[0] if whole else f"\\u{digits}"
            decoded = str(json.loads(f'"{written}"')).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            return decoded, at - 1 + len(written)
        return _ESCAPES.get(character, character), at + 1

    def _bare(self, at: int) -> tuple[Any, int]:
        match = _BARE.match(self._text, at)
        if match is None:
            raise NotJsonError("something else than JSON")
        word = match[0]
        if word.lower() in _WORDS:
            return _WORDS[word.lower()], match.end()
        try:
            return json.loads(word), match.end()
        except ValueError:
            return word, match.end()
