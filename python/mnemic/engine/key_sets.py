"""The key set that verifies tokens: read from a file or fetched from its issuer, and kept fresh behind the calls."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import structlog

from mnemic import _core
from mnemic.engine.settings import JwtSettings
from mnemic.model.errors import invalid_field

_log = structlog.get_logger("mnemic.authentication")
_MOST_BYTES = 1 << 20
# How long the thread that waits for unknown keys goes without looking whether it is to stop.
_POLL_SECONDS = 0.5
_FIELD = "authentication.jwt.key_set"


class KeySetKeeper:
    """Hands an authenticator the keys of its tokens, and reads them again now and then.

    Args:
        authenticator: Whose keys they are.
        settings: Where they are.
    """

    def __init__(self, authenticator: _core.Authenticator, settings: JwtSettings) -> None:
        self._authenticator = authenticator
        self._settings = settings
        self._last = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="mnemic-key-set", daemon=True)

    def start(self) -> None:
        """Reads the key set, and goes on reading it in the background.

        Raises:
            MnemicError: INVALID_FIELD when a file cannot be read or what it holds is no key set. An issuer that cannot
                be reached is only logged: it may come back, and API keys work without it.
        """
        try:
            self._read()
        except _UnreadableError as error:
            if not self._is_remote():
                raise invalid_field(_FIELD, str(error)) from error
            _log.warning("key_set_not_read", key_set=self._settings.key_set, error=str(error))
        if self._settings.key_set is not None:
            self._thread.start()

    def stop(self) -> None:
        """Ends the background work."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _is_remote(self) -> bool:
        return is_url(self._settings.key_set or "")

    def _keep(self) -> None:
        read = time.monotonic()
        while not self._stopping.is_set():
            is_unknown = self._authenticator.wait_for_unknown_key(_POLL_SECONDS)
            age = time.monotonic() - read
            wait = self._settings.unknown_key_seconds if is_unknown else self._settings.refresh_seconds
            if is_unknown and age < wait:
                # It is asked for until then, and read once.
                self._stopping.wait(wait - age)
            elif age < wait:
                continue
            if self._stopping.is_set():
                return
            read = time.monotonic()
            try:
                self._read()
            except _UnreadableError as error:
                # What was read before goes on.
                _log.warning("key_set_not_read", key_set=self._settings.key_set, error=str(error))

    def _read(self) -> None:
        keys = self._shared_keys()
        if self._settings.key_set is not None:
            keys += _keys_of(read_key_set(self._settings.key_set, self._settings.fetch_seconds))
        document = json.dumps({"keys": keys}, sort_keys=True)
        if document == self._last:
            return
        try:
            usable = self._authenticator.set_key_set(document)
        except ValueError as error:
            raise _UnreadableError(str(error)) from error
        self._last = document
        _log.info("key_set_read", key_set=self._settings.key_set, usable_keys=usable)

    def _shared_keys(self) -> list[Any]:
        if self._settings.secret is None:
            return []
        secret = self._settings.secret.get_secret_value().encode()
        return [{"kty": "oct", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")}]


class _UnreadableError(Exception):
    """Why there is no key set, in words."""


def is_url(source: str) -> bool:
    """Whether a key set is fetched rather than read from a file."""
    return "://" in source


def read_key_set(source: str, timeout_seconds: float) -> bytes:
    """The bytes of a key set.

    Raises:
        _UnreadableError: It cannot be read, or is too large.
    """
    try:
        data = _fetch(source, timeout_seconds) if is_url(source) else _read_file(Path(source).expanduser())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _UnreadableError(f"cannot read {source}: {error}") from error
    if len(data) > _MOST_BYTES:
        raise _UnreadableError(f"{source} is larger than {_MOST_BYTES} bytes")
    return data


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES + 1)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An issuer's keys come from where the settings say, or not at all."""

    def redirect_request(self, *_arguments: object) -> None:
        """Follows nothing."""


def _fetch(url: str, timeout_seconds: float) -> bytes:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise ValueError("a URL must begin with https://, since whoever can change the answer can make tokens")
    opener = urllib.request.build_opener(_NoRedirect)
    request = urllib.request.Request(url, headers={"accept": "application/json", "user-agent": "mnemic"})  # noqa: S310 (the scheme is checked above)
    with opener.open(request, timeout=timeout_seconds) as answer:
        data: bytes = answer.read(_MOST_BYTES + 1)
        return data


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keys_of(data: bytes) -> list[Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(f"the key set is no JSON: {error}") from error
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise _UnreadableError("the key set is no JSON object with a list `keys`")
    # A shared secret belongs into the settings: whoever can read a published one could sign.
    return [key for key in keys if not (isinstance(key, dict) and key.get("kty") == "oct")]
