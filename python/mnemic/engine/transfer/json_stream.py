"""Reading JSON that may be larger than memory: lines, or the elements of one array, or one document that is not."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

from mnemic.model.errors import MnemicError, invalid_field

# What has to be in memory at once: a line, an element of an array, or a whole document that is neither.
MAX_VALUE_BYTES = 64 * 1024 * 1024
_SPACE = " \t\n\r"


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file, without those that are blank.

    Raises:
        MnemicError: INVALID_FIELD when one is longer than may be.
    """
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest.append(first)
        size += len(first)
        for following in others:
            line = b"".join(rest)
            if line.strip():
                yield line
            rest, size = [following], len(following)
        if size > MAX_VALUE_BYTES:
            raise invalid_field("data", f"has a line of more than {MAX_VALUE_BYTES} bytes")
    last = b"".join(rest)
    if last.strip():
        yield last


def values(chunks: Iterable[bytes]) -> Iterator[Any]:
    """The values of a file: of each line, if the first line is a JSON object by itself; the elements of an array; else
    the document. A line that is no JSON is a `MnemicError` in its place.

    Raises:
        MnemicError: INVALID_FIELD when the document or array is no JSON, or a value is larger than may be.
    """
    source = iter(chunks)
    first, rest = _first_line(source)
    if not first:
        return
    value = None if first.startswith(b"[") else _loaded(first)
    if not isinstance(value, dict):
        yield from _document(_with_first(first + rest, source))
        return
    yield value
    for line in lines(_with_first(rest, source)):
        yield _loaded(line)


def _first_line(source: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The first line that is not blank, as far as it may be long, and what was read behind it."""
    pieces: list[bytes] = []
    size = 0
    for chunk in source:
        piece = chunk if pieces else chunk.lstrip()
        if not piece:
            continue
        pieces.append(piece)
        size += len(piece)
        # Of an array its elements are read one by one, wherever its lines end.
        if b"\n" in piece or pieces[0].startswith(b"[") or size > MAX_VALUE_BYTES:
            break
    first, end, rest = b"".join(pieces).partition(b"\n")
    return first, end + rest


def _with_first(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def _loaded(line: bytes) -> object:
    try:
        return json.loads(line)
    except UnicodeDecodeError as error:
        return invalid_field("line", f"is not UTF-8 (byte {error.start})")
    except RecursionError:
        return invalid_field("line", "is nested too deeply")
    except ValueError as error:
        return invalid_field("line", f"is no JSON: {error}")


def _document(chunks: Iterator[bytes]) -> Iterator[Any]:
    buffer = _Buffer(chunks)
    if buffer.next_character() != "[":
        yield buffer.value()
        if buffer.next_character():
            raise invalid_field("data", "has something after its JSON document")
        return
    buffer.skip()
    if buffer.next_character() == "]":
        return
    while True:
        yield buffer.value()
        mark = buffer.next_character()
        buffer.skip()
        if mark == "]":
            return
        if mark != ",":
            raise invalid_field("data", "is no JSON: the array is not closed")


class _Buffer:
    """The text that was read and not yet parsed."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._parse = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0

    def next_character(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def skip(self) -> None:
        """Passes over the character that `next_character` gave."""
        self._at += 1

    def value(self) -> object:
        """The next value. What may be cut off is tried again only when the text has doubled."""
        self.next_character()
        while True:
            problem: Exception
            try:
                value, end = self._parse(self._text, self._at)
            except RecursionError:
                raise invalid_field("data", "is nested too deeply") from None
            except ValueError as error:
                problem = error
            else:
                # A number at the end may go on.
                if end < len(self._text) or not self._more():
                    self._at = end
                    return value
                continue
            wanted = 2 * (len(self._text) - self._at)
            grew = False
            while len(self._text) - self._at < wanted and self._more():
                grew = True
            if not grew:
                raise invalid_field("data", f"is no JSON: {problem}") from None

    def _more(self) -> bool:
        """Reads another chunk; whether there was one."""
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        try:
            more = self._decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise invalid_field("data", f"is not UTF-8 (byte {error.start} of a piece)") from None
        self._text = self._text[self._at :] + more
        self._at = 0
        if len(self._text) > MAX_VALUE_BYTES:
            raise too_large()
        return True


def too_large() -> MnemicError:
    """The refusal of a document that would have to be in memory whole."""
    return invalid_field(
        "data", f"holds one JSON value of more than {MAX_VALUE_BYTES} bytes; give an array, or one object a line"
    )
