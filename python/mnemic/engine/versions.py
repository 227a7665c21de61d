"""What the engine makes of an input: the version to insert, and what is told of it afterwards."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import astuple

from mnemic.model.memory import AddedMemory, Memory, MemoryInput, MemoryKind, Role, TrustLevel
from mnemic.model.scope import Scope
from mnemic.store.interface import Inserted
from mnemic.store.standing import Standing
from mnemic.store.work import OutboxKind, OutboxWrite


def new_memory(memory_id: str, scope: Scope, item: MemoryInput, vector: bytes | None, model: str, now: int) -> Memory:
    """The first version of what an input says; what is said about the future holds from when it is said."""
    role = item.role
    if role is None:
        role = Role.USER if item.kind is MemoryKind.MESSAGE else Role.NONE
    event_time = item.event_time_micros
    return Memory(
        memory_id=memory_id,
        scope=scope,
        kind=item.kind,
        body=item.body,
        role=role,
        name=item.name,
        event_time_micros=event_time,
        event_time_end_micros=item.event_time_end_micros,
        event_time_precision=item.event_time_precision,
        create_time_micros=now,
        update_time_micros=now,
        valid_from_micros=now if event_time is None else min(now, event_time),
        expire_time_micros=item.expire_time_micros,
        metadata=dict(item.metadata),
        categories=tuple(item.categories),
        source_ids=tuple(item.source_ids),
        entities=tuple(item.entities),
        slot=item.slot,
        slot_value=item.slot_value,
        importance=item.importance,
        pinned=item.pinned,
        trust=item.trust or TrustLevel.NORMAL,
        vector=vector,
        embedding_model=model if vector is not None else None,
    )


def content_hash(body: str) -> str:
    """SHA-256 of the text without regard to case, white space and Unicode's compatibility forms."""
    normalised = " ".join(unicodedata.normalize("NFKC", body).casefold().split())
    return hashlib.sha256(normalised.encode()).hexdigest()


def embedding_work(memories: Sequence[Memory]) -> list[OutboxWrite]:
    """The work of embedding what has no vector yet, if there is any."""
    pending = tuple(memory.memory_id for memory in memories if memory.vector is None)
    return [OutboxWrite(OutboxKind.EMBED, pending)] if pending else []


def standing(item: MemoryInput) -> Standing:
    """How an input relates to what is known."""
    return Standing(takes_slot=bool(item.slot), supersedes=tuple(dict.fromkeys(item.supersedes)))


def added(inserted: Inserted) -> AddedMemory:
    """What a caller is told of an insert."""
    memory = inserted.memory
    return AddedMemory(memory.memory_id, memory.version, inserted.is_duplicate, memory.vector is None)


def kept_add(inserted: Sequence[Inserted], *, operation_id: str) -> str:
    """The same of a whole add, as it is kept for replay."""
    return json.dumps({"memories": [astuple(added(item)) for item in inserted], "operation_id": operation_id})
