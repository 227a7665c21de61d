"""TLS and mutual TLS, the same at both servers."""

import subprocess

import grpc
import pytest

from mnemic.engine.settings import ServerSettings
from mnemic.model.errors import MnemicError
from mnemic.server.server import MnemicServer
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import memory_service_pb2_grpc, resources_pb2

TIMEOUT = 20.0
ANNA = resources_pb2.Scope(user_id="anna")


class Authority:
    """Makes certificates."""

    def __init__(self, directory) -> None:
        self._directory = directory
        self.certificate, self._key = directory / "ca.pem", directory / "ca.key"
        self._openssl("req", "-x509", *self._new("ca", "-keyout", self._key, "-out", self.certificate))

    def issue(self, name: str):
        """A certificate for this machine, and its key."""
        key, request, certificate = (self._directory / f"{name}.{part}" for part in ("key", "csr", "pem"))
        self._openssl("req", *self._new(name, "-keyout", key, "-out", request))
        extensions = self._directory / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        signed = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-extfile", extensions)
        self._openssl("x509", "-req", "-days", "2", "-in", request, "-out", certificate, *signed)
        return certificate, key

    def _new(self, name, *rest):
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        return (*curve, "-days", "2", "-subj", f"/CN={name}", *rest)

    @staticmethod
    def _openssl(*arguments) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)  # noqa: S607 (from the path)


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
