"""What a learned ranker would add to the weighted sum: `python -m bench.quality.train_ranker --locomo … --beam …`.

A small ensemble of trees (LambdaMART: Burges, From RankNet to LambdaRank to LambdaMART, 2010) corrects the score of the
best candidates of each question. It begins at the score, times `SCALE`, and sees what `explain` tells of a candidate:
the normalised signals, the score and how far it is below the best. More of a signal never counts less.

It is judged on questions that it was not trained on, one conversation left out or one corpus by the other, beside the
sum alone. Nothing is kept: why the service has no learned ranker is decision 10.
Needs the dependency group `bench-ranker`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from bench.harness import RESULTS, console, environment
from bench.quality.metrics import measures
from bench.quality.opening import add_corpus_arguments, load_corpora, opened, remembered_in
from bench.quality.remembering import Remembered
from mnemic.model.search import SIGNALS

# So many of the best candidates are ranked anew.
BEST = 40
# The score of the sum is worth so much beside the first trees.
SCALE = 20.0
TREES = 80
JUDGED = ("recall@10", "ndcg@10", "mrr")
SETTINGS: dict[str, Any] = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 15,
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 100,
    "lambda_l2": 5.0,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """One question and its best candidates, in the order of the answer.

    Attributes:
        corpus: The corpus.
        conversation: The conversation, unique across corpora.
        features: (candidates, signals + 2): the normalised signals, the score, and its distance from the best.
        label: (candidates): whether each brings evidence.
        wanted: How many pieces of evidence there are, found or not.
    """

    corpus: str
    conversation: str
    features: Rows
    label: NDArray[np.bool_]
    wanted: int

    @property
    def scores(self) -> Rows:
        return self.features[:, -2]

    def judge(self, scores: Rows) -> dict[str, float]:
        order = np.argsort(-scores, kind="stable")
        ranks = [int(rank) + 1 for rank in np.flatnonzero(self.label[order])]
        judged = measures(ranks, self.wanted)
        return {name: judged[name] for name in JUDGED}


def ask(remembered: Remembered) -> list[Asked]:
    """Asks every question of a corpus for its best candidates by the default profile."""
    corpus, asked = remembered.corpus, []
    for conversation in corpus.conversations:
        for question in conversation.questions:
            found = remembered.ask(conversation, question, top_k=BEST, explain=True)
            scores = np.asarray(found.scores)
            signals = [
                [parts[signal].normalized if signal in parts else 0.0 for signal in SIGNALS] for parts in found.parts
            ]
            below = scores.max(initial=0.0) - scores
            features = np.column_stack([np.asarray(signals).reshape(-1, len(SIGNALS)), scores, below])
            label = np.asarray([not question.evidence.isdisjoint(turns) for turns in found.turns], bool)
            place = f"{corpus.name}/{conversation.conversation_id}"
            asked.append(Asked(corpus.name, place, features, label, len(question.evidence)))
    return asked


def train(questions: list[Asked]) -> Callable[[Rows], Rows]:
    """A correction of scores, trained on the questions that have evidence among their candidates."""
    import lightgbm

    useful = [asked for asked in questions if asked.label.any()]
    directions = [1] * (len(SIGNALS) + 1) + [-1]
    data = lightgbm.Dataset(
        np.concatenate([asked.features for asked in useful]),
        np.concatenate([asked.label for asked in useful]).astype(np.int32),
        group=[len(asked.label) for asked in useful],
        init_score=np.concatenate([SCALE * asked.scores for asked in useful]),
    )
    model = lightgbm.train(SETTINGS | {"monotone_constraints": directions}, data, TREES)

    def correct(features: Rows) -> Rows:
        return np.asarray(model.predict(features), np.float64)

    return correct


def left_out(questions: list[Asked], part: Callable[[Asked], str]) -> dict[str, list[dict[str, float]]]:
    """How each question is ranked by what was trained on the other parts, by corpus."""
    judged: dict[str, list[dict[str, float]]] = {}
    for name in sorted({part(asked) for asked in questions}):
        correct = train([asked for asked in questions if part(asked) != name])
        for asked in questions:
            if part(asked) == name:
                scores = SCALE * asked.scores
                if len(scores):
                    scores = scores + correct(asked.features)
                judged.setdefault(asked.corpus, []).append(asked.judge(scores))
    return judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_corpus_arguments(parser)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    corpora = load_corpora(arguments, console.print)
    with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary, opened(Path(temporary), "minilm") as memory:
        questions = [asked for remembered in remembered_in(memory, "minilm", corpora) for asked in ask(remembered)]
    alone: dict[str, list[dict[str, float]]] = {}
    for asked in questions:
        alone.setdefault(asked.corpus, []).append(asked.judge(asked.scores))
    outcome = {"the weighted sum alone": alone}
    outcome["corrected, one conversation left out"] = left_out(questions, lambda asked: asked.conversation)
    if len(corpora) > 1:
        outcome["corrected by what the other corpora teach"] = left_out(questions, lambda asked: asked.corpus)
    _report(outcome)
    console.print(f"{time.perf_counter() - begin:.0f} s in all", style="dim")


def _report(outcome: Mapping[str, Mapping[str, list[dict[str, float]]]]) -> None:
    table = Table(title="a learned ranker on questions that it was not trained on", title_justify="left")
    for column in ("ranking", "judged on", "questions", *JUDGED):
        table.add_column(column, justify="left" if column in ("ranking", "judged on") else "right")
    rows = []
    for how, corpora in outcome.items():
        for corpus, judged in corpora.items():
            means = {name: float(np.mean([one[name] for one in judged])) for name in JUDGED}
            rows.append({"ranking": how, "judged_on": corpus, "questions": len(judged)} | means)
            table.add_row(how, corpus, str(len(judged)), *(f"{means[name]:.3f}" for name in JUDGED))
    console.print(table)
    path = RESULTS / "quality-ranker.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(environment() | {"rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
