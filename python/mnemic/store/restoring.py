"""Putting a backup into a data directory that nobody has open."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from mnemic.model.backup import Backup
from mnemic.model.errors import MnemicError, Reason
from mnemic.store.backup_files import Progress, check_database, digest_of, files_of, read_manifest, require_same
from mnemic.store.copying import not_written, sync
from mnemic.store.lock import DataDirectoryLock
from mnemic.store.sqlite import DATABASE_FILE_NAME

_RESTORING = DATABASE_FILE_NAME + ".restoring"


def restore_backup(
    path: Path, data_directory: Path, progress: Progress, *, replace: bool, despite_erasures: bool
) -> Backup:
    """Restores a backup: everything is verified before anything that is there is touched.

    Args:
        path: Of its database or manifest.
        data_directory: Made if it is not there.
        progress: Told how far it is.
        replace: A database that is there goes.
        despite_erasures: Also when that one erased something after the backup was made; the next start erases it again.

    Raises:
        MnemicError: CORRUPT_DATA when the backup is damaged; STORE_UNAVAILABLE when the directory is open elsewhere,
            has a database that is not to be replaced, or cannot be written.
    """
    source, manifest = files_of(path)
    backup = read_manifest(manifest)
    directory = data_directory.expanduser().absolute()
    target = directory / DATABASE_FILE_NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DataDirectoryLock(directory)
    except OSError as error:
        raise not_written(directory, error.strerror or str(error)) from error
    try:
        if target.exists():
            _require_replaceable(target, backup, replace=replace, despite_erasures=despite_erasures)
        _put(source, backup, target, progress)
    except OSError as error:
        raise not_written(target, error.strerror or str(error)) from error
    finally:
        (directory / _RESTORING).unlink(missing_ok=True)
        lock.release()
    return backup


def _put(source: Path, backup: Backup, target: Path, progress: Progress) -> None:
    copy = target.with_name(_RESTORING)
    copy.unlink(missing_ok=True)
    with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        digest, size = digest_of(source, progress, file.write)
    require_same(source, backup, digest, size)
    check_database(copy, backup)
    sync(copy)
    if target.exists():
        # What its log holds must not be taken for a part of what comes.
        _empty_log(target)
    copy.replace(target)
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    sync(target)


def _require_replaceable(target: Path, backup: Backup, *, replace: bool, despite_erasures: bool) -> None:
    if target.stat().st_size == 0:
        return
    if not replace:
        raise MnemicError(
            Reason.STORE_UNAVAILABLE,
            f"{target} is there already; restore into another directory, or replace it (--replace)",
            metadata={"path": str(target)},
        )
    erased = _erased_since(target, backup)
    if erased and not despite_erasures and not backup.encrypted:
        raise MnemicError(
            Reason.STORE_UNAVAILABLE,
            f"{erased} erasures happened after the backup was made: what they destroyed would be there again. Restore "
            "with --despite-erasures: the next start erases it again before anything is served",
            metadata={"path": str(target), "erasures": str(erased)},
        )


def _erased_since(target: Path, backup: Backup) -> int:
    """How many erasures the database that is to go knows of, that the backup does not."""
    try:
        with closing(sqlite3.connect(target)) as connection:
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'erasures'").fetchone()
            if known is None:
                return 0
            counted = connection.execute(
                "SELECT count(*) FROM erasures WHERE create_time_micros >= ?", (backup.create_time_micros,)
            ).fetchone()
            return int(counted[0])
    except sqlite3.Error:
        # So damaged that it cannot say: that is what backups are for.
        return 0


def _empty_log(target: Path) -> None:
    try:
        with closing(sqlite3.connect(target)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        # Damaged; its log goes with it.
        target.with_name(target.name + "-wal").unlink(missing_ok=True)
