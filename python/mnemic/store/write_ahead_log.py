"""SQLite's write-ahead log: which pages it holds, and bringing them into the database.

In write-ahead mode a page of the database file changes in one way only: a checkpoint copies it there from a frame of
the log. So whoever reads the headers of the frames before each checkpoint, and makes all checkpoints, knows of every
page that changes. SQLite's own checkpoints are therefore switched off for the connection that writes
(`PRAGMA wal_autocheckpoint=0`), and made here instead, at the size at which SQLite makes them. One more it makes by
itself, when the last connection is closed: `look_before_closing` comes before that.

The format is documented and fixed (https://www.sqlite.org/fileformat2.html#walformat): a header of 32 bytes, of which
two salts name the log's present generation, then frames of a header (24 bytes: the page's number, the number of pages
after the commit, the salts) and a page. A log that was copied into the database whole is begun anew with other salts,
over the old frames.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mnemic.store.page_cleaning import Numbers
from mnemic.store.written_pages import WrittenPages

# As SQLite's own.
_FRAMES_PER_CHECKPOINT = 1000
_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_FRAMES_AT_ONCE = 256


class WriteAheadLog:
    """Notes the pages of one database's log, and makes the checkpoints.

    Every method but `size` needs that nobody in this process writes meanwhile.

    Args:
        database: The database file.
        written: Is told of every page before it changes in the file.
    """

    def __init__(self, database: Path, written: WrittenPages) -> None:
        self._path = database.with_name(database.name + "-wal")
        self._written = written
        # The generation whose frames were noted, and how many of them are known to stay as they are.
        self._salts = b""
        self._noted = 0
        self._read = 0

    def size(self) -> int:
        """Its bytes on disk."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def is_due(self) -> bool:
        """Whether it has grown so long that a checkpoint is due."""
        with self._opened() as opened:
            if opened is None:
                return False
            descriptor, header = opened
            at = _HEADER_BYTES + (_FRAMES_PER_CHECKPOINT - 1) * (_FRAME_HEADER_BYTES + _page_bytes(header)) + 8
            return os.pread(descriptor, 8, at) == header[16:24]

    def look(self) -> None:
        """Notes the pages of all frames that are new."""
        with self._opened() as opened:
            if opened is None:
                self._noted = self._read = 0
                return
            descriptor, header = opened
            if header[16:24] != self._salts:
                self._salts, self._noted = header[16:24], 0
            self._read = self._noted
            for numbers in _frames(descriptor, header, self._noted):
                self._written.note(numbers)
                self._read += len(numbers)

    def look_before_closing(self) -> None:
        """Notes what SQLite copies by itself when the last connection is closed."""
        try:
            self.look()
        except OSError:
            self._written.forget()

    def checkpoint(self, connection: sqlite3.Connection, *, empties: bool = False) -> bool:
        """Copies what the log holds into the database, as far as nobody reads an older state.

        Args:
            connection: The one that writes, outside of a transaction.
            empties: Whether the log is cut to nothing; then all is copied, or nothing.

        Returns:
            Whether everything was copied.
        """
        self.look()
        if empties:
            (timeout,) = connection.execute("PRAGMA busy_timeout").fetchone()
            connection.execute("PRAGMA busy_timeout=0")
            busy, frames, copied = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.execute(f"PRAGMA busy_timeout={int(timeout)}")
        else:
            busy, frames, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if frames > self._read:
            # Another process has written to it between the two.
            self._written.forget()
        # What lies behind these belongs to a transaction that failed: the next one writes over it.
        self._noted = max(frames, 0)
        if not busy and frames == copied:
            self._written.note_copied()
            return True
        return False

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, bytes] | None]:
        """Its descriptor and header. SQLite locks the database and the index of the log, never the log itself, so that
        closing a descriptor of it drops no lock.
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            header = os.pread(descriptor, _HEADER_BYTES, 0)
            yield (descriptor, header) if len(header) == _HEADER_BYTES else None
        finally:
            os.close(descriptor)


def _page_bytes(header: bytes) -> int:
    return int.from_bytes(header[8:12])


def _frames(descriptor: int, header: bytes, after: int) -> Iterator[Numbers]:
    """The page numbers of the frames of the present generation, behind the first ones."""
    frame_bytes = _FRAME_HEADER_BYTES + _page_bytes(header)
    salts = np.frombuffer(header[16:24], ">u8")[0]
    buffer = bytearray(_FRAMES_AT_ONCE * frame_bytes)
    while True:
        # A log of millions of frames is read in steps of about 1 MB, which stay in the processor's cache.
        count = os.preadv(descriptor, [buffer], _HEADER_BYTES + after * frame_bytes) // frame_bytes
        flat = np.frombuffer(buffer, np.uint8)[: count * frame_bytes].reshape(count, frame_bytes)[:, :16]
        fields = np.ascontiguousarray(flat)
        is_present = fields[:, 8:16].copy().view(">u8")[:, 0] == salts
        present = count if is_present.all() else int(np.argmin(is_present))
        if present:
            yield fields[:present, :4].copy().view(">u4")[:, 0].astype(np.int64)
        if present < _FRAMES_AT_ONCE:
            return
        after += present
