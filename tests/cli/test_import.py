"""Importing: everything is checked first, bad lines are named, and doing it again adds nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemic.cli.failures import CommandError
from mnemic.cli.importing import read_line
from mnemic.model.errors import MnemicError
from mnemic.model.memory import Role, TimePrecision
from mnemic.model.scope import Scope


@pytest.fixture
def write(tmp_path):
    def write_lines(*lines):
        path = tmp_path / "import.jsonl"
        encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        path.write_bytes(b"\n".join(encoded) + b"\n")
        return str(path)

    return write_lines


def bodies(mnemic, **ids):
    flags = [part for name, value in ids.items() for part in (f"--{name}", value)]
    memories = mnemic("list", *flags, "--match", "exact", "--all", "--json").document["memories"]
    return [memory["body"] for memory in reversed(memories)]


def test_lines_become_memories_in_their_order(mnemic, write):
    file = write(
        {"body": "one", "role": "user", "name": "Ana", "event_time": "2024-05-07T10:00:00Z"},
        {"text": "two", "role": "assistant", "timestamp": 1715076000, "metadata": {"tags": ["a", "b"], "n": 1}},
        b"",
        {"content": "three", "session_id": "s2", "user_id": "u9"},
    )
    outcome = mnemic("import", file, "--user", "u1", "--session", "s1")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("imported 3 memories; revision ")
    assert bodies(mnemic, user="u1", session="s1") == ["one", "two"]
    assert bodies(mnemic, user="u9", session="s2") == ["three"]
    two = mnemic("list", "--user", "u1", "--session", "s1", "--json").document["memories"][0]
    assert (two["event_time"], two["role"]) == ("2024-05-07T10:00:00Z", "assistant")
    assert two["metadata"] == {"tags": ["a", "b"], "n": 1}


def test_importing_again_adds_nothing(mnemic, write):
    file = write(*({"body": f"text {number}"} for number in range(700)))
    first = mnemic("import", file, "--user", "u1", "--json").document
    again = mnemic("import", file, "--user", "u1", "--json").document
    assert (first["lines"], first["added"], first["already_there"]) == (700, 700, 0)
    assert (again["lines"], again["added"], again["already_there"]) == (700, 0, 700)
    assert bodies(mnemic, user="u1") == [f"text {number}" for number in range(700)]
    assert "700 were already there" in mnemic("import", file, "--user", "u1").out


def test_the_same_file_in_another_scope_is_another_import(mnemic, write):
    file = write({"body": "shared"})
    for user in ("u1", "u2"):
        assert mnemic("import", file, "--user", user, "--json").document["added"] == 1


def test_what_is_appended_to_full_blocks_is_all_that_is_added(mnemic, write):
    lines = [{"body": f"text {number}"} for number in range(512)]
    mnemic("import", write(*lines), "--user", "u1")
    again = mnemic("import", write(*lines, {"body": "new"}), "--user", "u1", "--json").document
    assert (again["added"], again["already_there"]) == (1, 512)


BAD_LINES = [
    (b"{", "it is no JSON"),
    (b"[1]", "it is a JSON list, not an object"),
    (b'{"body": "\xff"}', "it is not UTF-8"),
    (b'{"body": NaN}', "NaN is no JSON number"),
    (b"[" * 100_000, "nested too deeply"),
    ({"role": "user"}, "it has no text"),
    ({"body": "a", "text": "b"}, "it has body and text"),
    ({"body": "  "}, "body is empty"),
    ({"body": 7}, "body is no text"),
    ({"body": "x", "mood": "good"}, "mood"),
    ({"body": "x", "role": "king"}, "role: 'king' is unknown"),
    ({"body": "x", "event_time": "soon"}, "event_time: 'soon' is not a time"),
    ({"body": "x", "timestamp": 1e30}, "lies outside years 1 to 9999"),
    ({"body": "x", "timestamp": True}, "timestamp"),
    ({"body": "x", "user_id": 7}, "user_id is 7; ids are texts"),
    ({"body": "x", "metadata": {"a": None}}, "metadata"),
    ({"body": "x", "metadata": []}, "metadata"),
    ({"body": "x", "session_id": "a", "run_id": "b"}, "both given"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES, ids=lambda value: str(value)[:40])
def test_a_bad_line_is_named_and_nothing_is_imported(run, write, tmp_path, line, reason):
    outcome = run("import", write({"body": "good"}, line), "--user", "u1")
    assert outcome.code == 2
    assert outcome.err.startswith("line 2: ")
    assert reason in outcome.err.splitlines()[0]
    assert "error: 1 line cannot be imported; nothing was" in outcome.err
    assert not (tmp_path / "data").exists()


def test_bad_lines_can_be_skipped(mnemic, write):
    too_long = {"body": "x" * 40_000}
    file = write({"body": "one"}, b"{", {"body": "two"}, too_long, {"body": "three"})
    outcome = mnemic("import", file, "--user", "u1", "--skip-bad")
    assert outcome.code == 0
    assert bodies(mnemic, user="u1") == ["one", "two", "three"]
    assert "imported 3 memories, 2 bad lines skipped" in outcome.out
    assert [line.split(":")[0] for line in outcome.err.splitlines() if line.startswith("line")] == ["line 2", "line 4"]
    again = mnemic("import", file, "--user", "u1", "--skip-bad", "--json").document
    assert (again["added"], again["already_there"], len(again["bad_lines"])) == (0, 3, 2)


def test_a_line_that_only_the_engine_can_refuse_stops_and_is_mended(mnemic, write):
    lines = [{"body": f"text {number}"} for number in range(300)]
    outcome = mnemic("import", write(*lines[:299], {"body": "x" * 40_000}), "--user", "u1")
    assert outcome.code == 2
    assert outcome.err.startswith("line 300: body: is 40000 bytes long")
    assert "stopped at line 300" in outcome.err
    mended = mnemic("import", write(*lines), "--user", "u1", "--json").document
    assert (mended["added"], mended["already_there"]) == (44, 256)
    assert bodies(mnemic, user="u1") == [line["body"] for line in lines]


def test_a_line_needs_a_scope(run, write):
    outcome = run("import", write({"body": "x"}))
    assert outcome.code == 2
    assert "no user_id, agent_id, session_id or app_id" in outcome.err


def test_standard_input_is_imported(run):
    outcome = run("import", "-", "--user", "u1", typed='{"body": "from a pipe"}\n{"body": "without an end of line"}')
    assert outcome.code == 0
    assert bodies(run, user="u1") == ["from a pipe", "without an end of line"]


def test_a_file_that_is_not_there_is_bad_input(run):
    outcome = run("import", "nowhere.jsonl", "--user", "u1")
    assert outcome.code == 2
    assert "cannot read nowhere.jsonl" in outcome.err


def test_an_empty_file_is_nothing(run, write):
    assert run("import", write(), "--user", "u1").out == "imported 0 memories; revision 0\n"


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (1715076000, "seconds"),
        (1715076000_000, "milliseconds"),
        (1715076000_000_000, "microseconds"),
        (1715076000.0, "s"),
    ],
)
def test_numbers_are_times_by_magnitude(number, moment):
    entry = read_line(1, json.dumps({"body": "x", "timestamp": number}).encode(), Scope(user_id="u"))
    assert entry.memory.event_time_micros == 1_715_076_000_000_000


def test_a_line_is_read_whole():
    line = {"body": "x", "role": "tool", "name": "Ana", "timestamp": "2024-05-07", "categories": ["c"], "run_id": "r"}
    entry = read_line(7, json.dumps(line).encode(), Scope(user_id="u"))
    assert (entry.number, entry.scope) == (7, Scope(user_id="u", session_id="r"))
    assert (entry.memory.role, entry.memory.event_time_precision) == (Role.TOOL, TimePrecision.DAY)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["body", "text", "role", "name", "timestamp", "event_time", "user_id", "metadata", "vector", "x"]
)


@given(st.dictionaries(KEYS, VALUES).map(json.dumps).map(str.encode) | st.binary())
def test_any_line_is_an_entry_or_a_refusal(line):
    try:
        entry = read_line(1, line, Scope(user_id="u"))
    except (CommandError, MnemicError):
        return
    assert entry.memory.body.strip()
    assert not entry.scope.is_empty


def test_an_import_that_is_killed_goes_on_where_it_was(run, write):
    lines = [{"body": f"text {number} " + "word " * 40} for number in range(6000)]
    file = write(*lines)
    command = [sys.executable, "-m", "mnemic.cli", "import", file, "--user", "u1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ.copy())
    log = Path(os.environ["MNEMIC_DATA_DIRECTORY"]) / "mnemic.db-wal"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and log.stat().st_size > 2_000_000:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the import was over before it could be killed"
    done = run("import", file, "--user", "u1", "--json").document
    assert done["added"] + done["already_there"] == 6000
    assert done["already_there"] > 0
    assert run("stats", "--json").document["memories"] == 6000
