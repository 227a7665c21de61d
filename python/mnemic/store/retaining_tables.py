"""The tables of retention; see `mnemic.store.tables` for what they share with the others.

- An archived memory is a deleted one (`is_deleted`: every read path and the index leave it out) with a row in
  `archived_memories`, by the version that it ended. A restoration marks the row; so the history can still tell it.
- `retention_runs` holds what a run needs to go on after the process died: what it was asked, as the policies were when
  it began, and how far it is.
- `recalls` is written every few seconds and is no part of the revision: no index is derived from it.
- The holds of legal_holds exempt from retention and from erasure while `release_time_micros` is null.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from mnemic.store.tables import Identifier, RowId, memory_versions, metadata

retention_policies = Table(
    "retention_policies",
    metadata,
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("policy_id", Identifier, nullable=False),
    Column("version", Integer, nullable=False),
    Column("is_disabled", Boolean, nullable=False),
    Column("definition", Text, nullable=False, comment="Canonical JSON of the whole policy"),
    PrimaryKeyConstraint("tenant", "policy_id"),
)

legal_holds = Table(
    "legal_holds",
    metadata,
    Column("hold_id", Identifier, primary_key=True),
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("user_id", Identifier, nullable=False),
    Column("agent_id", Identifier, nullable=False),
    Column("app_id", Identifier, nullable=False),
    Column("session_id", Identifier, nullable=False),
    Column("reason", Text, nullable=False),
    Column("create_time_micros", BigInteger, nullable=False),
    Column("release_time_micros", BigInteger),
    # Ids sort by creation.
    Index(None, "tenant", "hold_id"),
)

retention_runs = Table(
    "retention_runs",
    metadata,
    Column("run_id", Identifier, primary_key=True),
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("selection", Text, nullable=False, comment="Which scopes and policies were asked for"),
    Column("policies", Text, nullable=False, comment="The policies as they were when it began"),
    Column("takes_expired", Boolean, nullable=False),
    Column("reference_time_micros", BigInteger, nullable=False, comment="The time that its limits count from"),
    Column("last_version_id", BigInteger, nullable=False, comment="What was written later is not its business"),
    Column("progress", Text, nullable=False, comment="How far it is, and what it has counted"),
    Column("start_time_micros", BigInteger, nullable=False),
    Column("end_time_micros", BigInteger),
    Column("revision", BigInteger, nullable=False, comment="Of its last write"),
    Column("last_error", Text, nullable=False),
    Index(None, "tenant", "start_time_micros"),
)

Index(
    "ix_retention_runs_open",
    retention_runs.c.start_time_micros,
    sqlite_where=retention_runs.c.end_time_micros.is_(None),
    postgresql_where=retention_runs.c.end_time_micros.is_(None),
)

archived_memories = Table(
    "archived_memories",
    metadata,
    # What destroys the version destroys this.
    Column(
        "version_id",
        RowId,
        ForeignKey("memory_versions.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("memory_id", Identifier, nullable=False),
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("policy_id", Identifier, nullable=False, comment="Empty when it expired by itself"),
    Column("cause", SmallInteger, nullable=False),
    Column("retention_score", Double),
    Column("archive_time_micros", BigInteger, nullable=False),
    Column("erase_time_micros", BigInteger, nullable=False),
    Column("restore_time_micros", BigInteger, comment="When it was brought back; null while it is archived"),
    Index(None, "memory_id"),
)

# Listing the latest first.
Index(
    "ix_archived_memories_listing",
    archived_memories.c.tenant,
    archived_memories.c.archive_time_micros,
    archived_memories.c.version_id,
    sqlite_where=text("restore_time_micros IS NULL"),
    postgresql_where=text("restore_time_micros IS NULL"),
)

Index(
    "ix_archived_memories_due",
    archived_memories.c.tenant,
    archived_memories.c.erase_time_micros,
    sqlite_where=text("restore_time_micros IS NULL"),
    postgresql_where=text("restore_time_micros IS NULL"),
)

recalls = Table(
    "recalls",
    metadata,
    Column("memory_id", Identifier, primary_key=True),
    Column("recall_count", BigInteger, nullable=False),
    Column("last_recall_micros", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What has expired by itself; only memories that can expire are in it.
_can_expire = text("expire_time_micros IS NOT NULL AND valid_to_micros IS NULL")
Index(
    "ix_memory_versions_expiring",
    memory_versions.c.tenant,
    memory_versions.c.expire_time_micros,
    sqlite_where=_can_expire,
    postgresql_where=_can_expire,
)
