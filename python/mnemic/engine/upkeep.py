"""What the index needs behind the calls: compaction, graphs, snapshots written, verified and removed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import structlog

from mnemic import _core
from mnemic.engine.backlog import Frozen
from mnemic.engine.live_index import LiveIndex
from mnemic.engine.snapshots import SnapshotFiles
from mnemic.model.scope import PartitionKey
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.upkeep")
# Writes within this time are cared for together.
_GATHERING_SECONDS = 0.05
# Before anything was measured: a slow disk's rate.
_FIRST_BYTES_PER_SECOND = 50e6
_CLOSING_SECONDS = 10.0
_STOPPING_SECONDS = 60.0
# Nobody need be told of less.
_TOLD_SECONDS = 1.0


class Upkeep:
    """One thread that works off the index's backlog. What fails is logged and tried again with the next write.

    Args:
        index: The index.
        snapshots: Where its snapshots are, if it has any.
        store: What they are derived from.
    """

    def __init__(self, index: LiveIndex, snapshots: SnapshotFiles | None, store: Store) -> None:
        self._index = index
        self._snapshots = snapshots
        self._store = store
        self._bytes_per_second = _FIRST_BYTES_PER_SECOND
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mnemic-upkeep", daemon=True)

    def start(self) -> None:
        """Begins in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the step in hand, then writes the snapshots that spare the next start the most."""
        self._stopping.set()
        self._index.backlog.close()
        if self._thread.is_alive():
            self._thread.join(timeout=_STOPPING_SECONDS)
        if self._thread.is_alive():
            _log.warning("upkeep_not_stopped", seconds=_STOPPING_SECONDS)
        elif self._snapshots is not None:
            self._save_at_rest(time.monotonic() + _CLOSING_SECONDS)

    def _run(self) -> None:
        if self._snapshots is not None:
            self._guarded(self._tidy)
        while self._index.backlog.wait():
            # A writer in full flow is let through; what it changes is then cared for once.
            if not self._stopping.wait(_GATHERING_SECONDS):
                self.work_off()

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 (the thread must outlive whatever it was)
            _log.exception("upkeep_failed")

    def _tidy(self) -> None:
        if self._snapshots is not None:
            self._snapshots.tidy(self._store.all_partitions(), self._store.rebuild_revisions())

    def work_off(self) -> None:
        """Does what is there to do now."""
        while not self._stopping.is_set():
            task = self._index.backlog.take()
            if task is None:
                return
            if isinstance(task, Frozen):
                self._guarded(partial(self._save, task))
                self._index.backlog.finish(task)
            else:
                self._guarded(partial(self._care_for, task))

    def _care_for(self, key: PartitionKey) -> None:
        if self._index.verify(key):
            return
        try:
            is_more_due = self._index.core.upkeep(key)
        except _core.CoreError:
            if self._index.verify(key):
                return
            raise
        if is_more_due:
            # The others have their turn before its next step.
            self._index.backlog.note(key)
            return
        self._index.measure(key)
        self._index.keep_to_budget()
        frozen = self._index.freeze_if_due(key)
        if frozen is not None:
            self._save(frozen)

    def _save(self, frozen: Frozen) -> None:
        if self._snapshots is None:
            return
        begin = time.monotonic()
        if self._snapshots.write(frozen.key, frozen.state, frozen.revision, frozen.bytes):
            self._index.note_saved(frozen)
            self._bytes_per_second = max(frozen.bytes, 1) / max(time.monotonic() - begin, 1e-3)

    def _save_at_rest(self, deadline: float) -> None:
        for key in self._index.unverified():
            if time.monotonic() < deadline:
                self._index.verify(key)
        waiting = [*self._index.backlog.frozen(), *self._index.freeze_at_rest()]
        if not waiting:
            return
        needed = sum(frozen.bytes for frozen in waiting) / self._bytes_per_second
        if needed > _TOLD_SECONDS:
            _log.info("saving_snapshots", partitions=len(waiting), expected_seconds=round(needed, 1))
        # What would cost the next start the most comes first.
        waiting.sort(key=lambda frozen: frozen.unsaved, reverse=True)
        left_out = 0
        for frozen in waiting:
            if time.monotonic() + frozen.bytes / self._bytes_per_second > deadline:
                left_out += 1
                continue
            self._guarded(partial(self._save, frozen))
        if left_out or needed > _TOLD_SECONDS:
            _log.info("saved_snapshots", partitions=len(waiting) - left_out, left_out=left_out)
