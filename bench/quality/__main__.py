"""Measures whether searches find the evidence: `python -m bench.quality --locomo … --beam …`.

The questions of public data sets, which the caller has, are asked of a memory in process and of a server; both must
answer alike. What is not given is left out, and named. Writes `quality.json` (goals and rows), `quality-answers.jsonl`
(every answer), `quality.md` and plots to `bench/results`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.harness import RESULTS, Report, console, environment, running_server
from bench.quality import precision
from bench.quality.corpora import Corpus
from bench.quality.cost import search_micros
from bench.quality.goals import DEFAULT_MODEL, FAST_MODEL, FAST_PROFILE, MEM0, Measured, goals_of
from bench.quality.mem0 import answers_of_mem0
from bench.quality.metrics import CUTS
from bench.quality.modes import DEFAULT, Mode, modes_of
from bench.quality.opening import add_corpus_arguments, load_corpora, opened, remembered_in
from bench.quality.page import write_page
from bench.quality.plots import draw
from bench.quality.precision import Precision
from bench.quality.remembering import Remembered, signals_of
from bench.quality.running import (
    ALL,
    Answer,
    Summary,
    TokenCounter,
    answers_of,
    pace_of,
    summaries_of,
    write_answers,
)
from bench.quality.thresholds import thresholds_of
from bench.quality.typos import typos_of
from mnemic import MnemicClient

IN_PROCESS, GRPC = "process", "grpc"


@dataclass
class Run:
    """What all corpora share."""

    report: Report
    measured: Measured
    scratch: Path
    tokens: TokenCounter
    answers: list[Answer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    precisions: list[Precision] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)
        console.print(text)

    def keep(self, answers: Sequence[Answer]) -> None:
        """The answers of one mode to one corpus, with rows of what they sum up to."""
        self.answers += answers
        summaries = summaries_of(answers)
        self.measured.summaries += summaries
        for summary in summaries:
            if summary.kind == ALL or (summary.mode, summary.model) == (DEFAULT.name, DEFAULT_MODEL):
                self.report.row(**_columns(summary))

    def ask(self, remembered: Remembered, model: str, modes: Sequence[Mode]) -> list[Answer]:
        """Asks in every mode, and keeps the answers and what they sum up to; gives those of the first mode."""
        remembered.warm()
        first: list[Answer] = []
        for mode in modes:
            answers = list(answers_of(remembered, model, mode, self.tokens))
            first = first or answers
            self.keep(answers)
        self.measured.paces.append(pace_of(first))
        if (modes[0], model) == (DEFAULT, DEFAULT_MODEL):
            self.measured.thresholds += thresholds_of(remembered, first)
            self._misspell(remembered)
        return first

    def _misspell(self, remembered: Remembered) -> None:
        typos = typos_of(remembered, DEFAULT.name)
        self.measured.typos += typos
        for one in typos:
            counts = f"{one.corpus}, {one.mode}: one slip in {one.kind} of {one.count} questions"
            self.note(f"{counts}: recall@10 {one.misspelt[0]:.3f}, as they stand {one.written[0]:.3f}")


def main() -> None:
    arguments = _arguments()
    begin = time.perf_counter()
    report = Report("quality")
    with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary:
        run = Run(report, Measured(), Path(temporary), TokenCounter())
        corpora = load_corpora(arguments, run.note)
        if not corpora:
            raise SystemExit("nothing was given to ask: see --help")
        by_transport = {}
        if arguments.transport != GRPC:
            by_transport[IN_PROCESS] = in_process(run, corpora)
        if arguments.transport != IN_PROCESS:
            by_transport[GRPC] = over_grpc(run, corpora, keep=arguments.transport == GRPC)
        if len(by_transport) > 1:
            _require_equal(run, *by_transport.values())
        if arguments.peers:
            ask_peers(run, corpora)
        if arguments.precisionmembench is not None:
            judge_precision(run, arguments.precisionmembench)
        else:
            run.note(f"{precision.NAME} was not given (--precisionmembench): left out")
        run.measured.search_micros_at_10k = search_micros(run.scratch / "cost", corpora)
    finish(run)
    console.print(f"{time.perf_counter() - begin:.0f} s in all", style="dim")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_corpus_arguments(parser)
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="without the peers that are installed")
    parser.add_argument("--precisionmembench", type=Path, help="the directory of its fixtures")
    parser.add_argument(
        "--transport", choices=(IN_PROCESS, GRPC, "both"), default="both", help="how the memory is called"
    )
    return parser.parse_args()


def in_process(run: Run, corpora: Sequence[Corpus]) -> list[Answer]:
    """Every mode with the default model, the profiles with the static one; the answers of the default mode."""
    answers = []
    for model in (DEFAULT_MODEL, FAST_MODEL):
        with opened(run.scratch / model, model) as memory:
            modes = modes_of(signals_of(memory))
            if model == FAST_MODEL:
                # The first is also timed.
                modes = sorted((mode for mode in modes if mode.group == "profile"), key=_is_not_fast)
            for remembered in remembered_in(memory, model, corpora):
                first = run.ask(remembered, model, modes)
                answers += first if model == DEFAULT_MODEL else []
    return answers


def _is_not_fast(mode: Mode) -> bool:
    return mode.name != FAST_PROFILE


def over_grpc(run: Run, corpora: Sequence[Corpus], *, keep: bool) -> list[Answer]:
    """The default mode, asked of a server; `keep` has its figures in the report."""
    answers: list[Answer] = []
    with running_server(run.scratch / "server") as (address, _), MnemicClient(address, timeout=300) as client:
        for remembered in remembered_in(client, DEFAULT_MODEL, corpora):
            if keep:
                answers += run.ask(remembered, DEFAULT_MODEL, [DEFAULT])
            else:
                answers += answers_of(remembered, DEFAULT_MODEL, DEFAULT, run.tokens)
    return answers


def ask_peers(run: Run, corpora: Sequence[Corpus]) -> None:
    try:
        answers = answers_of_mem0(corpora, run.tokens)
    except ImportError as error:
        run.note(f"{MEM0} is left out: {error}")
        return
    for corpus in corpora:
        mine = [answer for answer in answers if answer.corpus == corpus.name]
        run.keep(mine)
        median = statistics.median(answer.found.seconds for answer in mine)
        run.note(f"{corpus.name}: {MEM0} took {median * 1e3:.0f} ms (p50) a search when its answers were made")


def judge_precision(run: Run, directory: Path) -> None:
    with opened(run.scratch / "precision", DEFAULT_MODEL) as memory:
        outcomes = precision.measure(memory, precision.load(directory))
    run.measured.precision = precision.goal_of(outcomes)
    run.precisions += outcomes


def _require_equal(run: Run, one: Sequence[Answer], other: Sequence[Answer]) -> None:
    """The same hits in the same order, whoever was asked."""
    pairs = zip(one, other, strict=True)
    differing = [mine.question.question_id for mine, theirs in pairs if mine.found.turns != theirs.found.turns]
    if differing:
        raise SystemExit(f"process and server answered {len(differing)} questions differently: {differing[:10]}")
    run.note(f"the server answered all {len(one):,} questions as the memory in process did")


def _columns(summary: Summary) -> dict[str, object]:
    low, high = summary.by_conversation["recall@10"]
    shown = {f"R@{cut}": summary.means[f"recall@{cut}"] for cut in CUTS}
    shown |= {"± R@10": (high - low) / 2} | {
        name: summary.means[name] for name in ("most@10", "all@10", "mrr", "ndcg@10")
    }
    return {
        "questions": f"{summary.corpus}, {summary.kind}",
        "mode": summary.mode if summary.model == DEFAULT_MODEL else f"{summary.mode}, {summary.model}",
        "count": summary.count,
        **{name: round(value, 3) for name, value in shown.items()},
        "tokens": round(summary.context_tokens),
    }


def _last_tuning() -> tuple[Mapping[str, float], str]:
    """What the last tuning found on conversations that it had left out, if there was one, and of which commit."""
    path = RESULTS / "quality-tune.json"
    if not path.exists():
        return {}, ""
    document = json.loads(path.read_text(encoding="utf-8"))
    return document["leave_one_out"], document["commit"]


def finish(run: Run) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_answers(RESULTS / "quality-answers.jsonl", run.answers)
    plots = draw(run.measured.summaries)
    run.measured.leave_one_out, run.measured.tuned_commit = _last_tuning()
    run.report.goals = goals_of(run.measured)
    where = environment()
    words = " · ".join(f"{key} {value}" for key, value in where.items() if key != "packages")
    write_page(
        RESULTS / "quality.md",
        words,
        run.report.goals,
        run.measured,
        run.precisions,
        run.notes,
        plots,
    )
    run.report.finish()


if __name__ == "__main__":
    main()
