"""Looks for what is sealed and does not open where it lies."""

from __future__ import annotations

from sqlalchemy import Connection, select

from mnemic.model.errors import MnemicError
from mnemic.store.models import load_seals
from mnemic.store.rows import load_scopes
from mnemic.store.sealing import DestroyedKeyError, sealer_of
from mnemic.store.tables import embedding_models, embeddings, memory_versions

_ROWS = 1000
_SHOWN = 20
_VERSION = memory_versions.c
_VERSIONS = select(_VERSION.scope_id, _VERSION.memory_id, _VERSION.version, _VERSION.sealed, _VERSION.slot)
_VECTORS = (
    select(_VERSION.scope_id, _VERSION.memory_id, _VERSION.version, embeddings.c.vector, embedding_models.c.identity)
    .join_from(embeddings, memory_versions, _VERSION.id == embeddings.c.version_id)
    .join(embedding_models, embedding_models.c.id == embeddings.c.model_id)
)


def unreadable(connection: Connection) -> list[str]:
    """What does not open, in words, at most so many; what lies under a destroyed key is none of it."""
    if not sealer_of(connection).seals:
        return []
    found = _unreadable_versions(connection)
    return (found + _unreadable_vectors(connection))[:_SHOWN]


def _unreadable_versions(connection: Connection) -> list[str]:
    sealer, found = sealer_of(connection), []
    for rows in connection.execute(_VERSIONS, execution_options={"yield_per": _ROWS}).partitions():
        scope_ids = {row.scope_id for row in rows}
        scope_of, seals = load_scopes(connection, scope_ids), load_seals(connection, scope_ids)
        for row in rows:
            try:
                place = scope_of.place_of(row.scope_id)
                content = sealer.open_version(row.sealed, place, row.memory_id, row.version)
                seal = seals.get(row.scope_id)
                if content is not None and (seal is None or row.slot != sealer.token(seal, content.slot)):
                    found.append(f"the slot of version {row.version} of the memory {row.memory_id} was changed")
            except DestroyedKeyError:
                continue
            except MnemicError as error:
                found.append(error.message)
    return found


def _unreadable_vectors(connection: Connection) -> list[str]:
    sealer, found = sealer_of(connection), []
    for rows in connection.execute(_VECTORS, execution_options={"yield_per": _ROWS}).partitions():
        scope_of = load_scopes(connection, {row.scope_id for row in rows})
        for row in rows:
            try:
                place = scope_of.place_of(row.scope_id)
                sealer.open_vector(row.vector, place, row.memory_id, row.version, row.identity)
            except DestroyedKeyError:
                continue
            except MnemicError as error:
                found.append(error.message)
    return found
