"""Mem0 in process, embeddings given: what its own search costs without a server in between.

Its vector store is the default one (Qdrant) in memory: on disk, its embedded form commits every point by itself.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.harness import QUERIES, Report, carried_texts, console, many_texts, vectors_like
from bench.serve.servers import MEMORIES, USER

_SEARCHES = 100


def bench_mem0(report: Report, scratch: Path, dimension: int) -> None:
    """One row, if `mem0ai` is installed."""
    os.environ["MEM0_TELEMETRY"] = "False"
    os.environ["MEM0_DIR"] = str(scratch / "mem0")
    try:
        from mem0 import Memory
        from mem0.configs.base import MemoryConfig
        from mem0.embeddings.base import EmbeddingBase
        from mem0.vector_stores.configs import VectorStoreConfig
        from qdrant_client import QdrantClient
    except ImportError:
        console.print("mem0ai is not installed: left out", style="yellow")
        return

    class Given(EmbeddingBase):
        def embed(self, text: str, memory_action: str | None = None) -> list[float]:  # noqa: ARG002 (its interface)
            return next(given)

    given = iter(_floats(vectors_like(_SEARCHES * 4, dimension, seed=9)))
    os.environ.setdefault("OPENAI_API_KEY", "none is called")
    configuration = MemoryConfig(
        vector_store=VectorStoreConfig(
            provider="qdrant",
            config={"client": QdrantClient(":memory:"), "embedding_model_dims": dimension},
        ),
        history_db_path=str(scratch / "mem0-history.db"),
    )
    memory = Memory(configuration)
    memory.embedding_model = Given()
    texts = many_texts(MEMORIES, carried_texts())
    stored = _floats(vectors_like(MEMORIES, dimension))
    payloads = [
        {"data": text, "user_id": USER, "text_lemmatized": text, "hash": str(i)} for i, text in enumerate(texts)
    ]
    for start in range(0, MEMORIES, 1_000):
        memory.vector_store.insert(
            vectors=stored[start : start + 1_000],
            payloads=payloads[start : start + 1_000],
            ids=[f"00000000-0000-4000-8000-{i:012d}" for i in range(start, min(start + 1_000, MEMORIES))],
        )
    times = []
    cpu = time.process_time_ns()
    for i in range(_SEARCHES):
        begin = time.perf_counter_ns()
        memory.search(QUERIES[i % 8], filters={"user_id": USER}, top_k=10)
        times.append(time.perf_counter_ns() - begin)
    cpu = time.process_time_ns() - cpu
    times.sort()
    report.row(
        scenario="text, embedding given, 1 caller",
        server="mem0ai in process",
        p50_us=times[len(times) // 2] / 1e3,
        p99_us=times[-2] / 1e3,
        per_second=len(times) / (sum(times) / 1e9),
        server_cpu_us=cpu / _SEARCHES / 1e3,
    )


def _floats(rows: list[bytes]) -> list[list[float]]:
    import numpy as np

    return [np.frombuffer(row, "<f4").tolist() for row in rows]
