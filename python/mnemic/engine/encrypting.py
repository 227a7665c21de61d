"""What is done to a whole data directory: encrypting what it holds, exchanging its master key, telling how it stands.

Only one process may do it, and none may serve the directory meanwhile; telling needs neither.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnemic.engine.settings import Settings
from mnemic.engine.snapshots import DIRECTORY_NAME
from mnemic.model.errors import MnemicError, Reason
from mnemic.store.lock import DataDirectoryLock
from mnemic.store.sealing_keys import Keyring
from mnemic.store.sealing_masters import MasterKey, master_key_of
from mnemic.store.sealing_settings import EncryptionSettings
from mnemic.store.sealing_state import KEYS_FILE_NAME
from mnemic.store.sqlite import DATABASE_FILE_NAME, open_sqlite

Progress = Callable[[int, int], None]


def _untold(_done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class EncryptionStatus:
    """How encrypted a data directory is.

    Attributes:
        state: `off`, `unfinished` or `on`.
        master_key: The name of the master key; empty without keys.
        data_keys: How many there are, those made ahead included.
        destroyed_keys: How many were destroyed.
        keys_to_rewrap: What an interrupted rotation has left to do.
        encrypted_versions: How many versions are encrypted.
        plain_versions: How many are not.
    """

    state: str
    master_key: str
    data_keys: int
    destroyed_keys: int
    keys_to_rewrap: int
    encrypted_versions: int
    plain_versions: int


def encrypt(settings: Settings, progress: Progress = _untold) -> int:
    """Encrypts what a data directory holds plain, under the master key of the settings. After an interruption, again.

    Args:
        settings: Where, and the master key.
        progress: Told (done, total) in versions and vectors.

    Returns:
        How many versions and vectors were encrypted in this run.

    Raises:
        MnemicError: INVALID_FIELD when the settings name no master key; STORE_UNAVAILABLE when the directory is in use.
    """
    if not settings.encryption.is_on:
        raise MnemicError(
            Reason.INVALID_FIELD,
            "the settings name no master key: make one with `mnemic encryption generate-key` and set "
            "encryption.key_file",
        )
    store = open_sqlite(settings.data_directory, encryption=settings.encryption, enabling=True)
    try:
        # They are derived, and plain.
        snapshots = settings.data_directory.expanduser().absolute() / DIRECTORY_NAME
        if snapshots.exists():
            shutil.rmtree(snapshots)
        return store.seal(progress)
    finally:
        store.close()


def rotate(settings: Settings, new: EncryptionSettings, progress: Progress = _untold) -> int:
    """Puts a new master key in the place of the one that the settings name, and wraps every data key anew; what they
    seal is not touched. After an interruption, again; from the beginning on only the new master key opens the store.

    Args:
        settings: Where, and the present master key.
        new: The new one.
        progress: Told (done, total) in data keys.

    Returns:
        How many data keys were wrapped anew.
    """
    directory = settings.data_directory.expanduser().absolute()
    path = directory / KEYS_FILE_NAME
    if not path.exists():
        raise MnemicError(Reason.INVALID_FIELD, f"{directory} is not encrypted: there is no {KEYS_FILE_NAME}")
    next_master = _require(new)
    lock = DataDirectoryLock(directory)
    try:
        with closing(_open_for_rotation(path, settings, next_master)) as keyring:
            return keyring.rotate(next_master, progress)
    finally:
        lock.release()


def _open_for_rotation(path: Path, settings: Settings, new: MasterKey) -> Keyring:
    try:
        # An interrupted rotation has left it so.
        keyring = Keyring(path, new)
    except MnemicError:
        return Keyring(path, _require(settings.encryption))
    if keyring.is_rotating:
        return keyring
    keyring.close()
    raise MnemicError(Reason.INVALID_FIELD, "the store is under this master key already; give a new one")


def _require(settings: EncryptionSettings) -> MasterKey:
    master = master_key_of(settings)
    if master is None:
        raise MnemicError(Reason.INVALID_FIELD, "the settings name no master key; set encryption.key_file")
    return master


def status(directory: Path) -> EncryptionStatus:
    """How encrypted a data directory is; also of one that is served, and without its master key.

    Raises:
        MnemicError: STORE_UNAVAILABLE when there is no store or it cannot be read.
    """
    try:
        state, sealed, plain = _read(
            directory / DATABASE_FILE_NAME,
            "SELECT (SELECT sealing FROM store_state), count(sealed), count(*) - count(sealed) FROM memory_versions",
        )
        keys: tuple[Any, ...] = ("", 0, 0, 0)
        if (directory / KEYS_FILE_NAME).exists():
            keys = _read(
                directory / KEYS_FILE_NAME,
                "SELECT (SELECT master FROM wrapping_keys WHERE is_active = 1), count(wrapped), "
                "count(destroy_time_micros), count(CASE WHEN wrapping_key <> "
                "(SELECT id FROM wrapping_keys WHERE is_active = 1) THEN wrapped END) FROM data_keys",
            )
    except sqlite3.Error as error:
        raise MnemicError(
            Reason.STORE_UNAVAILABLE, f"{directory} holds no store of this version that can be read: {error}"
        ) from error
    return EncryptionStatus(
        state={"": "off", "sealing": "unfinished", "sealed": "on"}.get(state, state),
        master_key=keys[0],
        data_keys=keys[1],
        destroyed_keys=keys[2],
        keys_to_rewrap=keys[3],
        encrypted_versions=sealed,
        plain_versions=plain,
    )


def _read(path: Path, statement: str) -> tuple[Any, ...]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        row: tuple[Any, ...] = connection.execute(statement).fetchone()
        return row
