"""Retention: which memories go when, what rests in the archive, what may not go. Times and spans in microseconds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from mnemic.model.filters import AllOf, AnyOf, Comparison, Filter, Not, Operator
from mnemic.model.memory import Memory, MemoryKind
from mnemic.model.operations import OperationState
from mnemic.model.scope import Scope

DAY_MICROS = 86_400_000_000
# How long what a policy removes rests in the archive where it does not say, and what expired by itself.
DEFAULT_ARCHIVE_MICROS = 30 * DAY_MICROS
DEFAULT_SAMPLE_SIZE = 5


class RetentionCause(IntEnum):
    """Which limit made a memory go; the numbers of `mnemic.v1.RetentionCause`."""

    EXPIRED = 1
    AGE = 2
    INACTIVITY = 3
    SUPERSEDED = 4
    SESSION_ENDED = 5
    COUNT_BUDGET = 6
    BYTE_BUDGET = 7


@dataclass(frozen=True, slots=True)
class RetentionScoreWeights:
    """How much each part of the retention score counts, 0 to 1; None takes the default of `SCORE_WEIGHTS`."""

    importance: float | None = None
    confidence: float | None = None
    recency: float | None = None
    use: float | None = None

    def resolved(self) -> RetentionScoreWeights:
        """With the defaults in place of what is not said."""
        default = SCORE_WEIGHTS
        return RetentionScoreWeights(
            default.importance if self.importance is None else self.importance,
            default.confidence if self.confidence is None else self.confidence,
            default.recency if self.recency is None else self.recency,
            default.use if self.use is None else self.use,
        )


SCORE_WEIGHTS = RetentionScoreWeights(importance=0.4, confidence=0.1, recency=0.25, use=0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """What to keep, and for how long; the fields of `mnemic.v1.RetentionPolicy`.

    Attributes:
        policy_id: The caller's name for it.
        description: What it is for.
        scope: The ids that a memory must carry to be selected; none for all of the tenant.
        kinds: The kinds that it selects; none for all.
        categories: Labels of which a memory must have one; none for all.
        filter: What narrows the selection further.
        max_age_micros: By event time if known, else by creation.
        max_inactivity_micros: Since the last recall or write, whichever is later.
        superseded_grace_micros: Since the supersession was recorded.
        session_grace_micros: Since the last write to the memory's session.
        max_memories_per_scope: How many of the best each distinct scope keeps.
        max_bytes_per_scope: How many bytes of body of the best each distinct scope keeps.
        score_weights: What the best is.
        archive_period_micros: How long what goes can be restored; None for 30 days.
        disabled: Whether only calls that name it apply it.
        version: 1 when created, one more with each change.
        create_time_micros: When it was created.
        update_time_micros: When it was last changed.
    """

    policy_id: str
    description: str = ""
    scope: Scope = field(default_factory=Scope)
    kinds: tuple[MemoryKind, ...] = ()
    categories: tuple[str, ...] = ()
    filter: Filter | None = None
    max_age_micros: int | None = None
    max_inactivity_micros: int | None = None
    superseded_grace_micros: int | None = None
    session_grace_micros: int | None = None
    max_memories_per_scope: int | None = None
    max_bytes_per_scope: int | None = None
    score_weights: RetentionScoreWeights = field(default_factory=RetentionScoreWeights)
    archive_period_micros: int | None = None
    disabled: bool = False
    version: int = 0
    create_time_micros: int = 0
    update_time_micros: int = 0

    @property
    def has_budget(self) -> bool:
        """Whether it limits how much a scope keeps."""
        return self.max_memories_per_scope is not None or self.max_bytes_per_scope is not None


@dataclass(frozen=True, slots=True)
class RetentionSample:
    """One memory that goes, as an example; the score only where a budget chose."""

    memory: Memory
    policy_id: str
    cause: RetentionCause
    retention_score: float | None = None
    last_recall_micros: int | None = None


@dataclass(frozen=True, slots=True)
class RetentionCount:
    """How many memories go by one limit of one policy; the policy is empty for what expired by itself."""

    policy_id: str
    cause: RetentionCause
    memory_count: int
    body_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionReport:
    """What a run of retention removes, or would; the fields of `mnemic.v1.RetentionReport`."""

    examined_count: int = 0
    removed: tuple[RetentionCount, ...] = ()
    pinned_count: int = 0
    held_count: int = 0
    archive_erased_count: int = 0
    samples: tuple[RetentionSample, ...] = ()

    @property
    def removed_count(self) -> int:
        """How many go in all."""
        return sum(count.memory_count for count in self.removed)


@dataclass(frozen=True, slots=True)
class RetentionPreview:
    """What would go, and the revision at which that was seen."""

    report: RetentionReport
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRun:
    """One run of retention; the fields of `mnemic.v1.RetentionRun`."""

    run_id: str
    state: OperationState
    report: RetentionReport
    start_time_micros: int
    end_time_micros: int | None = None
    revision: int = 0
    last_error: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether it is done or failed."""
        return self.state in {OperationState.DONE, OperationState.FAILED}


