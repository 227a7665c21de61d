"""The tables of erasure: what is being destroyed, what was, and which facts came from which memories."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from mnemic.store.tables import Identifier, RowId, memory_versions, metadata, supersessions

# An erasure outlives what it destroyed, even its tenant: so no foreign keys.
erasures = Table(
    "erasures",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("erasure_id", Identifier, nullable=False, unique=True),
    Column("caller", Identifier, nullable=False, comment="The tenant that asked and may read of it"),
    Column("tenant", Identifier, nullable=False, comment="Whose memories"),
    Column("kind", Text, nullable=False, comment="scope, memory or tenant"),
    Column("target", Text, nullable=False, comment="JSON of the ids; emptied before the files are cleaned"),
    Column("drops_tenant", Integer, nullable=False, comment="1 if the tenant itself goes as well"),
    Column("salt", LargeBinary, nullable=False, comment="Of `target_hash` and `fingerprint`"),
    Column("target_hash", LargeBinary, nullable=False, comment="SHA-256 of the salt and the target"),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("request_id", Identifier, comment="The caller's; null without one"),
    Column("fingerprint", LargeBinary, nullable=False, comment="SHA-256 of the salt and what was asked"),
    Column("step", Text, nullable=False, comment="What is to be done next"),
    Column("last_version_id", BigInteger, nullable=False, comment="Memories that came later are not meant"),
    Column("first_revision", BigInteger, nullable=False, comment="The commit before it"),
    Column("revision", BigInteger, nullable=False, comment="Its last commit"),
    Column("places", Text, nullable=False, comment="JSON: what was found, destroyed and kept, by place"),
    Column("last_error", Text, nullable=False),
    Column("create_time_micros", BigInteger, nullable=False),
    Column("end_time_micros", BigInteger),
    Column("document", LargeBinary, comment="The receipt"),
    Column("signature", LargeBinary),
    Column("public_key", LargeBinary),
    Index(None, "caller", "id"),
)

Index(
    "uq_erasures_request",
    erasures.c.caller,
    erasures.c.request_id,
    unique=True,
    sqlite_where=text("request_id IS NOT NULL"),
    postgresql_where=text("request_id IS NOT NULL"),
)

Index(
    "ix_erasures_unfinished",
    erasures.c.id,
    sqlite_where=text("end_time_micros IS NULL"),
    postgresql_where=text("end_time_micros IS NULL"),
)

# By what a memory was derived from: what `memory_versions.source_ids` says, the other way round.
derivations = Table(
    "derivations",
    metadata,
    Column("version_id", RowId, ForeignKey("memory_versions.id"), nullable=False),
    Column("source_id", Identifier, nullable=False),
    PrimaryKeyConstraint("version_id", "source_id"),
    Index(None, "source_id"),
    sqlite_with_rowid=False,
)

Index(
    "ix_memory_versions_erasing",
    memory_versions.c.erasure_id,
    sqlite_where=text("erasure_id IS NOT NULL"),
    postgresql_where=text("erasure_id IS NOT NULL"),
)

Index(
    "ix_memory_versions_superseded_by",
    memory_versions.c.superseded_by,
    sqlite_where=text("superseded_by IS NOT NULL"),
    postgresql_where=text("superseded_by IS NOT NULL"),
)

Index("ix_supersessions_superseded_by", supersessions.c.superseded_by)
