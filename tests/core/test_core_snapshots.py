"""A snapshot brings a partition back as it was; a file that is anything else is refused."""

import pytest
from core_support import KEY, found, id_of, memory, random_vectors, search

from mnemic import _core


@pytest.fixture
def index() -> _core.Index:
    """Memories 1 to 40 with vectors, 7 of them deleted."""
    index = _core.Index(8)
    vectors = random_vectors(1, 40, 8)
    index.load(KEY, [(memory(number + 1, f"violin {number}"), vectors[number].tobytes()) for number in range(40)])
    index.apply(KEY, [], [_core.Close(id_of(number), 1, None) for number in range(1, 8)])
    return index


def answers(index):
    vector = random_vectors(2, 1, 8)[0].tobytes()
    return [
        [(hit.memory_id, hit.score, hit.memory()) for hit in search(index, **query).hits]
        for query in ({"text": "violin 9"}, {"vector": vector}, {"text": "violin", "vector": vector, "top_k": 40})
    ]


def test_what_is_opened_answers_as_what_was_written(index, tmp_path):
    path = tmp_path / "partition"
    snapshot = index.freeze(KEY)
    expected = answers(index)
    index.apply(KEY, [], [_core.Close(id_of(number), 1, None) for number in range(8, 41)])
    assert snapshot.write(path, revision=12, model="m") == path.stat().st_size
    other = _core.Index(8)
    assert other.open(KEY, path, model="m") == 12
    assert answers(other) == expected
    other.verify(KEY)
    stats = other.stats(KEY)
    assert (stats.rows, stats.dead) == (33, 0)
    assert stats.bytes < 8_000 < stats.mapped_bytes


def test_a_partition_that_is_not_in_memory_has_no_snapshot():
    assert _core.Index(8).freeze(KEY) is None


def test_an_unusable_file_is_refused_and_changes_nothing(index, tmp_path):
    path = tmp_path / "partition"
    index.freeze(KEY).write(str(path), revision=1, model="m")
    whole = path.read_bytes()
    expected = answers(index)
    for content, model in [
        (whole, "n"),
        (whole[:-1], "m"),
        (b"", "m"),
        (whole[:6000] + bytes([whole[6000] ^ 1]) + whole[6001:], "m"),
    ]:
        path.unlink()  # a file is never changed in place: it may be mapped
        path.write_bytes(content)
        with pytest.raises(_core.CoreError) as refusal:
            index.open(KEY, path, model=model)
        assert refusal.value.args[:2] == ("SNAPSHOT_UNUSABLE", "path")
        assert answers(index) == expected


def test_upkeep_drops_dead_rows_until_nothing_is_due(index):
    expected = answers(index)
    assert index.stats(KEY).dead == 7
    steps = 0
    while index.upkeep(KEY):
        steps += 1
    assert steps >= 1
    assert index.stats(KEY).dead == 0
    assert answers(index) == expected
    index.compact(KEY)
    assert answers(index) == expected
    assert found(search(index, text="violin", top_k=1)) != []
