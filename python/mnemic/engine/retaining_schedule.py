"""Starts runs of retention by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from mnemic.engine.retaining_selection import asked_text
from mnemic.engine.settings import RetentionSettings
from mnemic.model.errors import MnemicError
from mnemic.model.scope import Scope
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.retention")
_HOUR_MICROS = 3_600_000_000
# How often it looks whose turn it is; the last run's time is in the store, so that a restart changes nothing.
_LOOK_SECONDS = 60.0
_LONGEST_JOIN_SECONDS = 10.0
_KEPT_RUNS_MICROS = 90 * 24 * _HOUR_MICROS


class Schedule:
    """Looks whose turn it is: the tenants that have a policy, something that expired or something to destroy, and
    whose last such run began longer ago than the interval.

    Args:
        store: What was run when.
        settings: How often.
        begin: Starts the run of a tenant.
    """

    def __init__(self, store: Store, settings: RetentionSettings, begin: Callable[[str], None]) -> None:
        self._store = store
        self._interval = round(settings.interval_hours * _HOUR_MICROS)
        self._begin = begin
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins. A second call does nothing, and neither does one when the interval is 0."""
        if self._thread is None and self._interval > 0:
            self._thread = threading.Thread(target=self._look_in_turn, name="mnemic-retention-schedule", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_LONGEST_JOIN_SECONDS)

    def _look_in_turn(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look(time.time_ns() // 1000)
            except MnemicError as error:
                _log.warning("retention_not_scheduled", error=str(error))
            self._stopping.wait(_LOOK_SECONDS)

    def look(self, now_micros: int) -> None:
        """Begins the runs that are due."""
        everything = asked_text(Scope(), ())
        for tenant in self._store.retention.tenants_at_work(now_micros):
            last = self._store.retention.last_start(tenant, everything)
            # A clock that was set back does not stop retention for good.
            if last is None or not last <= now_micros < last + self._interval:
                self._begin(tenant)
        self._store.retention.forget_runs(now_micros - _KEPT_RUNS_MICROS)
