"""What export and import take and answer; `mnemic.v1.LifecycleService` says what the fields mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from mnemic.model.filters import Filter
from mnemic.model.memory import ChangeKind, Memory
from mnemic.model.scope import Scope, ScopeMatch

# At most so many bytes of a file in one message, either way.
MAX_PIECE_BYTES = 1024 * 1024
# At most so many errors in one answer of an import.
MAX_ERRORS_PER_ANSWER = 100


class TransferFormat(IntEnum):
    """A file format; the numbers of `mnemic.v1.TransferFormat`."""

    JSONL = 1
    PARQUET = 2
    MEM0 = 3
    CHAT = 4


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A version of a memory as it is carried from one store to another.

    Attributes:
        memory: The version.
        change: What made it.
        reason: Why, for automatic changes.
        delete_time_micros: When the memory was deleted, if that ended this version.
        takes_slot: Whether it is, or was, the one value of its slot.
    """

    memory: Memory
    change: ChangeKind = ChangeKind.ADDED
    reason: str = ""
    delete_time_micros: int | None = None
    takes_slot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What to export; the fields of `mnemic.v1.ExportMemoriesRequest`."""

    scope: Scope = field(default_factory=Scope)
    match: ScopeMatch = ScopeMatch.VISIBLE
    filter: Filter | None = None
    format: TransferFormat = TransferFormat.JSONL
    include_history: bool = False
    include_vectors: bool = False
    resume_token: str = ""


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export was; the fields of `mnemic.v1.ExportSummary`."""

    memory_count: int
    byte_count: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class ExportPiece:
    """A piece of an export; the fields of `mnemic.v1.ExportMemoriesResponse`."""

    data: bytes
    resume_token: str
    exported_count: int
    revision: int
    summary: ExportSummary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """How to import a file; the fields of `mnemic.v1.ImportConfiguration`."""

    format: TransferFormat
    default_scope: Scope = field(default_factory=Scope)
    override_scope: Scope | None = None
    extract: bool = False
    keep_vectors: bool = False
    validate_only: bool = False
    skip_count: int = 0
    stop_on_error: bool = False
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """One item of a file that could not be taken; the fields of `mnemic.v1.ImportError`."""

    item_index: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is; the fields of `mnemic.v1.ImportMemoriesResponse`."""

    processed_count: int = 0
    added_count: int = 0
    duplicate_count: int = 0
    error_count: int = 0
    errors: tuple[ImportProblem, ...] = ()
    revision: int = 0
    done: bool = False
    replayed: bool = False
