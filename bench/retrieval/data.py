"""What one run searches: sentences, their vectors and the shard that several races share."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.harness import console
from bench.retrieval.measuring import Run
from bench.retrieval.qdrant import NAME, QdrantShard
from bench.retrieval.sentences import Corpus, load_corpus
from bench.retrieval.vectors import Vectors, embed

SCOPES = (1_000, 10_000)
LARGE = 70_000
QUICK_EXTRA = 2_000


@dataclass
class Data:
    """Sentences, the vectors of the first of them, and of the questions.

    Attributes:
        shard: qdrant-edge with all vectors and their texts in random order; a point's users are the scopes (`1000`,
            `10000`) that hold its row. None if it is not installed.
    """

    corpus: Corpus
    vectors: Vectors
    queries: Vectors
    shard: QdrantShard | None

    @property
    def texts(self) -> list[str]:
        return self.corpus.texts

    @property
    def sizes(self) -> list[int]:
        larger = [len(self.vectors)] if len(self.vectors) > 2 * SCOPES[-1] else []
        return [*SCOPES, *larger]


def prepare(run: Run, locomo: Path | None) -> Data:
    corpus = load_corpus(locomo)
    wanted = SCOPES[-1] + QUICK_EXTRA if run.quick else LARGE
    count = min(wanted, len(corpus.texts))
    sources = ", ".join(f"{count:,} from {source}" for source, count in corpus.sources.items())
    console.print(f"sentences: {sources}; {count:,} of them as vectors", style="dim")
    vectors = embed(corpus.texts, count)
    queries = embed(corpus.questions, len(corpus.questions))
    return Data(corpus, vectors, queries, _shard(run, corpus, vectors))


def _shard(run: Run, corpus: Corpus, vectors: Vectors) -> QdrantShard | None:
    try:
        shard = QdrantShard(vectors.shape[1], words=True)
    except ImportError as error:
        run.note("all", NAME, f"skipped: {error}")
        return None
    console.print(f"filling {NAME} with {len(vectors):,} points …", style="dim")
    users = [[str(size) for size in SCOPES if row < size] for row in range(len(vectors))]
    order = np.arange(len(vectors)).tolist()
    random.Random(11).shuffle(order)
    shard.add(order, users, vectors, corpus.texts)
    shard.optimize()
    return shard
