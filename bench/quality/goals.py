"""The goals of the issue as rows, from what was measured; what could not be measured is missed, and says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.harness import Goal
from bench.quality import beam, locomo
from bench.quality.modes import DEFAULT
from bench.quality.running import ALL, Pace, Summary
from bench.quality.thresholds import Threshold
from bench.quality.typos import Typos
from mnemic.embedding.settings import ProviderName
from mnemic.engine.profiles import FAST

DEFAULT_MODEL: ProviderName = "minilm"
FAST_MODEL: ProviderName = "static"
MEM0 = "mem0ai"
FAST_PROFILE = FAST


@dataclass
class Measured:
    """What a run found out."""

    summaries: list[Summary] = field(default_factory=list)
    paces: list[Pace] = field(default_factory=list)
    thresholds: list[Threshold] = field(default_factory=list)
    typos: list[Typos] = field(default_factory=list)
    precision: Goal | None = None
    search_micros_at_10k: float | None = None
    leave_one_out: Mapping[str, float] = field(default_factory=dict)
    tuned_commit: str = ""

    def summary(self, corpus: str, mode: str, kind: str = ALL, model: str = DEFAULT_MODEL) -> Summary | None:
        wanted = (corpus, model, mode, kind)
        found = (s for s in self.summaries if (s.corpus, s.model, s.mode, s.kind) == wanted)
        return next(found, None)


def goals_of(measured: Measured) -> list[Goal]:
    return [
        _quality(measured, locomo.NAME, ALL, "recall@10", 0.86),
        _quality(measured, locomo.NAME, ALL, "ndcg@10", 0.72),
        _quality(measured, locomo.NAME, ALL, "mrr", 0.71),
        _quality(measured, locomo.NAME, "multi-hop", "recall@10", 0.66),
        _quality(measured, locomo.NAME, "open-domain", "recall@10", 0.52),
        _quality(measured, beam.NAME, ALL, "recall@10", 0.74),
        *_fast(measured),
        _ahead_of_mem0(measured),
        measured.precision or _unmeasured("PrecisionMemBench, mean precision", "≥ 0.6 at recall ≥ 0.85", "no fixtures"),
        _at_most("p50 µs of a search of 10,000 memories beyond the embedding", measured.search_micros_at_10k, 150),
    ]


def _quality(measured: Measured, corpus: str, kind: str, metric: str, goal: float) -> Goal:
    name = f"{corpus} {metric}" + (f", {kind}" if kind != ALL else "")
    summary = measured.summary(corpus, DEFAULT.name, kind)
    if summary is None:
        return _unmeasured(name, f"≥ {goal}", f"no {corpus} file was given")
    value = summary.means[metric]
    notes = [f"{summary.count} questions"]
    if metric in summary.by_question:
        spans = (summary.by_question[metric], summary.by_conversation[metric])
        by_question, by_conversation = (f"{low:.3f} to {high:.3f}" for low, high in spans)
        notes.append(f"95 % by question {by_question}, by conversation {by_conversation}")
    left_out = measured.leave_one_out.get(f"{corpus} {kind} {metric}")
    if left_out is not None:
        notes.append(f"weights found on the other conversations (tuned at {measured.tuned_commit}): {left_out:.3f}")
    return Goal(name, value, f"≥ {goal}", value >= goal, "; ".join(notes))


def _fast(measured: Measured) -> Sequence[Goal]:
    names = ("the static embedding, LoCoMo recall@10", "the static embedding, p50 µs of a fresh question, in process")
    note = "profile fast"
    summary = measured.summary(locomo.NAME, FAST_PROFILE, model=FAST_MODEL)
    pace = next((p for p in measured.paces if (p.corpus, p.model) == (locomo.NAME, FAST_MODEL)), None)
    if summary is None or pace is None:
        return [_unmeasured(name, goal, "not run") for name, goal in zip(names, ("≥ 0.82", "≤ 150"), strict=True)]
    recall = summary.means["recall@10"]
    return [
        Goal(names[0], recall, "≥ 0.82", recall >= 0.82, note),
        _at_most(names[1], pace.total[0], 150, f"{note}; p99 {pace.total[1]:.0f}, the embedding {pace.embed[0]:.0f}"),
    ]


def _ahead_of_mem0(measured: Measured) -> Goal:
    name, goal = "LoCoMo recall@10 ahead of Mem0, same vectors", "≥ 0.25"
    ours, theirs = (measured.summary(locomo.NAME, mode) for mode in (DEFAULT.name, MEM0))
    if ours is None or theirs is None:
        return _unmeasured(name, goal, "mem0ai was not measured")
    ahead = ours.means["recall@10"] - theirs.means["recall@10"]
    return Goal(name, ahead, goal, ahead >= 0.25, f"{MEM0} {theirs.means['recall@10']:.3f}")


def _at_most(name: str, value: float | None, limit: float, note: str = "") -> Goal:
    if value is None:
        return _unmeasured(name, f"≤ {limit:g}", "not run")
    return Goal(name, value, f"≤ {limit:g}", value <= limit, note)


def _unmeasured(name: str, goal: str, why: str) -> Goal:
    return Goal(name, None, goal, met=False, note=why)
