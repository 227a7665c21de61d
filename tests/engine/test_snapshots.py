"""Snapshots: a start maps them and catches up; whatever is wrong with one, the answers are the store's."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mnemic import _core
from mnemic.engine import snapshots as snapshot_files
from mnemic.engine.engine import Engine
from mnemic.engine.settings import Settings
from mnemic.model.memory import Memory, MemoryInput
from mnemic.model.requests import MemoryUpdate
from mnemic.model.scope import OwnerKind, PartitionKey, Scope
from mnemic.model.search import SearchRequest, SignalWeights
from mnemic.store import writing
from mnemic.store.sqlite import open_sqlite

DIMENSION = 256  # the static model's
ROWS = 400
KEY = PartitionKey("t", OwnerKind.USER, "u")
WORDS = ["tea", "Porto", "red shoes", "Milo", "the rent of 1,250", "booking QX7-4410"]


def vector_of(number: int) -> bytes:
    vector = np.random.default_rng(number).standard_normal(DIMENSION).astype("<f4")
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


def add(engine: Engine, numbers: range, user: str = "u") -> list[str]:
    inputs = [MemoryInput(body=f"{WORDS[n % 6]} number {n}", vector=vector_of(n)) for n in numbers]
    return [memory.memory_id for memory in engine.add("t", Scope(user_id=user), inputs).memories]


def change_a_little(engine: Engine, memory_ids: list[str]) -> None:
    """Fewer changes than are worth another file."""
    add(engine, range(5000, 5040))
    for number, memory_id in enumerate(memory_ids[:30]):
        if number % 2:
            engine.delete("t", memory_id)
        else:
            engine.update("t", memory_id, MemoryUpdate(fields=frozenset({"body"}), body=f"changed {number} Lisbon"))


def answers(engine: Engine, user: str = "u") -> list[list[tuple]]:
    requests = [
        SearchRequest(
            scope=Scope(user_id=user),
            query=query,
            vector=vector_of(number),
            top_k=50,
            separate=True,
            include_superseded=old,
        )
        for number, query in enumerate([*WORDS, "changed Lisbon", "number 17"])
        for old in (False, True)
    ]
    found = [engine.search("t", request) for request in requests]
    return [[result.considered, *((hit.memory, round(hit.score, 5)) for hit in result.hits)] for result in found]


def files(settings: Settings) -> list[Path]:
    return sorted((settings.data_directory / "snapshots").glob("*"))


def with_limits(settings: Settings, **limits: int) -> Settings:
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=limits)})


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def reading(engine: Engine):
    """The partitions that are read from the store as a whole, meanwhile."""
    read, scan = [], engine._store.scan_partition
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            engine._store,
            "scan_partition",
            lambda key, *rest, **named: [read.append(key), scan(key, *rest, **named)][1],
        )
        yield read


@pytest.fixture
def saved(settings) -> Settings:
    """A store with one user of some hundred memories, whose snapshot was written at the end."""
    with Engine.open(settings, pull_missing_model=True) as engine:
        add(engine, range(ROWS))
        engine.search("t", SearchRequest(scope=Scope(user_id="u"), query="tea"))
    assert len(files(settings)) == 1
    return settings


def expected(settings: Settings) -> list[list[tuple]]:
    """What the store alone answers."""
    with Engine.open(with_limits(settings, snapshot_bytes=0)) as engine:
        return answers(engine)


def test_a_restart_reads_the_snapshot_and_nothing_else(saved):
    with Engine.open(saved) as engine, reading(engine) as read:
        found = answers(engine)
        assert engine.stats().index.snapshots_opened == 1
        assert not read
        assert engine.check() == []
    assert found == expected(saved)


def test_what_changed_since_is_caught_up_with(saved):
    with Engine.open(saved) as engine:
        ids = [hit.memory.memory_id for hit in search_all(engine)]
        change_a_little(engine, ids)
        before = answers(engine)
    (file,) = files(saved)
    with Engine.open(saved) as engine, reading(engine) as read:
        assert answers(engine) == before
        assert not read
        assert engine.check() == []
    assert files(saved) == [file]
    assert before == expected(saved)


def search_all(engine, user="u"):
    return engine.search("t", SearchRequest(scope=Scope(user_id=user), query="number", top_k=1000, separate=True)).hits


def test_a_file_that_is_left_behind_is_replaced(saved):
    (old,) = files(saved)
    with Engine.open(saved) as engine:
        add(engine, range(1000, 1000 + ROWS))
        before = answers(engine)
    (new,) = files(saved)
    assert new != old
    with Engine.open(saved) as engine, reading(engine) as read:
        assert answers(engine) == before
        assert not read


def test_a_running_engine_writes_what_has_changed_enough(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        search_all(engine)
        add(engine, range(ROWS))
        search_all(engine)
        eventually(lambda: engine.stats().index.snapshots == 1)
        (first,) = files(settings)
        add(engine, range(1000, 1100))
        add(engine, range(2000, 2300))
        eventually(lambda: files(settings) not in ([], [first]))
        assert engine.check() == []


def test_small_partitions_get_no_file(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        for user in range(5):
            add(engine, range(100), f"u{user}")
            search_all(engine, f"u{user}")
    assert files(settings) == []


def test_file_names_tell_nothing_of_owners(saved):
    (file,) = files(saved)
    assert len(file.name) == 32 + 1 + 16 + len(".snapshot")
    assert file.parent.stat().st_mode & 0o077 == 0


def test_damage_anywhere_never_shows(saved):
    """Bits that flip, and files that are cut: the answers are the store's, and the file is made anew."""
    (file,) = files(saved)
    whole, want = file.read_bytes(), expected(saved)

    @given(
        places=st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3, unique=True),
        bit=st.integers(0, 7),
        keep=st.one_of(st.none(), st.integers(0, len(whole) - 1)),
    )
    @hypothesis_settings(max_examples=15, phases=[Phase.generate])
    def damage(places, bit, keep):
        broken = bytearray(whole)
        for place in places:
            broken[place] ^= 1 << bit
        for other in files(saved):
            other.unlink()
        file.write_bytes(broken if keep is None else whole[:keep])
        with Engine.open(saved) as engine:
            assert answers(engine) == want
            assert engine.stats().index.snapshots_refused == 1
            assert engine.check() == []
        with Engine.open(saved) as engine, reading(engine) as read:
            assert answers(engine) == want
            assert not read

    damage()


