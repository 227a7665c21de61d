"""Unused bytes of a database are found and zeroed, and nothing else changes."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemic.store.page_cleaning import PageFile, unused_spans

SECRET = b"SECRET"


def churned(path: Path, *, seed: int, page_bytes: int, secure: bool) -> None:
    """A database whose rows came, grew and went in no order: some were secret, and are deleted."""
    chance = random.Random(seed)
    # Without `secure_delete` a page may be freed and used again within a statement, and then the rest of a long value's
    # last page is not looked at: what was written by a Mnemic before erasure. So here no value is so long.
    lengths = (0, 30, 200, 3000) if secure else (0, 30, 100)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA page_size={page_bytes}")
        database.execute(f"PRAGMA secure_delete={'ON' if secure else 'OFF'}")
        database.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, hash TEXT, body TEXT, is_secret INTEGER)")
        database.execute("CREATE INDEX by_hash ON things (hash)")
        database.execute("CREATE TABLE named (name TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID")
        database.execute("BEGIN")
        for number in range(1500):
            is_secret = number % 3 == 0
            mark = "SECRET" if is_secret else "plain"
            name = f"{chance.getrandbits(64):016x}{mark}"
            body = f"{mark} {number} " + "x" * chance.choice(lengths)
            database.execute("INSERT INTO things VALUES (?, ?, ?, ?)", (number, name, body, is_secret))
            database.execute("INSERT INTO named VALUES (?, ?)", (name, body.encode()))
            if chance.random() < 0.2:
                database.execute(
                    "UPDATE things SET body = body || ? WHERE id = ?", (body[:50], chance.randrange(number + 1))
                )
        database.execute("DELETE FROM things WHERE is_secret OR body LIKE '%SECRET%'")
        database.execute("DELETE FROM named WHERE name LIKE '%SECRET'")
        database.execute("COMMIT")


def contents(path: Path) -> list[tuple]:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [
            *database.execute("SELECT * FROM things ORDER BY id"),
            *database.execute("SELECT hash FROM things ORDER BY hash"),
            *database.execute("SELECT * FROM named ORDER BY name"),
        ]


@pytest.mark.parametrize(
    ("page_bytes", "secure"), [(512, True), (4096, True), (65536, True), (4096, False), (65536, False)]
)
@settings(max_examples=4)
@given(seed=st.integers(0, 1 << 30))
def test_what_was_deleted_is_zeroed_and_what_is_there_stays(tmp_path_factory, page_bytes, secure, seed):
    path = tmp_path_factory.mktemp("pages") / "a.db"
    churned(path, seed=seed, page_bytes=page_bytes, secure=secure)
    before = contents(path)
    file = PageFile(path)
    try:
        file.clean()
        # Free blocks are looked at again each time; none has anything left.
        assert file.clean() == 0
    finally:
        file.close()
    assert SECRET not in path.read_bytes()
    assert contents(path) == before


def test_sqlite_alone_leaves_copies_behind(tmp_path):
    """Why there is a cleaning: with `secure_delete` on some of what was deleted is still in the file."""
    left = 0
    for seed in range(5):
        path = tmp_path / f"{seed}.db"
        churned(path, seed=seed, page_bytes=4096, secure=True)
        left += path.read_bytes().count(SECRET)
    assert left > 0


def test_a_page_that_contradicts_itself_is_left_alone():
    page = bytearray(512)
    page[0] = 13
    page[5:7] = (600).to_bytes(2)
    assert unused_spans(bytes(page), 2, 512) == []
    page[5:7] = (400).to_bytes(2)
    page[1:3] = (300).to_bytes(2)
    assert unused_spans(bytes(page), 2, 512) == []
    page[1:3] = (0).to_bytes(2)
    assert unused_spans(bytes(page), 2, 512) == [(8, 400)]
    page[0] = 0
    assert unused_spans(bytes(page), 2, 512) == []


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"x" * 4096)
    file = PageFile(path)
    with pytest.raises(ValueError, match="no SQLite database"):
        file.clean()
    file.close()
    file.close()


def test_a_database_that_vacuums_itself_is_refused_and_left_alone(tmp_path):
    """Its pointer maps begin like b-tree pages do, and would be zeroed as such."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA auto_vacuum=FULL")
        database.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, body TEXT)")
        database.executemany("INSERT INTO things (body) VALUES (?)", [("x" * 9000,)] * 50)
        database.commit()
    before = path.read_bytes()
    file = PageFile(path)
    try:
        with pytest.raises(ValueError, match="vacuums itself"):
            file.clean()
        with pytest.raises(ValueError, match="vacuums itself"):
            file.zero_leftovers(range(1, len(before) // 4096 + 1))
    finally:
        file.close()
    assert path.read_bytes() == before
