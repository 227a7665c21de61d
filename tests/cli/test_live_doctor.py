"""`mnemic doctor` on a running server."""

import shutil
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from certificates import Authority

from mnemic.cli import live_checks
from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.model.access import AccessRole, ApiKey
from mnemic.model.scope import DEFAULT_TENANT, Scope
from mnemic.server.server import MnemicServer

PLAIN = ["server", "TLS", "health", "authentication", "round trip", "search", "data", "index", "model"]
PLAIN += ["tokenizers", "version", "clock", "disk", "load", "dropped", "metrics"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., MnemicServer]]:
    """Starts a server; `mode` is that of its authentication."""
    opened = []

    def make(mode: str = "none", **server) -> MnemicServer:
        settings = load_settings(
            data_directory=tmp_path / "data", embedding={"provider": "static"}, authentication={"mode": mode}
        )
        engine = Engine.open(settings)
        opened.append(engine.close)
        serving = MnemicServer(engine, ServerSettings(**{"address": "127.0.0.1:0", "log_level": "error"} | server))
        serving.start()
        opened.append(lambda: serving.stop(0))
        engine.announce(serving.local_address)
        return serving

    yield make
    for close in reversed(opened):
        close()


def key(server: MnemicServer, role: AccessRole, **restricted: str) -> str:
    made = ApiKey(key_id="", tenant=DEFAULT_TENANT, role=role, display_name="", scope=Scope(**restricted))
    return server._authority.create_key(made, caller=DEFAULT_TENANT).secret


def findings(outcome) -> dict[str, SimpleNamespace]:
    return {check["name"]: SimpleNamespace(**check) for check in outcome.document["checks"]}


def doctor(run, address: str, *flags: str) -> tuple[int, dict[str, SimpleNamespace]]:
    outcome = run("doctor", "--server", address, "--json", *flags)
    return outcome.code, findings(outcome)


def test_a_sound_server_is_found_sound(run, start):
    server = start(metrics_address="127.0.0.1:0")
    run("add", "Anna likes tea.", "--user", "anna", "--server", server.address)
    code, found = doctor(run, server.address)
    assert code == 0
    assert [name for name in found if name in PLAIN] == PLAIN
    assert {name: check.level for name, check in found.items() if name in PLAIN} == dict.fromkeys(PLAIN, "ok")
    assert found["health"].found.count("SERVING") == 4
    assert "whoever reaches the address is anonymous, operator of the tenant default" in found["authentication"].found
    assert found["data"].found.startswith("1 memory in 1 scope, revision 1")
    assert "the native front" in found["version"].found
    assert found["tokenizers"].found.startswith("static, ")
    assert "relayed_calls 1 of" in found["load"].found, "the question itself"
    assert server.metrics.address in found["metrics"].found
    plain = run("doctor", "--server", server.address)
    assert plain.code == 0
    assert all(name in plain.out for name in PLAIN)


def test_it_says_which_server_listens(run, start):
    _, found = doctor(run, start(front=False).address)
    assert "the Python server (front off)" in found["version"].found
    assert "load" not in found


def test_where_nobody_listens(run, tmp_path):
    for address in ("127.0.0.1:1", f"unix:{tmp_path / 'none'}"):
        code, found = doctor(run, address)
        assert (code, found["server"].level) == (1, "fail")
        assert f"mnemic serve --address {address}" in found["server"].hint
        assert "health" not in found


def test_a_python_side_that_is_away(run, start):
    server = start()
    server._server.stop(None).wait()
    code, found = doctor(run, server.address)
    assert code == 1
    assert found["server"].level == "ok"
    assert found["health"].level == "fail"
    assert found["health"].found.count("NOT_SERVING") == 4
    assert found["authentication"].level == "fail"


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (AccessRole.READ, "the credential is good: read"),
        (AccessRole.WRITE, "the credential is good: write"),
        (AccessRole.ADMIN, "admin of the tenant default"),
        (AccessRole.OPERATOR, "operator of the tenant default"),
    ],
)
def test_whose_credential_it_is_and_never_the_credential(run, start, role, said, monkeypatch):
    server = start("keys")
    secret = key(server, role)
    monkeypatch.setenv("MNEMIC_API_KEY", secret)
    for flags in ([], ["--json"]):
        outcome = run("doctor", "--server", server.address, *flags)
        assert outcome.code == 0
        assert secret not in outcome.out + outcome.err
    found = findings(outcome)
    assert said in found["authentication"].found
    assert found["search"].level == "ok"
    assert ("data" in found) == (role >= AccessRole.ADMIN)
    assert ("clock" in found) == (role == AccessRole.OPERATOR)


def test_a_credential_that_is_restricted_to_a_user(run, start):
    server = start("keys")
    code, found = doctor(run, server.address, "--api-key", key(server, AccessRole.WRITE, user_id="anna"))
    assert code == 0
    assert "the credential is good: write" in found["authentication"].found
    assert found["search"].level == "ok"


@pytest.mark.parametrize("flags", [[], ["--api-key", "mnk_wrong"]])
def test_without_a_good_credential(run, start, flags):
    code, found = doctor(run, start("keys").address, *flags)
    assert code == 1
    assert (found["server"].level, found["health"].level, found["authentication"].level) == ("ok", "ok", "fail")
    assert "MNEMIC_API_KEY" in found["authentication"].hint
    assert "mnk_wrong" not in str(found)


