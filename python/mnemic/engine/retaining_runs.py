"""Carries out runs of retention behind live traffic: short transactions with pauses between them, resumable."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from mnemic.engine.live_index import LiveIndex, PartitionChange, changes_of
from mnemic.engine.retaining_progress import Progress
from mnemic.engine.retaining_selection import archive_periods, selection_of
from mnemic.model.errors import MnemicError
from mnemic.model.operations import OperationState
from mnemic.model.retention import RetentionCause
from mnemic.model.scope import PartitionKey
from mnemic.store.interface import Store
from mnemic.store.retaining import Archiving, Candidate, Frame, RunRecord, Stage

_log = structlog.get_logger("mnemic.retention")
# Other writers wait for a commit: it takes as many as can be written in this time, beside what the disk takes to keep
# them, which is the same for few and many. At least and at most so many.
_WRITING_SECONDS = 0.005
_ARCHIVED_AT_ONCE = (25, 200)
_DESTROYED_AT_ONCE = 1000
# After each step others have the machine for so many times as long as it took: longer where they write, too.
_REST = 0.5
_REST_AMONG_WRITERS = 3.0
_SHORTEST_REST_SECONDS = 0.002
_SAVE_SECONDS = 5.0
_JOIN_SECONDS = 30.0


@dataclass(slots=True)
class RetentionFigures:
    """What was done since the start: runs, archived memories by cause, and what of the archive was erased."""

    runs_done: int = 0
    runs_failed: int = 0
    archived: Counter[RetentionCause] = field(default_factory=Counter)
    erased: int = 0


class Destroy(Protocol):
    """What destroys memories everywhere, for good."""

    def __call__(self, tenant: str, memory_ids: Sequence[str]) -> int:
        """Destroys memories; how many there were."""


class Runner:
    """Works off the open runs, one after another, on a thread that starts when there is one.

    Args:
        store: The truth.
        index: Kept equal to it.
        destroy: What becomes of archived memories whose time has passed; None while nothing can do it.

    Attributes:
        figures: What was done since the start.
    """

    def __init__(self, store: Store, index: LiveIndex, destroy: Destroy | None = None) -> None:
        self.figures = RetentionFigures()
        self._store = store
        self._index = index
        self._destroy = destroy
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._is_asked = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Goes on with what a process before left open."""
        if self._store.retention.open_runs():
            self.wake()

    def wake(self) -> None:
        """There is an open run."""
        with self._changed:
            self._is_asked = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mnemic-retention", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Ends the thread; what is open is resumed by the next process."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)

    def wait(self, seconds: float) -> None:
        """Waits until some run is further, but not longer than said."""
        with self._changed:
            self._changed.wait(seconds)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_asked or self._stopping.is_set())
                self._is_asked = False
            if self._stopping.is_set():
                return
            for record in self._store.retention.open_runs():
                self._carry_out(record)
                if self._stopping.is_set():
                    return

    def _carry_out(self, record: RunRecord) -> None:
        try:
            run = _Run(self._store, self._index, self._destroy, record, self._stopping, self._tell, self.figures)
            run.carry_out()
        except Exception as error:  # noqa: BLE001 (the thread must outlive whatever it was)
            if self._stopping.is_set():
                return
            _log.exception("retention_run_failed", run=record.run_id)
            self._fail(record, error)
        self._tell()

    def _fail(self, record: RunRecord, error: Exception) -> None:
        self.figures.runs_failed += 1
        words = error.message if isinstance(error, MnemicError) else f"internal error: {type(error).__name__}"
        try:
            kept = self._store.retention.find_run(record.tenant, record.run_id) or record
            self._store.retention.save_run(
                replace(kept, state=OperationState.FAILED, end_micros=_now(), last_error=words)
            )
        except MnemicError as again:
            _log.warning("retention_run_not_ended", run=record.run_id, error=str(again))


