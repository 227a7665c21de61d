"""What the tests of the store share."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace

import numpy as np
from pydantic import SecretStr

from mnemic.model.memory import ChangeKind, Memory, MemoryKind
from mnemic.model.scope import OwnerKind, PartitionKey, Scope
from mnemic.store.interface import (
    PartitionChanges,
    PartitionEnd,
    PartitionRow,
    Store,
    VersionEnd,
    VersionWrite,
    WriteBatch,
)
from mnemic.store.sealing_masters import new_master_key
from mnemic.store.sealing_settings import EncryptionSettings

MODEL = "test-model:1"
DIMENSION = 8
USER = Scope(user_id="ann")
ENCRYPTION = EncryptionSettings(key=SecretStr(new_master_key()))
USERS_PARTITION = PartitionKey("t", OwnerKind.USER, "ann")

_counter = itertools.count(1)


def new_id(number: int | None = None) -> str:
    """Ids that grow, as those of the engine do."""
    return str(uuid.UUID(int=(0x018F << 112) + (next(_counter) if number is None else number)))


def vector_of(seed: int, dimension: int = DIMENSION) -> bytes:
    return np.random.default_rng(seed).standard_normal(dimension).astype("<f4").tobytes()


def memory_of(body: str = "likes tea", scope: Scope = USER, *, now: int = 1000, **fields) -> Memory:
    values = {
        "memory_id": new_id(),
        "kind": MemoryKind.MESSAGE,
        "create_time_micros": now,
        "update_time_micros": now,
        "valid_from_micros": now,
    } | fields
    return Memory(scope=scope, body=body, **values)


def insertion(memory: Memory, change: ChangeKind = ChangeKind.ADDED) -> VersionWrite:
    return VersionWrite(memory, change, f"hash of {memory.body}")


def add(store: Store, *memories: Memory, tenant: str = "t", now: int = 1000, **batch) -> int:
    return store.write(
        WriteBatch(tenant=tenant, inserts=[insertion(memory) for memory in memories], now_micros=now, **batch)
    )


def next_version(memory: Memory, body: str, *, now: int, **fields) -> Memory:
    return replace(
        memory,
        body=body,
        version=memory.version + 1,
        update_time_micros=now,
        valid_from_micros=now,
        valid_to_micros=None,
        **fields,
    )


def change(store: Store, memory: Memory, body: str, *, now: int, tenant: str = "t") -> Memory:
    """Updates a memory; the new version."""
    new = next_version(memory, body, now=now)
    store.write(
        WriteBatch(
            tenant=tenant,
            ends=[VersionEnd(memory.memory_id, memory.version, now)],
            inserts=[insertion(new, ChangeKind.UPDATED)],
            now_micros=now,
        )
    )
    return new


def remove(store: Store, memory: Memory, *, now: int, tenant: str = "t") -> int:
    end = VersionEnd(memory.memory_id, memory.version, now, deleted=True)
    return store.write(WriteBatch(tenant=tenant, ends=[end], now_micros=now))


def supersede(store: Store, memory: Memory, *, now: int, tenant: str = "t") -> int:
    """Closes a memory's validity, as a newer fact does."""
    end = VersionEnd(memory.memory_id, memory.version, now)
    return store.write(WriteBatch(tenant=tenant, ends=[end], now_micros=now))


def restore(store: Store, memory: Memory, *, now: int, tenant: str = "t") -> Memory:
    new = next_version(memory, memory.body, now=now)
    store.write(WriteBatch(tenant=tenant, inserts=[insertion(new, ChangeKind.RESTORED)], now_micros=now))
    return new


def changes(store: Store, *, after: int, rows: int = 2) -> tuple[list[PartitionRow], list[PartitionEnd]] | None:
    """What happened to the user's partition after a revision; None when changes do not lead to now."""
    parts: list[PartitionChanges] = []
    if store.scan_changes(USERS_PARTITION, after, parts.append, rows=rows) is None:
        assert not parts
        return None
    assert all(0 < len(part.rows) + len(part.ends) <= rows for part in parts)
    return [row for part in parts for row in part.rows], [end for part in parts for end in part.ends]
