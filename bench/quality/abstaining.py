"""Calibrates how sure a search is of an answer: `python -m bench.quality.abstaining --locomo … --beam …`.

Positives are the questions of a conversation, negatives those about the next two conversations of its corpus, to
which nothing there is the answer. Two features, both absolute: the highest cosine of a candidate and the largest share
of what the words of the question could be worth that a candidate has (`_core.SearchOutcome.support`). A logistic model
of the two is fitted leaving one conversation out, corpora and classes counting alike; the bias is then moved so that
0.5 silences one question in twenty that has an answer. LoCoMo's adversarial questions (type 5: the right words about
the wrong speaker) are told apart by nothing here, and are judged separately.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from bench.harness import console
from bench.quality import locomo
from bench.quality.corpora import Conversation, Question
from bench.quality.opening import add_corpus_arguments, load_corpora, opened, remembered_in
from bench.quality.remembering import Remembered
from mnemic import _core

OWN, FOREIGN, ADVERSARIAL = "own", "foreign", "adversarial"
# So many of the questions with an answer may be silenced at a confidence of 0.5.
FALSE_SILENCE = 0.05
_ROUNDS = 50
_RIDGE = 1e-3


@dataclass(frozen=True)
class Asked:
    """One question in one conversation, and what the search found to support an answer."""

    corpus: str
    conversation: str
    kind: str
    support: tuple[float, float]


class _Listening:
    """The core's index, with an ear for what its searches find: the public API tells the confidence only."""

    def __init__(self, core: _core.Index) -> None:
        self._core = core
        self.support: tuple[float, float] | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._core, name)

    def search(self, *arguments: object, **options: object) -> _core.SearchOutcome:
        outcome = self._core.search(*arguments, **options)  # type: ignore[arg-type]  # as they came
        self.support = outcome.support
        return outcome


def asked_in(remembered: Remembered, ear: _Listening, adversarial: dict[str, list[Question]]) -> Iterator[Asked]:
    """Every question in its own conversation and in the two before it."""
    conversations = remembered.corpus.conversations
    for place, conversation in enumerate(conversations):
        others = [conversations[(place + step) % len(conversations)] for step in (1, 2)]
        questions = [(OWN, question) for question in conversation.questions]
        questions += [(FOREIGN, q) for other in others if other is not conversation for q in other.questions]
        questions += [(ADVERSARIAL, q) for q in adversarial.get(conversation.conversation_id, ())]
        for kind, question in questions:
            remembered.ask(conversation, question)
            if ear.support is not None:
                name = f"{remembered.corpus.name}/{conversation.conversation_id}"
                yield Asked(remembered.corpus.name, name, kind, ear.support)


def adversarial_questions(path: Path | None, conversations: Sequence[Conversation]) -> dict[str, list[Question]]:
    """LoCoMo's questions of type 5 by conversation; their conversations are in the order of the file."""
    if path is None:
        return {}
    kept = json.loads(path.read_text(encoding="utf-8"))
    pattern = conversations[0].questions[0]
    return {
        conversation.conversation_id: [
            replace(pattern, text=item["question"], kind=ADVERSARIAL, evidence=frozenset(), asked_at=None)
            for item in one["qa"]
            if item["category"] == 5
        ]
        for conversation, one in zip(conversations, kept, strict=False)
    }


def fit(
    features: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logistic regression by Newton's method: the weights of the features and the bias."""
    design = np.column_stack([features, np.ones(len(features))])
    ridge = np.diag([_RIDGE, _RIDGE, 0.0])
    found = np.zeros(3)
    for _ in range(_ROUNDS):
        probability = 1 / (1 + np.exp(-design @ found))
        gradient = design.T @ (weights * (probability - positive)) + ridge @ found
        curvature = (design * (weights * probability * (1 - probability))[:, None]).T @ design + ridge
        found -= np.linalg.solve(curvature, gradient)
    return found


def calibrated(asked: Sequence[Asked]) -> NDArray[np.float64]:
    """Fitted, and moved so that 0.5 silences as few questions with an answer as it may, in the mean of corpora."""
    own = np.asarray([one.kind == OWN for one in asked])
    features = np.asarray([one.support for one in asked])
    corpora = np.asarray([one.corpus for one in asked])
    weights = np.zeros(len(asked))
    for corpus in np.unique(corpora):
        for side in (own, ~own):
            mine = side & (corpora == corpus)
            weights[mine] = 1 / (2 * len(np.unique(corpora)) * mine.sum())
    found = fit(features, own, weights)
    odds = features @ found[:2]
    order = np.argsort(odds[own])
    share = np.cumsum(weights[own][order]) / weights[own].sum()
    found[2] = -odds[own][order][np.searchsorted(share, FALSE_SILENCE)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_corpus_arguments(parser)
    parser.add_argument("--model", choices=("minilm", "static"), default="minilm", help="the embedding model")
    arguments = parser.parse_args()
    corpora, model = load_corpora(arguments, console.print), arguments.model
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary, opened(Path(temporary), model) as memory:
        index = memory.engine._index  # noqa: SLF001 (what supports an answer is told inside only)
        ear = _Listening(index.core)
        index.core = ear  # type: ignore[assignment]  # it answers as the index does
        for remembered in remembered_in(memory, model, corpora):
            path = arguments.locomo if remembered.corpus.name == locomo.NAME else None
            asked += asked_in(remembered, ear, adversarial_questions(path, remembered.corpus.conversations))
    judge(asked)


def judge(asked: Sequence[Asked]) -> None:
    """Prints the model of all, and what leave-one-conversation-out says of it."""
    judged = [one for one in asked if one.kind != ADVERSARIAL]
    weights = calibrated(judged)
    console.print(f"cosine {weights[0]:.1f}, coverage {weights[1]:.1f}, bias {weights[2]:.2f}")
    confidence = np.zeros(len(asked))
    for left_out in {one.conversation for one in asked}:
        found = calibrated([one for one in judged if one.conversation != left_out])
        mine = [place for place, one in enumerate(asked) if one.conversation == left_out]
        features = np.asarray([asked[place].support for place in mine])
        confidence[mine] = 1 / (1 + np.exp(-(features @ found[:2] + found[2])))
    groups = sorted({(one.corpus, one.kind) for one in asked})
    table = Table(title="share silenced, each conversation by weights of the others", title_justify="left")
    for column in ("min_confidence", *(f"{corpus} {kind}" for corpus, kind in groups)):
        table.add_column(column, justify="right")
    for least in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        shares = []
        for group in groups:
            mine = np.asarray([(one.corpus, one.kind) == group for one in asked])
            shares.append(f"{np.mean(confidence[mine] < least):.3f}")
        table.add_row(f"{least}", *shares)
    console.print(table)


if __name__ == "__main__":
    main()
