"""Friendly values to domain values: texts, dicts, datetimes, lists of numbers.

Only what a value *is* is decided here. Whether it is accepted the engine says, in process and behind gRPC alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np

from mnemic.client.options import FriendlyMessage, FriendlyMessages
from mnemic.model.errors import invalid_field
from mnemic.model.memory import MemoryInput, MemoryKind, MetadataValue, Role, TimePrecision, TrustLevel, to_micros

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# OpenAI's name for what it called `system` before.
_ROLE_ALIASES = {"developer": Role.SYSTEM}
_TIME_WORDS = "give a datetime or RFC 3339 text such as 2026-05-01T09:30:00Z"

Number = TypeVar("Number", bound=IntEnum)


def memory_inputs(messages: FriendlyMessages) -> list[MemoryInput]:
    """One or several messages as inputs.

    Args:
        messages: A text, a dict with at least `content`, a `MemoryInput`, or several of them.

    Raises:
        MnemicError: INVALID_FIELD naming the message and key at fault.
    """
    if isinstance(messages, str | Mapping | MemoryInput):
        return [_memory_input(messages, "messages")]
    if isinstance(messages, bytes) or not isinstance(messages, Iterable):
        raise _not_a_message(messages, "messages")
    return [_memory_input(message, f"messages[{position}]") for position, message in enumerate(messages)]


def _memory_input(message: FriendlyMessage, field: str) -> MemoryInput:
    if isinstance(message, MemoryInput):
        return _checked(message, field)
    if isinstance(message, str):
        return MemoryInput(body=message)
    if isinstance(message, Mapping):
        return _from_mapping(message, field)
    raise _not_a_message(message, field)


def _checked(message: MemoryInput, field: str) -> MemoryInput:
    """The message with its lists as tuples: protobuf would take the letters of one text for a list."""
    return replace(
        message,
        metadata=metadata_of(message.metadata, f"{field}.metadata"),
        categories=texts_of(message.categories, f"{field}.categories"),
        entities=texts_of(message.entities, f"{field}.entities"),
        source_ids=texts_of(message.source_ids, f"{field}.source_ids"),
        vector=None if message.vector is None else vector_bytes(message.vector, f"{field}.vector"),
    )


def _not_a_message(value: object, field: str) -> Exception:
    description = f"is a {type(value).__name__}; give a text, a dict with `content`, a MemoryInput, or a list of them"
    return invalid_field(field, description)


def _from_mapping(message: Mapping[str, object], field: str) -> MemoryInput:
    values: dict[str, Any] = {}
    for key, value in message.items():
        if key not in _MESSAGE_KEYS:
            known = ", ".join(_MESSAGE_KEYS)
            raise invalid_field(field, f"has the key {key!r}; a message has {known}. Put your own under metadata")
        name, convert = _MESSAGE_KEYS[key]
        if name in values:
            raise invalid_field(f"{field}.{key}", f"says {name} a second time; leave one out")
        if value is None and name != "body":
            continue
        values[name] = convert(value, f"{field}.{key}")
    if "body" not in values:
        raise invalid_field(f"{field}.content", "is missing; give the text")
    when = message.get("event_time", message.get("timestamp"))
    if when is not None and is_day(when):
        values.setdefault("event_time_precision", TimePrecision.DAY)
    return MemoryInput(**values)


def _content(value: object, field: str) -> str:
    """The text of a message; OpenAI's form as a list of parts is joined."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise invalid_field(field, f"is a {type(value).__name__}; give the text")
    texts = []
    for position, part in enumerate(value):
        text = part.get("text") if isinstance(part, Mapping) else part
        if not isinstance(text, str):
            raise invalid_field(f"{field}[{position}]", "is no text; Mnemic remembers texts: describe it in words")
        texts.append(text)
    return "\n".join(texts)


def _as_is(value: object, _field: str) -> object:
    return value


