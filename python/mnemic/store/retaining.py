"""Retention, as the engine sees the store: policies, holds, what a run removes, the archive and recalls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from mnemic.model.memory import Memory
from mnemic.model.operations import OperationState
from mnemic.model.retention import ArchivedMemory, LegalHold, RetentionCause, RetentionPolicy
from mnemic.model.scope import Scope, ScopeMatch

if TYPE_CHECKING:
    from mnemic.store.interface import Committed, Mutation


class Stage(StrEnum):
    """The parts of a run, in order."""

    LIMITS = "limits"
    BUDGETS = "budgets"
    ARCHIVE = "archive"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a run is.

    Attributes:
        stage: Which part.
        after: In LIMITS the last memory id that was looked at, in BUDGETS the last row id of a scope, as text.
    """

    stage: Stage = Stage.LIMITS
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a run looks at, and by what it judges.

    Attributes:
        tenant: Whose.
        scope: Only memories that carry these ids.
        policies: By id.
        takes_expired: Whether memories go whose own expiry passed.
        reference_micros: The time that limits count from.
        last_version_id: Versions that were written after this row are left alone; None for none.
        filters: For the policies that have one, whether it holds for a memory.
    """

    tenant: str
    scope: Scope
    policies: tuple[RetentionPolicy, ...]
    takes_expired: bool
    reference_micros: int
    last_version_id: int | None = None
    filters: Mapping[str, Callable[[Memory], bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that goes.

    Attributes:
        version_id: The row of its latest version.
        memory_id: Which.
        version: Its latest version.
        body_bytes: The size of its body.
        policy_id: Whose limit; empty for its own expiry.
        cause: Which limit.
        score: The retention score where a budget chose.
        last_recall_micros: When it was last recalled.
    """

    version_id: int
    memory_id: str
    version: int
    body_bytes: int
    policy_id: str
    cause: RetentionCause
    score: float | None = None
    last_recall_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What one step of a run found.

    Attributes:
        candidates: What goes.
        examined: How many memories were looked at for the first time.
        pinned: How many would go but are pinned.
        held: How many would go but are under a legal hold.
        following: Where the next step begins.
    """

    candidates: tuple[Candidate, ...]
    examined: int
    pinned: int
    held: int
    following: Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as it is kept.

    Attributes:
        run_id: Which.
        tenant: Whose.
        state: How far.
        selection: Canonical JSON of the scope and the policies that were asked for.
        policies: As they were when it began.
        takes_expired: See `Selection`.
        reference_micros: See `Selection`.
        last_version_id: See `Selection`; the store sets it when the run begins.
        progress: JSON of how far it is and what it counted; the engine's.
        start_micros: When it began.
        end_micros: When it ended.
        revision: Of its last write; 0 before.
        last_error: Why it failed.
    """

    run_id: str
    tenant: str
    state: OperationState
    selection: str
    policies: tuple[RetentionPolicy, ...]
    takes_expired: bool
    reference_micros: int
    last_version_id: int = 0
    progress: str = "{}"
    start_micros: int
    end_micros: int | None = None
    revision: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Archiving:
    """What goes to the archive in one commit.

    Attributes:
        tenant: Whose.
        candidates: What. One that was changed, pinned or put under a hold since it was found stays.
        archive_micros: How long each policy's rest in the archive, by policy id.
        now_micros: The time of the commit.
        record: Makes the run as it is kept afterwards, from what went.
    """

    tenant: str
    candidates: Sequence[Candidate]
    archive_micros: Mapping[str, int]
    now_micros: int
    record: Callable[[Sequence[Candidate]], RunRecord]


@dataclass(frozen=True, slots=True)
class ArchiveCounts:
    """How many memories are in the archive, how many bytes of body they have, and how many came since a time."""

    memories: int
    body_bytes: int
    added: int


