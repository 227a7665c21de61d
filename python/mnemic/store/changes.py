"""What happened in a tenant after a revision, in order, as those who watch it are told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass

from mnemic.model.memory import MemoryRevision
from mnemic.model.scope import PartitionKey


@dataclass(frozen=True, slots=True)
class ChangePosition:
    """How far the changes of a store have been read.

    Attributes:
        revision: All of this commit and of those before.
        given: And so many entries of the next one that is read.
    """

    revision: int
    given: int = 0


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Some changes, in the order of revisions.

    Attributes:
        changes: They.
        position: How far they reach.
        is_last: Whether they reach as far as was asked for.
    """

    changes: tuple[MemoryRevision, ...]
    position: ChangePosition
    is_last: bool


class ChangeStore(ABC):
    """The part of the store that tells what happened; see `mnemic.store.interface.Store`."""

    @abstractmethod
    def changes(
        self,
        tenant: str,
        partitions: Collection[PartitionKey] | None,
        after: ChangePosition,
        *,
        until_revision: int,
        limit: int,
    ) -> ChangesPage:
        """Reads what happened: versions that were written, deletions and supersessions, as `Store.history` tells them.

        Versions come as they are now: one that has ended since comes with its end. What was erased does not come.

        Args:
            tenant: Whose.
            partitions: Only in these partitions, of this tenant; anywhere in the tenant when None.
            after: Where the page before ended.
            until_revision: Up to and with this commit.
            limit: At most so many changes. A page may have fewer, or none, and not be the last.
        """
