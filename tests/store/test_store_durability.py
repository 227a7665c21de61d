"""What was acknowledged survives `kill -9`, half of nothing does, and a database that fails says so."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from store_support import DIMENSION, MODEL, add, change, memory_of, new_id, vector_of

import mnemic
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.scope import OwnerKind, PartitionKey, Scope, ScopeMatch
from mnemic.store.sqlite import open_sqlite
from mnemic.store.work import OutboxKind

KILL_ROUNDS = int(os.environ.get("MNEMIC_TEST_KILL_ROUNDS", "25"))
BATCH = 7

# Writes batches for ever from two threads, changes some, and acknowledges each commit on its output.
WRITER = """
import itertools, os, sys, threading
from pathlib import Path
from store_support import add, change, memory_of, vector_of
from mnemic.model.scope import Scope
from mnemic.store.interface import RequestRecord
from mnemic.store.work import OutboxKind, OutboxWrite
from mnemic.store.sqlite import open_sqlite

store = open_sqlite(Path(sys.argv[1]))
start, batch = int(sys.argv[2]), int(sys.argv[3])
store.register_model("test-model:1", 8, active=True)

def write(thread):
    for number in itertools.count():
        name = f"{start}-{thread}-{number}"
        memories = [
            memory_of("text", Scope(user_id="ann", session_id=f"s{i}"), vector=vector_of(i), memory_id=f"{name}-{i}")
            for i in range(batch)
        ]
        revision = add(
            store,
            *memories,
            request=RequestRecord("AddMemories", name, "f", "{}"),
            outbox=[OutboxWrite(OutboxKind.EXTRACT, (name,))],
        )
        os.write(1, f"added {revision} {name}\\n".encode())
        if number % 3 == 0:
            change(store, memories[0], f"{name} changed", now=5000)
            os.write(1, f"changed {name}\\n".encode())

for thread in range(2):
    threading.Thread(target=write, args=(thread,)).start()
