"""Backups: copies of everything at one revision, made while the server goes on."""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from mnemic import __version__
from mnemic.engine.pages import decode_page_token, encode_page_token, malformed_page_token, request_digest
from mnemic.engine.replay import fingerprint_of, kept_answer, same_contents
from mnemic.engine.settings import BackupSettings
from mnemic.engine.validation import check_request_id, page_size
from mnemic.model.backup import Backup, BackupDestination, BackupPage, BackupProgress, BackupStep
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.store.backup_files import (
    DATABASE_SUFFIX,
    MANIFEST_SUFFIX,
    Progress,
    check_name,
    digest_of,
    list_backups,
    name_of,
    write_manifest,
)
from mnemic.store.interface import Committed, Store, WriteBatch

Outcome = TypeVar("Outcome")
_METHOD = "CreateBackup"
_LIST_DEFAULT = 100
_CHUNK_BYTES = 1024 * 1024
_REPORT_SECONDS = 0.5
_PART = ".backup.part"
_BUSY_RETRY_SECONDS = 5.0


class Backups:
    """Makes and lists backups.

    Args:
        store: What is copied.
        settings: Where backups go.
        commit: Writes a batch.
    """

    def __init__(self, store: Store, settings: BackupSettings, commit: Callable[[WriteBatch], Committed]) -> None:
        self._store = store
        self._directory = settings.directory
        self._commit = commit
        self._one_at_a_time = threading.Lock()
        for directory in (self._directory, store.directory):
            if directory is not None:
                # Of a process that was killed: it may hold what has to be erased since.
                (directory / _PART).unlink(missing_ok=True)

    def create(
        self, destination: BackupDestination, *, name: str = "", caller: str, request_id: str = ""
    ) -> Iterator[BackupStep]:
        """Makes a backup as it is iterated over; see `mnemic.v1.AdminService.CreateBackup`.

        An iteration that is given up leaves nothing behind.
        """
        check_request_id(request_id)
        if name:
            check_name(name)
        fingerprint = fingerprint_of("backup", destination, name)
        kept = self._store.find_request(caller, _METHOD, request_id) if request_id else None
        if kept is not None:
            return iter([_backup_of(same_contents(kept, fingerprint).response)])
        directory = self._directory_for(destination)
        if destination is BackupDestination.SERVER and name:
            _require_free(directory, name)
        return self._steps(destination, directory, name, caller, request_id, fingerprint)

    def _directory_for(self, destination: BackupDestination) -> Path:
        own = self._store.directory
        if destination is BackupDestination.STREAM and self._directory is None and own is not None:
            return own
        if self._directory is None:
            raise MnemicError(
                Reason.INVALID_FIELD,
                "destination: this server keeps no backups, since backup.directory is not set; set it, or take the "
                "backup as a stream",
                metadata={"field": "destination"},
            )
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise MnemicError(
                Reason.STORE_UNAVAILABLE,
                f"the directory of backups {self._directory} cannot be made: {error.strerror}",
                metadata={"path": str(self._directory)},
            ) from error
        return self._directory

    def _steps(
        self,
        destination: BackupDestination,
        directory: Path,
        name: str,
        caller: str,
        request_id: str,
        fingerprint: str,
    ) -> Iterator[BackupStep]:
        if not self._one_at_a_time.acquire(blocking=False):
            raise MnemicError(
                Reason.OVERLOADED, "a backup is being made; try again", retry_after_seconds=_BUSY_RETRY_SECONDS
            )
        part = directory / _PART
        try:
            started = time.time_ns() // 1000
            state = yield from _in_background(lambda progress: self._store.copy_to(part, progress))
            backup = Backup(
                name=name or name_of(started, state.revision),
                revision=state.revision,
                byte_count=part.stat().st_size,
                sha256=b"",
                create_time_micros=started,
                memory_count=state.memory_count,
                server_version=__version__,
                encrypted=state.encrypted,
            )
            if destination is BackupDestination.STREAM:
                backup = yield from _streamed(part, backup)
            else:
                digest, _ = yield from _in_background(lambda progress: digest_of(part, progress))
                backup = replace(backup, sha256=digest)
                _require_free(directory, backup.name)
                part.replace(directory / (backup.name + DATABASE_SUFFIX))
                write_manifest(directory, backup)
            self._keep(backup, caller, request_id, fingerprint)
            yield backup
        except OSError as error:
            raise MnemicError(
                Reason.STORE_UNAVAILABLE,
                f"the backup in {directory} could not be made: {error.strerror}",
                metadata={"path": str(directory)},
            ) from error
        finally:
            part.unlink(missing_ok=True)
            self._one_at_a_time.release()

    def _keep(self, backup: Backup, caller: str, request_id: str, fingerprint: str) -> None:
        record = kept_answer(_METHOD, request_id, fingerprint, _document_of(backup))
        if record is not None:
            self._commit(WriteBatch(tenant=caller, request=record, now_micros=time.time_ns() // 1000))

    def list_backups(self, *, size: int = 0, token: str = "") -> BackupPage:
        """One page of the server's backups, latest first; none where it keeps none."""
        size = page_size(size, _LIST_DEFAULT)
        digest = request_digest("backups", str(self._directory))
        after = decode_page_token(token, digest) if token else None
        if after is not None and len(after) != 1:
            raise malformed_page_token()
        found = [] if self._directory is None or not self._directory.is_dir() else list_backups(self._directory)
        keys = [f"{backup.create_time_micros:020d} {backup.name}" for backup in found]
        if after is not None:
            found = [backup for key, backup in zip(keys, found, strict=True) if key < str(after[0])]
        page = found[:size]
        more = len(found) > size
        last = f"{page[-1].create_time_micros:020d} {page[-1].name}" if page else ""
        return BackupPage(tuple(page), encode_page_token(digest, [last]) if more else "")


def _in_background(work: Callable[[Progress], Outcome]) -> Generator[BackupStep, None, Outcome]:
    """Runs work in a thread and tells of its progress meanwhile; whoever goes away ends it."""
    told: queue.SimpleQueue[BackupProgress | None] = queue.SimpleQueue()
    gone = threading.Event()
    outcome: list[Outcome] = []
    failure: list[BaseException] = []

    def progress(done: int, total: int) -> None:
        if gone.is_set():
            raise InterruptedError
        told.put(BackupProgress(done, total))

    def run() -> None:
        try:
            outcome.append(work(progress))
        except BaseException as error:  # noqa: BLE001 (raised again where it is waited for)
            failure.append(error)
        told.put(None)

    thread = threading.Thread(target=run, name="mnemic-backup", daemon=True)
    thread.start()
    last = BackupProgress(0, 0)
    try:
        yield last
        reported = time.monotonic()
        while (latest := told.get()) is not None:
            if time.monotonic() - reported >= _REPORT_SECONDS:
                reported = time.monotonic()
                yield latest
    finally:
        gone.set()
        thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _streamed(part: Path, backup: Backup) -> Generator[BackupStep, None, Backup]:
    """Sends the file, and then knows what it was."""
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            yield chunk
    return replace(backup, sha256=digest.digest())


def _require_free(directory: Path, name: str) -> None:
    if any((directory / (name + suffix)).exists() for suffix in (DATABASE_SUFFIX, MANIFEST_SUFFIX)):
        raise invalid_field("backup_name", f"{name!r} is there already; give another")


def _document_of(backup: Backup) -> dict[str, object]:
    return {
        "name": backup.name,
        "revision": backup.revision,
        "byte_count": backup.byte_count,
        "sha256": backup.sha256.hex(),
        "create_time_micros": backup.create_time_micros,
        "memory_count": backup.memory_count,
        "server_version": backup.server_version,
        "encrypted": backup.encrypted,
    }


def _backup_of(response: str) -> Backup:
    values = json.loads(response)
    return Backup(**{**values, "sha256": bytes.fromhex(values["sha256"])})
