"""Snapshot files: what the index held of a partition at a revision, so that a start need not read it from the store.

They are derived like the index itself. Each can be removed at any moment; one that is damaged, of another model, format
or store, or of a future that the store does not have, is removed and the partition is read from the store.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from mnemic import _core
from mnemic.engine.settings import Limits
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.scope import PartitionKey
from mnemic.store.interface import Store

if TYPE_CHECKING:
    # Only a store that is encrypted loads the cryptography.
    from mnemic.store.sealing_files import FileSealer

_log = structlog.get_logger("mnemic.snapshots")
DIRECTORY_NAME = "snapshots"
# The core's reason when a file is not what it should be.
SNAPSHOT_UNUSABLE = "SNAPSHOT_UNUSABLE"
_SUFFIX = ".snapshot"
# The owner without its ids, and the revision: which state a file holds is known without opening it.
_NAME = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})\.snapshot")
_TEMPORARY = ".snapshot.tmp-"
# A file is not written when it would take more than this share of what is free: the store needs the disk more.
_SHARE_OF_FREE = 0.5
_RETRY_SECONDS = 60.0


@dataclass(slots=True)
class _File:
    revision: int
    bytes: int
    used: float


@dataclass(frozen=True, slots=True)
class SnapshotStats:
    """What there is, and what happened since the start.

    Attributes:
        files: How many.
        bytes: Their size.
        opened: Partitions that came from a file.
        refused: Files that were found damaged, stale or not to be understood, and were removed.
    """

    files: int = 0
    bytes: int = 0
    opened: int = 0
    refused: int = 0


class SnapshotFiles:
    """The snapshots of one store's partitions, at most one file of each. Safe to call from many threads.

    Args:
        directory: Made when the first file is written.
        store_id: Whose files they are; those of another store have other names.
        model: The identity of the embedding model.
        limit_bytes: What all files may take. The longest unused are removed first.
        sealer: Of an encrypted store: seals the files.
        newest_revision: Where the store is. Newer files are removed at once: the database is an older one than
            theirs (a backup), and what it comes to be at their revision is not what they hold.
    """

    def __init__(
        self,
        directory: Path,
        *,
        store_id: str,
        model: str,
        limit_bytes: int,
        newest_revision: int,
        sealer: FileSealer | None = None,
    ) -> None:
        self._directory = directory
        self._sealer = sealer
        self._store_id = store_id
        self._model = model
        self._limit_bytes = limit_bytes
        self._changed = threading.Condition()
        self._files: dict[str, _File] = {}
        self._leftovers: list[Path] = []
        self._being_written: str | None = None
        # Of what was forgotten: only states from this revision on are written again.
        self._floors: dict[str, int] = {}
        self._opened = 0
        self._refused = 0
        self._retry_at: float | None = None
        self._list(newest_revision)

    def _list(self, newest_revision: int) -> None:
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    self._take_in(Path(entry.path), entry, newest_revision)
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("snapshots_unreadable", directory=str(self._directory), error=str(error))

    def _take_in(self, path: Path, entry: os.DirEntry[str], newest_revision: int) -> None:
        found = _NAME.fullmatch(entry.name)
        if found is None:
            if _TEMPORARY in entry.name or entry.name.endswith(_SUFFIX):
                self._leftovers.append(path)
            return
        name, revision = found[1], int(found[2], 16)
        if revision > newest_revision:
            _log.warning("snapshot_of_another_future", file=entry.name, store_revision=newest_revision)
            self._unlink(path)
            return
        other = self._files.get(name)
        if other is not None:
            # A crash came between writing a file and removing the one before.
            self._leftovers.append(self._path(name, min(revision, other.revision)))
        if other is None or other.revision < revision:
            status = entry.stat()
            self._files[name] = _File(revision, status.st_size, status.st_mtime)

    def stats(self) -> SnapshotStats:
        """What there is."""
        with self._changed:
            return SnapshotStats(len(self._files), self._bytes(), self._opened, self._refused)

    def open(self, core: _core.Index, key: PartitionKey) -> int | None:
        """Makes the partition from its snapshot. Of a large file not everything is verified then.

        Returns:
            The revision up to which it is; None when there is no usable file: then the partition is not in `core`.
        """
        name = self._name(key)
        with self._changed:
            file = self._files.get(name)
        if file is None:
            return None
        path = self._path(name, file.revision)
        try:
            with self._readable(path) as readable:
                revision = core.open(key, str(readable), model=self._model)
        except Exception as error:  # noqa: BLE001 (whatever is wrong with a derived file, the store has the truth)
            core.drop(key)
            if self._holds(name, file):
                self.refuse(key, words_of(error))
            return None
        if revision != file.revision:
            core.drop(key)
            self.refuse(key, f"holds revision {revision}, not {file.revision} as its name says")
            return None
        with self._changed:
            file.used = time.time()
            self._opened += 1
        with suppress(OSError):  # Only which file was used last is lost.
            os.utime(path)
        return revision

    def _readable(self, path: Path) -> AbstractContextManager[Path]:
        """Where the file can be read as it was written."""
        return nullcontext(path) if self._sealer is None else self._sealer.opened(path, path.name)

    def refuse(self, key: PartitionKey, reason: str) -> None:
        """Removes a file that cannot be used."""
        name = self._name(key)
        with self._changed:
            self._refused += 1
            self._remove(name)
        _log.warning("snapshot_unusable", file=name, reason=reason)

    def write(self, key: PartitionKey, frozen: _core.Snapshot, revision: int, expected_bytes: int) -> bool:
        """Writes a state of the partition, unless there is a newer one; whether the file holds it now.

        A disk that refuses is told of once; the next attempts are made a minute later.
        """
        name = self._name(key)
        with self._changed:
            if not self._wants(name, revision, expected_bytes):
                return False
            self._being_written = name
        written = 0
        try:
            written = self._write(self._path(name, revision), frozen, revision, expected_bytes)
        except (OSError, _core.CoreError, MnemicError) as error:
            self._note_failure(error)
        finally:
            with self._changed:
                self._being_written = None
                is_kept = written > 0 and self._take_over(name, revision, written)
                self._changed.notify_all()
        return is_kept

    def _wants(self, name: str, revision: int, expected_bytes: int) -> bool:
        file = self._files.get(name)
        is_newer = file is None or file.revision < revision
        is_paused = self._retry_at is not None and time.monotonic() < self._retry_at
        fits = expected_bytes <= self._limit_bytes
        return is_newer and fits and not is_paused and revision >= self._floors.get(name, 0)

    def _write(self, path: Path, frozen: _core.Snapshot, revision: int, expected_bytes: int) -> int:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        free = shutil.disk_usage(self._directory).free
        if expected_bytes > free * _SHARE_OF_FREE:
            raise OSError(f"about {expected_bytes} bytes are needed and {free} are free")
        if self._sealer is None:
            written = frozen.write(str(path), revision=revision, model=self._model)
        else:
            with self._sealer.scratch() as scratch:
                # Both forms of it are in memory for a moment; what is not there is not written.
                if expected_bytes > shutil.disk_usage(scratch).free * _SHARE_OF_FREE:
                    raise OSError(f"about {expected_bytes} bytes are needed in {scratch.parent}, which has less")
                plain = scratch / path.name
                frozen.write(str(plain), revision=revision, model=self._model)
                written = self._sealer.seal(plain, path, path.name)
        if self._retry_at is not None:
            self._retry_at = None
            _log.info("snapshots_written_again", directory=str(self._directory))
        return written

    def _take_over(self, name: str, revision: int, written: int) -> bool:
        if revision < self._floors.get(name, 0):
            self._unlink(self._path(name, revision))
            return False
        self._remove(name)
        self._files[name] = _File(revision, written, time.time())
        self._make_room()
        return name in self._files

    def _note_failure(self, error: Exception) -> None:
        if self._retry_at is None:
            _log.warning("snapshot_not_written", directory=str(self._directory), error=words_of(error))
        self._retry_at = time.monotonic() + _RETRY_SECONDS

    def forget(self, key: PartitionKey, revision: int) -> bool:
        """Removes the partition's file, and lets none be written of a state before the revision. When it returns there
        is none: it waits for one that is being written.

        Returns:
            Whether there was one.

        Raises:
            MnemicError: STORE_UNAVAILABLE when it cannot be removed.
        """
        name = self._name(key)
        with self._changed:
            self._floors[name] = max(revision, self._floors.get(name, 0))
            self._changed.wait_for(lambda: self._being_written != name)
            file = self._files.get(name)
            if file is None:
                return False
            self._remove(name)
            if self._path(name, file.revision).exists():
                self._files[name] = file
                raise MnemicError(
                    Reason.STORE_UNAVAILABLE,
                    f"the snapshot {self._path(name, file.revision)} cannot be removed; see the log for why",
                )
        return True

    def forget_leftovers(self) -> None:
        """Removes what crashes left, and makes every removal so far durable."""
        leftovers, self._leftovers = self._leftovers, []
        for path in leftovers:
            self._unlink(path)
        try:
            directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def forget_all(self) -> None:
        """Removes every file that is not being written."""
        with self._changed:
            for name in list(self._files):
                self._remove(name)

    def tidy(self, keys: Iterable[PartitionKey], oldest: Mapping[PartitionKey, int]) -> None:
        """Removes what crashes left, and keeps to the limit. Not to be called beside `write`.

        Args:
            keys: All partitions; files of others are removed.
            oldest: Of some the revision before which a state is of no use; files of such are removed.
        """
        known = {self._name(key) for key in keys}
        self.forget_leftovers()
        with self._changed:
            for name in self._files.keys() - known:
                self._remove(name)
            for key, revision in oldest.items():
                file = self._files.get(name := self._name(key))
                if file is not None and file.revision < revision:
                    self._remove(name)
            self._make_room()

    def _make_room(self) -> None:
        surplus = self._bytes() - self._limit_bytes
        if surplus <= 0:
            return
        for name in sorted(self._files, key=lambda name: self._files[name].used):
            surplus -= self._files[name].bytes
            self._remove(name)
            if surplus <= 0:
                return

    def _bytes(self) -> int:
        return sum(file.bytes for file in self._files.values())

    def _holds(self, name: str, file: _File) -> bool:
        with self._changed:
            return self._files.get(name) is file

    def _remove(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            self._unlink(self._path(name, file.revision))

    def _unlink(self, path: Path) -> None:
        try:
            if self._sealer is not None:
                self._sealer.forget(path)
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("snapshot_not_removed", file=path.name, error=str(error))

    def _path(self, name: str, revision: int) -> Path:
        return self._directory / f"{name}-{revision:016x}{_SUFFIX}"

    def _name(self, key: PartitionKey) -> str:
        parts = [self._store_id, key.tenant, str(int(key.owner_kind)), key.owner_id]
        return hashlib.sha256(b"".join(len(part := text.encode()).to_bytes(8) + part for text in parts)).hexdigest()[
            :32
        ]


def open_snapshots(store: Store, model: str, limits: Limits) -> SnapshotFiles | None:
    """The snapshots beside a store; None when it has no place for them or none are wanted."""
    if store.directory is None:
        return None
    sealer = store.file_sealer
    limit_bytes = limits.snapshot_budget(store.directory)
    if sealer is not None and not sealer.can_open:
        # What a snapshot holds must not lie on a disk as it is.
        limit_bytes = 0
    files = SnapshotFiles(
        store.directory / DIRECTORY_NAME,
        store_id=store.instance_id(),
        model=model,
        limit_bytes=limit_bytes,
        newest_revision=store.revision(),
        sealer=sealer,
    )
    if limit_bytes:
        return files
    files.forget_all()
    files.forget_leftovers()
    return None


def words_of(error: Exception) -> str:
    """What an error of the core or of the system says."""
    return str(error.args[-1]) if isinstance(error, _core.CoreError) else str(error)
