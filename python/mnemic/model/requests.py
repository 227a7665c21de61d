"""What the engine's use cases take and answer, besides searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from mnemic.model.filters import Filter
from mnemic.model.memory import Memory, Metadata, ScopeSummary, TimePrecision, TrustLevel
from mnemic.model.scope import Scope, ScopeMatch


class AddMode(IntEnum):
    """How much is made of what is added; the numbers of `mnemic.v1.AddMode`."""

    VERBATIM = 1
    LOCAL = 2
    LLM = 3
    HYBRID = 4


class WaitFor(IntEnum):
    """What an add waits for; the numbers of `mnemic.v1.WaitFor`."""

    INDEXED = 1
    EXTRACTED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUpdate:
    """New values for some fields of a memory.

    Attributes:
        fields: The names of the attributes below that change; the others are ignored. `vector` as None has the new
            text embedded, `trust` as None sets what the tenant's settings say.
    """

    fields: frozenset[str]
    body: str = ""
    name: str = ""
    event_time_micros: int | None = None
    event_time_end_micros: int | None = None
    event_time_precision: TimePrecision = TimePrecision.UNSPECIFIED
    expire_time_micros: int | None = None
    metadata: Metadata = field(default_factory=dict)
    categories: Sequence[str] = ()
    entities: Sequence[str] = ()
    importance: float = 0.5
    pinned: bool = False
    trust: TrustLevel | None = None
    slot: str = ""
    slot_value: str = ""
    vector: bytes | None = None


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """The new version of a memory that was updated or restored, and the store's revision after the write."""

    memory: Memory
    revision: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """The store's revision after the write."""

    revision: int
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """One page of a scope's memories; the fields of `mnemic.v1.ListMemoriesRequest`, times in microseconds."""

    scope: Scope
    match: ScopeMatch = ScopeMatch.VISIBLE
    filter: Filter | None = None
    page_size: int = 0
    page_token: str = ""
    as_of_micros: int | None = None
    include_superseded: bool = False
    include_expired: bool = False
    with_vectors: bool = False


@dataclass(frozen=True, slots=True)
class MemoryPage:
    """Memories, newest first; `next_page_token` is empty on the last page."""

    memories: tuple[Memory, ...]
    next_page_token: str
    revision: int


@dataclass(frozen=True, slots=True)
class ScopePage:
    """Scopes in their order; `next_page_token` is empty on the last page."""

    scopes: tuple[ScopeSummary, ...]
    next_page_token: str
