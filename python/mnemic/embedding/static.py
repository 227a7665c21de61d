"""The quick model: the mean of static token vectors, 256 dimensions, tens of microseconds for a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from mnemic.embedding.catalogue import STATIC
from mnemic.embedding.install import find_model
from mnemic.embedding.onnx_encoder import encode_texts
from mnemic.embedding.provider import Vectors
from mnemic.embedding.vectors import unit_rows

# Bounds the memory of what the tokenizer returns.
_BATCH = 64


class StaticProvider:
    """WordLlama's token table: a text's vector is the mean of its tokens' rows, scaled to length 1.

    A text without tokens (the empty one) gets the first basis vector; there is no longest text.
    Safe to use from many threads.

    Args:
        models_directory: Where models are kept; None for the default place.

    Raises:
        MnemicError: MODEL_NOT_INSTALLED, CORRUPT_DATA; both say what to run.
    """

    is_local = True

    def __init__(self, models_directory: Path | None = None) -> None:
        installed = find_model("static", models_directory=models_directory)
        table, tokenizer = (installed.directory / file.name for file in STATIC.files)
        self.identity = installed.identity
        # float16 as published: half the memory, and only the rows in use are widened.
        self._table = load_file(table)["embedding.weight"]
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.dimension = int(self._table.shape[1])

    def embed(
        self,
        texts: Sequence[str],
        *,
        timeout_seconds: float | None = None,  # noqa: ARG002 (the protocol's; it is done before any could pass)
    ) -> Vectors:
        """See `EmbeddingProvider.embed`."""
        sums = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _BATCH):
            encodings = encode_texts(self._tokenizer, texts[start : start + _BATCH], special_tokens=False)
            for row, encoding in enumerate(encodings, start):
                sums[row] = self._table[encoding.ids].sum(axis=0, dtype=np.float32)
        return unit_rows(sums, "static")

    def close(self) -> None:
        """Nothing to free: the table goes with the object."""
