"""The master key: what wraps the key that wraps all others. It is never kept in the data directory.

A local one is 32 random bytes as text, from a file or the environment. Or a program wraps and unwraps for us, so that
the master key stays where it is (a KMS, a hardware module): see docs/encryption.md for what it is sent and answers.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.store.sealing_settings import EncryptionSettings

KEY_BYTES = 32
NONCE_BYTES = 12
_PREFIX = "mnemic-master-1:"
_PURPOSE = b"mnemic wrapping key 1"
# Of what a program says on its standard error.
_SHOWN = 300
_PROTOCOL = 1


class MasterKey(ABC):
    """Wraps and unwraps."""

    @abstractmethod
    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """Wraps a key.

        Returns:
            The name of the master key, which is no secret and tells it from others, and the wrapped key.
        """

    @abstractmethod
    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """The key that was wrapped by the master key of that name.

        Raises:
            MnemicError: STORE_UNAVAILABLE when this is another master key, or what unwraps does not answer.
        """


class LocalMasterKey(MasterKey):
    """A master key that this process knows.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.name = "local:" + hmac.digest(key, b"mnemic master key name", "sha256")[:8].hex()

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """See `MasterKey.wrap`."""
        nonce = os.urandom(NONCE_BYTES)
        return self.name, nonce + self._cipher.encrypt(nonce, key, _PURPOSE)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """See `MasterKey.unwrap`."""
        if name != self.name:
            raise _another(name, self.name)
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _PURPOSE)
        except InvalidTag as error:
            raise MnemicError(
                Reason.CORRUPT_DATA,
                "the wrapped key in keys.db is damaged: the master key is the right one and does not open it; "
                "put back a copy of keys.db",
            ) from error


class CommandMasterKey(MasterKey):
    """A program that wraps and unwraps.

    Args:
        command: The program and its arguments; no shell is involved.
        seconds: How long one run may take.
    """

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command = list(command)
        self._seconds = seconds

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """See `MasterKey.wrap`."""
        name, wrapped = self._run("wrap", key, "")
        return f"command:{name}", wrapped

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """See `MasterKey.unwrap`."""
        kind, _, known_as = name.partition(":")
        if kind != "command":
            raise _another(name, "that of encryption.key_command")
        key = self._run("unwrap", wrapped, known_as)[1]
        if len(key) != KEY_BYTES:
            raise self._failure(f"unwrapped {len(key)} bytes where {KEY_BYTES} had been wrapped")
        return key

    def _run(self, operation: str, data: bytes, known_as: str) -> tuple[str, bytes]:
        request = {
            "protocol": _PROTOCOL,
            "operation": operation,
            "data": base64.b64encode(data).decode(),
            "key_name": known_as,
        }
        try:
            done = subprocess.run(  # noqa: S603 (the operator's own program, without a shell)
                self._command,
                input=json.dumps(request).encode() + b"\n",
                capture_output=True,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise self._failure(f"did not {operation} within {self._seconds:g} s") from error
        except OSError as error:
            raise self._failure(f"cannot be run: {error.strerror}") from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[:_SHOWN]
            raise self._failure(f"could not {operation} (exit status {done.returncode}): {said or 'it said nothing'}")
        try:
            answer = json.loads(done.stdout)
            return str(answer.get("key_name", "")), base64.b64decode(answer["data"], validate=True)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # What it answered may hold a key: it is not shown.
            raise self._failure(f'answered to {operation} with something else than {{"data": BASE64}}') from error

    def _failure(self, what: str) -> MnemicError:
        return MnemicError(
            Reason.STORE_UNAVAILABLE,
            f"encryption.key_command: {self._command[0]} {what}; nothing was opened",
            metadata={"command": self._command[0]},
        )


def _another(stored: str, given: str) -> MnemicError:
    return MnemicError(
        Reason.STORE_UNAVAILABLE,
        f"the store is encrypted under the master key {stored}, and the settings give {given}; "
        "give that one (nothing was opened or changed)",
        metadata={"stored_master_key": stored, "given_master_key": given},
    )


def new_master_key() -> str:
    """A master key as text."""
    return _PREFIX + base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def parse_master_key(text: str, where: str) -> LocalMasterKey:
    """The master key that a text says.

    Args:
        text: As `new_master_key` makes it; space around it does not matter.
        where: The setting that it comes from, for the error; the text itself is never shown.
    """
    stripped = text.strip()
    try:
        key = base64.urlsafe_b64decode(stripped.removeprefix(_PREFIX)) if stripped.startswith(_PREFIX) else b""
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise invalid_field(where, "holds no master key; `mnemic encryption generate-key` makes one")
    return LocalMasterKey(key)


def master_key_of(settings: EncryptionSettings) -> MasterKey | None:
    """The master key that the settings name; None when there is none.

    Raises:
        MnemicError: INVALID_FIELD when the file cannot be read or holds none.
    """
    if settings.key_file is not None:
        return read_master_key(settings.key_file, "encryption.key_file")
    if settings.key is not None:
        return parse_master_key(settings.key.get_secret_value(), "encryption.key")
    if settings.key_command:
        return CommandMasterKey(settings.key_command, settings.key_command_seconds)
    return None


def read_master_key(path: Path, where: str) -> LocalMasterKey:
    """The master key of a file."""
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise invalid_field(where, f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise invalid_field(where, f"{path} is no text; `mnemic encryption generate-key` makes one") from error
    return parse_master_key(text, where)
