"""Watching over the wire: at once, for long, by slow and by lost callers, and until the server stops."""

import threading
import time

import grpc
import pytest
from access_support import make_key

from mnemic import MnemicClient, MnemicError
from mnemic.engine.settings import ServerSettings
from mnemic.model.access import AccessRole
from mnemic.model.errors import Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.server.server import MnemicServer
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import resources_pb2

TIMEOUT = 60.0
ANNA = resources_pb2.Scope(user_id="anna")
WATCHES = 3


@pytest.fixture
def server_settings(front) -> ServerSettings:
    return ServerSettings(
        address="127.0.0.1:0", front=front, max_workers=2, max_concurrent_streams=1, max_watches=WATCHES
    )


@pytest.fixture
def watch(memories):
    """Opens a watch that has begun."""
    opened = []

    def make(**request):
        call = memories.WatchMemories(pb.WatchMemoriesRequest(scope=ANNA, **request), timeout=TIMEOUT)
        opened.append(call)
        assert not next(call).changes
        return call

    yield make
    for call in opened:
        call.cancel()


def bodies(answer: pb.WatchMemoriesResponse) -> list[str]:
    return [entry.memory.body for entry in answer.changes]


def test_what_is_added_is_told(watch, add):
    call = watch()
    for text in ("one", "two"):
        revision = add(text).revision
        answer = next(call)
        assert (bodies(answer), answer.revision) == ([text], revision)


def test_a_silent_watch_sends_heartbeats(watch, add):
    call = watch(heartbeat={"seconds": 1})
    revision = add("bens", scope=resources_pb2.Scope(user_id="ben")).revision
    beat = next(call)
    assert (bodies(beat), beat.revision) == ([], revision)


def test_watches_hold_none_of_the_threads_of_other_calls(watch, add, refused, memories, server_settings):
    calls = [watch() for _ in range(WATCHES)]
    assert server_settings.max_workers < WATCHES
    revision = add("one").revision
    assert [next(call).revision for call in calls] == [revision] * WATCHES
    refusal = refused(memories.WatchMemories, pb.WatchMemoriesRequest(scope=ANNA))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refusal.retry_after_seconds > 0


def test_a_caller_that_goes_away_frees_its_place_at_once(memories):
    """Its heartbeat is half a minute away."""
    for _ in range(3 * WATCHES):
        assert any(is_begun_and_cancelled(memories) for _ in range(100)), "places of lost callers were never freed"


def is_begun_and_cancelled(memories) -> bool:
    call = memories.WatchMemories(pb.WatchMemoriesRequest(scope=ANNA), timeout=TIMEOUT)
    try:
        next(call)
    except grpc.RpcError:
        time.sleep(0.05)
        return False
    call.cancel()
    return True


def test_who_reads_nothing_for_long_holds_up_nobody_and_misses_nothing(watch, engine, memories):
    call = watch()
    large = "x" * 30_000
    # More than all the windows on the way take.
    for number in range(400):
        engine.add("default", Scope(user_id="anna"), [MemoryInput(body=f"{number} {large}")])
    assert memories.ListMemories(pb.ListMemoriesRequest(scope=ANNA, page_size=1), timeout=TIMEOUT).memories
    found = []
    while len(found) < 400:
        found += [body.split()[0] for body in bodies(next(call))]
    assert found == [str(number) for number in range(400)]


def test_a_drain_does_not_wait_for_a_watch_and_tells_it_to_come_again(server, watch, refusal_of):
    call = watch()
    started = time.monotonic()
    server.stop(drain_seconds=TIMEOUT)
    assert time.monotonic() - started < TIMEOUT / 2
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")


def test_a_client_goes_on_where_it_was_when_the_server_comes_back(engine, server, server_settings):
    with MnemicClient(server.address) as client, client.watch(user_id="anna") as watch:
        assert not next(watch).changes
        server.stop()
        engine.add("default", Scope(user_id="anna"), [MemoryInput(body="while it was away")])
        again = server_settings.model_copy(update={"address": server.address})
        with MnemicServer(engine, again):
            assert [entry.memory.body for entry in next(watch)] == ["while it was away"]
            client.add("after", user_id="anna")
            assert [entry.memory.body for entry in next(watch)] == ["after"]


def test_a_client_gives_up_on_a_server_that_stays_away(server):
    with MnemicClient(server.address) as client, client.watch(user_id="anna", patience=0) as watch:
        next(watch)
        server.stop()
        with pytest.raises(MnemicError) as failure:
            list(watch)
    assert failure.value.reason is Reason.SHUTTING_DOWN


def test_closing_a_watch_ends_it_in_whatever_thread_it_waits(server):
    with MnemicClient(server.address) as client, client.watch(user_id="anna") as watch:
        next(watch)
        rest = []
        waiting = threading.Thread(target=lambda: rest.extend(watch))
        waiting.start()
        watch.close()
        waiting.join(TIMEOUT)
        assert not waiting.is_alive()
        assert rest == []


class TestWithKeys:
    @pytest.fixture
    def settings(self, settings):
        return settings.model_copy(
            update={"authentication": settings.authentication.model_copy(update={"mode": "keys"})}
        )

    def test_a_revoked_key_sees_nothing_more(self, engine, memories, refusal_of, monkeypatch):
        monkeypatch.setattr("mnemic.engine.watching._CHECK_SECONDS", 0.05)
        key = make_key(engine, AccessRole.READ)
        request = pb.WatchMemoriesRequest(scope=ANNA)
        call = memories.WatchMemories(request, metadata=key.metadata, timeout=TIMEOUT)
        next(call)
        engine.authority.revoke_key(engine.authority.find_key(key.key_id), caller="default")
        engine.add("default", Scope(user_id="anna"), [MemoryInput(body="too late")])
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        assert refusal_of(caught.value).code is grpc.StatusCode.UNAUTHENTICATED

    def test_a_restricted_key_is_told_what_it_may_find(self, engine, memories):
        key = make_key(engine, AccessRole.READ, scope=Scope(user_id="anna"))
        exact = pb.WatchMemoriesRequest(scope=resources_pb2.Scope(app_id="a"), match=resources_pb2.SCOPE_MATCH_EXACT)
        call = memories.WatchMemories(exact, metadata=key.metadata, timeout=TIMEOUT)
        next(call)
        for user in ("ben", "anna"):
            engine.add("default", Scope(user_id=user, app_id="a"), [MemoryInput(body=user)])
        assert bodies(next(call)) == ["anna"]
