"""Memories and their revisions. Times are integers: microseconds since 1970-01-01 UTC."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from mnemic.model.scope import Scope

MetadataValue = str | int | float | bool | tuple[str, ...]
Metadata = Mapping[str, MetadataValue]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime; a naive one counts as UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The UTC datetime of microseconds since 1970-01-01 UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def _optional_datetime(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


class MemoryKind(IntEnum):
    """What a memory is; the numbers of `mnemic.v1.MemoryKind`."""

    MESSAGE = 1
    FACT = 2
    INSTRUCTION = 3
    SUMMARY = 4


class Role(IntEnum):
    """Who spoke; the numbers of `mnemic.v1.Role`."""

    NONE = 0
    USER = 1
    ASSISTANT = 2
    SYSTEM = 3
    TOOL = 4


class TimePrecision(IntEnum):
    """How exactly an event time is known; the numbers of `mnemic.v1.TimePrecision`."""

    UNSPECIFIED = 0
    INSTANT = 1
    DAY = 2
    WEEK = 3
    MONTH = 4
    YEAR = 5
    APPROXIMATE = 6


class TrustLevel(IntEnum):
    """How far a memory may be trusted; the numbers of `mnemic.v1.TrustLevel`."""

    UNTRUSTED = 1
    NORMAL = 2
    VERIFIED = 3


class ChangeKind(IntEnum):
    """What changed a memory; the numbers of `mnemic.v1.ChangeKind`."""

    ADDED = 1
    UPDATED = 2
    SUPERSEDED = 3
    DELETED = 4
    RESTORED = 5
    ARCHIVED = 6
    MERGED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryInput:
    """One thing to remember, as the caller gives it. `engine.validation` says what is accepted.

    Attributes:
        body: The text.
        kind: What it is.
        role: Who spoke; None means the user for messages and nobody for other kinds.
        name: The speaker's name, or empty.
        event_time_micros: When it happened; None when the caller does not know.
        event_time_end_micros: End of a range, exclusive.
        event_time_precision: How exactly the event time is known.
        expire_time_micros: After this it is no longer found.
        metadata: The caller's own fields.
        categories: Labels.
        entities: Names that it mentions, besides those that the index finds itself.
        vector: Little-endian float32 bytes of the embedding, or None to have it embedded.
        source_ids: Memories that it was drawn from.
        importance: 0 to 1.
        pinned: Exempt from retention.
        trust: How far it may be trusted; None as the tenant's settings say.
        slot: What it is about: a later value of the same scope and slot supersedes it. Empty for nothing in particular.
        slot_value: The slot's value, or empty.
        supersedes: Memories that it supersedes, whatever their slots.
    """

    body: str
    kind: MemoryKind = MemoryKind.MESSAGE
    role: Role | None = None
    name: str = ""
    event_time_micros: int | None = None
    event_time_end_micros: int | None = None
    event_time_precision: TimePrecision = TimePrecision.UNSPECIFIED
    expire_time_micros: int | None = None
    metadata: Metadata = field(default_factory=dict)
    categories: Sequence[str] = ()
    entities: Sequence[str] = ()
    vector: bytes | None = None
    source_ids: Sequence[str] = ()
    importance: float = 0.5
    pinned: bool = False
    trust: TrustLevel | None = None
    slot: str = ""
    slot_value: str = ""
    supersedes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One remembered item, as one of its versions.

    Attributes:
        memory_id: UUID text.
        scope: The ids that it carries.
        kind: What it is.
        body: The text.
        role: Who spoke.
        name: The speaker's name, or empty.
        event_time_micros: When it happened, as the caller said, or None.
        event_time_end_micros: End of the range, exclusive, or None.
        event_time_precision: How exactly it is known.
        create_time_micros: When it was first heard.
        update_time_micros: When this version was written.
        valid_from_micros: From when it holds.
        valid_to_micros: Until when it held, exclusive; None while it holds.
        expire_time_micros: After this it is no longer found; None for ever.
        metadata: The caller's own fields.
        categories: Labels.
        source_ids: Memories that it was drawn from.
        entities: Names that it mentions.
        slot: What a fact is about, or empty.
        slot_value: The slot's value, or empty.
        superseded_by: The memory that superseded it, or None.
        confidence: 0 to 1.
        importance: 0 to 1.
        pinned: Exempt from retention.
        trust: How far it may be trusted.
        version: 1 when added, one more with each change.
        revision: The store's revision that wrote this version.
        vector: Little-endian float32 bytes, only when asked for.
        embedding_model: The identity of the vector's model, only with the vector.
    """

    memory_id: str
    scope: Scope
    kind: MemoryKind
    body: str
    role: Role = Role.NONE
    name: str = ""
    event_time_micros: int | None = None
    event_time_end_micros: int | None = None
    event_time_precision: TimePrecision = TimePrecision.UNSPECIFIED
    create_time_micros: int
    update_time_micros: int
    valid_from_micros: int
    valid_to_micros: int | None = None
    expire_time_micros: int | None = None
    metadata: Metadata = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    slot: str = ""
    slot_value: str = ""
    superseded_by: str | None = None
    confidence: float = 1.0
    importance: float = 0.5
    pinned: bool = False
    trust: TrustLevel = TrustLevel.NORMAL
    version: int = 1
    revision: int = 0
    vector: bytes | None = None
    embedding_model: str | None = None

    @property
    def event_time(self) -> datetime | None:
        """When it happened, in UTC."""
        return _optional_datetime(self.event_time_micros)

    @property
    def create_time(self) -> datetime:
        """When it was first heard, in UTC."""
        return from_micros(self.create_time_micros)

    @property
    def update_time(self) -> datetime:
        """When this version was written, in UTC."""
        return from_micros(self.update_time_micros)


@dataclass(frozen=True, slots=True)
class MemoryRevision:
    """One entry of a memory's history.

    Attributes:
        change: What happened.
        memory: The memory as it was after the change; for a deletion, as it was last.
        change_time_micros: When it happened.
        revision: The store's revision of the change.
        reason: Why an automatic change was made; empty for a caller's own.
    """

    change: ChangeKind
    memory: Memory
    change_time_micros: int
    revision: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AddedMemory:
    """What became of one input; see `mnemic.v1.AddedMemory`."""

    memory_id: str
    version: int = 1
    duplicate: bool = False
    embedding_pending: bool = False


@dataclass(frozen=True, slots=True)
class AddResult:
    """What an add answers.

    Attributes:
        memories: One per input, in order.
        revision: The store's revision after the write.
        operation_id: The work that goes on behind the answer, or empty.
        replayed: Whether this repeats the answer to an earlier call with the same request id.
    """

    memories: tuple[AddedMemory, ...]
    revision: int
    operation_id: str = ""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ScopeSummary:
    """One scope that holds memories; times in microseconds."""

    scope: Scope
    memory_count: int
    first_create_time_micros: int
    last_create_time_micros: int


def embedding_text(name: str, body: str) -> str:
    """The text that is embedded for a memory: the speaker's name helps to tell who said it."""
    return f"{name}: {body}" if name else body


def metadata_to_json(metadata: Metadata) -> str:
    """Canonical JSON of metadata: keys sorted, lists as arrays."""
    return json.dumps(metadata, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def metadata_from_json(text: str) -> dict[str, MetadataValue]:
    """The metadata of its canonical JSON."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()}
