"""The native answers see every acknowledged write and no partition that is being loaded, whatever leaves memory."""

import threading
import time

import pytest
from native_support import principal

from mnemic.engine.engine import Engine
from mnemic.engine.settings import Settings, load_settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import OwnerKind, PartitionKey, Scope
from mnemic.model.search import SearchRequest
from mnemic.v1 import memory_service_pb2 as pb

MIB = 1 << 20
USERS = [f"user {number}" for number in range(6)]


def search(user: str, *, revision: int = 0, top_k: int = 1000, **ids: str) -> pb.SearchMemoriesRequest:
    return pb.SearchMemoriesRequest(
        scope={"user_id": user} | ids,
        query="banana",
        profile="lexical",
        top_k=top_k,
        separate=True,
        min_revision=revision,
    )


def bodies(response: pb.SearchMemoriesResponse | None) -> set[str] | None:
    return None if response is None else {hit.body for hit in response.hits}


def test_a_session_that_has_no_partition_is_no_reason_to_relay_twice(both):
    both.engine.add("default", Scope(user_id="u"), [MemoryInput(body="a banana")])
    request = search("u", session_id="s", agent_id="a")
    assert both.of_native(request) is None
    assert both.agree(request)
    both.engine.add("default", Scope(session_id="s"), [MemoryInput(body="another banana")])
    assert both.of_native(request) is None, "the session's own partition is there and not loaded"
    assert both.agree(request)
    assert bodies(both.of_native(request)) == {"a banana", "another banana"}


def test_what_is_dropped_is_relayed_until_it_is_loaded(both):
    both.engine.add("default", Scope(user_id="u"), [MemoryInput(body="a banana")])
    assert both.agree(search("u"))
    both.engine.drop_index()
    assert both.of_native(search("u")) is None
    assert both.agree(search("u"))


def test_a_partition_that_is_being_loaded_is_not_searched(both, monkeypatch):
    """Rows come in by the thousand: a search between them would find some."""
    engine = both.engine
    for _ in range(3):
        engine.add("default", Scope(user_id="u"), [MemoryInput(body=f"banana {n}") for n in range(1000)])
    engine.drop_index()
    loader, seen = engine._index._loader, []
    catch_up = loader.load

    def watched(key):
        arrival = catch_up(key)
        seen.append(both.of_native(search("u")))
        return arrival

    monkeypatch.setattr(loader, "load", watched)
    assert len(both.of_python(search("u")).hits) == 1000
    assert seen == [None]
    assert len(both.of_native(search("u")).hits) == 1000


def test_what_the_front_uses_stays_longer_than_what_nobody_uses(tmp_path):
    settings = load_settings(data_directory=tmp_path / "data", embedding={"provider": "static"})
    with Engine.open(settings, pull_missing_model=True) as engine:
        native = engine.native_answers()
        caller = principal()
        for user in ("used", "unused", "new"):
            engine.add("default", Scope(user_id=user), [MemoryInput(body="a banana")])
        for user in ("used", "unused"):
            engine.search("default", SearchRequest(scope=Scope(user_id=user), query="banana"))
        live = engine._index
        native.answer(caller, "SearchMemories", search("used").SerializeToString())
        live._budget_bytes = live._bytes
        engine.search("default", SearchRequest(scope=Scope(user_id="new"), query="banana"))
        keys = [PartitionKey("default", OwnerKind.USER, user) for user in ("used", "unused", "new")]
        assert [live.core.contains(key) for key in keys] == [True, False, True]


@pytest.fixture
def crowded(tmp_path) -> Settings:
    """An index that has no room for what is in use."""
    return load_settings(
        data_directory=tmp_path / "data", embedding={"provider": "static"}, limits={"index_bytes": MIB}
    )


def test_native_searches_see_every_acknowledged_write_while_partitions_come_and_go(crowded):
    """A writer notes what was acknowledged, searches through Python load and so evict, and native searches must find
    all that was acknowledged before they began, and each batch entirely or not at all.
    """
    batch = 5
    with Engine.open(crowded, pull_missing_model=True) as engine:
        native, caller = engine.native_answers(), principal()
        for user in USERS:
            engine.add("default", Scope(user_id=user), [MemoryInput(body=f"first banana {n}") for n in range(150)])
        acknowledged = {user: (150, engine.revision()) for user in USERS}
        stop, failures, answered, evicted = threading.Event(), [], [], []
        forget = engine._index._forget
        engine._index._forget = lambda key: (evicted.append(key), forget(key))

        def guarded(work):
            def run():
                try:
                    while not stop.is_set():
                        work()
                except BaseException as failure:  # noqa: BLE001 (whatever it was, the test fails)
                    failures.append(failure)
                    stop.set()

            return threading.Thread(target=run)

        def write():
            for user in USERS:
                if acknowledged[user][0] >= 450:
                    stop.set()
                    return
                result = engine.add(
                    "default", Scope(user_id=user), [MemoryInput(body=f"banana {n}") for n in range(batch)]
                )
                acknowledged[user] = (acknowledged[user][0] + batch, result.revision)

        def load():
            for user in USERS:
                engine.search("default", SearchRequest(scope=Scope(user_id=user), query="banana"))

        def read():
            for user in USERS:
                count, revision = acknowledged[user]
                answer = native.answer(caller, "SearchMemories", search(user, revision=revision).SerializeToString())
                if answer is not None:
                    response = pb.SearchMemoriesResponse.FromString(answer)
                    assert response.revision >= revision
                    assert len(response.hits) >= count
                    assert len(response.hits) % batch == 0
                    answered.append(user)

        threads = [guarded(work) for work in (write, load, read, read)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]
        assert len(answered) > 20, "or nothing was tried"
        assert len(evicted) > 5, "or nothing left memory"
