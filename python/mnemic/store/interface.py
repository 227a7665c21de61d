"""The source of truth, as the engine sees it. One interface; SQLite is behind it, PostgreSQL will be."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mnemic.model.access import ApiKey, Quota, Tenant
from mnemic.model.memory import ChangeKind, Memory, MemoryRevision, ScopeSummary
from mnemic.model.scope import PartitionKey, Scope, ScopeMatch
from mnemic.model.stats import StoreStats
from mnemic.store.audit import AuditStore
from mnemic.store.backup import BackupStore
from mnemic.store.changes import ChangeStore
from mnemic.store.consolidation import ConsolidationStore
from mnemic.store.erasure_interface import ErasureStore
from mnemic.store.extraction_usage import ExtractionStore
from mnemic.store.model_store import ModelStore
from mnemic.store.retaining import RetentionStore
from mnemic.store.standing import NO_STANDING, Standing
from mnemic.store.transfer import TransferStore
from mnemic.store.work import FinishedWork, OutboxWrite, WorkStore

if TYPE_CHECKING:
    # Only a store that is encrypted loads the cryptography.
    from mnemic.store.sealing_files import FileSealer

# A version of a memory and its vector: little-endian float32, or None.
PartitionRow = tuple[Memory, bytes | None]


@dataclass(frozen=True, slots=True)
class PartitionEnd:
    """A version that ended after it was written.

    Attributes:
        memory_id: Whose.
        version: Which.
        valid_to_micros: The end of its validity; None when the memory was deleted, with all of its versions.
    """

    memory_id: str
    version: int
    valid_to_micros: int | None


@dataclass(frozen=True, slots=True)
class PartitionChanges:
    """Some of what happened in a partition after a revision.

    Attributes:
        rows: Versions that were written or embedded, or whose end was moved, as they are now.
        ends: Of the other versions those that ended.
    """

    rows: list[PartitionRow] = field(default_factory=list)
    ends: list[PartitionEnd] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class VersionWrite:
    """One version of a memory to insert.

    Attributes:
        memory: The version; its `revision` is ignored, the store sets it. Its `vector` (or None) is stored for the
            active embedding model. A first version that is a fact which the scope has already is not inserted: that
            one takes its sources.
        change: What kind of change it is.
        content_hash: Hex digest of the normalised body, for deduplication.
        reason: Why, for automatic changes.
        standing: How it relates to other memories.
        is_imported: It comes from another store: the first of its memory need not be version 1, and where it has ended
            it relates to nothing.
    """

    memory: Memory
    change: ChangeKind
    content_hash: str
    reason: str = ""
    standing: Standing = NO_STANDING
    is_imported: bool = False


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of a version that was to be inserted.

    Attributes:
        memory: As it is stored, with its vector; or the memory that says the same, and took its sources.
        is_duplicate: Whether it is that.
    """

    memory: Memory
    is_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did.

    Attributes:
        revision: Its number.
        inserted: One for each insert of the batch, in order.
        changes: What it changed in each partition, as `Store.scan_changes` tells it.
        rebuilt: The partitions that cannot be told: they are to be read anew.
    """

    revision: int
    inserted: tuple[Inserted, ...]
    changes: Mapping[PartitionKey, PartitionChanges]
    rebuilt: frozenset[PartitionKey] = frozenset()


@dataclass(frozen=True, slots=True)
class VersionEnd:
    """Ends the current version of a memory.

    Attributes:
        memory_id: Whose.
        version: The version that must be current; else the whole write fails with VERSION_CONFLICT.
        valid_to_micros: Closes its validity interval then.
        deleted: The memory is deleted: no version of it is current any more, a history entry DELETED is written.
    """

    memory_id: str
    version: int
    valid_to_micros: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """An answered mutation, for replay.

    Attributes:
        method: The RPC's name.
        request_id: The caller's UUID.
        fingerprint: Hex digest of the request's contents; a replay must have the same.
        response: JSON of the answer, without the revision.
        revision: The revision that the answer carried; ignored on write, the store sets it.
    """

    method: str
    request_id: str
    fingerprint: str
    response: str
    revision: int = 0


class RequestIdTakenError(Exception):
    """A write carried a request id that was used before; nothing was written."""

    def __init__(self, record: RequestRecord) -> None:
        super().__init__(record.request_id)
        self.record = record


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBatch:
    """One transaction: all of it or nothing.

    Attributes:
        tenant: Whose.
        ends: Versions that end, applied first.
        inserts: Versions that begin.
        outbox: Work to do behind it.
        finishes: Work that this write does: it is done with it, or the write is not done.
        request: The answer to keep for replay.
        respond: Makes the response of `request` from what became of the inserts, where only the commit can tell it.
        quota: What the tenant may hold where its own settings say nothing.
        now_micros: The time of the write.
    """

    tenant: str
    inserts: Sequence[VersionWrite] = ()
    ends: Sequence[VersionEnd] = ()
    outbox: Sequence[OutboxWrite] = ()
    finishes: FinishedWork | None = None
    request: RequestRecord | None = None
    respond: Callable[[Sequence[Inserted]], str] | None = None
    quota: Quota = field(default_factory=Quota)
    now_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """What goes with a change of tenants or keys.

    Attributes:
        caller: The tenant in whose name the answer is kept for replay.
        request: The answer, if it is to be kept.
        now_micros: The time of the change.
    """

    caller: str
    request: RequestRecord | None = None
    now_micros: int


class Store(
    WorkStore, ChangeStore, ExtractionStore, AuditStore, TransferStore, BackupStore, ConsolidationStore, ModelStore
):
    """Everything that Mnemic knows, durable. Safe to call from many threads.

    Every method raises MnemicError STORE_UNAVAILABLE when the database cannot do it now (locked, disk full), and
    CORRUPT_DATA when it finds damage. Reads never wait for writes.

    Attributes:
        erasing: What destroys.
    """

    erasing: ErasureStore

    @property
    @abstractmethod
    def directory(self) -> Path | None:
        """A directory that this process has for itself, where files derived from the store may lie; None if there is
        none.
        """

    @property
    def file_sealer(self) -> FileSealer | None:
        """What seals files that are derived from the store; None when the store is not encrypted."""
        return None

    @property
    @abstractmethod
    def retention(self) -> RetentionStore:
        """What forgets on purpose: policies, holds, the archive."""

    @abstractmethod
    def instance_id(self) -> str:
        """A UUID that this store, and no other, has: derived files carry it."""

    @abstractmethod
    def revision(self) -> int:
        """The sequence number of the last commit, 0 for an empty store; one more with each commit, without gaps."""

    @abstractmethod
    def commit(self, batch: WriteBatch) -> Committed:
        """Commits a batch durably (it survives a power cut).

        Raises:
            RequestIdTakenError: The batch's request id is there already.
            WorkLostError: What the batch does is somebody else's to do by now.
            MnemicError: VERSION_CONFLICT when an end's version is not the current one; MEMORY_NOT_FOUND when the
                memory is not the tenant's or is deleted; QUOTA_EXCEEDED when the tenant would hold more than it may.
        """

    def write(self, batch: WriteBatch) -> int:
        """As `commit`; the revision alone."""
        return self.commit(batch).revision

    @abstractmethod
    def find_request(self, tenant: str, method: str, request_id: str) -> RequestRecord | None:
        """The kept answer to a request id."""

    @abstractmethod
    def forget_requests(self, before_micros: int) -> int:
        """Drops kept answers that are older; how many."""

    @abstractmethod
    def get(
        self, tenant: str, memory_ids: Sequence[str], *, with_vectors: bool = False, include_deleted: bool = False
    ) -> dict[str, Memory]:
        """The latest versions of those that exist in the tenant, superseded ones included; deleted ones if asked."""

    @abstractmethod
    def history(self, tenant: str, memory_id: str) -> list[MemoryRevision]:
        """All versions, oldest first, also of a deleted memory (its last entry is DELETED); empty if there is none."""

    @abstractmethod
    def list_memories(
        self,
        tenant: str,
        scope: Scope,
        match: ScopeMatch,
        *,
        limit: int,
        now_micros: int,
        before_id: str | None = None,
        before_version: int | None = None,
        as_of_micros: int | None = None,
        include_superseded: bool = False,
        include_expired: bool = False,
        with_vectors: bool = False,
    ) -> list[Memory]:
        """Memories of a scope, newest first (by memory id, then version, descending), at most `limit`.

        Args:
            tenant: Whose.
            scope: The ids asked for.
            match: How they select.
            limit: How many at most.
            now_micros: The time against which expiry is judged.
            before_id: Only ids below this one (the last of the page before).
            before_version: With `before_id`: also that memory's versions below this one (the last of the page before).
                Only listings by `as_of_micros` or with superseded versions can show more than one of a memory.
            as_of_micros: The versions that held then (valid_from <= as_of < valid_to), instead of the current ones.
            include_superseded: Also versions of undeleted memories that have ended, by an update or by supersession.
            include_expired: Also those past their expiry.
            with_vectors: Whether to read the active model's vectors.
        """

    @abstractmethod
    def list_slots(self, tenant: str, scope: Scope, *, limit: int, now_micros: int) -> list[Memory]:
        """The memories of exactly this scope that fill a slot and hold, those written last first, at most `limit`."""

    @abstractmethod
    def list_scopes(self, tenant: str, scope: Scope, *, limit: int, after: Scope | None = None) -> list[ScopeSummary]:
        """Distinct scopes with current memories that carry the ids of `scope`, ordered by user, agent, app, session
        id (absent first), after the given one.
        """

    @abstractmethod
    def partitions(self, tenant: str, scope: Scope, match: ScopeMatch) -> list[PartitionKey]:
        """The partitions that hold, or held, memories that the scope selects."""

    @abstractmethod
    def all_partitions(self) -> list[PartitionKey]:
        """Every partition of every tenant, for checks and migrations."""

    @abstractmethod
    def scan_partition(self, key: PartitionKey, consume: Callable[[list[PartitionRow]], None], *, rows: int) -> int:
        """Reads all versions of the partition's undeleted memories, in the order written, with the active model's
        vectors, from one consistent snapshot.

        Args:
            key: The partition.
            consume: Given them in lists of up to `rows`, so that a large partition is never in memory twice.
            rows: How many at a time.

        Returns:
            The revision of the snapshot.
        """

    def partition_rows(self, key: PartitionKey) -> tuple[list[PartitionRow], int]:
        """All that `scan_partition` reads, and the revision."""
        found: list[PartitionRow] = []
        revision = self.scan_partition(key, found.extend, rows=1000)
        return found, revision

    @abstractmethod
    def partition_changes(self, key: PartitionKey, after_revision: int) -> bool:
        """Whether any version of the partition was written, ended or embedded after the revision."""

    @abstractmethod
    def scan_changes(
        self, key: PartitionKey, after_revision: int, consume: Callable[[PartitionChanges], None], *, rows: int
    ) -> int | None:
        """Reads what turns the partition as it was at a revision into what it is, from one consistent snapshot. Applied
        in the order given to what `scan_partition` read at `after_revision`, it makes what that reads now.

        Args:
            key: The partition.
            after_revision: What is known already.
            consume: Given the changes in parts of up to `rows` rows and ends.
            rows: How many at a time.

        Returns:
            The revision of the snapshot. None, and nothing was consumed, when changes do not lead there: since then
            versions were physically removed, a memory was restored or another model became the active one, or the
            store has not come to `after_revision` (a backup was put in its place). Then `scan_partition` does.
        """

    @abstractmethod
    def rebuild_revisions(self) -> dict[PartitionKey, int]:
        """The partitions of which `scan_changes` leads nowhere from before a revision, with that revision: what was
        derived from an older state may hold what the store has lost since.
        """

    @abstractmethod
    def tenants(self, *, limit: int, after: str = "") -> list[Tenant]:
        """Tenants by id, those after the given one."""

    @abstractmethod
    def find_tenant(self, tenant_id: str) -> Tenant | None:
        """One tenant."""

    @abstractmethod
    def create_tenant(self, tenant: Tenant, mutation: Mutation) -> None:
        """Makes a tenant.

        Raises:
            RequestIdTakenError: The request id is there already.
            MnemicError: INVALID_FIELD when the tenant is there already.
        """

    @abstractmethod
    def replace_tenant(self, tenant: Tenant, mutation: Mutation) -> None:
        """Puts a tenant in the place of its version before.

        Raises:
            RequestIdTakenError: The request id is there already.
            MnemicError: VERSION_CONFLICT when that is not the current one.
        """

    @abstractmethod
    def create_key(self, key: ApiKey, secret_hash: bytes, mutation: Mutation) -> None:
        """Makes an API key of a tenant that is there.

        Raises:
            RequestIdTakenError: The request id is there already.
        """

    @abstractmethod
    def keys(self, tenant: str, *, good_at_micros: int | None, limit: int, after: str = "") -> list[ApiKey]:
        """A tenant's keys by creation, those after the given id; only those that are good then, if a time is given."""

    @abstractmethod
    def find_key(self, key_id: str) -> ApiKey | None:
        """One key, of any tenant."""

    @abstractmethod
    def all_keys(self, *, good_at_micros: int) -> list[tuple[ApiKey, bytes]]:
        """The keys of all tenants that are good at a time, with the hashes of their secrets."""

    @abstractmethod
    def revoke_key(self, key_id: str, mutation: Mutation) -> None:
        """Marks a key as revoked; one that is stays so.

        Raises:
            RequestIdTakenError: The request id is there already.
        """

    @abstractmethod
    def note_uses(self, uses: Sequence[tuple[str, int]]) -> None:
        """Notes the times at which keys were last used."""

    @abstractmethod
    def stats(self, tenant: str | None = None, *, since_micros: int = 0) -> StoreStats:
        """Counts, of one tenant or of all; additions are those since a time."""

    @abstractmethod
    def announce(self, address: str) -> None:
        """Notes where this process serves, for others who find that they cannot open the store beside it."""

    @abstractmethod
    def check(self) -> list[str]:
        """Looks for damage (the database's own integrity check, foreign keys, revision counter); what it found."""

    @abstractmethod
    def close(self) -> None:
        """Releases files and locks."""
