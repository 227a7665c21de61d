"""Who takes his time keeps no place: connections without calls, messages that do not arrive, answers not taken."""

import itertools
import struct
import threading

import grpc
import pytest
from behind import TIMEOUT, comes_true, open_channel
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from raw import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RESET,
    SETTINGS,
    WINDOW,
    Connection,
    frame,
    request,
)

from mnemic.engine.settings import ServerSettings
from mnemic.server.server import MnemicServer

# One that the front might answer itself, and one that it relays.
UNARY = ["/mnemic.v1.MemoryService/SearchMemories", "/t.T/echo"]
STREAM = "/mnemic.v1.MemoryService/IngestMemories"


def read_frames(connection: Connection):
    """Frames as they come, (kind, flags, stream, payload), until the other end closes; pings are answered."""
    received = b""
    while True:
        while len(received) >= 9 and len(received) >= 9 + int.from_bytes(received[:3], "big"):
            size = int.from_bytes(received[:3], "big")
            kind, flags, stream = received[3], received[4], struct.unpack(">I", received[5:9])[0]
            payload, received = received[9 : 9 + size], received[9 + size :]
            if kind == PING and not flags & ACK:
                connection.send(frame(PING, ACK, 0, payload))
            yield kind, flags, stream, payload
        more = connection.socket.recv(65_536)
        if not more:
            return
        received += more


def test_an_idle_connection_is_told_to_go_and_its_place_is_free(python, start_front):
    front = start_front(max_connections=1, idle_seconds=0.3)
    with Connection(front.address) as idle:
        idle.send(frame(SETTINGS, ACK, 0))
        kinds = [kind for kind, *_ in read_frames(idle)]
        assert GOAWAY in kinds
    assert comes_true(lambda: front.load()["connections"] == 0)
    with open_channel(front.address) as channel:
        assert channel.unary_unary("/t.T/echo")(b"x", timeout=TIMEOUT) == b"x"


@pytest.mark.parametrize("with_front", [True, False], ids=["front", "python"])
def test_both_servers_have_the_setting(engine, with_front):
    settings = ServerSettings(address="127.0.0.1:0", front=with_front, idle_seconds=1)
    with MnemicServer(engine, settings) as server, Connection(server.address) as idle:
        idle.send(frame(SETTINGS, ACK, 0))
        assert GOAWAY in [kind for kind, *_ in read_frames(idle)]


def test_a_client_comes_again_without_noticing(python, start_front):
    front = start_front(idle_seconds=0.2)
    with open_channel(front.address) as channel:
        for number in range(3):
            assert channel.unary_unary("/t.T/echo")(b"%d" % number, timeout=TIMEOUT) == b"%d" % number
            assert comes_true(lambda: front.load()["connections"] == 0)


def test_a_connection_with_an_open_call_or_stream_is_not_idle(python, start_front, seen):
    front = start_front(idle_seconds=0.2)
    with (
        open_channel(front.address) as channel,
        open_channel(front.address) as other,
        Connection(front.address) as idle,
    ):
        waiting = channel.unary_unary("/t.T/wait").future(b"kept", timeout=TIMEOUT)
        watching = health_pb2_grpc.HealthStub(other).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
        assert seen.begun.acquire(timeout=TIMEOUT)
        for _ in range(3):  # the time for which a third one is idle passes, again and again
            with Connection(front.address) as another:
                assert GOAWAY in [kind for kind, *_ in read_frames(another)]
        assert GOAWAY in [kind for kind, *_ in read_frames(idle)]
        assert front.load()["connections"] == 2
        assert not watching.done()
        seen.leave.set()
        assert waiting.result() == b"kept"
        watching.cancel()


def late(channel: grpc.Channel, path: str) -> tuple[grpc.StatusCode, str]:
    """How a call ends whose message never comes."""
    silent = iter(threading.Event().wait, True)
    with pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary(path)(silent, timeout=TIMEOUT)
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(caught.value).details[0].Unpack(info)
    assert "receive_seconds" in caught.value.details()
    return caught.value.code(), info.reason


@pytest.mark.parametrize("path", UNARY)
def test_a_message_that_does_not_come_keeps_no_place(python, start_front, path):
    front = start_front(receive_seconds=0.2, max_calls=1)
    with open_channel(front.address) as channel:
        assert late(channel, path) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        assert comes_true(lambda: front.load()["calls"] == 0)
        assert channel.unary_unary("/t.T/echo")(b"x", timeout=TIMEOUT) == b"x"


