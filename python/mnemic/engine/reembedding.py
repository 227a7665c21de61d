"""Changing the embedding model: another model's vectors are made beside the active one's, then searches switch.

`reembed` does all of it while nothing else uses the store. `Reembedding` makes the vectors behind a running engine, in
short commits; the switch is made when the store is next opened with that model (`switch_if_filled`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from mnemic.embedding.provider import EmbeddingProvider
from mnemic.engine.live_index import LiveIndex
from mnemic.model.errors import MnemicError
from mnemic.model.memory import Memory, embedding_text
from mnemic.model.operations import OperationState
from mnemic.model.reembedding import ReembedStatus
from mnemic.store.interface import Store
from mnemic.store.model_store import ModelStore

_log = structlog.get_logger("mnemic.embedding")
_BATCH = 256
# Behind a running engine: a batch is a moment's work of a core, and others have it for as long again.
_BATCH_BESIDE = 32
_REST = 1.0
_NOTED_SECONDS = 2.0
_IDLE_SECONDS = 1.0
_RETRY_SECONDS = 30.0
_JOIN_SECONDS = 60.0
# What may be embedded before a store opens: what was written while the process before it ended.
_LEFT_AT_SWITCH = 1000


@dataclass(frozen=True, slots=True)
class ReembedReport:
    """What a migration did.

    Attributes:
        model: The identity that is active now.
        dropped: The identities whose vectors were removed.
        embedded: How many versions were embedded in this run; those of an interrupted run are not counted again.
    """

    model: str
    dropped: tuple[str, ...]
    embedded: int


class _Notes:
    """Notes in the store how far a filling is, at most every few seconds."""

    def __init__(self, store: ModelStore, identity: str) -> None:
        self._store = store
        self._identity = identity
        self._noted = time.monotonic()
        self._has_failed = False

    def went_on(self, *, at_once: bool = False) -> None:
        if at_once or self._has_failed or time.monotonic() - self._noted > _NOTED_SECONDS:
            self._store.note_filling(self._identity, _now())
            self._noted = time.monotonic()
            self._has_failed = False

    def failed(self, error: MnemicError) -> None:
        self._store.note_filling(self._identity, _now(), error.message)
        self._has_failed = True


def reembed(
    store: Store, provider: EmbeddingProvider, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> ReembedReport:
    """Embeds every version with the provider's model, makes it the active one and drops the others.

    An interruption loses nothing: the old model stays active until the last vector is there, and the next run goes on
    where this one ended.

    Args:
        store: The store; nothing else may write to it meanwhile.
        provider: The model to migrate to.
        progress: Told (done, total) after each batch.
    """
    store.begin_filling(provider.identity, provider.dimension, _now())
    total = store.count_without_vector(provider.identity)
    notes = _Notes(store, provider.identity)
    done = 0
    progress(done, total)
    try:
        while batch := store.versions_without_vector(provider.identity, limit=_BATCH):
            store.put_vectors(provider.identity, _embedded(provider, batch))
            done += len(batch)
            notes.went_on()
            progress(done, max(total, done))
    except MnemicError as error:
        notes.failed(error)
        raise
    notes.went_on(at_once=done > 0)
    store.register_model(provider.identity, provider.dimension, active=True)
    return ReembedReport(provider.identity, tuple(drop_retired(store)), done)


def switch_if_filled(store: Store, provider: EmbeddingProvider) -> bool:
    """Makes the provider's model the active one if its vectors are there but for a few, which are made first; whether
    it was. Nothing else may write to the store meanwhile.

    Raises:
        MnemicError: EMBEDDING_UNAVAILABLE while the few cannot be made.
    """
    known = next((model for model in store.models() if model.identity == provider.identity), None)
    if known is None or known.filling is None or store.count_without_vector(known.identity) > _LEFT_AT_SWITCH:
        return False
    while batch := store.versions_without_vector(known.identity, limit=_BATCH):
        store.put_vectors(known.identity, _embedded(provider, batch))
    store.register_model(provider.identity, provider.dimension, active=True)
    _log.info("embedding_model_switched", model=provider.identity)
    return True


def drop_retired(store: ModelStore) -> list[str]:
    """Removes the vectors of models that are neither active nor being filled; whose."""
    retired = [model.identity for model in store.models() if not model.active and model.filling is None]
    for identity in retired:
        store.drop_model(identity)
    return retired


def status_of(store: ModelStore, *, is_filling: bool) -> ReembedStatus:
    """How far a change of the model is.

    Args:
        store: Where it is kept.
        is_filling: Whether somebody is making the vectors of the model that is to come.
    """
    models = store.models()
    active = next((model for model in models if model.active), None)
    target = next((model for model in reversed(models) if not model.active and model.filling is not None), None)
    subject = target or active
    if subject is None:
        return ReembedStatus(state=OperationState.DONE, active_model="")
    filling = subject.filling
    done, missing = store.count_vectors(subject.identity), store.count_without_vector(subject.identity)
    error = filling.last_error if filling is not None and missing else ""
    # What the active model has not embedded follows by itself while a node runs.
    if not missing:
        state = OperationState.DONE
    elif target is None or is_filling:
        state = OperationState.RUNNING
    else:
        state = OperationState.FAILED if error else OperationState.PENDING
    return ReembedStatus(
        state=state,
        active_model="" if active is None else active.identity,
        target_model="" if target is None else target.identity,
        done_count=done,
        total_count=done + missing,
        last_error=error,
        start_time_micros=None if filling is None else filling.start_micros,
        update_time_micros=None if filling is None else filling.last_micros,
    )


class Reembedding:
    """Makes the vectors of the model that is to come, behind a running engine; drops those of the one that was.

    Args:
        store: The truth.
        index: Through which is committed; it has only vectors of the active model.
        active: The identity of the active model.
        open_next: Opens the model that is to come; None without one.
    """

    def __init__(
        self, store: Store, index: LiveIndex, active: str, open_next: Callable[[], EmbeddingProvider] | None
    ) -> None:
        self._store = store
        self._index = index
        self._active = active
        self._open_next = open_next
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mnemic-reembedding", daemon=True)

    def start(self) -> None:
        """Begins, if there is anything to do."""
        if self._open_next is not None or any(
            not model.active and model.filling is None for model in self._store.models()
        ):
            self._thread.start()

    def stop(self) -> None:
        """Ends after the batch in hand; the next process goes on."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def status(self) -> ReembedStatus:
        """How far it is."""
        return status_of(self._store, is_filling=self._thread.is_alive() and self._open_next is not None)

    def _run(self) -> None:
        try:
            for identity in drop_retired(self._store):
                _log.info("embedding_model_dropped", model=identity)
            if self._open_next is not None:
                self._fill(self._open_next())
        except MnemicError as error:
            _log.warning("reembedding_failed", error=str(error))

    def _fill(self, provider: EmbeddingProvider) -> None:
        try:
            if provider.identity == self._active:
                return
            self._store.begin_filling(provider.identity, provider.dimension, _now())
            notes = _Notes(self._store, provider.identity)
            was_full = False
            while not self._stopping.is_set():
                begin = time.monotonic()
                try:
                    count = self._fill_once(provider)
                except MnemicError as error:
                    notes.failed(error)
                    _log.warning("reembedding_waits", model=provider.identity, error=str(error))
                    self._stopping.wait(_RETRY_SECONDS)
                    continue
                if count:
                    notes.went_on()
                elif not was_full:
                    notes.went_on(at_once=True)
                    _log.info("reembedding_done", model=provider.identity, hint="start with this model to switch")
                was_full = not count
                self._stopping.wait((time.monotonic() - begin) * _REST if count else _IDLE_SECONDS)
        finally:
            provider.close()

    def _fill_once(self, provider: EmbeddingProvider) -> int:
        batch = self._store.versions_without_vector(provider.identity, limit=_BATCH_BESIDE)
        if batch:
            rows = _embedded(provider, batch)
            self._index.commit_with(lambda: (self._store.put_vectors(provider.identity, rows), {}))
        return len(batch)


def _embedded(provider: EmbeddingProvider, batch: Sequence[Memory]) -> list[tuple[str, int, bytes]]:
    vectors = provider.embed([embedding_text(memory.name, memory.body) for memory in batch])
    return [
        (memory.memory_id, memory.version, vector.astype("<f4", copy=False).tobytes())
        for memory, vector in zip(batch, vectors, strict=True)
    ]


def _now() -> int:
    return time.time_ns() // 1000
