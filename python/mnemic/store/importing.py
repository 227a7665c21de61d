"""Writing versions that come from elsewhere: with their own ids, times and history, each once."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, bindparam, insert, select

from mnemic.model.memory import ChangeKind, Memory
from mnemic.model.scope import Scope
from mnemic.store.deleting import flag_deleted, record_deletions
from mnemic.store.interface import Committed, PartitionEnd, VersionEnd, VersionWrite, WriteBatch
from mnemic.store.models import load_seals
from mnemic.store.rows import chunks, load_scopes
from mnemic.store.sealing import ScopeSeal, Sealer, sealer_of
from mnemic.store.standing import Standing
from mnemic.store.tables import memory_versions, supersessions
from mnemic.store.transfer import Fate, ImportBatch, Imported, Incoming
from mnemic.store.writing import apply_batch

_VERSION = memory_versions.c
_KNOWN = (
    select(
        _VERSION.memory_id,
        _VERSION.version,
        _VERSION.tenant,
        _VERSION.scope_id,
        _VERSION.content_hash,
        _VERSION.valid_to_micros,
        _VERSION.is_deleted,
    )
    .where(_VERSION.memory_id.in_(bindparam("memory_ids", expanding=True)))
    .order_by(_VERSION.version)
)
_ROW_IDS = select(_VERSION.id, _VERSION.memory_id, _VERSION.version).where(
    _VERSION.memory_id.in_(bindparam("memory_ids", expanding=True)), _VERSION.revision == bindparam("commit")
)
_RECORD_SUPERSESSION = insert(supersessions)
_IMPORTED = "it came so with an import"
# Of a UUID of version 7; the others are its time, its counter and what kind of UUID it is.
_RANDOM_BITS = 62


@dataclass(slots=True)
class _Known:
    """What the store has of a memory."""

    tenant: str
    scope: Scope
    seal: ScopeSeal | None = None
    hashes: dict[int, str] = field(default_factory=dict)
    has_ended: bool = False
    is_deleted: bool = False

    @property
    def latest(self) -> int:
        return max(self.hashes)


def plan_import(connection: Connection, tenant: str, versions: Sequence[Incoming]) -> list[Incoming]:
    """See `TransferStore.plan_import`."""
    known = _load(connection, _ids_in(versions))
    renamed = [_with_own_ids(item, tenant, known) for item in versions]
    more = _ids_in(renamed) - known.keys()
    known |= _load(connection, more)
    sealer = sealer_of(connection)
    return [_decide(item, known, tenant, sealer) for item in renamed]


def import_versions(connection: Connection, batch: ImportBatch) -> Imported:
    """See `TransferStore.import_versions`."""
    planned = plan_import(connection, batch.tenant, batch.versions)
    new = [item for item in planned if item.fate is Fate.NEW]
    if not new:
        return Imported(planned, None)
    before = _load(connection, {item.record.memory.memory_id for item in new})
    committed = apply_batch(
        connection,
        WriteBatch(
            tenant=batch.tenant,
            ends=_ends(new, before),
            inserts=[_write_of(item) for item in new],
            outbox=batch.outbox,
            quota=batch.quota,
            now_micros=batch.now_micros,
        ),
    )
    _record_ends(connection, new, committed.revision, batch.now_micros)
    deleted = _delete(connection, new, committed.revision)
    _hide(committed, deleted)
    merged = {id(item) for item, done in zip(new, committed.inserted, strict=True) if done.is_duplicate}
    fates = [replace(item, fate=Fate.DUPLICATE) if id(item) in merged else item for item in planned]
    return Imported(fates, committed)


def _ids_in(versions: Iterable[Incoming]) -> set[str]:
    found: set[str] = set()
    for item in versions:
        memory = item.record.memory
        found.update((memory.memory_id, *memory.source_ids))
        if memory.superseded_by:
            found.add(memory.superseded_by)
    return found


def _load(connection: Connection, memory_ids: Iterable[str]) -> dict[str, _Known]:
    rows = [row for ids in chunks(sorted(memory_ids)) for row in connection.execute(_KNOWN, {"memory_ids": ids})]
    scope_of = load_scopes(connection, (row.scope_id for row in rows))
    known: dict[str, _Known] = {}
    seals = load_seals(connection, scope_of)
    for row in rows:
        one = known.setdefault(row.memory_id, _Known(row.tenant, scope_of[row.scope_id], seals.get(row.scope_id)))
        one.hashes[row.version] = row.content_hash
        one.has_ended, one.is_deleted = row.valid_to_micros is not None, row.is_deleted
    return known


def _with_own_ids(item: Incoming, tenant: str, known: dict[str, _Known]) -> Incoming:
    """The version under ids that no other tenant's memory, and none of another scope, has.

    A copy of a user's memories for another user is thus a copy, and making it again finds it.
    """
    memory = item.record.memory
    if not any(map(known.__contains__, (memory.memory_id, memory.superseded_by, *memory.source_ids))):
        return item

    def own(memory_id: str) -> str:
        taken = known.get(memory_id)
        if taken is None or (taken.tenant == tenant and taken.scope == memory.scope):
            return memory_id
        return derived_id(memory_id, tenant, memory.scope)

    def own_reference(memory_id: str) -> str:
        # Sources may lie in other scopes: only what another tenant has is surely not meant.
        taken = known.get(memory_id)
        if taken is None or taken.tenant == tenant:
            return memory_id
        return derived_id(memory_id, tenant, memory.scope)

    changed = replace(
        memory,
        memory_id=own(memory.memory_id),
        source_ids=tuple(map(own_reference, memory.source_ids)),
        superseded_by=None if memory.superseded_by is None else own_reference(memory.superseded_by),
    )
    return item if changed == memory else replace(item, record=replace(item.record, memory=changed))


def derived_id(memory_id: str, tenant: str, scope: Scope) -> str:
    """The id of a copy of a memory in a place: always the same, and where the memory's own stands in their order."""
    words = repr((memory_id, tenant, scope.user_id, scope.agent_id, scope.session_id, scope.app_id))
    digest = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8]) >> (64 - _RANDOM_BITS)
    return str(uuid.UUID(int=uuid.UUID(memory_id).int >> _RANDOM_BITS << _RANDOM_BITS | digest))


