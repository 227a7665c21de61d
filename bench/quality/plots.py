"""Three pictures of a run: recall by the number of hits, by type of question, and what each signal adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.harness import RESULTS, console
from bench.quality.metrics import CUTS
from bench.quality.modes import DEFAULT
from bench.quality.running import ALL, Summary

FIGURE_INCHES = (8, 5)


def draw(summaries: Sequence[Summary]) -> list[str]:
    """Draws what there is for each corpus; the names of the files."""
    try:
        import matplotlib as drawing
        from matplotlib import pyplot
    except ImportError as error:
        console.print(f"no plots: {error}", style="dim")
        return []
    drawing.use("agg")
    names = []
    for corpus in dict.fromkeys(summary.corpus for summary in summaries):
        of_corpus = [summary for summary in summaries if summary.corpus == corpus]
        for draw_one in (_by_cut, _by_kind, _by_signal):
            figure, axes = pyplot.subplots(figsize=FIGURE_INCHES)
            kind = draw_one(axes, corpus, of_corpus)
            names.append(f"quality-{corpus.lower()}-{kind}.png")
            figure.tight_layout()
            figure.savefig(RESULTS / names[-1], dpi=120)
            pyplot.close(figure)
    return names


def _label(summary: Summary) -> str:
    return f"{summary.mode}, {summary.model}"


def _by_cut(axes: Any, corpus: str, summaries: Sequence[Summary]) -> str:
    for summary in summaries:
        if summary.kind == ALL and summary.group != "ablation":
            points = [summary.means[f"recall@{cut}"] for cut in CUTS]
            ours = summary.group == "profile"
            axes.plot(CUTS, points, marker="*" if ours else "o", linestyle="-" if ours else "--", label=_label(summary))
    axes.set(xscale="log", xlabel="hits", ylabel="share of the evidence", title=f"{corpus}: recall", xticks=CUTS)
    axes.set_xticklabels([str(cut) for cut in CUTS])
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    return "recall"


def _by_kind(axes: Any, corpus: str, summaries: Sequence[Summary]) -> str:
    shown = [s for s in summaries if s.group != "ablation" and s.model == summaries[0].model]
    modes = list(dict.fromkeys(summary.mode for summary in shown))
    kinds = [summary.kind for summary in shown if summary.mode == modes[0]]
    width = 0.8 / len(modes)
    for place, mode in enumerate(modes):
        means = {summary.kind: summary.means["recall@10"] for summary in shown if summary.mode == mode}
        axes.bar([i + place * width for i in range(len(kinds))], [means[kind] for kind in kinds], width, label=mode)
    axes.set(ylabel="recall@10", title=f"{corpus}: recall@10 by type of question", ylim=(0, 1.15))
    axes.set_xticks([i + 0.4 - width / 2 for i in range(len(kinds))], kinds, rotation=20, ha="right", fontsize="small")
    axes.grid(visible=True, axis="y", alpha=0.3)
    axes.legend(fontsize="x-small", loc="upper center", ncols=5)
    return "types"


def _by_signal(axes: Any, corpus: str, summaries: Sequence[Summary]) -> str:
    shown = [s for s in summaries if s.kind == ALL and s.model == summaries[0].model]
    whole = next(summary for summary in shown if summary.mode == DEFAULT.name)
    less = [summary for summary in shown if summary.group == "ablation"]
    metrics = ("recall@10", "ndcg@10", "mrr")
    width = 0.8 / len(metrics)
    for place, metric in enumerate(metrics):
        losses = [whole.means[metric] - summary.means[metric] for summary in less]
        axes.barh([i + place * width for i in range(len(less))], losses, width, label=metric)
    axes.set(xlabel="lost without it", title=f"{corpus}: what each signal adds to {DEFAULT.name}")
    axes.set_yticks([i + width for i in range(len(less))], [summary.mode.rsplit(" ", 1)[1] for summary in less])
    axes.grid(visible=True, axis="x", alpha=0.3)
    axes.legend(fontsize="small")
    return "signals"
