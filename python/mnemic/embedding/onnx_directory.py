"""A model of the user's own: a directory with an ONNX file and a tokenizer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mnemic.embedding.install import sha256_of
from mnemic.embedding.local import LocalProvider, open_encoder
from mnemic.embedding.settings import OnnxSettings
from mnemic.model.errors import invalid_field

_MODEL_FILE = "model.onnx"
_TOKENIZER_FILE = "tokenizer.json"


class OnnxDirectoryProvider(LocalProvider):
    """Runs `model.onnx` with `tokenizer.json` of one directory.

    Inputs of the model: `input_ids`, and perhaps `attention_mask` and `token_type_ids` (int64, shape (batch, tokens)).
    Output: `sentence_embedding` or else the first one (any float type), of shape (batch, dimension), or
    (batch, tokens, dimension) to be pooled.

    The identity is the digest of the files (external weights `model.onnx*` included) and of the settings that change
    the vectors, so that another model in the same directory is noticed.

    Raises:
        MnemicError: INVALID_FIELD when the directory is not named or lacks a file; CORRUPT_DATA when one cannot be
            read.
    """

    def __init__(self, settings: OnnxSettings, *, threads: int = 1) -> None:
        directory = settings.directory
        if directory is None:
            raise invalid_field("embedding.onnx.directory", "must be set for the provider `onnx`")
        for name in (_MODEL_FILE, _TOKENIZER_FILE):
            if not (directory / name).is_file():
                raise invalid_field(
                    "embedding.onnx.directory",
                    f"{directory} has no {name}; needed are {_MODEL_FILE} and {_TOKENIZER_FILE}",
                    directory=directory,
                )
        identity, title = _identity(directory, settings), f"the model in {directory}"
        super().__init__(
            lambda: open_encoder(
                identity,
                model=directory / _MODEL_FILE,
                tokenizer=directory / _TOKENIZER_FILE,
                max_tokens=settings.max_tokens,
                threads=threads,
                pooling=settings.pooling,
                title=title,
            ),
            title=title,
        )


def _identity(directory: Path, settings: OnnxSettings) -> str:
    files = [*sorted(directory.glob(f"{_MODEL_FILE}*")), directory / _TOKENIZER_FILE]
    made_from = {
        "files": {path.name: sha256_of(path) for path in files},
        "pooling": settings.pooling,
        "max_tokens": settings.max_tokens,
    }
    return f"onnx:{hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:12]}"
