"""Retention, as a part of the clients that run the engine in process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, Unpack

from mnemic.client import retention_requests as requests
from mnemic.client.inputs import micros, texts_of
from mnemic.client.options import FriendlyMatch, FriendlyTime, ScopeOptions
from mnemic.client.requests import scope_of
from mnemic.client.retention_requests import PolicyOptions
from mnemic.engine.engine import Engine
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
from mnemic.model.scope import DEFAULT_TENANT

if TYPE_CHECKING:
    from mnemic.client.memory import Memory

Result = TypeVar("Result")


class RetentionMemory(ABC):
    """Forgetting on purpose."""

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The engine below."""

    def set_retention_policy(
        self,
        policy: str | RetentionPolicy,
        *,
        expected_version: int = 0,
        request_id: str = "",
        validate_only: bool = False,
        **limits: Unpack[PolicyOptions],
    ) -> PolicyResult:
        """Creates or replaces a policy of the tenant.

        Args:
            policy: Its id, or a whole one (see `mnemic.retention_policy`).
            expected_version: VERSION_CONFLICT unless it is the current one; 0 for any.
            request_id: A UUID that makes a retry safe.
            validate_only: Only check it.
            **limits: See `PolicyOptions`: what it selects and limits.
        """
        return self.engine.retention.set_policy(
            DEFAULT_TENANT,
            requests.policy_of(policy, limits),
            expected_version=expected_version,
            request_id=request_id,
            validate_only=validate_only,
        )

    def get_retention_policy(self, policy_id: str) -> RetentionPolicy:
        """One policy of the tenant."""
        return self.engine.retention.policy(DEFAULT_TENANT, policy_id)

    def list_retention_policies(self, *, page_size: int = 0, page_token: str = "") -> PolicyPage:
        """One page of the tenant's policies by id."""
        return self.engine.retention.policies(DEFAULT_TENANT, size=page_size, token=page_token)

    def delete_retention_policy(self, policy_id: str, *, expected_version: int = 0, request_id: str = "") -> bool:
        """Removes a policy; what it archived stays archived. Whether this repeats the answer to an earlier call."""
        return self.engine.retention.delete_policy(
            DEFAULT_TENANT, policy_id, expected_version=expected_version, request_id=request_id
        )

    def preview_retention(
        self,
        *,
        policy_ids: Sequence[str] = (),
        trial_policies: Sequence[RetentionPolicy] = (),
        sample_size: int | None = None,
        reference_time: FriendlyTime | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> RetentionPreview:
        """What a run would remove, and why; changes nothing.

        Args:
            policy_ids: Only these stored policies; all that are not disabled unless given.
            trial_policies: Policies to try that are not stored; see `mnemic.retention_policy`.
            sample_size: How many examples for each policy and limit; 5 unless given.
            reference_time: As if it were this time; now unless given.
            **ids: Only scopes that carry these ids.
        """
        return self.engine.retention.preview(
            DEFAULT_TENANT,
            scope=scope_of(**ids),
            policy_ids=texts_of(policy_ids, "policy_ids"),
            trial_policies=trial_policies,
            sample_size=sample_size,
            reference_micros=None if reference_time is None else micros(reference_time, "reference_time"),
        )

    def run_retention(
        self, *, policy_ids: Sequence[str] = (), request_id: str = "", **ids: Unpack[ScopeOptions]
    ) -> RunResult:
        """Starts a run in the background, of all policies that are not disabled or those named, in scopes with the
        ids; the one that is under way if there is one of the same selection.
        """
        return self.engine.retention.run(
            DEFAULT_TENANT, scope=scope_of(**ids), policy_ids=texts_of(policy_ids, "policy_ids"), request_id=request_id
        )

    def retention_run(self, run_id: str, *, wait: float = 0.0) -> RetentionRun:
        """How far a run is; `wait` is for how many seconds to wait until it has ended, 60 at most."""
        return self.engine.retention.find_run(DEFAULT_TENANT, run_id, wait_seconds=wait)

    def list_archived(
        self,
        *,
        match: FriendlyMatch | None = None,
        page_size: int = 0,
        page_token: str = "",
        **ids: Unpack[ScopeOptions],
    ) -> ArchivePage:
        """One page of what retention archived, the latest first; `restore` brings a memory back.

        Unless `match` says otherwise, what carries the ids; without any, all of the tenant.
        """
        return self.engine.retention.archived(
            DEFAULT_TENANT, scope_of(**ids), requests.match_of(match, ids), size=page_size, token=page_token
        )

    def create_legal_hold(self, reason: str, *, request_id: str = "", **ids: Unpack[ScopeOptions]) -> HoldResult:
        """Keeps every memory that carries the ids, future ones too, from retention and erasure until it is released."""
        return self.engine.retention.hold(
            DEFAULT_TENANT, LegalHold(hold_id="", scope=scope_of(**ids), reason=reason), request_id=request_id
        )

    def list_legal_holds(self, *, include_released: bool = False, page_size: int = 0, page_token: str = "") -> HoldPage:
        """One page of the legal holds by creation."""
        return self.engine.retention.holds(
            DEFAULT_TENANT, include_released=include_released, size=page_size, token=page_token
        )

    def release_legal_hold(self, hold_id: str, *, request_id: str = "") -> HoldResult:
        """Ends a legal hold; it stays listed among the released."""
        return self.engine.retention.release(DEFAULT_TENANT, hold_id, request_id=request_id)


class AsyncRetentionMemory(ABC):
    """As `RetentionMemory`, for asyncio."""

    @abstractmethod
    async def _run(self, work: Callable[[Memory], Result]) -> Result:
        """Runs work on a thread."""

    async def set_retention_policy(
        self,
        policy: str | RetentionPolicy,
        *,
        expected_version: int = 0,
        request_id: str = "",
        validate_only: bool = False,
        **limits: Unpack[PolicyOptions],
    ) -> PolicyResult:
        """Creates or replaces a policy of the tenant.

        Args:
            policy: Its id, or a whole one (see `mnemic.retention_policy`).
            expected_version: VERSION_CONFLICT unless it is the current one; 0 for any.
            request_id: A UUID that makes a retry safe.
            validate_only: Only check it.
            **limits: See `PolicyOptions`: what it selects and limits.
        """
        return await self._run(
            lambda memory: memory.set_retention_policy(
                policy, expected_version=expected_version, request_id=request_id, validate_only=validate_only, **limits
            )
        )

    async def get_retention_policy(self, policy_id: str) -> RetentionPolicy:
        """One policy of the tenant."""
        return await self._run(lambda memory: memory.get_retention_policy(policy_id))

    async def list_retention_policies(self, *, page_size: int = 0, page_token: str = "") -> PolicyPage:
        """One page of the tenant's policies by id."""
        return await self._run(
            lambda memory: memory.list_retention_policies(page_size=page_size, page_token=page_token)
        )

    async def delete_retention_policy(self, policy_id: str, *, expected_version: int = 0, request_id: str = "") -> bool:
        """Removes a policy; what it archived stays archived. Whether this repeats the answer to an earlier call."""
        return await self._run(
            lambda memory: memory.delete_retention_policy(
                policy_id, expected_version=expected_version, request_id=request_id
            )
        )

    async def preview_retention(
        self,
        *,
        policy_ids: Sequence[str] = (),
        trial_policies: Sequence[RetentionPolicy] = (),
        sample_size: int | None = None,
        reference_time: FriendlyTime | None = None,
        **ids: Unpack[ScopeOptions],
    ) -> RetentionPreview:
        """What a run would remove, and why; changes nothing.

        Args:
            policy_ids: Only these stored policies; all that are not disabled unless given.
            trial_policies: Policies to try that are not stored; see `mnemic.retention_policy`.
            sample_size: How many examples for each policy and limit; 5 unless given.
            reference_time: As if it were this time; now unless given.
            **ids: Only scopes that carry these ids.
        """
        return await self._run(
            lambda memory: memory.preview_retention(
                policy_ids=policy_ids,
                trial_policies=trial_policies,
                sample_size=sample_size,
                reference_time=reference_time,
                **ids,
            )
        )

    async def run_retention(
        self, *, policy_ids: Sequence[str] = (), request_id: str = "", **ids: Unpack[ScopeOptions]
    ) -> RunResult:
        """Starts a run in the background, of all policies that are not disabled or those named, in scopes with the
        ids; the one that is under way if there is one of the same selection.
        """
        return await self._run(lambda memory: memory.run_retention(policy_ids=policy_ids, request_id=request_id, **ids))

    async def retention_run(self, run_id: str, *, wait: float = 0.0) -> RetentionRun:
        """How far a run is; `wait` is for how many seconds to wait until it has ended, 60 at most."""
        return await self._run(lambda memory: memory.retention_run(run_id, wait=wait))

    async def list_archived(
        self,
        *,
        match: FriendlyMatch | None = None,
        page_size: int = 0,
        page_token: str = "",
        **ids: Unpack[ScopeOptions],
    ) -> ArchivePage:
        """One page of what retention archived, the latest first; `restore` brings a memory back.

        Unless `match` says otherwise, what carries the ids; without any, all of the tenant.
        """
        return await self._run(
            lambda memory: memory.list_archived(match=match, page_size=page_size, page_token=page_token, **ids)
        )

    async def create_legal_hold(self, reason: str, *, request_id: str = "", **ids: Unpack[ScopeOptions]) -> HoldResult:
        """Keeps every memory that carries the ids, future ones too, from retention and erasure until it is released."""
        return await self._run(lambda memory: memory.create_legal_hold(reason, request_id=request_id, **ids))

    async def list_legal_holds(
        self, *, include_released: bool = False, page_size: int = 0, page_token: str = ""
    ) -> HoldPage:
        """One page of the legal holds by creation."""
        return await self._run(
            lambda memory: memory.list_legal_holds(
                include_released=include_released, page_size=page_size, page_token=page_token
            )
        )

    async def release_legal_hold(self, hold_id: str, *, request_id: str = "") -> HoldResult:
        """Ends a legal hold; it stays listed among the released."""
        return await self._run(lambda memory: memory.release_legal_hold(hold_id, request_id=request_id))
