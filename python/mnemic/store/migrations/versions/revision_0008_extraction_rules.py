"""How a tenant's facts are drawn, what that cost, and work that waits for a budget."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds the columns and the table."""
    op.add_column(
        "tenants", sa.Column("extraction", sa.Text(), nullable=True, comment="JSON of its rules; null for none")
    )
    op.add_column(
        "outbox",
        sa.Column(
            "is_held", sa.Boolean(), nullable=False, server_default=sa.false(), comment="It waits for a larger budget"
        ),
    )
    op.create_table(
        "extraction_usage",
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("month", sa.Integer(), nullable=False, comment="Year * 100 + month, UTC"),
        sa.Column("batches", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("duration_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_extraction_usage_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "month", name=op.f("pk_extraction_usage")),
    )
