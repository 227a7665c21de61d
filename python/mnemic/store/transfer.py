"""What leaving and coming ask of the store: pages of the versions of a revision, and versions from elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from mnemic.model.access import Quota
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.transfer import VersionRecord
from mnemic.store.work import OutboxWrite

if TYPE_CHECKING:
    from mnemic.store.interface import Committed


class ExportPosition(NamedTuple):
    """The last version of a page: the row of its scope (0 where a whole tenant is read), memory id and version."""

    scope_row: int
    memory_id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportQuery:
    """Which versions are read.

    Attributes:
        tenant: Whose.
        scope: The ids asked for.
        match: How they select.
        revision: The state that is read, whatever was written since.
        include_history: All versions instead of those that held then.
        with_vectors: Also the active model's vectors.
        now_micros: Of the versions that held, those that expire later are read.
    """

    tenant: str
    scope: Scope
    match: ScopeMatch
    revision: int
    include_history: bool
    with_vectors: bool
    now_micros: int


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Versions of a page, those of a memory beside each other; `position` is None after the last page."""

    versions: list[VersionRecord]
    position: ExportPosition | None


class Fate(Enum):
    """What becomes of a version that comes from elsewhere."""

    NEW = auto()
    DUPLICATE = auto()
    CONFLICT = auto()


@dataclass(frozen=True, slots=True)
class Incoming:
    """A version that comes from elsewhere.

    Attributes:
        record: It; ids that are taken in another tenant or scope are replaced by ones of its own.
        content_hash: See `VersionWrite.content_hash`.
        fate: What becomes of it.
        problem: Of a conflict: why, in words.
    """

    record: VersionRecord
    content_hash: str
    fate: Fate = Fate.NEW
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportBatch:
    """One transaction of an import.

    Attributes:
        tenant: Whose.
        versions: What comes, in the order of the file; versions of a memory in their order.
        outbox: Work to do behind it.
        quota: What the tenant may hold where its own settings say nothing.
        now_micros: The time of the write.
    """

    tenant: str
    versions: Sequence[Incoming]
    outbox: Sequence[OutboxWrite] = ()
    quota: Quota = field(default_factory=Quota)
    now_micros: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import's transaction did: the fate of each version, and the commit, if there was anything to write."""

    versions: list[Incoming]
    committed: Committed | None


class TransferStore(ABC):
    """The part of the store that export and import use."""

    @abstractmethod
    def export_page(self, query: ExportQuery, after: ExportPosition | None, *, limit: int) -> ExportPage:
        """The next versions of a revision, about `limit` of them, in one short read.

        Pages are the same whatever is written meanwhile, but that what is erased is in no later page.
        """

    @abstractmethod
    def plan_import(self, tenant: str, versions: Sequence[Incoming]) -> list[Incoming]:
        """What would become of versions, and the ids that they would have."""

    @abstractmethod
    def import_versions(self, batch: ImportBatch) -> Imported:
        """Writes the versions that are new, durably; see `Store.commit` for what it raises.

        A version that is the latest of its memory and has no end is settled as a new one is: a fact that the scope has
        already is a duplicate, and of the values of a slot the one that held from later on goes on to hold. What has
        ended is written as it is.
        """
