"""TLS of the public port, the same for both servers."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from mnemic.engine.settings import ServerSettings
from mnemic.model.errors import invalid_field


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

    def credentials(self) -> grpc.ServerCredentials:
        """What a grpcio server listens with."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)],
            root_certificates=self.client_authorities,
            require_client_auth=self.client_authorities is not None,
        )


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
