"""Cleaning the files of a SQLite store of what was deleted: the write-ahead log, and unused bytes of the database.

Which pages are to be looked at, `mnemic.store.written_pages` knows: those that were written since they were last found
clean. Behind the writes, at a small share of the time, they are looked at and zeroed (`tidy`), so that an erasure finds
few but its own (`clean`).

That an erasure leaves nothing is seen like this. It begins with the log copied whole into the file, and with nothing in
the cache of the connection that writes. So every copy of what was deleted is in unused bytes of pages of the file, and
all these pages are among those that are taken. SQLite never copies unused bytes from one page to another, and it takes
the image of a page that it writes from its cache, from the log or from the file. So until a page is zeroed, what was
deleted is on it and in newer frames of it, and nowhere else; it is zeroed when the log has no newer frame of it, and
with it goes the cache. Frames that were written meanwhile go when the log is emptied at the end.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.database import Database
from mnemic.store.erasure_interface import CleanedFiles
from mnemic.store.page_cleaning import Numbers, PageFile
from mnemic.store.write_ahead_log import WriteAheadLog
from mnemic.store.written_pages import WrittenPages

# Pages that are zeroed while writers wait: about 5 ms.
_ZEROED_AT_ONCE = 500
# Pages between two rests.
_LOOKED_AT_AT_ONCE = 2048
# Fewer are left to the next erasure, or the next time.
_WORTH_TIDYING = 512
_LONGEST_WAIT_SECONDS = 30.0
_RETRY_SECONDS = 0.02


class SqliteCleaning:
    """Cleans one store's files while it is in use; one thread at a time.

    Args:
        database: Its transactions.
        path: The database file.
        log: Its log.
        written: The pages that are to be looked at.
    """

    def __init__(self, database: Database, path: Path, log: WriteAheadLog, written: WrittenPages) -> None:
        self._database = database
        self._path = path
        self._log = log
        self._written = written
        self._file = PageFile(path)

    def clean(self, share: float) -> CleanedFiles:
        """Empties the log and zeroes unused bytes, in steps between which others write. What was deleted before the
        call is in none of the files after it.

        Args:
            share: Of the time how much to work.

        Raises:
            MnemicError: STORE_UNAVAILABLE while somebody reads an older state for long, such as a backup.
        """
        with self._quiet() as log_bytes:
            self._take_all_if_unknown()
            taken = self._written.take()
        zeroed = 0 if self._written.knows_free_pages else self._clean_free_pages(share)
        dirty = self._look_at(taken, share)
        left = []
        for pages in _parts(dirty, _ZEROED_AT_ONCE):
            begin = time.perf_counter()
            with self._database.changing_pages() as connection, _nobody_else_writing(connection):
                self._log.look()
                are_newer = self._written.are_in_log(pages)
                zeroed += self._file.zero_leftovers(pages[~are_newer].tolist())
                left.extend(pages[are_newer].tolist())
            _rest(begin, share)
        for at in range(0, len(left), _ZEROED_AT_ONCE):
            with self._quiet() as more:
                zeroed += self._file.zero_leftovers(left[at : at + _ZEROED_AT_ONCE])
                log_bytes += more
        self._file.sync()
        with self._quiet() as more:
            log_bytes += more
        self._written.settle(taken)
        return CleanedFiles(zeroed, log_bytes)

    def tidy(self) -> bool:
        """Looks at some of the pages that were written, and zeroes what is unused on them; not durably.

        Returns:
            Whether there is more to do, so that it is worth while to call again soon.
        """
        if not self._written.is_known:
            with self._database.alone() as connection:
                if not self._log.checkpoint(connection):
                    return False
                self._take_all_if_unknown()
        elif len(self._written) < _WORTH_TIDYING:
            return False
        taken = self._written.take(_LOOKED_AT_AT_ONCE)
        dirty = self._file.find_leftovers(taken)
        for pages in _parts(dirty, _ZEROED_AT_ONCE):
            with self._database.alone() as connection, _nobody_else_writing(connection):
                self._log.look()
                # The others were noted anew.
                self._file.zero_leftovers(pages[~self._written.are_in_log(pages)].tolist())
        self._written.settle(taken)
        return len(taken) > 0

    def forget(self) -> None:
        """The file was written by somebody else."""
        self._written.forget()

    def close(self) -> None:
        """Closes the file, after the database's connections, and keeps for the next start which pages are clean."""
        if self._file.is_closed:
            return
        # If that fails the next start knows nothing, and looks at all.
        with suppress(OSError):
            self._file.sync()
            self._written.keep(self._path)
        self._file.close()

    def _take_all_if_unknown(self) -> None:
        if not self._written.is_known:
            self._written.take_for_written(self._file.page_count())

    def _look_at(self, numbers: Numbers, share: float) -> Numbers:
        found = [numbers[:0]]
        for pages in _parts(numbers, _LOOKED_AT_AT_ONCE):
            begin = time.perf_counter()
            found.append(self._file.find_leftovers(pages))
            _rest(begin, share)
        return np.concatenate(found)

    def _clean_free_pages(self, share: float) -> int:
        """Zeroes what was freed by a version that did not zero it. What is freed now is zeroed by SQLite."""
        with self._quiet():
            there = list(self._file.free_pages())
        zeroed = 0
        for at in range(0, len(there), _ZEROED_AT_ONCE):
            begin = time.perf_counter()
            with self._quiet():
                free = self._file.free_pages()
                zeroed += self._file.zero_leftovers(
                    [page for page in there[at : at + _ZEROED_AT_ONCE] if page in free], free
                )
            _rest(begin, share)
        self._written.knows_free_pages = True
        return zeroed

    @contextmanager
    def _quiet(self) -> Iterator[int]:
        """Nobody writes in this block: everything is in the database file, and the log, whose bytes it gives, is empty.
        After it the connection that writes has nothing of before in its cache.
        """
        until = time.monotonic() + _LONGEST_WAIT_SECONDS
        while True:
            with self._database.changing_pages() as connection:
                log_bytes = self._log.size()
                if self._log.checkpoint(connection, empties=True):
                    with _nobody_else_writing(connection):
                        if not self._log.size():
                            yield log_bytes
                            return
            if time.monotonic() > until:
                raise _read_elsewhere()
            time.sleep(_RETRY_SECONDS)


@contextmanager
def _nobody_else_writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Nobody, in this process or another, writes in this block, in which the file is changed behind SQLite."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _parts(numbers: Numbers, length: int) -> Iterator[Numbers]:
    return (numbers[at : at + length] for at in range(0, len(numbers), length))


def _rest(begin: float, share: float) -> None:
    time.sleep((time.perf_counter() - begin) * (1.0 / share - 1.0))


def _read_elsewhere() -> MnemicError:
    return MnemicError(
        Reason.STORE_UNAVAILABLE,
        "the write-ahead log cannot be emptied while somebody else uses the database, such as a backup",
        retry_after_seconds=_LONGEST_WAIT_SECONDS,
    )
