"""A cross-encoder of the user's own: a directory with an ONNX file and a tokenizer."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.reranking.reranker import RerankerUnavailableError, logistic, stopping_after
from mnemic.reranking.settings import OnnxRerankerSettings

# The official builds collect events for their maker; what runs here tells nobody (docs/embedding.md). It has to be set
# before the import, and the import takes its time: this module is loaded only where the settings ask for it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

_FIELD = "reranking.onnx.directory"
_MODEL_FILE = "model.onnx"
_TOKENIZER_FILE = "tokenizer.json"
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# Of BERT's relatives and of RoBERTa's; what stands there is masked, so that any other will do for the rest.
_PADDING_TOKENS = ("[PAD]", "<pad>")


class OnnxCrossEncoder:
    """Runs `model.onnx` with `tokenizer.json` of one directory over pairs of query and text.

    Inputs of the model: `input_ids`, and perhaps `attention_mask` and `token_type_ids` (int64, shape (batch, tokens)).
    Output: `logits` or else the first one (any float type), of shape (batch,) or (batch, 1): one logit, whose logistic
    is the score; or (batch, 2): the score is the softmax of the second, the class "relevant". A model that ends in its
    own logistic keeps its order and gives scores from 0.5 to 0.73.

    Raises:
        MnemicError: INVALID_FIELD when the directory is not named, lacks a file, or its model is of another kind;
            CORRUPT_DATA when a file cannot be read.
    """

    is_local = True

    def __init__(self, settings: OnnxRerankerSettings) -> None:
        directory = _directory(settings)
        self._title = f"the cross-encoder in {directory}"
        self._batch_size = settings.batch_size
        self._tokenizer = _read_tokenizer(directory / _TOKENIZER_FILE, settings.max_tokens)
        self._padding = next(
            (number for token in _PADDING_TOKENS if (number := self._tokenizer.token_to_id(token)) is not None), 0
        )
        self._session = _read_model(directory / _MODEL_FILE, settings.threads)
        self._inputs = [item.name for item in self._session.get_inputs()]
        if "input_ids" not in self._inputs or not set(self._inputs) <= set(_INPUTS):
            raise invalid_field(
                _FIELD,
                f"{_MODEL_FILE} takes {', '.join(self._inputs)}; of {', '.join(_INPUTS)} only the first is needed",
            )
        outputs = [item.name for item in self._session.get_outputs()]
        self._output = "logits" if "logits" in outputs else outputs[0]
        try:
            # What the shapes in the file promise is often nothing.
            self._scores(self._tokenizer.encode_batch([("query", "text")]), onnxruntime.RunOptions())
        except RerankerUnavailableError as error:
            raise invalid_field(_FIELD, str(error)) from error

    def rerank(self, query: str, texts: Sequence[str], *, timeout_seconds: float) -> list[float]:
        """See `Reranker.rerank`."""
        until = time.monotonic() + timeout_seconds
        pairs = self._tokenizer.encode_batch([(query, text) for text in texts])
        # Texts of one length together: the shorter ones of a batch are padded to the longest.
        order = sorted(range(len(pairs)), key=lambda position: len(pairs[position].ids))
        scores = [0.0] * len(texts)
        options = onnxruntime.RunOptions()
        with stopping_after(max(0.0, until - time.monotonic()), lambda: setattr(options, "terminate", True)):
            for start in range(0, len(order), self._batch_size):
                batch = order[start : start + self._batch_size]
                for position, score in zip(batch, self._scores([pairs[at] for at in batch], options), strict=True):
                    scores[position] = score
        return scores

    def close(self) -> None:
        """Nothing to free: the model goes with the object."""

    def _scores(self, pairs: Sequence[Encoding], options: onnxruntime.RunOptions) -> list[float]:
        try:
            (found,) = self._session.run([self._output], self._feed(pairs), options)
        # onnxruntime has no base class for what its runs raise.
        except Exception as error:
            words = "ran out of time" if options.terminate else f"failed: {error}"
            raise RerankerUnavailableError(f"{self._title} {words}") from error
        return self._checked(found, len(pairs))

    def _feed(self, pairs: Sequence[Encoding]) -> dict[str, NDArray[np.int64]]:
        shape = (len(pairs), max(len(pair.ids) for pair in pairs))
        feed = {name: np.zeros(shape, np.int64) for name in _INPUTS}
        feed["input_ids"].fill(self._padding)
        for row, pair in enumerate(pairs):
            length = len(pair.ids)
            feed["input_ids"][row, :length] = pair.ids
            feed["attention_mask"][row, :length] = 1
            feed["token_type_ids"][row, :length] = pair.type_ids
        return {name: feed[name] for name in self._inputs}

    def _checked(self, found: Any, count: int) -> list[float]:  # noqa: ANN401 (whatever the model gives)
        values = np.asarray(found)
        if values.dtype.kind != "f" or values.shape not in {(count,), (count, 1), (count, 2)}:
            kind = f"{self._output} of type {values.dtype} and shape {values.shape} for {count} pairs"
            raise RerankerUnavailableError(f"{self._title} gives {kind}; needed are one or two logits for each")
        rows = values.astype(np.float64).reshape(count, -1)
        if not np.isfinite(rows).all():
            raise RerankerUnavailableError(f"{self._title} gives scores that are not finite")
        # The softmax of two is the logistic of their difference.
        logits = rows[:, 0] if rows.shape[1] == 1 else rows[:, 1] - rows[:, 0]
        return [logistic(float(logit)) for logit in logits]


def _directory(settings: OnnxRerankerSettings) -> Path:
    directory = settings.directory
    if directory is None:
        raise invalid_field(_FIELD, "must be set for the provider `onnx`")
    for name in (_MODEL_FILE, _TOKENIZER_FILE):
        if not (directory / name).is_file():
            raise invalid_field(
                _FIELD,
                f"{directory} has no {name}; needed are {_MODEL_FILE} and {_TOKENIZER_FILE}",
                directory=directory,
            )
    return directory


def _read_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    # The library raises bare exceptions for what it cannot read.
    except Exception as error:
        raise _corrupt(path, error) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens, strategy="longest_first")
    return tokenizer


def _read_model(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    # The same.
    except Exception as error:
        raise _corrupt(path, error) from error


def _corrupt(path: Path, error: Exception) -> MnemicError:
    return MnemicError(Reason.CORRUPT_DATA, f"{path} cannot be read: {error}", metadata={"path": str(path)})
