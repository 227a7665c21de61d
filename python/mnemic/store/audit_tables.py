"""The tables of the audit log. Triggers forbid to change or remove an entry."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    event,
)

from mnemic.store.tables import Identifier, metadata

# A log outlives its tenant: so no foreign keys.
audit_logs = Table(
    "audit_logs",
    metadata,
    Column("tenant", Identifier, primary_key=True),
    Column("salt", LargeBinary, nullable=False, comment="Of the hashes of ids"),
    Column("last_sequence", BigInteger, nullable=False),
    Column("last_hash", LargeBinary, nullable=False, comment="Of the last entry"),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("tenant", Identifier, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("event_time_micros", BigInteger, nullable=False),
    Column("principal", Text, nullable=False),
    Column("action", SmallInteger, nullable=False),
    Column("method", Text, nullable=False),
    Column("code", Integer, nullable=False),
    Column("scope_hashes", Text, nullable=False, comment="JSON"),
    Column("memory_ids", Text, nullable=False, comment="JSON"),
    Column("memory_count", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("entry_hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "sequence"),
)

for _name, _event in (("update", "UPDATE"), ("delete", "DELETE")):
    event.listen(
        audit_entries,
        "after_create",
        DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
            f"CREATE TRIGGER audit_entries_no_{_name} BEFORE {_event} ON audit_entries "
            "BEGIN SELECT RAISE(ABORT, 'the audit log can only be added to'); END"
        ).execute_if(dialect="sqlite"),
    )
