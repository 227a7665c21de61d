"""The default model: all-MiniLM-L6-v2 in int8, 384 dimensions, up to 256 tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mnemic.embedding.install import find_model
from mnemic.embedding.onnx_encoder import OnnxEncoder
from mnemic.embedding.provider import Vectors

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
# What the model was trained for; its position table would reach to 512.
MAX_TOKENS = 256


class MiniLmProvider:
    """all-MiniLM-L6-v2, as `pull_model` installed it. Safe to use from many threads.

    Args:
        models_directory: Where models are kept; None for the default place.
        threads: Threads within one call.

    Raises:
        MnemicError: MODEL_NOT_INSTALLED, CORRUPT_DATA; both say what to run.
    """

    is_local = True

    def __init__(self, models_directory: Path | None = None, *, threads: int = 1) -> None:
        installed = find_model("minilm", models_directory=models_directory)
        self.identity = installed.identity
        self._encoder = OnnxEncoder(
            installed.directory / MODEL_FILE,
            installed.directory / TOKENIZER_FILE,
            max_tokens=MAX_TOKENS,
            threads=threads,
            pooling="mean",
            title="minilm",
        )
        self.dimension = self._encoder.dimension

    def embed(self, texts: Sequence[str], *, timeout_seconds: float | None = None) -> Vectors:
        """See `EmbeddingProvider.embed`."""
        return self._encoder.embed(texts, timeout_seconds=timeout_seconds)

    def close(self) -> None:
        """Nothing to free: the model goes with the object."""
