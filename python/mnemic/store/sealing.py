"""Sealing: what people said is encrypted before it reaches the database, and opened when a row is read.

Everything of a version that holds words is one blob in its column `sealed`; the columns themselves are empty then. Each
vector is a blob of its own. All of a scope is sealed under the scope's data key (AES-256-GCM):

    version byte 1 | id of the data key, 16 bytes | nonce, 12 bytes, random | ciphertext and tag

What a blob belongs to (the table, the memory and its version, its scope and tenant, a vector's model) is authenticated
with it, so that a blob in another row's place does not open. Random nonces are safe for 2^32 messages under a key (NIST
SP 800-38D, 8.3); no scope comes near, see `MAX_SEALED_ROWS`.

Where SQL compares a value (has the scope this fact, what holds in this slot), its column holds a hash of it (BLAKE2b,
RFC 7693), keyed by the scope's data key: equal values have equal hashes within a scope, and nobody without the key can
try a dictionary.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.scope import Scope

if TYPE_CHECKING:
    # Only a store that is encrypted loads the cryptography.
    from mnemic.store.sealing_keys import DataKey, Keyring

_OPTION = "mnemic_sealer"
FORMAT = 1
_KEY_ID_BYTES = 16
_NONCE_BYTES = 12
_HEADER_BYTES = 1 + _KEY_ID_BYTES
_TAG_BYTES = 16
# How much longer a blob is than what it holds. One more than a multiple of four: a plain vector never has this length.
OVERHEAD_BYTES = _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES
# A version costs a few messages under its scope's key, each renewal of a vector one more: with so many rows in the
# whole store no key comes to 2^32.
MAX_SEALED_ROWS = 1 << 29
# What a text that is sealed begins with; no JSON and none of our own words do.
_SEALED_TEXT = "\x01sealed:"


class DestroyedKeyError(Exception):
    """What was to be read is sealed under a key that was destroyed."""


class TamperedError(Exception):
    """A blob does not open: it was changed, or is bound to something else."""


class SealingState(StrEnum):
    """How much of a store is sealed, as its row of `store_state` says."""

    NONE = ""
    PARTLY = "sealing"
    WHOLE = "sealed"


class Content(NamedTuple):
    """What is sealed of a version, as its columns would hold it, in the order of the blob."""

    body: str = ""
    name: str = ""
    metadata: str = "{}"
    categories: str = "[]"
    entities: str = "[]"
    slot: str = ""
    slot_value: str = ""
    reason: str = ""


_EMPTY = Content()._asdict()
_content_of = itemgetter(*Content._fields)
# How many texts, and the length of each in characters; then the texts in UTF-8.
_LENGTHS = struct.Struct(f"<B{len(Content._fields)}I")


@dataclass(frozen=True, slots=True)
class ScopeSeal:
    """What a scope's rows are sealed with.

    Attributes:
        key: The data key.
        place: A digest of tenant and ids, which every blob is bound to.
    """

    key: DataKey
    place: bytes


def place_of(tenant: str, scope: Scope) -> bytes:
    """What the blobs of a scope are bound to."""
    parts = (tenant, scope.user_id or "", scope.agent_id or "", scope.app_id or "", scope.session_id or "")
    return hashlib.sha256(b"".join(len(part := text.encode()).to_bytes(8) + part for text in parts)).digest()[:16]


class Sealer:
    """Seals and opens for one store; without a keyring it leaves everything as it is.

    Args:
        keyring: The data keys.

    Attributes:
        state: Set by whoever opens the store, as is
        store_key: the id of the data key of what belongs to no scope.
    """

    def __init__(self, keyring: Keyring | None = None) -> None:
        self._keyring = keyring
        self.state = SealingState.NONE
        self.store_key = b""

    @property
    def seals(self) -> bool:
        """Whether what is written is sealed."""
        return self.state is not SealingState.NONE

    @property
    def can_seal(self) -> bool:
        """Whether there are keys."""
        return self._keyring is not None

    @property
    def keyring(self) -> Keyring:
        """The data keys of a store that is encrypted."""
        if self._keyring is None:
            raise MnemicError(
                Reason.STORE_UNAVAILABLE,
                "the store holds encrypted rows and the settings name no master key; give the one of the store",
            )
        return self._keyring

    def close(self) -> None:
        """Forgets the keys."""
        if self._keyring is not None:
            self._keyring.close()

    def seal_version(self, values: dict[str, Any], seal: ScopeSeal) -> None:
        """Puts what has words into the blob of the row, and hashes in the place of what SQL compares.

        Args:
            values: The columns of a version with their hashes keyed already (`token`); changed.
            seal: Its scope's.
        """
        if values["id"] > MAX_SEALED_ROWS:
            raise MnemicError(Reason.QUOTA_EXCEEDED, f"an encrypted store holds at most {MAX_SEALED_ROWS} versions")
        content = _content_of(values)
        lengths = _LENGTHS.pack(len(content), *map(len, content))
        bound = _bound_version(seal.place, values["memory_id"], values["version"])
        values["body_bytes"] = len(values["body"].encode())
        values["sealed"] = _seal(seal.key, lengths + "".join(content).encode(), bound)
        slot = self.token(seal, values["slot"])
        values |= _EMPTY
        values["slot"] = slot

    def open_version(self, blob: bytes | None, place: bytes, memory_id: str, version: int) -> Content | None:
        """What is sealed of a version; None when the row is plain.

        Raises:
            DestroyedKeyError: Nobody can open it any more.
            MnemicError: CORRUPT_DATA when it was changed or is not of this row.
        """
        if blob is None:
            if self.state is SealingState.WHOLE:
                raise _plain(f"version {version} of the memory {memory_id}")
            return None
        what = f"the content of version {version} of the memory {memory_id}"
        opened = self._open(blob, _bound_version(place, memory_id, version), what)
        lengths = struct.unpack_from(f"<{opened[0]}I", opened, 1)
        text = opened[1 + 4 * opened[0] :].decode()
        ends = tuple(accumulate(lengths))
        return Content(*(text[end - length : end] for length, end in zip(lengths, ends, strict=True)))

    def seal_vector(self, seal: ScopeSeal, memory_id: str, version: int, model: str, vector: bytes) -> bytes:
        """The blob of a version's vector of a model."""
        return _seal(seal.key, vector, _bound_vector(seal.place, memory_id, version, model))

    def open_vector(self, blob: bytes, place: bytes, memory_id: str, version: int, model: str) -> bytes:
        """The vector of a blob; what it raises is as with `open_version`."""
        what = f"the vector of version {version} of the memory {memory_id}"
        if len(blob) % 4 == 0:
            if self.state is SealingState.WHOLE:
                raise _plain(what)
            return blob
        return self._open(blob, _bound_vector(place, memory_id, version, model), what)

    def seal_text(self, key_id: bytes, text: str, *place: object) -> str:
        """A text of another table, for a column of text. The place tells where it belongs, its table first."""
        blob = _seal(self.keyring.key(key_id), text.encode(), _bound_text(place))
        return _SEALED_TEXT + base64.b64encode(blob).decode()

    def open_text(self, stored: str, *place: object) -> str:
        """The text; one that is plain is it itself. What it raises is as with `open_version`."""
        if not stored.startswith(_SEALED_TEXT):
            return stored
        blob = _blob_of(stored)
        return self._open(blob, _bound_text(place), f"a text of {place[0]}").decode()

    def token(self, seal: ScopeSeal, text: str) -> str:
        """What stands for a text where SQL compares it; the empty text stands for itself."""
        if not text:
            return ""
        return hashlib.blake2b(text.encode(), key=seal.key.hashing, digest_size=32).hexdigest()

    def _open(self, blob: bytes, bound: bytes, what: str) -> bytes:
        if len(blob) < OVERHEAD_BYTES or blob[0] != FORMAT:
            raise _damaged(what, "is of a form that this version of Mnemic does not know, or was cut")
        header, nonce = blob[:_HEADER_BYTES], blob[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        key = self.keyring.key(key_id_of(blob))
        try:
            return key.open(nonce, blob[_HEADER_BYTES + _NONCE_BYTES :], header + bound)
        except TamperedError as error:
            raise _damaged(what, "was changed, or belongs to another row") from error


PLAIN = Sealer()


def sealer_of(connection: Connection) -> Sealer:
    """What seals and opens the rows of a connection's store."""
    found = connection.get_execution_options().get(_OPTION, PLAIN)
    if not isinstance(found, Sealer):
        raise MnemicError(Reason.INTERNAL, "the connection's sealer is none")
    return found


def execution_options(sealer: Sealer) -> dict[str, object]:
    """What makes `sealer_of` find it on the connections of an engine."""
    return {_OPTION: sealer}


def place_of_reason(memory_id: str, version: int, winner: str, revision: int) -> tuple[object, ...]:
    """Where the reason of a supersession belongs."""
    return "supersessions", memory_id, version, winner, revision


def key_id_of(blob: bytes) -> bytes:
    """The data key that a blob is sealed under."""
    return blob[1:_HEADER_BYTES]


def key_id_of_text(stored: str) -> bytes | None:
    """The data key that a text is sealed under; None of a plain one."""
    return key_id_of(_blob_of(stored)) if stored.startswith(_SEALED_TEXT) else None


def _blob_of(stored: str) -> bytes:
    try:
        return base64.b64decode(stored.removeprefix(_SEALED_TEXT), validate=True)
    except ValueError as error:
        raise _damaged("a text", "was changed") from error


def _seal(key: DataKey, data: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return key.header + nonce + key.seal(nonce, data, key.header + bound)


# What a blob is bound to. No two of these can be equal: kinds and numbers come first, and of two texts the first says
# how long it is.
def _bound_version(place: bytes, memory_id: str, version: int) -> bytes:
    return place + f"version {version} {memory_id}".encode()


def _bound_vector(place: bytes, memory_id: str, version: int, model: str) -> bytes:
    return place + f"vector {version} {len(memory_id)} {memory_id} {model}".encode()


def _bound_text(place: Sequence[object]) -> bytes:
    return b"text " + json.dumps([str(part) for part in place]).encode()


def _damaged(what: str, how: str) -> MnemicError:
    return MnemicError(Reason.CORRUPT_DATA, f"{what} {how}; restore a backup", metadata={"damaged": what})


def _plain(what: str) -> MnemicError:
    return _damaged(what, "is not encrypted, in a store that is: somebody else wrote it")
