"""The retrieval core beside its peers, in one process and one run; every contestant searches with one thread.

Needs the dependency group `bench-peers` for the peers (`make bench-retrieval` installs it); one that is missing is
skipped with the reason. The sentences and their vectors are kept in `bench/results/cache` between runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from bench.harness import RESULTS, Report, console
from bench.retrieval.bandwidth import measure_bandwidth
from bench.retrieval.data import Data, prepare
from bench.retrieval.goals import goals_of
from bench.retrieval.measuring import Run
from bench.retrieval.plots import draw
from bench.retrieval.readers import race_threads, race_writer
from bench.retrieval.restart import race_engine_and_restart
from bench.retrieval.scan import race_scans
from bench.retrieval.scopes import race_shares, race_tiny_scopes
from bench.retrieval.words import race_hybrid, race_words
from bench.retrieval.writes import race_adds, race_turnover

SECTIONS: tuple[Callable[[Run, Data], None], ...] = (
    race_scans,
    race_shares,
    race_adds,
    race_turnover,
    race_writer,
    race_words,
    race_hybrid,
    race_tiny_scopes,
    race_engine_and_restart,
    race_threads,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "locomo", type=Path, nargs="?", help="locomo10.json or a part of it, for its turns and questions"
    )
    parser.add_argument("--quick", action="store_true", help="scopes of 1k and 10k only, smaller crowds")
    arguments = parser.parse_args()
    begin = time.perf_counter()
    run = Run(Report("retrieval"), quick=arguments.quick)
    bandwidth = measure_bandwidth()
    levels = ", ".join(f"{level} {rate:.0f} GB/s" for level, rate in bandwidth.by_level.items())
    run.note("memory bandwidth", "one thread", levels)
    data = prepare(run, arguments.locomo)
    for section in SECTIONS:
        started = time.perf_counter()
        section(run, data)
        console.print(f"{section.__name__}: {time.perf_counter() - started:.0f} s", style="dim")
    run.report.goals = goals_of(run, bandwidth, data.sizes)
    RESULTS.mkdir(parents=True, exist_ok=True)
    draw(run, data.sizes)
    run.report.finish()
    console.print(f"{time.perf_counter() - begin:.0f} s in all", style="dim")


if __name__ == "__main__":
    main()