@pytest.fixture(params=[True, False], ids=["front", "python"])
def start_tls(start, request):
    return lambda **files: start(front=request.param, **files)


def test_a_certificate_and_how_long_it_lasts(run, start_tls, authority):
    certificate, private = authority.issue("server")
    server = start_tls(tls_certificate=certificate, tls_key=private)
    code, found = doctor(run, server.address, "--tls-ca", str(authority.certificate))
    assert code == 0
    assert "TLSv1.3" in found["TLS"].found
    assert "for 127.0.0.1, localhost" in found["TLS"].found
    assert "2 days left" in found["TLS"].found
    assert found["TLS"].level == "warn", "two days are few"
    assert found["search"].level == "ok"


def test_what_is_wrong_with_tls(run, start_tls, authority, tmp_path_factory):
    certificate, private = authority.issue("server")
    server = start_tls(tls_certificate=certificate, tls_key=private)
    code, found = doctor(run, server.address)
    assert (code, found["server"].level) == (1, "fail")
    assert "--tls-ca" in found["server"].hint
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    code, found = doctor(run, server.address, "--tls-ca", str(stranger.certificate))
    assert (code, found["TLS"].level) == (1, "fail")
    assert "localhost" in found["TLS"].found, "what it shows is said although it is not trusted"
    assert "issuer" in found["TLS"].found
    refused = run("doctor", "--server", server.address, "--tls-ca", "/nowhere")
    assert refused.code == 2
    assert "--tls-ca: cannot read /nowhere" in refused.err


def test_a_server_that_asks_for_a_certificate(run, start_tls, authority):
    certificate, private = authority.issue("server")
    server = start_tls(tls_certificate=certificate, tls_key=private, tls_client_ca=authority.certificate)
    code, found = doctor(run, server.address, "--tls-ca", str(authority.certificate))
    assert code == 1
    assert "--tls-certificate" in found["TLS"].hint
    own, own_key = authority.issue("client")
    flags = ["--tls-ca", authority.certificate, "--tls-certificate", own, "--tls-key", own_key]
    code, found = doctor(run, server.address, *map(str, flags))
    assert (code, found["server"].level) == (0, "ok")


def test_a_server_without_tls_that_is_asked_for_it(run, start):
    code, found = doctor(run, start().address, "--tls")
    assert (code, found["server"].level, found["TLS"].level) == (1, "fail", "fail")
    assert "does not speak TLS" in found["TLS"].hint


def test_a_command_that_finds_the_directory_in_use_is_told_a_way_that_it_can_go(run, start, authority):
    certificate, private = authority.issue("server")
    start(tls_certificate=certificate, tls_key=private)
    refused = run("add", "Anna likes tea.", "--user", "anna")
    assert refused.code == 1
    way = refused.err.rpartition("use ")[2].split()
    assert way[0] == "--server"
    assert run("add", "Anna likes tea.", "--user", "anna", *way).code == 0
    found = run("search", "tea", "--user", "anna", "--json", *way)
    assert [hit["body"] for hit in found.document["hits"]] == ["Anna likes tea."]


def test_without_an_address_it_asks_the_server_of_the_data_directory(run, start, authority):
    certificate, private = authority.issue("server")
    server = start(tls_certificate=certificate, tls_key=private)
    outcome = run("doctor", "--json")
    assert outcome.code == 0
    found = findings(outcome)
    assert found["data directory"].level == "warn"
    assert f"--server {server.local_address}" in found["data directory"].hint
    assert found["server"].found.startswith(f"{server.local_address} answers")
    assert found["data"].level == "ok"


def test_a_disk_that_is_nearly_full(run, start, monkeypatch):
    server = start()
    usage = SimpleNamespace(total=100_000_000_000, used=99_000_000_000, free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, found = doctor(run, server.address)
    assert (code, found["disk"].level) == (0, "warn")
    assert "0.0 of 100.0 GB free" in found["disk"].found


def test_clocks_that_disagree(run, start, monkeypatch):
    server = start()
    shifted = SimpleNamespace(time=lambda: time.time() - 100, perf_counter=time.perf_counter)
    monkeypatch.setattr(live_checks, "time", shifted)
    code, found = doctor(run, server.address)
    assert (code, found["clock"].level) == (0, "warn")
    assert "ahead" in found["clock"].found


def test_a_queue_that_is_nearly_full(run, start):
    _, found = doctor(run, start(max_connections=1).address)
    assert found["load"].level == "warn"
    assert "connections 1 of 1" in found["load"].found


def test_a_metrics_page_that_is_not_there(run, start):
    server = start(metrics_address="127.0.0.1:0")
    server.metrics.close()
    code, found = doctor(run, server.address)
    assert (code, found["metrics"].level) == (0, "warn")


def test_a_certificate_that_has_expired(run, start, authority):
    certificate, private = authority.issue("expired", days=-1)
    server = start(tls_certificate=certificate, tls_key=private)
    code, found = doctor(run, server.address, "--tls-ca", str(authority.certificate))
    assert (code, found["TLS"].level) == (1, "fail")
    assert "expired" in found["TLS"].found
    assert "renew" in found["TLS"].hint