def flip_a_bit_of(settings: Settings, text: bytes) -> None:
    (file,) = files(settings)
    content = bytearray(file.read_bytes())
    content[content.index(text)] ^= 1
    file.write_bytes(content)


def test_damage_in_a_large_file_is_found_behind_the_answers_or_by_them(settings):
    """Not all of it is read when it is opened: that would take longer than the answers."""
    with Engine.open(settings, pull_missing_model=True) as engine:
        for start in range(0, 5000, 500):
            inputs = [
                MemoryInput(body=f"number {n}", vector=vector_of(n % 50), metadata={"long": f"row {n} {'x' * 15_000}"})
                for n in range(start, start + 500)
            ]
            engine.add("t", Scope(user_id="u"), inputs)
        want = ask(engine, "number 4000")
    assert files(settings)[0].stat().st_size > 64 * 1024 * 1024
    flip_a_bit_of(settings, b"row 1234 xxx")
    with Engine.open(settings) as engine:
        assert ask(engine, "number 4000") == want
        eventually(lambda: engine.stats().index.snapshots_refused == 1)
        assert ask(engine, "number 1234")[0].metadata["long"].startswith("row 1234 xxx")
    flip_a_bit_of(settings, b"row 1234 xxx")
    with Engine.open(settings) as engine, reading(engine) as read:
        engine._upkeep._stopping.set()  # or it would find it first
        assert ask(engine, "number 4000") == want
        assert not read
        assert ask(engine, "number 1234")[0].metadata["long"].startswith("row 1234 xxx")
        assert read == [KEY]
        assert engine.stats().index.snapshots_refused == 1


