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


@dataclass(frozen=True, slots=True)
class SessionsPage:
    """The messages of some sessions.

    Attributes:
        sessions: Of each the messages that hold, in the order in which they were written: the id, and whether a summary
            names it, also one that has ended or was deleted.
        next_after: The place to go on from; None when these were the last.
    """

    sessions: Sequence[Sequence[tuple[str, bool]]]
    next_after: int | None


class ConsolidationStore(ABC):
    """The part of the store that consolidation and summaries read; see `mnemic.store.interface.Store`."""

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

    @abstractmethod
    def quiet_sessions(self, tenant: str, *, before_micros: int, after: int, now_micros: int) -> SessionsPage:
        """Reads the messages of some sessions: scopes with a session id whose last message was written before a time.

        Args:
            tenant: Whose.
            before_micros: The time.
            after: Which sessions: those after this place, 0 for the first.
            now_micros: The time against which expiry is judged.
        """

    @abstractmethod
    def summaries_over(self, tenant: str, message_ids: Sequence[str]) -> list[str]:
        """The ids of the summaries that hold and name any of the messages as a source."""
