"""The work that writes leave to be done behind them, as the engine sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnemic.store.interface import Mutation


class OutboxKind(StrEnum):
    """What is to be done behind a write."""

    EMBED = "embed"
    EXTRACT = "extract"


class OutboxState(StrEnum):
    """How far a piece of work is."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OutboxWrite:
    """A piece of work to enqueue in the transaction of the write that needs it.

    Attributes:
        kind: What is to be done.
        memory_ids: To which memories.
        payload: How.
        operation_id: The operation that it is a part of, whose state is kept when it is done; empty for none.
    """

    kind: OutboxKind
    memory_ids: tuple[str, ...]
    payload: Mapping[str, str] = field(default_factory=dict)
    operation_id: str = ""


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """A piece of work that was claimed."""

    item_id: int
    tenant: str
    kind: OutboxKind
    memory_ids: tuple[str, ...]
    payload: Mapping[str, str]
    attempts: int
    operation_id: str = ""


@dataclass(frozen=True, slots=True)
class FinishedWork:
    """A piece of work that a write does.

    Attributes:
        item_id: Which.
        attempts: Of the claim under which it was done. If there was another claim since, it is lost.
    """

    item_id: int
    attempts: int


class WorkLostError(Exception):
    """A piece of work was claimed again, done or removed since; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkState:
    """How far a piece of work is.

    Attributes:
        item_id: Which.
        operation_id: The operation that it is a part of, or empty.
        tenant: Whose.
        kind: What it does.
        memory_ids: To which memories.
        state: How far it is.
        attempts: How often it was begun.
        last_error: Why the last try failed.
        due_micros: When it is tried next, or its lease ends; None once it is done or given up.
        create_time_micros: When it was enqueued.
        end_time_micros: When it was done or given up.
        made_ids: The memories that it made or added to.
        revision: Of the write that did it; 0 before.
    """

    item_id: int
    operation_id: str
    tenant: str
    kind: OutboxKind
    memory_ids: tuple[str, ...]
    state: OutboxState
    attempts: int
    last_error: str
    due_micros: int | None
    create_time_micros: int
    end_time_micros: int | None
    made_ids: tuple[str, ...]
    revision: int


class WorkStore(ABC):
    """The part of the store that keeps work; see `mnemic.store.interface.Store`."""

    @abstractmethod
    def claim_outbox(self, kind: OutboxKind, *, limit: int, now_micros: int, lease_micros: int) -> list[OutboxItem]:
        """Takes due work (pending, or running past its lease), oldest first, and marks it running with one more
        attempt until the lease ends.
        """

    @abstractmethod
    def claim_turn(
        self, kind: OutboxKind, *, after_tenant: str, now_micros: int, lease_micros: int
    ) -> OutboxItem | None:
        """Takes one piece of due work, of the next tenant by id after the given one that has any (the first ones come
        after the last), and of that tenant the oldest: so none waits for all of another's.
        """

    @abstractmethod
    def next_due(self, kind: OutboxKind) -> int | None:
        """When the next piece of work is due; None without any."""

    @abstractmethod
    def release_work(self, kind: OutboxKind, now_micros: int) -> int:
        """Makes due what a process that has ended had claimed; how many pieces. It must be the only one there was."""

    @abstractmethod
    def operation(self, tenant: str, operation_id: str) -> list[WorkState]:
        """The pieces of work of an operation; empty if there is none, or its state is no longer kept."""

    @abstractmethod
    def forget_work(self, before_micros: int) -> int:
        """Drops the state of work that was done earlier; how many pieces."""

    @abstractmethod
    def dead_letters(self, tenant: str, kind: OutboxKind | None, *, limit: int, after: int = 0) -> list[WorkState]:
        """Work that was given up, oldest first, after an item id."""

    @abstractmethod
    def replay_dead_letters(
        self,
        tenant: str,
        kind: OutboxKind | None,
        item_ids: Sequence[int] | None,
        respond: Callable[[int], str],
        mutation: Mutation,
    ) -> int:
        """Puts work that was given up back into the queue, with all its tries: those of the ids, or all.

        Args:
            tenant: Whose.
            kind: Of which kind; None for any.
            item_ids: Which; None for all.
            respond: Makes the response to keep from how many there were.
            mutation: The answer to keep for replay.

        Returns:
            How many.

        Raises:
            RequestIdTakenError: The request id is there already.
        """

    @abstractmethod
    def finish_outbox(self, item_ids: Sequence[int]) -> None:
        """Removes work that is done."""

    @abstractmethod
    def retry_outbox(self, item_id: int, *, error: str, next_attempt_micros: int | None) -> None:
        """Puts work back for later; None gives it up (state failed)."""
