"""What a server shows of itself before gRPC: whether something listens, whether it speaks TLS, and its certificate."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnemic.cli.backend import Connection
from mnemic.cli.check import Check, Level

_TIMEOUT_SECONDS = 3.0
_DAY_SECONDS = 86_400.0
_CLOSED = "the server closed the connection"
# Renewals are usual a month before the end.
_SOON_DAYS = 14.0
# RFC 9113, 3.4, and an empty SETTINGS frame: what any HTTP/2 server answers.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@dataclass(frozen=True, slots=True)
class Shown:
    """What a connection showed.

    Attributes:
        listens: Whether somebody accepts connections.
        protocol: The version of TLS and its cipher; empty without TLS.
        certificate: What the certificate says, as `ssl` puts it; None when it cannot be read.
        problem: Why the certificate is not trusted, or the connection was ended; empty for none.
    """

    listens: bool
    protocol: str = ""
    certificate: Mapping[str, Any] | None = None
    problem: str = ""


def host_and_port(address: str) -> tuple[str, int] | None:
    """Of `host:port`; None for any other target, such as a unix socket."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or host.startswith("unix") or "/" in host:
        return None
    return host.strip("[]"), int(port)


def look(address: tuple[str, int], connection: Connection) -> Shown:
    """Connects as the client would, and else in any way, to see what is wrong; the connection's files are good."""
    authority, own, key = (
        None if path is None else path.expanduser()
        for path in (connection.authority, connection.certificate, connection.certificate_key)
    )
    trusting = ssl.create_default_context(cafile=authority)
    if own is not None:
        trusting.load_cert_chain(own, key)
    try:
        with socket.create_connection(address, timeout=_TIMEOUT_SECONDS) as plain:
            return _greet(plain, address[0], trusting)
    except ssl.SSLCertVerificationError as error:
        certificate, protocol = _untrusted(address)
        return Shown(listens=True, protocol=protocol, certificate=certificate, problem=error.verify_message)
    except ssl.SSLError as error:
        return Shown(listens=True, problem=str(error.reason or error))
    except ConnectionResetError:
        # What a server that expects HTTP/2 makes of the beginning of TLS.
        return Shown(listens=True, problem=f"{_CLOSED} in the handshake")
    except OSError as error:
        return Shown(listens=False, problem=str(error.strerror or error))


def _greet(plain: socket.socket, host: str, context: ssl.SSLContext) -> Shown:
    context.set_alpn_protocols(["h2"])
    with context.wrap_socket(plain, server_hostname=host) as encrypted:
        protocol = f"{encrypted.version()}, {(encrypted.cipher() or ('no cipher',))[0]}"
        certificate = encrypted.getpeercert()
        problem = ""
        try:
            # With TLS 1.3 a server refuses a client's certificate, or its lack, only now.
            encrypted.sendall(_GREETING)
            if not encrypted.recv(1):
                problem = f"{_CLOSED} after the handshake"
        except ConnectionResetError:
            problem = f"{_CLOSED} after the handshake"
        except OSError as error:
            problem = str(getattr(error, "reason", None) or error)
    return Shown(listens=True, protocol=protocol, certificate=certificate, problem=problem)


def _untrusted(address: tuple[str, int]) -> tuple[Mapping[str, Any] | None, str]:
    """What a certificate says that is not trusted: read by a context that trusts it and nothing else."""
    try:
        shown = ssl.get_server_certificate(address, timeout=_TIMEOUT_SECONDS)
        context = ssl.create_default_context(cadata=shown)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with socket.create_connection(address, timeout=_TIMEOUT_SECONDS) as plain:
            found = _greet(plain, address[0], context)
    except OSError:
        # Such as one that has expired.
        return None, ""
    return found.certificate, found.protocol


def tls_check(shown: Shown) -> Check:
    """The certificate and what is wrong with it."""
    if not shown.protocol and shown.problem:
        return Check("TLS", Level.FAIL, f"no connection: {shown.problem}", _hint(shown.problem))
    words = [shown.protocol] if shown.protocol else []
    level, hint = Level.OK, ""
    if shown.certificate is not None:
        days = (ssl.cert_time_to_seconds(shown.certificate["notAfter"]) - time.time()) / _DAY_SECONDS
        words += [f"for {_names(shown.certificate)}", f"{days:.0f} days left"]
        if days < _SOON_DAYS:
            level, hint = Level.WARN, "renew the certificate; the server takes changed files without a restart"
    if shown.problem:
        words.append(shown.problem)
        level, hint = Level.FAIL, _hint(shown.problem)
    return Check("TLS", level, "; ".join(words), hint)


def _names(certificate: Mapping[str, Any]) -> str:
    names = [value for _, value in certificate.get("subjectAltName", ())]
    return ", ".join(names[:5]) or "no name at all"


def _hint(problem: str) -> str:
    lowered = problem.lower().replace("_", " ")
    if "expired" in lowered:
        return "renew the certificate; the server takes changed files without a restart"
    if "certificate required" in lowered or "unknown ca" in lowered or "after the handshake" in lowered:
        return "the server asks for a certificate of yours: --tls-certificate FILE --tls-key FILE"
    if "issuer" in lowered or "self-signed" in lowered or "self signed" in lowered:
        return "say whose certificates the server may have: --tls-ca FILE; the server must send its whole chain"
    if "mismatch" in lowered or "not valid for" in lowered:
        return "use a name that the certificate has, or have it issued for this one"
    if any(words in lowered for words in ("wrong version", "record layer", "eof", "in the handshake")):
        return "it does not speak TLS: leave out --tls, --tls-ca and --tls-certificate"
    return ""


def refusal_hint(address: str, connection: Connection) -> str:
    """What may be wrong with an address where no call is answered."""
    target = host_and_port(address)
    start = f"start it with `mnemic serve --address {address}`, or name another with --server"
    if target is None:
        path = Path(address.removeprefix("unix:"))
        return start if not path.exists() else "the server of this socket is gone or does not answer; see its log"
    shown = look(target, connection)
    if not shown.listens:
        return start
    if not connection.speaks_tls() and (shown.protocol or shown.certificate is not None):
        return "it speaks TLS: add --tls, or --tls-ca FILE with the certificates of its authority"
    if connection.speaks_tls() and shown.problem:
        return _hint(shown.problem) or "see the check of TLS"
    return "something listens there and answers no call: another program, a server that is ending, or one that is full"
