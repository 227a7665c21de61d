"""Which pages of a SQLite database file may hold bytes that nothing refers to: those written since they were last seen.

A page that was found to have no unused bytes but zeros (`mnemic.store.page_cleaning`) stays so until it is written.
`mnemic.store.write_ahead_log` tells of each page before a checkpoint writes it. So what must be looked at to know that
nothing of what was deleted is left is what was written since, not the whole file:

    every page of the file with unused bytes that are not zero is among these, or is not known to be any different.

What is known lasts for the life of a process. When the store is closed in order it is kept in a file beside the
database, with what tells whether anybody has touched the database since: its inode, size and times. The next start
takes the file away before it opens the database. So after a crash, a restored backup, a copied directory or a visit of
another program nothing is known, and every page counts as written.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mnemic.store.page_cleaning import Numbers

_Bits = np.ndarray[Any, np.dtype[np.bool_]]

MARK_SUFFIX = "-written"
_FORMAT = 1


class WrittenPages:
    """The pages of one database file, by their numbers from 1, that are to be looked at; safe for use by threads.

    Attributes:
        is_known: Whether pages that are not among these have no leftovers; if not, all are to be looked at.
        knows_free_pages: Whether every page on the free list was zeroed when it came there.
    """

    def __init__(self) -> None:
        self.is_known = True
        self.knows_free_pages = True
        self._lock = threading.Lock()
        self._written = np.zeros(1, np.bool_)
        # Taken by somebody who looks at them, and not settled yet.
        self._taken = np.zeros(1, np.bool_)
        # Those with frames in the log that are not in the file: what the file has of them says nothing.
        self._in_log = np.zeros(1, np.bool_)

    def __len__(self) -> int:
        """How many pages are to be looked at."""
        with self._lock:
            return int(np.count_nonzero(self._written | self._taken))

    def note(self, numbers: Numbers) -> None:
        """Pages that the log holds, and that the next checkpoint writes."""
        if not len(numbers):
            return
        with self._lock:
            self._grow(int(numbers.max()))
            self._written[numbers] = True
            self._in_log[numbers] = True

    def note_copied(self) -> None:
        """Everything that the log holds is in the file."""
        with self._lock:
            self._in_log[:] = False

    def forget(self) -> None:
        """Nothing is known of the file any more."""
        with self._lock:
            self.is_known = self.knows_free_pages = False

    def take_for_written(self, pages: int) -> None:
        """All pages of the file, which are so many, are to be looked at; those that it has not got yet are noted."""
        with self._lock:
            self._grow(pages)
            self._written[1 : pages + 1] = True
            self.is_known = True

    def take(self, limit: int | None = None) -> Numbers:
        """Pages to look at, in ascending order, and those that somebody took and did not settle. They stay among what
        is to be looked at until they are settled.

        Args:
            limit: Not many more than so many; None for all whose content is in the file.
        """
        with self._lock:
            found = np.flatnonzero(self._written & ~self._in_log)[:limit]
            self._written[found] = False
            self._taken[found] = True
            return np.flatnonzero(self._taken)

    def settle(self, numbers: Numbers) -> None:
        """Of these pages nothing is left that was there when they were taken."""
        with self._lock:
            self._taken[numbers] = False

    def are_in_log(self, numbers: Numbers) -> _Bits:
        """For each page, whether the file does not have it as it is."""
        with self._lock:
            return self._in_log[numbers]

    def keep(self, database: Path) -> None:
        """Keeps what is known for the next start. Nobody has the database open, and all of it is durable.

        Raises:
            OSError: It cannot be written; the next start then knows nothing.
        """
        if not self.is_known or _has_log(database):
            return
        with self._lock:
            bits = self._written | self._taken
            packed = zlib.compress(np.packbits(bits).tobytes(), 1)
            head = {
                "format": _FORMAT,
                "database": _state_of(database),
                "knows_free_pages": self.knows_free_pages,
                "pages": len(bits),
                "sha256": hashlib.sha256(packed).hexdigest(),
            }
        mark = _mark_of(database)
        making = mark.with_name(mark.name + ".new")
        with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(json.dumps(head).encode() + b"\n" + packed)
            file.flush()
            os.fsync(file.fileno())
        making.replace(mark)
        _sync_directory(database)

    @classmethod
    def of(cls, database: Path) -> WrittenPages:
        """What is known of a database file that nobody has open. Its mark is gone for good when this returns.

        Raises:
            OSError: The mark cannot be removed.
        """
        mark = _mark_of(database)
        known = cls._read_mark(mark, database)
        try:
            mark.unlink()
        except FileNotFoundError:
            pass
        else:
            _sync_directory(database)
        if known is None:
            known = cls()
            if database.stat().st_size or _has_log(database):
                known.forget()
        return known

    @classmethod
    def _read_mark(cls, mark: Path, database: Path) -> WrittenPages | None:
        try:
            line, _, packed = mark.read_bytes().partition(b"\n")
            head = json.loads(line)
            if head["format"] != _FORMAT or head["database"] != _state_of(database) or _has_log(database):
                return None
            if head["sha256"] != hashlib.sha256(packed).hexdigest():
                return None
            known = cls()
            known._written = np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8))[: head["pages"]].astype(
                np.bool_
            )
            known._taken = np.zeros_like(known._written)
            known._in_log = np.zeros_like(known._written)
            known.knows_free_pages = bool(head["knows_free_pages"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return known

    def _grow(self, last: int) -> None:
        if last < len(self._written):
            return
        more = np.zeros(max(last + 1, 2 * len(self._written)) - len(self._written), np.bool_)
        self._written, self._taken, self._in_log = (
            np.concatenate((bits, more)) for bits in (self._written, self._taken, self._in_log)
        )


def _mark_of(database: Path) -> Path:
    return database.with_name(database.name + MARK_SUFFIX)


def _has_log(database: Path) -> bool:
    log = database.with_name(database.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _state_of(database: Path) -> list[int]:
    """What is another when somebody has written the file, or put another in its place."""
    found = database.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _sync_directory(database: Path) -> None:
    descriptor = os.open(database.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
