"""The process around the calls: health, reflection, ids, logs, defects, addresses."""

import socket
import threading

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from mnemic.engine.settings import ServerSettings
from mnemic.model.errors import MnemicError, Reason
from mnemic.server.logs import configure_logs
from mnemic.server.server import MnemicServer, is_loopback
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import memory_service_pb2_grpc, resources_pb2

TIMEOUT = 20.0
ANNA = resources_pb2.Scope(user_id="anna")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def status_of(channel: grpc.Channel, service: str) -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT).status


def test_a_watcher_of_health_sees_the_drain(server, channel):
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    assert next(watch).status == SERVING
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    assert next(watch).status == NOT_SERVING
    watch.cancel()
    stopping.join()


class StandIn:
    """For an engine, of which nothing is answered natively; what it does not replace is the engine's."""

    def __init__(self, engine) -> None:
        self._replaced = engine

    def __getattr__(self, name: str):
        return getattr(self._replaced, name)

    def open_native(self) -> None:
        return None


class BusyEngine(StandIn):
    """Stands in for an engine whose calls take their time: it answers when it is told to."""

    def __init__(self, engine) -> None:
        super().__init__(engine)
        self._engine = engine
        self.entered = threading.Semaphore(0)
        self.leave = threading.Event()

    def search(self, *arguments, **options):
        self.entered.release()
        assert self.leave.wait(TIMEOUT)
        return self._engine.search(*arguments, **options)


@pytest.fixture
def busy(engine, server_settings):
    """A server whose searches wait, with its engine."""
    slow = BusyEngine(engine)
    with MnemicServer(slow, server_settings) as server, grpc.insecure_channel(server.address) as channel:
        yield server, slow, memory_service_pb2_grpc.MemoryServiceStub(channel), channel
        slow.leave.set()


SEARCH = pb.SearchMemoriesRequest(scope=ANNA, query="tea")


def test_health_answers_while_every_worker_is_busy(busy, server_settings):
    _, slow, stub, channel = busy
    calls = [stub.SearchMemories.future(SEARCH, timeout=TIMEOUT) for _ in range(server_settings.max_workers)]
    for _ in calls:
        assert slow.entered.acquire(timeout=TIMEOUT)
    assert status_of(channel, "") == SERVING
    slow.leave.set()
    for call in calls:
        assert call.result().revision == 0


def test_a_drain_finishes_the_calls_in_flight_and_refuses_others(busy, refused):
    server, slow, stub, _ = busy
    call = stub.SearchMemories.future(SEARCH, timeout=TIMEOUT)
    assert slow.entered.acquire(timeout=TIMEOUT)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    assert server.draining.wait(TIMEOUT)
    late = refused(stub.SearchMemories, SEARCH)
    assert (late.code, late.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert late.retry_after_seconds > 0
    slow.leave.set()
    assert call.result().revision == 0
    stopping.join()


def test_a_call_whose_deadline_passed_while_it_waited_is_not_begun(engine, front):
    slow = BusyEngine(engine)
    settings = ServerSettings(address="127.0.0.1:0", front=front, max_workers=1, drain_seconds=2.0)
    with (
        MnemicServer(slow, settings) as server,
        grpc.insecure_channel(server.address) as channel,
        capture_logs() as logs,
    ):
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        first = stub.SearchMemories.future(SEARCH, timeout=TIMEOUT)
        assert slow.entered.acquire(timeout=TIMEOUT)
        waiting = stub.SearchMemories.future(SEARCH, timeout=0.3)
        assert waiting.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        slow.leave.set()
        assert first.result().revision == 0
        server.stop()
    assert not slow.entered.acquire(blocking=False), "the engine was asked although nobody waited"
    assert {entry["code"] for entry in logs if entry["event"] == "call"} <= {"OK", "DEADLINE_EXCEEDED"}


def test_calls_beyond_what_may_wait_are_refused(engine, front):
    # The places that are kept for watches are nobody's here.
    settings = ServerSettings(
        address="127.0.0.1:0", front=front, max_workers=2, max_pending_calls=1, max_watches=1, drain_seconds=2.0
    )
    slow = BusyEngine(engine)
    with MnemicServer(slow, settings) as server:
        # Several connections: one alone holds back what the server would refuse.
        channels = [grpc.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(5)]
        stubs = [memory_service_pb2_grpc.MemoryServiceStub(channel) for channel in channels]
        held = [stub.SearchMemories.future(SEARCH, timeout=TIMEOUT) for stub in stubs[:2]]
        for _ in held:
            assert slow.entered.acquire(timeout=TIMEOUT)
        rest = [stub.SearchMemories.future(SEARCH, timeout=TIMEOUT) for stub in stubs[2:]]
        first_done = threading.Event()
        for call in rest:
            call.add_done_callback(lambda _: first_done.set())
        assert first_done.wait(TIMEOUT)
        slow.leave.set()
        codes = sorted(call.code().name for call in rest)
        assert codes == ["OK", "OK", "RESOURCE_EXHAUSTED"]
        for channel in channels:
            channel.close()


def reflect(channel: grpc.Channel, **request) -> reflection_pb2.ServerReflectionResponse:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**request)]), timeout=TIMEOUT)
    return answer


