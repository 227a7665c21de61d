"""The original model in float64: a forward pass from the BERT paper that shares no code with the one that ships."""

import math
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer


def erf(x: np.ndarray) -> np.ndarray:
    """The error function to 1.5e-7: Abramowitz and Stegun, equation 7.1.26."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return np.sign(x) * (1 - series * np.exp(-x * x))


class ReferenceMiniLm:
    """all-MiniLM-L6-v2: 6 layers, 12 heads of 32, exact GELU, mean pooling, length 1."""

    def __init__(self, published: Path) -> None:
        self.weights = {
            name: tensor.astype(np.float64) for name, tensor in load_file(published / "model.safetensors").items()
        }
        self.tokenizer = Tokenizer.from_file(str(published / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(256)

    def embed(self, texts: list[str]) -> np.ndarray:
        return np.stack([self._embed_one(self.tokenizer.encode(text).ids) for text in texts])

    def _embed_one(self, ids: list[int]) -> np.ndarray:
        table = self.weights
        x = table["embeddings.word_embeddings.weight"][ids]
        x = x + table["embeddings.position_embeddings.weight"][np.arange(len(ids))]
        x = self._norm(x + table["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(6):
            name = f"encoder.layer.{layer}"
            query, key, value = (self._linear(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
            heads = []
            for head in range(12):
                columns = slice(32 * head, 32 * head + 32)
                scores = np.exp(query[:, columns] @ key[:, columns].T / math.sqrt(32))
                heads.append(scores / scores.sum(axis=1, keepdims=True) @ value[:, columns])
            attended = self._linear(np.concatenate(heads, axis=1), f"{name}.attention.output.dense")
            x = self._norm(x + attended, f"{name}.attention.output.LayerNorm")
            inner = self._linear(x, f"{name}.intermediate.dense")
            inner = inner * 0.5 * (1 + erf(inner / math.sqrt(2)))
            x = self._norm(x + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        deviation = np.sqrt(x.var(axis=1, keepdims=True) + 1e-12)
        return (x - x.mean(axis=1, keepdims=True)) / deviation * self.weights[f"{name}.weight"] + self.weights[
            f"{name}.bias"
        ]
