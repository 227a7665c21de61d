"""What a person sees on a terminal."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios

import pytest

from mnemic.cli.terminal import bytes_text, clean, counted, moment_text, shortened

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(*arguments, width=100, answer=b"", **environment):
    """Runs a command on a pseudo terminal; what it wrote and its exit code."""
    process, terminal = pty.fork()
    if process == 0:
        # Not execv: pytest's readline has put COLUMNS into the environment behind Python's back.
        variables = {**os.environ, "TERM": "xterm-256color", **environment}
        os.execve(sys.executable, [sys.executable, "-m", "mnemic.cli", *arguments], variables)  # noqa: S606 (no shell)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    if answer:
        os.write(terminal, answer)
    written = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    return written.decode(), os.waitstatus_to_exitcode(status)


pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of forkpty:DeprecationWarning")


def test_hits_are_a_table_within_the_width(run):
    text = "Yesterday I took the kids to the pottery workshop; it was fun and therapeutic for all of us."
    [memory_id] = run("add", text, "--user", "u1", "--name", "Melanie", "--event-time", "2024-05-07").lines
    shown, code = on_terminal("search", "pottery class", "--user", "u1")
    assert code == 0
    plain = ESCAPES.sub("", shown)
    assert shown != plain
    assert max(len(line.rstrip("\r")) for line in plain.split("\n")) <= 100
    for part in ("Score", "Vector", "Lexical", "When (UTC)", "2024-05-07", "Melanie", memory_id, "1 hit, 1 memory"):
        assert part in plain


def test_no_color_is_respected(run):
    run("add", "x", "--user", "u1")
    shown, _ = on_terminal("list", "--user", "u1", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)


def test_a_stored_text_cannot_drive_the_terminal(run):
    run("add", "before \x1b]0;title\x07 \x1b[2J after", "--user", "u1", "--name", "\x1b[31mred")
    shown, _ = on_terminal("list", "--user", "u1")
    assert "\x1b]0" not in shown
    assert "\x1b[2J" not in shown
    assert "after" in shown


def test_deleting_asks(run):
    [memory_id] = run("add", "keep me", "--user", "u1").lines
    shown, code = on_terminal("delete", memory_id, answer=b"n\n")
    assert code == 1
    assert "keep me" in shown
    assert "Delete 1 memory?" in shown
    assert "error: aborted" in shown
    assert run("get", memory_id).code == 0
    _, code = on_terminal("delete", memory_id, answer=b"y\n")
    assert code == 0
    assert run("get", memory_id).code == 1


def test_an_import_shows_its_progress(run, tmp_path):
    file = tmp_path / "lines.jsonl"
    file.write_text('{"body": "x"}\n' * 600)
    shown, code = on_terminal("import", str(file), "--user", "u1")
    assert code == 0
    assert "600/600" in ESCAPES.sub("", shown)
    assert "imported 600 memories" in shown


def test_words_for_numbers():
    assert [bytes_text(size) for size in (0, 1023, 1536, 5 * 1024**3)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert [counted(1, "memory", "memories"), counted(1200, "hit")] == ["1 memory", "1,200 hits"]
    assert [moment_text(None), moment_text(0), moment_text(60_000_000)] == ["–", "1970-01-01", "1970-01-01 00:01"]
    assert shortened("x" * 50, 10) == "x" * 9 + "…"
    assert clean("a\r\n\x07b\u202ec") == "a b c"
