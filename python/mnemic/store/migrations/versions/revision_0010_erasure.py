"""Erasure: its state, and what finds everything that came from a memory."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """What facts that are there came from is read from their lists of sources."""
    op.add_column(
        "memory_versions",
        sa.Column("erasure_id", ROW_ID, nullable=True, comment="The erasure that is to destroy it: it is hidden"),
    )
    op.add_column(
        "store_state",
        sa.Column(
            "removed_revision",
            sa.BigInteger(),
            nullable=True,
            comment="Last commit that removed partitions, if any did",
        ),
    )
    for name, columns, where in (
        ("ix_memory_versions_erasing", ["erasure_id"], "erasure_id IS NOT NULL"),
        ("ix_memory_versions_superseded_by", ["superseded_by"], "superseded_by IS NOT NULL"),
    ):
        condition = sa.text(where)
        op.create_index(
            name, "memory_versions", columns, unique=False, sqlite_where=condition, postgresql_where=condition
        )
    op.create_index("ix_supersessions_superseded_by", "supersessions", ["superseded_by"], unique=False)
    _make_derivations()
    _make_erasures()


def _make_derivations() -> None:
    derivations = op.create_table(
        "derivations",
        sa.Column("version_id", ROW_ID, nullable=False),
        sa.Column("source_id", IDENTIFIER, nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["memory_versions.id"], name=op.f("fk_derivations_version_id_memory_versions")
        ),
        sa.PrimaryKeyConstraint("version_id", "source_id", name=op.f("pk_derivations")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_derivations_source_id"), "derivations", ["source_id"], unique=False)
    connection = op.get_bind()
    derived = connection.execute(sa.text("SELECT id, source_ids FROM memory_versions WHERE source_ids <> '[]'"))
    for rows in iter(lambda: derived.fetchmany(1000), []):
        links = [{"source_id": source, "version_id": row[0]} for row in rows for source in set(json.loads(row[1]))]
        connection.execute(sa.insert(derivations), links)


def _make_erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("erasure_id", IDENTIFIER, nullable=False),
        sa.Column("caller", IDENTIFIER, nullable=False, comment="The tenant that asked and may read of it"),
        sa.Column("tenant", IDENTIFIER, nullable=False, comment="Whose memories"),
        sa.Column("kind", sa.Text(), nullable=False, comment="scope, memory or tenant"),
        sa.Column("target", sa.Text(), nullable=False, comment="JSON of the ids; emptied before the files are cleaned"),
        sa.Column("drops_tenant", sa.Integer(), nullable=False, comment="1 if the tenant itself goes as well"),
        sa.Column("salt", sa.LargeBinary(), nullable=False, comment="Of `target_hash` and `fingerprint`"),
        sa.Column("target_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the salt and the target"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("request_id", IDENTIFIER, nullable=True, comment="The caller's; null without one"),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False, comment="SHA-256 of the salt and what was asked"),
        sa.Column("step", sa.Text(), nullable=False, comment="What is to be done next"),
        sa.Column("last_version_id", sa.BigInteger(), nullable=False, comment="Memories that came later are not meant"),
        sa.Column("first_revision", sa.BigInteger(), nullable=False, comment="The commit before it"),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="Its last commit"),
        sa.Column("places", sa.Text(), nullable=False, comment="JSON: what was found, destroyed and kept, by place"),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("create_time_micros", sa.BigInteger(), nullable=False),
        sa.Column("end_time_micros", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=True, comment="The receipt"),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("erasure_id", name=op.f("uq_erasures_erasure_id")),
    )
    op.create_index(op.f("ix_erasures_caller_id"), "erasures", ["caller", "id"], unique=False)
    for name, columns, where, unique in (
        ("uq_erasures_request", ["caller", "request_id"], "request_id IS NOT NULL", True),
        ("ix_erasures_unfinished", ["id"], "end_time_micros IS NULL", False),
    ):
        condition = sa.text(where)
        op.create_index(name, "erasures", columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
