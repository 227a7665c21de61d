"""How Alembic runs here: on the connection, and in the transaction, that the caller gives; there is no ini file."""

from __future__ import annotations

from alembic import context

from mnemic.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