def ask(engine: Engine, query: str) -> list[Memory]:
    weights = SignalWeights(vector=0.0, entity=0.0, recency=0.0)
    request = SearchRequest(scope=Scope(user_id="u"), query=query, weights=weights, top_k=3)
    return [hit.memory for hit in engine.search("t", request).hits]


def test_the_check_names_a_damaged_file(saved):
    flip_a_bit_of(saved, b"number 17")
    with Engine.open(saved) as engine:
        (finding,) = engine.check()
        assert finding == "t/user:u: its snapshot was damaged or stale, and is removed"
        assert engine.check() == []


def test_a_file_of_another_model_is_not_used(saved):
    (file,) = files(saved)
    other = snapshot_files.SnapshotFiles(
        file.parent, store_id=store_id(saved), model="other:1", limit_bytes=1 << 40, newest_revision=10
    )
    core = _core.Index(DIMENSION)
    assert other.open(core, KEY) is None
    assert not core.contains(KEY)
    assert other.stats().refused == 1
    assert files(saved) == []


def store_id(settings):
    with closing(open_sqlite(settings.data_directory)) as store:
        return store.instance_id()


def test_what_crashes_left_and_strangers_are_removed(saved):
    (file,) = files(saved)
    older = file.with_name(file.name[:33] + f"{0:016x}.snapshot")
    leftovers = [
        older,
        file.with_name(file.name + ".tmp-123"),
        file.with_name("f" * 32 + file.name[32:]),
        file.with_name("what is this.snapshot"),
    ]
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    other = file.with_name("notes.txt")
    other.write_text("not ours")
    with Engine.open(saved) as engine:
        eventually(lambda: files(saved) == sorted([file, other]))
        search_all(engine)
        assert engine.stats().index.snapshots_opened == 1


def test_a_database_from_a_backup_does_not_meet_the_files_of_its_future(settings):
    """Its next commits have the revisions of others that the files hold."""
    backup = settings.data_directory.with_name("backup.db")
    with Engine.open(settings, pull_missing_model=True) as engine:
        add(engine, range(300))
    shutil.copy(settings.data_directory / "mnemic.db", backup)
    with Engine.open(settings) as engine:
        search_all(engine)
        for number in range(1000, 1900, 300):
            add(engine, range(number, number + 300))
    assert len(files(settings)) == 1
    shutil.copy(backup, settings.data_directory / "mnemic.db")
    with Engine.open(settings) as engine:
        for number in range(3):
            add(engine, range(number, number + 1))
        assert len(search_all(engine)) == 303
        assert engine.stats().index.snapshots_opened == 0
        assert engine.check() == []


def test_evicted_partitions_come_back_from_their_files(settings):
    small = with_limits(settings, index_bytes=3 * 1024 * 1024)
    with Engine.open(small, pull_missing_model=True) as engine:
        for user in range(12):
            add(engine, range(user * 1000, user * 1000 + 300), f"u{user}")
        for user in range(12):
            search_all(engine, f"u{user}")
        eventually(lambda: engine.stats().index.snapshots >= 6)
        with reading(engine) as read:
            for user in range(12):
                assert len(search_all(engine, f"u{user}")) == 300
        assert len(read) <= 6
        assert engine.stats().index.snapshots_opened >= 6
        assert engine.stats().index.bytes < 6 * 1024 * 1024
        assert engine.check() == []


