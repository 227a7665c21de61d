"""The thread that carries out erasures, step by step; `mnemic.store.erasure_interface` says which steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from mnemic.embedding.factory import forget_cached
from mnemic.embedding.provider import EmbeddingProvider
from mnemic.engine.erasing_again import erase_again
from mnemic.engine.erasure_ledger import ErasureLedger
from mnemic.engine.erasure_receipt import document_of
from mnemic.engine.extracting import rederivation
from mnemic.engine.live_index import LiveIndex, PartitionChange
from mnemic.engine.receipts import Signer, key_id
from mnemic.model.erasure import ErasedPlace, ErasureReceipt, TargetKind
from mnemic.model.errors import MnemicError
from mnemic.model.scope import PartitionKey
from mnemic.store.erasure_interface import ErasureStep, HidingPlace, StoredErasure
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.erasure")
# Memories that one transaction hides, and versions that one removes: others wait that long for the database.
_HIDDEN_AT_ONCE = 500
_DESTROYED_AT_ONCE = 150
# How much of the time an erasure works while others write; the rest is for them.
_SHARE = 0.5
# What retention destroys shares the cleaning of the files with what it destroys within this time.
_GATHERING_MICROS = 60_000_000
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 60.0
_STOPPING_SECONDS = 30.0
# Files are tidied ahead of erasures: how often it is looked whether that is worth while, and at which share of the time
# it is done while others write, and while nobody does.
_TIDYING_SECONDS = 10.0
_SHARE_BESIDE_WRITERS = 0.02
_SHARE_WHEN_IDLE = 0.25
_LOOK_AGAIN_SECONDS = 1.0


class ErasureWork:
    """Carries out erasures, one after another, and goes on with those that a process left.

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
        self._ledger = ErasureLedger(store.directory)
        self._changed = threading.Condition()
        # Grow when an erasure was begun, and when one has come further.
        self._begun = 0
        self._generation = 0
        self._stopping = False
        # After the last step: a later one is somebody else's.
        self._seen_revision = -1
        self._tidied_revision = -1
        self._until_tidying = _TIDYING_SECONDS
        self._thread = threading.Thread(target=self._run, name="mnemic-erasure", daemon=True)

    def start(self) -> None:
        """Begins in the background, with what a process that ended had begun. Before it returns all that is to be
        destroyed is hidden, also what came back with a backup.
        """
        erase_again(self._erasing, self._ledger)
        for erasure in self._erasing.unfinished():
            if erasure.step is ErasureStep.HIDE:
                self._hide(erasure)
        self._thread.start()

    def stop(self) -> None:
        """Ends after the step in hand; the next start goes on."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=_STOPPING_SECONDS)

    @property
    def generation(self) -> int:
        """Grows whenever an erasure has come further."""
        return self._generation

    @property
    def is_stopping(self) -> bool:
        """Whether the process ends."""
        return self._stopping

    @property
    def public_key(self) -> bytes:
        """The key by which receipts of this store verify."""
        return self._signing().public_key

    def wait_for_change(self, generation: int, seconds: float) -> None:
        """Waits until `generation` has grown, or so long, but not for ever."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._generation != generation or self._stopping, timeout=min(seconds, _LOOK_AGAIN_SECONDS)
            )

    def wake(self) -> None:
        """An erasure was begun."""
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
        """Waits until another erasure is begun, but not longer than said, and tidies the files meanwhile."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            pause = self._until_tidying
            if until is not None:
                pause = min(pause, max(until - time.monotonic(), 0.0))
            with self._changed:
                if self._changed.wait_for(lambda: self._stopping or self._begun != begun, timeout=pause):
                    return
            if until is not None and time.monotonic() >= until:
                return
            self._until_tidying = self._tidy()

    def _tidy(self) -> float:
        """Does a part of what the next erasure would have to do; gives how long to rest after it."""
        others_write = self._index.revision != self._tidied_revision
        begin = time.perf_counter()
        try:
            is_more = self._erasing.tidy_files()
        except Exception as error:  # noqa: BLE001 (the next erasure does it, and says what is wrong)
            _log.warning("files_not_tidied", error=str(error), exc_info=not isinstance(error, MnemicError))
            return _LONGEST_DELAY_SECONDS
        self._tidied_revision = self._index.revision
        if not is_more:
            return _TIDYING_SECONDS
        share = _SHARE_BESIDE_WRITERS if others_write else _SHARE_WHEN_IDLE
        return (time.perf_counter() - begin) * (1.0 / share - 1.0)

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
            self._hide(erasure)
            step = ErasureStep.STRIKE
        if step is ErasureStep.STRIKE and not self._stopping:
            self._erasing.strike(row)
            self._erasing.set_step(row, step := ErasureStep.DESTROY)
        if step is ErasureStep.DESTROY and not self._stopping:
            if not self._in_turns(lambda: self._erasing.destroy(row, limit=_DESTROYED_AT_ONCE)):
                return
            self._erasing.set_step(row, step := ErasureStep.SWEEP)
        if step is ErasureStep.SWEEP and not self._stopping:
            if erasure.drops_tenant:
                # What a call in flight has written since.
                self._hide(erasure)
                if not self._in_turns(lambda: self._erasing.destroy(row, limit=_DESTROYED_AT_ONCE)):
                    return
            self._erasing.sweep_scopes(row)
            self._index.commit_with(lambda: self._sweep(row))
            self._erasing.set_step(row, ErasureStep.CLEAN)

    def _hide(self, erasure: StoredErasure) -> None:
        row = erasure.row_id
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
        if erasure.target is not None:
            self._ledger.add(erasure.erasure_id, erasure.tenant, erasure.target)
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


def _rebuilt(partitions: frozenset[PartitionKey]) -> dict[PartitionKey, PartitionChange]:
    return {key: PartitionChange(rebuilds=True) for key in partitions}


def _gone(place: str, count: int) -> ErasedPlace:
    return ErasedPlace(place=place, found=count, destroyed=count)


def _now() -> int:
    return time.time_ns() // 1000
