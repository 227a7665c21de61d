"""Embedding models and their vectors. Vectors of two models coexist while a reembed fills the second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.memory import Memory
from mnemic.store.model_store import Filling, StoredModel
from mnemic.store.rows import MEMORY_COLUMNS, SCOPE_COLUMNS, chunks, load_scopes, memory_of, readable, scope_of_row
from mnemic.store.sealing import ScopeSeal, Sealer, place_of, sealer_of
from mnemic.store.tables import embedding_models, embeddings, memory_versions, pending_vectors, scopes

FLOAT_BYTES = 4

_VERSION = memory_versions.c

_MODELS = select(
    embedding_models.c.id, embedding_models.c.identity, embedding_models.c.dimension, embedding_models.c.is_active
).order_by(embedding_models.c.id)
_FIND_VERSIONS = select(
    _VERSION.id, _VERSION.memory_id, _VERSION.version, _VERSION.partition_id, _VERSION.scope_id
).where(_VERSION.memory_id.in_(bindparam("memory_ids", expanding=True)))
_SEALS = select(*SCOPE_COLUMNS, scopes.c.key_id).where(scopes.c.id.in_(bindparam("ids", expanding=True)))
_REMOVE_VECTOR = delete(embeddings).where(
    embeddings.c.version_id == bindparam("version"), embeddings.c.model_id == bindparam("model")
)
_REMOVE_PENDING = delete(pending_vectors).where(
    pending_vectors.c.version_id == bindparam("version"), pending_vectors.c.model_id == bindparam("model")
)
_WITHOUT_VECTOR = (
    select(*MEMORY_COLUMNS, _VERSION.id)
    .select_from(pending_vectors.join(memory_versions, _VERSION.id == pending_vectors.c.version_id))
    .where(pending_vectors.c.model_id == bindparam("model"), pending_vectors.c.version_id > bindparam("after"))
    .order_by(pending_vectors.c.version_id)
    .limit(bindparam("limit"))
)
_COUNT_WITHOUT_VECTOR = select(func.count()).where(pending_vectors.c.model_id == bindparam("model"))
_COUNT_VECTORS = select(func.count()).where(embeddings.c.model_id == bindparam("model"))
_ALL_PENDING = insert(pending_vectors).from_select(
    ["version_id", "model_id"], select(_VERSION.id, bindparam("model")).where(~_VERSION.is_deleted)
)
_IN_RANGE = (
    embeddings.c.version_id > bindparam("after"),
    embeddings.c.version_id <= bindparam("last"),
    embeddings.c.model_id == bindparam("model"),
)
_DROP_RANGE = delete(embeddings).where(*_IN_RANGE)
_PENDING_AGAIN = insert(pending_vectors).from_select(
    ["version_id", "model_id"],
    select(embeddings.c.version_id, embeddings.c.model_id)
    .join(memory_versions, _VERSION.id == embeddings.c.version_id)
    .where(*_IN_RANGE, ~_VERSION.is_deleted),
)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """An embedding model with its row id."""

    row_id: int
    identity: str
    dimension: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class StoredVectors:
    """What `store_vectors` did.

    Attributes:
        version_ids: The row ids of the versions that got a vector.
        partition_ids: Their partitions.
        is_active_model: Whether searches use the vectors.
    """

    version_ids: list[int]
    partition_ids: set[int]
    is_active_model: bool


def known_models(connection: Connection) -> list[ModelRow]:
    """All models, in the order in which they became known."""
    return [ModelRow(*row) for row in connection.execute(_MODELS)]


def active_model(connection: Connection) -> ModelRow | None:
    """The model that searches use."""
    return next((model for model in known_models(connection) if model.is_active), None)


def stored_models(connection: Connection) -> list[StoredModel]:
    """See `ModelStore.models`."""
    return [
        StoredModel(
            row.identity,
            row.dimension,
            row.is_active,
            None
            if row.fill_start_micros is None
            else Filling(row.fill_start_micros, row.fill_time_micros, row.fill_error),
        )
        for row in connection.execute(select(embedding_models).order_by(embedding_models.c.id))
    ]


def begin_filling(connection: Connection, identity: str, dimension: int, now_micros: int) -> None:
    """See `ModelStore.begin_filling`."""
    register_model(connection, identity, dimension, active=False)
    model = embedding_models.c
    connection.execute(
        update(embedding_models)
        .where(model.identity == identity, ~model.is_active, model.fill_start_micros.is_(None))
        .values(fill_start_micros=now_micros, fill_time_micros=now_micros, fill_error="")
    )


def note_filling(connection: Connection, identity: str, now_micros: int, error: str) -> None:
    """See `ModelStore.note_filling`."""
    filling = update(embedding_models).where(
        embedding_models.c.identity == identity, embedding_models.c.fill_start_micros.is_not(None)
    )
    values: dict[str, object] = {"fill_error": error} if error else {"fill_time_micros": now_micros, "fill_error": ""}
    connection.execute(filling.values(values))


def _require(connection: Connection, identity: str) -> ModelRow:
    for model in known_models(connection):
        if model.identity == identity:
            return model
    raise MnemicError(
        Reason.MODEL_MISMATCH,
        f"the store does not know the embedding model {identity!r}; register it first",
        metadata={"identity": identity},
    )


def checked_vector(model: ModelRow | None, vector: bytes, identity: str | None = None) -> tuple[ModelRow, bytes]:
    """The vector with its model, if it can be one of the model's.

    Raises:
        MnemicError: MODEL_MISMATCH when there is no model or `identity` names another; DIMENSION_MISMATCH when the
            length is not the model's.
    """
    if model is None:
        raise MnemicError(
            Reason.MODEL_MISMATCH, "a vector was given, but no embedding model is active; make one active first"
        )
    if identity is not None and identity != model.identity:
        raise MnemicError(
            Reason.MODEL_MISMATCH,
            f"the vector comes from {identity!r}, but the store's vectors come from {model.identity!r}; "
            "vectors of two models cannot be compared",
            metadata={"identity": identity, "active_identity": model.identity},
        )
    if len(vector) != model.dimension * FLOAT_BYTES:
        raise invalid_field(
            "vector",
            f"has {len(vector)} bytes; {model.identity!r} makes {model.dimension} float32, "
            f"{model.dimension * FLOAT_BYTES} bytes",
            reason=Reason.DIMENSION_MISMATCH,
            expected_dimension=model.dimension,
            actual_bytes=len(vector),
        )
    return model, vector


def vector_row(
    sealer: Sealer,
    seal: ScopeSeal | None,
    version_id: int,
    memory_id: str,
    version: int,
    model: ModelRow,
    vector: bytes,
) -> dict[str, object]:
    """The columns of a vector; sealed when its scope has a seal."""
    if seal is not None:
        vector = sealer.seal_vector(seal, memory_id, version, model.identity, vector)
    return {"version_id": version_id, "model_id": model.row_id, "vector": vector}


def load_seals(connection: Connection, scope_ids: Iterable[int]) -> dict[int, ScopeSeal]:
    """What scopes are sealed with, by row id, without those whose keys were destroyed; empty in a plain store."""
    found: dict[int, ScopeSeal] = {}
    sealer = sealer_of(connection)
    if not sealer.seals:
        return found
    for ids in chunks(sorted(set(scope_ids))):
        for row in connection.execute(_SEALS, {"ids": ids}):
            key = None if row.key_id is None else sealer.keyring.find(row.key_id)
            if key is not None:
                found[row[0]] = ScopeSeal(key, place_of(row.tenant, scope_of_row(row)))
    return found


def register_model(connection: Connection, identity: str, dimension: int, *, active: bool) -> bool:
    """See `ModelStore.register_model`; whether another model became the active one."""
    model = next((model for model in known_models(connection) if model.identity == identity), None)
    if model is not None and model.dimension != dimension:
        raise MnemicError(
            Reason.MODEL_MISMATCH,
            f"the store knows {identity!r} with dimension {model.dimension}, not {dimension}; "
            "a model that changed needs another identity",
            metadata={"identity": identity, "known_dimension": str(model.dimension), "dimension": str(dimension)},
        )
    if model is None:
        values = {"identity": identity, "dimension": dimension, "is_active": False}
        connection.execute(insert(embedding_models), values)
        model = _require(connection, identity)
        connection.execute(_ALL_PENDING, {"model": model.row_id})
    switches = active and not model.is_active
    if switches:
        others = update(embedding_models).where(embedding_models.c.id != model.row_id)
        connection.execute(
            others.values(is_active=False, fill_start_micros=None, fill_time_micros=None, fill_error=None)
        )
        connection.execute(update(embedding_models).values(is_active=True).where(embedding_models.c.id == model.row_id))
    return switches


def store_vectors(
    connection: Connection, identity: str, vectors: Sequence[tuple[str, int, bytes]]
) -> StoredVectors | None:
    """Stores vectors, replacing older ones, and passes over versions that are not there.

    Returns:
        What changed; None when nothing was stored.
    """
    sealer = sealer_of(connection)
    model = _require(connection, identity)
    wanted = {(memory_id, version): checked_vector(model, vector)[1] for memory_id, version, vector in vectors}
    found: list[Row[*tuple[Any, ...]]] = []
    for memory_ids in chunks(sorted({memory_id for memory_id, _ in wanted})):
        rows = connection.execute(_FIND_VERSIONS, {"memory_ids": memory_ids})
        found.extend(row for row in rows if (row.memory_id, row.version) in wanted)
    seals = load_seals(connection, (row.scope_id for row in found))
    if sealer.seals:
        # What lies under a destroyed key needs no vector any more.
        found = [row for row in found if row.scope_id in seals]
    stored = [
        vector_row(
            sealer,
            seals.get(row.scope_id),
            row.id,
            row.memory_id,
            row.version,
            model,
            wanted[row.memory_id, row.version],
        )
        for row in found
    ]
    if not stored:
        return None
    version_ids = [row.id for row in found]
    keys = [{"version": version_id, "model": model.row_id} for version_id in version_ids]
    connection.execute(_REMOVE_VECTOR, keys)
    connection.execute(_REMOVE_PENDING, keys)
    connection.execute(insert(embeddings), stored)
    return StoredVectors(version_ids, {row.partition_id for row in found}, model.is_active)


def versions_without_vector(connection: Connection, identity: str, limit: int) -> list[Memory]:
    """See `ModelStore.versions_without_vector`."""
    model = _require(connection, identity)
    found: list[Memory] = []
    after = 0
    while len(found) < limit:
        wanted = limit - len(found)
        values = {"model": model.row_id, "after": after, "limit": wanted}
        rows = connection.execute(_WITHOUT_VECTOR, values).all()
        scope_of = load_scopes(connection, (row[0] for row in rows))
        found.extend(readable(rows, partial(memory_of, scope_of=scope_of)))
        if len(rows) < wanted:
            break
        after = rows[-1].id
    return found


def count_without_vector(connection: Connection, identity: str) -> int:
    """See `ModelStore.count_without_vector`."""
    model = _require(connection, identity)
    return int(connection.execute(_COUNT_WITHOUT_VECTOR, {"model": model.row_id}).scalar_one())


def count_vectors(connection: Connection, identity: str) -> int:
    """See `ModelStore.count_vectors`."""
    model = _require(connection, identity)
    return int(connection.execute(_COUNT_VECTORS, {"model": model.row_id}).scalar_one())


def find_inactive(connection: Connection, identity: str) -> ModelRow | None:
    """The model to drop, or None when the store does not know it.

    Raises:
        MnemicError: MODEL_MISMATCH when the model is active.
    """
    model = next((model for model in known_models(connection) if model.identity == identity), None)
    if model is not None and model.is_active:
        raise MnemicError(
            Reason.MODEL_MISMATCH,
            f"{identity!r} is the active embedding model; make another active before dropping it",
            metadata={"identity": identity},
        )
    return model


def drop_vectors(connection: Connection, model: ModelRow, after: int, last: int) -> None:
    """Removes a model's vectors of the versions with row ids in (after, last]; they are missing then, and listed so."""
    span = {"after": after, "last": last, "model": model.row_id}
    connection.execute(_PENDING_AGAIN, span)
    connection.execute(_DROP_RANGE, span)


def forget_model(connection: Connection, model: ModelRow) -> None:
    """Removes the model and the list of what it has not embedded."""
    connection.execute(delete(pending_vectors).where(pending_vectors.c.model_id == model.row_id))
    connection.execute(delete(embeddings).where(embeddings.c.model_id == model.row_id))
    connection.execute(delete(embedding_models).where(embedding_models.c.id == model.row_id))