@pytest.mark.parametrize("path", [*UNARY, STREAM])
def test_a_message_that_comes_byte_by_byte_is_broken_off(python, start_front, path):
    front = start_front(receive_seconds=0.3)
    with Connection(front.address) as slow:
        slow.send(frame(HEADERS, END_HEADERS, 1, request(path)) + frame(DATA, 0, 1, b"\0\0\1\0\0"))
        stopped = threading.Event()

        def send() -> None:
            while not stopped.wait(0.05):
                slow.send(frame(DATA, 0, 1, b"x"))

        sender = threading.Thread(target=send)
        sender.start()
        ends = [flags & END_STREAM for kind, flags, stream, _ in take_until_end(slow) if (kind, stream) == (HEADERS, 1)]
        stopped.set()
        sender.join()
        assert ends[-1]
    assert comes_true(lambda: front.load()["calls"] == 0)


def take_until_end(connection: Connection):
    """Frames until one ends the first stream."""
    for found in read_frames(connection):
        yield found
        kind, flags, stream, _ = found
        if stream == 1 and (kind == RESET or flags & END_STREAM):
            return


def test_a_caller_of_a_stream_may_be_silent_between_messages(python, start_front, seen):
    front = start_front(receive_seconds=0.2)
    ends = threading.Event()

    def requests():
        for number in itertools.count():
            yield b"%d" % number
            if ends.wait(0.5):
                return

    with open_channel(front.address) as channel:
        stream = channel.stream_stream(STREAM)(requests(), timeout=TIMEOUT)
        assert [next(stream) for _ in range(3)] == [b"0", b"1", b"2"]
        ends.set()
        assert list(stream) == []


INITIAL_WINDOW = 4


def taking(connection: Connection, window: int) -> None:
    """Lets the other end send so many bytes on each stream (RFC 9113, 6.5.2)."""
    connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW, window)))


def call(connection: Connection, stream: int, path: str = "/t.T/echo", message: bytes = b"x" * 100) -> None:
    prefixed = b"\0" + len(message).to_bytes(4, "big") + message
    connection.send(frame(HEADERS, END_HEADERS, stream, request(path)) + frame(DATA, END_STREAM, stream, prefixed))


@pytest.mark.parametrize("window", [0, 1, 50])
@pytest.mark.parametrize("method", ["echo", "produce"])
def test_a_caller_that_answers_pings_and_never_takes_its_answer_keeps_no_place(
    python, start_front, seen, window, method
):
    front = start_front(send_seconds=0.2, max_calls=1)
    with Connection(front.address) as idler:
        taking(idler, window)
        call(idler, 1, f"/t.T/{method}")
        frames = [(kind, stream) for kind, _, stream, _ in read_frames(idler)]  # until it is closed
        assert (HEADERS, 1) in frames
        assert (GOAWAY, 0) in frames
    assert comes_true(lambda: front.load()["calls"] == 0)
    with open_channel(front.address) as channel:
        assert channel.unary_unary("/t.T/echo")(b"x", timeout=TIMEOUT) == b"x"


def test_who_takes_an_answer_in_small_pieces_gets_all_of_it(python, start_front):
    front = start_front(send_seconds=0.5)
    with Connection(front.address) as slow:
        taking(slow, 0)
        call(slow, 1)
        received = b""
        for kind, _, stream, payload in read_frames(slow):
            if (kind, stream) == (DATA, 1):
                received += payload
            if len(received) == 105:
                break
            slow.send(frame(WINDOW, 0, 1, struct.pack(">I", 1)))
    assert received == b"\0\0\0\0\x64" + b"x" * 100


def test_a_stream_whose_server_is_silent_does_not_stall_its_connection(python, start_front, seen):
    front = start_front(send_seconds=0.2)
    with open_channel(front.address) as channel, Connection(front.address) as idler:
        waiting = channel.unary_unary("/t.T/wait").future(b"kept", timeout=TIMEOUT)
        assert seen.begun.acquire(timeout=TIMEOUT)
        taking(idler, 0)
        call(idler, 1)
        list(read_frames(idler))  # several periods pass until it is closed
        seen.leave.set()
        assert waiting.result() == b"kept"


def test_metadata_beyond_all_measure_is_refused_by_http(front):
    # Below four times the limit it is gRPC's RESOURCE_EXHAUSTED; beyond it the HTTP/2 library answers before the front.
    with Connection(front.address) as connection:
        head = request(**{f"x-large-{number}": "x" * 8000 for number in range(10)})
        pieces = [head[start : start + 16_000] for start in range(0, len(head), 16_000)]
        connection.send(frame(HEADERS, 0, 1, pieces[0]))
        for piece in pieces[1:-1]:
            connection.send(frame(CONTINUATION, 0, 1, piece))
        connection.send(frame(CONTINUATION, END_HEADERS, 1, pieces[-1]))
        answer = next(payload for kind, _, stream, payload in read_frames(connection) if (kind, stream) == (HEADERS, 1))
        # `:status: 431` (RFC 7541: a literal with the name of index 8, its value by Huffman's code).
        assert answer == b"\x48\x83\x69\x90\xff"
