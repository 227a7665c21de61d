"""Memories, keys and searches for the tests of the core, with what a test does not care about filled in."""

import uuid
from typing import Any

import numpy as np

from mnemic import _core
from mnemic.model.memory import Memory, MemoryKind
from mnemic.model.scope import OwnerKind, PartitionKey, Scope, ScopeMatch

NOW = 1_700_000_000_000_000
KEY = PartitionKey("tenant", OwnerKind.USER, "u")
USER = Scope(user_id="u")
VECTOR_ONLY = {"vector": 1.0, "lexical": 0.0, "entity": 0.0, "recency": 0.0}
WORDS_ONLY = {"vector": 0.0, "lexical": 1.0, "entity": 0.0, "recency": 0.0}
NAMES_ONLY = {"vector": 0.0, "lexical": 0.0, "entity": 1.0, "recency": 0.0}
HYBRID = {"vector": 0.5, "lexical": 0.3, "entity": 0.2, "recency": 0.1}


def id_of(number: int) -> str:
    return str(uuid.UUID(int=number))


def number_of(memory_id: str) -> int:
    return uuid.UUID(memory_id).int


def memory(number: int, body: str = "a body", **fields: Any) -> Memory:
    given = {
        "scope": USER,
        "kind": MemoryKind.MESSAGE,
        "create_time_micros": NOW - 1_000_000 + number,
        "update_time_micros": NOW - 1_000_000 + number,
        "valid_from_micros": NOW - 1_000_000 + number,
    }
    return Memory(memory_id=id_of(number), body=body, **(given | fields))


def search(
    index: _core.Index,
    *,
    partitions: list[PartitionKey] | None = None,
    scope: Scope = USER,
    match: ScopeMatch = ScopeMatch.VISIBLE,
    weights: dict[str, float] = HYBRID,
    **fields: Any,
) -> _core.SearchOutcome:
    given = {
        "text": "",
        "vector": None,
        "filter": None,
        "now_micros": NOW,
        "as_of_micros": None,
        "include_superseded": False,
        "top_k": 10,
        "min_score": 0.0,
        "separate": True,
        "explain": False,
    }
    places = [KEY] if partitions is None else partitions
    return index.search(places, scope, match, weights=_core.Weights(**weights), **(given | fields))


def found(outcome: _core.SearchOutcome) -> list[int]:
    """The numbers of the memories found, best first."""
    return [number_of(hit.memory_id) for hit in outcome.hits]


def random_vectors(seed: int, rows: int, dimension: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)


def loaded(vectors: np.ndarray, simd: str | None = None) -> _core.Index:
    """An index with one memory for each vector, numbered from 1."""
    index = _core.Index(vectors.shape[1], simd=simd)
    index.load(KEY, [(memory(row + 1), vector.tobytes()) for row, vector in enumerate(vectors)])
    return index