def _decide(item: Incoming, known: dict[str, _Known], tenant: str, sealer: Sealer) -> Incoming:
    """What becomes of a version; notes that the store will have it."""
    memory = item.record.memory
    one = known.get(memory.memory_id)
    content_hash = item.content_hash
    if one is not None and one.seal is not None:
        content_hash = sealer.token(one.seal, content_hash)
    if one is None:
        one = known[memory.memory_id] = _Known(tenant, memory.scope)
    elif memory.version in one.hashes:
        if one.hashes[memory.version] == content_hash:
            return replace(item, fate=Fate.DUPLICATE)
        return _conflict(
            item, f"memory {memory.memory_id} has a version {memory.version} here that says something else"
        )
    elif memory.version != one.latest + 1:
        return _conflict(
            item, f"memory {memory.memory_id} is here up to version {one.latest}; {memory.version} cannot follow it"
        )
    elif one.is_deleted and item.record.change is not ChangeKind.RESTORED:
        return _conflict(item, f"memory {memory.memory_id} is deleted here")
    one.hashes[memory.version] = content_hash
    one.has_ended = memory.valid_to_micros is not None
    one.is_deleted = item.record.delete_time_micros is not None
    return item if item.fate is Fate.NEW else replace(item, fate=Fate.NEW)


def _conflict(item: Incoming, problem: str) -> Incoming:
    return replace(item, fate=Fate.CONFLICT, problem=problem)


def _ends(new: Sequence[Incoming], before: dict[str, _Known]) -> list[VersionEnd]:
    """Versions that hold here and are followed by ones that come."""
    ends: dict[str, VersionEnd] = {}
    for item in new:
        memory = item.record.memory
        one = before.get(memory.memory_id)
        if one is not None and not one.has_ended and memory.memory_id not in ends:
            ends[memory.memory_id] = VersionEnd(memory.memory_id, one.latest, memory.valid_from_micros)
    return list(ends.values())


def _write_of(item: Incoming) -> VersionWrite:
    record = item.record
    return VersionWrite(
        record.memory,
        record.change,
        item.content_hash,
        record.reason,
        Standing(takes_slot=record.takes_slot),
        is_imported=True,
    )


def _record_ends(connection: Connection, new: Sequence[Incoming], revision: int, now_micros: int) -> None:
    """Records that versions were superseded, so that history and reads of earlier revisions know."""
    ended = [item.record.memory for item in new if item.record.memory.superseded_by is not None]
    rows = _rows_of(connection, ended, revision)
    records = [
        {
            "version_id": rows[memory.memory_id, memory.version],
            "superseded_by": memory.superseded_by,
            "valid_to_micros": memory.valid_to_micros,
            "reason": _IMPORTED,
            "revision": revision,
            "create_time_micros": now_micros,
        }
        for memory in ended
        if (memory.memory_id, memory.version) in rows
    ]
    if records:
        connection.execute(_RECORD_SUPERSESSION, records)


def _delete(connection: Connection, new: Sequence[Incoming], revision: int) -> set[str]:
    """Records the deletions that came; the memories that are deleted in the end."""
    deleted = [item for item in new if item.record.delete_time_micros is not None]
    if not deleted:
        return set()
    rows = _rows_of(connection, [item.record.memory for item in deleted], revision)
    moments = {
        rows[item.record.memory.memory_id, item.record.memory.version]: item.record.delete_time_micros
        for item in deleted
        if item.record.delete_time_micros is not None
    }
    record_deletions(connection, moments, revision)
    last = {item.record.memory.memory_id: item.record for item in new}
    gone = {memory_id for memory_id, record in last.items() if record.delete_time_micros is not None}
    if gone:
        flag_deleted(connection, sorted(gone), revision)
    return gone


def _rows_of(connection: Connection, memories: Sequence[Memory], revision: int) -> dict[tuple[str, int], int]:
    found = {}
    for ids in chunks(sorted({memory.memory_id for memory in memories})):
        for row_id, memory_id, version in connection.execute(_ROW_IDS, {"memory_ids": ids, "commit": revision}):
            found[memory_id, version] = row_id
    return found


def _hide(committed: Committed, deleted: set[str]) -> None:
    """An index is not told of versions of memories that came deleted; one that it has of them ends."""
    if not deleted:
        return
    for changes in committed.changes.values():
        gone = {memory.memory_id: memory for memory, _ in changes.rows if memory.memory_id in deleted}
        changes.rows[:] = [(memory, vector) for memory, vector in changes.rows if memory.memory_id not in deleted]
        known = {end.memory_id: end.version for end in changes.ends}
        changes.ends.extend(
            PartitionEnd(memory_id, known[memory_id], None) for memory_id in sorted(gone.keys() & known.keys())
        )
