"""The server as a process: it says where it listens, drains when told to stop, and refuses a directory in use."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import memory_service_pb2_grpc, resources_pb2

TIMEOUT = 60.0
ANNA = resources_pb2.Scope(user_id="anna")
PROGRAM = """
import sys
from mnemic.engine.settings import load_settings
from mnemic.model.errors import MnemicError
from mnemic.server.server import serve
try:
    serve(load_settings())
except MnemicError as error:
    sys.exit(str(error))
"""


@contextmanager
def process(data_directory: Path, **settings: str):
    environment = os.environ | {
        "MNEMIC_DATA_DIRECTORY": str(data_directory),
        "MNEMIC_EMBEDDING__PROVIDER": "static",
        "MNEMIC_SERVER__ADDRESS": "127.0.0.1:0",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **settings,
    }
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def address_of(started: subprocess.Popen) -> str:
    line = started.stdout.readline()
    assert line.startswith("mnemic serving on 127.0.0.1:"), line + started.stderr.read()
    return line.split()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_drains_and_ends_well(tmp_path, number):
    with process(tmp_path / "data") as started:
        address = address_of(started)
        with grpc.insecure_channel(address) as channel:
            stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
            stub.AddMemories(pb.AddMemoriesRequest(scope=ANNA, texts=["Anna likes tea."]), timeout=TIMEOUT)
            started.send_signal(number)
            _, log = started.communicate(timeout=TIMEOUT)
    assert started.returncode == 0, log
    assert "draining" in log
    assert "stopped" in log
    with process(tmp_path / "data") as again, grpc.insecure_channel(address_of(again)) as channel:
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        found = stub.SearchMemories(pb.SearchMemoriesRequest(scope=ANNA, query="tea"), timeout=TIMEOUT)
        assert [hit.body for hit in found.hits] == ["Anna likes tea."]


def test_no_accepted_write_is_lost_when_it_stops_under_load(tmp_path):
    answered: list[str] = []
    enough = threading.Event()

    def write(address: str, writer: int) -> None:
        with grpc.insecure_channel(address) as channel:
            stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
            for n in range(10_000):
                text = f"writer {writer} memory {n}"
                try:
                    stub.AddMemories(pb.AddMemoriesRequest(scope=ANNA, texts=[text]), timeout=TIMEOUT)
                except grpc.RpcError as error:
                    codes.append(error.code())
                    return
                answered.append(text)
                if len(answered) >= 40:
                    enough.set()

    codes: list[grpc.StatusCode] = []
    with process(tmp_path / "data") as started:
        address = address_of(started)
        writers = [threading.Thread(target=write, args=(address, n)) for n in range(4)]
        for writer in writers:
            writer.start()
        assert enough.wait(TIMEOUT)
        started.send_signal(signal.SIGTERM)
        _, log = started.communicate(timeout=TIMEOUT)
        for writer in writers:
            writer.join()
    assert started.returncode == 0, log
    # What was in flight finished; what came later found nobody.
    assert set(codes) == {grpc.StatusCode.UNAVAILABLE}
    with process(tmp_path / "data") as again, grpc.insecure_channel(address_of(again)) as channel:
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        kept, token = set(), ""
        while True:
            request = pb.ListMemoriesRequest(scope=ANNA, page_size=1000, page_token=token)
            page = stub.ListMemories(request, timeout=TIMEOUT)
            kept |= {memory.body for memory in page.memories}
            token = page.next_page_token
            if not token:
                break
    assert kept == set(answered)


def test_a_second_server_on_the_same_data_is_refused(tmp_path):
    with process(tmp_path / "data") as first:
        address_of(first)
        with process(tmp_path / "data") as second:
            out, log = second.communicate(timeout=TIMEOUT)
        assert second.returncode == 1
        assert out == ""
        assert "STORE_UNAVAILABLE" in log
        assert str(tmp_path / "data") in log
        assert first.poll() is None


def test_a_port_in_use_ends_the_start_with_a_clear_error(tmp_path):
    with process(tmp_path / "one") as first:
        address = address_of(first)
        with process(tmp_path / "two", MNEMIC_SERVER__ADDRESS=address) as second:
            _, log = second.communicate(timeout=TIMEOUT)
        assert second.returncode == 1
        assert f"cannot listen on {address}" in log
        assert first.poll() is None


def test_what_it_leaves_when_it_is_killed_is_gone_with_the_next_one():
    with tempfile.TemporaryDirectory(prefix="m-") as parent:  # short, as a socket's path must be
        temporary, data = Path(parent), Path(parent) / "data"
        with process(data, TMPDIR=parent) as started:
            address_of(started)
            left = set(temporary.glob("mnemic-sockets-*"))
            started.kill()
            started.wait()
        assert len(left) == 1
        assert set(temporary.glob("mnemic-sockets-*")) == left
        with process(data, TMPDIR=parent) as again:
            address_of(again)
            assert len(set(temporary.glob("mnemic-sockets-*")) - left) == 1
            assert not left & set(temporary.glob("mnemic-sockets-*"))
            again.send_signal(signal.SIGTERM)
            again.communicate(timeout=TIMEOUT)
        assert not set(temporary.glob("mnemic-sockets-*"))
