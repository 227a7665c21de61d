"""The ways in which Mnemic is offered, each started for real: which server, who may call, and over what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import grpc
from access_support import SECRET, bearer, make_key, token
from certificates import Authority

from mnemic.client.channel import tls_credentials
from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.model.access import AccessRole
from mnemic.server.server import MnemicServer
from mnemic.store.sealing_masters import new_master_key

GUARDED = {"mode": "keys+jwt", "jwt": {"algorithms": ["HS256"], "secret": SECRET}}
MAX_MESSAGE_BYTES = 1024 * 1024
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Kind:
    """One way.

    Attributes:
        name: Of the tests' ids.
        front: Whether the native front listens, else the Python server.
        credential: Which one its callers send, `key` or `token`; none where nobody asks.
        transport: `plaintext`, `tls`, `mtls` or `unix`.
        encrypted: Whether what it keeps is encrypted.
    """

    name: str
    front: bool
    credential: str = ""
    transport: str = "plaintext"
    encrypted: bool = False


REFERENCE = Kind("python", front=False)
GUARDED_REFERENCE = Kind("python-key-tls", front=False, credential="key", transport="tls")
KINDS = (
    REFERENCE,
    Kind("front", front=True),
    Kind("python-unix", front=False, transport="unix"),
    Kind("front-unix", front=True, transport="unix"),
    GUARDED_REFERENCE,
    Kind("front-key-tls", front=True, credential="key", transport="tls"),
    Kind("python-token-mtls", front=False, credential="token", transport="mtls"),
    Kind("front-token-mtls", front=True, credential="token", transport="mtls"),
    Kind("front-key-encrypted", front=True, credential="key", encrypted=True),
)


class Files:
    """The certificates of all deployments."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.server = self.authority.issue("server")
        self.client = self.authority.issue("client")

    def settings(self, transport: str) -> dict[str, Path]:
        """What the server is told."""
        if transport not in {"tls", "mtls"}:
            return {}
        certificate, key = self.server
        clients = {"tls_client_ca": self.authority.certificate} if transport == "mtls" else {}
        return {"tls_certificate": certificate, "tls_key": key} | clients

    def credentials(self, transport: str) -> grpc.ChannelCredentials | None:
        """What a client connects with."""
        if transport not in {"tls", "mtls"}:
            return None
        certificate, key = self.client if transport == "mtls" else (None, None)
        return tls_credentials(authority=self.authority.certificate, certificate=certificate, certificate_key=key)


@dataclass
class Deployment:
    """One that runs."""

    kind: Kind
    engine: Engine
    server: MnemicServer
    files: Files
    address: str

    @cached_property
    def secret(self) -> str:
        """A credential of an operator of the tenant `default`; empty where nobody asks."""
        if self.kind.credential == "key":
            return make_key(self.engine, AccessRole.OPERATOR).secret
        if self.kind.credential == "token":
            return operator_token()
        return ""

    @property
    def metadata(self) -> Metadata:
        """The same as it is sent."""
        return bearer(self.secret) if self.secret else ()

    @property
    def _authority(self) -> list[tuple[str, str]]:
        # grpcio names a unix socket by its path, percent-encoded, which the front's HTTP/2 library takes for no
        # authority (hyperium/h2#442); docs/serving.md says so.
        is_needed = self.kind.front and self.kind.transport == "unix"
        return [("grpc.default_authority", "localhost")] if is_needed else []

    @property
    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        return self.files.credentials(self.kind.transport)

    @cached_property
    def channel(self) -> grpc.Channel:
        """A connection with nothing set that a plain user of grpcio would not set, but for the front's unix socket."""
        options = [("grpc.max_receive_message_length", -1), *self._authority]
        if self.channel_credentials is None:
            return grpc.insecure_channel(self.address, options)
        return grpc.secure_channel(self.address, self.channel_credentials, options)


def operator_token() -> str:
    """A token that is good for the session."""
    return token(tenant="default", role="operator", exp=int(time.time()) + 3600)


@contextmanager
def deployed(kind: Kind, directory: Path, files: Files) -> Iterator[Deployment]:
    """Starts one on a free port, with an engine of its own."""
    settings = load_settings(
        data_directory=directory / "data",
        embedding={"provider": "static"},
        **({"authentication": GUARDED} if kind.credential else {}),
        **({"encryption": {"key": new_master_key()}} if kind.encrypted else {}),
    )
    address = f"unix:{directory / 's'}" if kind.transport == "unix" else "127.0.0.1:0"
    serving = ServerSettings(
        address=address,
        front=kind.front,
        max_message_bytes=MAX_MESSAGE_BYTES,
        drain_seconds=2.0,
        log_level="error",
        **files.settings(kind.transport),
    )
    with Engine.open(settings, pull_missing_model=True) as engine, MnemicServer(engine, serving) as server:
        deployment = Deployment(kind, engine, server, files, server.address)
        yield deployment
        deployment.channel.close()
