"""Consolidation with the engine in the caller's own process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar, Unpack

from mnemic.client.options import ScopeOptions
from mnemic.client.requests import scope_of
from mnemic.engine.engine import Engine
from mnemic.model.consolidation import ConsolidationResult
from mnemic.model.deadline import Deadline
from mnemic.model.scope import DEFAULT_TENANT

Item = TypeVar("Item")


class MemoryConsolidation(ABC):
    """The part of `Memory` that merges facts that say the same."""

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The engine."""

    def consolidate(
        self,
        *,
        validate_only: bool = False,
        sample_size: int | None = None,
        request_id: str = "",
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> ConsolidationResult:
        """Merges facts of the same scope that say the same: one stays, with the sources of all, and supersedes the
        others, which `restore` brings back.

        Args:
            validate_only: Only say what would be merged.
            sample_size: How many examples; 5 unless given.
            request_id: A UUID that makes a retry safe.
            timeout: Seconds to wait; any time unless given. DEADLINE_EXCEEDED then; a repetition goes on.
            **ids: Only scopes that carry these ids.
        """
        return self.engine.consolidation.consolidate(
            DEFAULT_TENANT,
            scope_of(**ids),
            validate_only=validate_only,
            sample_size=sample_size,
            request_id=request_id,
            deadline=Deadline.after(timeout),
        )


class AsyncMemoryConsolidation(ABC):
    """The part of `AsyncMemory` that merges facts that say the same."""

    @abstractmethod
    async def _run(self, work: Callable[[Any], Item]) -> Item: ...

    async def consolidate(
        self,
        *,
        validate_only: bool = False,
        sample_size: int | None = None,
        request_id: str = "",
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> ConsolidationResult:
        """Merges facts of the same scope that say the same; see `Memory.consolidate`."""
        return await self._run(
            lambda memory: memory.consolidate(
                validate_only=validate_only, sample_size=sample_size, request_id=request_id, timeout=timeout, **ids
            )
        )
