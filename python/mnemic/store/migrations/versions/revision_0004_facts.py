"""Facts: slots, supersession, and no two in a scope that say the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Of facts that say the same already the first is the one that takes later ones' sources; all stay."""
    _extend_versions()
    _make_supersessions()


def _extend_versions() -> None:
    op.add_column(
        "memory_versions",
        sa.Column(
            "fact_key",
            sa.Text(),
            nullable=True,
            comment="What tells facts of the same content apart; null for what is not told apart",
        ),
    )
    op.add_column(
        "memory_versions",
        sa.Column(
            "takes_slot",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="It is the one value of its slot while it holds",
        ),
    )
    # A fact without a slot is told apart by its event time; before this migration none had a slot.
    op.execute(
        "UPDATE memory_versions SET fact_key = CASE WHEN event_time_micros IS NULL THEN '' "
        "ELSE '@' || event_time_micros END WHERE id IN (SELECT min(id) FROM memory_versions "
        "WHERE kind = 2 AND valid_to_micros IS NULL GROUP BY scope_id, content_hash, event_time_micros)"
    )
    op.create_index(
        "uq_memory_versions_one_says",
        "memory_versions",
        ["scope_id", "content_hash", "fact_key"],
        unique=True,
        sqlite_where=sa.text("valid_to_micros IS NULL AND fact_key IS NOT NULL"),
        postgresql_where=sa.text("valid_to_micros IS NULL AND fact_key IS NOT NULL"),
    )
    op.create_index(
        "ix_memory_versions_slot",
        "memory_versions",
        ["scope_id", "slot", "valid_to_micros"],
        unique=False,
        sqlite_where=sa.text("slot <> ''"),
        postgresql_where=sa.text("slot <> ''"),
    )


def _make_supersessions() -> None:
    op.create_table(
        "supersessions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("version_id", ROW_ID, nullable=False),
        sa.Column("superseded_by", IDENTIFIER, nullable=False),
        sa.Column("valid_to_micros", sa.BigInteger(), nullable=False, comment="The end that it set"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="The commit"),
        sa.Column("create_time_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["memory_versions.id"], name=op.f("fk_supersessions_version_id_memory_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supersessions")),
    )
    op.create_index(op.f("ix_supersessions_version_id"), "supersessions", ["version_id"], unique=False)
