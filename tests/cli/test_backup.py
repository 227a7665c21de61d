"""Backups by commands, of a server and of a data directory."""

import pytest


@pytest.mark.parametrize("destination", ["brought", "kept"])
def test_a_backup_is_made_verified_and_restored(run, server, tmp_path, monkeypatch, destination):
    kept = tmp_path / "kept"
    if destination == "brought":
        monkeypatch.setenv("MNEMIC_ADDRESS", server)
        flags = ("--output", str(kept))
    else:
        monkeypatch.setenv("MNEMIC_BACKUP__DIRECTORY", str(kept))
        flags = ()
    run("add", "I moved to Porto", "--user", "u1")
    made = run("backup", "create", "first", *flags)
    assert made.code == 0, made.err
    assert made.out.startswith("backed up 1 memories at revision 1: first, ")
    file = str(kept / "first.db")
    assert run("backup", "verify", file).out == "sound: 1 memories at revision 1\n"
    monkeypatch.delenv("MNEMIC_ADDRESS", raising=False)
    elsewhere = ("--data-directory", str(tmp_path / "again"))
    restored = run("backup", "restore", file, *elsewhere)
    assert restored.code == 0, restored.err
    assert "restored 1 memories of revision 1" in restored.out
    found = run("search", "Where do I live?", "--user", "u1", "--json", *elsewhere).document
    assert found["hits"][0]["body"] == "I moved to Porto"
    refused = run("backup", "restore", file, *elsewhere)
    assert refused.code != 0
    assert "--replace" in refused.err
    assert run("backup", "restore", file, "--replace", "--json", *elsewhere).document["memories"] == 1


def test_backups_are_listed(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MNEMIC_BACKUP__DIRECTORY", str(tmp_path / "kept"))
    assert run("backup", "list", "--json").document == {"backups": []}
    run("add", "x", "--user", "u1")
    name = run("backup", "create", "--json").document["name"]
    assert [backup["name"] for backup in run("backup", "list", "--json").document["backups"]] == [name]
    assert name in run("backup", "list").out


def test_a_damaged_backup_is_named(run, tmp_path):
    run("add", "x", "--user", "u1")
    run("backup", "create", "x", "--output", str(tmp_path / "kept"))
    file = tmp_path / "kept" / "x.db"
    data = bytearray(file.read_bytes())
    data[5000] ^= 1
    file.write_bytes(data)
    outcome = run("backup", "verify", str(file))
    assert outcome.code != 0
    assert "its SHA-256 is" in outcome.err


def test_where_no_backups_are_kept_it_says_what_to_do(run):
    outcome = run("backup", "create")
    assert outcome.code == 2
    assert "backup.directory is not set" in outcome.err
