"""Finds weights for the signals: `python -m bench.quality.tune --locomo … --beam …`.

Kept apart from the report: what is printed here is how well weights do on conversations that they were not found on.

* Within a corpus, leaving one conversation out: found on the others, judged on that one.
* Across corpora: found on one, judged on another. A weighting that helps one and hurts another is no default.
* On all, leaving one conversation out, each corpus counting alike. These weights are the ones to take.

Weights are found by coordinate ascent over a small grid: with few signals and a flat optimum, more is not better.
Writes `quality-features.npz` (see `features.FeatureTable`) and `quality-tune.json` to `bench/results`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from bench.harness import RESULTS, console, environment
from bench.quality.features import FeatureTable, Ranking
from bench.quality.metrics import measures, ranks_of
from bench.quality.modes import Mode
from bench.quality.opening import add_corpus_arguments, load_corpora, opened, remembered_in
from bench.quality.remembering import Remembered, signals_of
from bench.quality.running import ALL
from mnemic.engine.profiles import BALANCED, FAST, PROFILES

GRID = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
ROUNDS = 4
# A signal that the profile does not weigh yet begins here: at 0, two that help only together would not be found.
BEGIN = 0.1
# A search makes candidates of the best by each signal; what is below this rank in all of them cannot be a hit.
POOL = 100
# What a signal must add to what a fit makes large, to keep a weight.
PAYS = 2e-4
JUDGED = ("recall@10", "ndcg@10", "mrr")
# What a fit makes large: recall alone is coarse on few questions, and ignores the order within the first ten.
AIM = ("recall@10", "ndcg@10")

Weights = dict[str, float]


@dataclass
class Fitting:
    """A table, and which of its signals are weighed."""

    table: FeatureTable
    start: Weights
    rankings: dict[bytes, Ranking] = field(default_factory=dict)

    @property
    def signals(self) -> list[str]:
        return [str(signal) for signal in self.table.signals]

    def judge(self, weights: Mapping[str, float], questions: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
        """The metrics of each question."""
        ranking = self._ranking(questions)
        return ranking.judge(ranking.features @ self._vector(weights))

    def fit(self, questions: NDArray[np.bool_]) -> Weights:
        """The best weights for some questions, each corpus among them counting alike."""
        ranking = self._ranking(questions)
        shares = self._shares(self.table.corpora[questions])
        weights = self._vector(self.start)
        best = self._aim(ranking, ranking.features @ weights, shares)
        for _ in range(ROUNDS):
            before = best
            for column in range(len(weights)):
                others = ranking.features @ np.where(np.arange(len(weights)) == column, 0, weights).astype(np.float32)
                for value in GRID:
                    reached = self._aim(ranking, others + np.float32(value) * ranking.features[:, column], shares)
                    if reached > best + 1e-9:
                        best, weights[column] = reached, value
            if best == before:
                break
        self._drop_idle(ranking, shares, weights, best)
        return dict(zip(self.signals, weights.tolist(), strict=True))

    def _drop_idle(
        self, ranking: Ranking, shares: NDArray[np.float64], weights: NDArray[np.float32], reached: float
    ) -> None:
        """Takes out what does not pay: a signal that only breaks ties on these questions is noise on others."""
        for column in np.argsort(weights):
            less = np.where(np.arange(len(weights)) == column, 0, weights).astype(np.float32)
            if less.any() and self._aim(ranking, ranking.features @ less, shares) > reached - PAYS:
                weights[:] = less

    def _ranking(self, questions: NDArray[np.bool_]) -> Ranking:
        key = questions.tobytes()
        if key not in self.rankings:
            self.rankings = {key: Ranking(self.table, questions)}
        return self.rankings[key]

    def _vector(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        return np.asarray([weights.get(signal, 0.0) for signal in self.signals], np.float32)

    @staticmethod
    def _shares(corpora: NDArray[np.str_]) -> NDArray[np.float64]:
        _, numbers, counts = np.unique(corpora, return_inverse=True, return_counts=True)
        return 1 / (counts[numbers] * len(counts))

    @staticmethod
    def _aim(ranking: Ranking, scores: NDArray[np.floating], shares: NDArray[np.float64]) -> float:
        judged = ranking.judge(scores)
        return float(sum(shares @ judged[name] for name in AIM) / len(AIM))


@dataclass
class Outcome:
    """Means of metrics by what was fitted on what, for printing and for the file."""

    rows: list[tuple[str, str, int, dict[str, float]]] = field(default_factory=list)

    def add(self, how: str, judged_on: str, judged: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
        means = {name: float(judged[name].mean()) for name in JUDGED}
        self.rows.append((how, judged_on, len(judged[JUDGED[0]]), means))
        return means

    def show(self) -> None:
        table = Table(title="weights on questions that they were not found on", title_justify="left")
        for column in ("weights", "judged on", "questions", *JUDGED):
            table.add_column(column, justify="left" if column in ("weights", "judged on") else "right")
        for how, judged_on, count, means in self.rows:
            table.add_row(how, judged_on, str(count), *(f"{means[name]:.3f}" for name in JUDGED))
        console.print(table)


def leave_one_out(fitting: Fitting, among: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """The metrics of all questions of `among`, each by weights found on the other conversations."""
    judged = {name: np.zeros(len(among)) for name in JUDGED}
    for conversation in np.unique(fitting.table.conversations[among]):
        left_out = among & (fitting.table.conversations == conversation)
        weights = fitting.fit(among & ~left_out)
        for name, values in fitting.judge(weights, left_out).items():
            judged[name][left_out] = values
    return judged


def main() -> None:
    arguments = _arguments()
    begin = time.perf_counter()
    profile = FAST if arguments.model == "static" else BALANCED
    if arguments.table:
        tune(FeatureTable.load(arguments.table), (), profile)
    else:
        corpora, model = load_corpora(arguments, console.print), arguments.model
        with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary, opened(Path(temporary), model) as memory:
            remembered = list(remembered_in(memory, model, corpora))
            tune(collect(remembered), remembered, profile)
    console.print(f"{time.perf_counter() - begin:.0f} s in all", style="dim")


def tune(table: FeatureTable, all_remembered: Sequence[Remembered], profile: str) -> None:
    """Prints and writes everything; weights that were found are then asked with, where there is whom to ask."""
    table = table.pooled(POOL)
    corpora = [str(name) for name in np.unique(table.corpora)]
    everything = np.ones(len(table.wanted), bool)
    of = {name: table.corpora == name for name in corpora}
    weights = PROFILES[profile].weights
    current = {str(signal): float(getattr(weights, str(signal), None) or 0.0) for signal in table.signals}
    fitting = Fitting(table, {signal: weight or BEGIN for signal, weight in current.items()})
    outcome = Outcome()
    for name in corpora:
        outcome.add(f"the profile {profile}", name, fitting.judge(current, of[name]))
    _within_and_across(fitting, of, outcome)
    left_out = _on_all(fitting, everything, of, outcome) if len(corpora) > 1 else leave_one_out(fitting, everything)
    weights = fitting.fit(everything)
    for name in corpora:
        outcome.add("found on all, these among them (optimistic)", name, fitting.judge(weights, of[name]))
    found = _proportions(weights)
    for remembered in all_remembered:
        outcome.add("the same, rounded, asked for ten hits", remembered.corpus.name, _asked(remembered, found))
    outcome.show()
    console.print("weights found on all, as shares: " + ", ".join(f"{name} {value}" for name, value in found.items()))
    _without_each(fitting, weights, of)
    _write(RESULTS / "quality-tune.json", found, outcome, _by_kind(table, left_out))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_corpus_arguments(parser)
    parser.add_argument("--model", choices=("minilm", "static"), default="minilm", help="the embedding model")
    parser.add_argument("--table", type=Path, help="a table of features of an earlier run, instead of asking again")
    return parser.parse_args()


def collect(all_remembered: Sequence[Remembered]) -> FeatureTable:
    """The table, kept beside the results."""
    table = FeatureTable.collect(all_remembered, signals_of(all_remembered[0].backend))
    path = RESULTS / "quality-features.npz"
    table.save(path)
    rows, signals = table.raw.shape
    console.print(
        f"{rows:,} candidates of {len(table.wanted):,} questions, {signals} signals: {path.name}", style="dim"
    )
    return table


def _within_and_across(fitting: Fitting, of: Mapping[str, NDArray[np.bool_]], outcome: Outcome) -> None:
    for name, mine in of.items():
        left_out = leave_one_out(fitting, mine)
        outcome.add(f"{name}, one conversation left out", name, {key: values[mine] for key, values in left_out.items()})
        weights = fitting.fit(mine)
        for other, theirs in of.items():
            if other != name:
                outcome.add(f"found on {name} alone", other, fitting.judge(weights, theirs))


def _on_all(
    fitting: Fitting, everything: NDArray[np.bool_], of: Mapping[str, NDArray[np.bool_]], outcome: Outcome
) -> dict[str, NDArray[np.float64]]:
    left_out = leave_one_out(fitting, everything)
    for name, mine in of.items():
        judged = {key: values[mine] for key, values in left_out.items()}
        outcome.add("all corpora, one conversation left out", name, judged)
    return left_out


def _without_each(fitting: Fitting, weights: Weights, of: Mapping[str, NDArray[np.bool_]]) -> None:
    table = Table(title="what each signal adds to these weights (optimistic)", title_justify="left")
    for column in ("without", *(f"{corpus} {name}" for corpus in of for name in AIM)):
        table.add_column(column, justify="left" if column == "without" else "right")
    whole = {corpus: fitting.judge(weights, mine) for corpus, mine in of.items()}
    for signal in fitting.signals:
        less = {corpus: fitting.judge(weights | {signal: 0.0}, mine) for corpus, mine in of.items()}
        losses = (less[corpus][name].mean() - whole[corpus][name].mean() for corpus in of for name in AIM)
        table.add_row(signal, *(f"{loss:+.3f}" for loss in losses))
    console.print(table)


def _by_kind(table: FeatureTable, left_out: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """`corpus kind metric` -> mean, as `goals` looks it up."""
    means: dict[str, float] = {}
    for corpus in np.unique(table.corpora):
        mine = table.corpora == corpus
        for kind in (ALL, *np.unique(table.kinds[mine])):
            chosen = mine if kind == ALL else mine & (table.kinds == kind)
            means |= {f"{corpus} {kind} {name}": float(values[chosen].mean()) for name, values in left_out.items()}
    return means


def _asked(remembered: Remembered, weights: Weights) -> dict[str, NDArray[np.float64]]:
    """What searches with these weights answer: normalised over their own candidates and not over all that is found."""
    mode = Mode("found", "profile", {"weights": weights})
    judged = []
    for conversation in remembered.corpus.conversations:
        for question in conversation.questions:
            found = mode.ask(remembered, conversation, question)
            judged.append(measures(ranks_of(found.turns, question.evidence), len(question.evidence)))
    return {name: np.asarray([one[name] for one in judged]) for name in JUDGED}


def _proportions(weights: Weights) -> Weights:
    total = sum(weights.values())
    return {name: round(weight / total, 3) for name, weight in weights.items()}


def _write(path: Path, weights: Weights, outcome: Outcome, left_out: Mapping[str, float]) -> None:
    rows = [{"weights": how, "judged_on": on, "questions": n} | means for how, on, n, means in outcome.rows]
    document = environment() | {"weights": weights, "rows": rows, "leave_one_out": dict(left_out)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
