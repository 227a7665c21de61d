"""What files of other systems say, before it is a memory of ours."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mnemic.model.errors import invalid_field
from mnemic.model.memory import MemoryKind, MetadataValue, Role, TimePrecision, to_micros
from mnemic.model.scope import Scope

_ROLES = {
    "user": Role.USER,
    "human": Role.USER,
    "customer": Role.USER,
    "assistant": Role.ASSISTANT,
    "ai": Role.ASSISTANT,
    "agent": Role.ASSISTANT,
    "bot": Role.ASSISTANT,
    "chatgpt": Role.ASSISTANT,
    "gpt": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "tool": Role.TOOL,
    "function": Role.TOOL,
    "observation": Role.TOOL,
}
_SCOPE_KEYS = {
    "user_id": ("user_id", "userId"),
    "agent_id": ("agent_id", "agentId"),
    "session_id": ("session_id", "sessionId", "run_id", "conversation_id", "thread_id"),
    "app_id": ("app_id", "appId"),
}
# A number of seconds since 1970 has reached 1e11 in the year 5138, one of milliseconds in 1973; likewise for
# microseconds: no time in use can be mistaken.
_MILLISECONDS_FROM = 1e11
_MICROSECONDS_FROM = 1e14
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# How LoCoMo and LongMemEval write times.
_WRITTEN = ("%I:%M %p on %d %B, %Y", "%Y/%m/%d (%a) %H:%M", "%Y/%m/%d %H:%M", "%Y/%m/%d")
_TIME_BITS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignItem:
    """One thing that another system remembers, or one message of a log.

    Attributes:
        identity: What tells it apart within its scope: the same in the same file read again.
        scope: The ids that it carries.
        kind: What it becomes.
        body: The text.
        role: Who spoke.
        name: The speaker's name.
        event_time_micros: When it happened.
        event_time_precision: How exactly that is known.
        create_time_micros: When the other system first heard it; now unless given.
        update_time_micros: When that last changed it.
        expire_time_micros: Until when it is found.
        order: Its place in the file, which orders what has no time.
        has_place: Whether its identity goes by its place, which then also orders what has the same time.
        metadata: The caller's own fields.
        categories: Labels.
    """

    identity: str
    scope: Scope
    body: str
    order: int
    has_place: bool = False
    kind: MemoryKind = MemoryKind.MESSAGE
    role: Role = Role.NONE
    name: str = ""
    event_time_micros: int | None = None
    event_time_precision: TimePrecision = TimePrecision.UNSPECIFIED
    create_time_micros: int | None = None
    update_time_micros: int | None = None
    expire_time_micros: int | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    categories: tuple[str, ...] = ()

    def memory_id(self, scope: Scope) -> str:
        """The id of the memory that it becomes in a scope: always the same, and in the order of its time."""
        moment = self.create_time_micros if self.create_time_micros is not None else self.event_time_micros
        milliseconds = self.order if moment is None else max(moment, 0) // 1000
        words = repr((self.identity, scope.user_id, scope.agent_id, scope.session_id, scope.app_id))
        digest = int.from_bytes(hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()[:10])
        random = digest & ~(0xF << 76) & ~(0b11 << 62)
        if self.has_place:
            random = random & ~(0xFFF << 64) | (self.order & 0xFFF) << 64
        stamp = milliseconds & ((1 << 48) - 1)
        return str(uuid.UUID(int=stamp << _TIME_BITS | random | 0x7 << 76 | 0b10 << 62))


def role_of(value: object) -> Role:
    """A role by any of the names that systems give it.

    Raises:
        MnemicError: INVALID_FIELD.
    """
    role = _ROLES.get(value.casefold()) if isinstance(value, str) else None
    if role is None:
        raise invalid_field("role", f"{str(value)[:64]!r} is unknown; known are {', '.join(sorted(_ROLES))}")
    return role


def scope_of(values: Mapping[str, Any]) -> Scope:
    """The ids that an object carries, by the names that systems give them.

    Raises:
        MnemicError: INVALID_FIELD for an id that is no text.
    """
    ids: dict[str, str] = {}
    for name, keys in _SCOPE_KEYS.items():
        for key in keys:
            value = values.get(key)
            if value is None or name in ids:
                continue
            if not isinstance(value, str):
                raise invalid_field(key, f"is {str(value)[:40]!r}; ids are texts")
            if value:
                ids[name] = value
    return Scope(**ids)


def time_of(value: object, key: str) -> int:
    """Microseconds since 1970-01-01 UTC of a time as logs write it; UTC unless it says.

    Raises:
        MnemicError: INVALID_FIELD.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            scale = 1 if abs(value) >= _MICROSECONDS_FROM else 1_000 if abs(value) >= _MILLISECONDS_FROM else 1_000_000
            return round(value * scale)
        if isinstance(value, str):
            return to_micros(_moment(value.strip()))
    except (OverflowError, ValueError):
        pass
    raise invalid_field(key, f"{str(value)[:64]!r} is not a time; give ISO 8601 or a number since 1970")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        for written in _WRITTEN:
            try:
                return datetime.strptime(text, written).replace(tzinfo=UTC)
            except ValueError:
                continue
        raise


def precision_of(value: object) -> TimePrecision:
    """How exactly a time is given: a day, or more exactly."""
    is_day = isinstance(value, str) and _DAY.fullmatch(value.strip()) is not None
    return TimePrecision.DAY if is_day else TimePrecision.UNSPECIFIED


def metadata_of(value: object) -> dict[str, MetadataValue]:
    """The fields of an object, as far as metadata can hold them: what is nested comes as its JSON, null not at all.

    Raises:
        MnemicError: INVALID_FIELD when it is no object.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise invalid_field("metadata", f"is a JSON {type(value).__name__}, not an object")
    found: dict[str, MetadataValue] = {}
    for key, item in value.items():
        if isinstance(item, str | bool | int | float):
            found[key] = item
        elif isinstance(item, list) and all(isinstance(part, str) for part in item):
            found[key] = tuple(item)
        elif item is not None:
            found[key] = json.dumps(item, ensure_ascii=False)
    return found
