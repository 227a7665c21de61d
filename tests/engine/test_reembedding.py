"""Changing the embedding model beside a running engine, and what is told of it."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from mnemic.engine import engine as engines
from mnemic.engine import reembedding
from mnemic.engine.engine import Engine
from mnemic.engine.reembedding import reembed, status_of
from mnemic.engine.settings import load_settings
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.operations import OperationState
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest
from mnemic.store.sqlite import look_into, open_sqlite

USER = Scope(user_id="u")


class NextModel:
    """A provider whose vectors no other model's may be compared with."""

    identity, dimension, is_local = "next:1", 8, True

    def __init__(self):
        self.is_away = False
        self.gate = threading.Event()
        self.gate.set()

    def embed(self, texts, *, timeout_seconds=None):
        self.gate.wait(10)
        if self.is_away:
            raise MnemicError(Reason.EMBEDDING_UNAVAILABLE, "the provider is away")
        vectors = np.array([[len(text), *map(ord, text[:7].ljust(7))] for text in texts], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def close(self):
        pass


@pytest.fixture
def settings(tmp_path):
    return load_settings(data_directory=tmp_path / "data", embedding={"provider": "static"})


@pytest.fixture
def following(monkeypatch) -> NextModel:
    """The model that is to come, of every engine that is opened."""
    model = NextModel()
    monkeypatch.setattr(engines, "open_next_model", lambda _settings: lambda: model)
    monkeypatch.setattr(reembedding, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(reembedding, "_IDLE_SECONDS", 0.01)
    return model


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def say(engine: Engine, *texts: str) -> None:
    engine.add("t", USER, [MemoryInput(body=text) for text in texts])


def test_a_model_is_filled_beside_the_calls_and_used_by_the_next_start(settings, following):
    following.gate.clear()
    with Engine.open(settings, pull_missing_model=True) as engine:
        active = engine.stats().model
        say(engine, *(f"text {number}" for number in range(40)))
        eventually(lambda: engine.reembedding.status().total_count == 40)
        status = engine.reembedding.status()
        assert (status.state, status.active_model, status.target_model) == (OperationState.RUNNING, active, "next:1")
        assert status.done_count == 0
        following.gate.set()
        eventually(lambda: engine.reembedding.status().state is OperationState.DONE)
        say(engine, "written since")
        eventually(lambda: engine.reembedding.status().done_count == 41)
        assert engine.search("t", SearchRequest(scope=USER, query="written since")).hits[0].memory.body == (
            "written since"
        )
        assert engine.check() == []
    with Engine(settings, open_sqlite(settings.data_directory), following) as engine:
        assert engine.search("t", SearchRequest(scope=USER, query="text 7")).hits[0].memory.body == "text 7"
        eventually(lambda: [model.identity for model in engine._store.models()] == ["next:1"])
        status = engine.reembedding.status()
        assert (status.state, status.active_model, status.target_model) == (OperationState.DONE, "next:1", "")
        assert (status.done_count, status.total_count) == (41, 41)
        assert status.start_time_micros is not None
        assert engine.check() == []


def test_a_provider_that_is_away_is_told_and_tried_again(settings, following):
    following.is_away = True
    with Engine.open(settings, pull_missing_model=True) as engine:
        say(engine, "one", "two")
        eventually(lambda: engine.reembedding.status().last_error == "the provider is away")
        assert engine.reembedding.status().state is OperationState.RUNNING
        following.is_away = False
        eventually(lambda: engine.reembedding.status().state is OperationState.DONE)
        assert engine.reembedding.status().last_error == ""


def test_a_start_with_a_model_that_has_too_few_vectors_is_refused(settings, following, monkeypatch):
    monkeypatch.setattr(reembedding, "_LEFT_AT_SWITCH", 1)
    following.is_away = True
    with Engine.open(settings, pull_missing_model=True) as engine:
        say(engine, "one", "two")
        eventually(lambda: engine.reembedding.status().last_error != "")
    following.is_away = False
    store = open_sqlite(settings.data_directory)
    with pytest.raises(MnemicError, check=lambda error: error.reason is Reason.MODEL_MISMATCH):
        Engine(settings, store, following)
    monkeypatch.setattr(reembedding, "_LEFT_AT_SWITCH", 2)
    with Engine(settings, store, following) as engine:
        assert engine.reembedding.status().active_model == "next:1"
        assert engine.reembedding.status().done_count == 2


def test_another_process_sees_how_far_it_is(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        say(engine, *(f"text {number}" for number in range(300)))
        active = engine.stats().model
    following = NextModel()
    seen = []

    def look(done: int, _total: int) -> None:
        with look_into(settings.data_directory) as models:
            seen.append((done, status_of(models, is_filling=True)))
        following.is_away = done == 256

    store = open_sqlite(settings.data_directory)
    with pytest.raises(MnemicError):
        reembed(store, following, look)
    assert [(done, status.done_count, status.total_count) for done, status in seen] == [(0, 0, 300), (256, 256, 300)]
    assert {status.state for _, status in seen} == {OperationState.RUNNING}
    cut = status_of(store, is_filling=False)
    assert (cut.state, cut.last_error) == (OperationState.FAILED, "the provider is away")
    assert (cut.active_model, cut.target_model, cut.done_count) == (active, "next:1", 256)
    following.is_away = False
    assert reembed(store, following).embedded == 44
    done = status_of(store, is_filling=False)
    assert (done.state, done.active_model, done.target_model) == (OperationState.DONE, "next:1", "")
    store.close()