class RetentionStore(ABC):
    """The part of the store that forgets on purpose; raises as `mnemic.store.interface.Store` does.

    What takes a `mutation` raises RequestIdTakenError when its request id is there already.
    """

    @abstractmethod
    def policies(
        self, tenant: str, *, limit: int, after: str = "", enabled_only: bool = False
    ) -> list[RetentionPolicy]:
        """A tenant's policies by id, those after the given one."""

    @abstractmethod
    def find_policy(self, tenant: str, policy_id: str) -> RetentionPolicy | None:
        """One policy."""

    @abstractmethod
    def put_policy(self, tenant: str, policy: RetentionPolicy, mutation: Mutation) -> None:
        """Puts a policy in the place of its version before; version 1 is new.

        Raises:
            MnemicError: VERSION_CONFLICT when another version is the current one.
        """

    @abstractmethod
    def delete_policy(self, tenant: str, policy_id: str, version: int, mutation: Mutation) -> None:
        """Removes a policy.

        Raises:
            MnemicError: VERSION_CONFLICT when another version is the current one.
        """

    @abstractmethod
    def create_hold(self, tenant: str, hold: LegalHold, mutation: Mutation) -> None:
        """Makes a legal hold."""

    @abstractmethod
    def find_hold(self, tenant: str, hold_id: str) -> LegalHold | None:
        """One legal hold."""

    @abstractmethod
    def holds(self, tenant: str, *, include_released: bool, limit: int, after: str = "") -> list[LegalHold]:
        """A tenant's legal holds by creation, those after the given id."""

    @abstractmethod
    def release_hold(self, tenant: str, hold: LegalHold, mutation: Mutation) -> None:
        """Notes the release of a hold; one that is released stays as it is."""

    @abstractmethod
    def begin_run(self, record: RunRecord, respond: Callable[[str], str], mutation: Mutation) -> RunRecord:
        """Keeps a new run, unless one of the same selection is under way: then that one.

        Args:
            record: The new one.
            respond: Makes the response to keep from the id of the run.
            mutation: The answer to keep for replay.
        """

    @abstractmethod
    def find_run(self, tenant: str, run_id: str) -> RunRecord | None:
        """One run."""

    @abstractmethod
    def open_runs(self) -> list[RunRecord]:
        """The runs of all tenants that have not ended, oldest first."""

    @abstractmethod
    def last_start(self, tenant: str, selection: str) -> int | None:
        """When the last run of a selection began."""

    @abstractmethod
    def save_run(self, record: RunRecord) -> None:
        """Keeps how far a run is."""

    @abstractmethod
    def forget_runs(self, before_micros: int) -> int:
        """Drops runs that ended earlier; how many."""

    @abstractmethod
    def frame(self, selection: Selection, cursor: Cursor) -> Frame:
        """What one step of a run finds; every step costs about the same. The stage ARCHIVE finds nothing."""

    @abstractmethod
    def preview(self, selection: Selection, consume: Callable[[Frame], None]) -> int:
        """All that the steps of a run would find, from one consistent snapshot; its revision."""

    @abstractmethod
    def archive(self, archiving: Archiving) -> tuple[Committed, list[Candidate]]:
        """Moves memories to the archive, in one commit; what it did, and what went."""

    @abstractmethod
    def archived(
        self,
        tenant: str,
        scope: Scope,
        match: ScopeMatch,
        *,
        limit: int,
        before: tuple[int, int] | None = None,
    ) -> list[tuple[tuple[int, int], ArchivedMemory]]:
        """Archived memories, the latest first, each with its place (archive time, row id), those before a place."""

    @abstractmethod
    def due_archived(self, tenant: str, scope: Scope, now_micros: int, *, limit: int) -> list[str]:
        """Archived memories whose time has passed and that no hold keeps, those that are due the longest first."""

    @abstractmethod
    def count_due(self, tenant: str, scope: Scope, now_micros: int) -> int:
        """How many `due_archived` would give without a limit."""

    @abstractmethod
    def tenants_at_work(self, now_micros: int) -> list[str]:
        """The tenants that have an enabled policy, a memory that expired by itself, or an archived one that is due."""

    @abstractmethod
    def archive_counts(self, tenant: str | None, since_micros: int) -> ArchiveCounts:
        """What is in the archive of one tenant or of all."""

    @abstractmethod
    def note_recalls(self, recalls: Sequence[tuple[str, int, int]]) -> None:
        """Adds to the recalls of memories: (memory id, how many, the time of the last)."""

    @abstractmethod
    def recalls(self, memory_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """How often memories were recalled, and when last; those that ever were."""
