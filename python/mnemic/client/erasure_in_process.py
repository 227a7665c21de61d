"""Erasure with the engine in the caller's own process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar, Unpack

from mnemic.client.erasure_requests import EraseOptions, erasure_request
from mnemic.engine.engine import Engine
from mnemic.model.deadline import Deadline
from mnemic.model.erasure import ErasurePage, ErasureResult
from mnemic.model.scope import DEFAULT_TENANT

Item = TypeVar("Item")


class MemoryErasure(ABC):
    """The part of `Memory` that erases."""

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The engine."""

    def erase(
        self, *, validate_only: bool = False, timeout: float | None = None, **options: Unpack[EraseOptions]
    ) -> ErasureResult:
        """Destroys memories in every place that holds them, and answers with a signed receipt when all is done.

        Args:
            validate_only: Only count what would be destroyed.
            timeout: Seconds to wait; any time unless given. DEADLINE_EXCEEDED then; the erasure goes on.
            **options: See `EraseOptions`.
        """
        request = erasure_request(**options)
        if validate_only:
            return ErasureResult(self.engine.erasure.preview(DEFAULT_TENANT, request))
        return self.engine.erasure.erase(DEFAULT_TENANT, request, deadline=Deadline.after(timeout))

    def erasure(self, erasure_id: str = "", *, request_id: str = "", wait: float = 0.0) -> ErasureResult:
        """The state of an erasure, by its id or its `request_id`, with the receipt once it is done."""
        return self.engine.erasure.get(DEFAULT_TENANT, erasure_id=erasure_id, request_id=request_id, wait_seconds=wait)

    def list_erasures(self, *, page_size: int = 0, page_token: str = "") -> ErasurePage:
        """One page of the erasures, latest first, without receipts."""
        return self.engine.erasure.list_erasures(DEFAULT_TENANT, size=page_size, token=page_token)


class AsyncMemoryErasure(ABC):
    """The part of `AsyncMemory` that erases."""

    @abstractmethod
    async def _run(self, work: Callable[[Any], Item]) -> Item: ...

    async def erase(
        self, *, validate_only: bool = False, timeout: float | None = None, **options: Unpack[EraseOptions]
    ) -> ErasureResult:
        """Destroys memories in every place that holds them; see `Memory.erase`."""
        return await self._run(lambda memory: memory.erase(validate_only=validate_only, timeout=timeout, **options))

    async def erasure(self, erasure_id: str = "", *, request_id: str = "", wait: float = 0.0) -> ErasureResult:
        """The state of an erasure; see `Memory.erasure`."""
        return await self._run(lambda memory: memory.erasure(erasure_id, request_id=request_id, wait=wait))

    async def list_erasures(self, *, page_size: int = 0, page_token: str = "") -> ErasurePage:
        """One page of the erasures; see `Memory.list_erasures`."""
        return await self._run(lambda memory: memory.list_erasures(page_size=page_size, page_token=page_token))
