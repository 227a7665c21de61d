"""What consolidation reads of the store, as the engine sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mnemic.model.memory import Memory
from mnemic.model.scope import Scope

# Why the version was written by which a memory took over others that say the same.
CONSOLIDATED = "consolidated: what says the same is superseded by it, and its sources are kept"


@dataclass(frozen=True, slots=True)
class Statement:
    """A fact or an instruction that holds.

    Attributes:
        memory: It, without its vector.
        takes_slot: Whether it is the one value of its slot.
    """

    memory: Memory
    takes_slot: bool


class ConsolidationStore(ABC):
    """The part of the store that consolidation reads; see `mnemic.store.interface.Store`."""

    @abstractmethod
    def statements(
        self, tenant: str, scope: Scope, consume: Callable[[Sequence[Statement]], None], *, after: int, now_micros: int
    ) -> int | None:
        """Reads the facts and instructions of some scopes, from one consistent snapshot: those that hold, have not
        expired and were never restored.

        Args:
            tenant: Whose.
            scope: The ids that the scopes carry; all of the tenant's when empty.
            consume: Given them in parts.
            after: Which scopes: those after this place, 0 for the first.
            now_micros: The time against which expiry is judged.

        Returns:
            The place to go on from; None when these were the last. The statements of one scope all come in one call.
        """
