"""Backups: what one is and how far it is; `mnemic.v1.AdminService` says what the fields mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class BackupDestination(IntEnum):
    """Where a backup goes; the numbers of `mnemic.v1.BackupDestination`."""

    SERVER = 1
    STREAM = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup; the fields of `mnemic.v1.Backup`."""

    name: str
    revision: int
    byte_count: int
    sha256: bytes
    create_time_micros: int
    memory_count: int
    server_version: str
    encrypted: bool


@dataclass(frozen=True, slots=True)
class BackupProgress:
    """How far a backup is, in bytes; the total is an estimate."""

    done_bytes: int
    total_bytes: int


# What comes of a backup that is being made: how far it is, bytes where they are asked for, and in the end the backup.
BackupStep = BackupProgress | bytes | Backup


@dataclass(frozen=True, slots=True)
class BackupPage:
    """Backups, latest first; `next_page_token` is empty on the last page."""

    backups: tuple[Backup, ...]
    next_page_token: str
