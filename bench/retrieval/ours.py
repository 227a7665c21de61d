"""Our side of the races: `mnemic._core.Index`, called as the engine calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from bench.retrieval.measuring import OURS, Contestant
from bench.retrieval.vectors import TOP, Vectors
from mnemic import _core
from mnemic.model.memory import Memory, MemoryKind
from mnemic.model.scope import Scope, ScopeMatch

NOW = 1_800_000_000_000_000
VECTOR = _core.Weights(vector=1.0, lexical=0.0, entity=0.0, recency=0.0)
WORDS = _core.Weights(vector=0.0, lexical=1.0, entity=0.0, recency=0.0)
HYBRID = _core.Weights(vector=1.0, lexical=0.5, entity=0.0, recency=0.0)
LOAD_ROWS = 20_000
Row = tuple[Memory, bytes | None]


def id_of(number: int) -> str:
    return str(UUID(int=number + 1))


def memory(number: int, scope: Scope, body: str) -> Memory:
    return Memory(
        memory_id=id_of(number),
        scope=scope,
        kind=MemoryKind.MESSAGE,
        body=body,
        create_time_micros=NOW + number,
        update_time_micros=NOW + number,
        valid_from_micros=NOW + number,
        valid_to_micros=None,
        revision=number + 1,
    )


def rows_of(hits: list[_core.Hit]) -> list[int]:
    return [UUID(hit.memory_id).int - 1 for hit in hits]


def user_scope(user: str) -> Callable[[int], Scope]:
    """Every row belongs to this user."""
    scope = Scope(user_id=user)
    return lambda _: scope


def fill(
    index: _core.Index,
    numbers: Sequence[int],
    texts: Sequence[str],
    scope_of: Callable[[int], Scope],
    vectors: Vectors | None = None,
) -> None:
    """Loads one partition; row `number` has the scope, the text and the vector of that number."""
    key = scope_of(numbers[0]).partition("default")
    for start in range(0, len(numbers), LOAD_ROWS):
        rows = rows_for(numbers[start : start + LOAD_ROWS], texts, scope_of, vectors)
        if start == 0:
            index.load(key, rows)
        else:
            index.apply(key, rows, [])


def rows_for(
    numbers: Sequence[int], texts: Sequence[str], scope_of: Callable[[int], Scope], vectors: Vectors | None = None
) -> list[Row]:
    def vector(number: int) -> bytes | None:
        return None if vectors is None else vectors[number].tobytes()

    return [(memory(number, scope_of(number), texts[number]), vector(number)) for number in numbers]


def searcher(
    index: _core.Index,
    scope: Scope,
    *,
    queries: Vectors | None = None,
    texts: Sequence[str] | None = None,
    weights: _core.Weights = VECTOR,
    filter: _core.Filter | None = None,  # noqa: A002 - the name of the argument that it becomes
    name: str = OURS,
) -> Contestant:
    """Searches one user's partition; the ids of `scope` must be carried."""
    search, match, keys = index.search, int(ScopeMatch.EXACT), [scope.partition("default")]
    vectors = None if queries is None else [query.tobytes() for query in queries]

    def call(i: int) -> list[_core.Hit]:
        return search(
            keys,
            scope,
            match,
            text=texts[i] if texts else "",
            vector=vectors[i] if vectors else None,
            filter=filter,
            now_micros=2 * NOW,
            as_of_micros=None,
            include_superseded=False,
            top_k=TOP,
            weights=weights,
            min_score=0.0,
            explain=False,
        ).hits

    return Contestant(name, call, rows_of)
