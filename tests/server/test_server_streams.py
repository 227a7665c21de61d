"""Bulk ingest: answers in order, errors that do not end the stream, and streams that do not starve other calls."""

import queue
import threading
import time

import grpc
import pytest

from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import resources_pb2

TIMEOUT = 30.0
ANNA = resources_pb2.Scope(user_id="anna")


def step(*texts: str, **fields) -> pb.IngestMemoriesRequest:
    return pb.IngestMemoriesRequest(add=pb.AddMemoriesRequest(**({"scope": ANNA, "texts": texts} | fields)))


class OpenStream:
    """An ingest that sends when it is told to."""

    def __init__(self, stub) -> None:
        self._requests: queue.SimpleQueue = queue.SimpleQueue()
        self.call = stub.IngestMemories(iter(self._requests.get, None), timeout=TIMEOUT)

    def send(self, request: pb.IngestMemoriesRequest) -> pb.IngestMemoriesResponse:
        self._requests.put(request)
        return next(self.call)

    def finish(self) -> list[pb.IngestMemoriesResponse]:
        self._requests.put(None)
        return list(self.call)


@pytest.fixture
def open_stream(memories):
    opened = []

    def make() -> OpenStream:
        opened.append(OpenStream(memories))
        return opened[-1]

    yield make
    for stream in opened:
        stream.call.cancel()


def test_each_step_is_answered_in_order(memories):
    answers = list(memories.IngestMemories((step(f"a {n}", f"b {n}") for n in range(50)), timeout=TIMEOUT))
    assert [answer.sequence for answer in answers] == list(range(50))
    assert all(len(answer.added.memories) == 2 for answer in answers)
    revisions = [answer.added.revision for answer in answers]
    assert revisions == sorted(set(revisions))
    listed = memories.ListMemories(pb.ListMemoriesRequest(scope=ANNA, page_size=1000), timeout=TIMEOUT)
    assert len(listed.memories) == 100


def test_what_was_answered_is_found_while_the_stream_goes_on(memories, open_stream):
    stream = open_stream()
    added = stream.send(step("Anna plays the cello.")).added
    request = pb.SearchMemoriesRequest(scope=ANNA, query="cello")
    found = memories.SearchMemories(request, timeout=TIMEOUT)
    assert [hit.memory_id for hit in found.hits] == [added.memories[0].memory_id]
    assert stream.finish() == []


def test_streams_beyond_the_limit_are_refused_and_do_not_starve_other_calls(
    memories, open_stream, refused, server_settings
):
    streams = [open_stream() for _ in range(server_settings.max_concurrent_streams)]
    for stream in streams:
        assert stream.send(step("held open")).added
    refusal = refused(memories.IngestMemories, iter([step("one too many")]))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refusal.retry_after_seconds > 0
    request = pb.SearchMemoriesRequest(scope=ANNA, query="held")
    assert memories.SearchMemories(request, timeout=TIMEOUT).hits
    streams[0].finish()
    assert any(ingested_in_time(memories) for _ in range(100))


def test_a_caller_that_goes_away_frees_its_place(memories, open_stream, server_settings):
    for _ in range(3 * server_settings.max_concurrent_streams):
        stream = open_stream()
        stream.send(step("gone soon"))
        stream.call.cancel()
    assert any(ingested_in_time(memories) for _ in range(100)), "the places of cancelled streams were never freed"


def ingested_in_time(memories) -> bool:
    try:
        (answer,) = memories.IngestMemories(iter([step("after")]), timeout=TIMEOUT)
    except grpc.RpcError:
        time.sleep(0.05)
        return False
    return answer.HasField("added")


def test_a_drain_ends_a_stream_between_steps(server, open_stream, refusal_of):
    stream = open_stream()
    stream.send(step("before"))
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    assert server.draining.wait(5)
    with pytest.raises(grpc.RpcError) as caught:
        stream.send(step("after"))
    stopping.join()
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")


def test_a_drain_does_not_wait_for_a_stream_that_is_silent(server, open_stream, engine):
    stream = open_stream()
    added = stream.send(step("before")).added
    started = time.monotonic()
    server.stop(drain_seconds=TIMEOUT)
    assert time.monotonic() - started < TIMEOUT / 2
    with pytest.raises(grpc.RpcError) as caught:
        next(stream.call)
    assert caught.value.code() is grpc.StatusCode.CANCELLED
    assert engine.get("default", added.memories[0].memory_id).body == "before"
