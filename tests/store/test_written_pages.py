"""What is left of deleted rows is only on pages that are known to have been written; cleaning those leaves nothing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

import mnemic
from mnemic.model.errors import MnemicError
from mnemic.store import write_ahead_log
from mnemic.store.page_cleaning import PageFile, unused_spans
from mnemic.store.sqlite import SqliteStore, open_sqlite
from mnemic.store.written_pages import WrittenPages

SECRET = b"SECRET"


class Churn:
    """Rows of a table of its own in a store, that come, grow and go in no order: some are secret."""

    def __init__(self, store: SqliteStore, chance: random.Random) -> None:
        self.store = store
        self.chance = chance
        self.number = 0
        with store._database.writing() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS things (id INTEGER PRIMARY KEY, hash TEXT, body TEXT)"))
            connection.execute(text("CREATE INDEX IF NOT EXISTS by_hash ON things (hash)"))

    def write(self, rows: int, *, fails: bool = False) -> None:
        try:
            with self.store._database.writing() as connection:
                # Little cache: pages are written to the log before the commit, and stay there when it fails.
                connection.execute(text("PRAGMA cache_size=20"))
                for _ in range(rows):
                    self.number += 1
                    mark = "SECRET" if self.number % 3 == 0 else "plain"
                    values = {
                        # Long keys in no order split many pages of the index.
                        "hash": f"{self.chance.getrandbits(64):016x}{mark}" * 6,
                        "body": f"{mark} {self.number} " + "x" * self.chance.choice((0, 30, 200, 3000)),
                    }
                    connection.execute(text("INSERT INTO things (hash, body) VALUES (:hash, :body)"), values)
                    if self.chance.random() < 0.3:
                        values = {"some": self.chance.randrange(self.number + 1), "more": values["body"][:100]}
                        connection.execute(text("UPDATE things SET body = body || :more WHERE id = :some"), values)
                    if self.chance.random() < 0.2:
                        values = {"some": self.chance.randrange(self.number + 1)}
                        connection.execute(text("DELETE FROM things WHERE id = :some"), values)
                if fails:
                    connection.execute(text("no statement"))
        except MnemicError:
            assert fails

    def forget_secrets(self) -> None:
        with self.store._database.writing() as connection:
            connection.execute(text("DELETE FROM things WHERE body LIKE '%SECRET%' OR hash LIKE '%SECRET%'"))


def leftovers(path: Path) -> set[int]:
    """All pages of a file with unused bytes that are not zero."""
    file = PageFile(path)
    try:
        found = file.find_leftovers(np.arange(1, file.page_count() + 1)).tolist()
        data = path.read_bytes()
        size = len(data) // file.page_count()
        # Those that have free blocks, of zeros, are found as well.
        return {number for number in found if is_dirty(data[(number - 1) * size : number * size], number)}
    finally:
        # The store has the file open: its locks are of no matter in these tests, in which nobody else writes.
        file.close()


def is_dirty(page: bytes, number: int) -> bool:
    return any(any(page[start:end]) for start, end in unused_spans(page, number, len(page)))


def plant(path: Path) -> int:
    """Puts something secret where SQLite might have left it, on every page with room; on how many."""
    data = bytearray(path.read_bytes())
    planted = 0
    for at in range(4096, len(data), 4096):
        gap = next(iter(unused_spans(bytes(data[at : at + 4096]), at // 4096 + 1, 4096)), (0, 0))
        if gap[1] - gap[0] > 40:
            # Cells come into the gap from its end.
            data[at + gap[0] + 8 : at + gap[0] + 8 + len(SECRET)] = SECRET
            planted += 1
    path.write_bytes(data)
    return planted


def search(directory: Path) -> list[str]:
    """The files in which something secret is."""
    return [path.name for path in directory.iterdir() if path.is_file() and SECRET in path.read_bytes()]


def known_of(store: SqliteStore) -> set[int]:
    written = store._cleaning._written
    assert written.is_known
    return set(np.flatnonzero(written._written | written._taken).tolist())


@settings(max_examples=12)
@given(seed=st.integers(0, 1 << 30), page_bytes=st.sampled_from([512, 4096]))
def test_whatever_happens_no_page_with_leftovers_is_unknown_and_an_erasure_leaves_nothing(
    tmp_path_factory, seed, page_bytes
):
    directory = tmp_path_factory.mktemp("written") / "data"
    path = directory / "mnemic.db"
    chance = random.Random(seed)
    if page_bytes != 4096:
        # One that is there: nothing is known of it.
        directory.mkdir()
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"PRAGMA page_size={page_bytes}")
            database.execute("VACUUM")
    readers = ExitStack()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_ahead_log, "_FRAMES_PER_CHECKPOINT", chance.choice((3, 20, 200)))
        patch.setattr("mnemic.store.sqlite_cleaning._WORTH_TIDYING", 1)
        patch.setattr("mnemic.store.sqlite_cleaning._LOOKED_AT_AT_ONCE", 16)
        patch.setattr("mnemic.store.sqlite_cleaning._ZEROED_AT_ONCE", 7)
        store = open_sqlite(directory)
        churn = Churn(store, chance)
        for _ in range(40):
            match chance.choice(
                ("write", "write", "write", "fail", "tidy", "tidy", "read", "let go", "clean", "reopen")
            ):
                case "write":
                    churn.write(chance.choice((1, 5, 60)))
                case "fail":
                    churn.write(chance.choice((1, 60)), fails=True)
                case "tidy":
                    store.erasing.tidy_files()
                case "read":
                    # Somebody who reads an older state, so that the log is not copied, or not from its beginning.
                    connection = readers.enter_context(store._database.reading())
                    connection.execute(text("SELECT count(*) FROM things")).one()
                case "let go":
                    readers.close()
                case "clean":
                    readers.close()
                    churn.forget_secrets()
                    store.erasing.clean_files(share=1.0)
                    assert search(directory) == []
                case "reopen":
                    readers.close()
                    was_known = store._cleaning._written.is_known
                    store.close()
                    store = churn.store = open_sqlite(directory)
                    assert store._cleaning._written.is_known == was_known
            if store._cleaning._written.is_known:
                assert leftovers(path) <= known_of(store)
        readers.close()
        assert store.check() == []
        store.close()


@pytest.mark.parametrize(("frames", "writes"), [(50, 100), (100_000, 100), (3, 2)])
def test_an_erasure_beside_writers_leaves_nothing_of_what_was_deleted_before_it(tmp_path, monkeypatch, frames, writes):
    """Between its steps others write, on the same pages; with a cache that has these as they were before."""
    monkeypatch.setattr("mnemic.store.sqlite_cleaning._ZEROED_AT_ONCE", 40)
    monkeypatch.setattr("mnemic.store.sqlite_cleaning._LOOKED_AT_AT_ONCE", 100)
    monkeypatch.setattr(write_ahead_log, "_FRAMES_PER_CHECKPOINT", frames)
    directory = tmp_path / "data"
    with closing(open_sqlite(directory)) as store:
        churn = Churn(store, random.Random(3))
        churn.write(2000)
        churn.forget_secrets()
        store.erasing.clean_files(share=1.0)
    assert plant(directory / "mnemic.db") > 100
    with closing(open_sqlite(directory)) as store:
        left = writes

        def write_plain(*_arguments):
            nonlocal left
            left -= 1
            if left < 0:
                return
            with store._database.writing() as connection:
                connection.execute(text("PRAGMA cache_size=5000"))
                # Now it has all pages in its cache.
                connection.execute(text("SELECT max(length(body)), max(hash || '') FROM things")).one()
                for length in (10, 10, 10, 10, 100, 500):
                    values = {"hash": f"{churn.chance.getrandbits(64):016x}" * 6, "body": "y" * length}
                    connection.execute(text("INSERT INTO things (hash, body) VALUES (:hash, :body)"), values)

        monkeypatch.setattr("mnemic.store.sqlite_cleaning._rest", write_plain)
        # A reader's connection stays open, so that the log does not go with the writer's.
        store.revision()
        write_plain()
        cleaned = store.erasing.clean_files(share=0.5)
        assert cleaned.pages > 100
        assert search(directory) == []
        write_plain()
        assert search(directory) == []
        assert store.check() == []


def test_frames_of_a_transaction_that_failed_do_not_hide_those_that_are_written_over_them(tmp_path):
    path = tmp_path / "a.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as writer,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        for setting in ("journal_mode=WAL", "wal_autocheckpoint=0", "cache_size=5"):
            writer.execute(f"PRAGMA {setting}")
        written = WrittenPages()
        log = write_ahead_log.WriteAheadLog(path, written)
        writer.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, body TEXT)")
        writer.executemany("INSERT INTO things VALUES (?, ?)", [(number, "x" * 3000) for number in range(100)])
        # Keeps the log from being begun anew.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM things").fetchone()
        log.checkpoint(writer)
        writer.execute("BEGIN")
        writer.execute("UPDATE things SET body = 'y' WHERE id < 50")
        writer.execute("ROLLBACK")
        log.checkpoint(writer)
        before = path.read_bytes()
        writer.execute("UPDATE things SET body = 'z' WHERE id BETWEEN 60 AND 80")
        written.settle(written.take())
        assert len(written) == 0
        reader.execute("ROLLBACK")
        assert log.checkpoint(writer)
        after = path.read_bytes()
        changed = [
            at // 4096 + 1 for at in range(0, len(after), 4096) if after[at : at + 4096] != before[at : at + 4096]
        ]
        assert len(changed) >= 21
        assert set(changed) <= set(written.take().tolist())


def test_what_is_known_is_kept_when_the_store_is_closed_and_only_then(tmp_path):
    directory = tmp_path / "data"
    mark = directory / "mnemic.db-written"
    with closing(open_sqlite(directory)) as store:
        Churn(store, random.Random(1)).write(300)
        before = known_of(store)
        assert not mark.exists()
    assert mark.stat().st_mode & 0o777 == 0o600
    with closing(open_sqlite(directory)) as store:
        assert not mark.exists()
        assert before <= known_of(store)
        store.erasing.clean_files(share=1.0)
    with closing(open_sqlite(directory)) as store:
        # Of the whole file only what was written since.
        assert len(known_of(store)) < 20


def touched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO things (body) VALUES ('written by somebody else')")
        database.commit()


def replaced(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def damaged(path: Path) -> None:
    mark = path.with_name(path.name + "-written")
    data = bytearray(mark.read_bytes())
    data[-3] ^= 1
    mark.write_bytes(data)


def lost(path: Path) -> None:
    path.with_name(path.name + "-written").unlink()


def empty(path: Path) -> None:
    path.with_name(path.name + "-written").write_bytes(b"")


@pytest.mark.parametrize("happens", [touched, replaced, damaged, lost, empty])
def test_after_anything_out_of_order_nothing_is_known_until_all_was_looked_at(tmp_path, happens):
    directory = tmp_path / "data"
    with closing(open_sqlite(directory)) as store:
        churn = Churn(store, random.Random(2))
        churn.write(300)
        store.erasing.clean_files(share=1.0)
    happens(directory / "mnemic.db")
    with closing(open_sqlite(directory)) as store:
        assert not store._cleaning._written.is_known
        churn.store = store
        churn.forget_secrets()
        store.erasing.clean_files(share=1.0)
        assert store._cleaning._written.is_known
        assert search(directory) == []


def test_what_a_version_without_erasure_freed_is_zeroed(tmp_path):
    directory = tmp_path / "data"
    open_sqlite(directory).close()
    with closing(sqlite3.connect(directory / "mnemic.db", isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete=OFF")
        database.execute("CREATE TABLE old (body TEXT)")
        database.executemany("INSERT INTO old VALUES (?)", [("SECRET" + "x" * 3000,) for _ in range(2000)])
        database.execute("DELETE FROM old WHERE rowid > 10")
        database.execute("DELETE FROM old")
    assert search(directory) == ["mnemic.db"]
    with closing(open_sqlite(directory)) as store:
        assert store.erasing.clean_files(share=1.0).pages > 1500
        assert search(directory) == []
        assert store.check() == []


def test_tidying_comes_to_an_end_and_leaves_the_erasure_little(tmp_path, monkeypatch):
    monkeypatch.setattr("mnemic.store.sqlite_cleaning._WORTH_TIDYING", 50)
    monkeypatch.setattr(write_ahead_log, "_FRAMES_PER_CHECKPOINT", 50)
    with closing(open_sqlite(tmp_path / "data")) as store:
        churn = Churn(store, random.Random(4))
        churn.write(1500)
        assert len(store._cleaning._written) > 50
        steps = 0
        while store.erasing.tidy_files():
            steps += 1
            assert steps < 100
        assert steps > 0
        assert len(store._cleaning._written) < 50
        churn.forget_secrets()
        store.erasing.clean_files(share=1.0)
        assert search(tmp_path / "data") == []
        assert store.check() == []


KILLED = textwrap.dedent(
    """
    import os, random, sys
    from pathlib import Path
    from test_written_pages import Churn
    from mnemic.store import write_ahead_log
    from mnemic.store.sqlite import open_sqlite

    write_ahead_log._FRAMES_PER_CHECKPOINT = 50
    churn = Churn(open_sqlite(Path(sys.argv[1])), random.Random(int(sys.argv[2])))
    while True:
        churn.write(20)
        churn.store.erasing.tidy_files()
        os.write(1, b"written\\n")
    """
)


def test_after_a_kill_an_erasure_leaves_nothing(tmp_path):
    directory = tmp_path / "data"
    paths = (Path(mnemic.__file__).parents[1], Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(path) for path in paths)}
    for round_number in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(directory), str(round_number)], stdout=subprocess.PIPE, env=environment
        )
        for _ in range(5 + 3 * round_number):
            assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        with closing(open_sqlite(directory)) as store:
            assert not store._cleaning._written.is_known
            Churn(store, random.Random(0)).forget_secrets()
            store.erasing.clean_files(share=1.0)
            assert search(directory) == []
            assert store.check() == []
