"""The whole of a run as Markdown: every mode by every type of question, and the plots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.harness import Goal
from bench.quality.goals import Measured
from bench.quality.metrics import CUTS
from bench.quality.precision import NAME, Precision, Verdict, mean
from bench.quality.running import ALL, Pace, Summary
from bench.quality.thresholds import Threshold
from bench.quality.typos import Typos

COLUMNS = (*(f"recall@{cut}" for cut in CUTS), "most@10", "all@10", "hit@10", "mrr", "ndcg@10")


def write_page(
    path: Path,
    where: str,
    goals: Sequence[Goal],
    measured: Measured,
    precisions: Sequence[Precision],
    notes: Sequence[str],
    plots: Sequence[str],
) -> None:
    lines = ["# Whether searches find the evidence", "", where, "", *(f"- {note}" for note in notes)]
    lines += _section("Goals", "", ("goal", "wanted", "measured", "", "note"), map(_goal, goals))
    for corpus in dict.fromkeys(summary.corpus for summary in measured.summaries):
        lines += _corpus(corpus, [summary for summary in measured.summaries if summary.corpus == corpus])
        lines += ["", *(f"![{name}]({name})" for name in plots if name.startswith(f"quality-{corpus.lower()}-"))]
    head: tuple[str, ...] = ("corpus", "model", "p50 µs", "p99 µs", "embed p50", "search p50", "search p99")
    lines += _section("Time", "Of a fresh question, ten hits, in process.", head, map(_pace, measured.paces))
    head = ("corpus", "min_score", "recall@10", "hits", "foreign questions that get nothing")
    words = "Of searches for ten hits; a foreign question is about another conversation."
    lines += _section("Thresholds", words, head, map(_threshold, measured.thresholds))
    head = ("corpus", "a slip in", "mode", "questions", "recall@10", "as written", "ndcg@10", "as written")
    lines += _section("Typos", "One edit in one word of each question.", head, map(_typos, measured.typos))
    if precisions:
        head = ("min_score", "precision", "recall", "passed", "precision in sessions", "turns passed")
        lines += _section(NAME, "By the threshold of every search.", head, map(_precision, precisions))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _corpus(corpus: str, summaries: Sequence[Summary]) -> list[str]:
    head = ("model", "mode", "questions", *COLUMNS, "context tokens")
    words = "All questions; in brackets the 95 % interval when conversations are drawn."
    lines = _section(corpus, words, head, (_row(summary) for summary in summaries if summary.kind == ALL))
    for kind in dict.fromkeys(summary.kind for summary in summaries if summary.kind != ALL):
        lines += ["", f"### {kind}", ""]
        lines += _table(head, (_row(summary) for summary in summaries if summary.kind == kind))
    return lines


def _section(title: str, words: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return ["", f"## {title}", "", *([words, ""] if words else []), *_table(head, rows)]


def _goal(goal: Goal) -> tuple[str, ...]:
    value = "not measured" if goal.value is None else f"{goal.value:.3f}" if goal.value < 10 else f"{goal.value:.0f}"
    return goal.name, goal.goal, value, "met" if goal.met else "missed", goal.note


def _row(summary: Summary) -> tuple[str, ...]:
    cells = []
    for name in COLUMNS:
        span = summary.by_conversation.get(name)
        cells.append(f"{summary.means[name]:.3f}" + (f" [{span[0]:.3f}, {span[1]:.3f}]" if span else ""))
    return summary.model, summary.mode, str(summary.count), *cells, f"{summary.context_tokens:.0f}"


def _pace(pace: Pace) -> tuple[str, ...]:
    numbers = (*pace.total, pace.embed[0], *pace.search)
    return pace.corpus, pace.model, *(f"{number:,.0f}" for number in numbers)


def _threshold(one: Threshold) -> tuple[str, ...]:
    return one.corpus, f"{one.min_score:g}", f"{one.recall:.3f}", f"{one.hits:.1f}", f"{one.silent:.3f}"


def _typos(one: Typos) -> tuple[str, ...]:
    pairs = zip(one.misspelt, one.written, strict=True)
    return one.corpus, one.kind, one.mode, str(one.count), *(f"{value:.3f}" for pair in pairs for value in pair)


def _precision(outcome: Precision) -> tuple[str, ...]:
    return (
        f"{outcome.min_score:g}",
        f"{outcome.precision:.3f}",
        f"{outcome.recall:.3f}",
        _passed(outcome.verdicts),
        f"{mean(verdict.precision for verdict in outcome.turns):.3f}",
        _passed(outcome.turns),
    )


def _passed(verdicts: Sequence[Verdict]) -> str:
    return f"{sum(verdict.is_passed for verdict in verdicts)} of {len(verdicts)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
