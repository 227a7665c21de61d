"""A disk without space, or broken: clear errors, nothing corrupt, and all is well again when the disk is."""

import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from chaos_stories import Stubs, listed
from google.rpc import error_details_pb2, status_pb2
from processes import ServerProcess

from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import resources_pb2

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
SCOPE = resources_pb2.Scope(user_id="u")

pytestmark = pytest.mark.skipif(
    COMPILER is None or not sys.platform.startswith("linux"), reason="needs a C compiler, and LD_PRELOAD as on Linux"
)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """The switch of the failing disk: a file that says how it fails, absent while it works."""
    library, switch = tmp_path / "failing_disk.so", tmp_path / "switch"
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAILING_DISK_SWITCH", str(switch))
    monkeypatch.setenv("FAILING_DISK_BELOW", str(tmp_path / "data"))
    # What this process writes does not go through it: the library is loaded at a process's start.
    return switch


def add(stubs, body):
    answer = stubs.memories.AddMemories(messages.AddMemoriesRequest(scope=SCOPE, texts=[body]), timeout=30)
    return answer.memories[0].memory_id


def reason_of(error):
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return None


@pytest.mark.parametrize("how", ["full", "error", "half written, then full"])
def test_writes_fail_clearly_while_the_disk_fails_and_nothing_is_lost_or_corrupt(tmp_path, disk, how):
    server = ServerProcess(tmp_path / "data")
    with grpc.insecure_channel(server.address) as channel:
        stubs = Stubs(channel)
        written = {add(stubs, f"before number {number}"): f"before number {number}" for number in range(20)}
        disk.write_text(how)
        for number in range(10):
            with pytest.raises(grpc.RpcError) as refused:
                add(stubs, f"meanwhile number {number}")
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "disk" in refused.value.details()
            assert reason_of(refused.value) == "STORE_UNAVAILABLE"
        # Reads go on.
        assert listed(stubs, SCOPE) == written
        found = stubs.memories.SearchMemories(messages.SearchMemoriesRequest(scope=SCOPE, query="number 7"), timeout=30)
        assert found.hits
        disk.unlink()
        for number in range(20):
            body = f"after number {number}"
            written[add(stubs, body)] = body
        assert listed(stubs, SCOPE) == written
    server.kill()
    server = ServerProcess(tmp_path / "data")
    with grpc.insecure_channel(server.address) as channel:
        assert listed(Stubs(channel), SCOPE) == written
    assert server.stop() == 0


def test_a_kill_while_the_disk_fails_loses_nothing(tmp_path, disk):
    written = {}
    for round_number in range(4):
        server = ServerProcess(tmp_path / "data")
        with grpc.insecure_channel(server.address) as channel:
            stubs = Stubs(channel)
            for number in range(10):
                body = f"round {round_number} number {number}"
                written[add(stubs, body)] = body
            disk.write_text("half written, then full" if round_number % 2 else "error")
            with pytest.raises(grpc.RpcError):
                add(stubs, "never acknowledged")
        server.kill()
        disk.unlink()
    server = ServerProcess(tmp_path / "data")
    with grpc.insecure_channel(server.address) as channel:
        assert listed(Stubs(channel), SCOPE) == written
    assert server.stop() == 0


def test_a_server_that_cannot_write_at_its_start_says_so(tmp_path, disk):
    disk.write_text("full")
    command = [sys.executable, "-m", "mnemic.cli", "serve", "--address", "127.0.0.1:0", "--embedding", "static"]
    command += ["--data-directory", str(tmp_path / "data"), "--log-level", "warning"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert "disk" in ended.stderr
