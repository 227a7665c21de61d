"""Backups: of one revision whatever goes on, whole or not there, and the same store again when they are restored."""

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mnemic.engine.backups import Backups
from mnemic.engine.engine import Engine
from mnemic.engine.settings import BackupSettings, load_settings
from mnemic.model.backup import Backup, BackupDestination, BackupProgress
from mnemic.model.deadline import Deadline
from mnemic.model.erasure import ErasureRequest, ErasureTarget
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest
from mnemic.store.backup_files import files_of, verify_backup
from mnemic.store.restoring import restore_backup

USER = Scope(user_id="u")
SERVER, STREAM = BackupDestination.SERVER, BackupDestination.STREAM
REQUEST_ID = "5f3b8d0e-6c1f-4e0b-9d52-4b8f3a7c2e61"


@pytest.fixture
def kept(tmp_path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def settings(tmp_path, kept):
    return load_settings(data_directory=tmp_path / "data", embedding={"provider": "static"}, backup={"directory": kept})


def add(engine, *texts):
    engine.add("t", USER, [MemoryInput(body=text) for text in texts])


def made(engine, destination=SERVER, **options) -> Backup:
    *_, backup = engine.backups.create(destination, caller="t", **options)
    return backup


def quietly(_done, _total):
    pass


def put_back(path, directory, **options):
    options = {"replace": False, "despite_erasures": False} | options
    return restore_backup(path, directory, quietly, **options)


def texts(engine):
    request = SearchRequest(scope=USER, query="text", match=ScopeMatch.EXACT, top_k=1000)
    return sorted(hit.body for hit in engine.search("t", request).hits)


def opened(directory):
    return Engine.open(load_settings(data_directory=directory, embedding={"provider": "static"}))


def test_a_backup_is_verified_and_restored(engine, kept, tmp_path):
    add(engine, *(f"text {number}" for number in range(300)))
    backup = made(engine, name="first")
    assert (backup.name, backup.memory_count, backup.revision) == ("first", 300, engine.revision())
    assert verify_backup(kept / "first.db", quietly) == verify_backup(kept / "first", quietly) == backup
    add(engine, "text after it")
    assert put_back(kept / "first.json", tmp_path / "again") == backup
    with opened(tmp_path / "again") as again:
        assert texts(again) == sorted(f"text {number}" for number in range(300))
        assert again.revision() == backup.revision
        assert again.check() == []
        add(again, "text that goes on")
    assert (tmp_path / "again" / "mnemic.db").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in kept.iterdir()) == ["first.db", "first.json"]


def test_writers_go_on_and_the_backup_is_of_one_commit(engine, kept, tmp_path):
    add(engine, *("text " + "x" * 8000 for _ in range(900)))
    stop, written = threading.Event(), []

    def write():
        while not stop.is_set():
            # Both or neither, in one commit.
            engine.add("t", Scope(user_id="w"), [MemoryInput(body=f"left {len(written)}"), MemoryInput(body="right")])
            written.append(None)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = []
        for step in engine.backups.create(SERVER, caller="t", name="busy"):
            counts.append(len(written))
            if isinstance(step, BackupProgress) and step.done_bytes:
                assert step.done_bytes <= step.total_bytes
    finally:
        stop.set()
        writer.join()
    assert counts[-1] > counts[0], "nothing was written meanwhile"
    backup = verify_backup(kept / "busy", quietly)
    assert backup.revision < engine.revision()
    put_back(kept / "busy", tmp_path / "again")
    with opened(tmp_path / "again") as again:
        assert again.check() == []
        assert again.stats("t").store.memories == backup.memory_count == 900 + 2 * (backup.revision - 1)


def test_a_backup_is_streamed(engine, kept, tmp_path):
    add(engine, "text")
    *steps, backup = engine.backups.create(STREAM, caller="t")
    data = b"".join(step for step in steps if isinstance(step, bytes))
    assert len(data) == backup.byte_count
    assert data.startswith(b"SQLite format 3")
    assert engine.backups.list_backups().backups == ()
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("destination", [SERVER, STREAM])
def test_a_backup_that_is_given_up_leaves_nothing(engine, kept, tmp_path, destination):
    add(engine, "text")
    steps = engine.backups.create(destination, caller="t")
    next(steps)
    steps.close()
    assert not list(tmp_path.rglob("*.part"))
    assert made(engine)


def test_one_backup_is_made_at_a_time(engine):
    steps = engine.backups.create(SERVER, caller="t")
    next(steps)
    with pytest.raises(MnemicError) as refused:
        made(engine)
    assert refused.value.reason is Reason.OVERLOADED
    steps.close()


def test_what_a_killed_process_left_is_gone_at_the_next_start(settings, kept):
    kept.mkdir()
    (kept / ".backup.part").write_bytes(b"somebody's secret")
    with Engine.open(settings, pull_missing_model=True):
        assert list(kept.iterdir()) == []


def test_backups_are_listed_latest_first_in_pages(engine, kept):
    names = [made(engine, name=name).name for name in ("b", "a", "c")]
    (kept / "broken.json").write_text("{}")
    (kept / "broken.db").write_text("")
    page = engine.backups.list_backups(size=2)
    assert [backup.name for backup in page.backups] == names[:0:-1]
    rest = engine.backups.list_backups(size=2, token=page.next_page_token)
    assert ([backup.name for backup in rest.backups], rest.next_page_token) == (["b"], "")


