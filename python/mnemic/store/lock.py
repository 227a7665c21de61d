"""One process at a time on a data directory.

An advisory lock on a file of the directory (POSIX `flock`): the operating system drops it when the process ends,
however it ends, so that no stale lock is ever left to remove by hand. Two opens within one process exclude each other
as well. The file's text only tells others who holds it; it is never evidence that somebody does.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
import weakref
from contextlib import suppress
from pathlib import Path

from mnemic.model.errors import MnemicError, Reason

LOCK_FILE_NAME = "mnemic.lock"

_held: weakref.WeakSet[DataDirectoryLock] = weakref.WeakSet()


class DataDirectoryLock:
    """Holds a data directory from construction until `release`.

    Args:
        data_directory: An existing directory.
        address: Where the holder serves, if it does: what others are told to use instead.

    Raises:
        MnemicError: STORE_UNAVAILABLE when somebody else holds it; the message names who and says what to do.
    """

    def __init__(self, data_directory: Path) -> None:
        path = data_directory / LOCK_FILE_NAME
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MnemicError(
                Reason.STORE_UNAVAILABLE,
                f"cannot open the lock file {path}: {error.strerror}; the data directory must be writable",
                metadata={"path": str(path)},
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._read()
            os.close(self._descriptor)
            raise _held_by_another(data_directory, holder) from error
        self._record(_this_process())
        _held.add(self)

    def announce(self, address: str) -> None:
        """Notes where the holder serves: what others are told to use instead of the directory."""
        self._record(_this_process() | {"address": address})

    def release(self) -> None:
        """Lets others in; a second call does nothing."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            self._close_descriptor()

    def _close_descriptor(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        _held.discard(self)

    def _record(self, holder: dict[str, str]) -> None:
        encoded = json.dumps(holder, ensure_ascii=True).encode()
        # On a full disk only the name of the holder is lost; what the store itself cannot do, it says.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, encoded, 0)

    def _read(self) -> dict[str, str]:
        try:
            decoded = json.loads(os.pread(self._descriptor, 4096, 0))
        except ValueError:  # The holder is just writing it, or could not.
            return {}
        return {str(key): str(value) for key, value in decoded.items()} if isinstance(decoded, dict) else {}


def _this_process() -> dict[str, str]:
    return {"pid": str(os.getpid()), "command": shlex.join([Path(sys.executable).name, *sys.argv])[:500]}


def _held_by_another(data_directory: Path, holder: dict[str, str]) -> MnemicError:
    who = f"process {holder['pid']}" if "pid" in holder else "another process"
    if holder.get("pid") == str(os.getpid()):
        who = f"this very process (pid {holder['pid']})"
    if holder.get("command"):
        who += f" ({holder['command']})"
    if holder.get("address"):
        what_to_do = f"use the server at {holder['address']}, or stop it"
    else:
        what_to_do = "close it there, connect to its server's address if it is one, or use another directory"
    return MnemicError(
        Reason.STORE_UNAVAILABLE,
        f"the data directory {data_directory} is in use by {who}; {what_to_do}",
        metadata={"data_directory": str(data_directory)} | {f"holder_{key}": value for key, value in holder.items()},
    )


def _close_in_child() -> None:
    # A forked child shares the parent's lock until it closes its copy, and would keep it after the parent's death.
    for lock in list(_held):
        lock._close_descriptor()  # noqa: SLF001 (the same module's class)


os.register_at_fork(after_in_child=_close_in_child)
