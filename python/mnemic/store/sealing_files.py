"""Sealing files that are derived from the store, such as snapshots: each under a key of its own.

A file is `MNSEAL01`, the id of its data key (16 bytes), and chunks: 8 bytes that give the chunk's length with the
highest bit set in the last one, then ciphertext and tag. The nonce is the number of the chunk, which is safe since a
key seals one file. The chunk's header and what the file is are authenticated with it, so that chunks cannot be
exchanged, left out or cut off at the end.

What is opened lies in memory alone: in an anonymous file, which is gone when its last descriptor and mapping are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.sealing import DestroyedKeyError, TamperedError
from mnemic.store.sealing_keys import KEY_ID_BYTES, Keyring

_MAGIC = b"MNSEAL01"
_HEADER_BYTES = len(_MAGIC) + KEY_ID_BYTES
_CHUNK_BYTES = 1024 * 1024
_TAG_BYTES = 16
_LAST = 1 << 63
# Where files lie in memory: on Linux, in a directory that is for nothing else.
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 (what is made there is for this user alone)


class FileSealer:
    """Seals and opens files. Safe to call from many threads.

    Args:
        keyring: The data keys.
        directory: The data directory, which this process has for itself.
    """

    def __init__(self, keyring: Keyring, directory: Path) -> None:
        self._keyring = keyring
        self._prefix = f"mnemic-{hashlib.sha256(str(directory).encode()).hexdigest()[:16]}-"
        self._remove_leftovers()

    @property
    def can_open(self) -> bool:
        """Whether the system has files in memory."""
        return hasattr(os, "memfd_create") and os.access(_IN_MEMORY, os.W_OK)

    def _remove_leftovers(self) -> None:
        """Removes what a process that was killed left in memory."""
        with suppress(OSError), os.scandir(_IN_MEMORY) as entries:
            for entry in entries:
                if entry.name.startswith(self._prefix) and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                    shutil.rmtree(entry.path, ignore_errors=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A directory in memory for what is to be sealed; it goes with the block.

        Raises:
            OSError: The system has no place for files in memory.
        """
        with tempfile.TemporaryDirectory(prefix=self._prefix, dir=_IN_MEMORY) as directory:
            yield Path(directory)

    def seal(self, plain: Path, sealed: Path, what: str) -> int:
        """Seals a file under a new key. The sealed file takes its place by a rename, durably.

        Args:
            plain: The file.
            sealed: Where the sealed one goes; beside it lies a file with `.tmp-` in its name meanwhile.
            what: What the file is; it opens only as that.

        Returns:
            The size of the sealed file, in bytes.
        """
        key = self._keyring.new_key()
        temporary = sealed.with_name(f"{sealed.name}.tmp-{os.getpid()}")
        try:
            with plain.open("rb") as source, temporary.open("xb") as target:
                target.write(_MAGIC + key.key_id)
                left, number = os.fstat(source.fileno()).st_size, 0
                while True:
                    data = source.read(_CHUNK_BYTES)
                    left -= len(data)
                    header = (len(data) | (0 if left else _LAST)).to_bytes(8)
                    target.write(header + key.seal(number.to_bytes(12), data, _bound(header, what)))
                    number += 1
                    if not left:
                        break
                target.flush()
                os.fsync(target.fileno())
                size = target.tell()
            temporary.rename(sealed)
            _flush_directory(sealed.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            self._keyring.remove([key.key_id])
            raise
        return size

    @contextmanager
    def opened(self, sealed: Path, what: str) -> Iterator[Path]:
        """A path under which the plain file can be read, or mapped, during the block; a mapping lasts as it does.

        Raises:
            MnemicError: CORRUPT_DATA when it was changed or is another file.
            OSError: It cannot be read, or there is no memory.
        """
        descriptor = os.memfd_create("mnemic-snapshot", os.MFD_CLOEXEC)
        try:
            with sealed.open("rb") as source:
                self._open(source.read, descriptor, what)
            yield Path(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)

    def _open(self, read: Callable[[int], bytes], descriptor: int, what: str) -> None:
        start = read(_HEADER_BYTES)
        if len(start) < _HEADER_BYTES or not start.startswith(_MAGIC):
            raise _damaged("is no sealed file")
        number, is_last = 0, False
        try:
            key = self._keyring.key(start[len(_MAGIC) :])
            while not is_last:
                header = read(8)
                is_last = bool(header and header[0] & 0x80)
                length = int.from_bytes(header) & ~_LAST
                if len(header) < 8 or length > _CHUNK_BYTES:
                    raise _damaged("was cut or changed")
                data = key.open(number.to_bytes(12), read(length + _TAG_BYTES), _bound(header, what))
                with memoryview(data) as rest:
                    written = 0
                    while written < length:
                        written += os.write(descriptor, rest[written:])
                number += 1
        except TamperedError as error:
            raise _damaged("was changed, or is another file") from error
        except DestroyedKeyError as error:
            raise _damaged("lies under a key that was destroyed") from error
        if read(1):
            raise _damaged("is longer than it was")

    def forget(self, sealed: Path) -> None:
        """Removes the key of a file that is about to be removed: copies of it cannot be opened any more."""
        with suppress(OSError), sealed.open("rb") as source:
            start = source.read(_HEADER_BYTES)
            if len(start) == _HEADER_BYTES and start.startswith(_MAGIC):
                self._keyring.remove([start[len(_MAGIC) :]])


def _bound(header: bytes, what: str) -> bytes:
    return _MAGIC + header + what.encode()


def _damaged(how: str) -> MnemicError:
    return MnemicError(Reason.CORRUPT_DATA, f"the file {how}")


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
