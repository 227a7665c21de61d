"""A search through a graph: what is found, what is not, and what upkeep does."""

import numpy as np
import pytest
from core_support import HYBRID, KEY, NOW, VECTOR_ONLY, found, id_of, loaded, memory, random_vectors, search

from mnemic import _core

ROWS, DIMENSION = 5_000, 64


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    centres = random_vectors(1, 50, DIMENSION)
    return centres[np.arange(ROWS) % 50] + 0.7 * random_vectors(2, ROWS, DIMENSION)


@pytest.fixture
def index(vectors) -> _core.Index:
    index = loaded(vectors)
    index.set_graph_width(100)
    keep_up(index)
    return index


def keep_up(index: _core.Index) -> None:
    while index.upkeep(KEY):
        pass


def nearest(index: _core.Index, vector: np.ndarray, **fields) -> list[int]:
    return found(search(index, weights=VECTOR_ONLY, vector=vector.astype(np.float32).tobytes(), **fields))


def test_nearly_all_that_a_scan_finds_is_found(index, vectors):
    scanned = loaded(vectors)
    queries = vectors[:100] + 0.5 * random_vectors(3, 100, DIMENSION)
    same = [len(set(nearest(index, query)) & set(nearest(scanned, query))) for query in queries]
    assert sum(same) >= 0.99 * 1_000


def test_the_statistics_say_how_many_rows_have_links(index):
    statistics = index.stats(KEY)
    assert ROWS - 64 <= statistics.graph_rows <= ROWS
    assert 128 * ROWS <= statistics.graph_bytes <= statistics.bytes


def test_a_small_partition_gets_no_graph(vectors):
    index = loaded(vectors)
    keep_up(index)
    assert index.stats(KEY).graph_rows == 0


def test_what_is_added_is_found_at_once_and_what_is_deleted_no_more(index, vectors):
    new = random_vectors(4, 200, DIMENSION)
    for number, vector in enumerate(new, start=ROWS + 1):
        index.apply(KEY, [(memory(number), vector.tobytes())], [])
        assert nearest(index, vector)[0] == number
    index.apply(KEY, [], [_core.Close(id_of(number), 1, None) for number in range(1, 101)])
    for vector in vectors[:100]:
        assert min(nearest(index, vector)) > 100


def test_an_ended_version_is_found_only_where_it_is_asked_for(index, vectors):
    index.apply(KEY, [], [_core.Close(id_of(7), 1, NOW)])
    assert 7 not in nearest(index, vectors[6])
    assert nearest(index, vectors[6], include_superseded=True)[0] == 7


def test_words_and_vectors_go_together(index, vectors):
    number = ROWS + 1
    index.apply(KEY, [(memory(number, "the only zebra"), vectors[0].tobytes())], [])
    weights = HYBRID | {"lexical": 1.0}
    outcome = search(index, weights=weights, text="zebra", vector=vectors[1].tobytes(), top_k=20)
    assert found(outcome)[0] == number
    assert len(outcome.hits) == 20
