"""The index is derived: restarted, dropped or rebuilt it answers the same."""

import random
import threading

import pytest

from mnemic.engine.engine import Engine
from mnemic.engine.reembedding import reembed
from mnemic.engine.settings import load_settings
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.requests import MemoryUpdate
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest
from mnemic.store.sqlite import open_sqlite

TEXTS = [
    "Ana moved to Porto in September",
    "Ben keeps two dogs, Milo and Otto",
    "The booking code is QX7-4410",
    "They argued about the rent of 1,250 euros",
    "Milo ate the red shoes",
]
QUERIES = ["where does Ana live", "Milo", "QX7-4410", "how much is the rent", "shoes"]


def fill(engine):
    for number in range(60):
        scope = Scope(user_id=f"u{number % 3}", session_id=f"s{number % 4}" if number % 2 else None)
        engine.add("t", scope, [MemoryInput(body=f"{text} ({number})", name="Ana") for text in TEXTS])
    listed = engine.search("t", SearchRequest(scope=Scope(user_id="u1"), query="Milo", match=ScopeMatch.EXACT)).hits
    engine.delete("t", listed[0].memory_id)
    engine.update("t", listed[1].memory_id, MemoryUpdate(fields=frozenset({"body"}), body="Milo is a cat after all"))


def answers(engine):
    found = []
    for user in ("u0", "u1", "u2"):
        for match in (ScopeMatch.VISIBLE, ScopeMatch.EXACT):
            for query in QUERIES:
                request = SearchRequest(scope=Scope(user_id=user), match=match, query=query, top_k=20, separate=True)
                hits = engine.search("t", request).hits
                found.append([(hit.memory, round(hit.score, 5)) for hit in hits])
    return found


