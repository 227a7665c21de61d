"""The directory of a server's own sockets: for one user alone, and gone when its process is."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mnemic.server.sockets import PREFIX, SocketDirectory

PROGRAM = """
import sys
from mnemic.server.sockets import SocketDirectory
directory = SocketDirectory()
directory.python.touch()
print(directory.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary_files(monkeypatch, request):
    with tempfile.TemporaryDirectory(prefix="m-") as parent:  # short, as a socket's path must be
        monkeypatch.setenv("TMPDIR", parent)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(parent)
    tempfile.tempdir = None


@pytest.fixture
def other():
    """A process that has a directory; its path and the process."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Path(process.stdout.readline().strip()), process
        process.kill()


def test_only_its_user_enters_it_and_it_goes_with_what_is_in_it(temporary_files):
    directory = SocketDirectory()
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory.local))
        directory.remove()
    assert list(temporary_files.iterdir()) == []
    directory.remove()


def test_what_a_killed_process_left_is_removed_by_the_next(other, temporary_files):
    left, process = other
    process.kill()
    process.wait()
    assert (left / "python.sock").exists()
    directory = SocketDirectory()
    assert list(temporary_files.iterdir()) == [directory.path]
    directory.remove()


def test_a_living_process_keeps_its_own(other):
    kept, _ = other
    SocketDirectory().remove()
    assert (kept / "python.sock").exists()
    first, second = SocketDirectory(), SocketDirectory()
    assert first.path.exists()
    first.remove()
    second.remove()


def test_what_is_not_certainly_ours_stays(temporary_files):
    def made(name: str, mode: int = 0o700) -> Path:
        path = temporary_files / f"{PREFIX}{name}"
        path.mkdir()
        (path / "lock").touch()
        path.chmod(mode)
        return path

    open_to_others = made("open", 0o755)
    with_a_file = made("file")
    (with_a_file / "precious").write_text("kept")
    elsewhere = temporary_files / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "lock").touch()
    link = temporary_files / f"{PREFIX}link"
    link.symlink_to(elsewhere)
    beginning = temporary_files / f"{PREFIX}new"
    beginning.mkdir(mode=0o700)
    SocketDirectory().remove()
    assert (open_to_others / "lock").exists()
    assert (with_a_file / "precious").read_text() == "kept"
    assert (elsewhere / "lock").exists()
    assert link.is_symlink()
    assert beginning.exists()
