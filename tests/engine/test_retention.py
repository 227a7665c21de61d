"""Retention in the engine: runs that are cut go on, counts stay exact, the index follows, searches are counted."""

from __future__ import annotations

import threading

import pytest

from mnemic.engine import retaining_runs
from mnemic.engine.engine import Engine
from mnemic.engine.retaining_schedule import Schedule
from mnemic.engine.settings import RetentionSettings, load_settings
from mnemic.model.context import ComposeRequest
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput, MemoryKind
from mnemic.model.operations import OperationState
from mnemic.model.retention import LegalHold, RetentionCause, RetentionPolicy
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest

ANN = Scope(user_id="ann")
LONG_AGO = 1_000_000


def fill(engine: Engine, count: int, **fields) -> list[str]:
    inputs = [MemoryInput(body=f"what happened on day {number}", **fields) for number in range(count)]
    return [item.memory_id for item in engine.add("t", ANN, inputs).memories]


def finished(engine: Engine, run_id: str):
    run = engine.retention.find_run("t", run_id, wait_seconds=30)
    assert run.state is OperationState.DONE, run.last_error
    return run


def test_what_is_archived_is_out_of_searches_and_what_is_restored_is_in_again(engine):
    ids = fill(engine, 3, event_time_micros=LONG_AGO)
    engine.retention.set_policy("t", RetentionPolicy(policy_id="p", max_age_micros=1))
    request = SearchRequest(scope=ANN, query="what happened on day 1")
    assert len(engine.search("t", request).hits) == 3
    run = finished(engine, engine.retention.run("t").run.run_id)
    assert run.report.removed_count == 3
    assert engine.search("t", request).hits == ()
    assert engine.stats("t").store.memories == 0
    restored = engine.restore("t", ids[1])
    assert [hit.memory.memory_id for hit in engine.search("t", request).hits] == [ids[1]]
    assert restored.memory.version == 2
    assert engine.check() == []


@pytest.mark.parametrize("policy", [{"max_age_micros": 1}, {"max_memories_per_scope": 1}], ids=["limits", "budgets"])
def test_a_run_that_was_cut_goes_on_and_its_counts_are_exact(settings, monkeypatch, policy):
    monkeypatch.setattr(retaining_runs, "_ARCHIVED_AT_ONCE", (2, 2))
    commits = threading.Semaphore(2)
    archive = retaining_runs._Run._archive

    def cut(self, batch, finished):
        if not commits.acquire(blocking=False):
            # As if the process had ended here.
            self._stopping.set()
            raise MnemicError(Reason.STORE_UNAVAILABLE, "the process ends")
        archive(self, batch, finished)

    with Engine.open(settings, pull_missing_model=True) as engine:
        fill(engine, 9, event_time_micros=LONG_AGO)
        engine.retention.set_policy("t", RetentionPolicy(policy_id="p", **policy))
        expected = engine.retention.preview("t").report
        monkeypatch.setattr(retaining_runs._Run, "_archive", cut)
        run_id = engine.retention.run("t").run.run_id
        engine.retention._runner._stopping.wait(20)
    monkeypatch.setattr(retaining_runs._Run, "_archive", archive)
    with Engine.open(settings) as engine:
        run = finished(engine, run_id)
        assert run.report.removed == expected.removed
        assert run.report.examined_count == expected.examined_count == 9
        assert engine.stats("t").store.archived == expected.removed_count
        assert engine.check() == []


@pytest.mark.parametrize(("seconds", "sizes"), [(1e9, [2, 4, 8, 8, 1]), (0.0, [2] * 11 + [1])], ids=["quick", "slow"])
def test_commits_take_as_many_as_can_be_written_in_their_time(settings, monkeypatch, seconds, sizes):
    monkeypatch.setattr(retaining_runs, "_ARCHIVED_AT_ONCE", (2, 8))
    monkeypatch.setattr(retaining_runs, "_WRITING_SECONDS", seconds)
    archive, seen = retaining_runs._Run._archive, []

    def noted(self, batch, finished):
        seen.append(len(batch))
        archive(self, batch, finished)

    monkeypatch.setattr(retaining_runs._Run, "_archive", noted)
    with Engine.open(settings, pull_missing_model=True) as engine:
        fill(engine, 23, event_time_micros=LONG_AGO)
        engine.retention.set_policy("t", RetentionPolicy(policy_id="p", max_age_micros=1))
        finished(engine, engine.retention.run("t").run.run_id)
    assert seen == sizes


def test_what_expired_by_itself_is_archived_without_a_policy(engine, monkeypatch):
    fill(engine, 1)
    (expiring,) = fill(engine, 1, expire_time_micros=4_000_000_000_000_000)
    late = 4_000_000_000_000_001
    assert engine.retention.preview("t").report.removed == ()
    shown = engine.retention.preview("t", reference_micros=late).report
    assert [(count.policy_id, count.cause) for count in shown.removed] == [("", RetentionCause.EXPIRED)]
    assert [sample.memory.memory_id for sample in shown.samples] == [expiring]
    monkeypatch.setattr("mnemic.engine.retaining._now", lambda: late)
    run = finished(engine, engine.retention.run("t").run.run_id)
    assert run.report.removed == shown.removed


def test_a_run_of_named_policies_takes_nothing_else(engine):
    fill(engine, 2, event_time_micros=LONG_AGO)
    engine.retention.set_policy("t", RetentionPolicy(policy_id="all", max_age_micros=1))
    engine.retention.set_policy("t", RetentionPolicy(policy_id="off", max_memories_per_scope=1, disabled=True))
    named = engine.retention.preview("t", policy_ids=["off"]).report
    assert [(count.policy_id, count.memory_count) for count in named.removed] == [("off", 1)]
    assert [count.policy_id for count in engine.retention.preview("t").report.removed] == ["all"]


