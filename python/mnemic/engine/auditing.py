"""The audit log of a node: what is entered with a commit, what before an answer, and what a moment later.

What a call commits is entered in the same transaction (`mnemic.store.auditing`). A call that changed something without
one, such as a tenant's settings, is entered before it is answered. Reads, and calls that failed, are entered by a
thread, some at a time: they wait for no disk. When it cannot keep up, they wait for room rather than go missing.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import structlog

from mnemic.engine.settings import AuditSettings
from mnemic.model.audit import CURRENT_NOTE, MAX_MEMORY_IDS, AuditAction, AuditEntry, AuditEvent, AuditNote
from mnemic.model.errors import Code, MnemicError, Reason, invalid_field
from mnemic.model.scope import Scope
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.audit")
_PAGE = 1000
_WAITING = 10_000
_AT_ONCE = 500
_DELAY_SECONDS = 0.2
_ROOM_SECONDS = 5.0
_POLL_SECONDS = 0.25
_FLUSH_POLL_SECONDS = 0.01
_RETRY_SECONDS = 1.0
_LEAST_HEARTBEAT_SECONDS = 1.0

_Waiting = tuple[str, AuditEvent]
# The numbers of google.rpc.Code.
_CANCELLED, _UNKNOWN = 1, 2
_NUMBERS = {
    Code.INVALID_ARGUMENT: 3,
    Code.DEADLINE_EXCEEDED: 4,
    Code.NOT_FOUND: 5,
    Code.ALREADY_EXISTS: 6,
    Code.PERMISSION_DENIED: 7,
    Code.RESOURCE_EXHAUSTED: 8,
    Code.FAILED_PRECONDITION: 9,
    Code.ABORTED: 10,
    Code.UNIMPLEMENTED: 12,
    Code.INTERNAL: 13,
    Code.UNAVAILABLE: 14,
    Code.DATA_LOSS: 15,
    Code.UNAUTHENTICATED: 16,
}


class Audit:
    """The audit log of a store.

    Args:
        store: Where it is.
        settings: What is entered.
        is_guarded: Whether callers are asked who they are.

    Attributes:
        writes: Whether writes, erasures and administration are entered.
        reads: Whether reads are entered, too.
    """

    def __init__(self, store: Store, settings: AuditSettings, *, is_guarded: bool) -> None:
        self._store = store
        self.writes = is_guarded if settings.writes is None else settings.writes
        self.reads = settings.reads
        self._waiting: queue.Queue[_Waiting] = queue.Queue(_WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mnemic-audit", daemon=True)
        store.audit_commits(enabled=self.writes)
        if self.writes or self.reads:
            self._thread.start()

    def wants(self, action: AuditAction) -> bool:
        """Whether calls of a kind are entered."""
        return self.reads if action is AuditAction.READ else self.writes

    def enter(self, note: AuditNote, code: int) -> None:
        """Enters a call that has ended; one that changed something durably, before this returns.

        Raises:
            MnemicError: STORE_UNAVAILABLE when it cannot be entered: then it must not be answered as if it was.
        """
        if note.is_entered and code == 0:
            return
        event = AuditEvent(
            event_time_micros=time.time_ns() // 1000,
            principal=note.principal,
            action=note.action,
            method=note.method,
            code=code,
            scope=note.scope,
            memory_ids=note.memory_ids[:MAX_MEMORY_IDS],
            memory_count=len(note.memory_ids),
            revision=0,
            call_id=note.call_id,
        )
        if note.action is not AuditAction.READ and code == 0:
            self._store.enter(note.tenant, [event])
            return
        try:
            self._waiting.put((note.tenant, event), timeout=_ROOM_SECONDS)
        except queue.Full:
            raise MnemicError(
                Reason.OVERLOADED,
                "the audit log cannot keep up, and nothing is answered that is not entered; try again",
                retry_after_seconds=_RETRY_SECONDS,
            ) from None

    @contextmanager
    def entering(
        self,
        tenant: str,
        principal: str,
        action: AuditAction,
        method: str,
        *,
        scope: Scope | None = None,
        memory_ids: Sequence[str] = (),
    ) -> Iterator[None]:
        """Enters what the block does, where writes are entered, as a call is: what it commits with the commit, else
        when it has ended, with the code of how.

        Args:
            tenant: In whose log.
            principal: Who does it.
            action: What kind of thing it is.
            method: Its name.
            scope: The ids that it is about.
            memory_ids: The memories that it is about.

        Raises:
            MnemicError: STORE_UNAVAILABLE when it was done and cannot be entered.
        """
        if not self.writes:
            yield
            return
        note = AuditNote(
            tenant=tenant,
            principal=principal,
            action=action,
            method=method,
            call_id=str(uuid.uuid4()),
            scope=scope or Scope(),
            memory_ids=memory_ids,
        )
        token = CURRENT_NOTE.set(note)
        try:
            yield
        except BaseException as error:
            with suppress(MnemicError):
                self.enter(note, _number_of(error))
            raise
        finally:
            CURRENT_NOTE.reset(token)
        self.enter(note, 0)

    def entries(
        self,
        tenant: str,
        *,
        after: int = 0,
        start_micros: int | None = None,
        end_micros: int | None = None,
        follow: bool = False,
        heartbeat_seconds: float = 30.0,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> Iterator[list[AuditEntry]]:
        """A tenant's log in lists of up to 1,000 entries; see `mnemic.v1.AdminService.ExportAuditLog`.

        Args:
            tenant: Whose.
            after: Only entries after this number.
            start_micros: Only entries at or after this time.
            end_micros: Only entries before this time.
            follow: Go on with new entries; an empty list after each `heartbeat_seconds` without any.
            heartbeat_seconds: At least 1.
            goes_on: Asked often whether to; may raise.
        """
        if after < 0:
            raise invalid_field("after_sequence", "is negative; give the number of an entry, or 0 for all")
        if heartbeat_seconds < _LEAST_HEARTBEAT_SECONDS:
            raise invalid_field("heartbeat", f"is {heartbeat_seconds:g} s; at least 1 s is accepted")
        beat = heartbeat_seconds if follow else None
        return self._entries(tenant, after, (start_micros, end_micros), beat, goes_on)

    def _entries(
        self,
        tenant: str,
        after: int,
        times: tuple[int | None, int | None],
        heartbeat_seconds: float | None,
        goes_on: Callable[[], bool],
    ) -> Iterator[list[AuditEntry]]:
        start, end = times
        told = time.monotonic()
        while True:
            page = self._store.audit_entries(tenant, after=after, limit=_PAGE)
            if page:
                after = page[-1].sequence
            wanted = [
                entry
                for entry in page
                if (start is None or entry.event_time_micros >= start)
                and (end is None or entry.event_time_micros < end)
            ]
            if wanted:
                told = time.monotonic()
                yield wanted
            if not goes_on():
                return
            if len(page) == _PAGE:
                continue
            if heartbeat_seconds is None:
                return
            if time.monotonic() - told >= heartbeat_seconds:
                told = time.monotonic()
                yield []
            if self._stopping.wait(_POLL_SECONDS):
                return

    def has_log(self, tenant: str) -> bool:
        """Whether anything was ever entered for a tenant."""
        return bool(self._store.audit_entries(tenant, after=0, limit=1))

    def flush(self) -> None:
        """Returns when all that was waiting is entered, or a few seconds later."""
        give_up = time.monotonic() + _ROOM_SECONDS
        while self._waiting.unfinished_tasks and time.monotonic() < give_up:
            self._stopping.wait(_FLUSH_POLL_SECONDS)

    def stop(self) -> None:
        """Enters what waits, and ends."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not (self._stopping.is_set() and self._waiting.empty()):
            batch = self._next()
            while batch:
                try:
                    self._write(batch)
                except MnemicError as error:
                    _log.warning("audit_waits", error=str(error), entries=len(batch))
                    if self._stopping.wait(_RETRY_SECONDS):
                        _log.error("audit_entries_lost", entries=len(batch))
                        break
                else:
                    break
            for _ in batch:
                self._waiting.task_done()

    def _next(self) -> list[_Waiting]:
        """What waits, at least one unless the time is over."""
        batch: list[_Waiting] = []
        with suppress(queue.Empty):
            batch.append(self._waiting.get(timeout=_DELAY_SECONDS))
            while len(batch) < _AT_ONCE:
                batch.append(self._waiting.get_nowait())
        return batch

    def _write(self, batch: Sequence[_Waiting]) -> None:
        by_tenant: dict[str, list[AuditEvent]] = {}
        for tenant, event in batch:
            by_tenant.setdefault(tenant, []).append(event)
        for tenant, events in by_tenant.items():
            self._store.enter(tenant, events)


def _number_of(error: BaseException) -> int:
    if isinstance(error, MnemicError):
        return _NUMBERS[error.reason.code]
    return _UNKNOWN if isinstance(error, Exception) else _CANCELLED
