"""Retention in the store: what goes is what the definition says, pins and holds never do, budgets hold, and what a
preview shows is what a run removes, however it is cut into frames and commits.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from retaining_support import Known, Reference
from store_support import ENCRYPTION, add, change, memory_of, restore

from mnemic.model.filters import Comparison, Operator
from mnemic.model.memory import Memory, MemoryKind
from mnemic.model.operations import OperationState
from mnemic.model.retention import (
    DAY_MICROS,
    LegalHold,
    RetentionCause,
    RetentionPolicy,
    RetentionScoreWeights,
)
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store import retaining_selection
from mnemic.store.interface import Mutation, VersionWrite, WriteBatch
from mnemic.store.retaining import Archiving, Candidate, Cursor, Frame, RunRecord, Selection, Stage
from mnemic.store.sqlite import SqliteStore, open_sqlite
from mnemic.store.standing import Standing

NOW = 1_000 * DAY_MICROS
TENANT = "t"
SCOPES = (Scope(user_id="ann"), Scope(user_id="ann", session_id="s1"), Scope(user_id="bob", session_id="s2"))

days = st.integers(0, 90)
fractions = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


@st.composite
def memories(draw) -> list[Known]:
    """Memories of a few scopes, in the order in which they were added; some are superseded, some were recalled."""
    found = []
    for number, age in enumerate(sorted(draw(st.lists(days, min_size=1, max_size=12)), reverse=True)):
        moment = NOW - age * DAY_MICROS
        memory = memory_of(
            # Facts of a scope that say the same would be one.
            draw(st.text(alphabet="aä", max_size=5)) + chr(ord("b") + number),
            draw(st.sampled_from(SCOPES)),
            now=moment,
            kind=draw(st.sampled_from([MemoryKind.MESSAGE, MemoryKind.FACT])),
            importance=draw(fractions),
            confidence=draw(fractions),
            pinned=draw(st.integers(0, 4)) == 0,
            categories=tuple(draw(st.lists(st.sampled_from(["a", "b", 'x","a']), max_size=2, unique=True))),
            event_time_micros=draw(st.none() | days.map(lambda age: NOW - age * DAY_MICROS)),
            expire_time_micros=draw(st.none() | st.integers(-5, 5).map(lambda day: NOW + day * DAY_MICROS)),
        )
        known = Known(memory)
        if draw(st.booleans()):
            last = NOW - draw(st.integers(0, age)) * DAY_MICROS
            known.recalls = (draw(st.integers(1, 9)), last)
        if draw(st.integers(0, 3)) == 0:
            known.superseded_at = NOW - draw(st.integers(0, age)) * DAY_MICROS
        found.append(known)
    return found


spans = st.none() | st.integers(1, 60).map(lambda day: day * DAY_MICROS)


@st.composite
def policies(draw) -> list[RetentionPolicy]:
    return [
        RetentionPolicy(
            policy_id=policy_id,
            scope=draw(st.sampled_from([Scope(), Scope(user_id="ann"), Scope(session_id="s1")])),
            kinds=draw(st.sampled_from([(), (MemoryKind.FACT,)])),
            categories=draw(st.sampled_from([(), ("a",), ("a", "b")])),
            max_age_micros=draw(spans),
            max_inactivity_micros=draw(spans),
            superseded_grace_micros=draw(spans),
            session_grace_micros=draw(spans),
            max_memories_per_scope=draw(st.none() | st.integers(1, 4)),
            max_bytes_per_scope=draw(st.none() | st.integers(1, 20)),
            score_weights=RetentionScoreWeights(importance=1.0, use=draw(st.none() | st.just(0.0))),
        )
        for policy_id in draw(st.sampled_from([["p"], ["p", "q"], []]))
    ]


def fill(store, known: list[Known], holds: list[Scope]) -> None:
    for item in known:
        add(store, item.memory, tenant=TENANT, now=item.memory.update_time_micros)
    for number, item in enumerate(known):
        if item.superseded_at is not None:
            # Each has a memory of another owner that superseded it.
            newer = memory_of("newer", Scope(agent_id=f"newer {number}"), now=item.superseded_at)
            standing = Standing(supersedes=(item.memory.memory_id,))
            write = VersionWrite(newer, 1, f"newer {number}", standing=standing)
            store.commit(WriteBatch(tenant=TENANT, inserts=[write], now_micros=item.superseded_at))
    store.retention.note_recalls([(item.memory.memory_id, *item.recalls) for item in known if item.recalls])
    for number, scope in enumerate(holds):
        hold = LegalHold(hold_id=f"{number}", scope=scope, reason="a law", create_time_micros=NOW)
        store.retention.create_hold(TENANT, hold, Mutation(caller=TENANT, now_micros=NOW))


def selection_of(wanted: list[RetentionPolicy], **values) -> Selection:
    return Selection(
        tenant=TENANT,
        scope=Scope(),
        policies=tuple(wanted),
        takes_expired=True,
        reference_micros=NOW,
        **values,
    )


def previewed(store, selection: Selection) -> list[Frame]:
    frames: list[Frame] = []
    store.retention.preview(selection, frames.append)
    return frames


def run_of(store, wanted: list[RetentionPolicy]) -> RunRecord:
    record = RunRecord(
        run_id="run",
        tenant=TENANT,
        state=OperationState.RUNNING,
        selection="[]",
        policies=tuple(wanted),
        takes_expired=True,
        reference_micros=NOW,
        start_micros=NOW,
    )
    return store.retention.begin_run(record, str, Mutation(caller=TENANT, now_micros=NOW))


def carry_out(store, selection: Selection, record: RunRecord, at_once: int) -> list[Candidate]:
    gone: list[Candidate] = []
    cursor = Cursor()
    while cursor.stage in {Stage.LIMITS, Stage.BUDGETS}:
        frame = store.retention.frame(selection, cursor)
        for start in range(0, len(frame.candidates), at_once):
            batch = frame.candidates[start : start + at_once]
            _, went = store.retention.archive(Archiving(TENANT, batch, {}, NOW, lambda _gone: record))
            gone.extend(went)
        cursor = frame.following
    return gone


def reasons(candidates) -> dict[str, tuple[RetentionCause, str]]:
    found = {item.memory_id: (item.cause, item.policy_id) for item in candidates}
    assert len(found) == len(list(candidates))
    return found


@settings(max_examples=40, phases=[Phase.generate])
@given(
    known=memories(),
    wanted=policies(),
    holds=st.lists(st.sampled_from([Scope(user_id="bob"), Scope(session_id="s1")]), max_size=1),
    at_once=st.integers(1, 5),
)
def test_what_goes_is_what_the_definition_says(empty, known, wanted, holds, at_once):
    with fresh_store(empty) as store:
        fill(store, known, holds)
        others = [
            Known(memory)
            for memory in store.list_memories(TENANT, Scope(), ScopeMatch.TENANT, limit=100, now_micros=NOW)
            if memory.scope.agent_id
        ]
        stored = store.get(TENANT, [item.memory.memory_id for item in known])
        for item in known:
            item.memory = stored[item.memory.memory_id]
        expected = Reference(known + others, wanted, NOW, holds).judge()
        selection = selection_of(wanted)
        frames = previewed(store, selection)
        candidates = [item for frame in frames for item in frame.candidates]
        assert reasons(candidates) == expected.gone
        assert sum(frame.examined for frame in frames) == len(known) + len(others)
        assert sum(frame.pinned for frame in frames) == len(expected.pinned)
        assert sum(frame.held for frame in frames) == len(expected.held)

        record = run_of(store, wanted)
        gone = carry_out(store, selection, record, at_once)
        assert reasons(gone) == expected.gone
        everything = [item.memory.memory_id for item in known + others]
        left = store.get(TENANT, everything)
        assert set(everything) - set(left) == set(expected.gone)
        assert_protected_stay(known, left, holds)
        assert_budgets_hold(left.values(), wanted, holds)
        # Nothing is left for a second run.
        assert not [item for frame in previewed(store, selection) for item in frame.candidates]
        assert store.check() == []


def assert_protected_stay(known: list[Known], left: dict[str, Memory], holds: list[Scope]) -> None:
    for item in known:
        if item.memory.pinned or any(hold.selects(item.memory.scope, ScopeMatch.EXACT) for hold in holds):
            assert item.memory.memory_id in left


def assert_budgets_hold(left, wanted: list[RetentionPolicy], holds: list[Scope]) -> None:
    """What a scope keeps is within the budget, or nothing but what is protected."""
    for policy in wanted:
        for scope in SCOPES:
            kept = [
                memory for memory in left if memory.scope == scope and Reference([], [], NOW)._selects(policy, memory)
            ]
            free = [
                memory
                for memory in kept
                if not memory.pinned and not any(hold.selects(scope, ScopeMatch.EXACT) for hold in holds)
            ]
            if free and policy.max_memories_per_scope is not None:
                assert len(kept) <= policy.max_memories_per_scope
            if free and policy.max_bytes_per_scope is not None:
                assert sum(len(memory.body.encode()) for memory in kept) <= policy.max_bytes_per_scope


@contextmanager
def fresh_store(empty: Path) -> Iterator[SqliteStore]:
    """A store of its own for an example, without the migrations of each."""
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(empty, Path(directory) / "data")
        with closing(open_sqlite(Path(directory) / "data")) as store:
            yield store


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    """The directory of a store without anything in it."""
    directory = tmp_path_factory.mktemp("empty") / "data"
    open_sqlite(directory).close()
    return directory


@settings(max_examples=15)
@given(known=memories(), wanted=policies())
def test_frames_of_any_size_find_the_same(empty, known, wanted):
    with fresh_store(empty) as store:
        fill(store, known, [])
        selection = selection_of(wanted)
        whole = reasons([item for frame in previewed(store, selection) for item in frame.candidates])
        with pytest.MonkeyPatch.context() as patch:
            for name, size in (("_MEMORIES_AT_ONCE", 3), ("_SCOPES_AT_ONCE", 2), ("_JUDGED_AT_ONCE", 4)):
                patch.setattr(retaining_selection, name, size)
            frames = previewed(store, selection)
        assert reasons([item for frame in frames for item in frame.candidates]) == whole


def test_a_frame_takes_no_more_scopes_than_it_can_judge(store, monkeypatch):
    monkeypatch.setattr(retaining_selection, "_JUDGED_AT_ONCE", 6)
    for user, count in (("a", 3), ("b", 3), ("c", 9), ("d", 1), ("e", 1)):
        add(store, *(memory_of(f"{user} {number}", Scope(user_id=user)) for number in range(count)))
    frames = previewed(store, selection_of([policy(max_memories_per_scope=1)]))
    # The limits' frame, then of budgets: a and b together, c alone although it has more, d and e, and the end.
    assert [len(frame.candidates) for frame in frames] == [0, 4, 8, 0, 0]


def policy(**limits) -> RetentionPolicy:
    return RetentionPolicy(policy_id="p", **limits)


def ids_of(frames: list[Frame]) -> list[str]:
    return [item.memory_id for frame in frames for item in frame.candidates]


def test_a_filter_narrows_what_a_policy_selects_and_what_its_budget_counts(store):
    kept = [memory_of(f"a {number}", importance=number / 10) for number in range(4)]
    others = [memory_of(f"b {number}") for number in range(3)]
    add(store, *kept, *others)
    only_a = {"p": lambda memory: memory.body.startswith("a")}
    wanted = policy(max_memories_per_scope=2, filter=Comparison("name", Operator.EQUAL, ("",)))
    frames = previewed(store, selection_of([wanted], filters=only_a))
    assert sorted(ids_of(frames)) == sorted(memory.memory_id for memory in kept[:2])


def test_what_changed_since_it_was_found_stays(store):
    old = memory_of("one", now=NOW - 90 * DAY_MICROS)
    held = memory_of("two", Scope(user_id="bob"), now=NOW - 90 * DAY_MICROS)
    add(store, old, held, tenant=TENANT, now=NOW)
    wanted = [policy(max_age_micros=DAY_MICROS)]
    selection = selection_of(wanted)
    found = [item for frame in previewed(store, selection) for item in frame.candidates]
    assert len(found) == 2
    change(store, old, "one again", now=NOW)
    hold = LegalHold(hold_id="h", scope=held.scope, reason="a law", create_time_micros=NOW)
    store.retention.create_hold(TENANT, hold, Mutation(caller=TENANT, now_micros=NOW))
    record = run_of(store, wanted)
    committed, gone = store.retention.archive(Archiving(TENANT, found, {}, NOW, lambda _gone: record))
    assert gone == []
    assert not committed.changes


def test_an_archived_memory_is_listed_restored_and_told_in_its_history(store):
    memory = memory_of("one", now=NOW - 90 * DAY_MICROS)
    add(store, memory, tenant=TENANT, now=NOW)
    wanted = [policy(max_age_micros=DAY_MICROS)]
    record = run_of(store, wanted)
    carry_out(store, selection_of(wanted), record, 10)
    ((_, archived),) = store.retention.archived(TENANT, Scope(), ScopeMatch.TENANT, limit=10)
    assert (archived.memory.body, archived.policy_id, archived.cause) == ("one", "p", RetentionCause.AGE)
    assert archived.erase_time_micros == NOW + 30 * DAY_MICROS
    assert store.retention.due_archived(TENANT, Scope(), NOW, limit=10) == []
    assert store.retention.due_archived(TENANT, Scope(), archived.erase_time_micros, limit=10) == [memory.memory_id]
    assert store.stats(TENANT).archived == 1
    restore(store, memory, now=NOW + 1, tenant=TENANT)
    assert store.retention.archived(TENANT, Scope(), ScopeMatch.TENANT, limit=10) == []
    assert store.retention.due_archived(TENANT, Scope(), archived.erase_time_micros, limit=10) == []
    told = [(entry.change.name, entry.reason) for entry in store.history(TENANT, memory.memory_id)]
    assert told == [("ADDED", ""), ("ARCHIVED", "retention policy p: age"), ("RESTORED", "")]
    assert store.stats(TENANT).archived == 0


def test_a_hold_keeps_an_archived_memory_from_being_due(store):
    memory = memory_of("one", now=NOW - 90 * DAY_MICROS)
    add(store, memory, tenant=TENANT, now=NOW)
    wanted = [policy(max_age_micros=DAY_MICROS)]
    carry_out(store, selection_of(wanted), run_of(store, wanted), 10)
    hold = LegalHold(hold_id="h", scope=memory.scope, reason="a law", create_time_micros=NOW)
    store.retention.create_hold(TENANT, hold, Mutation(caller=TENANT, now_micros=NOW))
    late = NOW + 90 * DAY_MICROS
    assert store.retention.count_due(TENANT, Scope(), late) == 0
    released = dataclasses.replace(hold, release_time_micros=late)
    store.retention.release_hold(TENANT, released, Mutation(caller=TENANT, now_micros=late))
    assert store.retention.count_due(TENANT, Scope(), late) == 1


def test_recalls_add_up_and_what_is_gone_leaves_none(store):
    memory = memory_of("one")
    add(store, memory)
    store.retention.note_recalls([(memory.memory_id, 2, 50), ("00000000-0000-7000-8000-000000000000", 1, 60)])
    store.retention.note_recalls([(memory.memory_id, 3, 40)])
    assert store.retention.recalls([memory.memory_id, "00000000-0000-7000-8000-000000000000"]) == {
        memory.memory_id: (5, 50)
    }


def test_who_has_work(store):
    add(store, memory_of("one", expire_time_micros=NOW), tenant="expiring")
    add(store, memory_of("two"), tenant="quiet")
    store.retention.put_policy(
        "with a policy", policy(max_age_micros=1, version=1), Mutation(caller="with a policy", now_micros=1)
    )
    disabled = policy(max_age_micros=1, version=1, disabled=True)
    store.retention.put_policy(
        "with none that counts", disabled, Mutation(caller="with none that counts", now_micros=1)
    )
    assert store.retention.tenants_at_work(NOW - 1) == ["with a policy"]
    assert store.retention.tenants_at_work(NOW) == ["expiring", "with a policy"]


def test_of_an_encrypted_store_labels_and_sizes_are_known_too(tmp_path):
    with closing(open_sqlite(tmp_path / "data", encryption=ENCRYPTION)) as store:
        kept = memory_of("ääää", categories=("b",), now=NOW)
        others = [memory_of("ä" * size, categories=("a", "b"), now=NOW) for size in (1, 2, 3)]
        add(store, kept, *others, tenant=TENANT, now=NOW)
        wanted = policy(categories=("a",), max_bytes_per_scope=10)
        frames = previewed(store, selection_of([wanted]))
        (candidate,) = [item for frame in frames for item in frame.candidates]
        assert (candidate.memory_id, candidate.body_bytes) == (others[0].memory_id, 2)
        carry_out(store, selection_of([wanted]), run_of(store, [wanted]), 10)
        ((_, archived),) = store.retention.archived(TENANT, Scope(), ScopeMatch.TENANT, limit=10)
        assert archived.memory.body == "ä"
        assert store.check() == []
