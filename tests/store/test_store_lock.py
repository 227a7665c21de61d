"""One process at a time on a data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from store_support import add, memory_of

import mnemic
from mnemic.model.errors import MnemicError, Reason
from mnemic.store.lock import LOCK_FILE_NAME, DataDirectoryLock
from mnemic.store.sqlite import open_sqlite

HOLD = """
import sys, time
from pathlib import Path
from mnemic.store.sqlite import open_sqlite
store = open_sqlite(Path(sys.argv[1]))
if sys.argv[2]:
    store.announce(sys.argv[2])
print("open", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Starts processes that hold a directory; ends them."""
    started = []

    def start(address=""):
        environment = os.environ | {"PYTHONPATH": str(Path(mnemic.__file__).parents[1])}
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path), address], stdout=subprocess.PIPE, text=True, env=environment
        )
        started.append(process)
        assert process.stdout.readline() == "open\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_process_is_refused_and_told_who_and_what_to_do(tmp_path, holder):
    process = holder("127.0.0.1:50051")
    with pytest.raises(MnemicError) as caught:
        open_sqlite(tmp_path)
    error = caught.value
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert str(tmp_path) in error.message
    assert f"process {process.pid}" in error.message
    assert "use the server at 127.0.0.1:50051, or stop it" in error.message
    assert error.metadata["holder_pid"] == str(process.pid)
    assert error.metadata["holder_address"] == "127.0.0.1:50051"


def test_without_an_address_the_command_is_named(tmp_path, holder):
    process = holder()
    with pytest.raises(MnemicError) as caught:
        open_sqlite(tmp_path)
    assert f"process {process.pid} (python" in caught.value.message
    assert "holder_address" not in caught.value.metadata


def test_a_killed_process_leaves_no_lock(tmp_path, holder):
    process = holder()
    process.send_signal(signal.SIGKILL)
    process.wait()
    store = open_sqlite(tmp_path)
    assert str(os.getpid()) in (tmp_path / LOCK_FILE_NAME).read_text()
    store.close()


def test_the_same_process_cannot_open_twice(tmp_path):
    store = open_sqlite(tmp_path)
    with pytest.raises(MnemicError, match=f"this very process .pid {os.getpid()}"):
        open_sqlite(tmp_path)
    assert add(store, memory_of()) == 1  # The refused open did not hurt the holder.
    store.close()
    store.close()
    again = open_sqlite(tmp_path)
    assert again.revision() == 1
    again.close()


def test_what_fails_to_open_leaves_the_directory_free(tmp_path):
    (tmp_path / "mnemic.db").write_bytes(b"this is no database, it only lies where one should be" * 100)
    for _ in range(2):
        with pytest.raises(MnemicError) as caught:
            open_sqlite(tmp_path)
        assert caught.value.reason is Reason.CORRUPT_DATA
    DataDirectoryLock(tmp_path).release()


def test_garbage_in_the_lock_file_is_no_obstacle(tmp_path):
    (tmp_path / LOCK_FILE_NAME).write_bytes(b"\xff\xfe{")
    lock = DataDirectoryLock(tmp_path)
    (tmp_path / LOCK_FILE_NAME).write_bytes(b"[1")
    with pytest.raises(MnemicError, match="in use by another process"):
        DataDirectoryLock(tmp_path)
    lock.release()


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    lock = DataDirectoryLock(tmp_path)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:  # Lives on after the parent let go.
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    os.close(read_end)
    time.sleep(0.05)
    try:
        lock.release()
        DataDirectoryLock(tmp_path).release()
    finally:
        os.close(write_end)
        os.waitpid(child, 0)


def test_others_can_read_neither_directory_nor_database(tmp_path):
    directory = tmp_path / "new" / "data"
    store = open_sqlite(directory)
    add(store, memory_of())
    assert directory.stat().st_mode & 0o777 == 0o700
    for name in ("mnemic.db", "mnemic.db-wal", LOCK_FILE_NAME):
        assert (directory / name).stat().st_mode & 0o077 == 0, name
    store.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MnemicError) as caught:
        open_sqlite(tmp_path / "file" / "data")
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert str(tmp_path / "file") in caught.value.message
