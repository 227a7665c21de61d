"""A real server on a free port over a real engine, its stubs, and errors as a client reads them."""

from collections.abc import Callable, Iterator

import grpc
import pytest
from native_support import Both
from refusals import Refusal, read_refusal

from mnemic import _core
from mnemic.embedding.catalogue import STATIC
from mnemic.embedding.install import find_model
from mnemic.engine.settings import ServerSettings
from mnemic.server.server import MnemicServer
from mnemic.v1 import (
    admin_service_pb2_grpc,
    memory_service_pb2,
    memory_service_pb2_grpc,
    resources_pb2,
)

TIMEOUT = 20.0


@pytest.fixture
def refused() -> Callable[..., Refusal]:
    """Makes a call that must fail, and reads its error."""

    def complete(method, request, **options) -> None:
        answer = method(request, **({"timeout": TIMEOUT} | options))
        # Errors of a stream come with its first answer.
        if isinstance(answer, grpc.Call):
            list(answer)

    def make(method, request, **options) -> Refusal:
        with pytest.raises(grpc.RpcError) as caught:
            complete(method, request, **options)
        return read_refusal(caught.value)

    return make


@pytest.fixture
def refusal_of() -> Callable[[grpc.RpcError], Refusal]:
    return read_refusal


@pytest.fixture(params=[True, False], ids=["front", "python"])
def front(request) -> bool:
    """Whether the native front listens: what is true of the server is true through both."""
    return request.param


@pytest.fixture
def server_settings(front) -> ServerSettings:
    return ServerSettings(
        address="127.0.0.1:0", front=front, max_workers=4, max_concurrent_streams=2, drain_seconds=2.0
    )


@pytest.fixture
def server(engine, server_settings) -> Iterator[MnemicServer]:
    with MnemicServer(engine, server_settings) as started:
        yield started


@pytest.fixture
def channel(server) -> Iterator[grpc.Channel]:
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(server.address, options=options) as opened:
        yield opened


@pytest.fixture
def memories(channel) -> memory_service_pb2_grpc.MemoryServiceStub:
    return memory_service_pb2_grpc.MemoryServiceStub(channel)


@pytest.fixture
def admin(channel) -> admin_service_pb2_grpc.AdminServiceStub:
    return admin_service_pb2_grpc.AdminServiceStub(channel)


ANNA = resources_pb2.Scope(user_id="anna")


@pytest.fixture
def scope() -> resources_pb2.Scope:
    return ANNA


@pytest.fixture
def add(memories) -> Callable[..., memory_service_pb2.AddMemoriesResponse]:
    """Adds texts for Anna."""

    def make(
        *texts: str, scope: resources_pb2.Scope = ANNA, metadata=(), **fields
    ) -> memory_service_pb2.AddMemoriesResponse:
        return memories.AddMemories(
            memory_service_pb2.AddMemoriesRequest(scope=scope, texts=texts, **fields),
            metadata=metadata,
            timeout=TIMEOUT,
        )

    return make


@pytest.fixture
def embedder(engine) -> Iterator[_core.QueryEmbedder]:
    """The engine's static model, run natively."""
    installed = find_model("static", models_directory=None)
    table, tokenizer = (installed.directory / file.name for file in STATIC.files)
    model = _core.EmbeddingModel.open_static(installed.identity, table=table, tokenizer=tokenizer)
    cache = _core.VectorCache(installed.identity, 256, 1000)
    opened = _core.QueryEmbedder(cache, model, threads=1, queue=8)
    yield opened
    opened.close()


@pytest.fixture
def both(engine, embedder) -> Both:
    """Python's answers and the native ones, over one engine."""
    return Both(engine, engine.native_answers(embedder))
