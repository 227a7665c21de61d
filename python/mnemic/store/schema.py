"""Brings a database to the current schema by the migrations that the package carries."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select
from sqlalchemy.sql import column, table

from mnemic.model.errors import MnemicError, Reason

# The last of the migrations (a test holds it): a database that has it needs no look at them.
HEAD = "0013"


def current_revision(connection: Connection) -> str | None:
    """The migration that the database has reached; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(select(column("version_num")).select_from(table("alembic_version"))).scalar_one_or_none()


def migrate(connection: Connection) -> None:
    """Applies the migrations that are missing, all in the transaction of `connection`.

    Raises:
        MnemicError: STORE_UNAVAILABLE when the database was written by a newer Mnemic.
    """
    if current_revision(connection) == HEAD:
        return
    # Alembic takes a tenth of a second to import, and an up-to-date database does not need it.
    from alembic import command  # noqa: PLC0415 (the reason above)
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "mnemic.store:migrations")
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise MnemicError(
            Reason.STORE_UNAVAILABLE,
            f"the database has the schema {current_revision(connection)!r}, which this version of Mnemic (schema "
            f"{HEAD!r}) does not know: it was written by a newer one; upgrade the package mnemic",
            metadata={"known_schema": HEAD},
        ) from error
