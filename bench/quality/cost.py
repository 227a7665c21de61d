"""What a whole search costs in a scope of 10,000 memories, beyond embedding its question."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.harness import many_texts, vectors_like
from bench.quality.corpora import Corpus
from mnemic import Memory
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput

MEMORIES = 10_000
_BATCH = 1_000
_QUESTIONS = 300
_USER = "one"


def search_micros(directory: Path, corpora: Sequence[Corpus]) -> float:
    """The median of the whole call less its embedding, in microseconds; ten hits of the default profile, in process.

    The texts are crossed from turns of the corpora, the vectors have no meaning: neither changes what is computed.
    """
    turns = [turn.body for corpus in corpora for conversation in corpus.conversations for turn in conversation.turns]
    questions = [
        question.text
        for corpus in corpora
        for conversation in corpus.conversations
        for question in conversation.questions
    ][:_QUESTIONS]
    with Memory(settings=load_settings(data_directory=directory, embedding={"provider": "static"})) as memory:
        rows = vectors_like(MEMORIES, memory.stats().dimension)
        texts = many_texts(MEMORIES, turns)
        for start in range(0, MEMORIES, _BATCH):
            batch = zip(texts[start : start + _BATCH], rows[start : start + _BATCH], strict=True)
            memory.add([MemoryInput(body=text, vector=row) for text, row in batch], user_id=_USER)
        memory.search(questions[0], user_id=_USER)
        found = [memory.search(question, user_id=_USER).timings for question in questions]
    return statistics.median(timings.total - timings.embed for timings in found)
