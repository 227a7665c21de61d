"""A grpcio server that does what a test needs, to stand behind a front; nothing here knows memories."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import grpc

TIMEOUT = 20.0
SECRET = "s" * 64
FIXED = {"secret": SECRET, "services": ["mnemic.v1.MemoryService", "mnemic.v1.AdminService"]}
CHUNK = b"x" * 65_536
LIMITS = {
    "max_message_bytes": 4 * 1024 * 1024,
    "max_metadata_bytes": 16 * 1024,
    "max_connections": 64,
    "max_calls": 64,
    "max_relayed_calls": 16,
    "idle_seconds": 600.0,
    "receive_seconds": 60.0,
    "send_seconds": 300.0,
}


@dataclass
class Seen:
    """What the server behind the front saw and did."""

    metadata: list[tuple[str, str | bytes]] = field(default_factory=list)
    remaining: float | None = None
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    leave: threading.Event = field(default_factory=threading.Event)
    produced: int = 0


class Behind(grpc.GenericRpcHandler):
    """The methods of the server behind the front, by the last part of their path."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        name = details.method.rpartition("/")[2]
        unary, streaming = getattr(self, f"_{name}", None), getattr(self, f"_stream_{name}", None)
        if unary:
            return grpc.unary_unary_rpc_method_handler(unary)
        return grpc.stream_stream_rpc_method_handler(streaming) if streaming else None

    def _echo(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._seen.metadata = list(context.invocation_metadata())
        self._seen.remaining = context.time_remaining()
        context.send_initial_metadata((("x-first", "1"), ("x-bytes-bin", b"\0\xff")))
        context.set_trailing_metadata((("x-last", "a"), ("x-last", "b"), ("x-last-bin", b"\0\xff")))
        return request

    def _fail(self, _request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x05"), ("x-why", "because")))
        context.abort(grpc.StatusCode.NOT_FOUND, "żółw is not here: 100 %")

    def _wait(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.add_callback(self._seen.ended.release)
        self._seen.begun.release()
        self._seen.leave.wait(TIMEOUT)
        return request

    def _stream_both(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(self._seen.ended.release)
        self._seen.begun.release()
        yield from requests

    # A name that the front knows for a stream of its caller's.
    _stream_IngestMemories = _stream_both  # noqa: N815 (the contract's name)

    def _stream_produce(self, _requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(self._seen.ended.release)
        while context.is_active() and not self._seen.leave.is_set():
            self._seen.produced += 1
            yield CHUNK

    def _stream_ignore(self, _requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Reads nothing until it is told to leave."""
        context.add_callback(self._seen.ended.release)
        self._seen.begun.release()
        self._seen.leave.wait(TIMEOUT)
        yield b"done"

    def _stream_failing(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        yield next(requests)
        context.abort(grpc.StatusCode.ABORTED, "after one")

    def _stream_cancelling(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        yield next(requests)
        context.cancel()
        yield b"never"


_channel_numbers = itertools.count()


def open_channel(address: str) -> grpc.Channel:
    """A connection of its own: grpcio shares those of equal channels."""
    return grpc.insecure_channel(
        address,
        [
            ("grpc.use_local_subchannel_pool", 1),
            ("test.number", next(_channel_numbers)),
            ("grpc.max_reconnect_backoff_ms", 100),
            # grpcio would name a unix socket by its path, which is no authority as HTTP has it.
            *([("grpc.default_authority", "localhost")] if address.startswith("unix:") else []),
        ],
    )


def comes_true(condition: Callable[[], bool]) -> bool:
    """Whether it does, within the time that tests wait."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
