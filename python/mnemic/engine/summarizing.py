"""Has sessions summarised that have ended, where a tenant wants it: it enqueues, and extraction does it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

import structlog

from mnemic.engine.extracting import METHOD
from mnemic.engine.live_index import LiveIndex
from mnemic.extraction.worker import SUMMARY
from mnemic.model.errors import MnemicError
from mnemic.store.interface import Store, WriteBatch
from mnemic.store.work import OutboxKind, OutboxWrite

_log = structlog.get_logger("mnemic.summaries")
_LOOK_SECONDS = 600.0
_LONGEST_JOIN_SECONDS = 10.0
_TENANTS_AT_ONCE = 1000
# A summary covers so many messages at most; a longer session has several.
_MESSAGES_EACH = 200
# Of fewer messages a summary says nothing that they do not say themselves.
_FEWEST_MESSAGES = 4
# Names the work of a state of a session, so that it is enqueued once.
_NAMESPACE = uuid.UUID("5d0c2f0e-6d0b-4c57-9c53-0f6a1e7f6f10")


class SessionSummaries:
    """Looks for sessions whose last message is as old as the tenant says and that no summary covers yet.

    Args:
        store: Where the sessions are.
        index: What commits.
        wake: Told that there is work.
    """

    def __init__(self, store: Store, index: LiveIndex, wake: Callable[[], None]) -> None:
        self._store = store
        self._index = index
        self._wake = wake
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to look, now and then. A second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look_in_turn, name="mnemic-summaries", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_LONGEST_JOIN_SECONDS)

    def _look_in_turn(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look(_now())
            except MnemicError as error:
                _log.warning("summaries_not_looked_for", error=str(error))
            self._stopping.wait(_LOOK_SECONDS)

    def look(self, now_micros: int) -> int:
        """Enqueues the summaries that are due; how many.

        Args:
            now_micros: The time against which the age of messages is judged.
        """
        enqueued = 0
        last = ""
        while tenants := self._store.tenants(limit=_TENANTS_AT_ONCE, after=last):
            for tenant in tenants:
                seconds = tenant.extraction.summarize_after_seconds
                if seconds is not None:
                    enqueued += self._look_at(tenant.tenant_id, now_micros, now_micros - seconds * 1_000_000)
            last = tenants[-1].tenant_id
        if enqueued:
            self._wake()
        return enqueued

    def _look_at(self, tenant: str, now_micros: int, before_micros: int) -> int:
        enqueued = 0
        after: int | None = 0
        while after is not None and not self._stopping.is_set():
            page = self._store.quiet_sessions(tenant, before_micros=before_micros, after=after, now_micros=now_micros)
            for part in _uncovered(page.sessions):
                enqueued += self._enqueue(tenant, part)
            after = page.next_after
        return enqueued

    def _enqueue(self, tenant: str, message_ids: tuple[str, ...]) -> bool:
        """Enqueues the summary of a state of a session, unless that was done: it waits, or was given up."""
        operation_id = str(uuid.uuid5(_NAMESPACE, "\n".join((tenant, *message_ids))))
        if self._store.operation(tenant, operation_id):
            return False
        work = OutboxWrite(OutboxKind.EXTRACT, message_ids, {METHOD: SUMMARY}, operation_id)
        self._index.commit(WriteBatch(tenant=tenant, outbox=[work], now_micros=_now()))
        return True


def _uncovered(sessions: Sequence[Sequence[tuple[str, bool]]]) -> Iterator[tuple[str, ...]]:
    """The parts of sessions of which a message is in no summary. A part begins where it always began."""
    for messages in sessions:
        for first in range(0, len(messages), _MESSAGES_EACH):
            part = messages[first : first + _MESSAGES_EACH]
            is_new = any(not is_covered for _, is_covered in part)
            if is_new and (len(part) >= _FEWEST_MESSAGES or first):
                yield tuple(memory_id for memory_id, _ in part)


def _now() -> int:
    return time.time_ns() // 1000
