"""How the gRPC clients connect: retries, limits, credentials, metadata."""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from pathlib import Path

import grpc

from mnemic.model.errors import MnemicError, Reason, invalid_field

DEFAULT_ADDRESS = "127.0.0.1:50551"
DEFAULT_TIMEOUT_SECONDS = 30.0

MAX_ATTEMPTS = 4
# Only UNAVAILABLE: nothing else says that the same call may succeed a moment later. A retry of a mutation is safe
# since each carries a request id. gRPC draws each delay at random, up to the bound that grows from the first to the
# last (proposal A6).
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [
                    {"service": "mnemic.v1.MemoryService"},
                    *(
                        {"service": "mnemic.v1.AdminService", "method": method}
                        for method in ("GetStats", "GetTenant", "ListTenants", "ListApiKeys")
                    ),
                ],
                "retryPolicy": {
                    "maxAttempts": MAX_ATTEMPTS,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)

ChannelOptions = Sequence[tuple[str, str | int]]


def channel_options(address: str, own: ChannelOptions) -> list[tuple[str, str | int]]:
    """The options of a channel to an address; the caller's come last and win."""
    # grpcio would name a unix socket by its path, percent-encoded, which HTTP/2 servers refuse as no authority.
    authority = [("grpc.default_authority", "localhost")] if address.startswith("unix:") else []
    return [
        *authority,
        ("grpc.service_config", _SERVICE_CONFIG),
        ("grpc.enable_retries", 1),
        # A page of a thousand long memories is larger than grpcio's 4 MiB; the server bounds what it sends.
        ("grpc.max_receive_message_length", -1),
        ("grpc.keepalive_time_ms", 60_000),
        *own,
    ]


def call_metadata(api_key: str | None, own: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What accompanies each call."""
    credential = (("authorization", f"Bearer {api_key}"),) if api_key else ()
    return (*credential, *own)


def tls_credentials(
    *,
    authority: Path | None = None,
    certificate: Path | None = None,
    certificate_key: Path | None = None,
) -> grpc.ChannelCredentials:
    """Credentials of a channel with TLS.

    Args:
        authority: Whose certificates the server may have, as PEM; unless given, those that gRPC trusts.
        certificate: The client's own certificate and those above it, as PEM, for servers that ask for one.
        certificate_key: Its private key, as PEM.

    Raises:
        MnemicError: INVALID_FIELD for a certificate without its key or a key without its certificate, and for a file
            that cannot be read or holds something else.
    """
    if (certificate is None) != (certificate_key is None):
        raise invalid_field("certificate", "and certificate_key go together; give both or none")
    roots = _read("authority", authority)
    chain, key = _read("certificate", certificate), _read("certificate_key", certificate_key)
    # gRPC would only say at the first call that it cannot connect.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if roots is not None:
        try:
            context.load_verify_locations(cadata=roots.decode("ascii", "replace"))
        except (ssl.SSLError, ValueError) as error:
            raise invalid_field("authority", f"{authority} holds no certificate as PEM: {error}") from error
    if certificate is not None and certificate_key is not None:
        try:
            # A key with a password would be asked for on the terminal.
            context.load_cert_chain(certificate.expanduser(), certificate_key.expanduser(), password="")
        except (ssl.SSLError, ValueError) as error:
            description = f"{certificate} and the key in {certificate_key} are no certificate with its key: {error}"
            raise invalid_field("certificate", description) from error
    return grpc.ssl_channel_credentials(root_certificates=roots, private_key=key, certificate_chain=chain)


def _read(field: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise invalid_field(field, f"cannot read {path}: {error.strerror}") from error


def open_channel(address: str, credentials: grpc.ChannelCredentials | None, own: ChannelOptions) -> grpc.Channel:
    """A channel that connects at its first call; plaintext without credentials."""
    arguments = channel_options(address, own)
    if credentials is None:
        return grpc.insecure_channel(address, arguments)
    return grpc.secure_channel(address, credentials, arguments)


def closed_error(name: str) -> MnemicError:
    """What a call on something closed raises."""
    return MnemicError(Reason.SHUTTING_DOWN, f"this {name} is closed; make a new one")
