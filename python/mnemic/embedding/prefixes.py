"""Models that want questions and memories told apart by what the text begins with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mnemic.embedding.provider import EmbeddingProvider, Vectors


class PrefixedProvider:
    """Another provider whose texts begin with a prefix: one for memories, one for questions.

    A cache belongs inside: what it knows is then what the model read, so that a memory's vector is never taken for a
    question's, whatever their texts.

    Args:
        inner: The provider; closed with this one.
        query: What a question begins with, its trailing space included; may be empty.
        document: What a memory begins with.

    Attributes:
        inner: The provider.
        query: What a question begins with.
    """

    def __init__(self, inner: EmbeddingProvider, *, query: str, document: str) -> None:
        self.inner = inner
        self.query = query
        self._document = document
        # Questions are not stored, so what they begin with may change; memories begun otherwise are other vectors.
        mark = f"+{hashlib.sha256(document.encode()).hexdigest()[:12]}" if document else ""
        self.identity = f"{inner.identity}{mark}"

    @property
    def dimension(self) -> int:
        """That of the provider."""
        return self.inner.dimension

    @property
    def is_local(self) -> bool:
        """That of the provider."""
        return self.inner.is_local

    def embed(self, texts: Sequence[str], *, timeout_seconds: float | None = None) -> Vectors:
        """Embeds memories; see `EmbeddingProvider.embed`."""
        return self.inner.embed([self._document + text for text in texts], timeout_seconds=timeout_seconds)

    def embed_queries(self, texts: Sequence[str], *, timeout_seconds: float | None = None) -> Vectors:
        """Embeds questions; otherwise as `embed`."""
        return self.inner.embed([self.query + text for text in texts], timeout_seconds=timeout_seconds)

    def close(self) -> None:
        """Closes the provider."""
        self.inner.close()


def embed_queries(
    provider: EmbeddingProvider, texts: Sequence[str], *, timeout_seconds: float | None = None
) -> Vectors:
    """Embeds questions; for most models they are texts like any other. See `EmbeddingProvider.embed`."""
    if isinstance(provider, PrefixedProvider):
        return provider.embed_queries(texts, timeout_seconds=timeout_seconds)
    return provider.embed(texts, timeout_seconds=timeout_seconds)
