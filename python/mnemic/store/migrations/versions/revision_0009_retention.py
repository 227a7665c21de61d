"""Retention: policies, legal holds, runs, the archive, and how often memories are recalled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the tables, empty: without a policy nothing goes."""
    _add_policies_and_holds()
    _add_runs()
    _add_archive()
    op.create_table(
        "recalls",
        sa.Column("memory_id", IDENTIFIER, nullable=False),
        sa.Column("recall_count", sa.BigInteger(), nullable=False),
        sa.Column("last_recall_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("memory_id", name=op.f("pk_recalls")),
        sqlite_with_rowid=False,
    )
    can_expire = sa.text("expire_time_micros IS NOT NULL AND valid_to_micros IS NULL")
    op.create_index(
        "ix_memory_versions_expiring",
        "memory_versions",
        ["tenant", "expire_time_micros"],
        unique=False,
        sqlite_where=can_expire,
        postgresql_where=can_expire,
    )


def _add_policies_and_holds() -> None:
    op.create_table(
        "retention_policies",
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("policy_id", IDENTIFIER, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False, comment="Canonical JSON of the whole policy"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_retention_policies_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "policy_id", name=op.f("pk_retention_policies")),
    )
    op.create_table(
        "legal_holds",
        sa.Column("hold_id", IDENTIFIER, nullable=False),
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("user_id", IDENTIFIER, nullable=False),
        sa.Column("agent_id", IDENTIFIER, nullable=False),
        sa.Column("app_id", IDENTIFIER, nullable=False),
        sa.Column("session_id", IDENTIFIER, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("create_time_micros", sa.BigInteger(), nullable=False),
        sa.Column("release_time_micros", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_legal_holds_tenant_tenants")),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_legal_holds")),
    )
    op.create_index("ix_legal_holds_tenant_hold_id", "legal_holds", ["tenant", "hold_id"], unique=False)


def _add_runs() -> None:
    op.create_table(
        "retention_runs",
        sa.Column("run_id", IDENTIFIER, nullable=False),
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("selection", sa.Text(), nullable=False, comment="Which scopes and policies were asked for"),
        sa.Column("policies", sa.Text(), nullable=False, comment="The policies as they were when it began"),
        sa.Column("takes_expired", sa.Boolean(), nullable=False),
        sa.Column(
            "reference_time_micros", sa.BigInteger(), nullable=False, comment="The time that its limits count from"
        ),
        sa.Column(
            "last_version_id", sa.BigInteger(), nullable=False, comment="What was written later is not its business"
        ),
        sa.Column("progress", sa.Text(), nullable=False, comment="How far it is, and what it has counted"),
        sa.Column("start_time_micros", sa.BigInteger(), nullable=False),
        sa.Column("end_time_micros", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="Of its last write"),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_retention_runs_tenant_tenants")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_retention_runs")),
    )
    op.create_index(
        "ix_retention_runs_tenant_start_time_micros", "retention_runs", ["tenant", "start_time_micros"], unique=False
    )
    is_open = sa.text("end_time_micros IS NULL")
    op.create_index(
        "ix_retention_runs_open",
        "retention_runs",
        ["start_time_micros"],
        unique=False,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )


def _add_archive() -> None:
    op.create_table(
        "archived_memories",
        sa.Column("version_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("memory_id", IDENTIFIER, nullable=False),
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("policy_id", IDENTIFIER, nullable=False, comment="Empty when it expired by itself"),
        sa.Column("cause", sa.SmallInteger(), nullable=False),
        sa.Column("retention_score", sa.Double(), nullable=True),
        sa.Column("archive_time_micros", sa.BigInteger(), nullable=False),
        sa.Column("erase_time_micros", sa.BigInteger(), nullable=False),
        sa.Column(
            "restore_time_micros",
            sa.BigInteger(),
            nullable=True,
            comment="When it was brought back; null while it is archived",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["memory_versions.id"],
            name=op.f("fk_archived_memories_version_id_memory_versions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_archived_memories_tenant_tenants")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_archived_memories")),
    )
    op.create_index("ix_archived_memories_memory_id", "archived_memories", ["memory_id"], unique=False)
    is_archived = sa.text("restore_time_micros IS NULL")
    for name, columns in (
        ("ix_archived_memories_listing", ["tenant", "archive_time_micros", "version_id"]),
        ("ix_archived_memories_due", ["tenant", "erase_time_micros"]),
    ):
        op.create_index(
            name,
            "archived_memories",
            columns,
            unique=False,
            sqlite_where=is_archived,
            postgresql_where=is_archived,
        )