def test_a_retry_makes_no_second_backup(engine):
    first = made(engine, request_id=REQUEST_ID)
    assert list(engine.backups.create(SERVER, caller="t", request_id=REQUEST_ID)) == [first]
    with pytest.raises(MnemicError) as refused:
        made(engine, name="other", request_id=REQUEST_ID)
    assert refused.value.reason is Reason.REQUEST_ID_REUSED


@pytest.mark.parametrize("name", [".hidden", "a/b", "..", "x" * 129, "a b"])
def test_a_name_leads_nowhere_else(engine, name):
    with pytest.raises(MnemicError) as refused:
        made(engine, name=name)
    assert refused.value.violations[0].field == "backup_name"


def test_a_name_is_used_once(engine):
    made(engine, name="x")
    with pytest.raises(MnemicError, match="is there already"):
        made(engine, name="x")


def test_without_a_directory_backups_are_only_streamed(engine):
    backups = Backups(engine._store, BackupSettings(), engine._index.commit)
    with pytest.raises(MnemicError, match=r"backup\.directory is not set"):
        backups.create(SERVER, caller="t")
    *_, backup = backups.create(STREAM, caller="t")
    assert backup.revision == 0
    assert backups.list_backups().backups == ()


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)


def cut(path, _):
    path.write_bytes(path.read_bytes()[:-1])


def drop(path, _):
    path.unlink()


@pytest.mark.parametrize(("damage", "position"), [(flip, 100), (flip, 9000), (flip, -1), (cut, 0), (drop, 0)])
def test_a_damaged_backup_is_not_restored_and_nothing_is_touched(engine, kept, tmp_path, damage, position):
    add(engine, *(f"text {number}" for number in range(100)))
    made(engine, name="x")
    database, manifest = files_of(kept / "x")
    damage(database, position)
    for act in (
        lambda: verify_backup(database, quietly),
        lambda: put_back(database, tmp_path / "again"),
    ):
        with pytest.raises(MnemicError) as refused:
            act()
        assert refused.value.reason in {Reason.CORRUPT_DATA, Reason.STORE_UNAVAILABLE}
    assert not (tmp_path / "again" / "mnemic.db").exists()
    assert not list(tmp_path.rglob("*.restoring"))
    manifest.write_text("{}")
    with pytest.raises(MnemicError, match="no manifest"):
        verify_backup(database, quietly)


def test_what_is_there_is_replaced_only_if_said_and_never_while_it_is_open(engine, kept, settings):
    add(engine, "text one")
    made(engine, name="x")
    add(engine, "text two")
    with pytest.raises(MnemicError) as refused:
        put_back(kept / "x", settings.data_directory, replace=True)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    engine.close()
    with pytest.raises(MnemicError, match="is there already"):
        put_back(kept / "x", settings.data_directory)
    put_back(kept / "x", settings.data_directory, replace=True)
    with Engine.open(settings) as again:
        assert texts(again) == ["text one"]
        assert again.check() == []


def test_a_log_that_was_left_is_no_part_of_what_is_restored(settings, kept, tmp_path):
    with Engine.open(settings, pull_missing_model=True) as engine:
        add(engine, "text one")
        made(engine, name="x")
        add(engine, *(f"text later {number}" for number in range(50)))
        # What a process that is killed leaves: a log that holds commits.
        data = {name: (settings.data_directory / name).read_bytes() for name in ("mnemic.db", "mnemic.db-wal")}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name, content in data.items():
        (elsewhere / name).write_bytes(content)
    put_back(kept / "x", elsewhere, replace=True)
    with opened(elsewhere) as again:
        assert texts(again) == ["text one"]


def test_what_was_erased_since_does_not_come_back_unsaid(engine, kept, settings):
    add(engine, "text one")
    backup = made(engine, name="x")
    request = ErasureRequest(target=ErasureTarget(scope=USER))
    engine.erasure.erase("t", request, deadline=Deadline.after(30.0))
    engine.close()
    with pytest.raises(MnemicError, match="1 erasures happened after"):
        put_back(kept / "x", settings.data_directory, replace=True)
    with Engine.open(settings) as again:
        assert texts(again) == []
    assert put_back(kept / "x", settings.data_directory, replace=True, despite_erasures=True) == backup
    # Erased again before anything was served.
    with Engine.open(settings) as again:
        assert texts(again) == []


def test_a_full_disk_is_told_and_leaves_nothing(engine, monkeypatch, kept, tmp_path):
    add(engine, "text")

    def full(_source, _target, progress):
        progress(0, 1)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("mnemic.store.copying._copy", full)
    with pytest.raises(MnemicError, match="disk is full") as refused:
        made(engine)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert list(kept.iterdir()) == []


def test_a_manifest_says_what_the_answer_says(engine, kept):
    backup = made(engine, name="x")
    [listed] = engine.backups.list_backups().backups
    assert listed == replace(backup, create_time_micros=listed.create_time_micros) == backup


def test_a_backup_of_an_encrypted_store_holds_no_key_and_no_text(tmp_path):
    from mnemic.store.sealing_masters import new_master_key

    key = new_master_key()
    there = {"embedding": {"provider": "static"}, "encryption": {"key": key}}
    settings = load_settings(data_directory=tmp_path / "data", **there)
    with Engine.open(settings, pull_missing_model=True) as engine:
        add(engine, "text of a secret plan")
        *steps, backup = engine.backups.create(STREAM, caller="t")
    data = b"".join(step for step in steps if isinstance(step, bytes))
    assert backup.encrypted
    assert b"secret plan" not in data
    assert b"wrapping_keys" not in data