def micros(value: object, field: str) -> int:
    """Microseconds since 1970-01-01 UTC of a moment; a naive datetime is UTC, a day begins at 00:00 UTC.

    Raises:
        MnemicError: INVALID_FIELD.
    """
    if isinstance(value, str):
        try:
            return to_micros(datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            raise invalid_field(field, f"{value[:64]!r} is not a time; {_TIME_WORDS}") from None
    if isinstance(value, datetime):
        return to_micros(value)
    if isinstance(value, date):
        return to_micros(datetime.combine(value, time()))
    raise invalid_field(field, f"is a {type(value).__name__}; {_TIME_WORDS}")


def is_day(value: object) -> bool:
    """Whether a moment is given as a day and no more."""
    if isinstance(value, str):
        return _DAY.fullmatch(value) is not None
    return isinstance(value, date) and not isinstance(value, datetime)


def vector_bytes(value: object, field: str) -> bytes:
    """Little-endian float32 of an embedding.

    Raises:
        MnemicError: INVALID_FIELD when it is not one row of numbers.
    """
    if isinstance(value, bytes):
        return value
    try:
        row = np.asarray(value, dtype="<f4")
    except (TypeError, ValueError):
        row = np.empty((0, 0), dtype="<f4")
    if isinstance(value, str) or row.ndim != 1:
        raise invalid_field(field, "is not a row of numbers; give a list of floats or little-endian float32 bytes")
    return row.tobytes()


def metadata_of(value: object, field: str) -> dict[str, MetadataValue]:
    """The caller's fields, lists of texts as tuples.

    Raises:
        MnemicError: INVALID_FIELD for a value of another type.
    """
    if not isinstance(value, Mapping):
        raise invalid_field(field, f"is a {type(value).__name__}; give a dict")
    return {key: metadata_value(item, f"{field}[{key!r}]") for key, item in value.items()}


def metadata_value(value: object, field: str) -> MetadataValue:
    """One value of metadata or of a comparison.

    Raises:
        MnemicError: INVALID_FIELD for a value of another type.
    """
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    kinds = "text, integer, number, truth value or list of texts"
    raise invalid_field(field, f"is {_describe(value)}; values are {kinds}")


def _describe(value: object) -> str:
    if isinstance(value, list | tuple):
        return "a list that holds something besides texts"
    return "None" if value is None else f"a {type(value).__name__}"


def texts_of(value: object, field: str) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        MnemicError: INVALID_FIELD when it is one text, or holds something else.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise invalid_field(field, f"is a {type(value).__name__}; give a list of texts")
    texts = tuple(value)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise invalid_field(f"{field}[{position}]", f"is a {type(text).__name__}; give a text")
    return texts


def named(kind: type[Number], value: object, field: str) -> Number:
    """A member of an enumeration, itself or by its name in any case.

    Raises:
        MnemicError: INVALID_FIELD listing the names.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        member = kind.__members__.get(value.upper())
        if member is not None:
            return member
    names = ", ".join(name.lower() for name in kind.__members__)
    raise invalid_field(field, f"{value!r} is unknown; there are {names}")


def _role(value: object, field: str) -> Role:
    if isinstance(value, str) and value in _ROLE_ALIASES:
        return _ROLE_ALIASES[value]
    return named(Role, value, field)


def _one_of(kind: type[IntEnum]) -> Callable[[object, str], object]:
    return lambda value, field: named(kind, value, field)


# A message's key -> the attribute of MemoryInput that it fills, and how.
_MESSAGE_KEYS: dict[str, tuple[str, Callable[[object, str], object]]] = {
    "content": ("body", _content),
    "body": ("body", _content),
    "role": ("role", _role),
    "name": ("name", _as_is),
    "kind": ("kind", _one_of(MemoryKind)),
    "event_time": ("event_time_micros", micros),
    "timestamp": ("event_time_micros", micros),
    "event_time_end": ("event_time_end_micros", micros),
    "event_time_precision": ("event_time_precision", _one_of(TimePrecision)),
    "expire_time": ("expire_time_micros", micros),
    "metadata": ("metadata", metadata_of),
    "categories": ("categories", texts_of),
    "entities": ("entities", texts_of),
    "vector": ("vector", vector_bytes),
    "source_ids": ("source_ids", texts_of),
    "importance": ("importance", _as_is),
    "pinned": ("pinned", _as_is),
    "trust": ("trust", _one_of(TrustLevel)),
    "slot": ("slot", _as_is),
    "slot_value": ("slot_value", _as_is),
    "supersedes": ("supersedes", texts_of),
}


def as_text(value: object, field: str) -> str:
    """The value, if it is text.

    Raises:
        MnemicError: INVALID_FIELD.
    """
    if not isinstance(value, str):
        raise invalid_field(field, f"is a {type(value).__name__}; give a text")
    return value
