"""The Python half is killed (`kill -9`), alone and under load, and comes back."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from asking import NOT_SERVING, SERVING, health, refusal
from behind import TIMEOUT, comes_true, open_channel

PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
import grpc
from behind import Behind, Seen
server = grpc.server(ThreadPoolExecutor(8), handlers=[Behind(Seen())])
server.add_insecure_port("unix:" + sys.argv[1])
server.start()
print("here", flush=True)
server.wait_for_termination()
"""
GONE = (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")


@contextmanager
def python_process(socket: Path) -> Iterator[subprocess.Popen]:
    """A server behind the front, as a process that can be killed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", PROGRAM, str(socket)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "here\n"
            yield process
        finally:
            process.kill()


def test_python_is_killed_in_the_midst_of_calls(python_socket, start_front):
    with python_process(python_socket) as process:
        front = start_front()
        with open_channel(front.address) as channel:
            waiting = channel.unary_unary("/t.T/wait").future(b"", timeout=TIMEOUT)
            requests = itertools.chain([b"a"], iter(threading.Event().wait, True))
            stream = channel.stream_stream("/t.T/both")(requests, timeout=TIMEOUT)
            assert next(stream) == b"a"
            assert comes_true(lambda: front.load()["relayed_calls"] == 2)
            process.send_signal(signal.SIGKILL)
            assert refusal(waiting)[:2] == GONE
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert refusal(caught.value)[:2] == GONE
            assert health(channel) == NOT_SERVING
            assert comes_true(lambda: front.load()["calls"] == 0)


class Load:
    """Callers that go on whatever they hear, and note it: 0 for a right answer, else the refusal."""

    def __init__(self, address: str) -> None:
        self.heard: Counter[object] = Counter()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(address, call)) for call in (self._unary, self._stream) * 4
        ]
        for thread in self._threads:
            thread.start()

    def _call(self, address: str, call) -> None:
        with open_channel(address) as channel:
            for number in itertools.count():
                if self._stopped.is_set():
                    return
                try:
                    self.heard["right" if call(channel, b"%d" % number) else "wrong"] += 1
                except grpc.RpcError as error:
                    self.heard[refusal(error)[:2]] += 1

    @staticmethod
    def _unary(channel: grpc.Channel, text: bytes) -> bool:
        return channel.unary_unary("/t.T/echo")(text, timeout=TIMEOUT) == text

    @staticmethod
    def _stream(channel: grpc.Channel, text: bytes) -> bool:
        texts = [text, b"x" * 100_000, b"", text]
        return list(channel.stream_stream("/t.T/both")(iter(texts), timeout=TIMEOUT)) == texts

    def goes_on(self, what: object) -> bool:
        """Whether many more hear it from now on."""
        before = self.heard[what]
        return comes_true(lambda: self.heard[what] > before + 50)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(TIMEOUT)
            assert not thread.is_alive(), "a call hangs"


def test_python_dies_under_load_and_comes_back(python_socket, start_front):
    with python_process(python_socket) as first:
        front = start_front()
        load = Load(front.address)
        try:
            with open_channel(front.address) as channel:
                assert load.goes_on("right")
                first.kill()
                assert load.goes_on(GONE)
                assert health(channel) == NOT_SERVING
                assert health(channel, "mnemic.v1.MemoryService") == NOT_SERVING
                assert front.load()["python_here"] == 0
                with python_process(python_socket):
                    assert load.goes_on("right")
                    assert health(channel) == SERVING
                    load.stop()
        finally:
            load.stop()
    assert set(load.heard) == {"right", GONE}, "nothing else was heard"
    assert comes_true(lambda: front.load()["calls"] == 0)
    assert front.load()["buffered_bytes"] == 0
