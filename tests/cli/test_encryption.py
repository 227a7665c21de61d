"""`mnemic encryption`: from a plain data directory to an encrypted one, and to another master key."""

from __future__ import annotations

import stat

import pytest


@pytest.fixture
def key_file(run, tmp_path):
    path = tmp_path / "master.key"
    assert run("encryption", "generate-key", str(path)).code == 0
    return path


def holds(directory, text):
    return any(text.encode() in path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_a_key_is_for_its_owner_alone_and_is_never_overwritten(run, key_file):
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    before = key_file.read_text()
    again = run("encryption", "generate-key", str(key_file))
    assert (again.code, key_file.read_text()) == (2, before)
    assert "is there already" in again.err
    printed = run("encryption", "generate-key").lines[0]
    assert printed.startswith("mnemic-master-1:")
    assert printed != before.strip()


def test_a_plain_directory_is_encrypted_and_works_on(run, key_file, tmp_path, monkeypatch):
    run("add", "the otter sleeps holding hands", "--user", "ann")
    assert run("encryption", "status", "--json").document["state"] == "off"
    assert holds(tmp_path / "data", "the otter sleeps")
    monkeypatch.setenv("MNEMIC_ENCRYPTION__KEY_FILE", str(key_file))
    refused = run("list", "--user", "ann")
    assert refused.code != 0
    assert "mnemic encryption enable" in refused.err
    enabled = run("encryption", "enable")
    assert enabled.out == "encrypted 2 versions and vectors; nothing plain is left\n"
    assert not holds(tmp_path / "data", "the otter sleeps")
    status = run("encryption", "status", "--json").document
    assert (status["state"], status["encrypted_versions"], status["plain_versions"]) == ("on", 1, 0)
    assert "the otter sleeps" in run("search", "otter", "--user", "ann").out
    assert run("doctor", "--json").document["ok"]
    monkeypatch.delenv("MNEMIC_ENCRYPTION__KEY_FILE")
    ill = run("doctor", "--json").document
    assert not ill["ok"]
    assert [check for check in ill["checks"] if "the settings name no master key" in check["found"]]


def test_a_rotation_leaves_only_the_new_key(run, key_file, tmp_path, monkeypatch):
    monkeypatch.setenv("MNEMIC_ENCRYPTION__KEY_FILE", str(key_file))
    run("add", "the otter sleeps holding hands", "--user", "ann")
    second = tmp_path / "second.key"
    run("encryption", "generate-key", str(second))
    rotated = run("encryption", "rotate", "--new-key-file", str(second))
    assert rotated.code == 0
    assert "only the new master key opens the store now" in rotated.out
    old = run("list", "--user", "ann")
    assert old.code != 0
    assert "is encrypted under the master key local:" in old.err
    again = run("encryption", "rotate", "--new-key-file", str(second))
    assert "is under this master key already" in again.err
    monkeypatch.setenv("MNEMIC_ENCRYPTION__KEY_FILE", str(second))
    assert "the otter sleeps" in run("list", "--user", "ann").out


def test_what_cannot_be_is_said(run, tmp_path, monkeypatch):
    assert "name no master key" in run("encryption", "enable").err
    assert "give one of" in run("encryption", "rotate").err
    assert "is not encrypted" in run("encryption", "rotate", "--new-key-file", "x").err
    assert "holds no store" in run("encryption", "status").err
    monkeypatch.setenv("MNEMIC_ENCRYPTION__KEY_FILE", str(tmp_path / "absent"))
    assert "encryption.key_file: " in run("add", "x", "--user", "ann").err
    monkeypatch.delenv("MNEMIC_ENCRYPTION__KEY_FILE")
    monkeypatch.setenv("MNEMIC_ENCRYPTION__KEY", "no key at all")
    refused = run("add", "x", "--user", "ann")
    assert "encryption.key: holds no master key" in refused.err
    assert "no key at all" not in refused.err
    monkeypatch.setenv("MNEMIC_ENCRYPTION__KEY_FILE", str(tmp_path / "absent"))
    assert "a store has one master key" in run("add", "x", "--user", "ann").err
