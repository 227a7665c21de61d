"""Contestants take turns, batch of queries by batch, so that the machine's noise hits all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.harness import Report, console
from bench.retrieval.vectors import Dataset

OURS = "mnemic"
GRAPH = "mnemic graph"
BATCH = 64
# The contestants before it have filled the caches with theirs: so many calls, untimed, bring its own back.
WARMUP = 24
ROUNDS = 6
COLD_CALLS = 60


@dataclass(frozen=True)
class Contestant:
    """One way to answer: `call(i)` answers the query of that number, `rows_of` reads the answer.

    Attributes:
        prepare: Called before each of its batches, untimed: a search setting that contestants share.
        note: What else there is to say about it.
    """

    name: str
    call: Callable[[int], Any]
    rows_of: Callable[[Any], Sequence[int]] | None = None
    prepare: Callable[[], object] | None = None
    note: str | None = None


@dataclass(frozen=True)
class Timing:
    """Microseconds of a call: wall clock at the median, the 99th percentile and the best, and CPU of the process."""

    p50: float
    p99: float
    best: float
    cpu: float
    recall: float | None = None


@dataclass
class Laps:
    """What one contestant has taken so far, in nanoseconds."""

    times: list[int] = field(default_factory=list)
    cpu: int = 0
    spent: int = 0

    def timing(self, recall: float | None) -> Timing:
        times = sorted(self.times)
        last = len(times) - 1
        return Timing(
            p50=times[len(times) // 2] / 1e3,
            p99=times[min(last, int(len(times) * 0.99))] / 1e3,
            best=times[0] / 1e3,
            cpu=self.cpu / len(times) / 1e3,
            recall=recall,
        )


@dataclass
class Run:
    """The results of one run so far, by case and contestant."""

    report: Report
    quick: bool
    results: dict[str, dict[str, Timing]] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)

    def race(
        self,
        case: str,
        contestants: Sequence[Contestant],
        queries: int,
        *,
        dataset: Dataset | None = None,
        flush: Callable[[], object] | None = None,
        seconds: float = 1.0,
    ) -> None:
        """Measures the contestants by turns and reports a row for each.

        Args:
            case: What is raced; the key of the results.
            contestants: The first is what the ratios refer to.
            queries: How many different queries `call` knows.
            dataset: Gives the recall of the answers.
            flush: Called before each call, untimed, to empty the caches; every call is then a cold one.
            seconds: After so much time a contestant has shown enough.
        """
        console.print(f"{case} …", style="dim")
        recalls = {each.name: _recall(each, dataset) for each in contestants}
        laps = {each.name: Laps() for each in contestants}
        gc.collect()
        gc.disable()
        try:
            for turn in range(ROUNDS):
                for each in contestants:
                    if laps[each.name].spent < seconds * 1e9:
                        _take_turn(each, laps[each.name], turn, queries, flush)
        finally:
            gc.enable()
        self.results[case] = {name: lap.timing(recalls[name]) for name, lap in laps.items()}
        base = self.results[case][contestants[0].name]
        for each in contestants:
            timing = self.results[case][each.name]
            self.show(case, each.name, timing, timing.p50 / base.p50, each.note)

    def show(self, case: str, who: str, timing: Timing, ratio: float | None = None, note: str | None = None) -> None:
        recall = None if timing.recall is None else round(timing.recall, 4)
        times = {"p50_us": timing.p50, "p99_us": timing.p99, "min_us": timing.best, "cpu_us": timing.cpu}
        self.report.row(case=case, who=who, recall=recall, **times, ratio=ratio, note=note)

    def note(self, case: str, who: str, note: str) -> None:
        """A row without times: what was skipped and why, or a figure of another kind."""
        times = dict.fromkeys(("recall", "p50_us", "p99_us", "min_us", "cpu_us", "ratio"))
        self.report.row(case=case, who=who, **times, note=note)

    def timing(self, case: str, name: str = OURS) -> Timing | None:
        return self.results.get(case, {}).get(name)


def _recall(contestant: Contestant, dataset: Dataset | None) -> float | None:
    if dataset is None or contestant.rows_of is None:
        return None
    if contestant.prepare:
        contestant.prepare()
    return dataset.recall([contestant.rows_of(contestant.call(i)) for i in range(len(dataset.queries))])


def _take_turn(contestant: Contestant, laps: Laps, turn: int, queries: int, flush: Callable[[], object] | None) -> None:
    call = contestant.call
    if contestant.prepare:
        contestant.prepare()
    first = turn * BATCH
    if flush is None:
        for i in range(first, first + WARMUP):
            call((i + BATCH) % queries)
    numbers = range(first, first + (BATCH if flush is None else COLD_CALLS // ROUNDS))
    for i in numbers:
        if flush:
            flush()
        number = i % queries
        cpu = time.process_time_ns()
        begin = time.perf_counter_ns()
        call(number)
        elapsed = time.perf_counter_ns() - begin
        laps.cpu += time.process_time_ns() - cpu
        laps.times.append(elapsed)
        laps.spent += elapsed
