"""Backups as files: a database `NAME.db`, and what is to be known of it beside it, `NAME.json`."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnemic.model.backup import Backup
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.memory import from_micros, to_micros
from mnemic.store.copying import not_written, sync

FORMAT = "mnemic-backup/1"
DATABASE_SUFFIX = ".db"
MANIFEST_SUFFIX = ".json"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
_CHUNK_BYTES = 1024 * 1024

# Told (bytes that are done, bytes in all).
Progress = Callable[[int, int], None]


def check_name(name: str) -> None:
    """Refuses a name that is none, or that leads out of a directory."""
    if not _NAME.fullmatch(name):
        raise invalid_field(
            "backup_name", f"{name[:128]!r} is none; 1 to 128 of A-Z, a-z, 0-9, -, _ and ., not beginning with ."
        )


def name_of(create_time_micros: int, revision: int) -> str:
    """The name of a backup that was given none: sorted by names they are sorted by time."""
    moment = datetime.fromtimestamp(create_time_micros // 1_000_000, tz=UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-r{revision}"


def write_manifest(directory: Path, backup: Backup) -> None:
    """Puts a backup's manifest beside its database, which is whole: from now on it is a backup."""
    document = {
        "format": FORMAT,
        "name": backup.name,
        "create_time": from_micros(backup.create_time_micros).isoformat(),
        "revision": backup.revision,
        "memory_count": backup.memory_count,
        "server_version": backup.server_version,
        "encrypted": backup.encrypted,
        "files": [
            {
                "name": backup.name + DATABASE_SUFFIX,
                "bytes": backup.byte_count,
                "sha256": backup.sha256.hex(),
            }
        ],
    }
    path = directory / (backup.name + MANIFEST_SUFFIX)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        part.chmod(0o600)
        sync(part)
        part.replace(path)
        sync(path)
    except OSError as error:
        raise not_written(path, error.strerror or str(error)) from error


def read_manifest(path: Path) -> Backup:
    """The backup of a manifest.

    Raises:
        MnemicError: CORRUPT_DATA when it is none.
    """
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise _damaged(path, f"its format is {values['format']!r}, and this version reads {FORMAT!r}")
        [file] = values["files"]
        return Backup(
            name=path.name.removesuffix(MANIFEST_SUFFIX),
            revision=int(values["revision"]),
            byte_count=int(file["bytes"]),
            sha256=bytes.fromhex(file["sha256"]),
            create_time_micros=to_micros(datetime.fromisoformat(values["create_time"])),
            memory_count=int(values["memory_count"]),
            server_version=str(values["server_version"]),
            encrypted=bool(values["encrypted"]),
        )
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"it is no manifest of a backup ({error})") from error


def list_backups(directory: Path) -> list[Backup]:
    """The backups of a directory, latest first. What is no backup is passed over."""
    found = []
    for path in directory.glob("*" + MANIFEST_SUFFIX):
        if path.name.startswith(".") or not path.with_suffix(DATABASE_SUFFIX).is_file():
            continue
        try:
            found.append(read_manifest(path))
        except MnemicError:
            continue
    return sorted(found, key=lambda backup: (backup.create_time_micros, backup.name), reverse=True)


def files_of(path: Path) -> tuple[Path, Path]:
    """Database and manifest of a backup, by either of them or by its path without ending."""
    stem = path
    for suffix in (DATABASE_SUFFIX, MANIFEST_SUFFIX):
        if path.name.endswith(suffix):
            stem = path.with_name(path.name.removesuffix(suffix))
    return stem.with_name(stem.name + DATABASE_SUFFIX), stem.with_name(stem.name + MANIFEST_SUFFIX)


def digest_of(path: Path, progress: Progress, consume: Callable[[bytes], object] = len) -> tuple[bytes, int]:
    """The SHA-256 of a file and its size; each chunk is given to `consume` on the way."""
    total = path.stat().st_size
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            consume(chunk)
            done += len(chunk)
            progress(done, total)
    return digest.digest(), done


def verify_backup(path: Path, progress: Progress) -> Backup:
    """Reads a backup whole: its bytes are those of the manifest, and it is a sound database of that revision.

    Raises:
        MnemicError: CORRUPT_DATA saying what is wrong.
    """
    database, manifest = files_of(path)
    backup = read_manifest(manifest)
    try:
        digest, size = digest_of(database, progress)
    except OSError as error:
        raise _damaged(database, error.strerror or str(error)) from error
    require_same(database, backup, digest, size)
    check_database(database, backup)
    return backup


def require_same(database: Path, backup: Backup, digest: bytes, size: int) -> None:
    """Refuses bytes that are not the backup's."""
    if size != backup.byte_count:
        raise _damaged(database, f"it has {size} bytes, and its manifest says {backup.byte_count}")
    if digest != backup.sha256:
        raise _damaged(database, f"its SHA-256 is {digest.hex()}, and its manifest says {backup.sha256.hex()}")


def check_database(database: Path, backup: Backup) -> None:
    """Refuses what is no sound database of the backup's revision."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
            [revision] = connection.execute("SELECT revision FROM store_state").fetchone()
    except sqlite3.Error as error:
        raise _damaged(database, str(error)) from error
    if found:
        raise _damaged(database, "; ".join(found))
    if revision != backup.revision:
        raise _damaged(database, f"it is of revision {revision}, and its manifest says {backup.revision}")


def _damaged(path: Path, why: str) -> MnemicError:
    return MnemicError(Reason.CORRUPT_DATA, f"the backup {path} cannot be used: {why}", metadata={"path": str(path)})
