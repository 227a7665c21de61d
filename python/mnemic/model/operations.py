"""Work behind the answers: operations and what was given up."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from mnemic.model.extraction_rules import ModelUsage


class OperationState(IntEnum):
    """How far work is; the numbers of `mnemic.v1.OperationState`."""

    PENDING = 1
    RUNNING = 2
    DONE = 3
    FAILED = 4


class WorkKind(IntEnum):
    """What work it is; the numbers of `mnemic.v1.WorkKind`."""

    EMBED = 1
    EXTRACT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The work that an add left to do behind its answer; the fields of `mnemic.v1.GetOperationResponse`.

    Attributes:
        operation_id: As the add named it.
        state: How far it is.
        attempts: How many tries it has had.
        last_error: The last error, in words, or empty.
        memory_ids: The memories that it made, or whose sources it added to.
        revision: Of its last write; 0 before.
        next_attempt_time_micros: When the next try is due; None without one.
    """

    operation_id: str
    state: OperationState
    attempts: int = 0
    last_error: str = ""
    memory_ids: tuple[str, ...] = ()
    revision: int = 0
    next_attempt_time_micros: int | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it is done or given up."""
        return self.state in {OperationState.DONE, OperationState.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Work that was given up; the fields of `mnemic.v1.DeadLetter`, times in microseconds."""

    operation_id: str
    tenant: str
    kind: WorkKind
    memory_ids: tuple[str, ...]
    attempts: int
    last_error: str
    create_time_micros: int
    fail_time_micros: int | None


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """Dead letters, oldest first; `next_page_token` is empty on the last page."""

    dead_letters: tuple[DeadLetter, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay of dead letters did: how many it put back, and which ids are none."""

    requeued: int
    missing_ids: tuple[str, ...] = ()
    replayed: bool = False


@dataclass(slots=True)
class ExtractionFigures:
    """What extraction has done since the start.

    Attributes:
        done: Batches.
        retried: Tries that failed and are repeated.
        failed: Batches that were given up.
        facts: Facts that were stored.
        duplicates: Facts that were there already.
        dropped: Candidates that were thrown away, by reason.
        prompt_tokens: Read by a language model.
        completion_tokens: Written by it.
        seconds: By method: how many batches were read, and how long that took together.
        by_tenant: What language models did for each tenant; those beyond a thousand together, as `other`.
    """

    done: int
    retried: int
    failed: int
    facts: int
    duplicates: int
    dropped: dict[str, int]
    prompt_tokens: int
    completion_tokens: int
    seconds: dict[str, tuple[int, float]] = field(default_factory=dict)
    by_tenant: dict[str, ModelUsage] = field(default_factory=dict)
