"""The vector search is exact: what NumPy finds by looking at every row."""

import numpy as np
import pytest
from core_support import KEY, VECTOR_ONLY, found, loaded, memory, random_vectors, search

from mnemic import _core

# Products of float32 rows are known to about this; closer scores may come in either order.
ROUNDING = 2e-6


def clustered(seed: int, rows: int, dimension: int) -> np.ndarray:
    """Tight clusters, so that hundreds of rows compete within the error of the int8 codes."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((rows // 200 + 1, dimension))
    noise = generator.standard_normal((rows, dimension)) * 0.02
    return (centres[generator.integers(0, len(centres), rows)] + noise).astype(np.float32)


def near_ties(seed: int, rows: int, dimension: int) -> np.ndarray:
    """One direction, disturbed by less than a code can tell, and exact duplicates of some rows."""
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal(dimension) + generator.standard_normal((rows, dimension)) * 1e-3
    vectors[rows // 2 :] = vectors[: rows - rows // 2]
    return vectors.astype(np.float32)


def sparse(seed: int, rows: int, dimension: int) -> np.ndarray:
    """A few large elements, the worst case of one scale for a whole row."""
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((rows, dimension)) * 0.01
    vectors[np.arange(rows), generator.integers(0, dimension, rows)] = 1.0
    return vectors.astype(np.float32)


def cosines(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    exact, query = vectors.astype(np.float64), query.astype(np.float64)
    return (exact @ query) / (np.linalg.norm(exact, axis=1) * np.linalg.norm(query))


def assert_top(index: _core.Index, vectors: np.ndarray, query: np.ndarray, top_k: int) -> None:
    outcome = search(index, weights=VECTOR_ONLY, vector=query.tobytes(), top_k=top_k, explain=True)
    scores = cosines(vectors, query)
    best = np.sort(scores)[::-1][:top_k]
    rows = np.array(found(outcome)) - 1
    assert len(set(rows)) == min(top_k, len(vectors))
    # Recall 1.0 and the order of NumPy: at each rank a row with that rank's score.
    assert scores[rows] == pytest.approx(best, abs=ROUNDING)
    raw = [hit.parts["vector"].raw for hit in outcome.hits]
    assert raw == pytest.approx(scores[rows], abs=ROUNDING)
    assert raw == sorted(raw, reverse=True)
    assert [hit.parts["vector"].rank for hit in outcome.hits] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("simd", _core.simd_paths())
@pytest.mark.parametrize("make", [random_vectors, clustered, near_ties, sparse])
@pytest.mark.parametrize(("rows", "dimension"), [(1, 3), (70, 17), (1500, 64), (3000, 384)])
def test_it_equals_numpy(simd, make, rows, dimension):
    vectors = make(rows + dimension, rows, dimension)
    index = loaded(vectors, simd)
    queries = [*random_vectors(1, 3, dimension), vectors[0], vectors[rows // 2], vectors[-1]]
    for query in queries:
        for top_k in (1, 10, 100):
            assert_top(index, vectors, query, top_k)


@pytest.mark.parametrize("make", [random_vectors, clustered])
def test_it_equals_numpy_just_below_the_bound_of_the_one_bit_codes(make):
    vectors = make(5, 8_000, 384)
    index = loaded(vectors)
    for query in [*random_vectors(6, 10, 384), *vectors[::2500]]:
        assert_top(index, vectors, query, 10)


def test_all_paths_find_the_same():
    vectors = clustered(3, 2_000, 100)
    indexes = [loaded(vectors, simd) for simd in _core.simd_paths()]
    for query in random_vectors(4, 10, 100):
        answers = [found(search(index, weights=VECTOR_ONLY, vector=query.tobytes())) for index in indexes]
        assert all(answer == answers[0] for answer in answers)


def test_of_equal_vectors_the_newer_memory_comes_first():
    index = loaded(np.ones((20, 8), dtype=np.float32))
    outcome = search(index, weights=VECTOR_ONLY, vector=np.ones(8, dtype=np.float32).tobytes(), top_k=5)
    assert found(outcome) == [20, 19, 18, 17, 16]
    assert [hit.score for hit in outcome.hits] == [1.0] * 5


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        (b"", "DIMENSION_MISMATCH"),
        (np.ones(5, dtype=np.float32).tobytes(), "DIMENSION_MISMATCH"),
        (np.ones(4, dtype=np.float32).tobytes()[:-1], "DIMENSION_MISMATCH"),
        (np.array([1, 2, np.nan, 3], dtype=np.float32).tobytes(), "VECTOR_NOT_FINITE"),
        (np.array([1, 2, np.inf, 3], dtype=np.float32).tobytes(), "VECTOR_NOT_FINITE"),
        (np.zeros(4, dtype=np.float32).tobytes(), "VECTOR_NOT_FINITE"),
    ],
)
def test_a_bad_vector_is_refused_everywhere(vector, reason):
    index = loaded(random_vectors(1, 3, 4))
    good = np.ones(4, dtype=np.float32).tobytes()
    for call, field in [
        (lambda: search(index, vector=vector), "vector"),
        (lambda: index.apply(KEY, [(memory(8), good), (memory(9), vector)], []), "rows[1].vector"),
        (lambda: index.load(KEY, [(memory(9), vector)]), "rows[0].vector"),
    ]:
        with pytest.raises(_core.CoreError) as refused:
            call()
        assert refused.value.args[:2] == (reason, field)
    assert len(index.versions(KEY)) == 3


@pytest.mark.parametrize("dimension", [0, 8193])
def test_a_dimension_out_of_bounds_is_refused(dimension):
    with pytest.raises(_core.CoreError, match="8192"):
        _core.Index(dimension)


def test_an_unknown_path_is_refused_with_those_that_there_are():
    with pytest.raises(_core.CoreError, match="portable"):
        _core.Index(4, simd="mmx")