def test_what_came_after_a_run_began_is_not_its_business(engine):
    engine.retention.set_policy("t", RetentionPolicy(policy_id="p", max_memories_per_scope=2))
    fill(engine, 4)
    record = engine.retention.run("t").run
    fill(engine, 3)
    finished(engine, record.run_id)
    left = engine.stats("t").store.memories
    assert left >= 2 + 3 - 2
    assert finished(engine, engine.retention.run("t").run.run_id).report is not None
    assert engine.stats("t").store.memories == 2


def test_other_tenants_are_not_touched(engine):
    engine.add("other", ANN, [MemoryInput(body="theirs", event_time_micros=LONG_AGO)])
    fill(engine, 1, event_time_micros=LONG_AGO)
    engine.retention.set_policy("t", RetentionPolicy(policy_id="p", max_age_micros=1))
    run_id = finished(engine, engine.retention.run("t").run.run_id).run_id
    assert engine.stats("other").store.memories == 1
    for ask in (
        lambda: engine.retention.find_run("other", run_id),
        lambda: engine.retention.policy("other", "p"),
    ):
        with pytest.raises(MnemicError) as refused:
            ask()
        assert refused.value.reason is Reason.RESOURCE_NOT_FOUND
    assert engine.retention.archived("other", Scope(), ScopeMatch.TENANT).memories == ()
    hold = engine.retention.hold("t", LegalHold(hold_id="", scope=ANN, reason="a case")).hold
    with pytest.raises(MnemicError):
        engine.retention.release("other", hold.hold_id)


def test_searches_and_contexts_are_counted_and_nothing_else_is(engine):
    ids = fill(engine, 2)
    request = SearchRequest(scope=ANN, query="what happened on day 1", top_k=1)
    engine.search("t", request)
    engine.batch_search("t", [request, request])
    engine.compose("t", ComposeRequest(search=request, token_budget=200))
    engine.get("t", ids[1])
    engine.retention.recalls.take()
    counted = engine.retention._retention.recalls(ids)
    assert sum(count for count, _ in counted.values()) >= 4
    assert counted[ids[1]][0] >= 3
    before = dict(counted)
    engine.retention.recalls.take()
    assert engine.retention._retention.recalls(ids) == before
    assert engine.retention.recalls.figures.counted >= 4


def test_counting_can_be_turned_off(tmp_path):
    off = load_settings(
        data_directory=tmp_path / "data", embedding={"provider": "static"}, retention={"count_recalls": False}
    )
    with Engine.open(off, pull_missing_model=True) as engine:
        ids = fill(engine, 1)
        engine.search("t", SearchRequest(scope=ANN, query="day"))
        engine.retention.recalls.take()
        assert engine.retention._retention.recalls(ids) == {}


def test_what_is_recalled_stays(engine):
    ids = fill(engine, 3)
    engine.retention._retention.note_recalls([(ids[0], 3, 10**18)])
    policy = RetentionPolicy(policy_id="p", max_inactivity_micros=1)
    shown = engine.retention.preview("t", trial_policies=[policy], reference_micros=10**17).report
    assert sorted(sample.memory.memory_id for sample in shown.samples) == sorted(ids[1:])
    budget = RetentionPolicy(policy_id="p", max_memories_per_scope=1)
    shown = engine.retention.preview("t", trial_policies=[budget]).report
    assert ids[0] not in [sample.memory.memory_id for sample in shown.samples]


def test_the_schedule_begins_what_is_due_and_nothing_twice(engine):
    begun = []
    schedule = Schedule(engine._store, RetentionSettings(interval_hours=24), begun.append)
    now = 10**16
    schedule.look(now)
    assert begun == []
    fill(engine, 1)
    engine.retention.set_policy("t", RetentionPolicy(policy_id="p", max_memories_per_scope=5))
    schedule.look(now)
    assert begun == ["t"]
    run = finished(engine, engine.retention.run("t").run.run_id)
    hour = 3_600_000_000
    schedule.look(run.start_time_micros + 23 * hour)
    assert begun == ["t"]
    schedule.look(run.start_time_micros + 24 * hour)
    assert begun == ["t", "t"]
    # A clock that was set back does not stop it.
    schedule.look(run.start_time_micros - hour)
    assert begun == ["t", "t", "t"]


def test_what_rested_long_enough_is_erased_and_what_was_drawn_from_it_stays(engine):
    (message,) = fill(engine, 1, event_time_micros=LONG_AGO)
    fact = MemoryInput(body="she moved to Porto", kind=MemoryKind.FACT, source_ids=(message,))
    (drawn,) = engine.add("t", ANN, [fact]).memories
    messages = RetentionPolicy(
        policy_id="p", kinds=(MemoryKind.MESSAGE,), max_memories_per_scope=1, archive_period_micros=0
    )
    fill(engine, 1)
    engine.retention.set_policy("t", messages)
    assert engine.retention.preview("t").report.archive_erased_count == 1
    run = finished(engine, engine.retention.run("t").run.run_id)
    assert (run.report.removed_count, run.report.archive_erased_count) == (1, 1)
    assert engine.history("t", drawn.memory_id)
    with pytest.raises(MnemicError) as gone:
        engine.history("t", message)
    assert gone.value.reason is Reason.MEMORY_NOT_FOUND
    assert engine.retention.archived("t", Scope(), ScopeMatch.TENANT).memories == ()
    assert engine.check() == []
