"""What the gRPC clients make of failures: retries, deadlines, and statuses of servers other than ours."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from mnemic import AsyncMnemicClient, MnemicClient, MnemicError, Reason
from mnemic.client.channel import MAX_ATTEMPTS
from mnemic.client.failures import from_ingest_error
from mnemic.engine.settings import ServerSettings
from mnemic.model.errors import Code, FieldViolation
from mnemic.server.server import MnemicServer
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import memory_service_pb2_grpc

ADDED = pb.AddMemoriesResponse(memories=[pb.AddedMemory(memory_id="m1", version=1)], revision=1)


class Scripted(memory_service_pb2_grpc.MemoryServiceServicer):
    """Fails so many times as it is told, then answers; keeps what it was sent."""

    def __init__(self) -> None:
        self.failures = 0
        self.status: object = grpc.StatusCode.UNAVAILABLE
        self.seconds = 0.0
        self.requests: list[pb.AddMemoriesRequest] = []
        self.metadata: list[dict[str, str]] = []

    def AddMemories(self, request, context):  # noqa: N802 (the generated servicer's name)
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        time.sleep(self.seconds)
        if len(self.requests) <= self.failures:
            if isinstance(self.status, grpc.StatusCode):
                context.abort(self.status, "the reason in words")
            context.abort_with_status(self.status)
        return ADDED


@contextmanager
def listening(servicer):
    server = grpc.server(ThreadPoolExecutor(2))
    memory_service_pb2_grpc.add_MemoryServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


async def add_async(address, timeout, **options):
    async with AsyncMnemicClient(address, timeout=timeout, **options) as client:
        return await client.add("tea", user_id="u1")


@pytest.fixture(params=["MnemicClient", "AsyncMnemicClient"])
def add(request):
    """Adds one text by a new client of either kind."""

    def make(address, *, timeout=10.0, **options):
        if request.param == "AsyncMnemicClient":
            return asyncio.run(add_async(address, timeout, **options))
        with MnemicClient(address, timeout=timeout, **options) as client:
            return client.add("tea", user_id="u1")

    return make


def refusal(add, servicer, **options) -> MnemicError:
    with listening(servicer) as address, pytest.raises(MnemicError) as refused:
        add(address, **options)
    return refused.value


def packed(*details) -> list[AnyMessage]:
    messages = []
    for detail in details:
        message = AnyMessage()
        message.Pack(detail)
        messages.append(message)
    return messages


def status_of(code: int, words: str, *details):
    return rpc_status.to_status(status_pb2.Status(code=code, message=words, details=packed(*details)))


def test_unavailable_is_tried_again_with_the_same_request_id(add):
    servicer = Scripted()
    servicer.failures = MAX_ATTEMPTS - 1
    with listening(servicer) as address:
        assert add(address).memory_ids == ("m1",)
    assert len(servicer.requests) == MAX_ATTEMPTS
    assert len({request.request_id for request in servicer.requests}) == 1
    assert servicer.requests[0].request_id


def test_it_gives_up_after_four_tries(add):
    servicer = Scripted()
    servicer.failures = 100
    error = refusal(add, servicer)
    assert (error.reason, error.code, len(servicer.requests)) == (Reason.SHUTTING_DOWN, Code.UNAVAILABLE, MAX_ATTEMPTS)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, Reason.INVALID_FIELD),
        (grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND),
        (grpc.StatusCode.ABORTED, Reason.VERSION_CONFLICT),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.OVERLOADED),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED),
        (grpc.StatusCode.UNAUTHENTICATED, Reason.UNAUTHENTICATED),
        (grpc.StatusCode.PERMISSION_DENIED, Reason.PERMISSION_DENIED),
        (grpc.StatusCode.UNIMPLEMENTED, Reason.NOT_IMPLEMENTED),
        (grpc.StatusCode.INTERNAL, Reason.INTERNAL),
        (grpc.StatusCode.UNKNOWN, Reason.INTERNAL),
        (grpc.StatusCode.DATA_LOSS, Reason.CORRUPT_DATA),
    ],
)
def test_nothing_else_is_tried_again_and_a_bare_status_maps_by_its_code(add, status, reason):
    servicer = Scripted()
    servicer.failures, servicer.status = 100, status
    error = refusal(add, servicer)
    assert (error.reason, len(servicer.requests)) == (reason, 1)
    assert error.message == "the reason in words"
    assert error.metadata["grpc_code"] == status.name


def test_the_details_of_a_status_come_back_whole(add):
    servicer = Scripted()
    servicer.failures = 100
    servicer.status = status_of(
        code_pb2.RESOURCE_EXHAUSTED,
        "the queue is full",
        error_details_pb2.ErrorInfo(reason="OVERLOADED", domain="mnemic.dev", metadata={"queue": "64"}),
        error_details_pb2.BadRequest(
            field_violations=[error_details_pb2.BadRequest.FieldViolation(field="a", description="b")]
        ),
        error_details_pb2.RetryInfo(retry_delay={"nanos": 100_000_000}),
    )
    error = refusal(add, servicer)
    assert (error.reason, error.message, error.metadata) == (Reason.OVERLOADED, "the queue is full", {"queue": "64"})
    assert (error.violations, error.retry_after_seconds) == ((FieldViolation("a", "b"),), 0.1)


@pytest.mark.parametrize(("domain", "name"), [("mnemic.dev", "INVENTED_LATER"), ("example.com", "OVERLOADED")])
def test_a_reason_that_we_do_not_know_maps_by_its_code(add, domain, name):
    servicer = Scripted()
    servicer.failures = 100
    info = error_details_pb2.ErrorInfo(reason=name, domain=domain)
    servicer.status = status_of(code_pb2.FAILED_PRECONDITION, "not now", info)
    error = refusal(add, servicer)
    assert (error.code, error.metadata["reason"]) == (Code.FAILED_PRECONDITION, name)


def test_a_call_without_a_deadline_of_its_own_has_the_clients(add):
    servicer = Scripted()
    servicer.seconds = 2.0
    begin = time.monotonic()
    error = refusal(add, servicer, timeout=0.2)
    assert error.reason is Reason.DEADLINE_EXCEEDED
    # The server's thread sleeps on; the client does not wait for it, the server's stop does.
    assert time.monotonic() - begin < 10


def test_nobody_listening_is_told_in_words(add):
    with listening(Scripted()) as address:
        pass
    with pytest.raises(MnemicError, match=f"cannot reach a server at {address} .is `mnemic serve` running") as refused:
        add(address)
    assert refused.value.code is Code.UNAVAILABLE


def test_a_key_and_metadata_accompany_each_call(add):
    servicer = Scripted()
    with listening(servicer) as address:
        add(address, api_key="mnk_1", metadata=[("x-team", "blue")])
    assert servicer.metadata[0]["authorization"] == "Bearer mnk_1"
    assert servicer.metadata[0]["x-team"] == "blue"


def test_health(server):
    async def asked(address):
        async with AsyncMnemicClient(address) as client:
            return await client.is_serving()

    with MnemicClient(server.address) as client:
        assert client.is_serving()
        assert asyncio.run(asked(server.address))
        server.stop(0)
        assert not client.is_serving(timeout=0.5)
    assert not asyncio.run(asked(server.address))


def test_a_message_over_the_servers_limit_says_so(engine):
    settings = ServerSettings(address="127.0.0.1:0", max_message_bytes=64 * 1024)
    with MnemicServer(engine, settings) as server, MnemicClient(server.address) as client:
        with pytest.raises(MnemicError) as refused:
            client.add(["x" * 1000] * 100, user_id="u1")
        assert refused.value.reason is Reason.MESSAGE_TOO_LARGE
        # What comes back may be larger than what may be sent, and than grpcio's own 4 MiB.
        for _ in range(150):
            client.add("y" * 30_000, user_id="u1")
        assert len(client.list(user_id="u1", page_size=1000)) == 150


def test_tls_needs_credentials_of_the_channel():
    credentials = grpc.ssl_channel_credentials()
    with listening(Scripted()) as address, MnemicClient(address, credentials=credentials, timeout=2.0) as client:
        with pytest.raises(MnemicError) as refused:
            client.add("tea", user_id="u1")
        assert refused.value.code is Code.UNAVAILABLE


def test_an_ingest_error_carries_the_same_facts():
    message = pb.IngestError(
        code=code_pb2.UNAVAILABLE,
        message="away",
        reason="EMBEDDING_UNAVAILABLE",
        metadata={"a": "b"},
        violations=[pb.IngestFieldViolation(field="f", description="d")],
        retry_after_micros=500_000,
    )
    error = from_ingest_error(message)
    assert (error.reason, error.message, error.metadata) == (Reason.EMBEDDING_UNAVAILABLE, "away", {"a": "b"})
    assert (error.violations, error.retry_after_seconds) == ((FieldViolation("f", "d"),), 0.5)
    later = from_ingest_error(pb.IngestError(code=code_pb2.NOT_FOUND, message="x", reason="INVENTED_LATER"))
    assert (later.code, later.metadata) == (Code.NOT_FOUND, {"reason": "INVENTED_LATER"})


def test_a_stream_that_breaks_is_an_error_and_leaves_what_was_answered(server):
    def adds():
        yield {"messages": "first", "user_id": "u1"}
        server.stop(0)
        yield {"messages": "second", "user_id": "u1"}

    with MnemicClient(server.address) as client:
        results = client.ingest(adds())
        with pytest.raises(MnemicError) as refused:
            list(results)
    assert refused.value.code in {Code.UNAVAILABLE, Code.INTERNAL}


def test_an_ingest_may_be_left_early(server):
    with MnemicClient(server.address) as client:
        results = client.ingest({"messages": f"text {number}", "user_id": "u1"} for number in range(1000))
        assert next(results).added is not None
        results.close()
        assert client.add("after it", user_id="u2").memory_ids


def test_an_asynchronous_ingest_may_be_left_early(server):
    async def run():
        async with AsyncMnemicClient(server.address) as client:
            results = client.ingest({"messages": f"text {number}", "user_id": "u1"} for number in range(1000))
            first = await anext(results)
            await results.aclose()
            return first.added, await client.add("after it", user_id="u2")

    assert all(asyncio.run(run()))


def test_a_cancelled_call_leaves_the_client_usable():
    servicer = Scripted()
    servicer.seconds = 1.0

    async def run(address):
        async with AsyncMnemicClient(address) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.add("slow", user_id="u1"), 0.2)
            servicer.seconds = 0.0
            return await client.add("fast", user_id="u1")

    with listening(servicer) as address:
        assert asyncio.run(run(address)).memory_ids == ("m1",)
