"""The audit log: a chain for each tenant to which can only be added, entered with what it tells of."""

import sqlite3
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemic.engine.auditing import Audit
from mnemic.engine.engine import Engine
from mnemic.engine.settings import AuditSettings, load_settings
from mnemic.model.audit import (
    CURRENT_NOTE,
    NO_HASH,
    AuditAction,
    AuditEntry,
    AuditNote,
    BrokenChainError,
    scope_hashes,
    verify_chain,
)
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.retention import RetentionPolicy
from mnemic.model.scope import Scope

USER = Scope(user_id="anna@example.org")


@pytest.fixture
def settings(tmp_path):
    return load_settings(
        data_directory=tmp_path / "data", embedding={"provider": "static"}, audit={"writes": True, "reads": True}
    )


def note(action=AuditAction.WRITE, tenant="t", **more):
    return AuditNote(tenant=tenant, principal="key-1", action=action, method="/m", call_id="c1", **more)


@pytest.fixture
def called():
    """Carries out work as a call of the server does."""

    def run(work, **more):
        current = note(**more)
        CURRENT_NOTE.set(current)
        try:
            return work(), current
        finally:
            CURRENT_NOTE.set(None)

    return run


def log_of(engine, tenant="t", **more):
    return [entry for entries in engine.audit.entries(tenant, **more) for entry in entries]


def test_a_commit_has_its_entry_in_its_own_transaction(engine, called):
    added, current = called(lambda: engine.add("t", USER, [MemoryInput(body="x"), MemoryInput(body="y")]))
    assert current.is_entered
    engine.audit.enter(current, 0)
    [entry] = log_of(engine)
    ids = [item.memory_id for item in added.memories]
    assert (entry.sequence, entry.principal, entry.action, entry.code) == (1, "key-1", AuditAction.WRITE, 0)
    assert (list(entry.memory_ids), entry.memory_count, entry.revision) == (ids, 2, added.revision)
    assert entry.previous_hash == NO_HASH
    _, current = called(lambda: engine.delete("t", ids[0]))
    [_, second] = log_of(engine)
    assert (second.memory_ids, second.previous_hash) == ((ids[0],), entry.entry_hash)
    assert verify_chain(log_of(engine)).last_sequence == 2


def test_what_is_not_committed_is_not_entered_as_if_it_was(engine, called, monkeypatch):
    def broken(*_arguments):
        raise MnemicError(Reason.STORE_UNAVAILABLE, "the disk is full")

    monkeypatch.setattr("mnemic.store.auditing.enter", broken)
    with pytest.raises(MnemicError, match="the disk is full"):
        called(lambda: engine.add("t", USER, [MemoryInput(body="x")]))
    assert engine.stats("t").store.memories == 0


def test_the_log_holds_no_text_and_no_id_of_a_person(engine, settings, called):
    called(lambda: engine.add("t", USER, [MemoryInput(body="a secret plan")]))
    with sqlite3.connect(settings.data_directory / "mnemic.db") as connection:
        rows = repr(connection.execute("SELECT * FROM audit_entries").fetchall())
    assert "anna" not in rows
    assert "secret" not in rows
    [entry] = log_of(engine)
    called(lambda: engine.add("t", USER, [MemoryInput(body="y")]))
    called(lambda: engine.add("t2", USER, [MemoryInput(body="y")]), tenant="t2")
    assert entry.scope_hashes[0] == log_of(engine)[1].scope_hashes[0] != ""
    assert entry.scope_hashes[1:] == ("", "", "")
    assert log_of(engine, "t2")[0].scope_hashes[0] != entry.scope_hashes[0], "salts are the tenant's own"


def test_a_change_without_a_commit_is_entered_before_the_answer_and_reads_soon(engine):
    engine.audit.enter(note(AuditAction.ADMINISTER), 0)
    assert [entry.action for entry in log_of(engine)] == [AuditAction.ADMINISTER]
    engine.audit.enter(note(AuditAction.READ, memory_ids=["a", "b"]), 0)
    engine.audit.enter(note(AuditAction.WRITE), 7)
    engine.audit.flush()
    assert [(entry.action, entry.code, entry.memory_count) for entry in log_of(engine)[1:]] == [
        (AuditAction.READ, 0, 2),
        (AuditAction.WRITE, 7, 0),
    ]
    verify_chain(log_of(engine))


