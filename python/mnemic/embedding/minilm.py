"""The default model: all-MiniLM-L6-v2 in int8, 384 dimensions, up to 256 tokens."""

from __future__ import annotations

from pathlib import Path

from mnemic.embedding.install import find_model
from mnemic.embedding.local import LocalProvider, open_encoder

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
# What the model was trained for; its position table would reach to 512.
MAX_TOKENS = 256


class MiniLmProvider(LocalProvider):
    """all-MiniLM-L6-v2, as `pull_model` installed it.

    Args:
        models_directory: Where models are kept; None for the default place.
        threads: Threads within one call.

    Raises:
        MnemicError: MODEL_NOT_INSTALLED, CORRUPT_DATA; both say what to run.
    """

    def __init__(self, models_directory: Path | None = None, *, threads: int = 1) -> None:
        installed = find_model("minilm", models_directory=models_directory)
        super().__init__(
            lambda: open_encoder(
                installed.identity,
                model=installed.directory / MODEL_FILE,
                tokenizer=installed.directory / TOKENIZER_FILE,
                max_tokens=MAX_TOKENS,
                threads=threads,
                pooling="mean",
                title="minilm",
            ),
            title="minilm",
        )
