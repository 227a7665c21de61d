"""Starts passes of consolidation by itself, where the settings say so."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from mnemic.engine.settings import ConsolidationSettings
from mnemic.model.errors import MnemicError, Reason
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.consolidation")
_HOUR_SECONDS = 3600.0
# A server that has just started has other things to do.
_LONGEST_WAIT_AT_FIRST = _HOUR_SECONDS
_TENANTS_AT_ONCE = 1000
_LONGEST_JOIN_SECONDS = 10.0


class ConsolidationSchedule:
    """Has every tenant's facts merged, once an interval, if anything was written since.

    Args:
        store: Whose facts there are.
        settings: How often.
        merge: Merges the facts of a tenant; raises SHUTTING_DOWN when it is to end.
    """

    def __init__(self, store: Store, settings: ConsolidationSettings, merge: Callable[[str], object]) -> None:
        self._store = store
        self._interval = settings.interval_hours * _HOUR_SECONDS
        self._merge = merge
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen = 0

    def start(self) -> None:
        """Begins. A second call does nothing, and neither does one when the interval is 0."""
        if self._thread is None and self._interval > 0:
            self._thread = threading.Thread(target=self._pass_in_turn, name="mnemic-consolidation", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_LONGEST_JOIN_SECONDS)

    def _pass_in_turn(self) -> None:
        seconds = min(self._interval, _LONGEST_WAIT_AT_FIRST)
        while not self._stopping.wait(seconds):
            self.pass_over()
            seconds = self._interval

    def pass_over(self) -> None:
        """Merges the facts of one tenant after another, unless nothing was written since the last time."""
        if self._store.revision() == self._seen:
            return
        last = ""
        while tenants := self._store.tenants(limit=_TENANTS_AT_ONCE, after=last):
            for tenant in tenants:
                last = tenant.tenant_id
                try:
                    self._merge(last)
                except MnemicError as error:
                    if error.reason is Reason.SHUTTING_DOWN:
                        return
                    # One tenant's trouble must not keep the others' facts apart.
                    _log.warning("facts_not_merged", tenant=last, error=str(error))
        self._seen = self._store.revision()
