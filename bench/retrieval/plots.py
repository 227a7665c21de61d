"""Two pictures of a run: recall against latency, and latency against the size of the scope."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bench.harness import RESULTS, console
from bench.retrieval.measuring import OURS, Run
from bench.retrieval.scan import scope_case

FIGURE_INCHES = (8, 5)
# A flat line of a whole family would hide the others: one member of each stands for it.
SHOWN_BY_SIZE = (
    OURS,
    "hnswlib ef64",
    "usearch bf16 ef64",
    "faiss Flat",
    "faiss HNSW16 ef64",
    "turbovec 4 bit",
    "qdrant-edge",
)


def draw(run: Run, sizes: Sequence[int]) -> None:
    try:
        import matplotlib as drawing
        from matplotlib import pyplot
    except ImportError as error:
        console.print(f"no plots: {error}", style="dim")
        return
    drawing.use("agg")
    for size in sizes:
        _recall_against_latency(pyplot, run, size)
    _latency_against_size(pyplot, run, sizes)


def _recall_against_latency(pyplot, run: Run, size: int) -> None:  # noqa: ANN001 - a module that ships no types
    families: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for who, timing in run.results.get(scope_case(size), {}).items():
        if timing.recall is not None:
            families[who.split(" ef")[0]].append((timing.p50, timing.recall))
    figure, axes = pyplot.subplots(figsize=FIGURE_INCHES)
    for family, points in sorted(families.items()):
        axes.plot(*zip(*sorted(points), strict=True), marker="*" if family == OURS else "o", label=family)
    axes.set(xscale="log", xlabel="p50, µs", ylabel="recall@10", title=f"{size:,} real sentences, d = 384, one thread")
    _save(pyplot, figure, axes, f"retrieval-recall-{size}.png")


def _latency_against_size(pyplot, run: Run, sizes: Sequence[int]) -> None:  # noqa: ANN001 - as above
    figure, axes = pyplot.subplots(figsize=FIGURE_INCHES)
    for who in SHOWN_BY_SIZE:
        timings = [(size, run.timing(scope_case(size), who)) for size in sizes]
        points = [(size, timing.p50) for size, timing in timings if timing]
        if points:
            axes.plot(*zip(*points, strict=True), marker="*" if who == OURS else "o", label=who)
    axes.set(xscale="log", yscale="log", xlabel="memories in the scope", ylabel="p50, µs", title="top-10, one thread")
    _save(pyplot, figure, axes, "retrieval-latency.png")


def _save(pyplot, figure, axes, name: str) -> None:  # noqa: ANN001 - as above
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(RESULTS / name, dpi=120)
    pyplot.close(figure)
    console.print(f"drawn {RESULTS.name}/{name}", style="dim")
