"""The front's own life: health, limits, the Python side going away and coming back, its end, and forks."""

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from asking import NOT_SERVING, SERVICE_UNKNOWN, SERVING, health, refused
from behind import FIXED, LIMITS, TIMEOUT, comes_true, open_channel
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mnemic import _core


@pytest.mark.parametrize("service", ["", "mnemic.v1.MemoryService", "mnemic.v1.AdminService"])
def test_every_service_is_healthy(channel, service):
    assert health(channel, service) == SERVING


def test_an_unknown_service_is_not_found_and_its_watcher_waits(channel):
    with pytest.raises(grpc.RpcError) as caught:
        health(channel, "other")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="other"), timeout=TIMEOUT)
    assert next(watch).status == SERVICE_UNKNOWN
    watch.cancel()


def test_health_carries_the_callers_id(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    _, call = stub.Check.with_call(health_pb2.HealthCheckRequest(), metadata=[("x-request-id", "h-1")], timeout=TIMEOUT)
    assert dict(call.trailing_metadata())["x-request-id"] == "h-1"


def test_bytes_that_are_no_request_for_health(channel):
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    for request in [b"\xff", b"\x0a\xff", bytes(100_000)]:
        with pytest.raises(grpc.RpcError) as caught:
            check(request, timeout=TIMEOUT)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_python_goes_away_and_comes_back(python, start_python, channel, front):
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=3 * TIMEOUT)
    assert next(watch).status == SERVING
    python.stop(None).wait()
    assert next(watch).status == NOT_SERVING
    assert health(channel, "mnemic.v1.AdminService") == NOT_SERVING
    assert front.load()["python_here"] == 0
    assert refused(channel) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", 1.0)
    start_python()
    assert next(watch).status == SERVING
    assert channel.unary_unary("/t.T/echo")(b"back", timeout=TIMEOUT) == b"back"
    watch.cancel()


def test_without_python_there_is_no_front(start_front):
    with pytest.raises(_core.CoreError) as caught:
        start_front()
    assert caught.value.args[0] == "STORE_UNAVAILABLE"


def test_calls_beyond_the_limit_are_refused_and_told_when_to_come_again(start_front, python, seen):
    front = start_front(max_relayed_calls=2)
    with open_channel(front.address) as channel:
        waiting = [channel.unary_unary("/t.T/wait").future(b"", timeout=TIMEOUT) for _ in range(2)]
        for _ in waiting:
            assert seen.begun.acquire(timeout=TIMEOUT)
        assert refused(channel) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", 1.0)
        assert health(channel) == SERVING
        seen.leave.set()
        assert [call.result() for call in waiting] == [b"", b""]
        assert comes_true(lambda: front.load()["relayed_calls"] == 0)
        assert channel.unary_unary("/t.T/echo")(b"free", timeout=TIMEOUT) == b"free"


def test_connections_beyond_the_limit_are_closed(start_front, python):
    front = start_front(max_connections=2)
    host, port = front.address.rsplit(":", 1)
    held = [socket.create_connection((host, int(port))) for _ in range(2)]
    assert comes_true(lambda: front.load()["connections"] == 2)
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as third:
        assert third.recv(1) == b"", "it is closed"
    for connection in held:
        connection.close()
    assert comes_true(lambda: front.load()["connections"] == 0)
    with open_channel(front.address) as channel:
        assert health(channel) == SERVING


def test_oversized_metadata_is_refused(channel):
    for size in [17_000, 40_000]:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/t.T/echo")(b"", metadata=[("x-large", "x" * size)], timeout=TIMEOUT)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "16384" in caught.value.details()


def test_a_drain_refuses_new_calls_and_the_stop_waits_for_the_others(channel, front, seen):
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    assert next(watch).status == SERVING
    call = channel.unary_unary("/t.T/wait").future(b"in flight", timeout=TIMEOUT)
    assert seen.begun.acquire(timeout=TIMEOUT)
    front.drain()
    assert next(watch).status == NOT_SERVING
    assert refused(channel) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", 1.0)
    ended = []
    stopping = threading.Thread(target=lambda: ended.append(front.stop(TIMEOUT)))
    stopping.start()
    time.sleep(0.2)
    assert not ended
    seen.leave.set()
    stopping.join()
    assert ended == [True]
    assert call.result() == b"in flight"
    with pytest.raises(grpc.RpcError):
        next(watch)
    assert front.stop(0) is True, "a second time there is nothing to do"


def test_a_stop_does_not_wait_longer_than_it_may(channel, front, seen):
    call = channel.unary_unary("/t.T/wait").future(b"", timeout=TIMEOUT)
    assert seen.begun.acquire(timeout=TIMEOUT)
    started = time.monotonic()
    assert front.stop(0.2) is False
    assert time.monotonic() - started < TIMEOUT / 2
    assert call.code() is grpc.StatusCode.UNAVAILABLE
    assert seen.ended.acquire(timeout=TIMEOUT), "the server behind went on"


def threads_of_fronts() -> int:
    return sum(
        task.joinpath("comm").read_text().startswith("mnemic-front") for task in Path("/proc/self/task").iterdir()
    )


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux shows them")
def test_a_stop_joins_its_threads_and_frees_the_port(python, start_front):
    before = threads_of_fronts()
    front = start_front()
    assert threads_of_fronts() > before
    front.stop(1)
    assert threads_of_fronts() == before
    again = start_front(front.address)
    assert again.address == front.address


FORKING = """
import os, sys
from mnemic import _core
front = _core.Front("127.0.0.1:0", sys.argv[1], authenticator=_core.Authenticator(), answers=None, **eval(sys.argv[2]))
child = os.fork()
if not child:
    for use in (front.drain, front.load, lambda: front.stop(0)):
        try:
            use()
        except _core.CoreError as error:
            assert "fork" in str(error)
        else:
            os._exit(1)
    del front  # nothing to wait for
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert front.load()["python_here"] == 1
assert front.stop(0)
print("done")
"""


def test_a_forked_child_is_refused(python, python_socket):
    settings = repr(FIXED | LIMITS)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FORKING, str(python_socket), settings]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


def test_a_unix_socket_beside_the_port_is_for_the_same_user_alone(python, start_front, tmp_path):
    path = tmp_path / "s"
    front = start_front(unix_socket=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for address in (f"unix:{path}", front.address):
        with open_channel(address) as channel:
            assert health(channel) == SERVING
    front.stop(1)
    assert not path.exists()


def test_a_socket_that_a_dead_server_left_is_replaced_and_a_living_one_is_not(python, start_front, tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    front = start_front(f"unix:{path}")
    assert front.address == f"unix:{path}"
    with pytest.raises(_core.CoreError, match="in use"):
        start_front(f"unix:{path}")
    with open_channel(front.address) as channel:
        assert health(channel) == SERVING
    (tmp_path / "file").write_text("precious")
    with pytest.raises(_core.CoreError):
        start_front(f"unix:{tmp_path / 'file'}")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:x", "127.0.0.1:99999", "256.0.0.1:0", "192.0.2.1:0"])
def test_an_address_that_cannot_be_listened_on(python, start_front, address):
    with pytest.raises(_core.CoreError) as caught:
        start_front(address)
    assert caught.value.args[:2] == ("INVALID_FIELD", "address")
