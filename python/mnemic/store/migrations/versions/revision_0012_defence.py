"""What happens to secrets and personal data in what a tenant writes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column."""
    op.add_column(
        "tenants",
        sa.Column(
            "defence",
            sa.Text(),
            nullable=True,
            comment="JSON of what happens to secrets and personal data; null for the server's setting",
        ),
    )
