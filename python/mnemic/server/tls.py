"""TLS of the public port, the same for both servers: its files, and what happens when they change."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

from mnemic.engine.settings import ServerSettings
from mnemic.model.errors import MnemicError, invalid_field

_LOOK_SECONDS = 2.0
_log = structlog.get_logger("mnemic.server")
# Of each file the time of its last change, its size and its number; None for one that is not there.
_Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True, repr=False)
class TlsFiles:
    """What the files hold, as PEM.

    Attributes:
        certificate: The server's, followed by those that vouch for it.
        key: Its private key.
        client_authorities: Only clients with a certificate of these may connect; None lets anyone.
    """

    certificate: bytes
    key: bytes
    client_authorities: bytes | None


class PythonCertificates:
    """What a grpcio server listens with.

    Args:
        files: With which it begins.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._latest = self._used = files
        self.credentials = grpc.dynamic_ssl_server_credentials(
            _configuration(files),
            self._fetch,  # type: ignore[arg-type]  # the stubs do not know of None, which keeps the former
            require_client_authentication=files.client_authorities is not None,
        )

    def replace(self, files: TlsFiles) -> None:
        """Accepts new connections with other files from now on; those that there are go on."""
        self._latest = files

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        # Asked before each handshake, by several threads; None keeps the former.
        latest = self._latest
        if latest is self._used:
            return None
        self._used = latest
        return _configuration(latest)


def _configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(files.key, files.certificate)], root_certificates=files.client_authorities
    )


class TlsReload:
    """Looks every two seconds whether the files have changed, such as by a renewal, and hands them on if they are good.

    Others are said once in the log, and the former stay until the files change again.

    Args:
        settings: Names the files.
        use: Takes the new ones; raises MnemicError for what it cannot use.
    """

    def __init__(self, settings: ServerSettings, use: Callable[[TlsFiles], None]) -> None:
        self._settings = settings
        self._use = use
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mnemic-tls", daemon=True)

    def start(self, seen: _Signature) -> None:
        """Begins.

        Args:
            seen: The `signature` of the files, from before those in use were read.
        """
        self._seen = seen
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        now = signature(self._settings)
        if now == self._seen:
            return
        self._seen = now
        try:
            files = read_tls(self._settings)
            if files is not None:
                self._use(files)
        except MnemicError as error:
            _log.error("the changed TLS files cannot be used; the former stay in use", error=error.message)
        else:
            _log.info("TLS files changed; new connections use them", certificate=str(self._settings.tls_certificate))


def signature(settings: ServerSettings) -> _Signature:
    """What changes when one of the files does."""
    return tuple(
        _stamp(path.expanduser())
        for path in (settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
        if path is not None
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_tls(settings: ServerSettings) -> TlsFiles | None:
    """The files that the settings name; None when they name none.

    Raises:
        MnemicError: INVALID_FIELD naming a setting that is missing beside the others, or whose file cannot be read.
    """
    if not any((settings.tls_certificate, settings.tls_key, settings.tls_client_ca)):
        return None
    certificate = _required("tls_certificate", settings.tls_certificate)
    key = _required("tls_key", settings.tls_key)
    authorities = settings.tls_client_ca
    files = TlsFiles(
        certificate=_read("tls_certificate", certificate),
        key=_read("tls_key", key),
        client_authorities=None if authorities is None else _read("tls_client_ca", authorities),
    )
    _check(certificate, key, files.client_authorities)
    return files


def _required(name: str, path: Path | None) -> Path:
    if path is None:
        raise invalid_field(f"server.{name}", "TLS needs it beside the other files")
    return path


def _check(certificate: Path, key: Path, authorities: bytes | None) -> None:
    """Refuses what neither server could use; grpcio would only say that it cannot listen."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key with a password would be asked for on the terminal.
        context.load_cert_chain(certificate.expanduser(), key.expanduser(), password="")
    except (ssl.SSLError, ValueError) as error:
        description = f"{certificate} and the key in {key} are no certificate with its key: {error}"
        raise invalid_field("server.tls_certificate", description) from error
    if authorities is None:
        return
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise invalid_field("server.tls_client_ca", f"it holds no certificate: {error}") from error


def _read(name: str, path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise invalid_field(f"server.{name}", f"cannot read {path}: {error.strerror}") from error