def test_reflection_can_be_switched_off(engine, front):
    with (
        MnemicServer(engine, ServerSettings(address="127.0.0.1:0", front=front, reflection=False)) as server,
        grpc.insecure_channel(server.address) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        reflect(channel, list_services="")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def call_id_of(call: grpc.Call) -> str:
    return dict(call.trailing_metadata())["x-request-id"]


def test_an_answer_carries_the_callers_request_id_or_a_new_one(memories):
    _, call = memories.SearchMemories.with_call(SEARCH, timeout=TIMEOUT, metadata=[("x-request-id", "mine-1")])
    assert call_id_of(call) == "mine-1"
    _, call = memories.SearchMemories.with_call(SEARCH, timeout=TIMEOUT)
    _, other = memories.SearchMemories.with_call(SEARCH, timeout=TIMEOUT)
    assert call_id_of(call) != call_id_of(other)
    _, call = memories.SearchMemories.with_call(SEARCH, timeout=TIMEOUT, metadata=[("x-request-id", "two words")])
    assert call_id_of(call) != "two words"


def test_each_call_is_logged_once_without_its_contents(memories, server):
    body = "Anna likes tea"
    with capture_logs() as logs:
        memories.AddMemories(
            pb.AddMemoriesRequest(scope=ANNA, texts=[body]), timeout=TIMEOUT, metadata=[("x-request-id", "log-1")]
        )
        with pytest.raises(grpc.RpcError):
            memories.AddMemories(pb.AddMemoriesRequest(texts=[body]), timeout=TIMEOUT)
        server.stop()
    added, refused = (entry for entry in logs if entry["event"] == "call")
    assert added["method"] == "/mnemic.v1.MemoryService/AddMemories"
    assert (added["code"], added["call_id"], added["log_level"]) == ("OK", "log-1", "info")
    assert added["duration_ms"] > 0
    assert refused["code"] == "INVALID_ARGUMENT"
    assert body not in str(logs)


class BrokenEngine(StandIn):
    def search(self, *_arguments, **_options):
        raise ZeroDivisionError("the password is swordfish")


def test_a_defect_is_answered_with_an_id_that_the_log_repeats_and_tells_nothing_else(engine, refused):
    with (
        MnemicServer(BrokenEngine(engine), ServerSettings(address="127.0.0.1:0")) as server,
        grpc.insecure_channel(server.address) as channel,
        capture_logs() as logs,
    ):
        refusal = refused(memory_service_pb2_grpc.MemoryServiceStub(channel).SearchMemories, SEARCH)
        server.stop()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    call_id = refusal.metadata["call_id"]
    assert call_id in refusal.message
    assert "swordfish" not in str(refusal)
    (defect,) = [entry for entry in logs if entry["event"] == "unexpected error"]
    assert defect["call_id"] == call_id
    assert defect["exc_info"]


class VerboseEngine(StandIn):
    """Refuses with more words than a client's metadata limit allows."""

    def search(self, *_arguments, **_options):
        raise MnemicError(Reason.OVERLOADED, "ü" * 50_000, metadata={f"k{n}": "v" * 5000 for n in range(100)})


def test_an_error_too_long_for_metadata_is_cut_rather_than_lost(engine, refused):
    settings = ServerSettings(address="127.0.0.1:0")
    with MnemicServer(VerboseEngine(engine), settings) as server, grpc.insecure_channel(server.address) as channel:
        refusal = refused(memory_service_pb2_grpc.MemoryServiceStub(channel).SearchMemories, SEARCH)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refusal.message.startswith("üü")


def test_a_second_server_on_a_port_is_refused(server, engine):
    with pytest.raises(MnemicError, match="in use") as caught:
        MnemicServer(engine, ServerSettings(address=server.address)).start()
    assert [item.field for item in caught.value.violations] == ["server.address"]


def test_a_port_that_another_program_has_is_refused(engine):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(MnemicError, match="in use"):
            MnemicServer(engine, ServerSettings(address=address)).start()


def test_a_unix_socket(engine, tmp_path, front):
    address = f"unix:{tmp_path / 's'}"
    with MnemicServer(engine, ServerSettings(address=address, front=front)) as server:
        assert server.address == address
        with grpc.insecure_channel(address, [("grpc.default_authority", "localhost")]) as channel:
            assert status_of(channel, "") == SERVING


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:50551", True),
        ("127.8.0.1:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("unix:/run/mnemic.sock", True),
        ("0.0.0.0:50551", False),
        ("[::]:50551", False),
        ("10.0.0.1:1", False),
        ("localhost.example.com:1", False),
    ],
)
def test_only_loopback_needs_no_warning(address, expected):
    assert is_loopback(address) is expected


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_logged_tracebacks_hold_no_values(log_format, capsys):
    previous = structlog.get_config()
    try:
        configure_logs(ServerSettings(log_format=log_format))
        memory = "Anna's " + "secret"
        try:
            int(memory[:0])
        except ValueError:
            structlog.get_logger().exception("unexpected error")
        written = capsys.readouterr()
    finally:
        structlog.configure(**previous)
    assert "ValueError: invalid literal" in written.err
    assert memory not in written.err
    assert written.out == ""
