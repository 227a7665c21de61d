"""Erasure as the engine sees it: a state machine whose state is in the store.

Every step is a transaction of bounded size, finds what is left to do in the store itself, and can be repeated: so an
erasure goes on after a crash where it was. The steps of one erasure are, in their order:

1. `begin` writes down what is to be destroyed.
2. `hide` takes memories out of everything that reads (they are marked with the erasure), with what was derived from
   them, and makes older states of their partitions useless.
3. `strike_work` and `strike_answers` take them out of the queues and out of the answers kept for replay.
4. `destroy` removes the rows, overwritten with zeros.
5. `sweep_scopes` and `sweep_partitions` remove what holds nothing any more, and the erasure's own record of the ids.
6. `clean_files` zeroes what the database's files still hold of what was removed.
7. `finish` keeps the receipt.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mnemic.model.erasure import ErasedPlace, ErasureReceipt, ErasureTarget, TargetKind
from mnemic.model.scope import PartitionKey, Scope
from mnemic.store.work import OutboxWrite

# What extraction is asked to do again with messages whose fact lost the words that it had from an erased one.
Rederivation = Callable[[Sequence[str]], Sequence[OutboxWrite]]


class ErasureStep(StrEnum):
    """What an erasure does next."""

    HIDE = "hide"
    STRIKE = "strike"
    DESTROY = "destroy"
    SWEEP = "sweep"
    CLEAN = "clean"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewErasure:
    """An erasure to begin.

    Attributes:
        erasure_id: A new UUID.
        caller: The tenant that asks.
        tenant: Whose memories.
        target: Which.
        drops_tenant: Whether the tenant itself goes.
        salt: Random bytes.
        target_hash: SHA-256 of the salt and the target.
        reason: For the receipt.
        requested_by: For the receipt.
        request_id: The caller's, or empty.
        fingerprint: SHA-256 of the salt and what was asked.
        now_micros: The time.
        is_repeated: Whether it was carried out before, on a newer database: then no legal hold stops it.
    """

    erasure_id: str
    caller: str
    tenant: str
    target: ErasureTarget
    drops_tenant: bool = False
    is_repeated: bool = False
    salt: bytes
    target_hash: bytes
    reason: str = ""
    requested_by: str = ""
    request_id: str = ""
    fingerprint: bytes = b""
    now_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredErasure:
    """An erasure as the store has it; the fields of `NewErasure`, and how far it is.

    Attributes:
        row_id: Its number in the store.
        kind: What it destroys.
        target: Which; None once that was destroyed as well.
        step: What is to be done next.
        last_version_id: Memories whose first version has a higher row id came later.
        first_revision: The commit before it.
        revision: Its last commit.
        places: What was found and done so far.
        last_error: Why it waits.
        end_time_micros: When it was done.
        document: The receipt, once it is done.
        signature: Of the receipt.
        public_key: Of the signature.
    """

    row_id: int
    erasure_id: str
    caller: str
    tenant: str
    kind: TargetKind
    target: ErasureTarget | None
    drops_tenant: bool
    salt: bytes
    target_hash: bytes
    reason: str
    requested_by: str
    request_id: str
    fingerprint: bytes
    step: ErasureStep
    last_version_id: int
    first_revision: int
    revision: int
    places: tuple[ErasedPlace, ...]
    last_error: str
    create_time_micros: int
    end_time_micros: int | None
    document: bytes | None
    signature: bytes | None
    public_key: bytes | None


@dataclass(frozen=True, slots=True)
class HidingPlace:
    """How far hiding is: the scope and the memory after which it goes on."""

    scope_row: int = 0
    memory_id: str = ""


@dataclass(frozen=True, slots=True)
class Hidden:
    """What one step of hiding did.

    Attributes:
        revision: Its commit.
        partitions: Those that are to be read anew.
        resume: Where the next step goes on; None when all is hidden.
    """

    revision: int
    partitions: frozenset[PartitionKey]
    resume: HidingPlace | None


@dataclass(frozen=True, slots=True)
class Swept:
    """What `sweep_partitions` removed: its commit, and the partitions."""

    revision: int
    partitions: frozenset[PartitionKey] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class CleanedFiles:
    """What a cleaning of files found and removed.

    Attributes:
        pages: Pages of the database in which unused bytes were zeroed.
        log_bytes: What the write-ahead log held.
    """

    pages: int = 0
    log_bytes: int = 0


class ErasureStore(ABC):
    """The part of a store that destroys."""

    @abstractmethod
    def begin(self, new: NewErasure) -> StoredErasure:
        """Writes an erasure down, or gives the one that has the same caller and `request_id` already.

        Raises:
            MnemicError: LEGAL_HOLD when something of it must not be destroyed.
        """

    @abstractmethod
    def find(self, caller: str, erasure_id: str) -> StoredErasure | None:
        """One erasure that the tenant asked for."""

    @abstractmethod
    def find_request(self, caller: str, request_id: str) -> StoredErasure | None:
        """The erasure that a request asked for."""

    @abstractmethod
    def erasures(self, caller: str, *, limit: int, before: int | None = None) -> list[StoredErasure]:
        """The erasures that a tenant asked for, latest first, those before a row."""

    @abstractmethod
    def unfinished(self) -> list[StoredErasure]:
        """The erasures of all tenants that are not done, in the order in which they were asked for."""

    @abstractmethod
    def unknown(self, erasure_ids: Sequence[str]) -> list[str]:
        """Those of the ids that no erasure of the store has, in order."""

    @abstractmethod
    def all_scopes(self) -> Iterator[tuple[str, Scope]]:
        """Every scope of every tenant."""

    @abstractmethod
    def all_memories(self) -> Iterator[tuple[str, str]]:
        """The id of every memory, with its tenant."""

    @abstractmethod
    def preview(self, tenant: str, target: ErasureTarget) -> tuple[ErasedPlace, ...]:
        """What an erasure would find in the store."""

    @abstractmethod
    def hide(self, row_id: int, place: HidingPlace, *, limit: int, rederive: Rederivation, now_micros: int) -> Hidden:
        """Hides up to `limit` memories of an erasure, with what was derived from them."""

    @abstractmethod
    def touched_partitions(self, row_id: int) -> list[PartitionKey]:
        """The partitions that an erasure has changed so far, and others that were to be read anew since it began."""

    @abstractmethod
    def strike(self, row_id: int) -> None:
        """Takes what is hidden out of the queues and of the answers kept for replay."""

    @abstractmethod
    def destroy(self, row_id: int, *, limit: int) -> bool:
        """Removes up to so many hidden versions with all that is kept beside them; whether more are left."""

    @abstractmethod
    def sweep_scopes(self, row_id: int) -> None:
        """Removes the tenant's scopes without memories."""

    @abstractmethod
    def sweep_partitions(self, row_id: int) -> Swept:
        """Removes the tenant's partitions without memories, and the ids that the erasure names."""

    @abstractmethod
    def set_step(self, row_id: int, step: ErasureStep, found: Sequence[ErasedPlace] = ()) -> None:
        """Goes to a step, and adds to what was found. Only forward."""

    @abstractmethod
    def note_error(self, row_id: int, error: str) -> None:
        """Says why an erasure waits."""

    @abstractmethod
    def clean_files(self, *, share: float) -> CleanedFiles:
        """Zeroes what the files of the store hold of what was removed before.

        Args:
            share: Of the time how much to work, so that others have the machine for the rest.
        """

    @abstractmethod
    def tidy_files(self) -> bool:
        """Does a small part of what `clean_files` would do later, so that it finds less; whether there is more."""

    @abstractmethod
    def finish(self, row_id: int, receipt: ErasureReceipt, found: Sequence[ErasedPlace], now_micros: int) -> None:
        """Adds to what was found and keeps the receipt: the erasure is done."""
