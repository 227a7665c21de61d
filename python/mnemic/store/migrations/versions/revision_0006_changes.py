"""Deletions and supersessions by revision: what happened after one can be told in order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the indexes."""
    is_deleted = sa.text("delete_revision IS NOT NULL")
    op.create_index(
        "ix_memory_versions_deleted",
        "memory_versions",
        ["tenant", "delete_revision"],
        unique=False,
        sqlite_where=is_deleted,
        postgresql_where=is_deleted,
    )
    op.create_index("ix_supersessions_revision", "supersessions", ["revision"], unique=False)