@dataclass(frozen=True, slots=True)
class ArchivedMemory:
    """One memory in the archive; the policy is empty if it expired by itself."""

    memory: Memory
    policy_id: str
    cause: RetentionCause
    archive_time_micros: int
    erase_time_micros: int


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """Archived memories, the latest first; `next_page_token` is empty on the last page."""

    memories: tuple[ArchivedMemory, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold:
    """A reason in law to keep every memory that carries the ids of a scope, future ones too."""

    hold_id: str
    scope: Scope
    reason: str
    create_time_micros: int = 0
    release_time_micros: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """A policy as stored, and whether this repeats the answer to an earlier call."""

    policy: RetentionPolicy
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """Policies by id; `next_page_token` is empty on the last page."""

    policies: tuple[RetentionPolicy, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class HoldResult:
    """A hold as stored, and whether this repeats the answer to an earlier call."""

    hold: LegalHold
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class HoldPage:
    """Holds by creation; `next_page_token` is empty on the last page."""

    holds: tuple[LegalHold, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run, and whether this repeats the answer to an earlier call."""

    run: RetentionRun
    replayed: bool = False


def policy_to_json(policy: RetentionPolicy) -> str:
    """Canonical JSON of a policy."""
    values = {name: getattr(policy, name) for name in policy.__dataclass_fields__}
    values["scope"] = _parts(policy.scope)
    values["kinds"] = [int(kind) for kind in policy.kinds]
    values["filter"] = None if policy.filter is None else _filter_document(policy.filter)
    values["score_weights"] = _parts(policy.score_weights)
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def policy_from_json(text: str) -> RetentionPolicy:
    """The policy of its canonical JSON."""
    values: dict[str, Any] = json.loads(text)
    values["scope"] = Scope(**values["scope"])
    values["kinds"] = tuple(map(MemoryKind, values["kinds"]))
    values["categories"] = tuple(values["categories"])
    values["filter"] = None if values["filter"] is None else _filter_of(values["filter"])
    values["score_weights"] = RetentionScoreWeights(**values["score_weights"])
    return RetentionPolicy(**values)


def _parts(value: Scope | RetentionScoreWeights) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _filter_document(node: Filter) -> list[Any]:
    if isinstance(node, Comparison):
        values = [list(value) if isinstance(value, tuple) else value for value in node.values]
        return ["compare", node.field, int(node.operator), values]
    if isinstance(node, Not):
        return ["not", _filter_document(node.filter)]
    return ["all" if isinstance(node, AllOf) else "any", [_filter_document(child) for child in node.filters]]


def _filter_of(document: list[Any]) -> Filter:
    match document:
        case ["compare", name, operator, values]:
            given = tuple(tuple(value) if isinstance(value, list) else value for value in values)
            return Comparison(name, Operator(operator), given)
        case ["not", child]:
            return Not(_filter_of(child))
        case ["all", children]:
            return AllOf(tuple(map(_filter_of, children)))
        case ["any", children]:
            return AnyOf(tuple(map(_filter_of, children)))
        case _:
            raise ValueError("a stored filter is of no known form")
