"""Our own file: one JSON object a line, the JSON mapping of `mnemic.v1.Memory` and four keys besides.

Those are `change`, `reason`, `deleteTime` and `takesSlot`: what a version's history needs and the message does not
have. They are left out where they say nothing.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any, TypeVar

from mnemic.model.errors import invalid_field
from mnemic.model.memory import (
    ChangeKind,
    Memory,
    MemoryKind,
    Metadata,
    MetadataValue,
    Role,
    TimePrecision,
    TrustLevel,
    from_micros,
    to_micros,
)
from mnemic.model.scope import Scope
from mnemic.model.transfer import VersionRecord

E = TypeVar("E", bound=IntEnum)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_SCOPE = {"userId": "user_id", "agentId": "agent_id", "sessionId": "session_id", "appId": "app_id"}
# JSON key -> attribute, by how the JSON mapping of protobuf writes it.
_TEXTS = {
    "memoryId": "memory_id",
    "body": "body",
    "name": "name",
    "slot": "slot",
    "slotValue": "slot_value",
    "supersededBy": "superseded_by",
    "embeddingModel": "embedding_model",
}
_TIMES = {
    "eventTime": "event_time_micros",
    "eventTimeEnd": "event_time_end_micros",
    "createTime": "create_time_micros",
    "updateTime": "update_time_micros",
    "validFrom": "valid_from_micros",
    "validTo": "valid_to_micros",
    "expireTime": "expire_time_micros",
}
_LISTS = {"categories": "categories", "sourceIds": "source_ids", "entities": "entities"}
_ENUMS: dict[str, tuple[str, type[IntEnum], str]] = {
    "kind": ("kind", MemoryKind, "MEMORY_KIND_"),
    "role": ("role", Role, "ROLE_"),
    "eventTimePrecision": ("event_time_precision", TimePrecision, "TIME_PRECISION_"),
    "trust": ("trust", TrustLevel, "TRUST_LEVEL_"),
}
_CHANGE = "CHANGE_KIND_"
_FRACTIONS = ("confidence", "importance")


def encode_line(record: VersionRecord) -> bytes:
    """A version as a line, with its end of line."""
    memory = record.memory
    values: dict[str, Any] = {}
    for key, attribute in _TEXTS.items():
        text = getattr(memory, attribute)
        if text:
            values[key] = text
    scope = {key: getattr(memory.scope, attribute) for key, attribute in _SCOPE.items()}
    values["scope"] = {key: value for key, value in scope.items() if value is not None}
    for key, (attribute, _, prefix) in _ENUMS.items():
        member = getattr(memory, attribute)
        if member:
            values[key] = prefix + member.name
    for key, attribute in _TIMES.items():
        moment = getattr(memory, attribute)
        if moment is not None:
            values[key] = time_text(moment)
    for key, attribute in _LISTS.items():
        texts = getattr(memory, attribute)
        if texts:
            values[key] = list(texts)
    if memory.metadata:
        values["metadata"] = metadata_document(memory.metadata)
    for key in _FRACTIONS:
        if getattr(memory, key):
            values[key] = getattr(memory, key)
    if memory.pinned:
        values["pinned"] = True
    values["version"] = memory.version
    if memory.revision:
        values["revision"] = str(memory.revision)
    if memory.vector is not None:
        values["vector"] = base64.b64encode(memory.vector).decode()
    if record.change is not ChangeKind.ADDED:
        values["change"] = _CHANGE + record.change.name
    if record.reason:
        values["reason"] = record.reason
    if record.delete_time_micros is not None:
        values["deleteTime"] = time_text(record.delete_time_micros)
    if record.takes_slot:
        values["takesSlot"] = True
    return _encode(values).encode() + b"\n"


def time_text(micros: int) -> str:
    """A time as RFC 3339 in UTC, with six digits after the second."""
    return from_micros(micros).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _metadata_value(value: MetadataValue) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, int):
        return {"integerValue": str(value)}
    if isinstance(value, float):
        return {"numberValue": value}
    return {"stringList": {"values": list(value)} if value else {}}


def decode_line(line: bytes) -> VersionRecord:
    """The version of a line.

    Raises:
        MnemicError: INVALID_FIELD naming the key at fault.
    """
    return record_of(json_object(line))


def json_object(line: bytes) -> dict[str, Any]:
    """The object of a line.

    Raises:
        MnemicError: INVALID_FIELD when it is none.
    """
    try:
        values = _DECODER.decode(line.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise invalid_field("line", f"is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise invalid_field("line", "is nested too deeply") from None
    except ValueError as error:
        raise invalid_field("line", f"is no JSON: {error}") from None
    if not isinstance(values, dict):
        raise invalid_field("line", f"is a JSON {type(values).__name__}, not an object")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


# Making one takes longer than a short line.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def record_of(values: Mapping[str, Any]) -> VersionRecord:
    """The version of a line's object. Keys that it does not know are those of a later version, and passed over.

    Raises:
        MnemicError: INVALID_FIELD naming the key at fault.
    """
    scope = _typed(values, "scope", dict, {})
    found: dict[str, Any] = {
        "scope": Scope(**{attribute: _optional_text(scope, key) for key, attribute in _SCOPE.items()})
    }
    for key, attribute in _TEXTS.items():
        found[attribute] = _typed(values, key, str, "")
    for name in ("superseded_by", "embedding_model"):
        found[name] = found[name] or None
    for key, attribute in _TIMES.items():
        found[attribute] = _time(values, key)
    for key, attribute in _LISTS.items():
        found[attribute] = tuple(_texts(values.get(key, []), key))
    for key, (attribute, kind, prefix) in _ENUMS.items():
        if key in values:
            found[attribute] = _member(kind, values[key], prefix, key)
    found.setdefault("kind", MemoryKind.MESSAGE)
    if found.get("trust") == 0:
        del found["trust"]
    found["metadata"] = {
        key: _decode_metadata(value, f"metadata[{key!r}]")
        for key, value in _typed(values, "metadata", dict, {}).items()
    }
    for key in _FRACTIONS:
        found[key] = _number(values.get(key, 0.0), key)
    found["pinned"] = _typed(values, "pinned", bool, default=False)
    found["version"] = _whole(values.get("version", 1), "version")
    found["revision"] = _whole(values.get("revision", 0), "revision")
    found["vector"] = _bytes(values, "vector")
    missing = [key for key in ("createTime", "updateTime", "validFrom") if _TIMES[key] in found
               and found[_TIMES[key]] is None]  # fmt: skip
    if missing:
        raise invalid_field(missing[0], "is missing; every version has it")
    if not found["memory_id"]:
        raise invalid_field("memoryId", "is missing")
    change = _member(ChangeKind, values.get("change", _CHANGE + "ADDED"), _CHANGE, "change")
    return VersionRecord(
        Memory(**found),
        ChangeKind(change),
        _typed(values, "reason", str, ""),
        _time(values, "deleteTime"),
        _typed(values, "takesSlot", bool, default=False),
    )


T = TypeVar("T")


def _typed(values: Mapping[str, Any], key: str, kind: type[T], default: T) -> T:
    value = values.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise invalid_field(key, f"is a JSON {type(value).__name__}; a {kind.__name__} is expected")
    return value


def _optional_text(values: Mapping[str, Any], key: str) -> str | None:
    return _typed(values, key, str, "") if values.get(key) is not None else None


def _time(values: Mapping[str, Any], key: str) -> int | None:
    value = values.get(key)
    if value is None:
        return None
    try:
        return to_micros(datetime.fromisoformat(value))
    except (TypeError, ValueError, OverflowError):
        raise invalid_field(key, f"{str(value)[:64]!r} is no RFC 3339 time") from None


def _texts(value: object, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid_field(key, "is no list of texts")
    return value


def _member(kind: type[E], value: object, prefix: str, key: str) -> E | int:
    name = value.removeprefix(prefix) if isinstance(value, str) else ""
    if name == "UNSPECIFIED":
        return 0
    member = kind.__members__.get(name)
    if member is None:
        known = ", ".join(prefix + other for other in kind.__members__)
        raise invalid_field(key, f"{str(value)[:64]!r} is unknown; known are {known}")
    return member


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise invalid_field(key, "is no finite number")
    return float(value)


def _whole(value: object, key: str) -> int:
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_field(key, "is no whole number")
    return value


def _bytes(values: Mapping[str, Any], key: str) -> bytes | None:
    value = values.get(key)
    if value is None or isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise invalid_field(key, "is no base64") from None


_METADATA: dict[str, Callable[[Any, str], MetadataValue]] = {
    "stringValue": lambda value, key: _typed({key: value}, key, str, ""),
    "integerValue": _whole,
    "numberValue": _number,
    "booleanValue": lambda value, key: _typed({key: value}, key, bool, default=False),
    "stringList": lambda value, key: tuple(_texts(_typed({key: value}, key, dict, {}).get("values", []), key)),
}


def _decode_metadata(value: object, key: str) -> MetadataValue:
    if isinstance(value, dict) and len(value) == 1:
        [(kind, inner)] = value.items()
        if kind in _METADATA:
            return _METADATA[kind](inner, key)
    raise invalid_field(key, f"is no metadata value; give one of {', '.join(_METADATA)}")


def metadata_document(metadata: Metadata) -> dict[str, Any]:
    """Metadata as a line has it."""
    return {key: _metadata_value(value) for key, value in metadata.items()}
