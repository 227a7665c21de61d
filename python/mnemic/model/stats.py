"""What a node holds, in counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from mnemic.model.extraction_rules import ExtractionStats


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """What the store holds; sizes in bytes. `memories` are the current ones and `body_bytes` the size of their bodies;
    `added` is how many came in the last 24 hours, `removed` how many retention removed, `archived` how many are in the
    archive.
    """

    tenants: int
    scopes: int
    memories: int
    versions: int
    vectors: int
    outbox_pending: int
    outbox_failed: int
    revision: int
    bytes_on_disk: int
    body_bytes: int = 0
    added: int = 0
    archived: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStats:
    """What is in memory; sizes in bytes.

    Attributes:
        partitions: How many partitions are loaded.
        rows: All their rows, ended ones included.
        current: Rows that are neither deleted nor superseded.
        vectors: Rows with an embedding.
        bytes: What is allocated for all of it.
        mapped_bytes: What is mapped from files besides, of which the system keeps in memory what is used.
        snapshots: Snapshot files on disk.
        snapshot_bytes: Their size.
        snapshots_opened: How often a partition was loaded from one since the start.
        snapshots_refused: How many were damaged or stale, and removed, since the start.
    """

    partitions: int
    rows: int
    current: int
    vectors: int
    bytes: int
    mapped_bytes: int = 0
    snapshots: int = 0
    snapshot_bytes: int = 0
    snapshots_opened: int = 0
    snapshots_refused: int = 0


@dataclass(frozen=True, slots=True)
class NodeStats:
    """What a node holds.

    Attributes:
        store: The store's counts.
        index: What is in memory.
        model: The embedding model's identity.
        dimension: The length of its vectors.
        extraction: What extraction has before it, and what it cost.
    """

    store: StoreStats
    index: IndexStats
    model: str
    dimension: int
    extraction: ExtractionStats = field(default_factory=ExtractionStats)
