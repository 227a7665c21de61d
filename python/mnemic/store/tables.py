"""The tables, for every dialect. Times are microseconds since 1970-01-01 UTC, structured columns are canonical JSON.

How it hangs together:

- A *version* is a row of `memory_versions`; all versions of a memory share its id, tenant, scope and partition. A
  version holds while `valid_to_micros` is null, and at most one of a memory does.
- A supersession closes the validity of a version and is recorded in `supersessions`, since late news may close it again
  at another time.
- A fact that holds has a `fact_key`: within a scope no two of the same content have the same one. It is null where a
  caller's own change (an update, a restoration) made a memory say what another one says.
- A deletion is recorded on the version that it ended (`delete_*`) and flags every version of the memory
  (`is_deleted`), so that reads need not look at other rows to know.
- Row ids of versions are drawn from `store_state` in the transaction that inserts them: they grow in the order of
  commits, and rows and their vectors go in as two plain bulk inserts.
- An absent scope id is stored as the empty text, which no id can be, since null is unequal to itself under a unique
  constraint.
- What an index of a partition must catch up with is found by revision: rows written since are the last ones by row id;
  of the others `changed_revision` and `renewed_revision` say. Both are null, and cost nothing, until something happens
  to the version after it was written. What they cannot express makes the partition's `rebuild_revision`.
- A tenant's counters follow the versions that hold, in the transaction that makes or ends them, so that a quota costs
  one update and no count. Tenants and keys are no part of the revision: no index is derived from them.
- In a store that is encrypted (`mnemic.store.sealing`) the words of a version are in `sealed`, its vectors are sealed
  each, and `slot`, `fact_key` and `content_hash` hold keyed hashes. The keys are in another file.
- `pending_vectors` lists what has no vector of a model yet, so that finding the work left costs what the work left
  is, not what the store holds.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite makes only a column declared INTEGER its row id.
RowId = BigInteger().with_variant(Integer(), "sqlite")
# Ids are compared byte by byte and ordered so everywhere; SQLite's default collation already does.
Identifier = Text().with_variant(Text(collation="C"), "postgresql")

store_state = Table(
    "store_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column(
        "instance_id", Text, nullable=False, comment="UUID of this store, so that derived files know whose they are"
    ),
    Column("revision", BigInteger, nullable=False, comment="Sequence number of the last commit"),
    Column("last_version_id", BigInteger, nullable=False, comment="Highest row id given to a version"),
    Column("removed_revision", BigInteger, comment="Last commit that removed partitions, if any did"),
    Column("sealing", Text, nullable=False, server_default=text("''"), comment="How much of the store is encrypted"),
    Column("key_id", LargeBinary, comment="The data key of what belongs to no scope"),
    CheckConstraint("id = 1", name="one_row"),
)

tenants = Table(
    "tenants",
    metadata,
    Column("tenant", Identifier, primary_key=True),
    Column("create_time_micros", BigInteger, nullable=False),
    Column("display_name", Text, nullable=False, server_default=text("''")),
    Column("max_memories", BigInteger),
    Column("max_bytes", BigInteger),
    Column("update_time_micros", BigInteger, nullable=False, server_default=text("0")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("memory_count", BigInteger, nullable=False, server_default=text("0"), comment="How many versions hold"),
    Column("body_bytes", BigInteger, nullable=False, server_default=text("0"), comment="The size of their bodies"),
    Column("extraction", Text, comment="JSON of its rules; null for none"),
    Column("defence", Text, comment="JSON of what happens to secrets and personal data; null for the server's setting"),
)

extraction_usage = Table(
    "extraction_usage",
    metadata,
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("month", Integer, nullable=False, comment="Year * 100 + month, UTC"),
    Column("batches", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost_micros", BigInteger, nullable=False),
    Column("duration_micros", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "month"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Identifier, primary_key=True),
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("role", SmallInteger, nullable=False),
    Column("user_id", Identifier, nullable=False),
    Column("agent_id", Identifier, nullable=False),
    Column("app_id", Identifier, nullable=False),
    Column("session_id", Identifier, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, comment="SHA-256 of the secret, which is not kept", unique=True),
    Column("prefix", Text, nullable=False),
    Column("create_time_micros", BigInteger, nullable=False),
    Column("expire_time_micros", BigInteger),
    Column("revoke_time_micros", BigInteger),
    Column("last_use_time_micros", BigInteger),
    Column("requests_per_second", Double),
    Column("request_burst", Integer),
    # Listing a tenant's keys by creation: ids sort so.
    Index(None, "tenant", "key_id"),
)

partitions = Table(
    "partitions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("owner_kind", SmallInteger, nullable=False),
    Column("owner_id", Identifier, nullable=False),
    Column(
        "changed_revision", BigInteger, nullable=False, comment="Last commit that wrote, ended or embedded a version"
    ),
    Column("rebuild_revision", BigInteger, comment="What was derived from an older revision is to be made anew"),
    UniqueConstraint("tenant", "owner_kind", "owner_id"),
)

scopes = Table(
    "scopes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partition_id", RowId, ForeignKey("partitions.id"), nullable=False),
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("user_id", Identifier, nullable=False),
    Column("agent_id", Identifier, nullable=False),
    Column("app_id", Identifier, nullable=False),
    Column("session_id", Identifier, nullable=False),
    Column("key_id", LargeBinary, comment="The data key of its memories"),
    UniqueConstraint("tenant", "user_id", "agent_id", "app_id", "session_id"),
    Index(None, "partition_id"),
    Index(None, "tenant", "agent_id"),
    Index(None, "tenant", "app_id"),
    Index(None, "tenant", "session_id"),
)

memory_versions = Table(
    "memory_versions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("memory_id", Identifier, nullable=False),
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("partition_id", RowId, ForeignKey("partitions.id"), nullable=False),
    Column("scope_id", RowId, ForeignKey("scopes.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("role", SmallInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("event_time_micros", BigInteger),
    Column("event_time_end_micros", BigInteger),
    Column("event_time_precision", SmallInteger, nullable=False),
    Column("create_time_micros", BigInteger, nullable=False),
    Column("update_time_micros", BigInteger, nullable=False),
    Column("valid_from_micros", BigInteger, nullable=False),
    Column("valid_to_micros", BigInteger),
    Column("expire_time_micros", BigInteger),
    Column("metadata", Text, nullable=False),
    Column("categories", Text, nullable=False),
    Column("source_ids", Text, nullable=False),
    Column("entities", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("slot_value", Text, nullable=False),
    Column("superseded_by", Identifier),
    Column("confidence", Double, nullable=False),
    Column("importance", Double, nullable=False),
    Column("is_pinned", Boolean, nullable=False),
    Column("trust", SmallInteger, nullable=False),
    Column("revision", BigInteger, nullable=False, comment="The commit that wrote it"),
    Column("content_hash", Text, nullable=False),
    Column("fact_key", Text, comment="What tells facts of the same content apart; null for what is not told apart"),
    Column(
        "takes_slot",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="It is the one value of its slot while it holds",
    ),
    Column("change", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("is_deleted", Boolean, nullable=False, comment="The memory is deleted, as all of its versions say"),
    Column("delete_time_micros", BigInteger, comment="When the deletion that ended this version happened"),
    Column("delete_revision", BigInteger, comment="The commit of that deletion"),
    Column("changed_revision", BigInteger, comment="Last commit that ended, deleted or embedded it, if any did"),
    Column("renewed_revision", BigInteger, comment="Last commit that embedded it after it was written, if any did"),
    Column("erasure_id", RowId, comment="The erasure that is to destroy it: it is hidden"),
    Column("sealed", LargeBinary, comment="Encrypted, what the columns with words would hold; those are empty then"),
    Column("body_bytes", Integer, comment="The size of an encrypted body"),
    UniqueConstraint("memory_id", "version"),
    # Loading a partition in the order written.
    Index(None, "partition_id", "id"),
    # Listing a tenant newest first.
    Index(None, "tenant", "memory_id", "version"),
    # Listing a scope newest first; the last two columns let it skip what ended, and count, without touching rows.
    Index("ix_memory_versions_listing", "scope_id", "memory_id", "version", "valid_to_micros", "create_time_micros"),
)

Index(
    "uq_memory_versions_one_holds",
    memory_versions.c.memory_id,
    unique=True,
    sqlite_where=memory_versions.c.valid_to_micros.is_(None),
    postgresql_where=memory_versions.c.valid_to_micros.is_(None),
)

Index(
    "uq_memory_versions_one_says",
    memory_versions.c.scope_id,
    memory_versions.c.content_hash,
    memory_versions.c.fact_key,
    unique=True,
    sqlite_where=text("valid_to_micros IS NULL AND fact_key IS NOT NULL"),
    postgresql_where=text("valid_to_micros IS NULL AND fact_key IS NOT NULL"),
)

# What holds in a slot, and what held there after a time.
Index(
    "ix_memory_versions_slot",
    memory_versions.c.scope_id,
    memory_versions.c.slot,
    memory_versions.c.valid_to_micros,
    sqlite_where=text("slot <> ''"),
    postgresql_where=text("slot <> ''"),
)

Index(
    "ix_memory_versions_changed",
    memory_versions.c.partition_id,
    memory_versions.c.changed_revision,
    sqlite_where=memory_versions.c.changed_revision.is_not(None),
    postgresql_where=memory_versions.c.changed_revision.is_not(None),
)

# Deletions and supersessions in the order of commits, for those who follow them.
Index(
    "ix_memory_versions_deleted",
    memory_versions.c.tenant,
    memory_versions.c.delete_revision,
    sqlite_where=memory_versions.c.delete_revision.is_not(None),
    postgresql_where=memory_versions.c.delete_revision.is_not(None),
)

supersessions = Table(
    "supersessions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("version_id", RowId, ForeignKey("memory_versions.id"), nullable=False),
    Column("superseded_by", Identifier, nullable=False),
    Column("valid_to_micros", BigInteger, nullable=False, comment="The end that it set"),
    Column("reason", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, comment="The commit"),
    Column("create_time_micros", BigInteger, nullable=False),
    Index(None, "version_id"),
    Index(None, "revision"),
)

embedding_models = Table(
    "embedding_models",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("identity", Text, nullable=False, unique=True),
    Column("dimension", Integer, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column(
        "fill_start_micros",
        BigInteger,
        comment="When its vectors began to be made for what was there; null for the first, and for what is to be "
        "dropped",
    ),
    Column("fill_time_micros", BigInteger, comment="When that last got further"),
    Column("fill_error", Text, comment="Why it last did not; empty when it did"),
)

Index(
    "uq_embedding_models_one_active",
    embedding_models.c.is_active,
    unique=True,
    sqlite_where=text("is_active"),
    postgresql_where=text("is_active"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("version_id", RowId, ForeignKey("memory_versions.id"), nullable=False),
    Column("model_id", RowId, ForeignKey("embedding_models.id"), nullable=False),
    Column("vector", LargeBinary, nullable=False, comment="Little-endian float32, dimension * 4 bytes"),
    PrimaryKeyConstraint("version_id", "model_id"),
)

pending_vectors = Table(
    "pending_vectors",
    metadata,
    Column("version_id", RowId, ForeignKey("memory_versions.id"), nullable=False),
    Column("model_id", RowId, ForeignKey("embedding_models.id"), nullable=False),
    PrimaryKeyConstraint("version_id", "model_id"),
    sqlite_with_rowid=False,
)

requests = Table(
    "requests",
    metadata,
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("method", Identifier, nullable=False),
    Column("request_id", Identifier, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("response", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("create_time_micros", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "method", "request_id"),
    Index(None, "create_time_micros"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("tenant", Identifier, ForeignKey("tenants.tenant"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("memory_ids", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_micros", BigInteger, comment="Next attempt, or the lease's end while running; null when given up"),
    Column("last_error", Text, nullable=False),
    Column("create_time_micros", BigInteger, nullable=False),
    Column("operation_id", Identifier, comment="What a caller knows it by; null for what nobody asks for"),
    Column("end_time_micros", BigInteger, comment="When it was done or given up"),
    Column("made_ids", Text, nullable=False, server_default=text("'[]'"), comment="The memories that it made"),
    Column("done_revision", BigInteger, comment="The commit that did it"),
    Column("is_held", Boolean, nullable=False, server_default=false(), comment="It waits for a larger budget"),
    # An id that was finished is never given to other work: a late finish must not remove it.
    sqlite_autoincrement=True,
)

# Tenants take turns.
Index(
    "ix_outbox_turn",
    outbox.c.kind,
    outbox.c.tenant,
    outbox.c.id,
    sqlite_where=outbox.c.due_micros.is_not(None),
    postgresql_where=outbox.c.due_micros.is_not(None),
)

Index(
    "ix_outbox_operation",
    outbox.c.operation_id,
    sqlite_where=outbox.c.operation_id.is_not(None),
    postgresql_where=outbox.c.operation_id.is_not(None),
)

# What was done and what was given up.
Index(
    "ix_outbox_ended",
    outbox.c.state,
    outbox.c.end_time_micros,
    sqlite_where=outbox.c.due_micros.is_(None),
    postgresql_where=outbox.c.due_micros.is_(None),
)

Index(
    "ix_outbox_due",
    outbox.c.kind,
    outbox.c.id,
    outbox.c.due_micros,
    sqlite_where=outbox.c.due_micros.is_not(None),
    postgresql_where=outbox.c.due_micros.is_not(None),
)
