"""Searches of somebody else while work goes on: a probe at a fixed arrival, once idle and once beside the work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import memory_service_pb2_grpc as service
from mnemic.v1 import resources_pb2

ARRIVALS_PER_SECOND = 100
_LEAST_IDLE_SECONDS = 10.0


@dataclass(frozen=True)
class Beside:
    """Milliseconds of the work, and the p99 of others' searches beside it and before it."""

    seconds: float
    idle_p99_ms: float
    busy_p99_ms: float

    @property
    def ratio(self) -> float:
        """Busy to idle."""
        return self.busy_p99_ms / self.idle_p99_ms


def beside(address: str, user: str, vectors: list[bytes], work: Callable[[], object]) -> Beside:
    """Runs the work while another user's searches arrive; each latency counts from the arrival that was due."""
    idle = _probe(address, user, vectors, threading.Event(), _LEAST_IDLE_SECONDS)
    done = threading.Event()
    busy: list[float] = []
    prober = threading.Thread(target=lambda: busy.extend(_probe(address, user, vectors, done, None)))
    prober.start()
    begin = time.perf_counter()
    try:
        work()
        seconds = time.perf_counter() - begin
    finally:
        done.set()
        prober.join()
    return Beside(seconds, _p99(idle), _p99(busy))


def _probe(address: str, user: str, vectors: list[bytes], done: threading.Event, seconds: float | None) -> list[float]:
    latencies = []
    with grpc.insecure_channel(address) as channel:
        search = service.MemoryServiceStub(channel).SearchMemories
        scope = resources_pb2.Scope(user_id=user)
        requests = [messages.SearchMemoriesRequest(scope=scope, vector=vector) for vector in vectors]
        for request in requests[:20]:
            search(request, timeout=60)
        begin = time.perf_counter()
        number = 0
        while not done.is_set() and (seconds is None or time.perf_counter() - begin < seconds):
            due = begin + number / ARRIVALS_PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            search(requests[number % len(requests)], timeout=60)
            latencies.append(1e3 * (time.perf_counter() - due))
            number += 1
    return latencies


def _p99(latencies: list[float]) -> float:
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else float("nan")
