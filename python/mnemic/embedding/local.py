"""The local models: they run in the core, for Python and for the native front alike."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from mnemic import _core
from mnemic.embedding.provider import Vectors
from mnemic.model.errors import MnemicError, Reason, invalid_field

Pooling = Literal["mean", "cls"]

# What the wheels of onnxruntime carry beside their Python module, by platform.
_LIBRARIES = ("libonnxruntime.so*", "libonnxruntime*.dylib", "onnxruntime.dll")


class LocalProvider:
    """A model of the core as an `EmbeddingProvider`. Safe to use from many threads; the GIL is released.

    Args:
        open_model: Opens the model.
        title: Names the model in errors.

    Attributes:
        model: The model, for the native front.

    Raises:
        MnemicError: CORRUPT_DATA when a file cannot be read; INVALID_FIELD when the model is of another kind than
            accepted; EMBEDDING_UNAVAILABLE when the library that runs it cannot be loaded.
    """

    is_local = True

    def __init__(self, open_model: Callable[[], _core.EmbeddingModel], *, title: str) -> None:
        self._title = title
        try:
            self.model = open_model()
        except _core.CoreError as error:
            raise self._failure(error) from error
        self.identity = self.model.identity
        self.dimension = self.model.dimension

    def embed(self, texts: Sequence[str], *, timeout_seconds: float | None = None) -> Vectors:
        """See `EmbeddingProvider.embed`.

        Raises:
            MnemicError: DEADLINE_EXCEEDED between two batches; INVALID_FIELD for a text that is no valid Unicode.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        try:
            vectors = self.model.embed(texts, timeout_seconds)
        except UnicodeEncodeError:
            raise _no_unicode(texts) from None
        except _core.CoreError as error:
            raise self._failure(error) from error
        return np.frombuffer(vectors, "<f4").reshape(len(texts), self.dimension)

    def close(self) -> None:
        """Nothing to free: the model goes with the object."""

    def _failure(self, error: _core.CoreError) -> MnemicError:
        reason, field, message = error.args
        match Reason(reason):
            case Reason.INVALID_FIELD:
                return invalid_field(field, message)
            case Reason.CORRUPT_DATA:
                return MnemicError(Reason.CORRUPT_DATA, message, metadata={"path": field})
            case other:
                return MnemicError(other, message, metadata={"model": self._title})


def open_encoder(
    identity: str, *, model: Path, tokenizer: Path, max_tokens: int, threads: int, pooling: Pooling, title: str
) -> _core.EmbeddingModel:
    """Opens a sentence encoder in ONNX form; see `OnnxDirectoryProvider` for what it may look like.

    Args:
        identity: Names its vectors.
        model: The ONNX file.
        tokenizer: The tokenizers JSON file.
        max_tokens: Longer texts are cut here.
        threads: Threads within one call.
        pooling: How token vectors become one.
        title: Names the model in errors.

    Raises:
        MnemicError: EMBEDDING_UNAVAILABLE when onnxruntime is not installed.
        CoreError: See `LocalProvider`.
    """
    library = onnxruntime_library()
    # The official builds open a database of events for their maker, and send them, as soon as they are loaded. What
    # runs here tells nobody; whoever wants it otherwise sets the variable to 0.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return _core.EmbeddingModel.open_onnx(
        identity,
        library=library,
        model=model,
        tokenizer=tokenizer,
        max_tokens=max_tokens,
        threads=threads,
        pooling=pooling,
        title=title,
    )


def onnxruntime_library() -> Path:
    """The library that the installed onnxruntime carries; its Python module is not imported.

    Raises:
        MnemicError: EMBEDDING_UNAVAILABLE when there is none.
    """
    found = importlib.util.find_spec("onnxruntime")
    for root in (found.submodule_search_locations or ()) if found is not None else ():
        for pattern in _LIBRARIES:
            for library in sorted((Path(root) / "capi").glob(pattern)):
                return library
    raise MnemicError(
        Reason.EMBEDDING_UNAVAILABLE,
        "no onnxruntime with its library is installed in this environment; run: pip install onnxruntime",
    )


def _no_unicode(texts: Sequence[str]) -> MnemicError:
    for position, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return invalid_field(
                f"texts[{position}]", f"is no valid Unicode: {error.reason} at character {error.start}"
            )
    return invalid_field("texts", "is no valid Unicode")
