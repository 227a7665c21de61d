"""What was derived from what, so that all that came from a memory is found by its id."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert

from mnemic.model.memory import Memory
from mnemic.store.erasure_tables import derivations

_INSERT = insert(derivations)


def link_sources(connection: Connection, first_row_id: int, versions: Sequence[Memory]) -> None:
    """Notes the sources of versions whose row ids follow each other."""
    links = [
        {"version_id": row_id, "source_id": source}
        for row_id, memory in enumerate(versions, first_row_id)
        for source in dict.fromkeys(memory.source_ids)
    ]
    if links:
        connection.execute(_INSERT, links)
