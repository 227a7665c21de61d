"""Versions begin, end, are replaced and deleted; a search sees those that hold at the time it asks about."""

import threading

import numpy as np
import pytest
from core_support import KEY, NOW, found, id_of, memory, random_vectors, search

from mnemic import _core
from mnemic.model.memory import Memory, MemoryKind, Role, TimePrecision, TrustLevel
from mnemic.model.scope import Scope

DAY = 86_400_000_000
UNIT = np.eye(4, dtype=np.float32)


def versions(index, **fields):
    return sorted(hit.memory().version for hit in search(index, text="violin", **fields).hits)


@pytest.fixture
def superseded() -> _core.Index:
    """Memory 1: version 1 held from day 10 to day 5 before now, version 2 since."""
    index = _core.Index(4)
    index.load(KEY, [(memory(1, "a violin", valid_from_micros=NOW - 10 * DAY), None)])
    second = memory(1, "no violin", version=2, valid_from_micros=NOW - 5 * DAY)
    index.apply(KEY, [(second, None)], [_core.Close(id_of(1), 1, NOW - 5 * DAY)])
    return index


def test_only_the_version_that_holds_is_found(superseded):
    assert versions(superseded) == [2]


@pytest.mark.parametrize(("days_ago", "expected"), [(11, []), (10, [1]), (7, [1]), (5, [2]), (0, [2]), (-100, [2])])
def test_as_of_finds_the_version_that_held_then(superseded, days_ago, expected):
    assert versions(superseded, as_of_micros=NOW - days_ago * DAY) == expected


def test_of_several_versions_only_the_best_is_returned(superseded):
    outcome = search(superseded, text="violin", include_superseded=True)
    assert found(outcome) == [1]
    assert outcome.considered == 2


def test_a_hit_says_when_it_ended(superseded):
    hit = search(superseded, text="violin", as_of_micros=NOW - 7 * DAY).hits[0]
    assert hit.memory().valid_to_micros == NOW - 5 * DAY
    assert search(superseded, text="violin").hits[0].memory().valid_to_micros is None


def test_a_deleted_memory_is_never_found_again(superseded):
    superseded.apply(KEY, [], [_core.Close(id_of(1), 2, None)])
    for fields in ({}, {"include_superseded": True}, {"as_of_micros": NOW - 7 * DAY}):
        assert versions(superseded, **fields) == []
    assert superseded.versions(KEY) == []
    # Its vector comes late: the memory stays away. A later version is a restored memory.
    superseded.apply(KEY, [(memory(1, "a violin"), UNIT[0].tobytes())], [])
    assert versions(superseded, include_superseded=True) == []
    superseded.apply(KEY, [(memory(1, "a violin", version=3), None)], [])
    assert versions(superseded) == [3]


def test_a_deletion_in_the_batch_of_an_older_version_takes_that_too():
    index = _core.Index(4)
    index.apply(KEY, [(memory(1, "a violin"), None)], [_core.Close(id_of(1), 1, None)])
    assert index.versions(KEY) == []
    index.apply(KEY, [(memory(2, "a violin", version=2), None)], [_core.Close(id_of(2), 1, None)])
    assert versions(index) == [2]


def test_closing_what_is_not_there_does_nothing(superseded):
    closes = [_core.Close(id_of(9), 1, NOW), _core.Close(id_of(1), 7, NOW), _core.Close(id_of(8), 1, None)]
    superseded.apply(KEY, [], closes)
    assert superseded.versions(KEY) == [(id_of(1), 1, True, False), (id_of(1), 2, False, False)]


@pytest.mark.parametrize("late", [UNIT[1].tobytes(), None])
def test_a_row_that_is_there_already_is_replaced(late):
    index = _core.Index(4)
    index.load(KEY, [(memory(1, "a violin"), UNIT[0].tobytes())])
    index.apply(KEY, [(memory(1, "a violin"), late)], [])
    assert index.versions(KEY) == [(id_of(1), 1, False, late is not None)]
    assert (index.stats(KEY).rows, index.stats(KEY).vectors) == (1, int(late is not None))
    assert versions(index, include_superseded=True) == [1]


def test_a_vector_that_comes_late_does_not_bring_an_ended_version_back(superseded):
    superseded.apply(KEY, [(memory(1, "a violin", valid_from_micros=NOW - 10 * DAY), UNIT[0].tobytes())], [])
    assert versions(superseded) == [2]
    assert versions(superseded, as_of_micros=NOW - 7 * DAY) == [1]
    assert superseded.versions(KEY)[1] == (id_of(1), 1, True, True)


def test_a_version_that_comes_with_its_end_holds_until_then():
    index = _core.Index(4)
    rows = [memory(1, "violin", valid_to_micros=NOW - 1), memory(2, "violin", valid_to_micros=NOW + 1)]
    index.load(KEY, [(row, None) for row in rows])
    assert found(search(index, text="violin")) == [2]
    assert found(search(index, text="violin", now_micros=NOW + 1)) == []
    assert set(found(search(index, text="violin", include_superseded=True))) == {1, 2}
    index.apply(KEY, [], [_core.Close(id_of(2), 1, NOW)])
    assert found(search(index, text="violin")) == []


