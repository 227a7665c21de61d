"""A new process that opens a snapshot, or a data directory, and answers: `python -m bench.retrieval.restart_process`.

Prints one line of JSON with milliseconds: what was imported before is not in them, all that is opened is.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np

from bench.retrieval.ours import HYBRID, id_of, rows_of, searcher
from bench.retrieval.restart import MODEL, SCOPE, TENANT
from bench.retrieval.vectors import Vectors
from mnemic import _core
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.search import SearchRequest


def open_snapshot(path: Path, queries: Vectors, texts: list[str]) -> dict[str, object]:
    """The core alone: map the file, answer, answer again, and read all of it for its checksums."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    begin = time.perf_counter()
    index = _core.Index(queries.shape[1])
    key = SCOPE.partition(TENANT)
    index.open(key, str(path), model=MODEL)
    opened = time.perf_counter()
    ask = searcher(index, SCOPE, queries=queries, texts=texts, weights=HYBRID)
    rows = rows_of(ask.call(0))
    first = time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_SELF)
    for number in range(1, len(texts)):
        ask.call(number)
    others = time.perf_counter()
    index.verify(key)
    verified = time.perf_counter()
    return {
        "open": (opened - begin) * 1e3,
        "first": (first - opened) * 1e3,
        "next": (others - first) * 1e3 / (len(texts) - 1),
        "verify": (verified - others) * 1e3,
        "faults": used.ru_majflt - before.ru_majflt,
        "read": (used.ru_inblock - before.ru_inblock) * 512 / 1e6,
        "ids": [id_of(row) for row in rows],
    }


def open_engine(directory: Path, queries: Vectors, texts: list[str], snapshot_bytes: int | None) -> dict[str, object]:
    """The engine: store, model, and the partition from its snapshot or from the store."""
    settings = load_settings(data_directory=directory, limits={"snapshot_bytes": snapshot_bytes})
    begin = time.perf_counter()
    with Engine.open(settings) as engine:
        opened = time.perf_counter()
        result = engine.search(TENANT, SearchRequest(scope=SCOPE, query=texts[0], vector=queries[0].tobytes()))
        first = time.perf_counter()
        held = engine.stats().index
    return {
        "open": (opened - begin) * 1e3,
        "first": (first - opened) * 1e3,
        "from_snapshot": held.snapshots_opened,
        "ids": [hit.memory_id for hit in result.hits],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["snapshot", "engine"])
    parser.add_argument("path", type=Path)
    parser.add_argument("queries", type=Path, help="a .npy of query vectors, beside it a .json of their texts")
    parser.add_argument("--snapshot-bytes", type=int)
    arguments = parser.parse_args()
    queries = np.load(arguments.queries)
    texts = json.loads(arguments.queries.with_suffix(".json").read_text())
    if arguments.what == "snapshot":
        found = open_snapshot(arguments.path, queries, texts)
    else:
        found = open_engine(arguments.path, queries, texts, arguments.snapshot_bytes)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
