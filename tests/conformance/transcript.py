"""What a scenario saw, in a form in which two deployments can be compared.

What a server chooses has a name in place of its value: ids, secrets, page tokens, revisions and the times of now, each
by the order in which it was seen. What is measured is left out. Everything else stands as it came.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from mnemic.model.errors import MnemicError

_CHOSEN = re.compile(
    r"(?P<id>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})|(?P<secret>mnk_[\w-]+)|(?P<call>\b[0-9a-f]{16}\b)"
)
_TOKENS = ("page_token", "next_page_token", "resume_token")
_MEASURED = ("timings", "resident_bytes", "calls", "disk_bytes", "bytes_on_disk", "memory_bytes")
# Scores hold the age of a memory, and the delay before another try is what is left of it.
# How rare a word is in a whole tenant depends on which scenarios ran before.
_TOLERANCE = {"retry_after": 60.0, "retry_delay": 60.0, "confidence": 0.01}
_SCORE_TOLERANCE = 1e-4
_NOW = (time.time() - 3600, time.time() + 3600)


class Transcript:
    """The calls of one run of a scenario and how each ended.

    Args:
        own: Texts that are this run's own, and what stands for them.
    """

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        self._own = own or {}
        self.lines: list[tuple[str, object]] = []
        self._names: dict[tuple[str, object], str] = {}

    def note(self, call: str, outcome: object) -> None:
        """Adds what became of a call."""
        self.lines.append((call, self._plain("", outcome)))

    def _name(self, kind: str, value: object) -> str:
        return self._names.setdefault((kind, value), f"<{kind} {len(self._names)}>")

    def _plain(self, field: str, value: object) -> object:
        if field in _MEASURED:
            return f"<{field}>"
        if isinstance(value, Message):
            return self._message(value)
        if isinstance(value, MnemicError):
            return self._error(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {item.name: self._plain(item.name, getattr(value, item.name)) for item in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return {str(key): self._plain(str(key), item) for key, item in sorted(value.items(), key=str)}
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, str) and not isinstance(value, enum.Enum):
            return self._text(field, value)
        if isinstance(value, Sequence | Iterator):
            return [self._plain(field, item) for item in value]
        return self._number(field, value)

    def _message(self, message: Message) -> object:
        if isinstance(message, Timestamp):
            return self._moment(message.ToMicroseconds())
        if isinstance(message, Duration):
            return message.ToMicroseconds() / 1e6
        if isinstance(message, AnyMessage):
            inner = _unpacked(message)
            return {"@type": inner.DESCRIPTOR.full_name} | self._fields(inner)
        return self._fields(message)

    def _fields(self, message: Message) -> dict[str, object]:
        return {field.name: self._plain(field.name, value) for field, value in message.ListFields()}

    def _error(self, error: MnemicError) -> object:
        return {
            "reason": error.reason.value,
            "code": error.code.value,
            "message": self._text("", error.message),
            "metadata": self._plain("", error.metadata),
            "violations": [(item.field, self._text("", item.description)) for item in error.violations],
            "retry_after": error.retry_after_seconds,
        }

    def _text(self, field: str, text: str) -> str:
        if field in _TOKENS:
            return self._name("token", text) if text else ""
        if field == "prefix":
            return "<prefix>"
        for mine, name in self._own.items():
            text = text.replace(mine, name)

        def named(found: re.Match[str]) -> str:
            kind = found.lastgroup or ""
            return "<call>" if kind == "call" else self._name(kind, found.group().lower())

        return _CHOSEN.sub(named, text)

    def _number(self, field: str, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            if field.endswith("_micros"):
                return self._moment(value)
            if field == "revision" and value:
                return self._name("revision", int(value))
        return value

    def _moment(self, micros: int) -> object:
        return self._name("moment", micros) if _NOW[0] < micros / 1e6 < _NOW[1] else micros


def _unpacked(message: AnyMessage) -> Message:
    for known in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
        inner = known()
        if message.Unpack(inner):
            return inner
    raise AssertionError(f"a detail that the contract does not know: {message.type_url}")


def differences(expected: object, found: object, place: str = "", *, but: Sequence[str] = ()) -> list[str]:
    """Where two transcripts differ, in words; what is called as in `but` may."""
    if place.rpartition(".")[2] in but:
        return []
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        pairs = [(f"{place}.{key}", expected[key], found[key]) for key in expected]
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple) and len(expected) == len(found):
        pairs = [(f"{place}[{n}]", mine, theirs) for n, (mine, theirs) in enumerate(zip(expected, found, strict=True))]
    elif expected == found or _are_close(expected, found, place.rpartition(".")[2]):
        return []
    else:
        return [f"{place}: {expected!r} became {found!r}"]
    return [words for where, mine, theirs in pairs for words in differences(mine, theirs, where, but=but)]


def _are_close(expected: object, found: object, field: str) -> bool:
    if not isinstance(expected, float) or not isinstance(found, float):
        return False
    return math.isclose(expected, found, rel_tol=1e-5, abs_tol=_TOLERANCE.get(field, _SCORE_TOLERANCE))
