"""TLS and mutual TLS, the same at both servers."""

import shutil
import ssl
import stat
from pathlib import Path

import grpc
import pytest
from behind import comes_true
from certificates import Authority
from structlog.testing import capture_logs

from mnemic.engine.settings import ServerSettings
from mnemic.model.errors import MnemicError
from mnemic.server.server import MnemicServer
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import memory_service_pb2_grpc, resources_pb2

TIMEOUT = 20.0
ANNA = resources_pb2.Scope(user_id="anna")


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def files(authority):
    certificate, key = authority.issue("server")
    return {"tls_certificate": certificate, "tls_key": key}


@pytest.fixture(params=[True, False], ids=["front", "python"])
def start(engine, request):
    started = []

    def make(**settings) -> MnemicServer:
        server = MnemicServer(engine, ServerSettings(address="127.0.0.1:0", front=request.param, **settings))
        server.start()
        started.append(server)
        return server

    yield make
    for server in started:
        server.stop(0)


def ask(address: str, roots=None, identity=None) -> int:
    """How many memories a search finds."""
    if roots is None:
        channel = grpc.insecure_channel(address, [("grpc.default_authority", "localhost")])
    else:
        certificate, key = (path.read_bytes() for path in identity) if identity else (None, None)
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(roots.read_bytes(), key, certificate))
    with channel:
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        stub.AddMemories(pb.AddMemoriesRequest(scope=ANNA, texts=["Anna likes tea."]), timeout=TIMEOUT)
        return len(stub.SearchMemories(pb.SearchMemoriesRequest(scope=ANNA, query="tea"), timeout=TIMEOUT).hits)


def is_turned_away(address: str, roots=None, identity=None) -> bool:
    with pytest.raises(grpc.RpcError) as caught:
        ask(address, roots, identity)
    return caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_server_with_a_certificate(start, files, authority, tmp_path_factory):
    server = start(**files)
    assert ask(server.address, authority.certificate) == 1
    assert is_turned_away(server.address), "there is no other way in than TLS"
    stranger = Authority(tmp_path_factory.mktemp("other"))
    assert is_turned_away(server.address, stranger.certificate), "the client does not know the authority"


def test_only_clients_with_a_certificate(start, files, authority, tmp_path_factory):
    server = start(**files, tls_client_ca=authority.certificate)
    assert ask(server.address, authority.certificate, authority.issue("client")) == 1
    assert is_turned_away(server.address, authority.certificate)
    stranger = Authority(tmp_path_factory.mktemp("other"))
    assert is_turned_away(server.address, authority.certificate, stranger.issue("client"))


def test_a_unix_socket_beside_it_goes_without(start, files, tmp_path):
    start(**files, unix_socket=tmp_path / "s")
    assert ask(f"unix:{tmp_path / 's'}") == 1


@pytest.mark.parametrize("missing", ["tls_certificate", "tls_key"])
def test_certificate_and_key_belong_together(start, files, missing):
    with pytest.raises(MnemicError, match=rf"server\.{missing}"):
        start(**{name: path for name, path in files.items() if name != missing})


@pytest.mark.parametrize("name", ["tls_certificate", "tls_key", "tls_client_ca"])
def test_a_file_that_cannot_be_read_or_used_is_named(start, files, name, tmp_path):
    with pytest.raises(MnemicError, match=rf"server\.{name}: cannot read"):
        start(**(files | {name: tmp_path / "missing"}))
    (tmp_path / "empty").write_text("nothing")
    with pytest.raises(MnemicError, match=r"server\.tls_"):
        start(**(files | {name: tmp_path / "empty"}))


def test_a_key_of_another_certificate_is_refused(start, files, authority):
    _, other = authority.issue("another")
    with pytest.raises(MnemicError, match=r"server\.tls_"):
        start(**(files | {"tls_key": other}))


def shown_certificate(address: str) -> str:
    """What a new connection is shown."""
    host, port = address.rsplit(":", 1)
    return ssl.get_server_certificate((host, int(port)))


@pytest.fixture
def renewable(files, tmp_path):
    """Copies of the files, which a test may change."""
    return {name: Path(shutil.copy(path, tmp_path / path.name)) for name, path in files.items()}


def renew(renewable, certificate, key) -> None:
    """As a tool that renews does it: one file after the other, each at once."""
    for path, new in zip(renewable.values(), (certificate, key), strict=True):
        shutil.copy(new, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)


def test_a_renewed_certificate_is_used_without_a_restart(start, renewable, authority):
    server = start(**renewable)
    before = shown_certificate(server.address)
    assert before == renewable["tls_certificate"].read_text()
    with grpc.secure_channel(server.address, grpc.ssl_channel_credentials(authority.certificate.read_bytes())) as old:
        stub = memory_service_pb2_grpc.MemoryServiceStub(old)
        search = pb.SearchMemoriesRequest(scope=ANNA, query="tea")
        stub.SearchMemories(search, timeout=TIMEOUT)
        renew(renewable, *authority.issue("renewed"))
        assert comes_true(lambda: shown_certificate(server.address) == renewable["tls_certificate"].read_text())
        assert shown_certificate(server.address) != before
        stub.SearchMemories(search, timeout=TIMEOUT)
    assert ask(server.address, authority.certificate) == 1


def test_broken_new_files_leave_the_old_ones_and_are_said(start, renewable, authority, monkeypatch):
    server = start(**renewable)
    before = shown_certificate(server.address)
    with capture_logs() as log:
        renewable["tls_certificate"].write_text("nothing")
        assert comes_true(lambda: any("former stay" in entry["event"] for entry in log))
        assert shown_certificate(server.address) == before
        renewable["tls_key"].unlink()
        assert comes_true(lambda: sum("former stay" in entry["event"] for entry in log) == 2)
        assert ask(server.address, authority.certificate) == 1
        renew(renewable, *authority.issue("mended"))
        assert comes_true(lambda: shown_certificate(server.address) != before)
    errors = [entry["error"] for entry in log if entry["log_level"] == "error"]
    assert "no certificate with its key" in errors[0]
    assert "cannot read" in errors[1]
    assert "PRIVATE KEY" not in str(log)


def test_renewed_authorities_of_clients(start, renewable, authority, tmp_path, tmp_path_factory):
    trusted = Path(shutil.copy(authority.certificate, tmp_path / "clients.pem"))
    server = start(**renewable, tls_client_ca=trusted)
    former = authority.issue("client")
    assert ask(server.address, authority.certificate, former) == 1
    later = Authority(tmp_path_factory.mktemp("later"))
    trusted.write_bytes(later.certificate.read_bytes())
    client = later.issue("client")

    def comes_in(identity) -> bool:
        try:
            return ask(server.address, authority.certificate, identity) > 0
        except grpc.RpcError:
            return False

    assert comes_true(lambda: comes_in(client))
    assert is_turned_away(server.address, authority.certificate, former)


def test_callers_of_the_same_user_need_no_certificate(start, files):
    server = start(**files)
    path = Path(server.local_address.removeprefix("unix:"))
    assert ask(server.local_address) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    server.stop(0)
    assert not path.parent.exists()


def test_a_server_without_tls_is_reached_at_its_address(start, tmp_path):
    server = start()
    assert server.local_address == server.address
    beside = start(unix_socket=tmp_path / "s")
    assert beside.local_address == f"unix:{tmp_path / 's'}"
