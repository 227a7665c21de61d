"""Erasure: what callers ask and are told; `mnemic.engine.erasing_work` carries it out."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from mnemic.embedding.provider import EmbeddingProvider
from mnemic.engine.auditing import Audit
from mnemic.engine.authority import Authority
from mnemic.engine.erasing_work import ErasureWork
from mnemic.engine.erasure_receipt import receipt_of
from mnemic.engine.live_index import LiveIndex
from mnemic.engine.pages import decode_page_token, encode_page_token, malformed_page_token, request_digest
from mnemic.engine.receipts import canonical_json, target_hash
from mnemic.engine.restriction import NO_RESTRICTION
from mnemic.engine.validation import check_memory_id, check_request_id, check_scope, check_text, page_size
from mnemic.model.audit import SYSTEM, AuditAction
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.erasure import (
    MAX_REASON_BYTES,
    MAX_REQUESTED_BY_BYTES,
    Erasure,
    ErasurePage,
    ErasureRequest,
    ErasureResult,
    ErasureTarget,
)
from mnemic.model.errors import MnemicError, Reason, invalid_field, memory_not_found
from mnemic.model.operations import OperationState
from mnemic.model.scope import DEFAULT_TENANT, Scope, ScopeMatch
from mnemic.store.erasure_interface import ErasureStep, NewErasure, StoredErasure
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.erasure")
LONGEST_WAIT_SECONDS = 60.0
_DEFAULT_PAGE = 100
_SALT_BYTES = 32
_LOOK_AGAIN_SECONDS = 1.0


class Erasures:
    """Begins erasures, waits for them, and tells of them.

    Args:
        store: What is destroyed.
        index: What is derived from it, with its snapshots.
        provider: Whose cache of vectors is emptied.
        wake_extraction: Told when facts are to be drawn again.
        audit: Where what nobody called for is entered.
    """

    def __init__(
        self,
        store: Store,
        index: LiveIndex,
        provider: EmbeddingProvider,
        wake_extraction: Callable[[], None],
        audit: Audit,
    ) -> None:
        self._store = store
        self._audit = audit
        self._erasing = store.erasing
        self._work = ErasureWork(store, index, provider, wake_extraction)

    def start(self) -> None:
        """See `ErasureWork.start`."""
        self._work.start()

    def stop(self) -> None:
        """See `ErasureWork.stop`."""
        self._work.stop()

    def erase(
        self,
        tenant: str,
        request: ErasureRequest,
        *,
        caller: str = "",
        drops_tenant: bool = False,
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> ErasureResult:
        """Destroys memories in every place that holds them; answers when all is done. See
        `mnemic.v1.LifecycleService.EraseScope`.

        Raises:
            MnemicError: DEADLINE_EXCEEDED when the deadline comes first: the erasure goes on.
        """
        begun, replayed = self.begin(tenant, request, caller=caller, drops_tenant=drops_tenant, within=within)
        return replace(self._await(begun, deadline), replayed=replayed)

    def begin(
        self,
        tenant: str,
        request: ErasureRequest,
        *,
        caller: str = "",
        drops_tenant: bool = False,
        within: Scope = NO_RESTRICTION,
    ) -> tuple[StoredErasure, bool]:
        """Starts an erasure, and does not wait for it; with whether it had been started before."""
        caller = caller or tenant
        target = self._checked(tenant, request, within)
        asked = canonical_json(
            {
                "drops_tenant": drops_tenant,
                "ids": target.ids(),
                "kind": target.kind.value,
                "reason": request.reason,
                "tenant": tenant,
            }
        )
        salt = os.urandom(_SALT_BYTES)
        new = NewErasure(
            erasure_id=str(uuid.uuid4()),
            caller=caller,
            tenant=tenant,
            target=target,
            drops_tenant=drops_tenant,
            salt=salt,
            target_hash=target_hash(salt, tenant, target),
            reason=request.reason,
            requested_by=request.requested_by,
            request_id=request.request_id,
            fingerprint=hashlib.sha256(salt + asked).digest(),
            now_micros=_now(),
        )
        kept = self._erasing.find_request(caller, request.request_id) if request.request_id else None
        if kept is None:
            self._require_memory(tenant, target, within)
        begun = kept or self._erasing.begin(new)
        if begun.fingerprint != hashlib.sha256(begun.salt + asked).digest():
            raise MnemicError(
                Reason.REQUEST_ID_REUSED,
                f"request_id: {request.request_id} was used before with other contents; make a new one for each call",
                metadata={"request_id": request.request_id},
            )
        self._work.wake()
        return begun, begun.erasure_id != new.erasure_id

    def delete_tenant(
        self,
        tenant_id: str,
        authority: Authority,
        *,
        caller: str,
        expected_version: int = 0,
        requested_by: str = "",
        request_id: str = "",
    ) -> tuple[str, bool]:
        """Starts to erase a tenant with all that is its own; nobody of it comes in any more. See
        `mnemic.v1.AdminService.DeleteTenant`.

        Returns:
            The id of the erasure, and whether an earlier call with the `request_id` started it.
        """
        if tenant_id == DEFAULT_TENANT:
            raise invalid_field("tenant_id", "is `default`, which stays; erase the whole tenant to empty it")
        if expected_version < 0:
            raise invalid_field("expected_version", "is negative; give a version that was read, or 0 for any")
        check_request_id(request_id)
        if not request_id or self._erasing.find_request(caller, request_id) is None:
            version = authority.tenant(tenant_id).version
            if expected_version not in {0, version}:
                raise MnemicError(
                    Reason.VERSION_CONFLICT,
                    f"expected_version: the tenant is at version {version}, not {expected_version}; read it again",
                    metadata={"current_version": str(version), "expected_version": str(expected_version)},
                )
        request = ErasureRequest(
            target=ErasureTarget(whole_tenant=True),
            reason="the tenant is deleted",
            requested_by=requested_by,
            request_id=request_id,
        )
        begun, is_replayed = self.begin(tenant_id, request, caller=caller, drops_tenant=True)
        authority.close_tenant(tenant_id)
        return begun.erasure_id, is_replayed

    def destroy_archived(self, tenant: str, memory_ids: Sequence[str]) -> int:
        """Destroys memories whose time in the archive has passed; how many there were. It returns when their rows are
        gone; the files are cleaned behind it, once for many.
        """
        target = ErasureTarget(memory_ids=tuple(memory_ids))
        salt = os.urandom(_SALT_BYTES)
        with self._audit.entering(
            tenant, SYSTEM, AuditAction.ERASE, "erasure of the archive", memory_ids=target.memory_ids
        ):
            begun = self._erasing.begin(
                NewErasure(
                    erasure_id=str(uuid.uuid4()),
                    caller=tenant,
                    tenant=tenant,
                    target=target,
                    salt=salt,
                    target_hash=target_hash(salt, tenant, target),
                    reason="the time in the archive has passed",
                    requested_by="retention",
                    now_micros=_now(),
                )
            )
        self._work.wake()
        while not self._work.is_stopping:
            generation = self._work.generation
            found = self._erasing.find(tenant, begun.erasure_id)
            if found is None or found.step in {ErasureStep.CLEAN, ErasureStep.DONE}:
                places = () if found is None else found.places
                return next((place.destroyed for place in places if place.place == "memories"), 0)
            self._work.wait_for_change(generation, _LOOK_AGAIN_SECONDS)
        return 0

    def preview(self, tenant: str, request: ErasureRequest, *, within: Scope = NO_RESTRICTION) -> Erasure:
        """What an erasure would find; nothing is changed."""
        target = self._checked(tenant, request, within)
        self._require_memory(tenant, target, within)
        return Erasure(places=self._erasing.preview(tenant, target))

    def get(
        self,
        tenant: str,
        *,
        erasure_id: str = "",
        request_id: str = "",
        wait_seconds: float = 0.0,
        deadline: Deadline = NO_DEADLINE,
    ) -> ErasureResult:
        """The state of an erasure, and its receipt once it is done; waits for that, but not longer than said."""
        if wait_seconds < 0:
            raise invalid_field("wait", "is negative; give how long to wait, or leave it out")
        if bool(erasure_id) == bool(request_id):
            raise invalid_field("erasure", "needs exactly one of erasure_id and request_id")
        until = time.monotonic() + min(wait_seconds, LONGEST_WAIT_SECONDS)
        while True:
            generation = self._work.generation
            found = self._find(tenant, erasure_id, request_id)
            seconds = until - time.monotonic()
            remaining = deadline.remaining()
            if remaining is not None:
                seconds = min(seconds, remaining)
            if found.end_time_micros is not None or seconds <= 0:
                return result_of(found)
            self._work.wait_for_change(generation, seconds)

    def _find(self, tenant: str, erasure_id: str, request_id: str) -> StoredErasure:
        erasing = self._erasing
        found = erasing.find(tenant, erasure_id) if erasure_id else erasing.find_request(tenant, request_id)
        if found is None:
            named = (erasure_id or request_id)[:64]
            raise MnemicError(
                Reason.RESOURCE_NOT_FOUND,
                f"there is no erasure {named!r} here",
                metadata={"erasure_id" if erasure_id else "request_id": named},
            )
        return found

    def list_erasures(self, tenant: str, *, size: int = 0, token: str = "") -> ErasurePage:
        """One page of a tenant's erasures, latest first, without receipts."""
        size = page_size(size, _DEFAULT_PAGE)
        digest = request_digest("erasures", tenant)
        before = _position(decode_page_token(token, digest)) if token else None
        found = self._erasing.erasures(tenant, limit=size + 1, before=before)
        page = found[:size]
        following = encode_page_token(digest, [str(page[-1].row_id)]) if len(found) > size else ""
        return ErasurePage(tuple(erasure_of(stored) for stored in page), following)

    def public_key(self) -> bytes:
        """The key by which receipts of this store verify."""
        return self._work.public_key

    def _checked(self, tenant: str, request: ErasureRequest, within: Scope) -> ErasureTarget:
        target = request.target
        check_text("reason", request.reason, MAX_REASON_BYTES)
        check_text("requested_by", request.requested_by, MAX_REQUESTED_BY_BYTES)
        check_request_id(request.request_id)
        if [target.scope is not None, bool(target.memory_id), target.whole_tenant].count(True) != 1:
            raise invalid_field("target", "needs exactly one of scope, memory_id and whole_tenant")
        if target.whole_tenant and not within.is_empty:
            raise _outside("whole_tenant", tenant)
        if target.scope is not None:
            check_scope(target.scope)
            if not within.selects(target.scope, ScopeMatch.EXACT):
                raise _outside("scope", tenant)
        if target.memory_id:
            return ErasureTarget(memory_id=check_memory_id(target.memory_id))
        return target

    def _require_memory(self, tenant: str, target: ErasureTarget, within: Scope) -> None:
        if not target.memory_id:
            return
        found = self._store.get(tenant, [target.memory_id], include_deleted=True).get(target.memory_id)
        if found is None or not within.selects(found.scope, ScopeMatch.EXACT):
            raise memory_not_found(target.memory_id)

    def _await(self, begun: StoredErasure, deadline: Deadline) -> ErasureResult:
        while True:
            generation = self._work.generation
            found = self._erasing.find(begun.caller, begun.erasure_id)
            if found is not None and found.end_time_micros is not None:
                return result_of(found)
            remaining = deadline.remaining()
            if self._work.is_stopping or (remaining is not None and remaining <= 0):
                raise MnemicError(
                    Reason.SHUTTING_DOWN if self._work.is_stopping else Reason.DEADLINE_EXCEEDED,
                    f"erasure {begun.erasure_id} is under way and goes on by itself; ask for it again, by its id or by "
                    "the same request_id",
                    metadata={"erasure_id": begun.erasure_id},
                )
            self._work.wait_for_change(generation, _LOOK_AGAIN_SECONDS if remaining is None else remaining)


def erasure_of(stored: StoredErasure) -> Erasure:
    """What callers are told of an erasure."""
    is_done = stored.end_time_micros is not None
    return Erasure(
        erasure_id=stored.erasure_id,
        state=OperationState.DONE if is_done else OperationState.RUNNING,
        create_time_micros=stored.create_time_micros,
        end_time_micros=stored.end_time_micros,
        places=stored.places,
        revision=stored.revision,
        last_error=stored.last_error,
    )


def result_of(stored: StoredErasure) -> ErasureResult:
    """What callers are told of an erasure, with its receipt if it is done."""
    return ErasureResult(erasure_of(stored), receipt_of(stored))


def _outside(field: str, tenant: str) -> MnemicError:
    return MnemicError(
        Reason.PERMISSION_DENIED,
        f"{field}: this credential is restricted to a scope of the tenant {tenant!r} and erases nothing beyond it",
        metadata={"field": field},
    )


def _position(parts: list[str | None]) -> int:
    match parts:
        case [str(row)] if row.isdecimal():
            return int(row)
        case _:
            raise malformed_page_token()


def _now() -> int:
    return time.time_ns() // 1000
