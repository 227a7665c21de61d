"""What the models that ship are held to: the original one, and the libraries' own Python interfaces."""

import math
from pathlib import Path

import numpy as np
import onnxruntime
from safetensors.numpy import load_file
from tokenizers import Tokenizer


def erf(x: np.ndarray) -> np.ndarray:
    """The error function to 1.5e-7: Abramowitz and Stegun, equation 7.1.26."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return np.sign(x) * (1 - series * np.exp(-x * x))


class ReferenceMiniLm:
    """all-MiniLM-L6-v2 in float64: a forward pass from the BERT paper.

    6 layers, 12 heads of 32, exact GELU, mean pooling, length 1.
    """

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


class PythonOnnx:
    """An ONNX encoder through the Python modules of onnxruntime and tokenizers, one text at a time."""

    def __init__(self, model: Path, tokenizer: Path, *, max_tokens: int, pooling: str = "mean") -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_tokens)
        self.pooling = pooling

    def embed(self, texts: list[str]) -> np.ndarray:
        return np.stack([self._embed_one(self.tokenizer.encode(text).ids) for text in texts])

    def _embed_one(self, ids: list[int]) -> np.ndarray:
        values = np.array([ids or [0]], np.int64)
        mask = np.full_like(values, bool(ids))
        feeds = {"input_ids": values, "attention_mask": mask, "token_type_ids": np.zeros_like(values)}
        output = self.session.run(None, {item.name: feeds[item.name] for item in self.session.get_inputs()})[0][0]
        if output.ndim == 2:
            output = output[0] if self.pooling == "cls" else output.mean(axis=0)
        return unit(output)


class PythonStatic:
    """A table of token vectors through the Python modules of safetensors and tokenizers."""

    def __init__(self, table: Path, tokenizer: Path) -> None:
        self.table = load_file(table)["embedding.weight"]
        self.tokenizer = Tokenizer.from_file(str(tokenizer))

    def embed(self, texts: list[str]) -> np.ndarray:
        ids = [self.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        return np.stack([unit(self.table[row].sum(axis=0, dtype=np.float32)) for row in ids])


def unit(row: np.ndarray) -> np.ndarray:
    wide = row.astype(np.float64)
    length = np.linalg.norm(wide)
    return (wide / length if length else np.eye(1, len(wide))[0]).astype(np.float32)
