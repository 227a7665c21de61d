"""Consolidation: facts that say the same become one."""

from __future__ import annotations

from dataclasses import dataclass

from mnemic.model.memory import Memory


@dataclass(frozen=True, slots=True)
class ConsolidationSample:
    """Facts that say the same; see `mnemic.v1.ConsolidationSample`.

    Attributes:
        kept: The one that stays, as it was before.
        merged: Those that it supersedes, the first few.
    """

    kept: Memory
    merged: tuple[Memory, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolidationReport:
    """What a consolidation merged, or would.

    Attributes:
        examined_count: How many facts were looked at.
        kept_count: How many facts stay for others.
        merged_count: How many facts they supersede.
        changed_count: How many were left because they were changed meanwhile.
        samples: Examples.
    """

    examined_count: int = 0
    kept_count: int = 0
    merged_count: int = 0
    changed_count: int = 0
    samples: tuple[ConsolidationSample, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsolidationResult:
    """What ConsolidateScope answers.

    Attributes:
        report: What was merged.
        revision: The store's revision after the last merge, or the one that a report without changes reflects.
        replayed: Whether this repeats the answer to an earlier call with the same request id.
    """

    report: ConsolidationReport
    revision: int
    replayed: bool = False
