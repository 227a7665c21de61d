"""The audit log by commands: export it, and follow its hashes."""

import json
import sqlite3

import pytest

from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.server.server import MnemicServer


@pytest.fixture
def audited(run, tmp_path, monkeypatch):
    """A directory whose server entered three writes; the address while it serves."""
    directory = tmp_path / "data"
    settings = load_settings(data_directory=directory, embedding={"provider": "static"}, audit={"writes": True})
    serving = ServerSettings(address="127.0.0.1:0", log_level="error")
    with Engine.open(settings) as engine, MnemicServer(engine, serving) as server:
        monkeypatch.setenv("MNEMIC_ADDRESS", server.address)
        for number in range(3):
            assert run("add", f"text {number}", "--user", "u1").code == 0
        yield directory


def test_the_log_of_a_server_is_exported_and_verified(run, audited, tmp_path):
    file = tmp_path / "audit.jsonl"
    assert run("audit", "export", str(file)).out == "exported 3 entries\n"
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert [entry["method"].rpartition("/")[2] for entry in entries] == ["AddMemories"] * 3
    sound = run("audit", "verify", "--json").document
    # Reading the log is entered, too.
    assert sound["entries"] == 4
    again = run("audit", "verify", str(file), "--json").document
    assert (again["entries"], again["last_hash"]) == (3, entries[-1]["entryHash"])
    assert run("audit", "verify", "--last-hash", entries[-1]["entryHash"]).code == 0
    assert run("audit", "export", "-", "--after", "2").out.count("\n") >= 2


def test_a_changed_log_is_found(run, audited, tmp_path):
    file = tmp_path / "audit.jsonl"
    run("audit", "export", str(file))
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[1].replace('"memoryCount": 1', '"memoryCount": 2'), lines[2]]))
    outcome = run("audit", "verify", str(file))
    assert outcome.code != 0
    assert "entry 2 is not what was entered" in outcome.err
    file.write_text("\n".join(lines[:2]))
    cut = run("audit", "verify", str(file), "--last-hash", json.loads(lines[2])["entryHash"])
    assert cut.code != 0
    assert "its end was cut off" in cut.err
    file.write_text("no entry")
    assert "line 1 of" in run("audit", "verify", str(file)).err


def test_whoever_changes_the_database_is_found(run, audited, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    run("backup", "create", "x", "--output", str(tmp_path / "kept"))
    monkeypatch.delenv("MNEMIC_ADDRESS")
    elsewhere = ("--data-directory", str(copy))
    assert run("backup", "restore", str(tmp_path / "kept" / "x.db"), *elsewhere).code == 0
    assert run("audit", "verify", *elsewhere).code == 0
    with sqlite3.connect(copy / "mnemic.db") as connection:
        connection.execute("DROP TRIGGER audit_entries_no_update")
        connection.execute("UPDATE audit_entries SET principal = 'somebody else' WHERE sequence = 2")
    outcome = run("audit", "verify", *elsewhere)
    assert outcome.code != 0
    assert "entry 2 is not what was entered" in outcome.err


def test_what_is_done_on_a_data_directory_without_a_server_is_entered(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MNEMIC_AUDIT__WRITES", "true")
    for number in range(3):
        run("add", f"text {number}", "--user", "u1")
    exported = tmp_path / "all.jsonl"
    assert run("export", str(exported)).code == 0
    assert run("import", str(exported)).code == 0
    assert run("retention", "run").code == 0
    assert run("backup", "create", "x", "--output", str(tmp_path / "kept")).code == 0
    assert run("erase", "--user", "u1", "--yes").code == 0
    assert run("erase", "--user", "u1", "--dry-run").code == 0
    assert run("erase", "--memory", "018f0000-0000-7000-8000-000000000000", "--yes").code != 0
    lines = [json.loads(line) for line in run("audit", "export", "-").out.splitlines()]
    assert [(entry["method"], entry["action"].removeprefix("AUDIT_ACTION_"), entry["code"]) for entry in lines] == [
        ("mnemic export", "READ", 0),
        ("mnemic import", "WRITE", 0),
        ("mnemic retention run", "ADMINISTER", 0),
        ("mnemic backup create", "ADMINISTER", 0),
        ("mnemic erase", "ERASE", 0),
        ("mnemic erase", "ERASE", 5),
    ]
    assert {entry["principal"] for entry in lines} == {"local command"}
    assert lines[4]["scopeHashes"][0]
    assert run("audit", "verify").code == 0


def test_nothing_is_entered_of_commands_unless_it_is_asked_for(run):
    run("add", "text", "--user", "u1")
    assert run("erase", "--user", "u1", "--yes").code == 0
    assert run("audit", "export", "-").out == ""
