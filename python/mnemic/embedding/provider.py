"""What every embedding provider gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class EmbeddingProvider(Protocol):
    """Turns texts into unit vectors.

    Attributes:
        identity: Names the model so exactly that two vectors with the same identity may be compared, such as
            `minilm-int8:3f2a…`. The store refuses to mix identities.
        dimension: The length of a vector.
        is_local: Whether it works without a network; a remote one may fail and is then caught up behind the write.
    """

    @property
    def identity(self) -> str:
        """Names the model."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    @property
    def is_local(self) -> bool:
        """Whether it works without a network."""

    def embed(self, texts: Sequence[str], *, timeout_seconds: float | None = None) -> Vectors:
        """Embeds texts.

        Args:
            texts: Any number; longer than the model takes are cut at its limit.
            timeout_seconds: Give up after this; None waits for the provider's own limit.

        Returns:
            float32 of shape (len(texts), dimension), each row of length 1.

        Raises:
            MnemicError: EMBEDDING_UNAVAILABLE when a remote provider cannot be reached or answers with an error.
        """

    def close(self) -> None:
        """Frees what it holds."""