def test_the_disk_is_bounded_and_the_longest_unused_go_first(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        for user in range(6):
            add(engine, range(300), f"u{user}")
            search_all(engine, f"u{user}")
            eventually(lambda count=user + 1: engine.stats().index.snapshots == count)
        size = engine.stats().index.snapshot_bytes
    assert size == sum(file.stat().st_size for file in files(settings))
    with Engine.open(settings) as engine:
        search_all(engine, "u0")
    bounded = with_limits(settings, snapshot_bytes=size // 2)
    with Engine.open(bounded) as engine:
        eventually(lambda: engine.stats().index.snapshot_bytes <= size // 2)
        with reading(engine) as read:
            search_all(engine, "u0")
            assert not read
            search_all(engine, "u1")
            assert len(read) == 1
        for user in range(6):
            search_all(engine, f"u{user}")
    assert 0 < sum(file.stat().st_size for file in files(settings)) <= size // 2


def test_no_snapshots_when_none_are_wanted(saved):
    with Engine.open(with_limits(saved, snapshot_bytes=0)) as engine:
        assert files(saved) == []
        search_all(engine)
        add(engine, range(1000, 1300))
    assert files(saved) == []


def test_a_disk_that_refuses_is_told_of_once(settings, capsys):
    settings.data_directory.mkdir(parents=True)
    (settings.data_directory / "snapshots").write_text("a file in the way")
    with Engine.open(settings, pull_missing_model=True) as engine:
        for user in range(3):
            add(engine, range(300), f"u{user}")
            assert len(search_all(engine, f"u{user}")) == 300
    assert capsys.readouterr().out.count("snapshot_not_written") == 1


def test_a_disk_that_is_nearly_full_is_left_to_the_store(settings, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with Engine.open(settings, pull_missing_model=True) as engine:
        add(engine, range(ROWS))
        search_all(engine)
    assert files(settings) == []


def test_a_file_with_what_the_store_lost_since_is_removed_at_start(saved):
    """As after a crash between an erasure and the removal of the file."""
    with closing(open_sqlite(saved.data_directory)) as store, store._database.writing() as connection:
        writing.advance(connection)
        writing.require_rebuild(connection)
    with Engine.open(saved) as engine:
        eventually(lambda: files(saved) == [])
        assert len(search_all(engine)) == ROWS
        eventually(lambda: len(files(saved)) == 1)


def test_a_partition_that_is_to_be_forgotten_leaves_no_file(saved):
    with Engine.open(saved) as engine:
        add(engine, range(1000, 1000 + ROWS))
        search_all(engine)
        index = engine._index
        add(engine, range(2000, 2000 + ROWS))
        with index._write_lock:
            old = index._freeze(KEY, at_rest=True)
        engine.delete("t", search_all(engine)[0].memory.memory_id)
        index.forget_snapshots([KEY])
        # A state of before is not written any more, one of after is, and may be already.
        forgotten = index.revision
        assert old is None or not index._snapshots.write(KEY, old.state, old.revision, old.bytes)
        assert all(int(file.stem.rpartition("-")[2], 16) >= forgotten for file in files(saved))
        add(engine, range(3000, 3000 + 2 * ROWS))
        eventually(lambda: len(files(saved)) == 1)


def test_writes_beside_snapshots_loads_and_evictions_are_never_lost(settings):
    small = with_limits(settings, index_bytes=4 * 1024 * 1024)
    failures: list[object] = []

    def work(engine: Engine, worker: int) -> None:
        chance = random.Random(worker)
        try:
            for number in range(40):
                user = f"u{chance.randrange(5)}"
                word = f"word{worker}x{number}"
                inputs = [MemoryInput(body=f"{word} {n}", vector=vector_of(n)) for n in range(chance.choice([1, 30]))]
                added = engine.add("t", Scope(user_id=user), inputs).memories
                if chance.random() < 0.3:
                    engine.delete("t", added[-1].memory_id)
                    added = added[:-1]
                request = SearchRequest(
                    scope=Scope(user_id=user), query=word, top_k=100, separate=True, profile="lexical"
                )
                found = engine.search("t", request).hits
                if {m.memory_id for m in added} - {hit.memory.memory_id for hit in found}:
                    failures.append((worker, number))
        except BaseException as error:
            failures.append(error)
            raise

    with Engine.open(small, pull_missing_model=True) as engine:
        for user in range(5):
            add(engine, range(350), f"u{user}")
        threads = [threading.Thread(target=work, args=(engine, worker)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert engine.check() == []
        assert engine.stats().index.snapshots_opened > 0
    with Engine.open(small) as engine:
        assert engine.check() == []
