"""New rows: versions and their vectors."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import Memory
from mnemic.store.models import checked_vector, known_models, vector_row
from mnemic.store.sealing import ScopeSeal, sealer_of
from mnemic.store.tables import embeddings, memory_versions, pending_vectors

# Made once: SQLAlchemy keeps the compiled form by the statement object.
_INSERT_VERSION = insert(memory_versions)
_INSERT_VECTOR = insert(embeddings)
_INSERT_PENDING = insert(pending_vectors)


def insert_versions(connection: Connection, rows: list[dict[str, object]]) -> None:
    """Inserts versions.

    Args:
        connection: The transaction.
        rows: Their columns.

    Raises:
        MnemicError: VERSION_CONFLICT when an id is taken.
    """
    try:
        connection.execute(_INSERT_VERSION, rows)
    except IntegrityError as error:
        # The checks before leave only one thing for the constraints to find.
        raise MnemicError(
            Reason.VERSION_CONFLICT, "a memory of the batch is there already under the same id; give a new id"
        ) from error


def insert_vectors(
    connection: Connection, first_row_id: int, memories: Sequence[Memory], seals: Sequence[ScopeSeal | None]
) -> None:
    """Inserts the vectors of new versions, and notes which are missing.

    Args:
        connection: The transaction.
        first_row_id: Of the first version; the others follow it.
        memories: The versions.
        seals: Of their scopes.
    """
    sealer = sealer_of(connection)
    models = known_models(connection)
    active = next((model for model in models if model.is_active), None)
    stored: list[dict[str, object]] = []
    pending: list[dict[str, object]] = []
    for row_id, (memory, seal) in enumerate(zip(memories, seals, strict=True), first_row_id):
        if memory.vector is not None:
            model, vector = checked_vector(active, memory.vector, memory.embedding_model)
            stored.append(vector_row(sealer, seal, row_id, memory.memory_id, memory.version, model, vector))
        pending.extend(
            {"version_id": row_id, "model_id": model.row_id}
            for model in models
            if memory.vector is None or not model.is_active
        )
    if stored:
        connection.execute(_INSERT_VECTOR, stored)
    if pending:
        connection.execute(_INSERT_PENDING, pending)
