"""Running a sentence encoder with onnxruntime and tokenizers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from mnemic.embedding.provider import Vectors
from mnemic.embedding.vectors import unit_rows
from mnemic.model.errors import MnemicError, Reason, invalid_field

Pooling = Literal["mean", "cls"]

# Larger batches are no faster on a core, and texts of like length waste less padding in small ones.
_BATCH = 32
_KNOWN_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})


class OnnxEncoder:
    """Texts to unit vectors through a tokenizer and an ONNX model.

    It may be used from many threads at once; onnxruntime and tokenizers release the GIL while they work.

    Args:
        model: The ONNX file. Inputs: `input_ids`, `attention_mask` and perhaps `token_type_ids` (int64, shape (batch,
            tokens)). Output: `sentence_embedding` or else the first one, of shape (batch, dimension), or
            (batch, tokens, dimension) to be pooled.
        tokenizer: The tokenizers JSON file.
        max_tokens: Longer texts are cut here.
        threads: Threads within one call.
        pooling: How token vectors become one.
        title: Names the model in errors.

    Raises:
        MnemicError: CORRUPT_DATA when a file cannot be read; INVALID_FIELD when the model's inputs are other ones.
    """

    def __init__(
        self, model: Path, tokenizer: Path, *, max_tokens: int, threads: int, pooling: Pooling, title: str
    ) -> None:
        self._title = title
        self._pooling = pooling
        self._session = _open_session(model, threads)
        self._tokenizer = _open_tokenizer(tokenizer, max_tokens)
        self._padding = _padding_id(self._tokenizer)
        self._inputs = {item.name for item in self._session.get_inputs()}
        if "input_ids" not in self._inputs or not self._inputs <= _KNOWN_INPUTS:
            raise invalid_field(
                "embedding.onnx.directory",
                f"the model takes {', '.join(sorted(self._inputs))}; accepted are input_ids, attention_mask and "
                "token_type_ids",
            )
        outputs = [item.name for item in self._session.get_outputs()]
        self._output = "sentence_embedding" if "sentence_embedding" in outputs else outputs[0]
        self.dimension = int(self._run([self._tokenizer.encode("")]).shape[1])

    def embed(self, texts: Sequence[str], *, timeout_seconds: float | None = None) -> Vectors:
        """See `EmbeddingProvider.embed`.

        Raises:
            MnemicError: DEADLINE_EXCEEDED between two batches; INVALID_FIELD for a text that is no valid Unicode.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        vectors = np.empty((len(texts), self.dimension), np.float32)
        encodings = encode_texts(self._tokenizer, texts)
        order = sorted(range(len(texts)), key=lambda position: len(encodings[position].ids))
        for start in range(0, len(order), _BATCH):
            if deadline is not None and time.monotonic() >= deadline:
                raise MnemicError(
                    Reason.DEADLINE_EXCEEDED, f"the deadline passed after embedding {start} of {len(texts)} texts"
                )
            positions = order[start : start + _BATCH]
            vectors[positions] = self._run([encodings[position] for position in positions])
        return vectors

    def _run(self, encodings: Sequence[Encoding]) -> Vectors:
        longest = max(1, *(len(encoding.ids) for encoding in encodings))
        ids = np.full((len(encodings), longest), self._padding, np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        output = self._session.run([self._output], {name: feeds[name] for name in self._inputs})[0]
        return unit_rows(self._pooled(np.asarray(output), mask), self._title)

    def _pooled(self, output: NDArray[np.floating], mask: NDArray[np.int64]) -> NDArray[np.floating]:
        if output.ndim == 2:
            return output
        if output.ndim != 3:
            raise invalid_field(
                "embedding.onnx.directory",
                f"the model's output {self._output} has {output.ndim} dimensions; accepted are (batch, dimension) and "
                "(batch, tokens, dimension)",
            )
        if self._pooling == "cls":
            first: NDArray[np.floating] = output[:, 0]
            return first
        weights = mask[:, :, None].astype(output.dtype)
        mean: NDArray[np.floating] = (output * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
        return mean


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str], *, special_tokens: bool = True) -> list[Encoding]:
    """Tokenises texts.

    Raises:
        MnemicError: INVALID_FIELD for a text that is no valid Unicode.
    """
    try:
        # One text is not worth waking the tokenizer's threads.
        if len(texts) == 1:
            return [tokenizer.encode(texts[0], add_special_tokens=special_tokens)]
        return tokenizer.encode_batch_fast(list(texts), add_special_tokens=special_tokens) if texts else []
    except (TypeError, UnicodeEncodeError):
        for position, text in enumerate(texts):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                description = f"is no valid Unicode: {error.reason} at character {error.start}"
                raise invalid_field(f"texts[{position}]", description) from error
        raise


def _open_session(model: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Errors come as exceptions; what onnxruntime logs beside them is noise on the terminal.
    options.log_severity_level = 4
    # A waiting thread that spins takes the core from the searches.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes are not part of its interface
        raise MnemicError(
            Reason.CORRUPT_DATA, f"{model} cannot be run: {error}", metadata={"path": str(model)}
        ) from error


def _open_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception
        raise MnemicError(
            Reason.CORRUPT_DATA, f"{path} is no tokenizer file: {error}", metadata={"path": str(path)}
        ) from error
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _padding_id(tokenizer: Tokenizer) -> int:
    configured = tokenizer.padding
    tokenizer.no_padding()
    if configured is not None:
        return int(configured["pad_id"])
    for token in ("[PAD]", "<pad>"):
        found = tokenizer.token_to_id(token)
        if found is not None:
            return int(found)
    return 0
