"""Erasure, as a part of the gRPC clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar, Unpack

from mnemic.client import erasure_requests as requests
from mnemic.client.calls import Call
from mnemic.client.erasure_requests import EraseOptions
from mnemic.model.erasure import ErasurePage, ErasureResult

Result = TypeVar("Result")
# Unless the caller says otherwise: an erasure takes longer than other calls.
_ERASE_SECONDS = 600.0


class ErasureClient(ABC):
    """Erasing for good; takes a credential of the role admin."""

    _timeout: float | None

    @abstractmethod
    def _call(self, call: Call[Result], timeout: float | None) -> Result:
        """Makes a call."""

    def erase(
        self, *, validate_only: bool = False, timeout: float | None = None, **options: Unpack[EraseOptions]
    ) -> ErasureResult:
        """Destroys memories in every place that holds them, and answers with a signed receipt when all is done.

        Args:
            validate_only: Only count what would be destroyed.
            timeout: Seconds to wait, 600 unless given. DEADLINE_EXCEEDED then; the erasure goes on, and the same
                `request_id` asks for it again.
            **options: See `EraseOptions`.
        """
        request = requests.erasure_request(**options)
        seconds = _ERASE_SECONDS if timeout is None else timeout
        return self._call(requests.erase(request, validate_only=validate_only), seconds)

    def erasure(
        self, erasure_id: str = "", *, request_id: str = "", wait: float = 0.0, timeout: float | None = None
    ) -> ErasureResult:
        """The state of an erasure, by its id or its `request_id`, with the receipt once it is done.

        `wait` is for how many seconds to wait until then, 60 at most.
        """
        limit = self._timeout if timeout is None else timeout
        return self._call(requests.find_erasure(erasure_id, request_id, wait), None if limit is None else limit + wait)

    def list_erasures(self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None) -> ErasurePage:
        """One page of the tenant's erasures, latest first, without receipts."""
        return self._call(requests.list_erasures(page_size, page_token), timeout)


class AsyncErasureClient(ABC):
    """As `ErasureClient`, for asyncio."""

    _timeout: float | None

    @abstractmethod
    async def _call(self, call: Call[Result], timeout: float | None) -> Result:
        """Makes a call."""

    async def erase(
        self, *, validate_only: bool = False, timeout: float | None = None, **options: Unpack[EraseOptions]
    ) -> ErasureResult:
        """Destroys memories in every place that holds them; see `MnemicClient.erase`."""
        request = requests.erasure_request(**options)
        seconds = _ERASE_SECONDS if timeout is None else timeout
        return await self._call(requests.erase(request, validate_only=validate_only), seconds)

    async def erasure(
        self, erasure_id: str = "", *, request_id: str = "", wait: float = 0.0, timeout: float | None = None
    ) -> ErasureResult:
        """The state of an erasure; see `MnemicClient.erasure`."""
        limit = self._timeout if timeout is None else timeout
        return await self._call(
            requests.find_erasure(erasure_id, request_id, wait), None if limit is None else limit + wait
        )

    async def list_erasures(
        self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> ErasurePage:
        """One page of the tenant's erasures; see `MnemicClient.list_erasures`."""
        return await self._call(requests.list_erasures(page_size, page_token), timeout)