def test_what_waits_is_entered_at_the_end(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        for _ in range(1200):
            engine.audit.enter(note(AuditAction.READ), 0)
    with Engine.open(settings) as again:
        assert verify_chain(log_of(again)).entries == 1200


def test_many_at_once_make_one_chain_each(engine):
    def work(tenant):
        for _ in range(50):
            engine.audit.enter(note(AuditAction.ADMINISTER, tenant), 0)

    threads = [threading.Thread(target=work, args=(tenant,)) for tenant in ("a", "b", "a")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify_chain(log_of(engine, "a")).entries == 100
    assert verify_chain(log_of(engine, "b")).entries == 50


def test_an_entry_can_neither_be_changed_nor_removed(engine, settings):
    engine.audit.enter(note(AuditAction.ADMINISTER), 0)
    engine.close()
    with sqlite3.connect(settings.data_directory / "mnemic.db") as connection:
        for statement in ("UPDATE audit_entries SET principal = 'x'", "DELETE FROM audit_entries"):
            with pytest.raises(sqlite3.IntegrityError, match="can only be added to"):
                connection.execute(statement)


def chained(count):
    previous, entries = NO_HASH, []
    for sequence in range(1, count + 1):
        entry = AuditEntry(
            sequence=sequence,
            event_time_micros=sequence,
            principal="p",
            action=AuditAction.WRITE,
            method="/m",
            code=0,
            scope_hashes=scope_hashes(b"s" * 32, USER),
            memory_ids=("a",),
            memory_count=1,
            revision=sequence,
            call_id=f"c{sequence}",
            previous_hash=previous,
        )
        previous = entry.expected_hash()
        entries.append(replace(entry, entry_hash=previous))
    return entries


CHANGES = [
    {"principal": "other"},
    {"action": AuditAction.READ},
    {"event_time_micros": 0},
    {"memory_ids": ()},
    {"scope_hashes": ()},
    {"code": 1},
    {"revision": 99},
    {"call_id": ""},
    {"method": "/x"},
    {"memory_count": 2},
    {"entry_hash": b"x" * 32},
    {"previous_hash": b"x" * 32},
]


@given(st.integers(0, 4), st.sampled_from(CHANGES))
def test_any_change_of_an_entry_is_found(position, changes):
    entries = chained(5)
    entries[position] = replace(entries[position], **changes)
    with pytest.raises(BrokenChainError):
        verify_chain(entries)


@given(st.integers(0, 4))
def test_an_entry_that_is_missing_or_moved_is_found(position):
    entries = chained(6)
    missing = entries[:position] + entries[position + 1 :]
    if position:
        with pytest.raises(BrokenChainError):
            verify_chain(missing)
    entries[position], entries[position + 1] = entries[position + 1], entries[position]
    with pytest.raises(BrokenChainError):
        verify_chain(entries)


def test_a_part_of_a_log_can_be_verified():
    state = verify_chain(chained(5)[2:])
    assert (state.entries, state.last_sequence, state.last_hash) == (3, 5, chained(5)[-1].entry_hash)
    assert verify_chain([]).last_hash == NO_HASH


def test_entries_are_chosen_by_number_and_time(engine, monkeypatch):
    monkeypatch.setattr("mnemic.engine.auditing._PAGE", 3)
    for _ in range(8):
        engine.audit.enter(note(AuditAction.ADMINISTER), 0)
    everything = log_of(engine)
    assert [entry.sequence for entry in everything] == list(range(1, 9))
    assert log_of(engine, after=5) == everything[5:]
    start, end = everything[2].event_time_micros, everything[6].event_time_micros
    between = [entry for entry in everything if start <= entry.event_time_micros < end]
    assert log_of(engine, start_micros=start, end_micros=end) == between
    with pytest.raises(MnemicError):
        log_of(engine, after=-1)
    with pytest.raises(MnemicError):
        log_of(engine, follow=True, heartbeat_seconds=0.5)


def test_who_follows_is_told_what_comes_and_that_nothing_does(engine, monkeypatch):
    monkeypatch.setattr("mnemic.engine.auditing._LEAST_HEARTBEAT_SECONDS", 0.0)
    followed = engine.audit.entries("t", follow=True, heartbeat_seconds=0.01)
    assert next(followed) == []
    engine.audit.enter(note(AuditAction.ADMINISTER), 0)
    assert [entry.sequence for entry in next(entries for entries in followed if entries)] == [1]


@pytest.mark.parametrize(
    ("settings_of", "is_guarded", "expected"),
    [
        (AuditSettings(), False, (False, False)),
        (AuditSettings(), True, (True, False)),
        (AuditSettings(writes=False), True, (False, False)),
        (AuditSettings(writes=True, reads=True), False, (True, True)),
    ],
)
def test_writes_are_entered_where_callers_are_known_unless_said(engine, settings_of, is_guarded, expected):
    audit = Audit(engine._store, settings_of, is_guarded=is_guarded)
    assert (audit.wants(AuditAction.ERASE), audit.wants(AuditAction.READ)) == expected
    audit.stop()


def test_what_the_server_begins_by_itself_is_entered(engine):
    [memory] = engine.add("t", USER, [MemoryInput(body="x", event_time_micros=1)]).memories
    policy = RetentionPolicy(policy_id="p", max_age_micros=1, archive_period_micros=0)
    engine.retention.set_policy("t", policy)
    engine.retention._schedule.look(10**17)
    run = engine.retention.run("t").run
    while not run.has_ended:
        run = engine.retention.find_run("t", run.run_id, wait_seconds=10)
    scheduled, erased = log_of(engine)
    assert (scheduled.principal, scheduled.action, scheduled.method) == ("schedule", AuditAction.AUTOMATIC, "retention")
    assert (erased.principal, erased.action, erased.code) == ("system", AuditAction.ERASE, 0)
    assert erased.memory_ids == (memory.memory_id,)
    verify_chain(log_of(engine))


def test_work_that_is_no_call_is_entered_as_one(engine):
    with engine.audit.entering("t", "local command", AuditAction.WRITE, "mnemic import", scope=USER):
        added = engine.add("t", USER, [MemoryInput(body="x")])
    with engine.audit.entering("t", "local command", AuditAction.ERASE, "mnemic erase"):
        pass
    with pytest.raises(MnemicError), engine.audit.entering("t", "local command", AuditAction.ERASE, "mnemic erase"):
        raise MnemicError(Reason.LEGAL_HOLD, "held")
    with pytest.raises(KeyboardInterrupt), engine.audit.entering("t", "local command", AuditAction.WRITE, "x"):
        raise KeyboardInterrupt
    assert CURRENT_NOTE.get() is None
    engine.audit.flush()
    entries = log_of(engine)
    # With its commit, and once.
    assert (entries[0].method, entries[0].revision) == ("mnemic import", added.revision)
    assert [entry.code for entry in entries] == [0, 0, 9, 1]


def test_nothing_is_answered_that_cannot_be_entered(engine, monkeypatch):
    monkeypatch.setattr("mnemic.engine.auditing._ROOM_SECONDS", 0.01)
    monkeypatch.setattr("mnemic.engine.auditing._RETRY_SECONDS", 0.01)
    monkeypatch.setattr("mnemic.engine.auditing._WAITING", 1)
    audit = Audit(engine._store, AuditSettings(writes=True, reads=True), is_guarded=True)
    refusing = threading.Event()
    refusing.set()
    enter = engine._store.enter

    def sometimes(tenant, events):
        if refusing.is_set():
            raise MnemicError(Reason.STORE_UNAVAILABLE, "the disk is full")
        enter(tenant, events)

    monkeypatch.setattr(engine._store, "enter", sometimes)

    def flood():
        for _ in range(1000):
            audit.enter(note(AuditAction.READ), 0)

    with pytest.raises(MnemicError) as refused:
        flood()
    assert refused.value.reason is Reason.OVERLOADED
    refusing.clear()
    audit.flush()
    audit.stop()
    assert log_of(engine)


def test_facts_that_are_drawn_are_entered_as_the_systems_own(engine):
    from mnemic.model.requests import AddMode, WaitFor

    message = [MemoryInput(body="I live in Porto.")]
    engine.add("t", USER, message, mode=AddMode.LOCAL, wait=WaitFor.EXTRACTED)
    automatic = [entry for entry in log_of(engine) if entry.action is AuditAction.AUTOMATIC]
    assert [(entry.principal, entry.method) for entry in automatic] == [("system", "extraction")]
