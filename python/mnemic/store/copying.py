"""Copying a SQLite database while others use it, by SQLite's backup interface.

The copy is taken within one read transaction. In write-ahead mode that holds up nobody: writers append to the log,
which is only not cut back before the copy is done. (Without the transaction a copy begins again at each write, and
under a steady load never ends.)
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.backup import CopiedState, CopyProgress

# 8 MiB: some milliseconds, after which the interpreter's other threads have their turn and progress is told.
_PAGES_PER_STEP = 2048


def copy_database(source: Path, target: Path, progress: CopyProgress) -> CopiedState:
    """See `BackupStore.copy_to`."""
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            state = _copy(source, target, progress)
            sync(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise not_written(target, error.strerror or str(error)) from error
    except sqlite3.Error as error:
        raise not_written(target, str(error)) from error
    return state


def _copy(source: Path, target: Path, progress: CopyProgress) -> CopiedState:
    with (
        closing(sqlite3.connect(source, isolation_level=None, check_same_thread=False)) as reader,
        closing(sqlite3.connect(target, isolation_level=None, check_same_thread=False)) as writer,
    ):
        reader.execute("PRAGMA query_only=ON")
        # Of a copy that breaks off nothing is kept, so it needs no journal and is made durable as a whole.
        writer.execute("PRAGMA journal_mode=OFF")
        writer.execute("PRAGMA synchronous=OFF")
        reader.execute("BEGIN")
        state = _state(reader)
        page_bytes = reader.execute("PRAGMA page_size").fetchone()[0]

        def report(_status: int, remaining: int, total: int) -> None:
            progress((total - remaining) * page_bytes, total * page_bytes)

        reader.backup(writer, pages=_PAGES_PER_STEP, progress=report)
        reader.execute("ROLLBACK")
        # A file by itself, which opens where nothing may be written.
        writer.execute("PRAGMA journal_mode=DELETE")
    return state


def _state(reader: sqlite3.Connection) -> CopiedState:
    columns = {row[1] for row in reader.execute("PRAGMA table_info(store_state)")}
    [revision] = reader.execute("SELECT revision FROM store_state").fetchone()
    [memories] = reader.execute("SELECT coalesce(sum(memory_count), 0) FROM tenants").fetchone()
    encrypted = False
    if "sealing" in columns:
        [sealing] = reader.execute("SELECT sealing FROM store_state").fetchone()
        encrypted = sealing == "sealed"
    return CopiedState(int(revision), int(memories), encrypted)


def sync(path: Path) -> None:
    """Makes a file and its name durable."""
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def not_written(target: Path, why: str) -> MnemicError:
    """The refusal of a file that could not be written."""
    return MnemicError(
        Reason.STORE_UNAVAILABLE,
        f"the backup {target} cannot be written: {why}",
        metadata={"path": str(target)},
    )
