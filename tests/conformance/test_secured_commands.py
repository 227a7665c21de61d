"""The commands and a guarded server, as processes: what `--tls-…` and `--api-key` take, and what is said of them."""

import os
import re
import subprocess
import sys

import pytest
from certificates import Authority

from mnemic.embedding.install import pull_model

MNEMIC = [sys.executable, "-m", "mnemic.cli"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    pull_model("static")
    own = {
        "MNEMIC_DATA_DIRECTORY": str(tmp_path_factory.mktemp("served")),
        "MNEMIC_EMBEDDING__PROVIDER": "static",
        "MNEMIC_AUTHENTICATION__MODE": "keys",
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("MNEMIC_")} | own


@pytest.fixture(scope="module")
def run(environment):
    """Runs a command to its end."""

    def execute(*arguments) -> subprocess.CompletedProcess[str]:
        command = [*MNEMIC, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)

    return execute


@pytest.fixture(scope="module")
def secret(run) -> str:
    return run("keys", "create", "--role", "operator").stdout.split()[0]


@pytest.fixture(scope="module")
def address(environment, secret, certificates):
    """A server that asks for certificates and keys."""
    certificate, key = certificates.server
    flags = ("--tls-certificate", certificate, "--tls-key", key, "--tls-client-ca", certificates.authority.certificate)
    process = subprocess.Popen(
        [*MNEMIC, "serve", "--address", "127.0.0.1:0", *map(str, flags)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        ready = re.fullmatch(r"mnemic serving on (\S+)\n", process.stdout.readline())
        assert ready
        yield ready[1]
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def known(certificates, secret) -> dict[str, object]:
    """What a good caller gives."""
    certificate, key = certificates.client
    return {
        "--tls-ca": certificates.authority.certificate,
        "--tls-certificate": certificate,
        "--tls-key": key,
        "--api-key": secret,
    }


def flags(options: dict[str, object]) -> list[object]:
    return [part for pair in options.items() for part in pair]


def test_a_guarded_server_serves_who_brings_everything(run, address, known):
    added = run("add", "Anna likes tea", "--user", "anna", "--server", address, *flags(known))
    assert added.returncode == 0, added.stderr
    found = run("search", "tea", "--user", "anna", "--server", address, *flags(known))
    assert "Anna likes tea" in found.stdout
    assert run("tenants", "list", "--server", address, *flags(known)).returncode == 0
    assert run("doctor", "--server", address, *flags(known)).returncode == 0


def test_what_is_wrong_is_one_line_with_a_hint(run, address, known, certificates, tmp_path):
    stranger = Authority(tmp_path)
    certificate, key = stranger.issue("client")
    without = {name: value for name, value in known.items() if name == "--tls-ca"}
    for options, words, hint in (
        (known | {"--tls-ca": stranger.certificate}, "no authority that this client trusts", "--tls-ca FILE"),
        ({}, "it may speak TLS", "try --tls"),
        (without, "client's certificate", "--tls-certificate FILE"),
        (known | {"--tls-certificate": certificate, "--tls-key": key}, "client's certificate", "--tls-key FILE"),
        (known | {"--tls-key": key}, "--tls-certificate: ", ""),
        (known | {"--tls-ca": tmp_path / "missing"}, "--tls-ca: cannot read", ""),
        (known | {"--api-key": "mnk_" + "A" * 43}, "", "--api-key"),
        ({name: value for name, value in known.items() if name != "--api-key"}, "asks for a credential", "--api-key"),
    ):
        refused = run("stats", "--server", address, *flags(options))
        assert refused.returncode in {1, 2}
        assert refused.stdout == ""
        lines = refused.stderr.splitlines()
        assert lines[0].startswith("error: ")
        assert words in lines[0]
        if hint:
            assert lines[1].startswith("hint: ")
            assert hint in lines[1]
        assert len(lines) == (2 if hint else 1), refused.stderr
