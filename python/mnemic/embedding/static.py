"""The quick model: the mean of static token vectors, 256 dimensions, tens of microseconds for a text."""

from __future__ import annotations

from pathlib import Path

from mnemic import _core
from mnemic.embedding.catalogue import STATIC
from mnemic.embedding.install import find_model
from mnemic.embedding.local import LocalProvider


class StaticProvider(LocalProvider):
    """WordLlama's token table: a text's vector is the mean of its tokens' rows, scaled to length 1.

    A text without tokens (the empty one) gets the first basis vector; there is no longest text.

    Args:
        models_directory: Where models are kept; None for the default place.

    Raises:
        MnemicError: MODEL_NOT_INSTALLED, CORRUPT_DATA; both say what to run.
    """

    def __init__(self, models_directory: Path | None = None) -> None:
        installed = find_model("static", models_directory=models_directory)
        table, tokenizer = (installed.directory / file.name for file in STATIC.files)
        super().__init__(
            lambda: _core.EmbeddingModel.open_static(installed.identity, table=table, tokenizer=tokenizer),
            title="static",
        )
