"""The local embedding models: one short text on one thread, many texts, the time to load."""

from __future__ import annotations

import time

from bench.harness import Goal, Report, carried_texts, console, many_texts, measure
from mnemic.embedding.factory import open_provider
from mnemic.embedding.install import find_model, pull_model
from mnemic.embedding.settings import EmbeddingSettings

SHORT_TEXT = "what did she say about the trip to the mountains with her dog?"
SINGLE_REPEATS = 500
BATCH_TEXTS = 512
BATCH_REPEATS = 3
# What issue 2 says of one short text on one core, in milliseconds.
GOALS = {"minilm": 1.4, "static": 0.026}


def main() -> None:
    report = Report("embedding")
    texts = many_texts(BATCH_TEXTS, carried_texts())
    for name, goal in GOALS.items():
        console.print(f"{name} …", style="dim")
        measure_model(report, name, goal, texts)
    report.finish()


def measure_model(report: Report, name: str, goal: float, texts: list[str]) -> None:
    pull_model(name)
    begin = time.perf_counter()
    provider = open_provider(EmbeddingSettings(provider=name, threads=1, cache_entries=0))
    loading = time.perf_counter() - begin
    single = measure(lambda _: provider.embed([SHORT_TEXT]), repeats=SINGLE_REPEATS)
    batch = measure(lambda _: provider.embed(texts), repeats=BATCH_REPEATS, warmup=1)
    provider.close()
    median = single.median / 1e3
    report.row(
        model=name,
        p50_ms=median,
        p99_ms=single.p99 / 1e3,
        best_ms=single.best / 1e3,
        cpu_ms=single.cpu / 1e3,
        texts_per_s=BATCH_TEXTS / (batch.best / 1e6),
        load_ms=loading * 1e3,
        size_mb=sum(path.stat().st_size for path in find_model(name).directory.iterdir()) / 1e6,
    )
    report.goals.append(Goal(f"{name}, one short text, p50 in ms", median, f"≤ {goal}", median <= goal))


if __name__ == "__main__":
    main()
