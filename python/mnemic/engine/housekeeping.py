"""Forgets what is kept for a while only."""

from __future__ import annotations

import threading
import time

import structlog

from mnemic.model.errors import MnemicError
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.engine")
_HOUR_MICROS = 3_600_000_000
_INTERVAL_SECONDS = 3600.0


class Housekeeping:
    """Drops answers that are kept for replay, and the state of work that was done, longer than promised.

    Args:
        store: Where they lie.
        kept_hours: The promise.
    """

    def __init__(self, store: Store, kept_hours: int) -> None:
        self._store = store
        self._kept_micros = kept_hours * _HOUR_MICROS
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mnemic-housekeeping", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it; what is under way is finished first."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            since = time.time_ns() // 1000 - self._kept_micros
            try:
                self._store.forget_requests(since)
                self._store.forget_work(since)
            except MnemicError as error:
                _log.warning("housekeeping_failed", error=str(error))
            if self._stopping.wait(_INTERVAL_SECONDS):
                return
