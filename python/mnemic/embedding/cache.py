"""Vectors of recent texts kept in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mnemic import _core
from mnemic.embedding.provider import EmbeddingProvider, Vectors

# A bulk write passes by: it would only push out the queries that come back.
_LARGEST_CACHED_CALL = 16


class CachedProvider:
    """Another provider behind a bounded cache, least recently used out first. Safe to use from many threads.

    Every text is looked up; the vectors of calls with up to 16 texts are kept. The cache is the core's, so the native
    front answers queries with what was embedded here, and the other way round.

    Args:
        inner: The provider; closed with this one.
        entries: How many vectors are kept at most; at least 1. From 512 on the cache is divided by text, and each
            part forgets on its own.

    Attributes:
        inner: The provider.
        cache: The vectors, under the provider's identity.
    """

    def __init__(self, inner: EmbeddingProvider, entries: int) -> None:
        if entries < 1:
            raise ValueError(f"entries must be at least 1, not {entries}")
        self.inner = inner
        self.cache = _core.VectorCache(inner.identity, inner.dimension, entries)

    @property
    def identity(self) -> str:
        """That of the provider."""
        return self.inner.identity

    @property
    def dimension(self) -> int:
        """That of the provider."""
        return self.inner.dimension

    @property
    def is_local(self) -> bool:
        """That of the provider."""
        return self.inner.is_local

    @property
    def hits(self) -> int:
        """Texts answered from memory, for the front too."""
        return self.cache.hits

    @property
    def misses(self) -> int:
        """Texts given to the provider, or by the front to its model."""
        return self.cache.misses

    def embed(self, texts: Sequence[str], *, timeout_seconds: float | None = None) -> Vectors:
        """See `EmbeddingProvider.embed`; the vectors are the caller's own."""
        # A lone surrogate is the provider's to refuse, so it must get past here.
        encoded = [text.encode(errors="surrogatepass") for text in texts]
        known, missing = self.cache.look_up(encoded)
        vectors: Vectors = np.frombuffer(known, "<f4").reshape(len(texts), self.dimension)
        if missing:
            found = self.inner.embed([texts[position] for position in missing], timeout_seconds=timeout_seconds)
            vectors[missing] = found
            if len(texts) <= _LARGEST_CACHED_CALL:
                self.cache.keep([encoded[position] for position in missing], found.astype("<f4", copy=False).tobytes())
        return vectors

    def close(self) -> None:
        """Closes the provider and forgets the vectors."""
        self.cache.clear()
        self.inner.close()

    def __len__(self) -> int:
        return len(self.cache)