def test_expired_memories_are_not_found():
    index = _core.Index(4)
    index.load(KEY, [(memory(1, "violin", expire_time_micros=NOW), None), (memory(2, "violin"), None)])
    assert found(search(index, text="violin", now_micros=NOW - 1)) == [2, 1]
    assert found(search(index, text="violin")) == [2]
    assert found(search(index, text="violin", include_superseded=True)) == [2]
    assert found(search(index, text="violin", as_of_micros=NOW - 1)) == [2, 1]


def test_a_hit_gives_back_every_field():
    whole = Memory(
        memory_id="0189d0a1-7c2b-7def-8123-456789abcdef",
        scope=Scope(user_id="u", agent_id="", session_id="s\x1f", app_id=None),
        kind=MemoryKind.FACT,
        body="violin \x00 🎻 " + "x" * 40_000,
        role=Role.TOOL,
        name="Mel",
        event_time_micros=-5,
        event_time_end_micros=2**62,
        event_time_precision=TimePrecision.WEEK,
        create_time_micros=1,
        update_time_micros=2,
        valid_from_micros=3,
        valid_to_micros=None,
        expire_time_micros=2**62,
        metadata={"t": "é", "i": -(2**63), "f": -0.5, "b": False, "l": ("x", ""), "e": (), "": ""},
        categories=("a", "b"),
        source_ids=(id_of(1), id_of(2)),
        entities=("Berlin",),
        slot="user.diet",
        slot_value="vegetarian",
        superseded_by=id_of(4),
        confidence=0.1,
        importance=0.7,
        pinned=True,
        trust=TrustLevel.VERIFIED,
        version=7,
        revision=2**40,
    )
    index = _core.Index(4)
    index.load(KEY, [(whole, None)])
    (hit,) = search(index, text="violin", scope=whole.scope).hits
    assert hit.memory() == whole
    assert hit.memory_id == whole.memory_id
    assert [type(value) for value in hit.memory().metadata.values()] == [str, int, float, bool, tuple, tuple, str]
    for name in ("kind", "role", "event_time_precision", "trust"):
        assert type(getattr(hit.memory(), name)) is type(getattr(whole, name))


@pytest.mark.parametrize("bad", ["", "1", "not-a-uuid", "0189d0a17c2b7def8123456789abcdef", "*"])
def test_an_id_that_is_no_uuid_is_refused(bad):
    index = _core.Index(4)
    row = Memory(
        memory_id=bad,
        scope=Scope(user_id="u"),
        kind=MemoryKind.MESSAGE,
        body="x",
        create_time_micros=1,
        update_time_micros=1,
        valid_from_micros=1,
    )
    for call in (
        lambda: index.apply(KEY, [(row, None)], []),
        lambda: index.load(KEY, [(row, None)]),
        lambda: _core.Close(bad, 1, None),
    ):
        with pytest.raises(_core.CoreError) as refused:
            call()
        assert refused.value.args[:2] == ("INVALID_FIELD", "memory_id")
    assert not index.contains(KEY)


def test_partitions_come_and_go():
    index = _core.Index(4)
    assert (index.contains(KEY), index.drop(KEY), index.stats().partitions) == (False, False, 0)
    index.load(KEY, [])
    assert index.contains(KEY)
    index.load(KEY, [(memory(1, "violin Berlin"), UNIT[0].tobytes()), (memory(2, "violin"), None)])
    stats = index.stats(KEY)
    assert (stats.partitions, stats.rows, stats.current, stats.vectors) == (1, 2, 2, 1)
    assert (stats.terms, stats.entities) == (2, 1)
    assert stats.bytes > 0
    index.load(KEY, [(memory(3, "violin"), None)])
    assert found(search(index, text="violin")) == [3]
    assert index.drop(KEY)
    assert found(search(index, text="violin")) == []
    assert (index.stats().partitions, index.stats().rows, index.stats().bytes) == (0, 0, 0)


def test_readers_never_see_half_a_batch_while_a_writer_writes():
    """Each batch replaces twenty memories; four threads search by vector and by words meanwhile."""
    index = _core.Index(16)
    vectors = random_vectors(3, 60, 16)
    rows = range(1, 21)

    def batch(version: int) -> list[tuple[Memory, bytes]]:
        return [
            (memory(number, f"tick number{number}", version=version), vectors[(number + version) % 60].tobytes())
            for number in rows
        ]

    index.load(KEY, batch(1))
    stop, failures, searches = threading.Event(), [], [0] * 4

    def read(place: int) -> None:
        try:
            while not stop.is_set():
                query = {"text": "tick"} if place % 2 else {"vector": vectors[place].tobytes()}
                outcome = search(index, top_k=100, **query)
                seen = {hit.memory().version for hit in outcome.hits}
                assert (len(outcome.hits), len(seen), outcome.considered) == (20, 1, 20)
                searches[place] += 1
        except BaseException as error:  # noqa: BLE001 (the main thread reports whatever it was)
            failures.append(error)

    threads = [threading.Thread(target=read, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for version in range(2, 302):
        closes = [_core.Close(id_of(number), version - 1, NOW) for number in rows]
        index.apply(KEY, batch(version), closes)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert all(searches)
    assert (index.stats(KEY).rows, index.stats(KEY).current) == (301 * 20, 20)
