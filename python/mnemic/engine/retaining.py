"""Retention: policies, what they would remove, runs, the archive and legal holds."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace

from mnemic.engine.auditing import Audit
from mnemic.engine.identifiers import IdentifierSource
from mnemic.engine.live_index import LiveIndex
from mnemic.engine.operations import LONGEST_WAIT_SECONDS
from mnemic.engine.pages import decode_page_token, encode_page_token, malformed_page_token, request_digest
from mnemic.engine.replay import fingerprint_of, kept_answer, same_contents
from mnemic.engine.retaining_checks import (
    check_hold,
    check_id,
    check_policies,
    check_policy,
    check_policy_id,
    check_sample_size,
    not_there,
)
from mnemic.engine.retaining_progress import Progress
from mnemic.engine.retaining_recalls import RecallCounting
from mnemic.engine.retaining_runs import Destroy, RetentionFigures, Runner
from mnemic.engine.retaining_schedule import Schedule
from mnemic.engine.retaining_selection import archive_periods, asked_text, filters_of
from mnemic.engine.settings import RetentionSettings
from mnemic.engine.validation import check_ids_filter, check_request_id, check_scope, page_size
from mnemic.model.audit import SCHEDULE, AuditAction
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.operations import OperationState
from mnemic.model.retention import (
    DEFAULT_SAMPLE_SIZE,
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
    policy_from_json,
    policy_to_json,
)
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.interface import Mutation, RequestIdTakenError, RequestRecord, Store
from mnemic.store.retaining import Frame, RunRecord, Selection

_PAGE = 100
_ARCHIVE_PAGE = 50
_ALL = 10_000
# Another process may have ended a run.
_LOOK_AGAIN_SECONDS = 1.0
_CHANGE_TRIES = 5


class Retention:
    """Forgetting on purpose; see `mnemic.v1.LifecycleService`. Safe to call from many threads.

    Args:
        store: The truth.
        index: Kept equal to it.
        settings: When runs begin by themselves.
        destroy: What becomes of archived memories whose time has passed; None while nothing can do it.
        audit: Where runs are entered that begin by themselves.

    Attributes:
        recalls: Keeps count of what searches give.
    """

    def __init__(
        self, store: Store, index: LiveIndex, settings: RetentionSettings, destroy: Destroy | None, audit: Audit
    ) -> None:
        self._store = store
        self._audit = audit
        self._retention = store.retention
        self._identifiers = IdentifierSource()
        self.recalls = RecallCounting(store, index, is_on=settings.count_recalls)
        self._runner = Runner(store, index, destroy)
        self._schedule = Schedule(store, settings, self._begin_scheduled)
        self._runner.start()

    @property
    def figures(self) -> RetentionFigures:
        """What was done since the start."""
        return self._runner.figures

    def start_schedule(self) -> None:
        """Begins to start runs by itself, as the settings say. A second call does nothing."""
        self._schedule.start()

    def stop(self) -> None:
        """Ends the background work; a run that is under way is resumed by the next process."""
        self._schedule.stop()
        self._runner.stop()
        self.recalls.stop()

    def set_policy(
        self,
        tenant: str,
        policy: RetentionPolicy,
        *,
        expected_version: int = 0,
        request_id: str = "",
        validate_only: bool = False,
    ) -> PolicyResult:
        """Creates or replaces a policy, or only checks it."""
        _check_expected_version(expected_version)
        check_request_id(request_id)
        asked = replace(policy, version=0, create_time_micros=0, update_time_micros=0)
        fingerprint = fingerprint_of("set_policy", asked, expected_version)
        kept = self._kept(tenant, "SetRetentionPolicy", request_id)
        if kept is not None:
            return PolicyResult(policy_from_json(_text(same_contents(kept, fingerprint))), replayed=True)
        check_policy(policy)
        for _ in range(_CHANGE_TRIES):
            old = self._retention.find_policy(tenant, policy.policy_id)
            _require_version(old, policy.policy_id, expected_version)
            now = _now()
            new = replace(
                asked,
                version=1 if old is None else old.version + 1,
                create_time_micros=now if old is None else old.create_time_micros,
                update_time_micros=now if old is None else max(now, old.update_time_micros + 1),
            )
            if validate_only:
                return PolicyResult(new)
            record = kept_answer("SetRetentionPolicy", request_id, fingerprint, policy_to_json(new))
            try:
                self._retention.put_policy(tenant, new, Mutation(caller=tenant, request=record, now_micros=now))
            except RequestIdTakenError as taken:
                return PolicyResult(policy_from_json(_text(same_contents(taken.record, fingerprint))), replayed=True)
            except MnemicError as error:
                if error.reason is not Reason.VERSION_CONFLICT or expected_version:
                    raise
            else:
                return PolicyResult(new)
        raise _changed_meanwhile(policy.policy_id)

    def policy(self, tenant: str, policy_id: str) -> RetentionPolicy:
        """One policy."""
        found = self._retention.find_policy(tenant, check_policy_id(policy_id))
        if found is None:
            raise not_there("retention policy", policy_id, "policy_id")
        return found

    def policies(self, tenant: str, *, size: int = 0, token: str = "") -> PolicyPage:
        """One page of the policies by id."""
        size = page_size(size, _PAGE)
        digest = request_digest("retention policies", tenant)
        found = self._retention.policies(tenant, limit=size + 1, after=_after(token, digest))
        following = encode_page_token(digest, [found[size - 1].policy_id]) if len(found) > size else ""
        return PolicyPage(tuple(found[:size]), following)

    def delete_policy(self, tenant: str, policy_id: str, *, expected_version: int = 0, request_id: str = "") -> bool:
        """Removes a policy; whether this repeats the answer to an earlier call."""
        _check_expected_version(expected_version)
        check_request_id(request_id)
        check_policy_id(policy_id)
        fingerprint = fingerprint_of("delete_policy", policy_id, expected_version)
        kept = self._kept(tenant, "DeleteRetentionPolicy", request_id)
        if kept is not None:
            same_contents(kept, fingerprint)
            return True
        for _ in range(_CHANGE_TRIES):
            old = self.policy(tenant, policy_id)
            _require_version(old, policy_id, expected_version)
            record = kept_answer("DeleteRetentionPolicy", request_id, fingerprint, None)
            mutation = Mutation(caller=tenant, request=record, now_micros=_now())
            try:
                self._retention.delete_policy(tenant, policy_id, old.version, mutation)
            except RequestIdTakenError as taken:
                same_contents(taken.record, fingerprint)
                return True
            except MnemicError as error:
                if error.reason is not Reason.VERSION_CONFLICT or expected_version:
                    raise
            else:
                return False
        raise _changed_meanwhile(policy_id)

    def preview(
        self,
        tenant: str,
        *,
        scope: Scope | None = None,
        policy_ids: Sequence[str] = (),
        trial_policies: Sequence[RetentionPolicy] = (),
        sample_size: int | None = None,
        reference_micros: int | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> RetentionPreview:
        """What a run would remove, and why; changes nothing."""
        scope = scope or Scope()
        check_ids_filter(scope)
        check_policies(trial_policies, "trial_policies")
        for position, policy in enumerate(trial_policies):
            check_policy(policy, f"trial_policies[{position}]")
        size = DEFAULT_SAMPLE_SIZE if sample_size is None else sample_size
        check_sample_size(size)
        by_id = {policy.policy_id: policy for policy in self._chosen(tenant, policy_ids)}
        by_id |= {policy.policy_id: policy for policy in trial_policies}
        policies = tuple(by_id[policy_id] for policy_id in sorted(by_id))
        selection = Selection(
            tenant=tenant,
            scope=scope,
            policies=policies,
            takes_expired=not policy_ids,
            reference_micros=_now() if reference_micros is None else reference_micros,
            filters=filters_of(policies),
        )
        progress = Progress(sample_size=size)
        at_once = {policy_id for policy_id, micros in archive_periods(policies).items() if micros == 0}

        def count(frame: Frame) -> None:
            deadline.check()
            progress.note(frame.candidates)
            progress.archive_erased += sum(candidate.policy_id in at_once for candidate in frame.candidates)
            progress.finish(frame)

        revision = self._retention.preview(selection, count)
        progress.archive_erased += self._retention.count_due(tenant, scope, selection.reference_micros)
        return RetentionPreview(progress.report(self._store, tenant), revision)

    def run(
        self, tenant: str, *, scope: Scope | None = None, policy_ids: Sequence[str] = (), request_id: str = ""
    ) -> RunResult:
        """Starts a run in the background; the one that is under way if it is of the same selection."""
        scope = scope or Scope()
        check_request_id(request_id)
        fingerprint = fingerprint_of("run_retention", scope, tuple(policy_ids))
        kept = self._kept(tenant, "RunRetention", request_id)
        if kept is not None:
            return self._replayed_run(tenant, same_contents(kept, fingerprint))
        check_ids_filter(scope)
        now = _now()
        record = RunRecord(
            run_id=self._identifiers.next(),
            tenant=tenant,
            state=OperationState.PENDING,
            selection=asked_text(scope, policy_ids),
            policies=tuple(self._chosen(tenant, policy_ids)),
            takes_expired=not policy_ids,
            reference_micros=now,
            start_micros=now,
        )
        answer = kept_answer("RunRetention", request_id, fingerprint, None)
        try:
            begun = self._retention.begin_run(
                record, json.dumps, Mutation(caller=tenant, request=answer, now_micros=now)
            )
        except RequestIdTakenError as taken:
            return self._replayed_run(tenant, same_contents(taken.record, fingerprint))
        self._runner.wake()
        return RunResult(self._shown(begun))

    def _replayed_run(self, tenant: str, record: RequestRecord) -> RunResult:
        return RunResult(self.find_run(tenant, json.loads(record.response)), replayed=True)

    def _begin_scheduled(self, tenant: str) -> None:
        with self._audit.entering(tenant, SCHEDULE, AuditAction.AUTOMATIC, "retention"):
            self.run(tenant)

    def find_run(
        self, tenant: str, run_id: str, *, wait_seconds: float = 0.0, deadline: Deadline = NO_DEADLINE
    ) -> RetentionRun:
        """How far a run is; waits until it has ended, but not longer than said."""
        if wait_seconds < 0:
            raise invalid_field("wait", "is negative; give how long to wait, or leave it out")
        run_id = check_id(run_id, "run_id")
        until = time.monotonic() + min(wait_seconds, LONGEST_WAIT_SECONDS)
        while True:
            found = self._retention.find_run(tenant, run_id)
            if found is None:
                raise not_there("run of retention", run_id, "run_id")
            seconds, remaining = until - time.monotonic(), deadline.remaining()
            if remaining is not None:
                seconds = min(seconds, remaining)
            if found.end_micros is not None or seconds <= 0:
                return self._shown(found)
            self._runner.wait(min(seconds, _LOOK_AGAIN_SECONDS))

    def _shown(self, record: RunRecord) -> RetentionRun:
        return RetentionRun(
            run_id=record.run_id,
            state=record.state,
            report=Progress.from_json(record.progress).report(self._store, record.tenant),
            start_time_micros=record.start_micros,
            end_time_micros=record.end_micros,
            revision=record.revision,
            last_error=record.last_error,
        )

    def archived(self, tenant: str, scope: Scope, match: ScopeMatch, *, size: int = 0, token: str = "") -> ArchivePage:
        """One page of the archive, the latest first."""
        check_scope(scope, match)
        size = page_size(size, _ARCHIVE_PAGE)
        digest = request_digest("archive", tenant, scope, match)
        before = _place(decode_page_token(token, digest)) if token else None
        found = self._retention.archived(tenant, scope, match, limit=size + 1, before=before)
        page = found[:size]
        following = encode_page_token(digest, [str(part) for part in page[-1][0]]) if len(found) > size else ""
        return ArchivePage(tuple(archived for _, archived in page), following)

    def hold(self, tenant: str, hold: LegalHold, *, request_id: str = "") -> HoldResult:
        """Makes a legal hold of a scope and a reason."""
        check_request_id(request_id)
        fingerprint = fingerprint_of("create_hold", hold.scope, hold.reason)
        kept = self._kept(tenant, "CreateLegalHold", request_id)
        if kept is not None:
            return self._replayed_hold(tenant, same_contents(kept, fingerprint))
        check_hold(hold)
        now = _now()
        new = LegalHold(hold_id=self._identifiers.next(), scope=hold.scope, reason=hold.reason, create_time_micros=now)
        record = kept_answer("CreateLegalHold", request_id, fingerprint, new.hold_id)
        try:
            self._retention.create_hold(tenant, new, Mutation(caller=tenant, request=record, now_micros=now))
        except RequestIdTakenError as taken:
            return self._replayed_hold(tenant, same_contents(taken.record, fingerprint))
        return HoldResult(new)

    def holds(self, tenant: str, *, include_released: bool = False, size: int = 0, token: str = "") -> HoldPage:
        """One page of the legal holds by creation."""
        size = page_size(size, _PAGE)
        digest = request_digest("holds", tenant, include_released)
        found = self._retention.holds(
            tenant, include_released=include_released, limit=size + 1, after=_after(token, digest)
        )
        following = encode_page_token(digest, [found[size - 1].hold_id]) if len(found) > size else ""
        return HoldPage(tuple(found[:size]), following)

    def release(self, tenant: str, hold_id: str, *, request_id: str = "") -> HoldResult:
        """Ends a legal hold; one that has ended stays as it is."""
        check_request_id(request_id)
        hold_id = check_id(hold_id, "hold_id")
        fingerprint = fingerprint_of("release_hold", hold_id)
        kept = self._kept(tenant, "ReleaseLegalHold", request_id)
        if kept is not None:
            return self._replayed_hold(tenant, same_contents(kept, fingerprint))
        now = _now()
        old = self._hold(tenant, hold_id)
        new = old if old.release_time_micros is not None else replace(old, release_time_micros=now)
        record = kept_answer("ReleaseLegalHold", request_id, fingerprint, hold_id)
        try:
            self._retention.release_hold(tenant, new, Mutation(caller=tenant, request=record, now_micros=now))
        except RequestIdTakenError as taken:
            return self._replayed_hold(tenant, same_contents(taken.record, fingerprint))
        return HoldResult(self._hold(tenant, hold_id))

    def _hold(self, tenant: str, hold_id: str) -> LegalHold:
        found = self._retention.find_hold(tenant, hold_id)
        if found is None:
            raise not_there("legal hold", hold_id, "hold_id")
        return found

    def _replayed_hold(self, tenant: str, record: RequestRecord) -> HoldResult:
        return HoldResult(self._hold(tenant, json.loads(record.response)), replayed=True)

    def _chosen(self, tenant: str, policy_ids: Sequence[str]) -> list[RetentionPolicy]:
        """The stored policies of these ids, or all that are not disabled; by id."""
        check_policies(policy_ids, "policy_ids")
        if not policy_ids:
            return self._retention.policies(tenant, limit=_ALL, enabled_only=True)
        return [self.policy(tenant, policy_id) for policy_id in sorted(set(policy_ids))]

    def _kept(self, tenant: str, method: str, request_id: str) -> RequestRecord | None:
        return self._store.find_request(tenant, method, request_id) if request_id else None


def _text(record: RequestRecord) -> str:
    return str(json.loads(record.response))


def _after(token: str, digest: str) -> str:
    if not token:
        return ""
    match decode_page_token(token, digest):
        case [str(last)]:
            return last
        case _:
            raise malformed_page_token()


def _place(parts: list[str | None]) -> tuple[int, int]:
    match parts:
        case [str(moment), str(row_id)] if moment.lstrip("-").isdecimal() and row_id.isdecimal():
            return int(moment), int(row_id)
        case _:
            raise malformed_page_token()


def _check_expected_version(expected: int) -> None:
    if expected < 0:
        raise invalid_field("expected_version", "is negative; give a version that was read, or 0 for any")


def _require_version(old: RetentionPolicy | None, policy_id: str, expected: int) -> None:
    current = 0 if old is None else old.version
    if expected and current != expected:
        raise MnemicError(
            Reason.VERSION_CONFLICT,
            f"expected_version: policy {policy_id!r} is at version {current}, not {expected}; read it again",
            metadata={"current_version": str(current), "expected_version": str(expected)},
        )


def _changed_meanwhile(policy_id: str) -> MnemicError:
    return MnemicError(
        Reason.VERSION_CONFLICT,
        f"policy {policy_id!r} was changed by others all the while; try again",
        metadata={"policy_id": policy_id},
    )


def _now() -> int:
    return time.time_ns() // 1000
