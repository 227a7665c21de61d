"""Vectors of recent texts kept in memory."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from mnemic.embedding.provider import EmbeddingProvider, Vectors

# A bulk write passes by: it would only push out the queries that come back.
_LARGEST_CACHED_CALL = 16


class CachedProvider:
    """Another provider behind a bounded cache, least recently used out first. Safe to use from many threads.

    Every text is looked up; the vectors of calls with up to 16 texts are kept.

    Args:
        inner: The provider; closed with this one.
        entries: How many vectors are kept at most; at least 1.

    Attributes:
        hits: Texts answered from memory.
        misses: Texts given to the provider.
    """

    def __init__(self, inner: EmbeddingProvider, entries: int) -> None:
        if entries < 1:
            raise ValueError(f"entries must be at least 1, not {entries}")
        self._inner = inner
        self._entries = entries
        self._vectors: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    @property
    def identity(self) -> str:
        """That of the provider."""
        return self._inner.identity

    @property
    def dimension(self) -> int:
        """That of the provider."""
        return self._inner.dimension

    @property
    def is_local(self) -> bool:
        """That of the provider."""
        return self._inner.is_local

    def embed(self, texts: Sequence[str], *, timeout_seconds: float | None = None) -> Vectors:
        """See `EmbeddingProvider.embed`; the vectors are the caller's own."""
        keys = [self._key(text) for text in texts]
        vectors = np.empty((len(texts), self.dimension), np.float32)
        missing = self._look_up(keys, vectors)
        if missing:
            found = self._inner.embed([texts[position] for position in missing], timeout_seconds=timeout_seconds)
            vectors[missing] = found
            if len(texts) <= _LARGEST_CACHED_CALL:
                self._keep([keys[position] for position in missing], found)
        return vectors

    def close(self) -> None:
        """Closes the provider and forgets the vectors."""
        with self._lock:
            self._vectors.clear()
        self._inner.close()

    def __len__(self) -> int:
        return len(self._vectors)

    def _key(self, text: str) -> bytes:
        # A lone surrogate is the provider's to refuse, so it must get past here.
        return hashlib.sha256(f"{self.identity}\0{text}".encode(errors="surrogatepass")).digest()

    def _look_up(self, keys: Sequence[bytes], vectors: Vectors) -> list[int]:
        """Fills in what is known; the positions of the rest."""
        missing = []
        with self._lock:
            for position, key in enumerate(keys):
                vector = self._vectors.get(key)
                if vector is None:
                    missing.append(position)
                else:
                    self._vectors.move_to_end(key)
                    vectors[position] = vector
            self.hits += len(keys) - len(missing)
            self.misses += len(missing)
        return missing

    def _keep(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        with self._lock:
            for key, vector in zip(keys, vectors, strict=True):
                # A copy: a row of the array would keep all of it in memory.
                self._vectors[key] = vector.copy()
                self._vectors.move_to_end(key)
            while len(self._vectors) > self._entries:
                self._vectors.popitem(last=False)
