"""The first schema."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes all tables, and the one row of the store's state."""
    _make_state()
    _make_owners()
    _make_memories()
    _make_vectors()
    _make_requests()
    _make_outbox()


def _make_state() -> None:
    state = op.create_table(
        "store_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "instance_id",
            sa.Text(),
            nullable=False,
            comment="UUID of this store, so that derived files know whose they are",
        ),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="Sequence number of the last commit"),
        sa.Column("last_version_id", sa.BigInteger(), nullable=False, comment="Highest row id given to a version"),
        sa.CheckConstraint("id = 1", name=op.f("ck_store_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_state")),
    )
    op.bulk_insert(state, [{"id": 1, "instance_id": str(uuid.uuid4()), "revision": 0, "last_version_id": 0}])


def _make_owners() -> None:
    op.create_table(
        "tenants",
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("create_time_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenants")),
    )
    op.create_table(
        "partitions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("owner_kind", sa.SmallInteger(), nullable=False),
        sa.Column("owner_id", IDENTIFIER, nullable=False),
        sa.Column(
            "changed_revision",
            sa.BigInteger(),
            nullable=False,
            comment="Last commit that wrote, ended or embedded a version",
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_partitions_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partitions")),
        sa.UniqueConstraint("tenant", "owner_kind", "owner_id", name=op.f("uq_partitions_tenant_owner_kind_owner_id")),
    )
    op.create_table(
        "scopes",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("partition_id", ROW_ID, nullable=False),
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("user_id", IDENTIFIER, nullable=False),
        sa.Column("agent_id", IDENTIFIER, nullable=False),
        sa.Column("app_id", IDENTIFIER, nullable=False),
        sa.Column("session_id", IDENTIFIER, nullable=False),
        sa.ForeignKeyConstraint(["partition_id"], ["partitions.id"], name=op.f("fk_scopes_partition_id_partitions")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_scopes_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scopes")),
        sa.UniqueConstraint(
            "tenant",
            "user_id",
            "agent_id",
            "app_id",
            "session_id",
            name=op.f("uq_scopes_tenant_user_id_agent_id_app_id_session_id"),
        ),
    )
    op.create_index(op.f("ix_scopes_partition_id"), "scopes", ["partition_id"], unique=False)
    op.create_index(op.f("ix_scopes_tenant_agent_id"), "scopes", ["tenant", "agent_id"], unique=False)
    op.create_index(op.f("ix_scopes_tenant_app_id"), "scopes", ["tenant", "app_id"], unique=False)
    op.create_index(op.f("ix_scopes_tenant_session_id"), "scopes", ["tenant", "session_id"], unique=False)


def _make_memories() -> None:
    op.create_table(
        "memory_versions",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("memory_id", IDENTIFIER, nullable=False),
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("partition_id", ROW_ID, nullable=False),
        sa.Column("scope_id", ROW_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("role", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("event_time_micros", sa.BigInteger(), nullable=True),
        sa.Column("event_time_end_micros", sa.BigInteger(), nullable=True),
        sa.Column("event_time_precision", sa.SmallInteger(), nullable=False),
        sa.Column("create_time_micros", sa.BigInteger(), nullable=False),
        sa.Column("update_time_micros", sa.BigInteger(), nullable=False),
        sa.Column("valid_from_micros", sa.BigInteger(), nullable=False),
        sa.Column("valid_to_micros", sa.BigInteger(), nullable=True),
        sa.Column("expire_time_micros", sa.BigInteger(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("source_ids", sa.Text(), nullable=False),
        sa.Column("entities", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("slot_value", sa.Text(), nullable=False),
        sa.Column("superseded_by", IDENTIFIER, nullable=True),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("importance", sa.Double(), nullable=False),
        sa.Column("is_pinned", sa.Boolean(), nullable=False),
        sa.Column("trust", sa.SmallInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="The commit that wrote it"),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("change", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "is_deleted", sa.Boolean(), nullable=False, comment="The memory is deleted, as all of its versions say"
        ),
        sa.Column(
            "delete_time_micros",
            sa.BigInteger(),
            nullable=True,
            comment="When the deletion that ended this version happened",
        ),
        sa.Column("delete_revision", sa.BigInteger(), nullable=True, comment="The commit of that deletion"),
        sa.ForeignKeyConstraint(
            ["partition_id"], ["partitions.id"], name=op.f("fk_memory_versions_partition_id_partitions")
        ),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name=op.f("fk_memory_versions_scope_id_scopes")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_memory_versions_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memory_versions")),
        sa.UniqueConstraint("memory_id", "version", name=op.f("uq_memory_versions_memory_id_version")),
    )
    op.create_index(
        "ix_memory_versions_listing",
        "memory_versions",
        ["scope_id", "memory_id", "version", "valid_to_micros", "create_time_micros"],
        unique=False,
    )
    op.create_index(op.f("ix_memory_versions_partition_id_id"), "memory_versions", ["partition_id", "id"], unique=False)
    op.create_index(
        op.f("ix_memory_versions_tenant_memory_id_version"),
        "memory_versions",
        ["tenant", "memory_id", "version"],
        unique=False,
    )
    op.create_index(
        "uq_memory_versions_one_holds",
        "memory_versions",
        ["memory_id"],
        unique=True,
        sqlite_where=sa.text("valid_to_micros IS NULL"),
        postgresql_where=sa.text("valid_to_micros IS NULL"),
    )


def _make_vectors() -> None:
    op.create_table(
        "embedding_models",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embedding_models")),
        sa.UniqueConstraint("identity", name=op.f("uq_embedding_models_identity")),
    )
    op.create_index(
        "uq_embedding_models_one_active",
        "embedding_models",
        ["is_active"],
        unique=True,
        sqlite_where=sa.text("is_active"),
        postgresql_where=sa.text("is_active"),
    )
    op.create_table(
        "embeddings",
        sa.Column("version_id", ROW_ID, nullable=False),
        sa.Column("model_id", ROW_ID, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False, comment="Little-endian float32, dimension * 4 bytes"),
        sa.ForeignKeyConstraint(
            ["model_id"], ["embedding_models.id"], name=op.f("fk_embeddings_model_id_embedding_models")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["memory_versions.id"], name=op.f("fk_embeddings_version_id_memory_versions")
        ),
        sa.PrimaryKeyConstraint("version_id", "model_id", name=op.f("pk_embeddings")),
    )
    op.create_table(
        "pending_vectors",
        sa.Column("version_id", ROW_ID, nullable=False),
        sa.Column("model_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["embedding_models.id"], name=op.f("fk_pending_vectors_model_id_embedding_models")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["memory_versions.id"], name=op.f("fk_pending_vectors_version_id_memory_versions")
        ),
        sa.PrimaryKeyConstraint("version_id", "model_id", name=op.f("pk_pending_vectors")),
        sqlite_with_rowid=False,
    )


def _make_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("method", IDENTIFIER, nullable=False),
        sa.Column("request_id", IDENTIFIER, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("create_time_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_requests_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "method", "request_id", name=op.f("pk_requests")),
    )
    op.create_index(op.f("ix_requests_create_time_micros"), "requests", ["create_time_micros"], unique=False)


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant", IDENTIFIER, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("memory_ids", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column(
            "due_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Next attempt, or the lease's end while running; null when given up",
        ),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("create_time_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_outbox_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["kind", "id", "due_micros"],
        unique=False,
        sqlite_where=sa.text("due_micros IS NOT NULL"),
        postgresql_where=sa.text("due_micros IS NOT NULL"),
    )
