"""What encryption at rest costs: adds and searches of two stores in turns, one of them encrypted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.harness import Goal, Report, carried_texts, many_texts, vectors_like
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest
from mnemic.store.sealing_masters import new_master_key

TENANT = "default"
SCOPE = Scope(user_id="u")
ROUNDS = 30
SEARCHES = 200


def compare(report: Report, directory: Path) -> None:
    """Reports both stores, and the ratios of rounds side by side."""
    keys = {"plain": {}, "encrypted": {"key": new_master_key()}}
    engines = {}
    for name, encryption in keys.items():
        settings = load_settings(
            data_directory=directory / name, embedding={"provider": "static"}, encryption=encryption
        )
        engines[name] = Engine.open(settings, pull_missing_model=True)
    try:
        for what, batch in (("add 1", 1), ("add 100 a call", 100)):
            ratio = _rounds(report, f"{what}, durable", engines, _adder(batch))
            goal = Goal(f"{what}: time with encryption to without", ratio, "<= 1.1x", ratio <= 1.1)
            report.goals.append(goal)
        vectors = vectors_like(64, engines["plain"].stats().dimension, seed=3)

        def search(engine: Engine) -> float:
            begin = time.perf_counter()
            for number in range(SEARCHES):
                engine.search(TENANT, SearchRequest(scope=SCOPE, vector=vectors[number % len(vectors)]))
            return (time.perf_counter() - begin) / SEARCHES

        ratio = _rounds(report, "search", engines, search)
        # Nothing is decrypted for a search; what differs is noise.
        report.goals.append(Goal("search: time with encryption to without", ratio, "<= 1.05x", ratio <= 1.05))
    finally:
        for engine in engines.values():
            engine.close()


def _adder(batch: int) -> Callable[[Engine], float]:
    calls = max(1, 100 // batch)
    texts = many_texts(ROUNDS * calls * batch, carried_texts())
    given: dict[int, int] = {}

    def add(engine: Engine) -> float:
        vectors = vectors_like(calls * batch, engine.stats().dimension)
        start = given.get(id(engine), 0)
        given[id(engine)] = start + calls * batch
        inputs = [MemoryInput(body=texts[(start + i) % len(texts)], vector=vectors[i]) for i in range(calls * batch)]
        begin = time.perf_counter()
        for first in range(0, len(inputs), batch):
            engine.add(TENANT, SCOPE, inputs[first : first + batch])
        return (time.perf_counter() - begin) / len(inputs)

    return add


def _rounds(report: Report, what: str, engines: dict[str, Engine], timed: Callable[[Engine], float]) -> float:
    """Each round runs one after the other, in turns first; the median of the rounds' ratios."""
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(ROUNDS + 1):
        order = list(engines) if number % 2 else list(engines)[::-1]
        for name in order:
            took = timed(engines[name])
            if number:
                seconds[name].append(took)
    for name, times in seconds.items():
        report.row(what=f"{what}, {name}", p50_us=1e6 * statistics.median(times))
    return statistics.median(
        encrypted / plain for plain, encrypted in zip(seconds["plain"], seconds["encrypted"], strict=True)
    )
