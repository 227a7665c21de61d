"""Encryption at rest: where what is encrypted lies, and under which keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns. A store stays plain until it is told otherwise."""
    for table, column in (
        (
            "store_state",
            sa.Column(
                "sealing",
                sa.Text(),
                nullable=False,
                server_default=sa.text("''"),
                comment="How much of the store is encrypted",
            ),
        ),
        (
            "store_state",
            sa.Column("key_id", sa.LargeBinary(), nullable=True, comment="The data key of what belongs to no scope"),
        ),
        ("scopes", sa.Column("key_id", sa.LargeBinary(), nullable=True, comment="The data key of its memories")),
        (
            "memory_versions",
            sa.Column(
                "sealed",
                sa.LargeBinary(),
                nullable=True,
                comment="Encrypted, what the columns with words would hold; those are empty then",
            ),
        ),
        (
            "memory_versions",
            sa.Column("body_bytes", sa.Integer(), nullable=True, comment="The size of an encrypted body"),
        ),
    ):
        op.add_column(table, column)
