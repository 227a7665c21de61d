"""Adds, searches in process and over gRPC, and memory per memory.

Every figure is of this run on this machine; the searches at 1k and 10k memories are of one user's scope.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import grpc
import psutil

from bench.harness import (
    QUERIES,
    Latency,
    Report,
    carried_texts,
    console,
    many_texts,
    measure,
    running_server,
    vectors_like,
)
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest, SignalWeights
from mnemic.v1 import admin_service_pb2, admin_service_pb2_grpc, query_pb2, resources_pb2
from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import memory_service_pb2_grpc as service

TENANT = "default"
SIZES = (1_000, 10_000)
BATCH = 100
SINGLE_ADDS = 300
SEARCHES = 500


def inputs(texts: Sequence[str], vectors: Sequence[bytes] | None) -> list[MemoryInput]:
    return [MemoryInput(body=text, vector=vectors[i] if vectors else None) for i, text in enumerate(texts)]


def bench_adds(report: Report, engine: Engine, texts: Sequence[str]) -> None:
    vectors = vectors_like(len(texts), engine.stats().dimension)
    for label, given in (("vectors given", vectors), ("embedded locally", None)):
        scope = Scope(user_id=f"single {label}")
        single = measure(
            lambda i, scope=scope, given=given: engine.add(
                TENANT, scope, inputs([texts[i]], [given[i]] if given else None)
            ),
            repeats=SINGLE_ADDS,
        )
        report_latency(report, f"add 1, {label}, durable", "in process", single, per_second=1e6 / single.median)
        scope = Scope(user_id=f"batch {label}")
        items = inputs(texts, given)
        count = min(len(items), 20 * BATCH)
        begin = time.perf_counter()
        for start in range(0, count, BATCH):
            engine.add(TENANT, scope, items[start : start + BATCH])
        rate = count / (time.perf_counter() - begin)
        report.row(what=f"add {BATCH} a call, {label}, durable", where="in process", per_second=rate)


def report_latency(report: Report, what: str, where: str, latency: Latency, **more: object) -> None:
    report.row(what=what, where=where, p50_us=latency.median, p99_us=latency.p99, best_us=latency.best, **more)


def fill(engine: Engine, user: str, texts: Sequence[str], dimension: int) -> None:
    vectors = vectors_like(len(texts), dimension)
    items = inputs(texts, vectors)
    for start in range(0, len(items), 1000):
        engine.add(TENANT, Scope(user_id=user), items[start : start + 1000])


def bench_searches(report: Report, engine: Engine, size: int) -> None:
    scope = Scope(user_id=f"size {size}")
    vectors = vectors_like(64, engine.stats().dimension)
    words_only = SignalWeights(vector=0.0)
    cases = {
        "vector": lambda i: SearchRequest(scope=scope, vector=vectors[i % 64]),
        "words": lambda i: SearchRequest(scope=scope, query=QUERIES[i % 8], weights=words_only),
        "vector + words": lambda i: SearchRequest(scope=scope, query=QUERIES[i % 8], vector=vectors[i % 64]),
        "text, embedding cached": lambda i: SearchRequest(scope=scope, query=QUERIES[i % 8]),
        "text, fresh": lambda i: SearchRequest(scope=scope, query=f"{QUERIES[i % 8]} {size} {i}"),
    }
    for name, request in cases.items():
        latency = measure(lambda i, request=request: engine.search(TENANT, request(i)), repeats=SEARCHES)
        report_latency(report, f"search {size:,}: {name}", "in process", latency, cpu_us=latency.cpu)


def bench_wire(report: Report, address: str, process: int, texts: Sequence[str], dimension: int) -> None:
    vectors = vectors_like(len(texts), dimension)
    server = psutil.Process(process)
    with grpc.insecure_channel(address) as channel:
        stub = service.MemoryServiceStub(channel)
        admin = admin_service_pb2_grpc.AdminServiceStub(channel)
        for size in SIZES:
            scope = resources_pb2.Scope(user_id=f"size {size}")
            before = server.memory_info().rss
            indexed = admin.GetStats(admin_service_pb2.GetStatsRequest()).index.memory_bytes
            for start in range(0, size, 500):
                batch = [
                    messages.MemoryInput(body=texts[i], vector=vectors[i]) for i in range(start, min(start + 500, size))
                ]
                stub.AddMemories(messages.AddMemoriesRequest(scope=scope, memories=batch))
            # The partition is read into memory by the first search.
            stub.SearchMemories(messages.SearchMemoriesRequest(scope=scope, query="x"))
            per_memory = (server.memory_info().rss - before) / size
            indexed = (admin.GetStats(admin_service_pb2.GetStatsRequest()).index.memory_bytes - indexed) / size
            bench_wire_searches(report, stub, scope, size, vectors, server)
            report.row(what=f"memory per memory at {size:,}", where="server", rss_bytes=per_memory, index_bytes=indexed)


def bench_wire_searches(
    report: Report,
    stub: service.MemoryServiceStub,
    scope: resources_pb2.Scope,
    size: int,
    vectors: Sequence[bytes],
    server: psutil.Process,
) -> None:
    request = messages.SearchMemoriesRequest
    words_only = query_pb2.SignalWeights(vector=0.0)
    cases = {
        "vector": lambda i: request(scope=scope, vector=vectors[i % 64]),
        "words": lambda i: request(scope=scope, query=QUERIES[i % 8], weights=words_only),
        "text, embedding cached": lambda i: request(scope=scope, query=QUERIES[i % 8]),
        "text, fresh": lambda i: request(scope=scope, query=f"{QUERIES[i % 8]} {size} {i}"),
    }
    for name, make in cases.items():
        before = sum(server.cpu_times()[:2])
        latency = measure(lambda i, make=make: stub.SearchMemories(make(i)), repeats=SEARCHES)
        cpu = (sum(server.cpu_times()[:2]) - before) * 1e6 / (SEARCHES + 20)
        report_latency(report, f"search {size:,}: {name}", "gRPC", latency, cpu_us=cpu)


def main() -> None:
    report = Report("service")
    texts = many_texts(max(SIZES), carried_texts())
    with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary:
        settings = load_settings(data_directory=Path(temporary) / "in-process")
        console.print(f"data in {settings.data_directory}, embedding {settings.embedding.provider}", style="dim")
        with Engine.open(settings, pull_missing_model=True) as engine:
            dimension = engine.stats().dimension
            bench_adds(report, engine, texts[:3000])
            for size in SIZES:
                fill(engine, f"size {size}", texts[:size], dimension)
                bench_searches(report, engine, size)
        with running_server(Path(temporary) / "server") as (address, process):
            bench_wire(report, address, process, texts, dimension)
    report.finish()


if __name__ == "__main__":
    main()
