"""`serve`, `doctor`, `models`, `reembed` and `version`."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mnemic.embedding.install import resolve_models_directory
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import DEFAULT_TENANT, Scope
from mnemic.store.sqlite import open_sqlite

MNEMIC = [sys.executable, "-m", "mnemic.cli"]


@contextlib.contextmanager
def serving(*flags, env=None):
    """A server process; its address and the process."""
    process = subprocess.Popen(
        [*MNEMIC, "serve", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    try:
        line = process.stdout.readline()
        ready = re.fullmatch(r"mnemic serving on (\S+)\n", line)
        assert ready, line + process.stderr.read()
        yield ready[1], process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def command(*arguments, env=None):
    return subprocess.run(
        [*MNEMIC, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {})},
    )


def test_a_server_is_started_fed_searched_and_stopped(tmp_path):
    with serving("--address", "127.0.0.1:0") as (address, process):
        added = command("add", "The parrot is called Kiwi", "--user", "u1", "--server", address)
        assert added.returncode == 0, added.stderr
        found = command("search", "parrot", "--user", "u1", "--json", env={"MNEMIC_ADDRESS": address})
        assert [hit["body"] for hit in json.loads(found.stdout)["hits"]] == ["The parrot is called Kiwi"]
        refused = command("list", "--user", "u1")
        assert refused.returncode == 1
        assert "is in use" in refused.stderr
        assert "--server" in refused.stderr.splitlines()[-1]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out == ""
    assert str(tmp_path / "data") in err
    assert "no authentication; open to this machine only" in err
    directly = command("list", "--user", "u1", "--json")
    assert [memory["body"] for memory in json.loads(directly.stdout)["memories"]] == ["The parrot is called Kiwi"]


def test_settings_come_from_file_environment_and_flags(tmp_path):
    config = tmp_path / "mnemic.toml"
    config.write_text('[server]\naddress = "127.0.0.1:1"\nlog_format = "console"\nlog_level = "error"\n')
    flags = ["--config", str(config), "--address", "127.0.0.1:0", "--log-format", "json"]
    with serving(*flags, env={"MNEMIC_SERVER__LOG_LEVEL": "info"}) as (_, process):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    logged = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert "serving" in [entry["event"] for entry in logged]


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.168.0.7:50551", "example.org:50551"])
def test_an_address_that_others_reach_is_refused(run, address):
    outcome = run("serve", "--address", address)
    assert outcome.code == 2
    assert f"--address: {address} can be reached from other machines" in outcome.err
    assert "--insecure-public" in outcome.err


def test_the_refusal_can_be_overruled():
    with serving("--address", "0.0.0.0:0", "--insecure-public") as (_, process):
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert "EVERYONE WHO REACHES" in err


def test_an_address_in_use_is_one_line(server):
    done = command("serve", "--address", server)
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert f"cannot listen on {server}" in errors[0]
    assert "Traceback" not in done.stderr


def test_a_missing_model_is_not_fetched_when_that_is_forbidden(run, monkeypatch, tmp_path):
    monkeypatch.setenv("MNEMIC_MODELS_DIRECTORY", str(tmp_path / "none"))
    outcome = run("serve", "--no-pull", "--address", "127.0.0.1:0")
    assert outcome.code == 1
    assert "mnemic models pull static" in outcome.err


def levels(outcome):
    return {check["name"]: check["level"] for check in outcome.document["checks"]}


def hint_of(outcome, name):
    return next(check["hint"] for check in outcome.document["checks"] if check["name"] == name)


def test_doctor_finds_a_sound_directory_sound(run):
    run("add", "a", "b", "--user", "u1")
    outcome = run("doctor", "--json")
    assert outcome.code == 0
    assert outcome.document["ok"] is True
    names = ["mnemic", "Python", "SQLite", "grpcio", "onnxruntime", "core", "SIMD", "model", "tokenizers"]
    assert [*names, "data directory", "store", "vectors", "snapshots", "index"] == list(levels(outcome))
    assert set(levels(outcome).values()) - {"warn"} == {"ok"}
    found = {check["name"]: check["found"] for check in outcome.document["checks"]}
    assert "2 rows in 1 partition" in found["index"]
    assert "in use; this CPU can run" in found["SIMD"]
    assert "static-wordllama" in found["model"]
    assert found["tokenizers"].startswith("static, ")


def test_doctor_reads_the_tokenizers_of_the_settings(run, tmp_path, monkeypatch):
    (tmp_path / "none.json").write_text("{}")
    monkeypatch.setenv("MNEMIC_COMPOSING__TOKENIZERS", json.dumps({"mine": str(tmp_path / "none.json")}))
    outcome = run("doctor", "--json")
    assert (outcome.code, levels(outcome)["tokenizers"]) == (1, "fail")
    assert "composing.tokenizers" in hint_of(outcome, "tokenizers")


def test_doctor_makes_no_directory(run, tmp_path):
    outcome = run("doctor", "--json")
    assert outcome.code == 0
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("address", ["10.0.0.1:50999", "unix:/nowhere/s", ""])
def test_doctor_says_who_has_the_directory(run, tmp_path, address):
    settings = load_settings(data_directory=tmp_path / "data", embedding={"provider": "static"})
    with Engine.open(settings) as engine:
        engine.announce(address)
        outcome = run("doctor", "--json")
    assert outcome.code == 0
    assert levels(outcome)["data directory"] == "warn"
    assert (f"--server {address}" if address else "stop the other process") in hint_of(outcome, "data directory")
    assert "server" not in levels(outcome), "a credential goes to no other machine unasked"


def test_doctor_asks_the_server_that_has_the_directory(run, tmp_path):
    settings = load_settings(data_directory=tmp_path / "data", embedding={"provider": "static"})
    with Engine.open(settings) as engine:
        engine.announce("127.0.0.1:1")
        outcome = run("doctor", "--json")
    assert outcome.code == 1
    assert levels(outcome)["data directory"] == "warn"
    assert "--server 127.0.0.1:1" in hint_of(outcome, "data directory")
    assert levels(outcome)["server"] == "fail"


def test_doctor_fails_with_a_hint_when_the_model_is_missing(run, monkeypatch, tmp_path):
    run("add", "a", "--user", "u1")
    monkeypatch.setenv("MNEMIC_MODELS_DIRECTORY", str(tmp_path / "none"))
    outcome = run("doctor", "--json")
    assert outcome.code == 1
    assert levels(outcome)["model"] == "fail"
    assert hint_of(outcome, "model") == "mnemic models pull static"
    assert levels(outcome)["store"] == "ok"
    plain = run("doctor")
    assert plain.code == 1
    assert "hint: mnemic models pull static" in plain.out


def test_doctor_finds_damage(run, tmp_path):
    run("add", *(f"text number {number} " * 50 for number in range(200)), "--user", "u1")
    database = tmp_path / "data" / "mnemic.db"
    content = bytearray(database.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8192] = b"\xa5" * 8192
    database.write_bytes(content)
    outcome = run("doctor", "--json")
    assert outcome.code == 1
    assert "fail" in {levels(outcome).get("store"), levels(outcome).get("data directory"), levels(outcome).get("index")}


def test_doctor_asks_a_server(run, server):
    outcome = run("doctor", "--server", server, "--json")
    assert outcome.code == 0
    assert levels(outcome)["server"] == "ok"
    gone = run("doctor", "--server", "127.0.0.1:1", "--json")
    assert gone.code == 1
    assert levels(gone)["server"] == "fail"
    assert "mnemic serve --address 127.0.0.1:1" in hint_of(gone, "server")


class OtherModel:
    """A provider whose vectors no other model's may be compared with."""

    identity, dimension, is_local = "other:1", 8, True

    def embed(self, texts, *, timeout_seconds=None):
        return np.full((len(texts), 8), 8**-0.5, dtype=np.float32)

    def close(self):
        pass


