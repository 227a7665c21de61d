"""Watching memories change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mnemic.model.filters import Filter
from mnemic.model.memory import MemoryRevision
from mnemic.model.scope import Scope, ScopeMatch

DEFAULT_HEARTBEAT_SECONDS = 30.0
LEAST_HEARTBEAT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """What is watched; the fields of `mnemic.v1.WatchMemoriesRequest`.

    Attributes:
        scope: Where.
        match: How the ids select.
        after_revision: Start after this revision; 0 for what comes from now on.
        from_start: Start with the first revision that there is.
        filter: Narrows the scope.
        heartbeat_seconds: How often to tell that nothing happened.
    """

    scope: Scope = field(default_factory=Scope)
    match: ScopeMatch = ScopeMatch.VISIBLE
    after_revision: int = 0
    from_start: bool = False
    filter: Filter | None = None
    heartbeat_seconds: float = DEFAULT_HEARTBEAT_SECONDS


@dataclass(frozen=True, slots=True)
class WatchedChanges:
    """What one commit changed of what is watched: iterate over it, ask for its length. Empty for a heartbeat.

    Attributes:
        changes: In the order of the store. Those of a large commit come in several pieces.
        revision: Everything up to it has been told: a later watch goes on after it.
    """

    changes: tuple[MemoryRevision, ...]
    revision: int

    def __iter__(self) -> Iterator[MemoryRevision]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)
