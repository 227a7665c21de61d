"""Goals 8 and 9: BM25 by the size of the scope, and words and vectors together."""

from __future__ import annotations

import re

import numpy as np

from bench.harness import console
from bench.retrieval.data import Data
from bench.retrieval.measuring import Contestant, Run
from bench.retrieval.ours import HYBRID, WORDS, fill, searcher, user_scope
from bench.retrieval.qdrant import NAME as QDRANT
from bench.retrieval.qdrant import QdrantShard
from bench.retrieval.sentences import crossed
from bench.retrieval.word_peers import Bm25s, TantivyIndex
from mnemic import _core
from mnemic.model.scope import Scope

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = SIZES[:2]
# Above this the peers take minutes to build: only tantivy does it.
LARGEST_OF_ALL = 100_000
USER = "user of 1,000"
HYBRID_CASE = "vectors and words, scope of 10,000"
MOST_WORDS = 8
# Rows without a vector still have room for one; the least possible here.
NO_VECTORS = 8


def words_case(size: int) -> str:
    return f"words, {size:,} memories"


def user_case() -> str:
    return f"words, {USER} in many"


def question_words(question: str) -> str:
    """Up to eight words of a question that are not stop words, so that all search the same."""
    words = [word for word in re.findall(r"[a-z0-9]{2,}", question.lower()) if _core.tokenize(word)]
    return " ".join(words[:MOST_WORDS])


def race_words(run: Run, data: Data) -> None:
    queries = [words for words in map(question_words, data.corpus.questions) if len(words.split()) > 2]
    mean = np.mean([len(query.split()) for query in queries])
    run.note(words_case(SIZES[0]), "queries", f"{len(queries)} of {mean:.1f} words on average")
    for size in QUICK_SIZES if run.quick else SIZES:
        texts = crossed(data.texts, size)
        index = _core.Index(NO_VECTORS)
        console.print(f"{words_case(size)}: filling …", style="dim")
        fill(index, range(size), texts, user_scope("one"))
        contestants = [searcher(index, Scope(user_id="one"), texts=queries, weights=WORDS)]
        contestants += _peers(run, words_case(size), texts, queries)
        run.race(words_case(size), contestants, len(queries))
    _race_user(run, data, queries)


def _peers(run: Run, case: str, texts: list[str], queries: list[str]) -> list[Contestant]:
    contestants = []
    try:
        tantivy = TantivyIndex()
        tantivy.add(texts, ["one"] * len(texts))
        contestants.append(tantivy.contestant(queries, None))
    except ImportError as error:
        run.note(case, "tantivy", f"skipped: {error}")
    if len(texts) > LARGEST_OF_ALL:
        return contestants
    try:
        contestants.append(Bm25s(texts).contestant(queries))
    except ImportError as error:
        run.note(case, "bm25s", f"skipped: {error}")
    try:
        shard = QdrantShard(None, words=True)
        shard.add(range(len(texts)), ["one"] * len(texts), texts=texts)
        shard.optimize()
        contestants.append(shard.words(queries, None))
    except ImportError as error:
        run.note(case, QDRANT, f"skipped: {error}")
    return contestants


def _race_user(run: Run, data: Data, queries: list[str]) -> None:
    """One user's thousand memories among those of many: our partition, the peers' filters."""
    count = 10_000 if run.quick else 100_000
    texts = crossed(data.texts, count)
    users = [f"user {i}" for i in np.random.default_rng(29).integers(0, count // 1_000, count)]
    index = _core.Index(NO_VECTORS)
    for user in sorted(set(users)):
        fill(index, [i for i, owner in enumerate(users) if owner == user], texts, user_scope(user))
    contestants = [searcher(index, Scope(user_id="user 0"), texts=queries, weights=WORDS)]
    try:
        tantivy = TantivyIndex()
        tantivy.add(texts, users)
        contestants.append(tantivy.contestant(queries, "user 0"))
    except ImportError as error:
        run.note(user_case(), "tantivy", f"skipped: {error}")
    try:
        shard = QdrantShard(None, words=True)
        shard.add(range(count), users, texts=texts)
        shard.optimize()
        contestants.append(shard.words(queries, "user 0"))
    except ImportError as error:
        run.note(user_case(), QDRANT, f"skipped: {error}")
    run.race(user_case(), contestants, len(queries))


def race_hybrid(run: Run, data: Data) -> None:
    rows = 10_000
    texts = [question_words(question) for question in data.corpus.questions]
    index = _core.Index(data.vectors.shape[1])
    fill(index, range(rows), data.texts, user_scope("one"), data.vectors)
    contestants = [searcher(index, Scope(user_id="one"), queries=data.queries, texts=texts, weights=HYBRID)]
    if data.shard:
        contestants.append(data.shard.hybrid(data.queries, texts, str(rows)))
    run.race(HYBRID_CASE, contestants, len(texts))
