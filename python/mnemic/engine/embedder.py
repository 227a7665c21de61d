"""The embedding model behind a bounded queue."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mnemic.embedding.prefixes import embed_queries
from mnemic.embedding.provider import EmbeddingProvider
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason

# A remote provider waits for a network and not for a core.
_REMOTE_CONCURRENCY = 16
_RETRY_AFTER_SECONDS = 0.1


class Embedder:
    """Embeds for the engine: at most as many at once as there are cores, at most `queue` waiting, none for ever."""

    def __init__(self, provider: EmbeddingProvider, queue: int) -> None:
        self.provider = provider
        concurrency = (os.cpu_count() or 1) if provider.is_local else _REMOTE_CONCURRENCY
        self._running = threading.BoundedSemaphore(concurrency)
        self._places = threading.BoundedSemaphore(concurrency + queue)

    def embed(self, texts: Sequence[str], deadline: Deadline) -> list[bytes]:
        """Embeds texts of memories.

        Returns:
            Per text its unit vector as little-endian float32.

        Raises:
            MnemicError: OVERLOADED when too many wait, DEADLINE_EXCEEDED, EMBEDDING_UNAVAILABLE.
        """
        if not texts:
            return []
        with self._place(deadline):
            vectors = self.provider.embed(texts, timeout_seconds=deadline.remaining())
        return [row.astype("<f4", copy=False).tobytes() for row in vectors]

    def embed_if_reachable(self, texts: Sequence[str], deadline: Deadline) -> Sequence[bytes | None]:
        """As `embed`; None for each while a remote provider is away. What is written does not wait for it: it is found
        by its words at once, and by its meaning when the provider is back.
        """
        try:
            return self.embed(texts, deadline)
        except MnemicError as error:
            if error.reason is Reason.EMBEDDING_UNAVAILABLE and not self.provider.is_local:
                return [None] * len(texts)
            raise

    def embed_query(self, query: str, deadline: Deadline) -> bytes:
        """Embeds a question; otherwise as `embed`."""
        with self._place(deadline):
            vectors = embed_queries(self.provider, [query], timeout_seconds=deadline.remaining())
        return vectors.astype("<f4", copy=False).tobytes()

    @contextmanager
    def _place(self, deadline: Deadline) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise MnemicError(
                Reason.OVERLOADED,
                "the queue of the embedding model is full",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        try:
            if not self._running.acquire(timeout=deadline.remaining()):
                raise MnemicError(Reason.DEADLINE_EXCEEDED, "the deadline passed in the queue of the embedding model")
            try:
                yield
            finally:
                self._running.release()
        finally:
            self._places.release()