def test_reembed_migrates_to_the_model_of_the_settings(run, tmp_path):
    settings = load_settings(data_directory=tmp_path / "data", embedding={"provider": "static"})
    with Engine(settings, open_sqlite(settings.data_directory), OtherModel()) as engine:
        engine.add(DEFAULT_TENANT, Scope(user_id="u1"), [MemoryInput(body=f"text {number}") for number in range(300)])
    refused = run("search", "text", "--user", "u1")
    assert refused.code == 1
    assert "other:1" in refused.err
    assert "mnemic reembed" in refused.err
    checked = run("doctor", "--json")
    assert (checked.code, levels(checked)["vectors"]) == (1, "fail")
    assert hint_of(checked, "vectors") == "mnemic reembed --embedding static"
    done = run("reembed", "--json").document
    assert done["embedded"] == 300
    assert done["dropped"] == ["other:1"]
    assert run("search", "text 7", "--user", "u1", "--top-k", "1", "--json").document["hits"][0]["body"] == "text 7"
    again = run("reembed")
    assert again.out.startswith("embedded 0 versions; static-wordllama")
    assert run("doctor").code == 0


def test_how_far_a_change_of_the_model_is_can_be_asked_of_a_directory_in_use(run, tmp_path, server):
    settings = load_settings(data_directory=tmp_path / "data", embedding={"provider": "static"})
    with Engine(settings, open_sqlite(settings.data_directory), OtherModel()) as engine:
        engine.add(DEFAULT_TENANT, Scope(user_id="u1"), [MemoryInput(body="one")])
        engine._store.begin_filling("static:1", 256, time.time_ns() // 1000)
        asked = run("reembed", "--status", "--json").document
    assert (asked["state"], asked["active_model"], asked["target_model"]) == ("running", "other:1", "static:1")
    assert (asked["done"], asked["total"]) == (0, 1)
    stopped = run("reembed", "--status")
    assert stopped.out.startswith("pending: static:1 has 0 of 1 version, 0.0%")
    assert run("reembed", "--status", "--server", server, "--json").document["state"] == "done"
    assert run("reembed", "--server", server).code == 2


def test_models_are_listed_with_their_state(run, monkeypatch, tmp_path):
    found = {model["name"]: model for model in run("models", "list", "--json").document["models"]}
    assert found["static"]["state"] == "installed"
    assert found["static"]["licence"] == "MIT"
    elsewhere = run("models", "list", "--models-directory", str(tmp_path), "--json").document["models"]
    assert {model["state"] for model in elsewhere} == {"not_installed"}


def test_a_model_is_installed_from_a_directory(run, tmp_path):
    published = resolve_models_directory() / "static"
    target = tmp_path / "models"
    outcome = run("models", "pull", "static", "--from", str(published), "--models-directory", str(target))
    assert outcome.code == 0, outcome.err
    assert outcome.lines == [str(target / "static")]
    assert "static is installed" in outcome.err
    quiet = run("models", "pull", "static", "--models-directory", str(target), "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


def test_a_damaged_model_is_said_to_be_damaged(run, tmp_path):
    published = resolve_models_directory() / "static"
    run("models", "pull", "static", "--from", str(published), "--models-directory", str(tmp_path))
    weights = next((tmp_path / "static").glob("*.safetensors"))
    weights.chmod(0o600)
    weights.write_bytes(b"not weights")
    found = run("models", "list", "--models-directory", str(tmp_path), "--json").document["models"]
    assert {model["name"]: model["state"] for model in found}["static"] == "damaged"


def test_a_directory_without_the_files_is_refused(run, tmp_path):
    outcome = run("models", "pull", "static", "--from", str(tmp_path), "--models-directory", str(tmp_path / "m"))
    assert outcome.code == 1
    assert "no source has the files" in outcome.err
    assert run("models", "pull", "static", "--from", str(tmp_path / "none")).code == 2


def test_version(run):
    assert re.fullmatch(r"mnemic \S+\n", run("version").out)
    assert list(run("version", "--json").document) == ["version"]


def test_commands_start_quickly():
    begin = time.perf_counter()
    assert command("--help").returncode == 0
    # 0.2 s on an idle core; the bound leaves room for a busy machine and still catches a heavy import.
    assert time.perf_counter() - begin < 2.0
