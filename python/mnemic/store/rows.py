"""Between rows and domain types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
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
from mnemic.store.sealing import Content, DestroyedKeyError, Sealer, place_of, sealer_of
from mnemic.store.tables import memory_versions, scopes

# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
MAX_PARAMETERS = 1000

Item = TypeVar("Item")
Made = TypeVar("Made")

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
    _VERSION.sealed,
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


class ScopeRows(dict[int, Scope]):
    """Scopes by row id: one object each, which all of their memories share. And what opens what is sealed of them.

    Args:
        sealer: Of the store.
    """

    def __init__(self, sealer: Sealer) -> None:
        super().__init__()
        self._sealer = sealer
        self._places: dict[int, bytes] = {}

    def take(self, rows: Iterable[Sequence[Any]]) -> None:
        """Takes in rows that begin with `SCOPE_COLUMNS`."""
        for row in rows:
            scope = scope_of_row(row)
            self[row[0]] = scope
            if self._sealer.seals:
                self._places[row[0]] = place_of(row[5], scope)

    def place_of(self, scope_id: int) -> bytes:
        """What the blobs of a scope are bound to."""
        return self._places[scope_id]

    def content_of(self, row: Sequence[Any]) -> Content | None:
        """What is sealed of a row that begins with `MEMORY_COLUMNS`; None when it is plain."""
        sealer = self._sealer
        return sealer.open_version(row[27], self._places[row[0]], row[1], row[25]) if sealer.seals else None

    def vector_of(self, row: Sequence[Any], stored: bytes | None, model: str | None) -> bytes | None:
        """The vector of such a row, from what is stored of it."""
        if stored is None or model is None or not self._sealer.seals:
            return stored
        return self._sealer.open_vector(stored, self._places[row[0]], row[1], row[25], model)


def memory_of(
    row: Sequence[Any], scope_of: ScopeRows, stored_vector: bytes | None = None, model: str | None = None
) -> Memory:
    """The memory of a row that begins with `MEMORY_COLUMNS`; `scope_of` must hold its scope by row id.

    Raises:
        DestroyedKeyError: Its key was destroyed.
    """
    sealed = scope_of.content_of(row)
    if sealed is None:
        body, name, metadata, categories, entities, slot, slot_value = row[3], row[5], *row[14:16], *row[17:20]
    else:
        body, name, metadata, categories, entities, slot, slot_value, _ = sealed
    return Memory(
        scope=scope_of[row[0]],
        memory_id=row[1],
        kind=_KINDS[row[2]],
        body=body,
        role=_ROLES[row[4]],
        name=name,
        event_time_micros=row[6],
        event_time_end_micros=row[7],
        event_time_precision=_PRECISIONS[row[8]],
        create_time_micros=row[9],
        update_time_micros=row[10],
        valid_from_micros=row[11],
        valid_to_micros=row[12],
        expire_time_micros=row[13],
        metadata={} if metadata == "{}" else metadata_from_json(metadata),
        categories=decode_texts(categories),
        source_ids=decode_texts(row[16]),
        entities=decode_texts(entities),
        slot=slot,
        slot_value=slot_value,
        superseded_by=row[20],
        confidence=row[21],
        importance=row[22],
        pinned=row[23],
        trust=_TRUST_LEVELS[row[24]],
        version=row[25],
        revision=row[26],
        vector=scope_of.vector_of(row, stored_vector, model),
        embedding_model=None if stored_vector is None else model,
    )


def readable(rows: Iterable[Item], make: Callable[[Item], Made]) -> list[Made]:
    """What `make` makes of rows, without those whose keys were destroyed: what they held is not there any more."""
    made = []
    for row in rows:
        try:
            made.append(make(row))
        except DestroyedKeyError:
            continue
    return made


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


SCOPE_COLUMNS = (
    scopes.c.id,
    scopes.c.user_id,
    scopes.c.agent_id,
    scopes.c.app_id,
    scopes.c.session_id,
    scopes.c.tenant,
)


def scope_of_row(row: Sequence[Any]) -> Scope:
    """The scope of a row that begins with `SCOPE_COLUMNS`."""
    return Scope(user_id=row[1] or None, agent_id=row[2] or None, app_id=row[3] or None, session_id=row[4] or None)


_SCOPES_BY_ID = select(*SCOPE_COLUMNS).where(scopes.c.id.in_(bindparam("ids", expanding=True)))
_SCOPES_OF_PARTITION = select(*SCOPE_COLUMNS).where(scopes.c.partition_id == bindparam("partition"))


def load_scopes(connection: Connection, scope_ids: Iterable[int]) -> ScopeRows:
    """The scopes with these row ids."""
    found = ScopeRows(sealer_of(connection))
    for ids in chunks(sorted(set(scope_ids))):
        found.take(connection.execute(_SCOPES_BY_ID, {"ids": ids}))
    return found


def scopes_of_partition(connection: Connection, partition_id: int) -> ScopeRows:
    """The scopes of a partition."""
    found = ScopeRows(sealer_of(connection))
    found.take(connection.execute(_SCOPES_OF_PARTITION, {"partition": partition_id}))
    return found


def open_contents(connection: Connection, rows: Sequence[tuple[int, str, int, bytes | None]]) -> list[Content | None]:
    """What is sealed of rows of (scope row id, memory id, version, blob), in their order; None of plain ones and of
    those whose keys were destroyed.
    """
    sealer = sealer_of(connection)
    if not sealer.seals:
        return [None] * len(rows)
    scopes_of_rows = load_scopes(connection, (row[0] for row in rows))

    def opened(row: tuple[int, str, int, bytes | None]) -> Content | None:
        scope_id, memory_id, version, blob = row
        try:
            return sealer.open_version(blob, scopes_of_rows.place_of(scope_id), memory_id, version)
        except DestroyedKeyError:
            return None

    return [opened(row) for row in rows]


def chunks(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """The items in groups that fit a statement's parameters."""
    return (items[start : start + MAX_PARAMETERS] for start in range(0, len(items), MAX_PARAMETERS))
