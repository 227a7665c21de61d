"""The audit log: a chain of entries for each tenant, to which can only be added."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the tables, and what forbids to change an entry."""
    identifier = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "audit_logs",
        sa.Column("tenant", identifier, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False, comment="Of the hashes of ids"),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(), nullable=False, comment="Of the last entry"),
        sa.PrimaryKeyConstraint("tenant", name="pk_audit_logs"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("tenant", identifier, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_time_micros", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("action", sa.SmallInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("scope_hashes", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("memory_ids", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("memory_count", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("entry_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "sequence", name="pk_audit_entries"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, event in (("update", "UPDATE"), ("delete", "DELETE")):
            op.execute(
                f"CREATE TRIGGER audit_entries_no_{name} BEFORE {event} ON audit_entries "
                "BEGIN SELECT RAISE(ABORT, 'the audit log can only be added to'); END"
            )
