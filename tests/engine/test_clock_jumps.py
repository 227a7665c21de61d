"""The machine's clock is set back, and forward, while Mnemic works: nothing is lost, hidden or left behind."""

from __future__ import annotations

import time

import pytest

from mnemic.engine.engine import Engine
from mnemic.model.erasure import ErasureRequest, ErasureTarget
from mnemic.model.memory import MemoryInput, MemoryKind
from mnemic.model.operations import OperationState
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.retention import RetentionPolicy
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest

TENANT = "default"
ANN = Scope(user_id="ann")
REQUEST = "0b5a9d2e-7a54-4f0e-9d55-0d8a3c1f2b6e"
HOUR = 3600 * 1_000_000_000


class Clock:
    """What every part of the process takes for the time."""

    def __init__(self, monkeypatch):
        self.ahead = 0
        now_ns, now = time.time_ns, time.time
        monkeypatch.setattr(time, "time_ns", lambda: now_ns() + self.ahead)
        monkeypatch.setattr(time, "time", lambda: now() + self.ahead / 1e9)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def add(engine: Engine, body: str, **fields) -> str:
    return engine.add(TENANT, ANN, [MemoryInput(body=body, **fields)]).memories[0].memory_id


def found(engine: Engine, query: str) -> set[str]:
    request = SearchRequest(scope=ANN, query=query, separate=True)
    return {hit.memory.body for hit in engine.search(TENANT, request).hits}


def listed(engine: Engine) -> set[str]:
    return {memory.body for memory in engine.list_memories(TENANT, ListRequest(scope=ANN)).memories}


@pytest.mark.parametrize("jump", [-5 * HOUR, -30 * 24 * HOUR, 5 * HOUR], ids=["back", "a month back", "forward"])
def test_what_is_written_around_a_jump_is_found_and_orders_as_it_came(engine, clock, jump):
    first = add(engine, "the heron stands in the reeds")
    clock.ahead = jump
    assert listed(engine) == found(engine, "heron") == {"the heron stands in the reeds"}
    second = add(engine, "the heron has a nest")
    assert first < second
    changed = engine.update(TENANT, first, MemoryUpdate(fields=frozenset({"body"}), body="the heron flies")).memory
    assert listed(engine) == found(engine, "heron") == {"the heron flies", "the heron has a nest"}
    assert changed.version == 2
    engine.delete(TENANT, second)
    assert listed(engine) == {"the heron flies"}
    engine.restore(TENANT, second)
    clock.ahead = 0
    assert listed(engine) == found(engine, "heron") == {"the heron flies", "the heron has a nest"}
    assert [entry.memory.version for entry in engine.history(TENANT, first)] == [1, 2]
    assert engine.check() == []


def test_what_holds_goes_by_the_times_that_are_told(engine, clock):
    """A statement without a time counts as said when the clock says; one that has its time does not ask the clock."""
    day = 24 * 3600 * 1_000_000
    first = time.time_ns() // 1000 - 9 * day
    home = {"kind": MemoryKind.FACT, "slot": "ann.home"}
    add(engine, "Ann lives in Oslo", slot_value="Oslo", event_time_micros=first, **home)
    clock.ahead = -5 * HOUR
    add(engine, "Ann lives in Porto", slot_value="Porto", event_time_micros=first + day, **home)
    assert listed(engine) == {"Ann lives in Porto"}
    clock.ahead = 0
    assert listed(engine) == {"Ann lives in Porto"}
    assert engine.check() == []


def test_a_repetition_is_told_from_a_new_request(engine, clock):
    once = engine.add(TENANT, ANN, [MemoryInput(body="said once")], request_id=REQUEST)
    clock.ahead = -5 * HOUR
    again = engine.add(TENANT, ANN, [MemoryInput(body="said once")], request_id=REQUEST)
    assert again.replayed
    assert again.memories[0].memory_id == once.memories[0].memory_id


def test_retention_and_erasure_end_and_leave_nothing(engine, clock):
    for number in range(20):
        add(engine, f"day {number}")
    clock.ahead = -5 * HOUR
    engine.retention.set_policy(TENANT, RetentionPolicy(policy_id="p", max_memories_per_scope=8))
    run = engine.retention.find_run(TENANT, engine.retention.run(TENANT).run.run_id, wait_seconds=30)
    assert (run.state, run.report.removed_count, len(listed(engine))) == (OperationState.DONE, 12, 8)
    clock.ahead = -10 * HOUR
    erasure = engine.erasure.erase(TENANT, ErasureRequest(target=ErasureTarget(scope=ANN))).erasure
    assert erasure.state is OperationState.DONE
    assert listed(engine) == set()
    assert engine.retention.archived(TENANT, Scope(), ScopeMatch.TENANT).memories == ()
    assert engine.check() == []
