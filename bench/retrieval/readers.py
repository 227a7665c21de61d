"""Goals 7 and 12: a reader beside a writer, and two readers."""

from __future__ import annotations

import hashlib
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.harness import console
from bench.retrieval.data import Data
from bench.retrieval.measuring import OURS, Contestant, Run
from bench.retrieval.ours import rows_for, searcher, user_scope
from bench.retrieval.peers import THREADS, FaissFlat, Hnswlib, Usearch
from bench.retrieval.qdrant import NAME as QDRANT
from bench.retrieval.qdrant import QdrantShard
from bench.retrieval.scan import filled
from mnemic.model.scope import Scope

WRITER_CASE = "a reader beside a writer, scope of 10,000"
THREADS_CASE = "two threads"
CONTROL = "control: SHA-256 of 64 KB"
CONTROL_BYTES = 64 << 10
ROWS = 10_000
RATE = 10_000
STEP_SECONDS = 0.001
WINDOW_SECONDS = 0.25
WINDOWS = 6
MOST_ADDS = int(RATE * WINDOW_SECONDS) * WINDOWS + ROWS
SCOPE = user_scope("one")


@dataclass
class Writer:
    """Adds at a rate while a window lasts; `add(i, n)` writes the rows i to i + n."""

    add: Callable[[int, int], object]
    done: int = 0
    seconds: float = 0.0
    errors: list[Exception] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        begin, base = time.perf_counter(), self.done
        while not stop.is_set():
            due = base + int((time.perf_counter() - begin) * RATE) - self.done
            if due > 0 and self.done + due < MOST_ADDS:
                self._write(min(due, 2 * int(RATE * STEP_SECONDS)))
            else:
                time.sleep(STEP_SECONDS / 2)
        self.seconds += time.perf_counter() - begin

    def _write(self, count: int) -> None:
        try:
            self.add(self.done, count)
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is a figure of the race
            self.errors.append(error)
        self.done += count


