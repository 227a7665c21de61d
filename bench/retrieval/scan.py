"""Goals 1 to 4: the nearest ten in one scope, by its size."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from bench.retrieval.bandwidth import cache_flush
from bench.retrieval.data import Data
from bench.retrieval.measuring import GRAPH, Contestant, Run
from bench.retrieval.ours import fill, searcher, user_scope
from bench.retrieval.peers import (
    FaissFlat,
    FaissHnsw,
    Hnswlib,
    Lancedb,
    Turbovec,
    Usearch,
    UsearchFloat,
    VectorPeer,
    raced,
)
from bench.retrieval.qdrant import NAME as QDRANT
from bench.retrieval.vectors import Dataset, Vectors, harder, unit, wider
from mnemic import _core
from mnemic.model.scope import Scope

SMALL_PEERS: tuple[type[VectorPeer], ...] = (
    Hnswlib, Usearch, UsearchFloat, FaissFlat, FaissHnsw, Turbovec, Lancedb,
)  # fmt: skip
LARGE_PEERS: tuple[type[VectorPeer], ...] = (Hnswlib, Usearch, FaissFlat, FaissHnsw, Turbovec)
OTHER_PEERS: tuple[type[VectorPeer], ...] = (Hnswlib, FaissFlat, Turbovec)
# Of our graph, beside the expansions of the peers' graphs.
GRAPH_WIDTHS = (64, 96, 128, 192, 256)
COLD = ("mnemic", "hnswlib ef64", "hnswlib ef128", "faiss Flat", "faiss HNSW16 ef128", "turbovec 4 bit", QDRANT)
OTHER_ROWS = 10_000


def scope_case(rows: int) -> str:
    return f"scope of {rows:,}"


def cold_case(rows: int) -> str:
    return f"scope of {rows:,}, cold"


def race_scans(run: Run, data: Data) -> None:
    for size in data.sizes:
        kinds = SMALL_PEERS if size <= OTHER_ROWS else LARGE_PEERS
        dataset = Dataset.of(data.vectors[:size], data.queries)
        contestants = _contestants(run, scope_case(size), dataset, kinds, data.texts)
        if data.shard and size in (1_000, 10_000):
            contestants.append(data.shard.nearest(data.queries, str(size)))
        if size == data.sizes[-1]:
            contestants[1:1] = _graph(run, dataset, data.texts)
        run.race(scope_case(size), contestants, len(data.queries), dataset=dataset)
        if size > 1_000:
            cold = [each for each in contestants if each.name in COLD]
            run.race(cold_case(size), cold, len(data.queries), flush=cache_flush())
    _race_other_vectors(run, data)


def _race_other_vectors(run: Run, data: Data) -> None:
    """Hard variants and d = 768, at the size where most scopes end."""
    hard_rows = harder(data.vectors, OTHER_ROWS, seed=3), unit(harder(data.queries, len(data.queries), seed=4))
    wide_rows = wider(data.vectors[:OTHER_ROWS], seed=5), wider(data.queries, seed=6)
    for name, (rows, queries) in {"hard": hard_rows, "d = 768": wide_rows}.items():
        case = f"{scope_case(OTHER_ROWS)}, {name}"
        dataset = Dataset.of(rows, queries)
        contestants = _contestants(run, case, dataset, OTHER_PEERS, data.texts)
        run.race(case, contestants, len(queries), dataset=dataset)


def _contestants(
    run: Run, case: str, dataset: Dataset, kinds: tuple[type[VectorPeer], ...], texts: list[str]
) -> list[Contestant]:
    index = filled(dataset.rows, texts)
    statistics = index.stats()
    note = f"{statistics.bytes / statistics.rows:,.0f} bytes a memory, text included"
    ours = replace(searcher(index, Scope(user_id="one"), queries=dataset.queries), note=note)
    return [ours, *raced(run, case, kinds, dataset.rows, dataset.queries)]


def _graph(run: Run, dataset: Dataset, texts: list[str]) -> list[Contestant]:
    """The same rows with a graph, searched with several widths."""
    index, key = filled(dataset.rows, texts), Scope(user_id="one").partition("default")
    index.set_graph_width(GRAPH_WIDTHS[0])
    begin = time.perf_counter()
    while index.upkeep(key):
        pass
    statistics = index.stats()
    rate = statistics.graph_rows / (time.perf_counter() - begin)
    run.facts["graph bytes"] = statistics.graph_bytes / statistics.graph_rows
    note = f"built at {rate:,.0f} rows/s by one thread"
    search = searcher(index, Scope(user_id="one"), queries=dataset.queries)
    return [
        replace(search, name=f"{GRAPH} ef{width}", prepare=partial(index.set_graph_width, width), note=note)
        for width in GRAPH_WIDTHS
    ]


def filled(rows: Vectors, texts: list[str]) -> _core.Index:
    """Our index with these rows as the one user `one`."""
    index = _core.Index(rows.shape[1])
    fill(index, range(len(rows)), texts, user_scope("one"), rows)
    # What upkeep does before it begins with a graph, which is not searched until it is complete.
    while index.upkeep(Scope(user_id="one").partition("default")) and not index.stats().graph_rows:
        pass
    return index
