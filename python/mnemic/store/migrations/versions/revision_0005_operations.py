"""Work that callers can follow: operations, what they made, and what was given up when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds the columns. Work that was given up before does not say when."""
    for column in (
        sa.Column(
            "operation_id",
            IDENTIFIER,
            nullable=True,
            comment="What a caller knows it by; null for what nobody asks for",
        ),
        sa.Column("end_time_micros", sa.BigInteger(), nullable=True, comment="When it was done or given up"),
        sa.Column(
            "made_ids", sa.Text(), nullable=False, server_default=sa.text("'[]'"), comment="The memories that it made"
        ),
        sa.Column("done_revision", sa.BigInteger(), nullable=True, comment="The commit that did it"),
    ):
        op.add_column("outbox", column)
    for name, columns, where in (
        ("ix_outbox_turn", ["kind", "tenant", "id"], "due_micros IS NOT NULL"),
        ("ix_outbox_operation", ["operation_id"], "operation_id IS NOT NULL"),
        ("ix_outbox_ended", ["state", "end_time_micros"], "due_micros IS NULL"),
    ):
        condition = sa.text(where)
        op.create_index(name, "outbox", columns, unique=False, sqlite_where=condition, postgresql_where=condition)
