"""Ten thousand malformed and adversarial frames, headers and messages crash nothing and leak nothing."""

import random
import socket
import struct
from pathlib import Path

import grpc
import pytest
from processes import ServerProcess

from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import memory_service_pb2_grpc as service
from mnemic.v1 import resources_pb2

FRAMES = 10_000
A_CONNECTION = 25
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 0x1, 0x4
SEARCH = "/mnemic.v1.MemoryService/SearchMemories"
PATHS = [SEARCH, "/mnemic.v1.MemoryService/AddMemories", "/mnemic.v1.MemoryService/GetMemory", "/", "", "//", "/x/y"]
PATHS += ["/grpc.health.v1.Health/Check", "/mnemic.v1.MemoryService/IngestMemories", "/mnemic.v1.AdminService/GetStats"]
GOOD = messages.SearchMemoriesRequest(scope=resources_pb2.Scope(user_id="u"), query="bees").SerializeToString()


def frame(kind, flags, stream, payload, length=None):
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header without compression (RFC 7541 §6.2.2); lengths of less than 127."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def headers(draw):
    block = literal(b":method", draw.choice([b"POST", b"POST", b"POST", b"GET", b"\xff"]))
    block += literal(b":scheme", draw.choice([b"http", b"https", b""]))
    block += literal(b":path", draw.choice(PATHS).encode())
    if draw.random() < 0.9:
        block += literal(b":authority", b"localhost")
    if draw.random() < 0.9:
        block += literal(
            b"content-type", draw.choice([b"application/grpc", b"application/grpc+proto", b"text/html", b""])
        )
    if draw.random() < 0.5:
        block += literal(b"te", b"trailers")
    if draw.random() < 0.5:
        block += literal(b"grpc-timeout", draw.choice([b"1S", b"100m", b"0n", b"99999999H", b"-1S", b"x", b"1" * 30]))
    if draw.random() < 0.3:
        block += literal(b"grpc-encoding", draw.choice([b"gzip", b"identity", b"none"]))
    if draw.random() < 0.3:
        block += literal(b"authorization", draw.choice([b"Bearer x", b"Bearer mnk_", b"\x00", b"Bearer " + b"a" * 100]))
    for _ in range(draw.choice([0, 0, 0, 3, 60])):
        block += literal(b"x-" + draw.randbytes(4).hex().encode(), draw.randbytes(40).hex().encode())
    if draw.random() < 0.1:
        block = draw.randbytes(draw.randrange(1, 80))
    return block


def message(draw):
    body = draw.choice([GOOD, b"", draw.randbytes(draw.randrange(1, 200))])
    if draw.random() < 0.3 and body:
        position = draw.randrange(len(body))
        body = body[:position] + draw.randbytes(1) + body[position + 1 :]
    size = draw.choice([len(body), len(body), len(body), 0, 2**31, 2**32 - 1, len(body) + 1])
    return bytes([draw.choice([0, 0, 0, 0, 1, 7])]) + struct.pack(">I", size) + body


def adversarial(draw, stream, *, is_polite):
    """One frame: mostly of a call, and unless it is to be polite sometimes of nothing that the protocol knows."""
    shape = draw.random() * (0.7 if is_polite else 1.0)
    if shape < 0.35:
        return frame(
            HEADERS, draw.choice([END_HEADERS, END_HEADERS, END_HEADERS | END_STREAM, 0]), stream, headers(draw)
        )
    if shape < 0.6:
        return frame(DATA, draw.choice([0, END_STREAM, END_STREAM]), stream, message(draw))
    if shape < 0.7:
        return frame(RESET, 0, stream, struct.pack(">I", draw.choice([0, 8, 2**32 - 1])))
    if shape < 0.76:
        settings = b"".join(
            struct.pack(">HI", draw.randrange(9), draw.randrange(2**32)) for _ in range(draw.randrange(8))
        )
        return frame(SETTINGS, draw.choice([0, 0, 1]), 0, settings)
    if shape < 0.82:
        return frame(WINDOW, 0, draw.choice([0, stream]), struct.pack(">I", draw.choice([0, 1, 2**31 - 1])))
    if shape < 0.86:
        return frame(PING, 0, 0, draw.randbytes(draw.choice([8, 8, 7])))
    if shape < 0.9:
        return frame(CONTINUATION, draw.choice([0, END_HEADERS]), stream, headers(draw))
    payload = draw.randbytes(draw.randrange(60))
    return frame(
        draw.randrange(256),
        draw.randrange(256),
        draw.choice([0, stream, 2, 2**31 - 1]),
        payload,
        draw.choice([None, None, 2**24 - 1, 0]),
    )


def attack(address, draw):
    """One connection with some frames. It ends when the server closes it, or after the last frame."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.settimeout(0.5)
        # A connection ends with the first frame that breaks the protocol: every other one keeps to it.
        is_polite = draw.random() < 0.5
        try:
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))
            stream = 1
            for _ in range(A_CONNECTION):
                connection.sendall(adversarial(draw, stream, is_polite=is_polite))
                stream += draw.choice([0, 2, 2])
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
        except OSError:
            # Closed by the server at some point, which is its right.
            pass


def resident_bytes(process):
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def open_files(process):
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def answers(address):
    with grpc.insecure_channel(address) as channel:
        stub = service.MemoryServiceStub(channel)
        found = stub.SearchMemories(messages.SearchMemoriesRequest.FromString(GOOD), timeout=10)
    return [hit.body for hit in found.hits]


@pytest.mark.parametrize("front", ["on", "off"])
def test_adversarial_frames_change_nothing(tmp_path, front):
    server = ServerProcess(tmp_path, "--front", front)
    process = server.process.pid
    try:
        with grpc.insecure_channel(server.address) as channel:
            stub = service.MemoryServiceStub(channel)
            scope = resources_pb2.Scope(user_id="u")
            stub.AddMemories(messages.AddMemoriesRequest(scope=scope, texts=["Ada keeps bees"]), timeout=20)
        draw = random.Random(4)
        frames = 0
        while frames < FRAMES:
            attack(server.address, draw)
            frames += A_CONNECTION
            if frames == FRAMES // 4:
                # What a server allocates once has been allocated by now.
                memory, files = resident_bytes(process), open_files(process)
            if frames % 1_000 == 0:
                assert answers(server.address) == ["Ada keeps bees"]
        assert open_files(process) <= files + 4
        assert resident_bytes(process) <= memory + 32 * 1024 * 1024
    finally:
        assert server.stop() == 0
