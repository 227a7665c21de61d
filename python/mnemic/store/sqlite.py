"""The embedded store: one SQLite file in a data directory of its own.

Write-ahead logging lets readers go on while one connection writes; `synchronous=FULL` makes each commit wait for the
disk. The directory belongs to one process at a time (`mnemic.store.lock`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.backup import CopiedState, CopyProgress
from mnemic.store.copying import copy_database
from mnemic.store.database import Database
from mnemic.store.lock import DataDirectoryLock
from mnemic.store.model_store import ModelStore
from mnemic.store.schema import migrate
from mnemic.store.sealing import PLAIN, Sealer, execution_options
from mnemic.store.sealing_settings import NO_ENCRYPTION, EncryptionSettings
from mnemic.store.sealing_state import open_sealer, refuse_without_key, take_state
from mnemic.store.sealing_steps import Progress, seal_store
from mnemic.store.sql import SqlStore
from mnemic.store.sql_models import SqlModels
from mnemic.store.sqlite_cleaning import SqliteCleaning
from mnemic.store.write_ahead_log import WriteAheadLog
from mnemic.store.written_pages import WrittenPages

if TYPE_CHECKING:
    from mnemic.store.sealing_files import FileSealer

DATABASE_FILE_NAME = "mnemic.db"
DEFAULT_BUSY_TIMEOUT_SECONDS = 5.0

# Idle connections that are kept; more are opened while more threads read at once.
_KEPT_READERS = 8
_CACHE_KIBIBYTES = 8 * 1024
# The write-ahead log is cut back to this after it has grown behind a long read.
_LOG_BYTES = 64 * 1024 * 1024


class SqliteStore(SqlStore):
    """The store in a data directory; made by `open_sqlite`."""

    def __init__(
        self, database: Database, path: Path, lock: DataDirectoryLock, sealer: Sealer, cleaning: SqliteCleaning
    ) -> None:
        self._sealer = sealer
        self._path = path
        self._lock = lock
        self._cleaning = cleaning
        super().__init__(
            database,
            bytes_on_disk=self._size_of_files,
            find_damage=self._check_file,
            clean_files=cleaning.clean,
            tidy_files=cleaning.tidy,
            release=self._let_go,
        )

    @property
    def directory(self) -> Path:
        """See `Store.directory`."""
        return self._path.parent

    @property
    def file_sealer(self) -> FileSealer | None:
        """See `Store.file_sealer`."""
        if not self._sealer.seals:
            return None
        from mnemic.store.sealing_files import FileSealer  # noqa: PLC0415 (loads the cryptography)

        return FileSealer(self._sealer.keyring, self.directory)

    def seal(self, progress: Progress = lambda _done, _total: None) -> int:
        """Encrypts what a store holds plain that was opened with `enabling`; see `mnemic.store.sealing_steps`."""
        try:
            return seal_store(self._database, self._sealer, self._path, progress)
        finally:
            self._cleaning.forget()

    def announce(self, address: str) -> None:
        """See `Store.announce`."""
        self._lock.announce(address)

    def copy_to(self, target: Path, progress: CopyProgress) -> CopiedState:
        """See `BackupStore.copy_to`."""
        return copy_database(self._path, target, progress)

    def _let_go(self) -> None:
        self._cleaning.close()
        self._sealer.close()
        self._lock.release()

    def _size_of_files(self) -> int:
        files = (self._path.with_name(self._path.name + suffix) for suffix in ("", "-wal", "-shm"))
        return sum(file.stat().st_size for file in files if file.exists())

    def _check_file(self) -> list[str]:
        with self._database.reading() as connection:
            integrity = connection.execute(text("PRAGMA integrity_check(20)")).scalars().all()
            orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
        found = [f"integrity check: {line}" for line in integrity if line != "ok"]
        found.extend(f"{row[0]} row {row[1]} refers to a row of {row[2]} that is not there" for row in orphans[:20])
        return found


def open_sqlite(
    data_directory: Path,
    *,
    encryption: EncryptionSettings = NO_ENCRYPTION,
    enabling: bool = False,
    busy_timeout_seconds: float = DEFAULT_BUSY_TIMEOUT_SECONDS,
) -> SqliteStore:
    """Opens the store of a data directory, making directory and database when they are not there.

    Args:
        data_directory: Made with permissions 0700. Must lie on a local disk.
        encryption: Where the master key comes from, if what is kept is encrypted.
        enabling: Whether the store is opened to encrypt what it holds plain; see `mnemic.store.sealing_steps`.
        busy_timeout_seconds: How long to wait for a lock on the database file that somebody else holds, such as a
            backup tool.

    Returns:
        The store, with its schema brought up to date. Only this process has it until it is closed.

    Raises:
        MnemicError: STORE_UNAVAILABLE when another process has the directory, it cannot be written, or it was written
            by a newer Mnemic, or encrypted under another master key; CORRUPT_DATA when the file is not a database.
    """
    directory = data_directory.expanduser().absolute()
    path = directory / DATABASE_FILE_NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable_directory(directory, error) from error
    lock = DataDirectoryLock(directory)
    try:
        # Made here so that others cannot read it even in a directory that they can; SQLite gives its log the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # Before anybody opens the database.
        written = WrittenPages.of(path)
        log = WriteAheadLog(path, written)
        sealer = open_sealer(path, encryption)
        try:
            database = _open_database(path, busy_timeout_seconds, sealer, log, enabling=enabling)
        except BaseException:
            sealer.close()
            raise
        return SqliteStore(database, path, lock, sealer, SqliteCleaning(database, path, log, written))
    except OSError as error:
        lock.release()
        raise _unusable_directory(directory, error) from error
    except BaseException:
        lock.release()
        raise


@contextmanager
def look_into(data_directory: Path) -> Iterator[ModelStore]:
    """What a data directory knows of its models, without taking it from a process that has it.

    Raises:
        MnemicError: STORE_UNAVAILABLE when there is no database of the current schema.
    """
    path = data_directory.expanduser().absolute() / DATABASE_FILE_NAME
    if not path.exists():
        raise MnemicError(Reason.STORE_UNAVAILABLE, f"there is no database in {path.parent}")
    reader = _make_engine(path, DEFAULT_BUSY_TIMEOUT_SECONDS, PLAIN, writes=False)
    # Nothing is written through it, so what its log notes is nobody's.
    log = WriteAheadLog(path, WrittenPages())
    database = Database(readers=reader, writer=reader, translate=lambda error: translate_error(error, path), log=log)
    try:
        yield _Look(database)
    finally:
        database.close()


class _Look(SqlModels):
    """Reads of a database that another process may have; its connections refuse to write."""

    def __init__(self, database: Database) -> None:
        self._database = database


def _open_database(
    path: Path, busy_timeout_seconds: float, sealer: Sealer, log: WriteAheadLog, *, enabling: bool
) -> Database:
    database = Database(
        readers=_make_engine(path, busy_timeout_seconds, sealer, writes=False),
        writer=_make_engine(path, busy_timeout_seconds, sealer, writes=True),
        translate=lambda error: translate_error(error, path),
        log=log,
    )
    try:
        with database.writing() as connection:
            refuse_without_key(connection, sealer)
            migrate(connection)
            take_state(connection, sealer, enabling=enabling)
    except BaseException:
        database.close()
        raise
    return database


def _make_engine(path: Path, busy_timeout_seconds: float, sealer: Sealer, *, writes: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        execution_options=execution_options(sealer),
        hide_parameters=True,  # they are what people said, and an error may be logged
        poolclass=QueuePool,
        pool_size=1 if writes else _KEPT_READERS,
        max_overflow=0 if writes else -1,
        connect_args={"timeout": busy_timeout_seconds, "check_same_thread": False, "cached_statements": 512},
    )

    def configure(connection: sqlite3.Connection, _record: object) -> None:
        # Transactions begin where SQLAlchemy says, not where the driver guesses.
        connection.isolation_level = None
        settings = [
            ("foreign_keys", "ON"),
            ("synchronous", "FULL"),
            ("temp_store", "MEMORY"),
            ("cache_size", f"-{_CACHE_KIBIBYTES}"),
        ]
        # What is deleted is overwritten with zeros; see `mnemic.store.page_cleaning` for what that leaves over.
        ends = [("journal_size_limit", str(_LOG_BYTES)), ("secure_delete", "ON")]
        settings += ends if writes else [("query_only", "ON")]
        if writes:
            # A file that vacuums itself has pages that `mnemic.store.page_cleaning` could not tell from others.
            connection.execute("PRAGMA auto_vacuum=NONE")
            # `mnemic.store.write_ahead_log` makes the checkpoints.
            connection.execute("PRAGMA wal_autocheckpoint=0")
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode != "wal":
                raise sqlite3.OperationalError(f"the file system does not allow write-ahead logging ({mode})")
        for name, value in settings:
            connection.execute(f"PRAGMA {name}={value}")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


# By SQLite's primary result code, the low byte of an extended one: the reason, and what it means and asks for.
_MEANINGS: dict[int, tuple[Reason, str]] = {
    sqlite3.SQLITE_BUSY: (
        Reason.STORE_UNAVAILABLE,
        "is locked by somebody else, such as a backup or a database browser; end that, or try again",
    ),
    sqlite3.SQLITE_LOCKED: (Reason.STORE_UNAVAILABLE, "is locked by another connection; try again"),
    sqlite3.SQLITE_FULL: (
        Reason.STORE_UNAVAILABLE,
        "cannot grow: the disk or its quota is full; nothing was written; free some space and try again",
    ),
    sqlite3.SQLITE_IOERR: (
        Reason.STORE_UNAVAILABLE,
        "cannot be read or written; look at the disk and the system's log",
    ),
    sqlite3.SQLITE_READONLY: (
        Reason.STORE_UNAVAILABLE,
        "is read-only; give this user the right to write the file and its directory",
    ),
    sqlite3.SQLITE_PERM: (Reason.STORE_UNAVAILABLE, "may not be opened by this user; check its permissions"),
    sqlite3.SQLITE_CANTOPEN: (
        Reason.STORE_UNAVAILABLE,
        "cannot be opened; check that the directory exists, is writable and that files may still be opened",
    ),
    sqlite3.SQLITE_NOMEM: (Reason.STORE_UNAVAILABLE, "could not get memory; try again"),
    sqlite3.SQLITE_CORRUPT: (
        Reason.CORRUPT_DATA,
        "is damaged; stop writing to it, keep a copy of the directory and restore a backup",
    ),
    sqlite3.SQLITE_NOTADB: (
        Reason.CORRUPT_DATA,
        "is not a database; give another data directory, or restore a backup",
    ),
}


def translate_error(error: DBAPIError, path: Path) -> MnemicError:
    """What an error of SQLite means."""
    original: Any = error.orig
    code = getattr(original, "sqlite_errorcode", None)
    name = getattr(original, "sqlite_errorname", "") or type(original).__name__
    metadata = {"path": str(path), "sqlite_error": name}
    if code is not None and code & 0xFF in _MEANINGS:
        reason, meaning = _MEANINGS[code & 0xFF]
        return MnemicError(reason, f"the database {path} {meaning} ({original})", metadata=metadata)
    if code is None and isinstance(original, sqlite3.OperationalError):
        return MnemicError(
            Reason.STORE_UNAVAILABLE, f"the database {path} cannot be used: {original}", metadata=metadata
        )
    return MnemicError(Reason.INTERNAL, f"the database {path} refused a statement: {original}", metadata=metadata)


def _unusable_directory(directory: Path, error: OSError) -> MnemicError:
    return MnemicError(
        Reason.STORE_UNAVAILABLE,
        f"the data directory {directory} cannot be used: {error.strerror}; give one that this user may write",
        metadata={"data_directory": str(directory)},
    )
