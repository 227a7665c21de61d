"""A directory for the unix sockets of one server, which only its user enters. What killed servers left is removed."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from mnemic.model.errors import MnemicError, Reason

PREFIX = "mnemic-sockets-"
# A unix socket's path has 108 bytes on Linux and 104 elsewhere, with a zero at the end.
_LONGEST_PATH = 100
_LOCK = "lock"
_UNLOCKED = "lock.new"
_PYTHON, _LOCAL = "python.sock", "local.sock"
_NAMES = (_PYTHON, _LOCAL, _UNLOCKED, _LOCK)


class SocketDirectory:
    """A new directory, there until `remove`.

    Its file `lock` is locked (POSIX `flock`) as long as its process lives, and the system ends that however the process
    ends: so a later server of the same user knows that it was left behind, and removes it.

    Attributes:
        path: The directory.
        python: Where the Python server listens for the front.
        local: Where callers of the same user are let in without TLS.
    """

    def __init__(self) -> None:
        self.path = _new_directory()
        self.python = self.path / _PYTHON
        self.local = self.path / _LOCAL
        # Under its name only once it is locked: nobody can take it for one that was left.
        unlocked = self.path / _UNLOCKED
        self._descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(self.path / _LOCK)
        for other in self.path.parent.glob(f"{PREFIX}*"):
            # Somebody else's, a living server's, or just being removed.
            with suppress(OSError):
                _remove_if_left(other)

    def remove(self) -> None:
        """Removes it with what is in it; a second call does nothing."""
        if self._descriptor < 0:
            return
        with suppress(OSError):
            _empty(self.path)
        os.close(self._descriptor)
        self._descriptor = -1


def _new_directory() -> Path:
    for parent in (None, "/tmp"):  # noqa: S108 (made by mkdtemp: a new name, mode 0700)
        directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        if len(str(directory)) + len("/python.sock") <= _LONGEST_PATH:
            return directory
        directory.rmdir()
    raise MnemicError(Reason.INTERNAL, "no directory for a socket: the paths of temporary files are too long")


def _remove_if_left(directory: Path) -> None:
    """Removes a directory of this user's whose process is gone.

    Raises:
        OSError: It is another's, in use, or without a lock.
    """
    found = directory.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
    if not ours:
        return
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _empty(directory)
    finally:
        os.close(descriptor)


def _empty(directory: Path) -> None:
    """Removes it and what servers make in it; with anything else in it, it stays.

    Raises:
        OSError: There is something else.
    """
    for name in _NAMES:
        (directory / name).unlink(missing_ok=True)
    directory.rmdir()
