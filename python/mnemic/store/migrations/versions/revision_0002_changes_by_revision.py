"""What happened to versions after they were written, by revision: what an index has to catch up with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns. They stay null in rows that are there: nothing was derived from this store before."""
    op.add_column(
        "partitions",
        sa.Column(
            "rebuild_revision",
            sa.BigInteger(),
            nullable=True,
            comment="What was derived from an older revision is to be made anew",
        ),
    )
    op.add_column(
        "memory_versions",
        sa.Column(
            "changed_revision",
            sa.BigInteger(),
            nullable=True,
            comment="Last commit that ended, deleted or embedded it, if any did",
        ),
    )
    op.add_column(
        "memory_versions",
        sa.Column(
            "renewed_revision",
            sa.BigInteger(),
            nullable=True,
            comment="Last commit that embedded it after it was written, if any did",
        ),
    )
    op.create_index(
        "ix_memory_versions_changed",
        "memory_versions",
        ["partition_id", "changed_revision"],
        unique=False,
        sqlite_where=sa.text("changed_revision IS NOT NULL"),
        postgresql_where=sa.text("changed_revision IS NOT NULL"),
    )
