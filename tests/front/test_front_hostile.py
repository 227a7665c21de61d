"""Clients that mean harm, byte by byte: whatever they send, the others are answered and nothing stays behind."""

import random
import struct
import time

import grpc
import pytest
from behind import TIMEOUT, comes_true, open_channel
from raw import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PRIORITY,
    RESET,
    SETTINGS,
    WINDOW,
    Connection,
    frame,
    literal,
    request,
)


@pytest.fixture
def connect(front):
    opened = []

    def make(**options) -> Connection:
        opened.append(Connection(front.address, **options))
        return opened[-1]

    yield make
    for connection in opened:
        connection.socket.close()


@pytest.fixture(autouse=True)
def others_are_served(front, seen):
    """Holds of every test here: a call that was there before goes on, others are answered, and nothing is left."""
    with open_channel(front.address) as channel:
        before = channel.unary_unary("/t.T/wait").future(b"before", timeout=3 * TIMEOUT)
        assert seen.begun.acquire(timeout=TIMEOUT)
        yield
        assert not before.done(), before
        seen.leave.set()
        assert before.result() == b"before"
        assert channel.unary_unary("/t.T/echo")(b"fine", timeout=TIMEOUT) == b"fine"
    assert comes_true(lambda: front.load()["calls"] == 0), front.load()
    assert front.load()["buffered_bytes"] == 0


@pytest.mark.parametrize(
    "path", ["/t.T/wait", "/mnemic.v1.MemoryService/SearchMemories", "/grpc.health.v1.Health/Watch"]
)
def test_a_rapid_reset(connect, front, path):
    connection = connect()
    head = request(path)
    for start in range(1, 40_000, 200):
        burst = b"".join(
            frame(HEADERS, END_HEADERS, stream, head) + frame(RESET, 0, stream, struct.pack(">I", 8))
            for stream in range(start, start + 200, 2)
        )
        if not connection.send(burst):
            break
        if start % 10_000 == 1:
            with open_channel(front.address) as other:
                assert other.unary_unary("/t.T/echo")(b"", timeout=TIMEOUT) == b""


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("grpc-timeout", "-1S", ()),
        ("grpc-timeout", "1" * 30, ()),
        ("x-data-bin", "!!!", (("x-data-bin", b"good"),)),
        ("grpc-encoding", "none", ()),
        ("grpc-accept-encoding", "none", ()),
        ("grpc-previous-rpc-attempts", "many", ()),
        ("te", "gzip", ()),
        ("user-agent", "", ()),
        ("x-mnemic-front", "forged", ()),
    ],
)
def test_metadata_that_python_cannot_read_is_its_senders_trouble_alone(connect, front, name, bad, good):
    # Both ends of a connection remember what headers were sent on it: those of one caller must not become another's.
    connection = connect()
    for stream in range(1, 20, 2):
        head = request(**{name: bad})
        connection.send(frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, END_STREAM, stream, bytes(5)))
    with open_channel(front.address) as channel:
        for _ in range(20):
            assert channel.unary_unary("/t.T/echo")(b"x", timeout=TIMEOUT, metadata=good) == b"x"


@pytest.mark.parametrize(
    "flood",
    [
        frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535)),
        frame(SETTINGS, 0, 0, struct.pack(">HI", 1, 0)),
        frame(PING, 0, 0, bytes(8)),
        frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)),
        frame(WINDOW, 0, 0, struct.pack(">I", 1)),
        frame(0x77, 0, 0, bytes(100)),
    ],
    ids=["settings", "tables", "pings", "priorities", "windows", "unknown"],
)
def test_a_flood_of_frames_that_is_not_read(connect, front, flood):
    connection = connect()
    connection.socket.settimeout(1)
    for _ in range(50):
        if not connection.send(flood * 2000):
            break
    assert front.load()["connections"] < 5


def test_a_flood_of_headers(connect):
    connection = connect()
    connection.send(frame(HEADERS, 0, 1, request()))
    piece = literal("x-more", "x" * 4000) * 4
    assert not all(connection.send(frame(CONTINUATION, 0, 1, piece)) for _ in range(10_000)), "it is cut off"


