"""The servers that are measured, each with its own copy of the same data."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.harness import QUERIES, ROOT, carried_texts, many_texts, vectors_like
from bench.serve.generator import ADD, SEARCH, Call, Target
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import query_pb2, resources_pb2

USER = "ada"
MEMORIES = 10_000
TENANT = "default"
SEARCH_PATH = "/mnemic.v1.MemoryService/SearchMemories"
ADD_PATH = "/mnemic.v1.MemoryService/AddMemories"


@dataclass
class Running:
    """A server process, and how to make its interpreter busy."""

    target: Target
    process: subprocess.Popen[str]

    @contextmanager
    def spinning(self) -> Iterator[None]:
        self._say("spin")
        try:
            yield
        finally:
            self._say("rest")

    def _say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()


@contextmanager
def running(
    name: str,
    shape: str,
    settings: dict[str, Any],
    *,
    headers: Sequence[tuple[str, str]] = (),
    trust: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[Running]:
    """A server process that listens; its log goes to a file, if one is given."""
    command = [sys.executable, "-m", "bench.serve.process", shape, json.dumps(settings)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with nullcontext() if log is None else log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | (environment or {}), stderr=errors, text=True, **pipes
        )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            found = re.search(r"mnemic serving on (\S+)", line)
            if found:
                break
        else:
            raise RuntimeError(f"the server {name!r} ended with code {process.wait()} before it listened")
        protocol = "http1" if shape == "rest" else "grpc"
        target = Target(name, found.group(1), process.pid, protocol, tuple(headers), trust)
        yield Running(target, process)
    finally:
        process.terminate()
        process.wait(timeout=30)


def fill(directory: Path) -> int:
    """Writes the memories that everybody serves; the dimension of their vectors."""
    texts = many_texts(MEMORIES, carried_texts())
    settings = load_settings(data_directory=directory)
    with Engine.open(settings, pull_missing_model=True) as engine:
        dimension = engine.stats().dimension
        rows = vectors_like(MEMORIES, dimension)
        items = [MemoryInput(body=text, vector=row) for text, row in zip(texts, rows, strict=True)]
        for start in range(0, MEMORIES, 1_000):
            engine.add(TENANT, Scope(user_id=USER), items[start : start + 1_000])
    return dimension


def copied(source: Path, name: str) -> Path:
    """A copy of the data for one server."""
    return Path(shutil.copytree(source, source.parent / name))


class Questions:
    """The requests of each scenario, for gRPC and for REST."""

    def __init__(self, dimension: int) -> None:
        self._scope = resources_pb2.Scope(user_id=USER)
        self._vectors = vectors_like(256, dimension, seed=8)
        self._fresh = 0

    def by_vector(self, protocol: str) -> list[Call]:
        return [self._search(protocol, vector=vector) for vector in self._vectors]

    def by_words(self, protocol: str) -> list[Call]:
        return [self._search(protocol, query=text, words_only=True) for text in QUERIES]

    def by_known_text(self, protocol: str) -> list[Call]:
        return [self._search(protocol, query=text) for text in QUERIES]

    def by_fresh_text(self, protocol: str, count: int = 5_000) -> list[Call]:
        """Texts that nobody asked before, so that each must be embedded."""
        return [self._search(protocol, query=text) for text in self.fresh_texts(count)]

    def fresh_texts(self, count: int) -> list[str]:
        begin = self._fresh
        self._fresh += count
        return [f"{QUERIES[i % 8]} {i}" for i in range(begin, begin + count)]

    def mixed(self, protocol: str) -> list[Call]:
        """Nineteen searches by vector to one add."""
        calls = []
        for i in range(2_000):
            vector = self._vectors[i % 256]
            calls.append(self._search(protocol, vector=vector) if i % 20 else self._add(vector, i))
        return calls

    def adds(self, count: int = 100) -> list[Call]:
        """Adds of a hundred memories for another user: a bulk ingest."""
        scope = resources_pb2.Scope(user_id="bulk")
        calls = []
        for step in range(count):
            bodies = [f"note {i} of step {step}: {QUERIES[i % 8]}" for i in range(100)]
            memories = [
                messages.MemoryInput(body=body, vector=vector)
                for body, vector in zip(bodies, self._vectors, strict=False)
            ]
            request = messages.AddMemoriesRequest(scope=scope, memories=memories)
            calls.append(Call(ADD, ADD_PATH, request.SerializeToString()))
        return calls

    def listing(self) -> list[Call]:
        """A small call that only the Python server answers."""
        request = messages.ListMemoriesRequest(scope=self._scope, page_size=1)
        return [Call(SEARCH, "/mnemic.v1.MemoryService/ListMemories", request.SerializeToString())]

    def _add(self, vector: bytes, number: int) -> Call:
        memory = messages.MemoryInput(body=f"a new thing to know, number {number}", vector=vector)
        request = messages.AddMemoriesRequest(scope=self._scope, memories=[memory])
        return Call(ADD, ADD_PATH, request.SerializeToString())

    def _search(self, protocol: str, *, query: str = "", vector: bytes = b"", words_only: bool = False) -> Call:
        if protocol == "http1":
            body = {"query": query, "vector": base64.b64encode(vector).decode(), "user_id": USER, "top_k": 10}
            return Call(SEARCH, "/search", json.dumps(body).encode())
        weights = query_pb2.SignalWeights(vector=0.0) if words_only else None
        request = messages.SearchMemoriesRequest(scope=self._scope, query=query, vector=vector, weights=weights)
        return Call(SEARCH, SEARCH_PATH, request.SerializeToString())
