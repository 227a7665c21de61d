"""What a search asks and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mnemic.model.filters import Filter
from mnemic.model.memory import Memory, Role, from_micros
from mnemic.model.scope import Scope, ScopeMatch

DEFAULT_TOP_K = 10
MAX_TOP_K = 1000
MAX_CONTEXT_WINDOW = 10
# In the order of the fields of `mnemic.v1.SignalWeights`.
SIGNALS = ("vector", "lexical", "entity", "time", "actor", "recency", "context")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalWeights:
    """How much each signal counts; None takes the profile's weight. See `mnemic.v1.SignalWeights`."""

    vector: float | None = None
    lexical: float | None = None
    entity: float | None = None
    time: float | None = None
    actor: float | None = None
    recency: float | None = None
    context: float | None = None


# A request's own weights, where it has none.
NO_WEIGHTS = SignalWeights()


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """One search; the fields of `mnemic.v1.SearchMemoriesRequest`, times in microseconds.

    An empty `profile` is the node's default.
    """

    scope: Scope
    match: ScopeMatch = ScopeMatch.VISIBLE
    query: str = ""
    vector: bytes | None = None
    filter: Filter | None = None
    as_of_micros: int | None = None
    reference_time_micros: int | None = None
    top_k: int = DEFAULT_TOP_K
    profile: str = ""
    weights: SignalWeights = NO_WEIGHTS
    min_score: float = 0.0
    min_revision: int = 0
    explain: bool = False
    include_superseded: bool = False
    context_window: int = 0
    rerank: bool = False
    separate: bool = False
    min_confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class SignalScore:
    """One signal of one hit; see `mnemic.v1.SignalScore`."""

    raw: float
    normalized: float
    weight: float
    rank: int


@dataclass(frozen=True, slots=True)
class ContextMessage:
    """A neighbour of a hit; see `mnemic.v1.ContextMessage`."""

    memory_id: str
    body: str
    role: Role
    name: str
    event_time_micros: int | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One memory found.

    Attributes:
        memory: The memory, without its vector.
        score: 0 to 1, comparable within one answer.
        score_parts: By the signal's name (`vector`, `lexical`, `entity` …); empty unless explained.
        before: Messages of its conversation before it, oldest first; as many as `context_window` asked for.
        after: Those after it, oldest first.
        group_id: The best hit that says the same, which may be this one; empty for a hit alone.
        grouped: Further hits of its group, best first; they take no ranks and bring no neighbours.
    """

    memory: Memory
    score: float
    score_parts: Mapping[str, SignalScore] = field(default_factory=dict)
    before: tuple[ContextMessage, ...] = ()
    after: tuple[ContextMessage, ...] = ()
    group_id: str = ""
    grouped: tuple[SearchHit, ...] = ()

    @property
    def memory_id(self) -> str:
        """The memory's id."""
        return self.memory.memory_id

    @property
    def body(self) -> str:
        """The memory's text."""
        return self.memory.body

    @property
    def name(self) -> str:
        """The speaker's name, or empty."""
        return self.memory.name

    @property
    def role(self) -> Role:
        """Who spoke."""
        return self.memory.role

    @property
    def event_time(self) -> datetime | None:
        """When it happened, in UTC, or None."""
        micros = self.memory.event_time_micros
        return None if micros is None else from_micros(micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimings:
    """Where the time of a search went, in microseconds; see `mnemic.v1.StageTimings`."""

    prepare: int = 0
    embed: int = 0
    load: int = 0
    search: int = 0
    rerank: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search answers; see `mnemic.v1.SearchMemoriesResponse`."""

    hits: tuple[SearchHit, ...]
    revision: int
    timings: StageTimings = field(default_factory=StageTimings)
    considered: int = 0
    vector_skipped: bool = False
    rerank_skipped: bool = False
    abstain: bool = False
    confidence: float | None = None