def test_headers_without_an_end_of_continuations(connect):
    connection = connect()
    connection.send(frame(HEADERS, 0, 1, request()))
    assert not all(connection.send(frame(CONTINUATION, 0, 1, b"") * 100) for _ in range(10_000)), "it is cut off"


def test_a_bomb_of_compressed_headers(connect):
    connection = connect()
    # One entry of the table, named again and again: 4 KB become 16 MB.
    entry = b"\x40" + literal("x-bomb", "x" * 4000)[1:]
    connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, request() + entry + b"\xbe" * 4000))
    time.sleep(0.1)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0", b"\0\0\0\0\5abc", b"\1\0\0\0\3abc", b"\7\0\0\0\3abc", b"\0\xff\xff\xff\xff", b"\0\0\0\0\1a" * 3],
    ids=["nothing", "part of a prefix", "cut", "compressed", "no flag", "four gigabytes", "three messages"],
)
@pytest.mark.parametrize("method", ["SearchMemories", "BatchGetMemories", "AddMemories"])
def test_bodies_that_are_no_message(connect, payload, method):
    connection = connect()
    head = request(f"/mnemic.v1.MemoryService/{method}")
    connection.send(frame(HEADERS, END_HEADERS, 1, head) + frame(DATA, END_STREAM, 1, payload))
    connection.send(frame(HEADERS, END_HEADERS, 3, head) + frame(DATA, 0, 3, payload))
    time.sleep(0.05)
    connection.socket.close()


def test_many_bodies_that_never_end(connect, front):
    opened = [connect() for _ in range(8)]
    for connection in opened:
        for stream in range(1, 100, 2):
            head = request("/mnemic.v1.MemoryService/SearchMemories")
            connection.send(
                frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, 0, stream, b"\0\0\1\0\0" + bytes(500))
            )
    assert comes_true(lambda: front.load()["calls"] == 64), "as many as there may be"
    with open_channel(front.address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/t.T/echo")(b"", timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    for connection in opened:
        connection.socket.close()


@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 4,
        bytes(64),
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ],
    ids=["http 1", "tls", "zeros", "almost"],
)
def test_another_protocol_is_hung_up_on(connect, greeting):
    connection = connect(greet=False)
    connection.send(greeting)
    assert connection.is_closed_soon()


def test_requests_that_are_not_grpc(connect):
    connection = connect()
    for stream, more in enumerate([{"content-type": "application/json"}, {":method": "GET"}]):
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, request(**more)))
    answered = b""
    while answered.count(b"415") + answered.count(b"\x03415") < 1 and len(answered) < 10_000:
        answered += connection.socket.recv(4096)
        if frame(HEADERS, END_HEADERS | END_STREAM, 3)[3:9] in answered:
            break
    assert frame(HEADERS, END_HEADERS | END_STREAM, 1)[3:9] in answered, "headers alone answer it"


def test_frames_at_random(connect):
    chance = random.Random(4)
    for _ in range(300):
        connection = connect()
        for _ in range(chance.randrange(1, 12)):
            payload = chance.choice(
                [b"", request(), chance.randbytes(chance.randrange(64)), bytes(chance.randrange(300))]
            )
            stream = chance.choice([0, 1, 1, 3, 5, 2, 2**31 - 1])
            if not connection.send(frame(chance.randrange(11), chance.randrange(256), stream, payload)):
                break
        connection.socket.close()


def test_bytes_at_random(connect):
    chance = random.Random(5)
    for _ in range(300):
        connection = connect()
        connection.send(chance.randbytes(chance.randrange(1, 2000)))
        connection.socket.close()


def test_damaged_copies_of_a_good_call(connect):
    chance = random.Random(6)
    good = frame(HEADERS, END_HEADERS, 1, request(**{"grpc-timeout": "1S", "x-request-id": "r"}))
    good += frame(DATA, END_STREAM, 1, b"\0\0\0\0\4abcd")
    for _ in range(500):
        damaged = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        connection = connect()
        connection.send(bytes(damaged))
        connection.socket.close()
