"""The data keys of a store, in a file of their own beside the database.

The master key wraps the *wrapping key*, and that wraps the *data keys*: one for each scope, one for each partition's
snapshots and one for what belongs to neither. The file is apart from the database so that a copy of the database (a
backup) holds no key: when a scope's data key is destroyed here, what is sealed under it in any copy is lost with it.

A key is made durable here before the database commits anything that is sealed under it. Keys are drawn from a few that
were made ahead, so that a new session does not cost a write to the disk of its own; those left over at the end are
never used.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.page_cleaning import PageFile
from mnemic.store.sealing import FORMAT, DestroyedKeyError, TamperedError
from mnemic.store.sealing_masters import KEY_BYTES, NONCE_BYTES, MasterKey

KEY_ID_BYTES = 16
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE wrapping_keys (
    id BLOB PRIMARY KEY, master TEXT NOT NULL, wrapped BLOB NOT NULL, is_active INTEGER NOT NULL,
    create_time_micros INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE data_keys (
    id BLOB PRIMARY KEY, wrapping_key BLOB NOT NULL, wrapped BLOB, destroy_time_micros INTEGER
) WITHOUT ROWID;
"""
_MADE_AHEAD = 32
# In memory; about 2 KiB each with their key schedules.
_KEPT = 16_384
_REWRAPPED_AT_ONCE = 1000


