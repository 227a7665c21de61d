"""Goal 11: from cold files to the first answer in a new process, and what the engine adds to a search of the core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import console
from bench.retrieval.data import Data
from bench.retrieval.measuring import Contestant, Run
from bench.retrieval.ours import HYBRID, LOAD_ROWS, id_of, memory, rows_of, searcher
from bench.retrieval.sentences import crossed
from bench.retrieval.vectors import harder
from bench.retrieval.words import question_words
from mnemic import _core
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest, SignalWeights

CASE = "restart"
ENGINE_CASE = "through the engine, scope of {:,}"
MODEL = "bench:1"
BATCH = 500
QUERIES = 8
COLD_STARTS = 3
TENANT = "default"
SCOPE = Scope(user_id="one")


def race_engine_and_restart(run: Run, data: Data) -> None:
    with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary:
        directory = Path(temporary)
        queries = _save_queries(directory, data)
        _restart_snapshot(run, data, directory, queries)
        for rows in (2_000, 10_000) if run.quick else (10_000, 100_000):
            _restart_engine(run, data, directory / str(rows), queries, rows)


def _save_queries(directory: Path, data: Data) -> Path:
    path = directory / "queries.npy"
    np.save(path, data.queries[:QUERIES])
    texts = [question_words(question) for question in data.corpus.questions[:QUERIES]]
    path.with_suffix(".json").write_text(json.dumps(texts))
    return path


def _restart_snapshot(run: Run, data: Data, directory: Path, queries: Path) -> None:
    """The core alone, with perturbed vectors and crossed texts."""
    rows = 100_000 if run.quick else 1_000_000
    console.print(f"filling one partition with {rows:,} rows …", style="dim")
    begin = time.perf_counter()
    index = _core.Index(data.vectors.shape[1])
    key = SCOPE.partition(TENANT)
    texts = crossed(data.texts, rows)
    for start in range(0, rows, LOAD_ROWS):
        numbers = range(start, min(start + LOAD_ROWS, rows))
        vectors = harder(data.vectors, len(numbers), seed=start)
        rows_here = zip(numbers, vectors, strict=True)
        index.apply(key, [(memory(i, SCOPE, texts[i]), vector.tobytes()) for i, vector in rows_here], [])
    filled = time.perf_counter()
    words = json.loads(queries.with_suffix(".json").read_text())
    expected = rows_of(searcher(index, SCOPE, queries=np.load(queries), texts=words, weights=HYBRID).call(0))
    path = directory / "snapshot"
    frozen = index.freeze(key)
    assert frozen is not None
    frozen.write(str(path), revision=1, model=MODEL)
    written = time.perf_counter()
    del index, frozen
    size = path.stat().st_size
    starts = []
    for _ in range(COLD_STARTS):
        _forget(directory)
        starts.append(_new_process("snapshot", path, queries))
        assert starts[-1]["ids"] == [id_of(row) for row in expected]
    best = min(starts, key=lambda start: start["open"] + start["first"])
    run.facts |= {"restart ms": best["open"] + best["first"], "restart rows": rows}
    console.print(f"filled in {filled - begin:.0f} s, written in {written - filled:.0f} s", style="dim")
    shown = ", ".join(f"{start['open']:.1f} + {start['first']:.0f}" for start in starts)
    run.note(
        CASE,
        "mnemic, from a snapshot",
        f"{rows:,} rows, a file of {size / 1e6:,.0f} MB, cold: {shown} ms to open and to the first answer "
        f"({best['faults']:,} reads of {best['read']:,.0f} MB); "
        f"{best['next']:.1f} ms for each of the next; {best['verify']:,.0f} ms to verify all of it; "
        f"written in {written - filled:.1f} s ({size / 1e6 / (written - filled):,.0f} MB/s)",
    )


def _restart_engine(run: Run, data: Data, directory: Path, queries: Path, rows: int) -> None:
    settings = load_settings(data_directory=directory)
    with Engine.open(settings) as engine:
        console.print(f"filling a store with {rows:,} memories …", style="dim")
        for start in range(0, rows, BATCH):
            numbers = [i % len(data.vectors) for i in range(start, start + BATCH)]
            inputs = [MemoryInput(body=data.texts[i], vector=data.vectors[i].tobytes()) for i in numbers]
            engine.add(TENANT, SCOPE, inputs)
        if rows <= 10_000:
            run.race(ENGINE_CASE.format(rows), _engine_contestants(engine, data), len(data.queries))
        engine.search(TENANT, SearchRequest(scope=SCOPE, vector=data.queries[0].tobytes()))
    starts = []
    for _ in range(COLD_STARTS):
        _forget(directory)
        starts.append(_new_process("engine", directory, queries))
        assert starts[-1]["from_snapshot"] == 1
    _forget(directory)
    plain = _new_process("engine", directory, queries, "--snapshot-bytes", "0")
    assert all(set(start["ids"]) == set(plain["ids"]) for start in starts)
    mapped = min(starts, key=lambda start: start["first"])
    run.note(
        CASE,
        "mnemic, through the engine",
        f"{rows:,} rows, cold: {mapped['first']:,.0f} ms to the first answer from the snapshot, "
        f"{plain['first']:,.0f} ms from the store; before it {mapped['open']:,.0f} ms to open (model included)",
    )


def _new_process(what: str, path: Path, queries: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.retrieval.restart_process", what, str(path), str(queries), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


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
