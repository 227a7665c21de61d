"""Embedding what was written while the provider was away."""

from __future__ import annotations

import random
import threading
import time

import structlog

from mnemic.engine.embedder import Embedder
from mnemic.engine.live_index import LiveIndex, PartitionChange
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError
from mnemic.model.memory import Memory, embedding_text
from mnemic.model.scope import PartitionKey
from mnemic.store.interface import Store
from mnemic.store.work import OutboxItem, OutboxKind

_log = structlog.get_logger("mnemic.embedding")
_BATCH = 32
_IDLE_SECONDS = 1.0
_LEASE_MICROS = 120_000_000
_TIMEOUT_SECONDS = 60.0
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 300.0


class EmbeddingCatchUp:
    """One thread that works off the outbox's embedding items; it never gives up, only waits longer."""

    def __init__(self, store: Store, index: LiveIndex, embedder: Embedder) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mnemic-embedding", daemon=True)

    def start(self) -> None:
        """Begins in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the batch in hand."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_TIMEOUT_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                worked = self.work_once()
            except MnemicError as error:
                _log.warning("embedding_catch_up_failed", error=str(error))
                worked = 0
            if not worked:
                self._stop.wait(_IDLE_SECONDS)

    def work_once(self) -> int:
        """Does what is due, up to one batch; how many items were done."""
        now = time.time_ns() // 1000
        items = self._store.claim_outbox(OutboxKind.EMBED, limit=_BATCH, now_micros=now, lease_micros=_LEASE_MICROS)
        done = []
        for item in items:
            try:
                self._embed(item)
            except MnemicError as error:
                self._postpone(item, error)
            else:
                done.append(item.item_id)
        if done:
            self._store.finish_outbox(done)
        return len(done)

    def _embed(self, item: OutboxItem) -> None:
        pending = self._pending(item)
        texts = [embedding_text(memory.name, memory.body) for memory in pending]
        vectors = self._embedder.embed(texts, Deadline.after(_TIMEOUT_SECONDS))
        by_version = {
            (memory.memory_id, memory.version): vector for memory, vector in zip(pending, vectors, strict=True)
        }
        self._index.commit_with(lambda: self._write(item, by_version))

    def _pending(self, item: OutboxItem) -> list[Memory]:
        found = self._store.get(item.tenant, item.memory_ids, with_vectors=True)
        return [memory for memory in found.values() if memory.vector is None]

    def _write(
        self, item: OutboxItem, vectors: dict[tuple[str, int], bytes]
    ) -> tuple[int, dict[PartitionKey, PartitionChange]]:
        changes: dict[PartitionKey, PartitionChange] = {}
        rows = []
        # What was updated or deleted while the provider worked is not brought back.
        for memory in self._pending(item):
            vector = vectors.get((memory.memory_id, memory.version))
            if vector is not None:
                rows.append((memory.memory_id, memory.version, vector))
                changes.setdefault(memory.scope.partition(item.tenant), PartitionChange()).rows.append((memory, vector))
        return self._store.put_vectors(self._embedder.provider.identity, rows), changes

    def _postpone(self, item: OutboxItem, error: MnemicError) -> None:
        delay = min(_FIRST_DELAY_SECONDS * 2 ** min(item.attempts, 16), _LONGEST_DELAY_SECONDS)
        delay *= random.uniform(0.5, 1.0)  # noqa: S311 (jitter, no secret)
        next_attempt = time.time_ns() // 1000 + int(delay * 1_000_000)
        self._store.retry_outbox(item.item_id, error=str(error), next_attempt_micros=next_attempt)