class DataKey:
    """A data key, ready for use: AES-256-GCM.

    Attributes:
        key_id: Its id.
        header: What blobs that are sealed under it begin with.
        hashing: The key of the hashes that stand for values which SQL compares.
    """

    __slots__ = ("_cipher", "hashing", "header", "key_id")

    def __init__(self, key_id: bytes, key: bytes) -> None:
        self.key_id = key_id
        self.header = bytes([FORMAT]) + key_id
        self.hashing = hmac.digest(key, b"mnemic hashes 1", "sha256")
        self._cipher = AESGCM(key)

    def seal(self, nonce: bytes, data: bytes, bound: bytes) -> bytes:
        """The ciphertext with its tag. A nonce is used once."""
        return self._cipher.encrypt(nonce, data, bound)

    def open(self, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
        """What was sealed.

        Raises:
            TamperedError: It was not sealed so.
        """
        try:
            return self._cipher.decrypt(nonce, sealed, bound)
        except InvalidTag as error:
            raise TamperedError from error


@dataclass(frozen=True, slots=True)
class KeyringStatus:
    """What there is.

    Attributes:
        master: The name of the master key.
        keys: Data keys that are there, those made ahead included.
        destroyed: Data keys that were destroyed.
        left_to_rewrap: Data keys that an interrupted rotation has left under the wrapping key before.
    """

    master: str
    keys: int
    destroyed: int
    left_to_rewrap: int


class Keyring:
    """The data keys of one store. Safe to call from many threads.

    Args:
        path: The file; made when it is not there.
        master: The master key.

    Raises:
        MnemicError: STORE_UNAVAILABLE when the master key is another one or does not answer; CORRUPT_DATA when the
            file is damaged.
    """

    def __init__(self, path: Path, master: MasterKey) -> None:
        self._lock = threading.RLock()
        self._path = path
        self._wrapping: dict[bytes, bytes] = {}
        self._active = b""
        self._ahead: list[bytes] = []
        self._kept: OrderedDict[bytes, DataKey] = OrderedDict()
        is_new = not path.exists()
        with _one_kind_of_error(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)
        try:
            with _one_kind_of_error(path):
                self._prepare(master)
        except BaseException:
            self._connection.close()
            if is_new:
                path.unlink(missing_ok=True)
            raise

    def _prepare(self, master: MasterKey) -> None:
        # Only truncation leaves nothing of a page's past in the journal; what is freed within a page is zeroed.
        # `PageFile` cannot read a file that vacuums itself, which some builds of SQLite make unless told.
        for setting in ("auto_vacuum=NONE", "journal_mode=TRUNCATE", "secure_delete=ON", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {setting}").fetchall()
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _SCHEMA_VERSION:
            raise MnemicError(
                Reason.STORE_UNAVAILABLE,
                f"{self._path} was written by a newer Mnemic (schema {version}); upgrade the package mnemic",
            )
        if version == 0:
            with self._writing():
                for statement in _SCHEMA.split(";"):
                    self._connection.execute(statement)
                self._add_wrapping_key(master)
                self._connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        rows = self._connection.execute("SELECT id, master, wrapped, is_active FROM wrapping_keys").fetchall()
        for key_id, name, wrapped, is_active in rows:
            self._wrapping[key_id] = master.unwrap(name, wrapped)
            self._active = key_id if is_active else self._active
        if not self._active:
            raise MnemicError(Reason.CORRUPT_DATA, f"{self._path} holds no wrapping key; put back a copy of it")

    def _add_wrapping_key(self, master: MasterKey) -> None:
        key, key_id = AESGCM.generate_key(KEY_BYTES * 8), os.urandom(KEY_ID_BYTES)
        name, wrapped = master.wrap(key)
        self._connection.execute("UPDATE wrapping_keys SET is_active = 0")
        self._connection.execute(
            "INSERT INTO wrapping_keys VALUES (?, ?, ?, 1, ?)", (key_id, name, wrapped, time.time_ns() // 1000)
        )
        self._wrapping[key_id], self._active = key, key_id

    def new_key(self) -> DataKey:
        """A key that nothing is sealed under yet; durable."""
        with self._lock:
            if not self._ahead:
                self._make_ahead()
            return self.key(self._ahead.pop())

    def _make_ahead(self) -> None:
        made = [(os.urandom(KEY_ID_BYTES), AESGCM.generate_key(KEY_BYTES * 8)) for _ in range(_MADE_AHEAD)]
        with self._writing():
            self._connection.executemany(
                "INSERT INTO data_keys VALUES (?, ?, ?, NULL)",
                [(key_id, self._active, self._wrap(key_id, key)) for key_id, key in made],
            )
        self._ahead = [key_id for key_id, _ in made]

    def _wrap(self, key_id: bytes, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._wrapping[self._active]).encrypt(nonce, key, key_id)

    def _unwrap(self, key_id: bytes, wrapping_key: bytes, wrapped: bytes) -> bytes:
        try:
            return AESGCM(self._wrapping[wrapping_key]).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id)
        except (InvalidTag, KeyError) as error:
            raise MnemicError(
                Reason.CORRUPT_DATA, f"the data key {key_id.hex()} in {self._path} is damaged; put back a copy of it"
            ) from error

    def key(self, key_id: bytes) -> DataKey:
        """The key of an id.

        Raises:
            DestroyedKeyError: It was destroyed.
            MnemicError: CORRUPT_DATA when the file never had it: it is not this store's, or an older copy.
        """
        with self._lock:
            kept = self._kept.get(key_id)
            if kept is not None:
                return kept
            with _one_kind_of_error(self._path):
                row = self._connection.execute(
                    "SELECT wrapping_key, wrapped FROM data_keys WHERE id = ?", (key_id,)
                ).fetchone()
            if row is None:
                raise MnemicError(
                    Reason.CORRUPT_DATA,
                    f"{self._path} does not have the data key {key_id.hex()}: it is not this store's, or an older copy "
                    "of it; put the right one back",
                    metadata={"key_id": key_id.hex()},
                )
            if row[1] is None:
                raise DestroyedKeyError(key_id.hex())
            found = DataKey(key_id, self._unwrap(key_id, *row))
            self._kept[key_id] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return found

    def find(self, key_id: bytes) -> DataKey | None:
        """As `key`; None when it was destroyed."""
        try:
            return self.key(key_id)
        except DestroyedKeyError:
            return None

    def destroy(self, key_ids: Iterable[bytes]) -> int:
        """Destroys keys for good: when this returns, nothing that is sealed under them can be read again, in the
        database or in any copy of it. Again: no change.

        Returns:
            How many were there.
        """
        ids = list(key_ids)
        with self._lock:
            with self._writing():
                counts = [
                    self._connection.execute(
                        "UPDATE data_keys SET wrapped = NULL, destroy_time_micros = ? "
                        "WHERE id = ? AND wrapped IS NOT NULL",
                        (time.time_ns() // 1000, key_id),
                    ).rowcount
                    for key_id in ids
                ]
            for key_id in ids:
                self._kept.pop(key_id, None)
            if any(counts):
                self._clean_file()
            return sum(counts)

    def remove(self, key_ids: Iterable[bytes]) -> None:
        """As `destroy`, for keys of derived files: nobody need be told later that they were there."""
        ids = list(key_ids)
        with self._lock:
            with self._writing():
                self._connection.executemany("DELETE FROM data_keys WHERE id = ?", [(key_id,) for key_id in ids])
            for key_id in ids:
                self._kept.pop(key_id, None)
            self._clean_file()

    def _clean_file(self) -> None:
        """Zeroes the copies of wrapped keys that SQLite leaves on pages that were split (`PageFile`)."""
        with _one_kind_of_error(self._path):
            # Nothing is locked outside of transactions, so that closing the file again lets go of nothing.
            file = PageFile(self._path)
            try:
                file.clean()
            finally:
                file.close()
            # What the connection has of the pages as they were is not to be written again.
            self._connection.execute("PRAGMA shrink_memory")

    def rotate(self, master: MasterKey, progress: Callable[[int, int], None] = lambda _done, _total: None) -> int:
        """Wraps every data key anew under a new wrapping key, and that under another master key. From the first commit
        on only the new master key opens the file; after an interruption, open it with that one and call again.

        Args:
            master: The new master key.
            progress: Told (done, total) after each batch.

        Returns:
            How many data keys were wrapped anew.
        """
        with self._lock:
            if not self.is_rotating:
                self._begin_rotation(master)
            total, done = self.status().left_to_rewrap, 0
            progress(done, total)
            while rows := self._connection.execute(
                "SELECT id, wrapping_key, wrapped FROM data_keys WHERE wrapping_key <> ? AND wrapped IS NOT NULL "
                "LIMIT ?",
                (self._active, _REWRAPPED_AT_ONCE),
            ).fetchall():
                with self._writing():
                    self._connection.executemany(
                        "UPDATE data_keys SET wrapping_key = ?, wrapped = ? WHERE id = ?",
                        [(self._active, self._wrap(row[0], self._unwrap(*row)), row[0]) for row in rows],
                    )
                done += len(rows)
                progress(done, total)
            with self._writing():
                self._connection.execute("DELETE FROM wrapping_keys WHERE is_active = 0")
            self._wrapping = {self._active: self._wrapping[self._active]}
            with _one_kind_of_error(self._path):
                self._connection.execute("VACUUM")
            return done

    def _begin_rotation(self, master: MasterKey) -> None:
        old = self._active
        name, wrapped = master.wrap(self._wrapping[old])
        with self._writing():
            self._connection.execute(
                "UPDATE wrapping_keys SET master = ?, wrapped = ? WHERE id = ?", (name, wrapped, old)
            )
            self._add_wrapping_key(master)

    @property
    def is_rotating(self) -> bool:
        """Whether a rotation was begun and not finished."""
        return len(self._wrapping) > 1

    def status(self) -> KeyringStatus:
        """What there is."""
        with self._lock, _one_kind_of_error(self._path):
            master = self._connection.execute("SELECT master FROM wrapping_keys WHERE is_active = 1").fetchone()[0]
            keys, destroyed, left = self._connection.execute(
                "SELECT count(wrapped), count(destroy_time_micros), "
                "count(CASE WHEN wrapping_key <> ? THEN wrapped END) FROM data_keys",
                (self._active,),
            ).fetchone()
            return KeyringStatus(master, keys, destroyed, left)

    def close(self) -> None:
        """Closes the file and forgets the keys."""
        with self._lock:
            self._connection.close()
            self._kept.clear()
            self._wrapping.clear()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with _one_kind_of_error(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


@contextmanager
def _one_kind_of_error(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        is_damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        raise MnemicError(
            Reason.CORRUPT_DATA if is_damaged else Reason.STORE_UNAVAILABLE,
            f"the keys in {path} cannot be used: {error}",
            metadata={"path": str(path)},
        ) from error
    except OSError as error:
        raise MnemicError(
            Reason.STORE_UNAVAILABLE,
            f"the keys in {path} cannot be used: {error.strerror}",
            metadata={"path": str(path)},
        ) from error
