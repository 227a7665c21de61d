"""Consolidation, as a part of the gRPC clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar, Unpack

from mnemic.client import decoding
from mnemic.client.calls import Call
from mnemic.client.encodable import encodable
from mnemic.client.options import ScopeOptions
from mnemic.client.requests import scope_of
from mnemic.model.consolidation import ConsolidationReport, ConsolidationResult, ConsolidationSample
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.wire.values import scope_to_proto

Result = TypeVar("Result")
# Unless the caller says otherwise: it takes longer than other calls.
_SECONDS = 600.0


class ConsolidationClient(ABC):
    """Merging facts that say the same; takes a credential of the role admin."""

    @abstractmethod
    def _call(self, call: Call[Result], timeout: float | None) -> Result:
        """Makes a call."""

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
            timeout: Seconds to wait, 600 unless given. DEADLINE_EXCEEDED then; a repetition goes on.
            **ids: Only scopes that carry these ids.
        """
        seconds = _SECONDS if timeout is None else timeout
        return self._call(_consolidate(ids, validate_only, sample_size, request_id), seconds)


class AsyncConsolidationClient(ABC):
    """As `ConsolidationClient`, for asyncio."""

    @abstractmethod
    async def _call(self, call: Call[Result], timeout: float | None) -> Result:
        """Makes a call."""

    async def consolidate(
        self,
        *,
        validate_only: bool = False,
        sample_size: int | None = None,
        request_id: str = "",
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> ConsolidationResult:
        """Merges facts of the same scope that say the same; see `MnemicClient.consolidate`."""
        seconds = _SECONDS if timeout is None else timeout
        return await self._call(_consolidate(ids, validate_only, sample_size, request_id), seconds)


def _consolidate(
    ids: ScopeOptions,
    validate_only: bool,  # noqa: FBT001 (as its callers were given it)
    sample_size: int | None,
    request_id: str,
) -> Call[ConsolidationResult]:
    """ConsolidateScope."""
    with encodable():
        message = pb.ConsolidateScopeRequest(
            scope=scope_to_proto(scope_of(**ids)),
            validate_only=validate_only,
            sample_size=sample_size,
            request_id=request_id,
        )
    return Call("ConsolidateScope", message, _result, is_lifecycle=True)


def _result(answer: pb.ConsolidateScopeResponse) -> ConsolidationResult:
    report = answer.report
    return ConsolidationResult(
        ConsolidationReport(
            examined_count=report.examined_count,
            kept_count=report.kept_count,
            merged_count=report.merged_count,
            changed_count=report.changed_count,
            samples=tuple(
                ConsolidationSample(decoding.memory(sample.kept), tuple(map(decoding.memory, sample.merged)))
                for sample in report.samples
            ),
        ),
        answer.revision,
        answer.replayed,
    )
