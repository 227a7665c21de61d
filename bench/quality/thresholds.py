"""What a threshold (`min_score`) costs and gains: evidence that is lost, and foreign questions that get nothing.

A foreign question is one about the next conversation of the corpus, asked of this one: whatever it finds is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.quality.metrics import ranks_of
from bench.quality.remembering import Found, Remembered
from bench.quality.running import Answer
from mnemic.model.search import DEFAULT_TOP_K

MIN_SCORES = tuple(step / 10 for step in range(10))


@dataclass(frozen=True)
class Threshold:
    """What one threshold does to searches for ten hits.

    Attributes:
        recall: recall@10 of the corpus's own questions.
        hits: How many hits these get, on average.
        silent: The share of foreign questions that get none.
    """

    corpus: str
    min_score: float
    recall: float
    hits: float
    silent: float


def thresholds_of(remembered: Remembered, answers: Sequence[Answer]) -> list[Threshold]:
    """Of a corpus with several conversations, from its answers in the default mode."""
    conversations = remembered.corpus.conversations
    best_foreign = [
        max(remembered.ask(conversation, question, top_k=1).scores, default=0.0)
        for conversation, other in zip(conversations, [*conversations[1:], conversations[0]], strict=True)
        for question in other.questions
        if other is not conversation
    ]
    if not best_foreign:
        return []
    return [
        Threshold(
            remembered.corpus.name,
            min_score,
            float(np.mean([_recall(answer, min_score) for answer in answers])),
            float(np.mean([_kept(answer.found, min_score) for answer in answers])),
            float(np.mean([score < min_score for score in best_foreign])),
        )
        for min_score in MIN_SCORES
    ]


def _kept(found: Found, min_score: float) -> int:
    return sum(score >= min_score for score in found.scores[:DEFAULT_TOP_K])


def _recall(answer: Answer, min_score: float) -> float:
    evidence = answer.question.evidence
    return len(ranks_of(answer.found.turns[: _kept(answer.found, min_score)], evidence)) / len(evidence)
