"""What somebody else's calls take while work goes on: probes at fixed arrivals, once idle and once beside the work."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from bench.harness import carried_texts, many_texts
from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import memory_service_pb2_grpc as service
from mnemic.v1 import resources_pb2

SEARCHES_PER_SECOND = 100
ADDS_PER_SECOND = 20
_LEAST_IDLE_SECONDS = 10.0
_WARM_UPS = 20


@dataclass(frozen=True)
class Latencies:
    """Milliseconds: the p99 of one kind of calls before the work and beside it."""

    idle_p99_ms: float
    busy_p99_ms: float

    @property
    def ratio(self) -> float:
        """Busy to idle."""
        return self.busy_p99_ms / self.idle_p99_ms


@dataclass(frozen=True)
class Beside:
    """How long the work took (the median if there was some in turn), and what others' calls took beside it."""

    seconds: float
    searches: Latencies
    adds: Latencies


class Probe:
    """Calls at a fixed arrival; each latency counts from the arrival that was due.

    Args:
        per_second: How many arrive.
        call: Makes the call of a number.
    """

    def __init__(self, per_second: int, call: Callable[[int], object]) -> None:
        self._per_second = per_second
        self._call = call
        self._number = 0

    def run(self, done: threading.Event) -> list[float]:
        """Calls until it is done; milliseconds."""
        latencies = []
        for _ in range(_WARM_UPS):
            self._next()
        begin = time.perf_counter()
        while not done.is_set():
            due = begin + len(latencies) / self._per_second
            time.sleep(max(0.0, due - time.perf_counter()))
            self._next()
            latencies.append(1e3 * (time.perf_counter() - due))
        return latencies

    def _next(self) -> None:
        self._call(self._number)
        self._number += 1


def beside(
    address: str,
    user: str,
    vectors: list[bytes],
    *works: Callable[[], object],
    prepare: Callable[[], object] = lambda: None,
) -> Beside:
    """Does the works in turn while another user searches and a third one adds. Work of a second has few calls beside
    it, of which the p99 would be the slowest one: so several are taken together.

    Args:
        address: Of the server.
        user: Who searches.
        vectors: What for.
        works: What is done.
        prepare: Done before each but the first, with no calls beside it.
    """
    with grpc.insecure_channel(address) as searching, grpc.insecure_channel(address) as adding:
        probes = (
            Probe(SEARCHES_PER_SECOND, _searches(searching, user, vectors)),
            Probe(ADDS_PER_SECOND, _adds(adding)),
        )
        idle = _together(probes, lambda: time.sleep(_LEAST_IDLE_SECONDS))
        seconds: list[float] = []
        busy: list[list[float]] = [[] for _ in probes]
        for number, work in enumerate(works):
            if number:
                prepare()

            def timed(work: Callable[[], object] = work) -> None:
                begin = time.perf_counter()
                work()
                seconds.append(time.perf_counter() - begin)

            for found, more in zip(busy, _together(probes, timed), strict=True):
                found.extend(more)
    searches, adds = (Latencies(_p99(before), _p99(meanwhile)) for before, meanwhile in zip(idle, busy, strict=True))
    return Beside(statistics.median(seconds), searches, adds)


def _together(probes: tuple[Probe, ...], work: Callable[[], object]) -> list[list[float]]:
    done = threading.Event()
    latencies: list[list[float]] = [[] for _ in probes]
    threads = [
        threading.Thread(target=lambda probe=probe, found=found: found.extend(probe.run(done)))
        for probe, found in zip(probes, latencies, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return latencies


def _searches(channel: grpc.Channel, user: str, vectors: list[bytes]) -> Callable[[int], object]:
    search = service.MemoryServiceStub(channel).SearchMemories
    scope = resources_pb2.Scope(user_id=user)
    requests = [messages.SearchMemoriesRequest(scope=scope, vector=vector) for vector in vectors]
    return lambda number: search(requests[number % len(requests)], timeout=60)


def _adds(channel: grpc.Channel) -> Callable[[int], object]:
    add = service.MemoryServiceStub(channel).AddMemories
    scope = resources_pb2.Scope(user_id="who adds")
    texts = many_texts(1000, carried_texts())
    return lambda number: add(messages.AddMemoriesRequest(scope=scope, texts=[texts[number % len(texts)]]), timeout=60)


def _p99(latencies: list[float]) -> float:
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else float("nan")