def race_writer(run: Run, data: Data) -> None:
    """Windows without and with the writer by turns; each with one is held against the mean of its neighbours, since
    the scope grows under it."""
    for name, (reader, writer) in _pairs(run, data).items():
        console.print(f"{WRITER_CASE}: {name} …", style="dim")
        idle, busy, errors = [_window(reader, data)[0]], [], 0
        for _ in range(WINDOWS // 2):
            stop = threading.Event()
            thread = threading.Thread(target=writer.run, args=(stop,))
            thread.start()
            median, failed = _window(reader, data)
            stop.set()
            thread.join()
            busy.append(median)
            errors += failed
            idle.append(_window(reader, data)[0])
        ratios = [2 * mine / (idle[i] + idle[i + 1]) for i, mine in enumerate(busy)]
        ratio, rate = statistics.median(ratios), writer.done / writer.seconds
        errors += len(writer.errors)
        run.facts |= {f"writer ratio {name}": ratio, f"writer errors {name}": errors, f"writer rate {name}": rate}
        note = (
            f"p50 {statistics.median(idle):,.0f} µs idle, {statistics.median(busy):,.0f} µs beside {rate:,.0f} adds/s: "
            f"{ratio:.2f}×, {errors} errors"
        )
        run.note(WRITER_CASE, name, note)


def _window(reader: Contestant, data: Data) -> tuple[float, int]:
    """The median of the searches of one window in microseconds, and how many of them failed."""
    times, errors, i = [], 0, 0
    end = time.perf_counter() + WINDOW_SECONDS
    while (begin := time.perf_counter()) < end:
        try:
            reader.call(i % len(data.queries))
        except Exception:  # noqa: BLE001 - whatever a peer raises is a figure of the race
            errors += 1
        times.append(time.perf_counter() - begin)
        i += 1
    return statistics.median(times) * 1e6, errors


def _pairs(run: Run, data: Data) -> dict[str, tuple[Contestant, Writer]]:
    key, dimension = SCOPE(0).partition("default"), data.vectors.shape[1]
    numbers = [i % len(data.vectors) for i in range(ROWS, ROWS + MOST_ADDS)]
    vectors = data.vectors[numbers]
    texts = [data.texts[i % len(data.texts)] for i in range(ROWS + MOST_ADDS)]
    fresh = [
        (row, vector.tobytes())
        for (row, _), vector in zip(rows_for(range(ROWS, ROWS + MOST_ADDS), texts, SCOPE), vectors, strict=True)
    ]
    same, other = filled(data.vectors[:ROWS], texts), filled(data.vectors[:ROWS], texts)
    other_scope = user_scope("other")
    beside = [
        (row, vector.tobytes())
        for (row, _), vector in zip(rows_for(range(MOST_ADDS), texts, other_scope), vectors, strict=True)
    ]
    other_key = other_scope(0).partition("default")
    pairs = {
        OURS: (
            searcher(same, SCOPE(0), queries=data.queries),
            Writer(lambda i, n: same.apply(key, fresh[i : i + n], [])),
        ),
        f"{OURS}, writer in another scope": (
            searcher(other, SCOPE(0), queries=data.queries),
            Writer(lambda i, n: other.apply(other_key, beside[i : i + n], [])),
        ),
    }
    for kind in (Hnswlib, Usearch):
        try:
            peer = kind(dimension, ROWS + MOST_ADDS)
        except ImportError as error:
            run.note(WRITER_CASE, kind.name, f"skipped: {error}")
            continue
        peer.add(range(ROWS), data.vectors[:ROWS], threads=THREADS)
        reader = next(each for each in peer.contestants(data.queries) if each.name.endswith("ef64"))
        if reader.prepare:
            reader.prepare()
        # They take milliseconds for one: one at a time, as fast as it goes.
        add = lambda i, n, peer=peer: peer.add(range(ROWS + i, ROWS + i + n), vectors[i : i + n])  # noqa: E731
        pairs[reader.name] = (reader, Writer(add))
    try:
        shard = QdrantShard(dimension, words=False)
    except ImportError as error:
        run.note(WRITER_CASE, QDRANT, f"skipped: {error}")
        return pairs
    users, all_vectors = ["one"] * (ROWS + MOST_ADDS), data.vectors[[*range(ROWS), *numbers]]
    shard.add(range(ROWS), users, all_vectors)
    write = Writer(lambda i, n: shard.add(range(ROWS + i, ROWS + i + n), users, all_vectors))
    pairs[QDRANT] = (shard.nearest(data.queries, "one"), write)
    return pairs


def race_threads(run: Run, data: Data) -> None:
    """Searches a second with one thread and with two, window by window."""
    for size in (1_000, ROWS):
        index = filled(data.vectors[:size], data.texts)
        contestants = [searcher(index, Scope(user_id="one"), queries=data.queries), _control()]
        for kind in (Hnswlib, FaissFlat):
            try:
                peer = kind(data.vectors.shape[1], size)
            except ImportError as error:
                run.note(THREADS_CASE, kind.name, f"skipped: {error}")
                continue
            peer.add(range(size), data.vectors[:size], threads=THREADS)
            contestants += [each for each in peer.contestants(data.queries) if each.name.endswith(("ef64", "Flat"))]
        for each in contestants:
            if each.prepare:
                each.prepare()
            pairs = [(_throughput(each, 1, data), _throughput(each, 2, data)) for _ in range(WINDOWS)]
            one, two = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(two / one for one, two in pairs)
            run.facts[f"threads ratio {each.name} {size}"] = ratio
            note = f"{one:,.0f} searches/s with one, {two:,.0f} with two: {ratio:.2f}×"
            run.note(f"{THREADS_CASE}, scope of {size:,}", each.name, note)


def _control() -> Contestant:
    """Work in registers that lets go of the interpreter: what two threads can gain on this machine at this time."""
    block = bytes(CONTROL_BYTES)
    return Contestant(CONTROL, lambda _: hashlib.sha256(block).digest())


def _throughput(contestant: Contestant, threads: int, data: Data) -> float:
    counts = [0] * threads
    ready = threading.Barrier(threads + 1)

    def work(place: int) -> None:
        ready.wait()
        end, i = time.perf_counter() + WINDOW_SECONDS, place
        while time.perf_counter() < end:
            contestant.call(i % len(data.queries))
            i += 1
        counts[place] = i - place

    workers = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    for worker in workers:
        worker.join()
    return sum(counts) / WINDOW_SECONDS
