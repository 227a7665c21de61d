"""What is relayed arrives as it was sent, in both directions, and ends on one side when it ends on the other."""

import itertools
import threading
import time

import grpc
import pytest
from behind import CHUNK, SECRET, TIMEOUT, comes_true, open_channel


def test_a_message_arrives_and_comes_back(channel):
    for size in [0, 1, 100, 16_384, 70_000, 3_000_000]:
        message = bytes(size)
        assert channel.unary_unary("/t.T/echo")(message, timeout=TIMEOUT) == message


def test_compressed_messages_pass(channel):
    message = b"a" * 100_000
    echo = channel.unary_unary("/t.T/echo")
    assert echo(message, timeout=TIMEOUT, compression=grpc.Compression.Gzip) == message


def test_a_compressed_message_of_a_method_that_could_be_answered_here_passes(channel):
    search = channel.unary_unary("/mnemic.v1.MemoryService/SearchMemories")
    with pytest.raises(grpc.RpcError) as caught:
        search(b"a" * 10_000, timeout=TIMEOUT, compression=grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED, "the server behind does not have it"


def test_metadata_passes_in_both_directions(channel, seen):
    sent = [("x-text", "a b"), ("x-twice", "1"), ("x-twice", "2"), ("x-data-bin", b"\0\x01\xff")]
    _, call = channel.unary_unary("/t.T/echo").with_call(b"", metadata=sent, timeout=TIMEOUT)
    assert [pair for pair in seen.metadata if pair[0] in {"x-text", "x-twice", "x-data-bin"}] == sent
    first, last = list(call.initial_metadata()), list(call.trailing_metadata())
    assert [(key, value) for key, value in first if key.startswith("x-")] == [
        ("x-first", "1"),
        ("x-bytes-bin", b"\0\xff"),
    ]
    assert {("x-last", "a"), ("x-last", "b"), ("x-last-bin", b"\0\xff")} <= set(map(tuple, last))


def test_only_the_front_says_that_it_is_the_front(channel, seen):
    forged = [("x-mnemic-front", "forged"), ("x-mnemic-front", "again")]
    channel.unary_unary("/t.T/echo")(b"", metadata=forged, timeout=TIMEOUT)
    assert [value for key, value in seen.metadata if key == "x-mnemic-front"] == [SECRET]


def test_a_failure_passes_with_words_and_details(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/t.T/fail")(b"", timeout=TIMEOUT)
    error = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "żółw is not here: 100 %")
    assert {("grpc-status-details-bin", b"\x08\x05"), ("x-why", "because")} <= set(
        map(tuple, error.trailing_metadata())
    )


def test_an_unknown_method_is_the_servers_to_refuse(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/t.T/none")(b"", timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_deadline_passes_and_is_kept(channel, seen):
    channel.unary_unary("/t.T/echo")(b"", timeout=15)
    assert 10 < seen.remaining < 16, "grpcio rounds it up"
    channel.unary_unary("/t.T/echo")(b"")
    assert seen.remaining is None or seen.remaining > 1e6
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/t.T/wait")(b"", timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert seen.ended.acquire(timeout=TIMEOUT), "the server behind went on"


def test_both_sides_of_a_stream_go_on_together(channel):
    pieces = [bytes([n]) * n * 100 for n in range(200)]
    sent = threading.Semaphore(1)

    def requests():
        for piece in pieces:
            assert sent.acquire(timeout=TIMEOUT)
            yield piece

    answers = []
    for answer in channel.stream_stream("/t.T/both")(requests(), timeout=TIMEOUT):
        answers.append(answer)
        sent.release()
    assert answers == pieces


def test_a_stream_that_sends_nothing_first_is_begun(channel, seen):
    call = channel.stream_stream("/t.T/both")(iter(threading.Event().wait, True), timeout=TIMEOUT)
    assert seen.begun.acquire(timeout=TIMEOUT)
    call.cancel()


def test_a_failure_in_the_midst_of_a_stream(channel):
    call = channel.stream_stream("/t.T/failing")(itertools.repeat(b"a", 3), timeout=TIMEOUT)
    assert next(call) == b"a"
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.ABORTED, "after one")


def test_a_stream_that_the_server_cancels(channel):
    call = channel.stream_stream("/t.T/cancelling")(iter([b"a"]), timeout=TIMEOUT)
    assert next(call) == b"a"
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert caught.value.code() is grpc.StatusCode.CANCELLED


@pytest.mark.parametrize("method", ["wait", "both", "produce", "ignore"])
def test_a_caller_that_goes_away_ends_the_call(channel, front, seen, method):
    if method == "wait":
        call = channel.unary_unary("/t.T/wait").future(b"", timeout=TIMEOUT)
    else:
        call = channel.stream_stream(f"/t.T/{method}")(itertools.repeat(b"a" * 1000), timeout=TIMEOUT)
    if method == "produce":
        next(call)
    else:
        assert seen.begun.acquire(timeout=TIMEOUT)
    call.cancel()
    assert seen.ended.acquire(timeout=TIMEOUT), "the server behind went on"
    assert comes_true(lambda: front.load()["calls"] == 0)


def test_a_client_that_reads_nothing_holds_its_own_call_up_and_no_other(channel, front, seen):
    slow = [channel.stream_stream("/t.T/produce")(iter([]), timeout=TIMEOUT) for _ in range(4)]
    for call in slow:
        next(call)
    assert comes_to_rest(lambda: seen.produced), "somebody collects what nobody reads"
    echo = channel.unary_unary("/t.T/echo")
    assert echo(bytes(1_000_000), timeout=TIMEOUT) == bytes(1_000_000)
    with open_channel(front.address) as other:
        assert other.unary_unary("/t.T/echo")(b"other", timeout=TIMEOUT) == b"other"
    for _ in range(50):
        assert next(slow[0]) == CHUNK
    for call in slow:
        call.cancel()


def test_a_server_that_reads_nothing_holds_its_own_call_up_and_no_other(channel, front, seen):
    taken = [0] * 4

    def requests(position):
        while not seen.leave.is_set():
            taken[position] += 1
            yield CHUNK

    calls = [channel.stream_stream("/t.T/ignore")(requests(position), timeout=TIMEOUT) for position in range(4)]
    for _ in calls:
        assert seen.begun.acquire(timeout=TIMEOUT)
    assert comes_to_rest(lambda: sum(taken)), "somebody collects what nobody reads"
    assert channel.unary_unary("/t.T/echo")(bytes(1_000_000), timeout=TIMEOUT) == bytes(1_000_000)
    seen.leave.set()
    for call in calls:
        assert next(call) == b"done"


def test_a_message_that_is_too_large_is_refused_by_the_server_behind(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/mnemic.v1.MemoryService/SearchMemories")(bytes(5_000_000), timeout=TIMEOUT)
    assert caught.value.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED}


def test_many_calls_at_once(channel):
    echo = channel.unary_unary("/t.T/echo")
    for start in range(0, 2000, 10):
        calls = [(n, echo.future(str(n).encode(), timeout=TIMEOUT)) for n in range(start, start + 10)]
        assert all(call.result() == str(n).encode() for n, call in calls)


def comes_to_rest(count) -> bool:
    """Whether a count of chunks stops growing below 256 MiB: a client alone takes up to 16 MiB for each stream."""
    before = -1
    while before < count():
        before = count()
        if before * len(CHUNK) > 256 * 1024 * 1024:
            return False
        time.sleep(0.5)
    return True
