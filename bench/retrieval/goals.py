"""The goals of the retrieval core as ratios of one run; a figure that this run cannot give is a goal missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.harness import Goal
from bench.retrieval.bandwidth import Bandwidth
from bench.retrieval.measuring import GRAPH, OURS, Run, Timing
from bench.retrieval.qdrant import NAME as QDRANT
from bench.retrieval.readers import CONTROL
from bench.retrieval.readers import ROWS as READER_ROWS
from bench.retrieval.scan import cold_case, scope_case
from bench.retrieval.scopes import ALONE, AS_SESSION, SHARES, share_case, tiny_case
from bench.retrieval.words import HYBRID_CASE, SIZES, user_case, words_case
from bench.retrieval.writes import ADD_CASE, GRAPH_TURNOVER, TURNOVER_CASE

DIMENSION = 384
EQUAL_RECALLS = (0.995, 0.999)
# Of a row: its int8 codes and their scale; its 1-bit code and two factors.
CODE_BYTES = DIMENSION + 4
BIT_BYTES = DIMENSION // 8 + 8
WORDS_LIMITS = dict(zip(SIZES, (3.0, 8.0, 30.0, 300.0), strict=True))


@dataclass(frozen=True)
class Check:
    """One figure of a goal against its limit; None was not measured."""

    what: str
    value: float | None
    limit: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        if self.value is None:
            return False
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    @property
    def wanted(self) -> str:
        return f"{self.what} {'≤' if self.at_most else '≥'} {self.limit:g}"

    @property
    def found(self) -> str:
        shown = "not measured" if self.value is None else f"{self.value:,.4g}"
        return f"{self.what} {shown} {'(met)' if self.met else '(missed)'}"


def goals_of(run: Run, bandwidth: Bandwidth, sizes: Sequence[int]) -> list[Goal]:
    """One row for each goal, in order."""
    return [
        _small_scope(run),
        _scope_in_cache(run, bandwidth),
        _large_scope(run, sizes),
        _graph(run, sizes),
        _shares(run),
        _writes(run),
        _readers(run),
        _words(run),
        _hybrid(run),
        _tiny(run),
        _restart(run),
        _threads(run),
    ]


def _goal(number: int, title: str, checks: Sequence[Check], note: str = "") -> Goal:
    found = "; ".join(check.found for check in checks)
    return Goal(
        name=f"{number}. {title}",
        value=checks[0].value,
        goal="; ".join(check.wanted for check in checks),
        met=all(check.met for check in checks),
        note=f"{found}. {note}".strip(),
    )


def _p50(run: Run, case: str, who: str = OURS) -> float | None:
    timing = run.timing(case, who)
    return timing.p50 if timing else None


def _times_faster(run: Run, case: str, who: str) -> float | None:
    ours, theirs = _p50(run, case), _p50(run, case, who)
    return theirs / ours if ours and theirs else None


def _recall(timing: Timing | None) -> float | None:
    return timing.recall if timing else None


def _small_scope(run: Run) -> Goal:
    case = scope_case(1_000)
    checks = [
        Check("p50 µs", _p50(run, case), 9),
        Check("recall@10", _recall(run.timing(case)), 1.0, at_most=False),
        Check("× hnswlib ef64", _times_faster(run, case, "hnswlib ef64"), 4, at_most=False),
        Check("× qdrant-edge scoped", _times_faster(run, case, QDRANT), 5, at_most=False),
    ]
    return _goal(1, "scope of 1k, top-10, through Python", checks)


def _scope_in_cache(run: Run, bandwidth: Bandwidth) -> Goal:
    case = scope_case(10_000)
    bound = bandwidth.microseconds(10_000 * DIMENSION, "L3")
    ours = _p50(run, case)
    checks = [
        Check("× the L3 time of the int8 bytes", ours / bound if ours else None, 1.35),
        Check("recall@10", _recall(run.timing(case)), 1.0, at_most=False),
        Check("× qdrant-edge scoped", _times_faster(run, case, QDRANT), 15, at_most=False),
    ]
    cold = _p50(run, cold_case(10_000))
    note = f"p50 {_shown(ours)} µs, the bytes need {bound:.3g} µs at {bandwidth.by_level['L3']:.0f} GB/s"
    return _goal(2, "scope of 10k, hot", checks, f"{note}; cold {_shown(cold)} µs")


def _large_scope(run: Run, sizes: Sequence[int]) -> Goal:
    size = sizes[-1] if sizes[-1] >= 60_000 else None
    case = scope_case(size or 70_000)
    checks = [
        Check("p50 µs", _p50(run, case), 130),
        Check("recall@10", _recall(run.timing(case)), 0.999, at_most=False),
    ]
    return _goal(3, "70k, no graph", checks, "" if size else "A quick run has no scope of this size.")


def _graph(run: Run, sizes: Sequence[int]) -> Goal:
    case = scope_case(sizes[-1])
    checks, parts = [], []
    for recall in EQUAL_RECALLS:
        ours = _fastest(run, case, GRAPH, recall)
        theirs = _fastest(run, case, "hnswlib", recall) or _most_certain(run, case, "hnswlib")
        ratio = theirs[1] / ours[1] if ours and theirs else None
        checks.append(Check(f"× hnswlib at recall {recall}", ratio, 3, at_most=False))
        parts += [f"{who} {_shown(p50)} µs" for who, p50 in filter(None, (ours, theirs))]
    links = run.facts.get("graph bytes")
    read = links + CODE_BYTES if links else None
    checks.append(Check("bytes a vector that a search through the graph may read", read, 560))
    with_bits = read + BIT_BYTES if read else None
    note = f"At {sizes[-1]:,} rows: {', '.join(parts)}. With the 1-bit codes, for filters, {_shown(with_bits)} bytes"
    return _goal(4, "graph plan", checks, note)


def _most_certain(run: Run, case: str, who: str) -> tuple[str, float] | None:
    """Whose search of this kind has the highest recall: where that is too low, it would take even longer than this."""
    recalls = {
        name: timing.recall or 0.0 for name, timing in run.results.get(case, {}).items() if name.startswith(f"{who} ")
    }
    best = max(recalls, key=recalls.__getitem__, default=None)
    return (best, run.results[case][best].p50) if best else None


def _fastest(run: Run, case: str, who: str, recall: float) -> tuple[str, float] | None:
    """Whose search of this kind is the fastest of those that reach a recall, with its p50."""
    reaching = {
        name: timing.p50
        for name, timing in run.results.get(case, {}).items()
        if name.startswith(f"{who} ") and (timing.recall or 0.0) >= recall
    }
    return min(reaching.items(), key=lambda item: item[1], default=None)


def _shares(run: Run) -> Goal:
    """Counts both ways of being few among many: a user with a partition of its own, and a session of a large one."""
    checks = []
    for share in SHARES:
        case = share_case(share)
        alone = _p50(run, case, ALONE)
        for what, who in (("user", OURS), ("session", AS_SESSION)):
            ours = _p50(run, case, who)
            ratio = ours / alone if ours and alone else None
            checks.append(Check(f"× the same rows alone, {what} of {share:.1%}", ratio, 1.1))
    timings = (run.timing(share_case(share), who) for share in SHARES for who in (OURS, AS_SESSION))
    recalls = [recall for timing in timings if (recall := _recall(timing)) is not None]
    checks.append(Check("recall@10", min(recalls, default=None), 1.0, at_most=False))
    return _goal(5, "scope of 0.1 / 1 / 10 % of many", checks, "Users have partitions of their own.")


def _writes(run: Run) -> Goal:
    change, graph_change = (_change_by_turnover(run, who) for who in (OURS, GRAPH_TURNOVER))
    checks = [
        Check("p50 µs of an add", _p50(run, ADD_CASE), 3),
        Check("× hnswlib's add", _times_faster(run, ADD_CASE, "hnswlib"), 100, at_most=False),
        Check("loss of recall by 200 % turnover", change, 0.0),
        Check("loss of recall by 200 % turnover of a graph", graph_change, 0.003),
        Check("adds not found at once", run.facts.get("adds not found"), 0),
    ]
    note = "The add is timed through Python, the conversion of the memory and its words included."
    return _goal(6, "add, visible at once", checks, note)


def _change_by_turnover(run: Run, who: str) -> float | None:
    """How much lower recall is afterwards."""
    before, after = (_recall(run.timing(f"{TURNOVER_CASE}, {when}", who)) for when in ("before", "after"))
    return None if before is None or after is None else before - after


def _readers(run: Run) -> Goal:
    checks = [
        Check("× p50 of idle", run.facts.get(f"writer ratio {OURS}"), 1.15),
        Check("errors", run.facts.get(f"writer errors {OURS}"), 0),
        Check("adds/s", run.facts.get(f"writer rate {OURS}"), 9_500, at_most=False),
    ]
    other = run.facts.get(f"writer ratio {OURS}, writer in another scope")
    note = f"Writer and reader are threads of one Python process. Writer in another scope: {_shown(other)}×"
    return _goal(7, "readers with a writer at 10k adds/s", checks, note)


def _words(run: Run) -> Goal:
    checks = [Check(f"p50 µs at {size:,}", _p50(run, words_case(size)), WORDS_LIMITS[size]) for size in SIZES]
    tantivy = _times_faster(run, words_case(10_000), "tantivy")
    checks.append(Check("× tantivy at 10k", tantivy, 3, at_most=False))
    user = _times_faster(run, user_case(), "tantivy")
    checks.append(Check("× tantivy for a user of 1k in many", user, 10, at_most=False))
    return _goal(
        8, "BM25 top-10 by size", checks, "Through Python, with the query's analysis; tantivy's is parsed before."
    )


def _hybrid(run: Run) -> Goal:
    checks = [
        Check("p50 µs", _p50(run, HYBRID_CASE), 75),
        Check("× qdrant-edge's hybrid", _times_faster(run, HYBRID_CASE, QDRANT), 8, at_most=False),
    ]
    return _goal(9, "hybrid in a 10k scope", checks)


def _tiny(run: Run) -> Goal:
    case = tiny_case(run.quick)
    return _goal(10, case, [Check("p50 µs of lookup and search", _p50(run, case), 3)], "Through Python.")


def _restart(run: Run) -> Goal:
    rows = run.facts.get("restart rows", 0)
    measured = run.facts.get("restart ms") if rows >= 1_000_000 else None
    note = "The core alone, in a new process, from opening the snapshot to the first hybrid answer."
    if measured is None:
        note += f" This run has {rows:,.0f} rows: {_shown(run.facts.get('restart ms'))} ms."
    return _goal(11, "restart, 1M rows, to the first answer", [Check("ms from cold files", measured, 200)], note)


def _threads(run: Run) -> Goal:
    checks = [
        Check(f"× at {size:,}", run.facts.get(f"threads ratio {OURS} {size}"), 1.8, at_most=False)
        for size in (1_000, READER_ROWS)
    ]
    control = ", ".join(_shown(run.facts.get(f"threads ratio {CONTROL} {size}")) for size in (1_000, READER_ROWS))
    note = f"Two Python threads of one process; work that shares nothing gains {control}× at the time"
    return _goal(12, "throughput of two threads", checks, note)


def _shown(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
