"""Tenants with settings and counters, and the API keys."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Counts what tenants hold, once; from then on writes keep the counters."""
    _extend_tenants()
    _make_keys()


def _extend_tenants() -> None:
    # The defaults fill the rows that are there, and those of tenants that come with their first write.
    zero = sa.text("0")
    for column in (
        sa.Column("display_name", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("max_memories", sa.BigInteger(), nullable=True),
        sa.Column("max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("update_time_micros", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.Column(
            "memory_count", sa.BigInteger(), nullable=False, server_default=zero, comment="How many versions hold"
        ),
        sa.Column(
            "body_bytes", sa.BigInteger(), nullable=False, server_default=zero, comment="The size of their bodies"
        ),
    ):
        op.add_column("tenants", column)
    size = "length(CAST(body AS BLOB))" if op.get_bind().dialect.name == "sqlite" else "octet_length(body)"
    held = "FROM memory_versions WHERE memory_versions.tenant = tenants.tenant AND valid_to_micros IS NULL"
    op.execute(
        "UPDATE tenants SET update_time_micros = create_time_micros, "  # noqa: S608 (no text of it comes from outside)
        f"memory_count = (SELECT count(*) {held}), "
        f"body_bytes = (SELECT coalesce(sum({size}), 0) {held})"
    )
    make_default = sa.text(
        "INSERT INTO tenants (tenant, create_time_micros, update_time_micros) SELECT 'default', :now, :now "
        "WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE tenant = 'default')"
    )
    op.execute(make_default.bindparams(now=time.time_ns() // 1000))


def _make_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", IDENTIFIER, nullable=False),
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("role", sa.SmallInteger(), nullable=False),
        sa.Column("user_id", IDENTIFIER, nullable=False),
        sa.Column("agent_id", IDENTIFIER, nullable=False),
        sa.Column("app_id", IDENTIFIER, nullable=False),
        sa.Column("session_id", IDENTIFIER, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the secret, which is not kept"),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("create_time_micros", sa.BigInteger(), nullable=False),
        sa.Column("expire_time_micros", sa.BigInteger(), nullable=True),
        sa.Column("revoke_time_micros", sa.BigInteger(), nullable=True),
        sa.Column("last_use_time_micros", sa.BigInteger(), nullable=True),
        sa.Column("requests_per_second", sa.Double(), nullable=True),
        sa.Column("request_burst", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_api_keys_tenant_tenants")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_keys_secret_hash")),
    )
    op.create_index(op.f("ix_api_keys_tenant_key_id"), "api_keys", ["tenant", "key_id"], unique=False)