class _Run:
    """One run."""

    def __init__(
        self,
        store: Store,
        index: LiveIndex,
        destroy: Destroy | None,
        record: RunRecord,
        stopping: threading.Event,
        tell: Callable[[], None],
        figures: RetentionFigures,
    ) -> None:
        self._figures = figures
        self._store = store
        self._index = index
        self._destroy = destroy
        self._stopping = stopping
        self._tell = tell
        self._progress = Progress.from_json(record.progress)
        self._record = replace(record, state=OperationState.RUNNING)
        self._selection = selection_of(record)
        self._saved = time.monotonic()
        self._last_revision = index.revision
        self._are_others_writing = False
        self._archived_at_once = _ARCHIVED_AT_ONCE[0]

    def carry_out(self) -> None:
        """Does all that is left of it, unless the process ends first."""
        while self._progress.cursor.stage in {Stage.LIMITS, Stage.BUDGETS}:
            begin = time.monotonic()
            frame = self._store.retention.frame(self._selection, self._progress.cursor)
            if self._rest(begin) or self._remove(frame):
                return
        if self._destroy is not None and not self._empty_archive(self._destroy):
            return
        self._record = replace(
            self._record, state=OperationState.DONE, end_micros=_now(), progress=self._progress.to_json()
        )
        self._store.retention.save_run(self._record)
        self._figures.runs_done += 1
        _log.info(
            "retention_run_done",
            run=self._record.run_id,
            examined=self._progress.examined,
            removed=sum(count for count, _ in self._progress.removed.values()),
            erased=self._progress.archive_erased,
        )

    def _remove(self, frame: Frame) -> bool:
        """Archives what a frame found, and goes on behind it; whether the process ends."""
        candidates = frame.candidates
        if not candidates:
            self._progress.finish(frame)
            if time.monotonic() - self._saved > _SAVE_SECONDS:
                self._save()
            return False
        done = 0
        while done < len(candidates):
            batch = candidates[done : done + self._archived_at_once]
            done += len(batch)
            begin = time.monotonic()
            self._archive(batch, frame if done == len(candidates) else None)
            if self._rest(begin):
                return True
        return False

    def _archive(self, batch: Sequence[Candidate], finished: Frame | None) -> None:
        later: list[tuple[Progress, RunRecord]] = []

        began: list[float] = []

        def record(gone: Sequence[Candidate]) -> RunRecord:
            # All but this is written now.
            self._adapt(len(batch), time.monotonic() - began[0])
            progress = self._progress.after(gone, finished)
            later.append((progress, replace(self._record, progress=progress.to_json())))
            return later[-1][1]

        archiving = Archiving(self._record.tenant, batch, archive_periods(self._record.policies), _now(), record)
        went: list[Candidate] = []

        def write() -> tuple[int, dict[PartitionKey, PartitionChange]]:
            began.append(time.monotonic())
            committed, gone = self._store.retention.archive(archiving)
            went.extend(gone)
            return committed.revision, changes_of(committed)

        self._are_others_writing = self._index.revision != self._last_revision
        revision = self._last_revision = self._index.commit_with(write)
        self._figures.archived.update(candidate.cause for candidate in went)
        self._progress, kept = later[-1]
        self._record = replace(kept, revision=revision if went else kept.revision)
        self._saved = time.monotonic()
        self._tell()

    def _adapt(self, count: int, seconds: float) -> None:
        """Makes the next commit as large as others may wait for, by what one took to write; at most half or twice."""
        fewest, most = _ARCHIVED_AT_ONCE
        change = min(max(_WRITING_SECONDS / max(seconds, 1e-6), 0.5), 2.0)
        # A batch that was the rest of a frame tells only that more would have taken too long.
        if count == self._archived_at_once or change < 1.0:
            self._archived_at_once = min(max(int(count * change), fewest), most)

    def _empty_archive(self, destroy: Destroy) -> bool:
        """Destroys what is due; False if the process ends first."""
        tenant, scope = self._record.tenant, self._selection.scope
        while due := self._store.retention.due_archived(tenant, scope, _now(), limit=_DESTROYED_AT_ONCE):
            begin = time.monotonic()
            erased = destroy(tenant, due)
            self._progress.archive_erased += erased
            self._figures.erased += erased
            self._save()
            if self._rest(begin):
                return False
        return True

    def _save(self) -> None:
        self._record = replace(self._record, progress=self._progress.to_json())
        self._store.retention.save_run(self._record)
        self._saved = time.monotonic()

    def _rest(self, begin: float) -> bool:
        """Lets others have the machine; whether the process ends."""
        share = _REST_AMONG_WRITERS if self._are_others_writing else _REST
        return self._stopping.wait(max((time.monotonic() - begin) * share, _SHORTEST_REST_SECONDS))


def _now() -> int:
    return time.time_ns() // 1000
