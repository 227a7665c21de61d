"""Receipts: what was destroyed, as a canonical document that is signed and can be verified by anyone, offline."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mnemic.model.erasure import ErasureReceipt, ErasureTarget
from mnemic.model.errors import MnemicError, Reason

FORMAT = "mnemic-erasure-receipt/1"
DIRECTORY_NAME = "erasure"
KEY_FILE_NAME = "signing.key"
_SEED_BYTES = 32
_KEY_ID_BYTES = 8
# The integers that every JSON parser keeps exactly (RFC 8785 writes numbers as ECMAScript does).
_LARGEST_INTEGER = 2**53 - 1

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]


def canonical_json(value: Json) -> bytes:
    """The canonical form (RFC 8785) of a value of texts, whole numbers, truth values, lists and objects.

    Raises:
        ValueError: It holds something else, a number beyond 2^53 - 1, or a lone surrogate.
    """
    _check(value)
    # Without floats and with names in ASCII, what RFC 8785 asks is sorted names, no white space, the short escapes,
    # and everything else as it is: the names' order by UTF-16 is then that of their characters.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()


def _check(value: object) -> None:
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) > _LARGEST_INTEGER:
                raise ValueError(f"{value} cannot be written exactly in JSON")
        case Mapping():
            for name, item in value.items():
                if not isinstance(name, str) or not name.isascii():
                    raise ValueError(f"{name!r} is no name in ASCII")
                _check(item)
        case list() | tuple():
            for item in value:
                _check(item)
        case _:
            raise ValueError(f"a {type(value).__name__} has no canonical form here")


def target_hash(salt: bytes, tenant: str, target: ErasureTarget) -> bytes:
    """SHA-256 of the salt and the canonical JSON of the target: whoever knows the ids can check that they are meant."""
    described = {"ids": target.ids(), "kind": target.kind.value, "tenant": tenant}
    return hashlib.sha256(salt + canonical_json(described)).digest()


def time_text(micros: int) -> str:
    """A time in UTC as ISO 8601 with microseconds."""
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Signer:
    """Signs receipts with a key of its own, which lies in the data directory and is made when it is first needed.

    Args:
        directory: The data directory; None for a key that lives as long as this object.
    """

    def __init__(self, directory: Path | None) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(
            os.urandom(_SEED_BYTES) if directory is None else secret_of(directory / DIRECTORY_NAME / KEY_FILE_NAME)
        )

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, document: bytes) -> bytes:
        """The Ed25519 signature of a document, 64 bytes."""
        return self._key.sign(document)


def key_id(public_key: bytes) -> str:
    """The name of a key: hex of the first 8 bytes of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[: 2 * _KEY_ID_BYTES]


def verify(receipt: ErasureReceipt, public_key: bytes | None = None) -> dict[str, Json]:
    """The document of a receipt, if it is genuine.

    Args:
        receipt: The receipt.
        public_key: The key that must have signed it; the receipt's own unless given, which only shows that it was not
            changed since.

    Raises:
        MnemicError: INVALID_FIELD when it was not signed by the key, or is no receipt.
    """
    trusted = receipt.public_key if public_key is None else public_key
    try:
        Ed25519PublicKey.from_public_bytes(trusted).verify(receipt.signature, receipt.document)
        if key_id(receipt.public_key) != receipt.key_id or receipt.public_key != trusted:
            raise _not_genuine("it names another key")
        document = json.loads(receipt.document)
        if canonical_json(document) != receipt.document or document.get("format") != FORMAT:
            raise _not_genuine(f"its document is no {FORMAT}")
    except InvalidSignature:
        raise _not_genuine("the signature is not of this key, or the document was changed") from None
    except (ValueError, AttributeError) as error:
        raise _not_genuine(str(error)) from error
    return dict(document)


def receipt_to_json(receipt: ErasureReceipt) -> str:
    """A receipt as the text of a file; the document is in it as one text, byte for byte."""
    values = {
        "document": receipt.document.decode(),
        "signature": receipt.signature.hex(),
        "public_key": receipt.public_key.hex(),
        "key_id": receipt.key_id,
    }
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"


def receipt_from_json(text: str) -> ErasureReceipt:
    """The receipt of such a text.

    Raises:
        MnemicError: INVALID_FIELD when it is none.
    """
    try:
        values = json.loads(text)
        return ErasureReceipt(
            document=values["document"].encode(),
            signature=bytes.fromhex(values["signature"]),
            public_key=bytes.fromhex(values["public_key"]),
            key_id=str(values["key_id"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _not_genuine("the file is no receipt of an erasure") from error


def _not_genuine(why: str) -> MnemicError:
    return MnemicError(Reason.INVALID_FIELD, f"the receipt does not verify: {why}", metadata={"field": "receipt"})


def secret_of(path: Path) -> bytes:
    """The 32 random bytes of a file, which is made (mode 0600) when it is not there."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        secret = _new_secret(path)
    if len(secret) != _SEED_BYTES:
        raise MnemicError(
            Reason.CORRUPT_DATA,
            f"{path} holds no key ({len(secret)} bytes instead of {_SEED_BYTES}); put the key back from a copy, or "
            "remove the file for a new one, which does not change receipts that were given",
            metadata={"path": str(path)},
        )
    return secret


def _new_secret(path: Path) -> bytes:
    """Makes a key, whole or not at all."""
    secret = os.urandom(_SEED_BYTES)
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secret)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return secret