"""


def run_writer(directory, start, seconds):
    """What a writer acknowledged until it was killed at a random moment."""
    paths = (Path(mnemic.__file__).parents[1], Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(path) for path in paths)}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(start), str(BATCH)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    lines = [process.stdout.readline()]
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.read().splitlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return [line.split() for line in lines]


def test_kill_9_loses_nothing_that_was_acknowledged_and_leaves_no_half_batch(tmp_path):
    clock = random.Random(20240229)
    acknowledged: dict[str, int] = {}
    changed: set[str] = set()
    for number in range(KILL_ROUNDS):
        for kind, *rest in run_writer(tmp_path, number, clock.uniform(0, 0.12)):
            if kind == "added":
                acknowledged[rest[1]] = int(rest[0])
            else:
                changed.add(rest[0])
        store = open_sqlite(tmp_path)
        assert store.check() == []
        rows, revision = store.partition_rows(PartitionKey("t", OwnerKind.USER, "ann"))
        assert store.revision() == revision
        found: dict[str, set[int]] = {}
        for memory, vector in rows:
            batch, _, position = memory.memory_id.rpartition("-")
            found.setdefault(batch, set()).add(int(position))
            assert vector == vector_of(int(position))
        assert all(positions == set(range(BATCH)) for positions in found.values())
        assert acknowledged.keys() <= found.keys()
        # A commit that was cut off before it could be acknowledged may stand; then all of it does.
        written = {memory.revision for memory, _ in rows}
        assert written == set(range(1, revision + 1))
        latest = store.get("t", [f"{batch}-0" for batch in changed])
        assert all(memory.version == 2 for memory in latest.values())
        assert len(latest) == len(changed)
        for batch in found:
            assert store.find_request("t", "AddMemories", batch) is not None
        assert store.stats().outbox_pending == len(found)
        for batch, at in acknowledged.items():
            record = store.find_request("t", "AddMemories", batch)
            assert record is not None
            assert record.revision == at
        store.close()
    assert len(acknowledged) >= KILL_ROUNDS


def test_a_copy_of_the_files_after_a_commit_has_it(tmp_path):
    """The log alone carries the commit: nothing waits for the store to be closed."""
    store = open_sqlite(tmp_path / "a")
    memory = memory_of()
    add(store, memory)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    copy = open_sqlite(tmp_path / "b")
    assert list(copy.get("t", [memory.memory_id])) == [memory.memory_id]
    copy.close()
    store.close()


def test_connections_are_set_up_for_durability(store):
    def setting(connection, name):
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

    with store._database.writing() as connection:
        assert setting(connection, "journal_mode") == "wal"
        assert setting(connection, "synchronous") == 2
        assert setting(connection, "foreign_keys") == 1
        assert setting(connection, "busy_timeout") == 5000
    with store._database.reading() as connection:
        assert setting(connection, "query_only") == 1
        assert setting(connection, "temp_store") == 2


def test_a_reader_does_not_wait_for_a_writer(store):
    memory = memory_of()
    add(store, memory)
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with store._database.writing() as connection:
            connection.exec_driver_sql("UPDATE store_state SET revision = revision + 1")
            entered.set()
            leave.wait()
            connection.exec_driver_sql("UPDATE store_state SET revision = revision - 1")

    writer = threading.Thread(target=hold)
    writer.start()
    entered.wait()
    try:
        started = time.monotonic()
        assert store.revision() == 1
        assert len(store.get("t", [memory.memory_id])) == 1
        assert time.monotonic() - started < 1
    finally:
        leave.set()
        writer.join()


def failure(call):
    with pytest.raises(MnemicError) as caught:
        call()
    assert str(caught.value.metadata["path"]) in caught.value.message
    return caught.value


def test_a_locked_database_is_unavailable_for_writes_only(tmp_path):
    store = open_sqlite(tmp_path, busy_timeout_seconds=0.05)
    other = sqlite3.connect(tmp_path / "mnemic.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    error = failure(lambda: add(store, memory_of()))
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert error.metadata["sqlite_error"].startswith("SQLITE_BUSY")
    assert store.revision() == 0
    other.execute("ROLLBACK")
    other.close()
    assert add(store, memory_of()) == 1
    store.close()


def test_a_full_disk_is_unavailable_and_nothing_is_half_written(store):
    add(store, memory_of())
    with store._database._write_lock, store._database._writer.connect() as connection:
        raw = connection.connection.driver_connection
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count={pages}")
    error = failure(lambda: add(store, *(memory_of("x" * 30_000) for _ in range(20))))
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert error.metadata["sqlite_error"] == "SQLITE_FULL"
    assert "free some space" in error.message
    assert store.revision() == 1
    assert len(store.list_memories("t", Scope(), ScopeMatch.TENANT, limit=50, now_micros=0)) == 1
    with store._database._write_lock, store._database._writer.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA max_page_count=1000000")
    assert add(store, memory_of()) == 2


def test_a_database_that_may_not_be_written_says_so(store):
    with store._database._write_lock, store._database._writer.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA query_only=ON")
    error = failure(lambda: add(store, memory_of()))
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert error.metadata["sqlite_error"] == "SQLITE_READONLY"
    assert store.revision() == 0


def test_a_damaged_file_is_reported_as_corrupt(tmp_path):
    store = open_sqlite(tmp_path)
    path = tmp_path / "mnemic.db"
    store.close()
    # What an empty database has stays whole, so that it can be opened.
    empty = path.stat().st_size
    store = open_sqlite(tmp_path)
    for number in range(20):
        add(store, *(memory_of(f"{number} {'x' * 2000}") for _ in range(10)))
    store.close()
    with path.open("r+b") as file:
        size = path.stat().st_size
        for position in range(empty, size - 4096, 4096):
            file.seek(position)
            file.write(b"\xa5" * 4096)
    store = open_sqlite(tmp_path)
    error = failure(lambda: store.partition_rows(PartitionKey("t", OwnerKind.USER, "ann")))
    assert error.reason is Reason.CORRUPT_DATA
    assert error.metadata["sqlite_error"].startswith("SQLITE_CORRUPT")
    assert "restore a backup" in error.message
    assert store.check() == [error.message]
    store.close()


def test_contradictions_are_found(tmp_path):
    store = open_sqlite(tmp_path)
    store.register_model(MODEL, DIMENSION, active=True)
    first, second = memory_of("first", vector=vector_of(1)), memory_of("second", vector=vector_of(1))
    add(store, first, second)
    change(store, first, "again", now=2000)
    store.close()

    def damage(*statements):
        shutil.copytree(tmp_path, directory := tmp_path.with_name(f"copy-{new_id()}"))
        raw = sqlite3.connect(directory / "mnemic.db")
        for statement in statements:
            raw.execute(statement)
        raw.commit()
        raw.close()
        damaged = open_sqlite(directory)
        found = damaged.check()
        damaged.close()
        return " ".join(found)

    assert damage() == ""
    assert "revision counter is at 0" in damage("UPDATE store_state SET revision = 0")
    assert "version rows is at 1" in damage("UPDATE store_state SET last_version_id = 1")
    assert "state is missing" in damage("DELETE FROM store_state")
    assert "more than one version holds" in damage(
        "DROP INDEX uq_memory_versions_one_holds", "UPDATE memory_versions SET valid_to_micros = NULL"
    )
    assert "not the latest" in damage(
        "UPDATE memory_versions SET valid_to_micros = 5 WHERE version = 2",
        "UPDATE memory_versions SET valid_to_micros = NULL WHERE version = 1",
    )
    assert "although the memory is deleted" in damage("UPDATE memory_versions SET is_deleted = 1")
    assert "superseded and holds" in damage("UPDATE memory_versions SET superseded_by = memory_id WHERE version = 2")
    assert "disagree" in damage("UPDATE memory_versions SET is_deleted = 1 WHERE version = 2")
    assert "not that of the scope" in damage(
        "INSERT INTO tenants (tenant, create_time_micros) SELECT 'other', 0", "UPDATE scopes SET tenant = 'other'"
    )
    assert "counters do not say" in damage("UPDATE tenants SET memory_count = 7 WHERE tenant = 't'")
    assert "counters do not say" in damage("UPDATE tenants SET body_bytes = 7 WHERE tenant = 'default'")
    assert second.memory_id in damage("DELETE FROM embeddings WHERE version_id = 2")
    assert "length of its model" in damage("UPDATE embeddings SET vector = x'00'")
    assert "refers to a row of scopes" in damage("DELETE FROM scopes")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_directory_is_unavailable(tmp_path):
    open_sqlite(tmp_path).close()
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(MnemicError) as caught:
            open_sqlite(tmp_path)
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
    finally:
        tmp_path.chmod(0o700)


def test_a_closed_store_says_so(tmp_path):
    store = open_sqlite(tmp_path)
    store.close()
    for call in (
        store.revision,
        lambda: add(store, memory_of()),
        lambda: store.claim_outbox(OutboxKind.EMBED, limit=1, now_micros=0, lease_micros=1),
    ):
        with pytest.raises(MnemicError) as caught:
            call()
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
        assert "closed" in caught.value.message
