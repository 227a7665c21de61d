"""What a backup asks of the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Told (bytes that are done, bytes in all); what it raises ends the copy.
CopyProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CopiedState:
    """What a copy of the store holds.

    Attributes:
        revision: At which it is consistent.
        memory_count: How many versions hold.
        encrypted: Whether what it holds is encrypted, under keys that are not in it.
    """

    revision: int
    memory_count: int
    encrypted: bool


class BackupStore(ABC):
    """The part of the store that backups use."""

    @abstractmethod
    def copy_to(self, target: Path, progress: CopyProgress) -> CopiedState:
        """Copies everything at one revision into a new file, durably, while others read and write.

        Args:
            target: The file; must not be there.
            progress: Told how far it is, often.

        Raises:
            MnemicError: STORE_UNAVAILABLE when the disk is full or the file cannot be written; then none is left.
        """
