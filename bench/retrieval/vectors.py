"""Vectors of real sentences, kept on disk between runs, and what is made of them.

* real: the sentence's own embedding (d = 384).
* hard: `e_i + 0.5 (e_j - e_k)`, renormalised, for random j and k: neighbours are farther apart than real ones and lie
  in more directions, which is hard for graphs and for few bits.
* wide (d = 768): the vectors of two sentences side by side, divided by √2, so that a cosine is the mean of the two
  sentences' cosines: no model of that length is at hand.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.harness import console
from bench.retrieval.sentences import CACHE
from mnemic.embedding.factory import open_provider
from mnemic.embedding.install import pull_model
from mnemic.embedding.provider import EmbeddingProvider
from mnemic.embedding.settings import EmbeddingSettings

MODEL = "minilm"
CHUNK = 2048
TOP = 10
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Dataset:
    """Unit vectors to search, held-out queries, and the exact answers in float32."""

    rows: Vectors
    queries: Vectors
    nearest: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Vectors, queries: Vectors, numbers: NDArray[np.int64] | None = None) -> Dataset:
        """`numbers` are the rows' numbers where these are not 0, 1, 2 …"""
        nearest = exact_nearest(rows, queries)
        return cls(np.ascontiguousarray(rows), queries, nearest if numbers is None else numbers[nearest])

    @property
    def dimension(self) -> int:
        return int(self.rows.shape[1])

    def recall(self, found: Sequence[Sequence[int]]) -> float:
        """The share of each query's exact nearest that were found, averaged over the queries."""
        return float(
            np.mean([len(set(mine) & set(best)) / len(best) for mine, best in zip(found, self.nearest, strict=True)])
        )


def exact_nearest(rows: Vectors, queries: Vectors, count: int = TOP) -> NDArray[np.int64]:
    """The rows with the highest cosine for each query, best first."""
    scores = queries @ rows.T
    best = np.argpartition(-scores, count, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


def embed(texts: Sequence[str], count: int) -> Vectors:
    """Vectors of the first `count` texts; whole chunks are embedded, so that a longer run finds those of a shorter."""
    pull_model(MODEL)
    threads = os.cpu_count() or 1
    provider = open_provider(EmbeddingSettings(provider=MODEL, threads=threads, cache_entries=0))
    begin, made = time.perf_counter(), 0
    parts = []
    for start in range(0, count, CHUNK):
        chunk = texts[start : start + CHUNK]
        part, was_cached = _embed_chunk(provider, chunk)
        parts.append(part)
        if not was_cached:
            made += len(chunk)
            console.print(f"embedded {start + len(chunk):,} of {count:,} sentences", style="dim", end="\r")
    provider.close()
    if made:
        console.print(f"embedded {made:,} sentences in {time.perf_counter() - begin:.0f} s", style="dim")
    return np.concatenate(parts)[:count]


def _embed_chunk(provider: EmbeddingProvider, texts: Sequence[str]) -> tuple[Vectors, bool]:
    key = hashlib.sha256("\0".join([provider.identity, *texts]).encode()).hexdigest()[:24]
    path = CACHE / f"vectors-{key}.npy"
    if path.exists():
        return np.load(path), True
    CACHE.mkdir(parents=True, exist_ok=True)
    vectors = np.asarray(provider.embed(texts), dtype=np.float32)
    partial = path.with_suffix(".partial.npy")
    np.save(partial, vectors)
    partial.replace(path)
    return vectors, False


def harder(vectors: Vectors, count: int, seed: int) -> Vectors:
    """`count` hard variants of real vectors; see the module."""
    chance = np.random.default_rng(seed)
    i = np.arange(count) % len(vectors)
    j, k = chance.integers(0, len(vectors), (2, count))
    return unit(vectors[i] + 0.5 * (vectors[j] - vectors[k]))


def wider(vectors: Vectors, seed: int) -> Vectors:
    """Each vector with that of another sentence beside it; see the module."""
    partner = np.random.default_rng(seed).permutation(len(vectors))
    return np.concatenate([vectors, vectors[partner]], axis=1) / np.float32(np.sqrt(2))


def unit(vectors: Vectors) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
