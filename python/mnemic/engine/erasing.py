"""Erasure: what must never come back. The state is the store's (`mnemic.store.erasure_interface`); this drives it."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from mnemic.embedding.factory import forget_cached
from mnemic.embedding.provider import EmbeddingProvider
from mnemic.engine.erasure_receipt import document_of, receipt_of
from mnemic.engine.extracting import rederivation
from mnemic.engine.live_index import LiveIndex, PartitionChange
from mnemic.engine.pages import decode_page_token, encode_page_token, malformed_page_token, request_digest
from mnemic.engine.receipts import Signer, canonical_json, key_id, target_hash
from mnemic.engine.restriction import NO_RESTRICTION
from mnemic.engine.validation import check_memory_id, check_request_id, check_scope, check_text, page_size
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.erasure import (
    MAX_REASON_BYTES,
    MAX_REQUESTED_BY_BYTES,
    ErasedPlace,
    Erasure,
    ErasurePage,
    ErasureReceipt,
    ErasureRequest,
    ErasureResult,
    ErasureTarget,
    TargetKind,
)
from mnemic.model.errors import MnemicError, Reason, invalid_field, memory_not_found
from mnemic.model.operations import OperationState
from mnemic.model.scope import PartitionKey, Scope, ScopeMatch
from mnemic.store.erasure_interface import ErasureStep, HidingPlace, NewErasure, StoredErasure
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.erasure")
LONGEST_WAIT_SECONDS = 60.0
_DEFAULT_PAGE = 100
_SALT_BYTES = 32
# Memories that one transaction hides, and versions that one removes: others wait that long for the database.
_HIDDEN_AT_ONCE = 2000
_DESTROYED_AT_ONCE = 200
# How much of the time an erasure works while others write; the rest is for them.
_SHARE = 0.5
# What retention destroys shares the cleaning of the files with what it destroys within this time.
_GATHERING_MICROS = 60_000_000
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 60.0
_STOPPING_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 1.0


class Erasures:
    """Carries out erasures, one after another, in a thread of its own; goes on with those that a process left.

    Args:
        store: What is destroyed.
        index: What is derived from it, with its snapshots.
        provider: Whose cache of vectors is emptied.
        wake_extraction: Told when facts are to be drawn again.
    """

    def __init__(
        self, store: Store, index: LiveIndex, provider: EmbeddingProvider, wake_extraction: Callable[[], None]
    ) -> None:
        self._store = store
        self._erasing = store.erasing
        self._index = index
        self._provider = provider
        self._wake_extraction = wake_extraction
        self._signer: Signer | None = None
        self._changed = threading.Condition()
        # Grow when an erasure was begun, and when one has come further.
        self._begun = 0
        self._generation = 0
        self._stopping = False
        # After the last step: a later one is somebody else's.
        self._seen_revision = -1
        self._thread = threading.Thread(target=self._run, name="mnemic-erasure", daemon=True)

    def start(self) -> None:
        """Begins in the background, with what a process that ended had begun."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the step in hand; the next start goes on."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=_STOPPING_SECONDS)

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
        self._wake()
        return begun, begun.erasure_id != new.erasure_id

    def destroy_archived(self, tenant: str, memory_ids: Sequence[str]) -> int:
        """Destroys memories whose time in the archive has passed; how many there were. It returns when their rows are
        gone; the files are cleaned behind it, once for many.
        """
        target = ErasureTarget(memory_ids=tuple(memory_ids))
        salt = os.urandom(_SALT_BYTES)
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
        self._wake()
        while not self._stopping:
            generation = self._generation
            found = self._erasing.find(tenant, begun.erasure_id)
            if found is None or found.step in {ErasureStep.CLEAN, ErasureStep.DONE}:
                places = () if found is None else found.places
                return next((place.destroyed for place in places if place.place == "memories"), 0)
            self._wait_for_change(generation, _LOOK_AGAIN_SECONDS)
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
            generation = self._generation
            found = self._find(tenant, erasure_id, request_id)
            seconds = until - time.monotonic()
            remaining = deadline.remaining()
            if remaining is not None:
                seconds = min(seconds, remaining)
            if found.end_time_micros is not None or seconds <= 0:
                return result_of(found)
            self._wait_for_change(generation, seconds)

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
        return self._signing().public_key

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
            generation = self._generation
            found = self._erasing.find(begun.caller, begun.erasure_id)
            if found is not None and found.end_time_micros is not None:
                return result_of(found)
            remaining = deadline.remaining()
            if self._stopping or (remaining is not None and remaining <= 0):
                raise MnemicError(
                    Reason.SHUTTING_DOWN if self._stopping else Reason.DEADLINE_EXCEEDED,
                    f"erasure {begun.erasure_id} is under way and goes on by itself; ask for it again, by its id or by "
                    "the same request_id",
                    metadata={"erasure_id": begun.erasure_id},
                )
            self._wait_for_change(generation, _LOOK_AGAIN_SECONDS if remaining is None else remaining)

    def _wait_for_change(self, generation: int, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._generation != generation or self._stopping, timeout=min(seconds, _LOOK_AGAIN_SECONDS)
            )

    def _wake(self) -> None:
        with self._changed:
            self._begun += 1
            self._changed.notify_all()

    def _tell(self) -> None:
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def _run(self) -> None:
        delay = _FIRST_DELAY_SECONDS
        while not self._stopping:
            begun = self._begun
            waits: float | None = None
            try:
                waits = _GATHERING_MICROS / 1e6 if self.work_once() else None
                delay = _FIRST_DELAY_SECONDS
            except Exception as error:  # noqa: BLE001 (whatever it was, the erasure goes on)
                _log.warning("erasure_waits", error=str(error), exc_info=not isinstance(error, MnemicError))
                waits, delay = delay, min(delay * 2, _LONGEST_DELAY_SECONDS)
            self._rest(begun, waits)

    def _rest(self, begun: int, seconds: float | None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._begun != begun, timeout=seconds)

    def work_once(self) -> bool:
        """Does what is there to do; whether something waits for its files to be cleaned."""
        unfinished = self._erasing.unfinished()
        failures: list[Exception] = []
        for erasure in unfinished:
            try:
                self._advance(erasure)
            except Exception as error:  # noqa: BLE001 (the others need not wait for it)
                self._note(erasure, error)
                failures.append(error)
        self._tell()
        ready = [erasure for erasure in self._erasing.unfinished() if erasure.step is ErasureStep.CLEAN]
        if ready and self._is_due(ready) and not self._stopping:
            try:
                self._finish(ready)
            except Exception as error:
                for erasure in ready:
                    self._note(erasure, error)
                raise
        if failures:
            raise failures[0]
        return bool(self._erasing.unfinished())

    @staticmethod
    def _is_due(ready: Sequence[StoredErasure]) -> bool:
        """Whether the files are to be cleaned now. Nobody waits for what retention has destroyed: many share one."""
        oldest = min(erasure.create_time_micros for erasure in ready)
        is_retention = all(erasure.kind is TargetKind.MEMORIES for erasure in ready)
        return not is_retention or _now() - oldest > _GATHERING_MICROS

    def _note(self, erasure: StoredErasure, error: Exception) -> None:
        words = str(error) if isinstance(error, MnemicError) else f"defect: {type(error).__name__}"
        try:
            self._erasing.note_error(erasure.row_id, words)
        except MnemicError as also:
            _log.warning("erasure_error_not_noted", error=str(also))

    def _advance(self, erasure: StoredErasure) -> None:
        """Takes an erasure up to the cleaning of files, which serves several at once."""
        row, step = erasure.row_id, erasure.step
        if step is ErasureStep.HIDE and not self._stopping:
            self._hide(row)
            step = ErasureStep.STRIKE
        if step is ErasureStep.STRIKE and not self._stopping:
            self._erasing.strike(row)
            self._erasing.set_step(row, step := ErasureStep.DESTROY)
        if step is ErasureStep.DESTROY and not self._stopping:
            if not self._in_turns(lambda: self._erasing.destroy(row, limit=_DESTROYED_AT_ONCE)):
                return
            self._erasing.set_step(row, step := ErasureStep.SWEEP)
        if step is ErasureStep.SWEEP and not self._stopping:
            self._erasing.sweep_scopes(row)
            self._index.commit_with(lambda: self._sweep(row))
            self._erasing.set_step(row, ErasureStep.CLEAN)

    def _hide(self, row: int) -> None:
        place: HidingPlace | None = HidingPlace()

        def write() -> tuple[int, dict[PartitionKey, PartitionChange]]:
            nonlocal place
            hidden = self._erasing.hide(
                row, place or HidingPlace(), limit=_HIDDEN_AT_ONCE, rederive=rederivation, now_micros=_now()
            )
            place = hidden.resume
            return hidden.revision, _rebuilt(hidden.partitions)

        def step() -> bool:
            self._index.commit_with(write)
            return place is not None

        # Hiding is not interrupted by a stop: what is asked for is hidden before the process ends.
        while self._rested(step):
            pass
        self._wake_extraction()
        touched = self._erasing.touched_partitions(row)
        files = self._index.forget_snapshots(touched)
        cached = forget_cached(self._provider)
        found = [
            _gone("index_partitions", len(touched)),
            _gone("snapshots", files),
            _gone("cached_vectors", cached),
        ]
        self._erasing.set_step(row, ErasureStep.STRIKE, found)

    def _sweep(self, row: int) -> tuple[int, dict[PartitionKey, PartitionChange]]:
        swept = self._erasing.sweep_partitions(row)
        return swept.revision, _rebuilt(swept.partitions)

    def _in_turns(self, step: Callable[[], bool]) -> bool:
        """Repeats a step until nothing is left; False when the process ends first."""
        while not self._stopping:
            if not self._rested(step):
                return True
        return False

    def _rested(self, step: Callable[[], bool]) -> bool:
        """Does a step, and rests after it if somebody else has written since the last one."""
        others_write = self._index.revision != self._seen_revision
        begin = time.perf_counter()
        is_more = step()
        self._seen_revision = self._index.revision
        if is_more:
            time.sleep((time.perf_counter() - begin) * (1.0 / _SHARE - 1.0) if others_write else 0.0)
        return is_more

    def _finish(self, ready: Sequence[StoredErasure]) -> None:
        files = self._erasing.clean_files(share=_SHARE)
        cleaned = (_gone("database_pages", files.pages), _gone("write_ahead_log_bytes", files.log_bytes))
        signer = self._signing()
        for erasure in ready:
            now = _now()
            document = document_of(erasure, cleaned, store_id=self._store.instance_id(), end_micros=now)
            proof = ErasureReceipt(
                document=document,
                signature=signer.sign(document),
                public_key=signer.public_key,
                key_id=key_id(signer.public_key),
            )
            self._erasing.finish(erasure.row_id, proof, cleaned, now)
            _log.info("erased", erasure_id=erasure.erasure_id, kind=erasure.kind.value)
        self._tell()

    def _signing(self) -> Signer:
        if self._signer is None:
            self._signer = Signer(self._store.directory)
        return self._signer


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


def _rebuilt(partitions: frozenset[PartitionKey]) -> dict[PartitionKey, PartitionChange]:
    return {key: PartitionChange(rebuilds=True) for key in partitions}


def _gone(place: str, count: int) -> ErasedPlace:
    return ErasedPlace(place=place, found=count, destroyed=count)


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
