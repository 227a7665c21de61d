"""A certificate for loopback and credentials, for the scenarios with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Files:
    """PEM files: a certificate with its key, and the authority that signed it."""

    authority: Path
    certificate: Path
    key: Path


def certificate(directory: Path) -> Files:
    """A certificate for 127.0.0.1, of an authority made for it."""
    files = Files(directory / "authority.pem", directory / "certificate.pem", directory / "key.pem")
    authority_key, request = directory / "authority-key.pem", directory / "request.pem"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj"]
    _openssl("req", "-x509", *new, "/CN=bench authority", "-keyout", authority_key, "-out", files.authority)
    name = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    _openssl("req", *new, "/CN=localhost", *name, "-keyout", files.key, "-out", request)
    signed = ["-CA", files.authority, "-CAkey", authority_key, "-CAcreateserial", "-copy_extensions", "copy"]
    _openssl("x509", "-req", "-days", "2", "-in", request, "-out", files.certificate, *signed)
    return files


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def create_key(directory: Path) -> str:
    """A key of the default tenant that may read and write."""
    command = [sys.executable, "-m", "mnemic.cli", "keys", "create", "--role", "write", "--json"]
    done = subprocess.run([*command, "--data-directory", str(directory)], check=True, capture_output=True, text=True)
    secret: str = json.loads(done.stdout)["secret"]
    return secret


@dataclass(frozen=True)
class Issuer:
    """Signs tokens with a secret (HS256); what a server verified once it knows again, whatever the algorithm."""

    secret: str

    @classmethod
    def new(cls) -> Issuer:
        return cls(secrets.token_urlsafe(32))

    def settings(self) -> dict[str, Any]:
        """Of a server that takes its tokens."""
        return {"mode": "jwt", "jwt": {"algorithms": ["HS256"], "secret": self.secret}}

    def token(self) -> str:
        """One of the default tenant that may read and write for a day."""
        claims = {"sub": "bench", "tenant": "default", "role": "write", "exp": int(time.time()) + 86_400}
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        signature = hmac.new(self.secret.encode(), signed, hashlib.sha256).digest()
        return b".".join((signed, _encoded(signature))).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