def test_a_restart_gives_the_same_answers(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        fill(engine)
        before, revision = answers(engine), engine.revision()
    with Engine.open(settings) as engine:
        assert answers(engine) == before
        assert engine.revision() == revision
        assert engine.check() == []


def test_a_dropped_index_is_rebuilt_equal(engine):
    fill(engine)
    before = answers(engine)
    engine.drop_index()
    assert engine.stats().index.rows == 0
    assert answers(engine) == before


def test_a_partition_larger_than_one_read_is_rebuilt_equal(engine):
    scope = Scope(user_id="u")
    for part in range(3):
        added = engine.add("t", scope, [MemoryInput(body=f"note {part} {number}") for number in range(900)])
        changed = added.memories[number := 17 * part].memory_id
        engine.update("t", changed, MemoryUpdate(fields=frozenset({"body"}), body=f"changed {part} {number}"))
        engine.delete("t", added.memories[500].memory_id)
    queries = ["note 1 500", "changed 2 34", "note 0 0", "note 2 899"]

    def found(query, **more):
        hits = engine.search("t", SearchRequest(scope=scope, query=query, top_k=50, separate=True, **more)).hits
        return [(hit.memory, round(hit.score, 5)) for hit in hits]

    before = [found(query, include_superseded=ended) for query in queries for ended in (False, True)]
    engine.drop_index()
    assert [found(query, include_superseded=ended) for query in queries for ended in (False, True)] == before
    assert engine.check() == []


def test_an_index_over_its_budget_gives_up_what_was_not_used_the_longest(settings):
    small = settings.model_copy(update={"limits": settings.limits.model_copy(update={"index_bytes": 1024 * 1024})})
    with Engine.open(small, pull_missing_model=True) as engine:
        for user in range(12):
            items = [MemoryInput(body=f"user {user} note {number}") for number in range(120)]
            engine.add("t", Scope(user_id=f"u{user}"), items)
        for user in range(12):
            request = SearchRequest(scope=Scope(user_id=f"u{user}"), query=f"user {user} note 7", profile="lexical")
            assert engine.search("t", request).hits[0].body == f"user {user} note 7"
        held = engine.stats().index
        assert 0 < held.partitions < 12
        assert held.bytes < 2 * 1024 * 1024
        everything = SearchRequest(scope=Scope(), match=ScopeMatch.TENANT, query="note 7", top_k=1000, separate=True)
        # A search that needs more than the budget has it.
        assert engine.search("t", everything).considered == 12 * 120
        assert engine.check() == []


def test_evictions_under_load_hide_nothing(settings):
    small = settings.model_copy(update={"limits": settings.limits.model_copy(update={"index_bytes": 1024 * 1024})})
    failures = []

    def work(engine, worker):
        chance = random.Random(worker)
        try:
            for number in range(120):
                user = Scope(user_id=f"u{chance.randrange(8)}")
                word = f"word{worker}x{number}"
                memory_id = (
                    engine.add("t", user, [MemoryInput(body=f"{word} {'padding ' * 200}")]).memories[0].memory_id
                )
                found = engine.search("t", SearchRequest(scope=user, query=word)).hits
                if found[0].memory_id != memory_id:
                    failures.append((worker, number))
        except BaseException as error:
            failures.append(error)
            raise

    with Engine.open(small, pull_missing_model=True) as engine:
        threads = [threading.Thread(target=work, args=(engine, worker)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert engine.stats().index.bytes < 2 * 1024 * 1024
        assert engine.check() == []


def test_strangers_cost_no_memory(engine):
    fill(engine)
    answers(engine)
    held = engine.stats().index.partitions
    for number in range(100):
        engine.search("t", SearchRequest(scope=Scope(user_id=f"stranger {number}"), query="Milo"))
    assert engine.stats().index.partitions == held


def test_a_second_engine_on_the_same_directory_is_refused(engine, settings):
    with pytest.raises(MnemicError) as refused:
        Engine.open(settings)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE


class OtherModel:
    """A provider whose vectors differ from the static model's, for migrations."""

    identity = "other:1"
    dimension = 32
    is_local = True

    def __init__(self, inner, fail_after=None):
        self.inner = inner
        self.calls = 0
        self.fail_after = fail_after

    def embed(self, texts, *, timeout_seconds=None):
        self.calls += 1
        if self.fail_after is not None and self.calls > self.fail_after:
            raise MnemicError(Reason.EMBEDDING_UNAVAILABLE, "gone")
        vectors = self.inner.embed(texts)[:, : self.dimension]
        return vectors / (vectors**2).sum(axis=1, keepdims=True) ** 0.5

    def close(self):
        pass


def test_a_changed_model_is_refused_and_reembed_migrates(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        fill(engine)
        static = engine._provider
        store = engine._store
        with pytest.raises(MnemicError) as refused:
            Engine(settings, store, OtherModel(static))
        assert refused.value.reason is Reason.MODEL_MISMATCH
        assert "mnemic reembed" in refused.value.message
        versions = engine.stats().store.versions
    store = open_sqlite(settings.data_directory)
    with pytest.raises(MnemicError):
        reembed(store, OtherModel(static, fail_after=0))
    assert [model.identity for model in store.models() if model.active] == [static.identity]
    seen = []
    report = reembed(store, OtherModel(static), lambda done, total: seen.append((done, total)))
    assert report.dropped == (static.identity,)
    assert seen[-1][0] == seen[-1][1] == report.embedded
    # The versions of deleted memories need no vector.
    assert report.embedded == versions - 1
    with Engine(settings, store, OtherModel(static)) as engine:
        assert engine.check() == []
        assert engine.search("t", SearchRequest(scope=Scope(user_id="u0"), query="QX7-4410")).hits


def test_an_interrupted_reembed_goes_on_where_it_ended(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        static = engine._provider
        for _ in range(6):
            engine.add("t", Scope(user_id="u"), [MemoryInput(body=f"text {number}") for number in range(100)])
    store = open_sqlite(settings.data_directory)
    with pytest.raises(MnemicError):
        reembed(store, OtherModel(static, fail_after=1))
    left = store.count_without_vector("other:1")
    assert 0 < left < 600
    assert reembed(store, OtherModel(static)).embedded == left
    store.close()


def test_a_provider_that_is_away_delays_meaning_and_loses_nothing(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        inner = engine._provider

    class Remote(OtherModel):
        is_local = False
        away = True

        def embed(self, texts, *, timeout_seconds=None):
            if self.away:
                raise MnemicError(Reason.EMBEDDING_UNAVAILABLE, "no network")
            return super().embed(texts)

    remote = Remote(inner)
    fresh = load_settings(data_directory=settings.data_directory / "remote", embedding={"provider": "static"})
    with Engine(fresh, open_sqlite(fresh.data_directory), remote) as engine:
        engine._catch_up.stop()
        added = engine.add("t", Scope(user_id="u"), [MemoryInput(body="Milo ate the red shoes")])
        assert added.memories[0].embedding_pending
        result = engine.search("t", SearchRequest(scope=Scope(user_id="u"), query="shoes"))
        assert result.vector_skipped
        assert [hit.body for hit in result.hits] == ["Milo ate the red shoes"]
        remote.away = False
        assert engine._catch_up.work_once() == 1
        result = engine.search("t", SearchRequest(scope=Scope(user_id="u"), query="shoes", explain=True))
        assert result.hits[0].score_parts["vector"].raw > 0
        assert engine.check() == []


def test_settings_name_what_is_wrong(tmp_path):
    config = tmp_path / "mnemic.toml"
    config.write_text("[server]\nmax_workrs = 3\n")
    with pytest.raises(MnemicError) as refused:
        load_settings(config=config)
    assert "server.max_workrs" in refused.value.message
    config.write_text("[server]\nmax_workers = 3\n[limits]\nbody_bytes = 100\n")
    loaded = load_settings(config=config, limits={"query_bytes": 50})
    assert (loaded.server.max_workers, loaded.limits.body_bytes, loaded.limits.query_bytes) == (3, 100, 50)
