"""Goal 11: from files to the first answer, and what the engine adds to a search of the core."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from bench.harness import console
from bench.retrieval.data import Data
from bench.retrieval.measuring import Contestant, Run
from bench.retrieval.words import question_words
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest, SignalWeights

CASE = "restart"
ENGINE_CASE = "through the engine, scope of {:,}"
BATCH = 500
TENANT = "default"
SCOPE = Scope(user_id="one")


def race_engine_and_restart(run: Run, data: Data) -> None:
    rows = 2_000 if run.quick else 10_000
    with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary:
        directory = Path(temporary)
        settings = load_settings(data_directory=directory)
        with Engine.open(settings) as engine:
            console.print(f"filling a store with {rows:,} memories …", style="dim")
            for start in range(0, rows, BATCH):
                numbers = range(start, start + BATCH)
                inputs = [MemoryInput(body=data.texts[i], vector=data.vectors[i].tobytes()) for i in numbers]
                engine.add(TENANT, SCOPE, inputs)
            run.race(ENGINE_CASE.format(rows), _engine_contestants(engine, data), len(data.queries))
        _forget(directory)
        begin = time.perf_counter()
        with Engine.open(settings) as engine:
            opened = time.perf_counter()
            engine.search(TENANT, SearchRequest(scope=SCOPE, vector=data.queries[0].tobytes()))
            first = time.perf_counter()
    opening, loading = (opened - begin) * 1e3, (first - opened) * 1e3
    run.facts |= {"restart ms": opening + loading, "restart rows": rows}
    run.note(
        CASE,
        "mnemic, from the store",
        f"{rows:,} rows: {opening:,.0f} ms to open (model included), {loading:,.0f} ms to the first answer",
    )


def _engine_contestants(engine: Engine, data: Data) -> list[Contestant]:
    vectors = [query.tobytes() for query in data.queries]
    texts = [question_words(question) for question in data.corpus.questions]
    alone = SignalWeights(lexical=0.0, entity=0.0, recency=0.0)
    words = SignalWeights(vector=0.0, entity=0.0, recency=0.0)

    def of(name: str, requests: list[SearchRequest]) -> Contestant:
        return Contestant(name, lambda i: engine.search(TENANT, requests[i]))

    return [
        of("vector", [SearchRequest(scope=SCOPE, vector=vector, weights=alone) for vector in vectors]),
        of("words", [SearchRequest(scope=SCOPE, query=text, weights=words) for text in texts]),
        of(
            "all signals",
            [
                SearchRequest(scope=SCOPE, query=text, vector=vector)
                for text, vector in zip(texts, vectors, strict=True)
            ],
        ),
    ]


def _forget(directory: Path) -> None:
    """Asks the system to drop these files, and no others, from its cache."""
    for path in directory.rglob("*"):
        if path.is_file() and hasattr(os, "posix_fadvise"):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
