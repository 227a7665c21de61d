"""Between rows and domain types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, select

from mnemic.model.memory import (
    Memory,
    MemoryKind,
    Role,
    TimePrecision,
    TrustLevel,
    metadata_from_json,
    metadata_to_json,
)
from mnemic.model.scope import Scope
from mnemic.store.interface import VersionWrite
from mnemic.store.tables import memory_versions, scopes

# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
MAX_PARAMETERS = 1000

Item = TypeVar("Item")

_VERSION = memory_versions.c

# The columns that `memory_of` reads, in its order.
MEMORY_COLUMNS = (
    _VERSION.scope_id,
    _VERSION.memory_id,
    _VERSION.kind,
    _VERSION.body,
    _VERSION.role,
    _VERSION.name,
    _VERSION.event_time_micros,
    _VERSION.event_time_end_micros,
    _VERSION.event_time_precision,
    _VERSION.create_time_micros,
    _VERSION.update_time_micros,
    _VERSION.valid_from_micros,
    _VERSION.valid_to_micros,
    _VERSION.expire_time_micros,
    _VERSION.metadata,
    _VERSION.categories,
    _VERSION.source_ids,
    _VERSION.entities,
    _VERSION.slot,
    _VERSION.slot_value,
    _VERSION.superseded_by,
    _VERSION.confidence,
    _VERSION.importance,
    _VERSION.is_pinned,
    _VERSION.trust,
    _VERSION.version,
    _VERSION.revision,
)
MEMORY_WIDTH = len(MEMORY_COLUMNS)

_encode_texts = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_KINDS = {int(kind): kind for kind in MemoryKind}
_ROLES = {int(role): role for role in Role}
_PRECISIONS = {int(precision): precision for precision in TimePrecision}
_TRUST_LEVELS = {int(trust): trust for trust in TrustLevel}


def encode_texts(texts: Iterable[str]) -> str:
    """Canonical JSON of a list of texts."""
    listed = list(texts)
    return _encode_texts(listed) if listed else "[]"


def decode_texts(encoded: str) -> tuple[str, ...]:
    """The texts of their canonical JSON."""
    return () if encoded == "[]" else tuple(json.loads(encoded))


def memory_of(
    row: Sequence[Any], scope_of: Mapping[int, Scope], vector: bytes | None = None, model: str | None = None
) -> Memory:
    """The memory of a row that begins with `MEMORY_COLUMNS`; `scope_of` must hold its scope by row id."""
    return Memory(
        scope=scope_of[row[0]],
        memory_id=row[1],
        kind=_KINDS[row[2]],
        body=row[3],
        role=_ROLES[row[4]],
        name=row[5],
        event_time_micros=row[6],
        event_time_end_micros=row[7],
        event_time_precision=_PRECISIONS[row[8]],
        create_time_micros=row[9],
        update_time_micros=row[10],
        valid_from_micros=row[11],
        valid_to_micros=row[12],
        expire_time_micros=row[13],
        metadata={} if row[14] == "{}" else metadata_from_json(row[14]),
        categories=decode_texts(row[15]),
        source_ids=decode_texts(row[16]),
        entities=decode_texts(row[17]),
        slot=row[18],
        slot_value=row[19],
        superseded_by=row[20],
        confidence=row[21],
        importance=row[22],
        pinned=row[23],
        trust=_TRUST_LEVELS[row[24]],
        version=row[25],
        revision=row[26],
        vector=vector,
        embedding_model=None if vector is None else model,
    )


def version_values(write: VersionWrite) -> dict[str, object]:
    """The columns of a version that come from the write itself; the rest the transaction knows."""
    memory = write.memory
    return {
        "memory_id": memory.memory_id,
        "version": memory.version,
        "kind": int(memory.kind),
        "body": memory.body,
        "role": int(memory.role),
        "name": memory.name,
        "event_time_micros": memory.event_time_micros,
        "event_time_end_micros": memory.event_time_end_micros,
        "event_time_precision": int(memory.event_time_precision),
        "create_time_micros": memory.create_time_micros,
        "update_time_micros": memory.update_time_micros,
        "valid_from_micros": memory.valid_from_micros,
        "valid_to_micros": memory.valid_to_micros,
        "expire_time_micros": memory.expire_time_micros,
        "metadata": metadata_to_json(memory.metadata) if memory.metadata else "{}",
        "categories": encode_texts(memory.categories),
        "source_ids": encode_texts(memory.source_ids),
        "entities": encode_texts(memory.entities),
        "slot": memory.slot,
        "slot_value": memory.slot_value,
        "superseded_by": memory.superseded_by,
        "confidence": memory.confidence,
        "importance": memory.importance,
        "is_pinned": memory.pinned,
        "trust": int(memory.trust),
        "content_hash": write.content_hash,
        "change": int(write.change),
        "reason": write.reason,
    }


def scope_values(scope: Scope) -> dict[str, str]:
    """The id columns of a scope: absent is the empty text."""
    return {
        "user_id": scope.user_id or "",
        "agent_id": scope.agent_id or "",
        "app_id": scope.app_id or "",
        "session_id": scope.session_id or "",
    }


SCOPE_COLUMNS = (scopes.c.id, scopes.c.user_id, scopes.c.agent_id, scopes.c.app_id, scopes.c.session_id)


def scope_of_row(row: Sequence[Any]) -> Scope:
    """The scope of a row that begins with `SCOPE_COLUMNS`."""
    return Scope(user_id=row[1] or None, agent_id=row[2] or None, app_id=row[3] or None, session_id=row[4] or None)


_SCOPES_BY_ID = select(*SCOPE_COLUMNS).where(scopes.c.id.in_(bindparam("ids", expanding=True)))


def load_scopes(connection: Connection, scope_ids: Iterable[int]) -> dict[int, Scope]:
    """The scopes with these row ids: one object each, which all of their memories share."""
    found: dict[int, Scope] = {}
    for ids in chunks(sorted(set(scope_ids))):
        found.update({row[0]: scope_of_row(row) for row in connection.execute(_SCOPES_BY_ID, {"ids": ids})})
    return found


def chunks(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """The items in groups that fit a statement's parameters."""
    return (items[start : start + MAX_PARAMETERS] for start in range(0, len(items), MAX_PARAMETERS))
