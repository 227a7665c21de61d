"""Retention, as a part of the gRPC clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar, Unpack

from mnemic.client import retention_requests as requests
from mnemic.client.calls import Call
from mnemic.client.options import FriendlyMatch, FriendlyTime, ScopeOptions
from mnemic.client.requests import scope_of
from mnemic.client.retention_requests import PolicyOptions
from mnemic.model.retention import (
    ArchivePage,
    HoldPage,
    HoldResult,
    LegalHold,
    PolicyPage,
    PolicyResult,
    RetentionPolicy,
    RetentionPreview,
    RetentionRun,
    RunResult,
)

Result = TypeVar("Result")


class RetentionClient(ABC):
    """Forgetting on purpose; takes a credential of the role admin."""

    _timeout: float | None

    @abstractmethod
    def _call(self, call: Call[Result], timeout: float | None) -> Result:
        """Makes a call."""

    def set_retention_policy(
        self,
        policy: str | RetentionPolicy,
        *,
        expected_version: int = 0,
        request_id: str = "",
        validate_only: bool = False,
        timeout: float | None = None,
        **limits: Unpack[PolicyOptions],
    ) -> PolicyResult:
        """Creates or replaces a policy of the tenant.

        Args:
            policy: Its id, or a whole one (see `mnemic.retention_policy`).
            expected_version: VERSION_CONFLICT unless it is the current one; 0 for any.
            request_id: A UUID that makes a retry safe.
            validate_only: Only check it.
            timeout: Seconds for this call; the client's own unless given.
            **limits: See `PolicyOptions`: what it selects and limits.
        """
        return self._call(
            requests.set_policy(
                requests.policy_of(policy, limits), expected_version, request_id, validate_only=validate_only
            ),
            timeout,
        )

    def get_retention_policy(self, policy_id: str, *, timeout: float | None = None) -> RetentionPolicy:
        """One policy of the tenant."""
        return self._call(requests.get_policy(policy_id), timeout)

    def list_retention_policies(
        self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> PolicyPage:
        """One page of the tenant's policies by id."""
        return self._call(requests.list_policies(page_size, page_token), timeout)

    def delete_retention_policy(
        self, policy_id: str, *, expected_version: int = 0, request_id: str = "", timeout: float | None = None
    ) -> bool:
        """Removes a policy; what it archived stays archived. Whether this repeats the answer to an earlier call."""
        return self._call(requests.delete_policy(policy_id, expected_version, request_id), timeout)

    def preview_retention(
        self,
        *,
        policy_ids: Sequence[str] = (),
        trial_policies: Sequence[RetentionPolicy] = (),
        sample_size: int | None = None,
        reference_time: FriendlyTime | None = None,
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> RetentionPreview:
        """What a run would remove, and why; changes nothing.

        Args:
            policy_ids: Only these stored policies; all that are not disabled unless given.
            trial_policies: Policies to try that are not stored; see `mnemic.retention_policy`.
            sample_size: How many examples for each policy and limit; 5 unless given.
            reference_time: As if it were this time; now unless given.
            timeout: Seconds for this call; the client's own unless given.
            **ids: Only scopes that carry these ids.
        """
        return self._call(requests.preview(policy_ids, trial_policies, sample_size, reference_time, ids), timeout)

    def run_retention(
        self,
        *,
        policy_ids: Sequence[str] = (),
        request_id: str = "",
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> RunResult:
        """Starts a run in the background, of all policies that are not disabled or those named, in scopes with the
        ids; the one that is under way if there is one of the same selection.
        """
        return self._call(requests.run(policy_ids, request_id, ids), timeout)

    def retention_run(self, run_id: str, *, wait: float = 0.0, timeout: float | None = None) -> RetentionRun:
        """How far a run is; `wait` is for how many seconds to wait until it has ended, 60 at most."""
        return self._call(requests.find_run(run_id, wait), _with_wait(timeout, self._timeout, wait))

    def list_archived(
        self,
        *,
        match: FriendlyMatch | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> ArchivePage:
        """One page of what retention archived, the latest first; `restore` brings a memory back.

        Unless `match` says otherwise, what carries the ids; without any, all of the tenant.
        """
        return self._call(requests.archived(match, page_size, page_token, ids), timeout)

    def create_legal_hold(
        self, reason: str, *, request_id: str = "", timeout: float | None = None, **ids: Unpack[ScopeOptions]
    ) -> HoldResult:
        """Keeps every memory that carries the ids, future ones too, from retention and erasure until it is released."""
        return self._call(
            requests.create_hold(LegalHold(hold_id="", scope=scope_of(**ids), reason=reason), request_id), timeout
        )

    def list_legal_holds(
        self, *, include_released: bool = False, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> HoldPage:
        """One page of the legal holds by creation."""
        return self._call(requests.list_holds(page_size, page_token, include_released=include_released), timeout)

    def release_legal_hold(self, hold_id: str, *, request_id: str = "", timeout: float | None = None) -> HoldResult:
        """Ends a legal hold; it stays listed among the released."""
        return self._call(requests.release_hold(hold_id, request_id), timeout)


class AsyncRetentionClient(ABC):
    """As `RetentionClient`, for asyncio."""

    _timeout: float | None

    @abstractmethod
    async def _call(self, call: Call[Result], timeout: float | None) -> Result:
        """Makes a call."""

    async def set_retention_policy(
        self,
        policy: str | RetentionPolicy,
        *,
        expected_version: int = 0,
        request_id: str = "",
        validate_only: bool = False,
        timeout: float | None = None,
        **limits: Unpack[PolicyOptions],
    ) -> PolicyResult:
        """Creates or replaces a policy of the tenant.

        Args:
            policy: Its id, or a whole one (see `mnemic.retention_policy`).
            expected_version: VERSION_CONFLICT unless it is the current one; 0 for any.
            request_id: A UUID that makes a retry safe.
            validate_only: Only check it.
            timeout: Seconds for this call; the client's own unless given.
            **limits: See `PolicyOptions`: what it selects and limits.
        """
        return await self._call(
            requests.set_policy(
                requests.policy_of(policy, limits), expected_version, request_id, validate_only=validate_only
            ),
            timeout,
        )

    async def get_retention_policy(self, policy_id: str, *, timeout: float | None = None) -> RetentionPolicy:
        """One policy of the tenant."""
        return await self._call(requests.get_policy(policy_id), timeout)

    async def list_retention_policies(
        self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> PolicyPage:
        """One page of the tenant's policies by id."""
        return await self._call(requests.list_policies(page_size, page_token), timeout)

    async def delete_retention_policy(
        self, policy_id: str, *, expected_version: int = 0, request_id: str = "", timeout: float | None = None
    ) -> bool:
        """Removes a policy; what it archived stays archived. Whether this repeats the answer to an earlier call."""
        return await self._call(requests.delete_policy(policy_id, expected_version, request_id), timeout)

    async def preview_retention(
        self,
        *,
        policy_ids: Sequence[str] = (),
        trial_policies: Sequence[RetentionPolicy] = (),
        sample_size: int | None = None,
        reference_time: FriendlyTime | None = None,
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> RetentionPreview:
        """What a run would remove, and why; changes nothing.

        Args:
            policy_ids: Only these stored policies; all that are not disabled unless given.
            trial_policies: Policies to try that are not stored; see `mnemic.retention_policy`.
            sample_size: How many examples for each policy and limit; 5 unless given.
            reference_time: As if it were this time; now unless given.
            timeout: Seconds for this call; the client's own unless given.
            **ids: Only scopes that carry these ids.
        """
        return await self._call(requests.preview(policy_ids, trial_policies, sample_size, reference_time, ids), timeout)

    async def run_retention(
        self,
        *,
        policy_ids: Sequence[str] = (),
        request_id: str = "",
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> RunResult:
        """Starts a run in the background, of all policies that are not disabled or those named, in scopes with the
        ids; the one that is under way if there is one of the same selection.
        """
        return await self._call(requests.run(policy_ids, request_id, ids), timeout)

    async def retention_run(self, run_id: str, *, wait: float = 0.0, timeout: float | None = None) -> RetentionRun:
        """How far a run is; `wait` is for how many seconds to wait until it has ended, 60 at most."""
        return await self._call(requests.find_run(run_id, wait), _with_wait(timeout, self._timeout, wait))

    async def list_archived(
        self,
        *,
        match: FriendlyMatch | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> ArchivePage:
        """One page of what retention archived, the latest first; `restore` brings a memory back.

        Unless `match` says otherwise, what carries the ids; without any, all of the tenant.
        """
        return await self._call(requests.archived(match, page_size, page_token, ids), timeout)

    async def create_legal_hold(
        self, reason: str, *, request_id: str = "", timeout: float | None = None, **ids: Unpack[ScopeOptions]
    ) -> HoldResult:
        """Keeps every memory that carries the ids, future ones too, from retention and erasure until it is released."""
        return await self._call(
            requests.create_hold(LegalHold(hold_id="", scope=scope_of(**ids), reason=reason), request_id), timeout
        )

    async def list_legal_holds(
        self, *, include_released: bool = False, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> HoldPage:
        """One page of the legal holds by creation."""
        return await self._call(requests.list_holds(page_size, page_token, include_released=include_released), timeout)

    async def release_legal_hold(
        self, hold_id: str, *, request_id: str = "", timeout: float | None = None
    ) -> HoldResult:
        """Ends a legal hold; it stays listed among the released."""
        return await self._call(requests.release_hold(hold_id, request_id), timeout)


def _with_wait(timeout: float | None, own: float | None, wait: float) -> float | None:
    """The time for a call that waits on the server besides."""
    limit = own if timeout is None else timeout
    return None if limit is None else limit + wait
