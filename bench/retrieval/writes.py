"""Goal 6: a memory added and visible at once, and recall when memories come and go."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bench.harness import console
from bench.retrieval.data import Data
from bench.retrieval.measuring import BATCH, GRAPH, OURS, ROUNDS, WARMUP, Contestant, Run
from bench.retrieval.ours import fill, id_of, memory, rows_for, searcher, user_scope
from bench.retrieval.peers import THREADS, Hnswlib, Lancedb, Turbovec, Usearch, VectorPeer
from bench.retrieval.qdrant import NAME as QDRANT
from bench.retrieval.qdrant import QdrantShard
from bench.retrieval.vectors import Dataset, Vectors, exact_nearest
from bench.retrieval.word_peers import TantivyIndex
from mnemic import _core

ADD_CASE = "add one to 10,000, visible at once"
TURNOVER_CASE = "200 % turnover"
BASE = 10_000
CALLS = ROUNDS * (BATCH + WARMUP)
SHARE_OF_ROUND = 0.25
ROUNDS_OF_TURNOVER = 8
TURNOVER_WIDTH = 64
GRAPH_TURNOVER = f"{GRAPH} ef{TURNOVER_WIDTH}"
SCOPE = user_scope("one")


def race_adds(run: Run, data: Data) -> None:
    numbers, vectors = range(BASE), data.vectors[:BASE]
    fresh = data.vectors[BASE : BASE + CALLS]
    index = _core.Index(vectors.shape[1])
    fill(index, numbers, data.texts, SCOPE, vectors)
    rows = rows_for(range(BASE, BASE + CALLS), data.texts, SCOPE, data.vectors)
    key = SCOPE(0).partition("default")
    contestants = [_adder(OURS, lambda i: index.apply(key, [rows[i]], []))]
    for kind in (Hnswlib, Usearch, Turbovec, Lancedb):
        try:
            peer = kind(vectors.shape[1], BASE + CALLS)
        except ImportError as error:
            run.note(ADD_CASE, kind.name, f"skipped: {error}")
            continue
        peer.add(numbers, vectors, threads=THREADS)
        contestants.append(_adder(kind.name, lambda i, peer=peer: peer.add([BASE + i], fresh[i : i + 1])))
    contestants += _other_adders(run, data)
    run.race(ADD_CASE, contestants, CALLS)
    missed = _never_found(index, data)
    run.facts["adds not found"] = missed
    run.note(ADD_CASE, OURS, f"200 further adds, each searched for at once: {missed} not found")


def _adder(name: str, add: Callable[[int], object]) -> Contestant:
    """A write is never the same twice: it counts for itself."""
    counter: Iterator[int] = itertools.count()
    return Contestant(name, lambda _: add(next(counter)))


def _other_adders(run: Run, data: Data) -> list[Contestant]:
    contestants = []
    try:
        shard = QdrantShard(data.vectors.shape[1], words=True)
        users = ["one"] * (BASE + CALLS)
        shard.add(range(BASE), users, data.vectors, data.texts)
        contestants.append(_adder(QDRANT, lambda i: shard.add([BASE + i], users, data.vectors, data.texts)))
    except ImportError as error:
        run.note(ADD_CASE, QDRANT, f"skipped: {error}")
    try:
        words = TantivyIndex()
        words.add(data.texts[:BASE], ["one"] * BASE)
        contestants.append(_adder("tantivy, words alone", lambda i: words.add([data.texts[BASE + i]], ["one"])))
    except ImportError as error:
        run.note(ADD_CASE, "tantivy", f"skipped: {error}")
    return contestants


def _never_found(index: _core.Index, data: Data) -> int:
    """Adds rows one by one and asks for each by its own vector; how many did not come first."""
    chance = np.random.default_rng(19)
    vectors = chance.standard_normal((200, data.vectors.shape[1])).astype(np.float32)
    search = searcher(index, SCOPE(0), queries=vectors)
    missed = 0
    for i, vector in enumerate(vectors):
        number = 10_000_000 + i
        index.apply(SCOPE(0).partition("default"), [(memory(number, SCOPE(0), "new"), vector.tobytes())], [])
        missed += search.rows_of(search.call(i))[0] != number if search.rows_of else 0
    return missed


class Turnover:
    """Live rows under their numbers; each round takes out a quarter and puts in as many new."""

    def __init__(self, vectors: Vectors, live: int) -> None:
        self.vectors = vectors
        self.live = list(range(live))
        self.next = live
        self.chance = random.Random(23)

    def step(self) -> tuple[list[int], list[int]]:
        count = int(len(self.live) * SHARE_OF_ROUND)
        out = self.chance.sample(self.live, count)
        gone = set(out)
        new = list(range(self.next, self.next + count))
        self.next += count
        self.live = [number for number in self.live if number not in gone] + new
        return out, new

    def dataset(self, queries: Vectors) -> Dataset:
        numbers = np.array(self.live)
        rows = self.vectors[numbers]
        return Dataset(rows, queries, numbers[exact_nearest(rows, queries)])


def race_turnover(run: Run, data: Data) -> None:
    live = 2_000 if run.quick else 5_000
    turnover = Turnover(data.vectors, live)
    first = turnover.dataset(data.queries)
    steps = [turnover.step() for _ in range(ROUNDS_OF_TURNOVER)]
    last = turnover.dataset(data.queries)
    index, graph = (_core.Index(data.vectors.shape[1]) for _ in range(2))
    graph.set_graph_width(TURNOVER_WIDTH)
    for each in (index, graph):
        fill(each, range(live), data.texts, SCOPE, data.vectors)
        _keep_up(each)
    contestants = [
        searcher(index, SCOPE(0), queries=data.queries),
        searcher(graph, SCOPE(0), queries=data.queries, name=GRAPH_TURNOVER),
    ]
    changes: dict[str, Callable[[Sequence[int], Sequence[int]], None]] = {}
    for kind in (Hnswlib, Usearch, Turbovec):
        peer = _peer(run, kind, data.vectors, live)
        if peer:
            contestants += [each for each in peer.contestants(data.queries) if each.name.endswith(("ef64", "bit"))]
            changes[kind.name] = _change_of(peer, data.vectors)
    run.race(f"{TURNOVER_CASE}, before", contestants, len(data.queries), dataset=first)
    console.print("turning over …", style="dim")
    seconds = {OURS: _ours_turns(index, steps, data), GRAPH_TURNOVER: _ours_turns(graph, steps, data)}
    for name, change in changes.items():
        begin = time.perf_counter()
        for out, new in steps:
            change(out, new)
        seconds[name] = time.perf_counter() - begin
    run.race(f"{TURNOVER_CASE}, after", contestants, len(data.queries), dataset=last)
    for name, taken in seconds.items():
        replaced = len(steps) * len(steps[0][0])
        run.note(f"{TURNOVER_CASE}, after", name, f"{taken / replaced * 1e6:,.1f} µs to replace one of {live:,}")


def _peer(run: Run, kind: type[VectorPeer], vectors: Vectors, live: int) -> VectorPeer | None:
    try:
        peer = (
            Hnswlib(vectors.shape[1], live, replace_deleted=True) if kind is Hnswlib else kind(vectors.shape[1], live)
        )
    except ImportError as error:
        run.note(f"{TURNOVER_CASE}, before", kind.name, f"skipped: {error}")
        return None
    peer.add(range(live), vectors[:live], threads=THREADS)
    return peer


def _change_of(peer: VectorPeer, vectors: Vectors) -> Callable[[Sequence[int], Sequence[int]], None]:
    def change(out: Sequence[int], new: Sequence[int]) -> None:
        for number in out:
            peer.remove(number)
        peer.add(new, vectors[new[0] : new[-1] + 1])

    return change


def _ours_turns(index: _core.Index, steps: Sequence[tuple[list[int], list[int]]], data: Data) -> float:
    """One memory out and one in with each call, as an update has it, and upkeep after each round; the rows are made
    beforehand."""
    key = SCOPE(0).partition("default")
    prepared = [
        ([_core.Close(id_of(number), 1, None) for number in out], rows_for(new, data.texts, SCOPE, data.vectors))
        for out, new in steps
    ]
    begin = time.perf_counter()
    for closes, rows in prepared:
        for close, row in zip(closes, rows, strict=True):
            index.apply(key, [row], [close])
        _keep_up(index)
    return time.perf_counter() - begin


def _keep_up(index: _core.Index) -> None:
    while index.upkeep(SCOPE(0).partition("default")):
        pass
