"""Since when, and how far, the vectors of another embedding model are made."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; a model that was being filled goes on."""
    op.add_column(
        "embedding_models",
        sa.Column(
            "fill_start_micros",
            sa.BigInteger(),
            comment="When its vectors began to be made for what was there; null for the first, and for what is to be "
            "dropped",
        ),
    )
    op.add_column(
        "embedding_models", sa.Column("fill_time_micros", sa.BigInteger(), comment="When that last got further")
    )
    op.add_column(
        "embedding_models", sa.Column("fill_error", sa.Text(), comment="Why it last did not; empty when it did")
    )
    models = sa.table(
        "embedding_models",
        sa.column("is_active", sa.Boolean()),
        sa.column("fill_start_micros", sa.BigInteger()),
        sa.column("fill_time_micros", sa.BigInteger()),
        sa.column("fill_error", sa.Text()),
    )
    now = time.time_ns() // 1000
    op.execute(
        models.update().where(~models.c.is_active).values(fill_start_micros=now, fill_time_micros=now, fill_error="")
    )
