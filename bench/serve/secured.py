"""A certificate for loopback and a key, for the scenario with both."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Files:
    certificate: Path
    key: Path


def certificate(directory: Path) -> Files:
    """A self-signed certificate for 127.0.0.1."""
    files = Files(directory / "certificate.pem", directory / "key.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        [*command, "-days", "1", *subject, "-keyout", files.key, "-out", files.certificate],
        check=True,
        capture_output=True,
    )
    return files


def create_key(directory: Path) -> str:
    """A key of the default tenant that may read and write."""
    command = [sys.executable, "-m", "mnemic.cli", "keys", "create", "--role", "write", "--json"]
    done = subprocess.run([*command, "--data-directory", str(directory)], check=True, capture_output=True, text=True)
    secret: str = json.loads(done.stdout)["secret"]
    return secret
