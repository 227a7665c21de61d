"""A client that speaks HTTP/2 byte by byte, and as badly as a test wants."""

import socket
import struct

from behind import TIMEOUT

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header of its own words, not indexed (RFC 7541, 6.2.2)."""

    def text(words: bytes) -> bytes:
        size = len(words)
        if size < 127:
            return bytes([size]) + words
        rest, size = [127], size - 127
        while size >= 128:
            rest.append(size % 128 | 128)
            size //= 128
        return bytes([*rest, size]) + words

    return b"\0" + text(name.encode()) + text(value.encode())


def request(path: str = "/t.T/echo", **more: str) -> bytes:
    headers = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x"}
    headers |= {"content-type": "application/grpc", "te": "trailers"} | more
    return b"".join(literal(name, value) for name, value in headers.items())


class Connection:
    """A client that sends what it likes."""

    def __init__(self, address: str, *, greet: bool = True) -> None:
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        if greet:
            self.send(PREFACE + frame(SETTINGS, 0, 0))

    def send(self, data: bytes) -> bool:
        """Whether the other end still takes it."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def is_closed_soon(self) -> bool:
        """Whether the other end closes; what it still says is passed over."""
        try:
            while self.socket.recv(65_536):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
