"""Which values the activations of a BERT encoder take: what a fixed quantisation needs to know.

The encoder is run in NumPy over the sentences of `calibration.txt`, and the largest magnitude of every input channel
of every matrix product is kept. The sentences are ordinary conversation, in which the model is used, and the odd inputs
(punctuation, code, other scripts, endless repetition) in which its outlier channels are largest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = Mapping[str, Array]
Ranges = dict[str, Array]


@dataclass(frozen=True, slots=True)
class BertConfig:
    """The shape of an encoder."""

    layers: int
    heads: int
    hidden: int
    epsilon: float

    @classmethod
    def read(cls, path: Path) -> BertConfig:
        """Reads the published config.json."""
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            layers=found["num_hidden_layers"],
            heads=found["num_attention_heads"],
            hidden=found["hidden_size"],
            epsilon=found["layer_norm_eps"],
        )


def calibration_texts() -> list[str]:
    """The sentences, and two that are longer than the model takes."""
    text = resources.files("mnemic.embedding").joinpath("calibration.txt").read_text(encoding="utf-8")
    lines = [line.replace("\\n", "\n") for line in text.splitlines() if line]
    return [*lines, "a " * 300, " ".join(lines[:60])]


def layer_normalisation(x: Array, gain: Array, bias: Array, epsilon: float) -> Array:
    """(x - mean) / sqrt(variance + epsilon) * gain + bias over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    normalised: Array = centred / np.sqrt(variance + np.float32(epsilon)) * gain + bias
    return normalised


def gelu(x: Array) -> Array:
    """The tanh form of GELU (Hendrycks and Gimpel 2016): 1e-3 from the exact one, enough to find a range."""
    inner = np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)
    value: Array = np.float32(0.5) * x * (1 + np.tanh(inner))
    return value


def channel_ranges(
    weights: Weights, config: BertConfig, token_ids: Sequence[Sequence[int]], progress: Callable[[float], None]
) -> Ranges:
    """The largest magnitude of each input channel of each matrix product.

    Args:
        weights: By their names in the published file.
        config: The encoder's shape.
        token_ids: Tokenised sentences, with their special tokens.
        progress: Told the fraction done.

    Returns:
        By `layer.product` (the product: `attention`, `output`, `intermediate` or `feed_forward`): float32 of
        shape (input channels,).
    """
    encoder = _Encoder(weights, config, np.cumsum([len(ids) for ids in token_ids])[:-1])
    x = encoder.embed(token_ids)
    ranges: Ranges = {}
    for layer in range(config.layers):
        x, inputs = encoder.layer(layer, x)
        for product, values in inputs.items():
            ranges[f"{layer}.{product}"] = np.abs(values).max(axis=0)
        progress((layer + 1) / config.layers)
    return ranges


class _Encoder:
    """The forward pass over all tokens of all sentences at once, which the matrix library does best."""

    def __init__(self, weights: Weights, config: BertConfig, bounds: NDArray[np.int64]) -> None:
        self._weights = weights
        self._config = config
        self._bounds = bounds

    def embed(self, token_ids: Sequence[Sequence[int]]) -> Array:
        """The input of the first layer: shape (tokens, hidden)."""
        ids = np.concatenate([np.asarray(sentence) for sentence in token_ids])
        positions = np.concatenate([np.arange(len(sentence)) for sentence in token_ids])
        x = self._weights["embeddings.word_embeddings.weight"][ids]
        x = x + self._weights["embeddings.position_embeddings.weight"][positions]
        return self._normalise("embeddings.LayerNorm", x + self._weights["embeddings.token_type_embeddings.weight"][0])

    def layer(self, layer: int, x: Array) -> tuple[Array, dict[str, Array]]:
        """The output of a layer, and the input of each of its products."""
        prefix = f"encoder.layer.{layer}"
        context = self._attention(f"{prefix}.attention.self", x)
        attended = self._dense(f"{prefix}.attention.output.dense", context)
        middle = self._normalise(f"{prefix}.attention.output.LayerNorm", attended + x)
        inner = gelu(self._dense(f"{prefix}.intermediate.dense", middle))
        output = self._normalise(f"{prefix}.output.LayerNorm", self._dense(f"{prefix}.output.dense", inner) + middle)
        return output, {"attention": x, "output": context, "intermediate": middle, "feed_forward": inner}

    def _dense(self, name: str, x: Array) -> Array:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normalise(self, name: str, x: Array) -> Array:
        gain, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return layer_normalisation(x, gain, bias, self._config.epsilon)

    def _attention(self, prefix: str, x: Array) -> Array:
        parts = [np.split(self._dense(f"{prefix}.{name}", x), self._bounds) for name in ("query", "key", "value")]
        return np.concatenate([self._attend(*sentence) for sentence in zip(*parts, strict=True)])

    def _attend(self, query: Array, key: Array, value: Array) -> Array:
        tokens, hidden = query.shape
        width = hidden // self._config.heads
        by_head = [part.reshape(tokens, self._config.heads, width).transpose(1, 0, 2) for part in (query, key, value)]
        scores = by_head[0] @ by_head[1].transpose(0, 2, 1) / np.float32(np.sqrt(width))
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        context = (scores / scores.sum(-1, keepdims=True)) @ by_head[2]
        merged: Array = context.transpose(1, 0, 2).reshape(tokens, hidden)
        return merged
