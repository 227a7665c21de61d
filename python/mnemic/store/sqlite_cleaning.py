"""Cleaning the files of a SQLite store of what was deleted: the write-ahead log, and unused bytes of the database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.database import Database
from mnemic.store.erasure_interface import CleanedFiles
from mnemic.store.page_cleaning import PageFile
from mnemic.store.rows import chunks

# Pages that are zeroed while writers wait: about 5 ms.
_PAGES_AT_ONCE = 250
_LONGEST_WAIT_SECONDS = 30.0
_RETRY_SECONDS = 0.02


class SqliteCleaning:
    """Cleans one store's files while it is in use.

    Args:
        database: Its transactions.
        path: The database file.
    """

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._log = path.with_name(path.name + "-wal")
        self._file = PageFile(path)

    def clean(self, share: float) -> CleanedFiles:
        """Empties the log and zeroes unused bytes, in steps between which others write.

        What was deleted before the call is in none of the files after it. The database is not written while it is
        scanned, since nothing is checkpointed: so each page is seen whole, and what is left of a deleted row on a page
        stays on that page.

        Args:
            share: Of the time how much to work.

        Raises:
            MnemicError: STORE_UNAVAILABLE while somebody reads an older state for long, such as a backup.
        """
        with self._quiet() as (connection, log_bytes):
            connection.execute("PRAGMA wal_autocheckpoint=0")
        try:
            found = self._file.find_leftovers(share=share)
        finally:
            self._database.renew_writer()
        zeroed = 0
        for pages in [chunk[at : at + _PAGES_AT_ONCE] for chunk in chunks(found)
                      for at in range(0, len(chunk), _PAGES_AT_ONCE)]:  # fmt: skip
            begin = time.perf_counter()
            with self._quiet() as (connection, more):
                log_bytes += more
                # Nobody, in this process or another, may write while the file is changed behind SQLite.
                connection.execute("BEGIN IMMEDIATE")
                try:
                    if self._log_size():
                        raise _read_elsewhere()
                    zeroed += self._file.zero_leftovers(pages)
                finally:
                    connection.execute("ROLLBACK")
            # The connection that writes may have the pages in its cache, as they were.
            self._database.renew_writer()
            time.sleep((time.perf_counter() - begin) * (1.0 / share - 1.0))
        return CleanedFiles(zeroed, log_bytes)

    def close(self) -> None:
        """Closes the file, after the database's connections."""
        self._file.close()

    @contextmanager
    def _quiet(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """The connection that writes, for this block alone, with everything in the database file and an empty log."""
        until = time.monotonic() + _LONGEST_WAIT_SECONDS
        while True:
            with self._database.alone() as connection:
                log_bytes = self._log_size()
                (timeout,) = connection.execute("PRAGMA busy_timeout").fetchone()
                connection.execute("PRAGMA busy_timeout=0")
                (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                connection.execute(f"PRAGMA busy_timeout={int(timeout)}")
                if not is_busy:
                    yield connection, log_bytes
                    return
            if time.monotonic() > until:
                raise _read_elsewhere()
            time.sleep(_RETRY_SECONDS)

    def _log_size(self) -> int:
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0


def _read_elsewhere() -> MnemicError:
    return MnemicError(
        Reason.STORE_UNAVAILABLE,
        "the write-ahead log cannot be emptied while somebody else uses the database, such as a backup",
        retry_after_seconds=_LONGEST_WAIT_SECONDS,
    )
