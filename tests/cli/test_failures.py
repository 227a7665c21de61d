"""A failure is one line, a hint where one helps, and an exit code; never a traceback."""

import os
import subprocess
import sys

import pytest

from mnemic.cli import backend
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings

BAD_INPUT = [
    (["add", "x"], "scope: at least one", "--user"),
    (["add", " ", "--user", "u"], "memories[0].body: is empty", ""),
    (["add", "--user", "u"], "Missing argument", "mnemic add --help"),
    (["add", "x", "--user", "u", "--role", "king"], "--role: 'king' is unknown", "assistant"),
    (["add", "x", "--user", "u", "--event-time", "soon"], "--event-time: 'soon' is no time", "ISO 8601"),
    (["add", "x", "--user", "u", "--metadata", "nothing"], "'nothing' is not KEY=VALUE", "topic=food"),
    (["add", "x", "--user", "u", "--metadata", "a=1", "--metadata", "a=2"], "'a' is given twice", ""),
    (["add", "-", "-", "--user", "u"], "- is given twice", ""),
    (["search", "x"], "scope: at least one", "--user"),
    (["search", " ", "--user", "u"], "query: is empty", ""),
    (["search", "x", "--user", "u", "--top-k", "0"], "top_k: is 0", ""),
    (["search", "x", "--user", "u", "--top-k", "many"], "'--top-k'", "mnemic search --help"),
    (["search", "x", "--user", "u", "--filter", "{"], "--filter: ", '{"topic": "food"}'),
    (["search", "x", "--user", "u", "--filter", "[]"], "no JSON object", ""),
    (["search", "x", "--user", "u", "--filter", '{"a": {"near": 1}}'], "'near' is no operator", ""),
    (["search", "x", "--user", "u", "--match", "all"], "--match: 'all' is unknown", "visible"),
    (["search", "x", "--user", "u", "--weight", "vector"], "'vector' is not SIGNAL=N", "lexical"),
    (["search", "x", "--user", "u", "--weight", "vector=big"], "'big' is no number", ""),
    (["search", "x", "--user", "u", "--profile", "magic"], "profile: 'magic' is unknown", ""),
    (["get", "nonsense"], "memory_id: 'nonsense' is not a memory id", ""),
    (["list", "--user", "u", "--page-token", "nonsense"], "page_token", ""),
    (["list", "--user", "u", "--page-size", "-1"], "page_size: is -1", ""),
    (["update", "00000000-0000-7000-8000-000000000000"], "nothing to change", "TEXT"),
    (["search", "x", "--server", "h:1", "--embedding", "static"], "exclude each other", ""),
    (["models", "pull", "gpt"], "'gpt' cannot be pulled", ""),
    (["nonsense"], "No such command", "mnemic --help"),
    (["list", "--nonsense"], "No such option", "mnemic list --help"),
]


@pytest.mark.parametrize(("arguments", "message", "hint"), BAD_INPUT, ids=lambda value: " ".join(value)[:60])
def test_bad_input_says_what_and_ends_with_2(run, arguments, message, hint):
    outcome = run(*arguments)
    assert outcome.code == 2
    error, *hints = outcome.err.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert len(hints) <= 1
    assert all(line.startswith("hint: ") for line in hints)
    assert hint in "".join(hints)
    assert outcome.out == ""


def test_what_is_not_there_ends_with_1(run):
    outcome = run("get", "00000000-0000-7000-8000-000000000000")
    assert outcome.code == 1
    assert outcome.err.startswith("error: no memory")


def test_a_server_that_is_not_there_is_named_with_how_to_start_it(run):
    outcome = run("stats", "--server", "127.0.0.1:1")
    assert outcome.code == 1
    assert "cannot reach a server at 127.0.0.1:1" in outcome.err
    assert "hint: `mnemic serve --address 127.0.0.1:1`" in outcome.err


def test_a_directory_in_use_names_the_server_that_has_it(run, tmp_path):
    settings = load_settings(data_directory=tmp_path / "data", embedding={"provider": "static"})
    with Engine.open(settings) as engine:
        engine.announce("127.0.0.1:50999")
        outcome = run("list", "--user", "u")
    assert outcome.code == 1
    assert "is in use by" in outcome.err
    assert "hint: a server is running on it: use --server 127.0.0.1:50999" in outcome.err


def test_flags_win_over_the_environment(run, monkeypatch, tmp_path):
    monkeypatch.setenv("MNEMIC_ADDRESS", "127.0.0.1:1")
    assert run("stats").code == 1
    assert run("stats", "--data-directory", str(tmp_path / "mine")).code == 0


def test_a_model_that_is_missing_is_said_with_the_command_that_installs_it(run, monkeypatch, tmp_path):
    monkeypatch.setenv("MNEMIC_MODELS_DIRECTORY", str(tmp_path / "none"))
    outcome = run("list", "--user", "u")
    assert outcome.code == 1
    assert "mnemic models pull static" in outcome.err
    assert not (tmp_path / "data").exists()


def test_a_bad_setting_is_named(run, tmp_path):
    config = tmp_path / "mnemic.toml"
    config.write_text("[limits]\nbody_bites = 3\n")
    outcome = run("list", "--user", "u", "--config", str(config))
    assert outcome.code == 2
    assert "limits.body_bites" in outcome.err


@pytest.mark.parametrize("flags", [[], ["--debug"]])
def test_a_defect_is_reported_without_its_traceback_unless_asked(run, monkeypatch, flags):
    def broken(*_):
        raise ZeroDivisionError("no\nsense")

    monkeypatch.setattr(backend, "directory_settings", broken)
    outcome = run(*flags, "stats")
    assert outcome.code == 1
    assert "error: unexpected ZeroDivisionError: no sense" in outcome.err
    assert ("Traceback" in outcome.err) is bool(flags)


def test_a_closed_pipe_is_no_drama():
    command = [sys.executable, "-m", "mnemic.cli", "models", "list"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert "Traceback" not in done.stderr
