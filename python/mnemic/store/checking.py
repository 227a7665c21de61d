"""Looks for rows that contradict each other: what every dialect can check by itself."""

from __future__ import annotations

from sqlalchemy import Connection, Select, and_, distinct, false, func, or_, select, true

from mnemic.store.accounts import body_size
from mnemic.store.sealing import OVERHEAD_BYTES
from mnemic.store.tables import (
    embedding_models,
    embeddings,
    memory_versions,
    partitions,
    pending_vectors,
    scopes,
    store_state,
    tenants,
)

_VERSION = memory_versions.c
_LATER = memory_versions.alias("later")

_COUNTERS = select(
    store_state.c.revision,
    store_state.c.last_version_id,
    select(func.coalesce(func.max(_VERSION.revision), 0)).scalar_subquery(),
    select(func.coalesce(func.max(_VERSION.delete_revision), 0)).scalar_subquery(),
    select(func.coalesce(func.max(partitions.c.changed_revision), 0)).scalar_subquery(),
    select(func.coalesce(func.max(_VERSION.changed_revision), 0)).scalar_subquery(),
    select(func.coalesce(func.max(_VERSION.id), 0)).scalar_subquery(),
)

# What is wrong, and the memories for which it is.
_CONTRADICTIONS: tuple[tuple[str, Select[str]], ...] = (
    (
        "more than one version holds",
        select(_VERSION.memory_id)
        .where(_VERSION.valid_to_micros.is_(None))
        .group_by(_VERSION.memory_id)
        .having(func.count() > 1),
    ),
    (
        "a version holds that is not the latest",
        select(_VERSION.memory_id).where(
            _VERSION.valid_to_micros.is_(None),
            select(_LATER.c.id)
            .where(_LATER.c.memory_id == _VERSION.memory_id, _LATER.c.version > _VERSION.version)
            .exists(),
        ),
    ),
    (
        "a version holds although the memory is deleted",
        select(_VERSION.memory_id).where(_VERSION.valid_to_micros.is_(None), _VERSION.is_deleted),
    ),
    (
        "a version is superseded and holds",
        select(_VERSION.memory_id).where(_VERSION.valid_to_micros.is_(None), _VERSION.superseded_by.is_not(None)),
    ),
    (
        "versions disagree about tenant, scope or deletion",
        select(_VERSION.memory_id)
        .group_by(_VERSION.memory_id)
        .having(
            or_(
                func.count(distinct(_VERSION.tenant)) > 1,
                func.count(distinct(_VERSION.scope_id)) > 1,
                func.count(distinct(_VERSION.is_deleted)) > 1,
            )
        ),
    ),
    (
        "tenant or partition is not that of the scope",
        select(_VERSION.memory_id)
        .join(scopes, scopes.c.id == _VERSION.scope_id)
        .where(or_(scopes.c.tenant != _VERSION.tenant, scopes.c.partition_id != _VERSION.partition_id)),
    ),
    (
        "a vector is neither there nor listed as missing, or both",
        select(_VERSION.memory_id)
        .select_from(
            memory_versions.join(embedding_models, true())
            .outerjoin(
                embeddings,
                and_(embeddings.c.version_id == _VERSION.id, embeddings.c.model_id == embedding_models.c.id),
            )
            .outerjoin(
                pending_vectors,
                and_(pending_vectors.c.version_id == _VERSION.id, pending_vectors.c.model_id == embedding_models.c.id),
            )
        )
        .where(
            _VERSION.is_deleted == false(),
            embeddings.c.version_id.is_(None) == pending_vectors.c.version_id.is_(None),
        ),
    ),
    (
        "a vector does not have the length of its model",
        select(_VERSION.memory_id)
        .join(embeddings, embeddings.c.version_id == _VERSION.id)
        .join(embedding_models, embedding_models.c.id == embeddings.c.model_id)
        .where(
            func.length(embeddings.c.vector).not_in(
                [embedding_models.c.dimension * 4, embedding_models.c.dimension * 4 + OVERHEAD_BYTES]
            )
        ),
    ),
)

_HELD = (
    select(
        _VERSION.tenant,
        func.count().label("memories"),
        func.coalesce(func.sum(body_size), 0).label("body_bytes"),
    )
    .where(_VERSION.valid_to_micros.is_(None))
    .group_by(_VERSION.tenant)
    .subquery()
)
_MISCOUNTED = (
    select(tenants.c.tenant)
    .outerjoin(_HELD, _HELD.c.tenant == tenants.c.tenant)
    .where(
        or_(
            tenants.c.memory_count != func.coalesce(_HELD.c.memories, 0),
            tenants.c.body_bytes != func.coalesce(_HELD.c.body_bytes, 0),
        )
    )
)
_SHOWN = 5


def contradictions(connection: Connection) -> list[str]:
    """What is wrong, in words; empty when all is well."""
    return [*_check_counters(connection), *_check_memories(connection)]


def _check_counters(connection: Connection) -> list[str]:
    row = connection.execute(_COUNTERS).one_or_none()
    if row is None:
        return ["the store's own state is missing (table store_state is empty)"]
    revision, last_version_id, *carried, highest_id = row
    found = []
    if revision < max(carried):
        found.append(f"the revision counter is at {revision}, but rows carry {max(carried)}")
    if last_version_id < highest_id:
        found.append(f"the counter of version rows is at {last_version_id}, but there is a row {highest_id}")
    miscounted = connection.execute(_MISCOUNTED.limit(_SHOWN)).scalars().all()
    if miscounted:
        found.append(f"the counters do not say what is held by the tenants {', '.join(miscounted)}")
    return found


def _check_memories(connection: Connection) -> list[str]:
    found = []
    for problem, statement in _CONTRADICTIONS:
        memory_ids = connection.execute(statement.limit(_SHOWN + 1)).scalars().all()
        if memory_ids:
            more = " and more" if len(memory_ids) > _SHOWN else ""
            found.append(f"{problem}: memories {', '.join(memory_ids[:_SHOWN])}{more}")
    return found
