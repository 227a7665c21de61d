"""The native front before a grpcio server that does what a test needs."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from behind import FIXED, LIMITS, Behind, Seen, open_channel

from mnemic import _core


@pytest.fixture
def seen() -> Iterator[Seen]:
    made = Seen()
    yield made
    made.leave.set()


@pytest.fixture
def python_socket(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("s") / "python.sock"


@pytest.fixture
def start_python(seen, python_socket) -> Iterator[Callable[[], grpc.Server]]:
    """Starts the server behind the front, as often as a test wants."""
    started = []

    def start() -> grpc.Server:
        server = grpc.server(
            ThreadPoolExecutor(8),
            handlers=[Behind(seen)],
            options=[("grpc.max_receive_message_length", LIMITS["max_message_bytes"])],
        )
        server.add_insecure_port(f"unix:{python_socket}")
        server.start()
        started.append(server)
        return server

    yield start
    seen.leave.set()
    for server in started:
        server.stop(None).wait()


@pytest.fixture
def python(start_python) -> grpc.Server:
    return start_python()


@pytest.fixture
def start_front(python_socket) -> Iterator[Callable[..., _core.Front]]:
    """Starts a front, with other settings where a test wants them."""
    started = []

    def start(address: str = "127.0.0.1:0", **settings) -> _core.Front:
        front = _core.Front(
            address,
            python_socket,
            **(FIXED | {"authenticator": _core.Authenticator(), "answers": None} | LIMITS | settings),
        )
        started.append(front)
        return front

    yield start
    for front in started:
        front.stop(0)


@pytest.fixture
def front(python, start_front) -> _core.Front:
    return start_front()


@pytest.fixture
def channel(front) -> Iterator[grpc.Channel]:
    with open_channel(front.address) as opened:
        yield opened
