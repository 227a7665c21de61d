"""The transaction that writes: versions that end, versions that begin, and what is kept beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, func, insert, select, update

from mnemic.model.errors import MnemicError, Reason, invalid_field, memory_not_found
from mnemic.model.memory import ChangeKind, Memory
from mnemic.model.scope import PartitionKey, Scope
from mnemic.store.accounts import Growth, body_size, count_growth
from mnemic.store.deleting import flag_deleted, record_deletions, undelete
from mnemic.store.deriving import link_sources
from mnemic.store.inserting import insert_vectors, insert_versions
from mnemic.store.interface import (
    Committed,
    Inserted,
    PartitionChanges,
    PartitionEnd,
    RequestRecord,
    VersionEnd,
    VersionWrite,
    WriteBatch,
)
from mnemic.store.models import StoredVectors, load_seals
from mnemic.store.outbox import enqueue, finish_with
from mnemic.store.places import Places, partition_keys
from mnemic.store.reading import load_rows
from mnemic.store.requests import keep_request, refuse_replay
from mnemic.store.rows import chunks, version_values
from mnemic.store.sealing import ScopeSeal, place_of_reason, sealer_of
from mnemic.store.settling import Entry, Settlement, Settler, Stored, Supersession, fact_key_of, is_to_be_settled
from mnemic.store.tables import (
    memory_versions,
    partitions,
    store_state,
    supersessions,
)

_VERSION = memory_versions.c

_ADVANCE = update(store_state).values(
    revision=store_state.c.revision + 1, last_version_id=store_state.c.last_version_id + bindparam("versions")
)
_STATE = select(store_state.c.revision, store_state.c.last_version_id)

_LATEST = memory_versions.alias("latest")
_HEADS = select(
    _VERSION.id,
    _VERSION.memory_id,
    _VERSION.tenant,
    _VERSION.partition_id,
    _VERSION.scope_id,
    _VERSION.version,
    _VERSION.valid_to_micros,
    _VERSION.is_deleted,
    _VERSION.slot,
    _VERSION.takes_slot,
    body_size.label("body_bytes"),
).where(
    _VERSION.memory_id.in_(bindparam("memory_ids", expanding=True)),
    _VERSION.erasure_id.is_(None),
    _VERSION.version
    == select(func.max(_LATEST.c.version))
    .where(_LATEST.c.memory_id == _VERSION.memory_id)
    .correlate(memory_versions)
    .scalar_subquery(),
)
_END = (
    update(memory_versions)
    .where(_VERSION.id == bindparam("row"))
    .values(
        valid_to_micros=func.coalesce(_VERSION.valid_to_micros, bindparam("ended")),
        changed_revision=bindparam("commit"),
    )
)
# A row that had ended already reaches an index whole: what it holds of it does not end twice.
_SUPERSEDE = (
    update(memory_versions)
    .where(_VERSION.id == bindparam("row"))
    .values(
        valid_to_micros=bindparam("ended"),
        superseded_by=bindparam("winner"),
        changed_revision=bindparam("commit"),
        renewed_revision=func.coalesce(bindparam("renewed"), _VERSION.renewed_revision),
    )
)
_BODY_BYTES = select(_VERSION.id, body_size).where(_VERSION.id.in_(bindparam("ids", expanding=True)))
_RECORD_SUPERSESSION = insert(supersessions)
_TOUCH_PARTITION = (
    update(partitions).where(partitions.c.id == bindparam("row")).values(changed_revision=bindparam("commit"))
)
_MARK_RENEWED = (
    update(memory_versions)
    .where(_VERSION.id == bindparam("row"))
    .values(changed_revision=bindparam("commit"), renewed_revision=bindparam("commit"))
)
_REQUIRE_REBUILD = update(partitions).values(rebuild_revision=select(store_state.c.revision).scalar_subquery())
_REQUIRE_REBUILD_OF = _REQUIRE_REBUILD.where(partitions.c.id.in_(bindparam("partition_ids", expanding=True)))


@dataclass(slots=True)
class _Head:
    """The latest version of a memory, as the batch has left it so far."""

    row_id: int
    tenant: str
    partition_id: int
    scope_id: int
    version: int
    has_ended: bool
    is_deleted: bool
    body_bytes: int
    slot: str
    takes_slot: bool


def advance(connection: Connection, versions: int = 0) -> tuple[int, int]:
    """Takes the next revision and row ids for so many versions, if the transaction commits.

    It goes first in every transaction that counts: where writers are concurrent, its row lock puts them in line, so
    that revisions have no gaps and what is read after it is what the commit before it left.

    Returns:
        The revision, and the row id of the first version.
    """
    connection.execute(_ADVANCE, {"versions": versions})
    revision, last_version_id = connection.execute(_STATE).one()
    return revision, last_version_id - versions + 1


def touch_partitions(connection: Connection, partition_ids: Iterable[int], revision: int) -> None:
    """Notes that versions of the partitions were written, ended or embedded by this commit."""
    changes = [{"row": partition_id, "commit": revision} for partition_id in sorted(set(partition_ids))]
    if changes:
        connection.execute(_TOUCH_PARTITION, changes)


def note_vectors(connection: Connection, stored: StoredVectors, revision: int) -> None:
    """Notes that versions got their vectors by this commit. An index has only vectors of the active model."""
    touch_partitions(connection, stored.partition_ids, revision)
    if stored.is_active_model:
        connection.execute(_MARK_RENEWED, [{"row": row_id, "commit": revision} for row_id in stored.version_ids])


def require_rebuild(connection: Connection, partition_ids: Sequence[int] | None = None) -> None:
    """Makes what was derived from partitions (all of them unless said) at revisions before the present one useless:
    versions were removed from the store, or changed in a way that cannot be told version by version.
    """
    if partition_ids is None:
        connection.execute(_REQUIRE_REBUILD)
        return
    for chunk in chunks(partition_ids):
        connection.execute(_REQUIRE_REBUILD_OF, {"partition_ids": chunk})


def apply_batch(connection: Connection, batch: WriteBatch) -> Committed:
    """Writes a batch within the transaction of `connection`; see `Store.commit`."""
    return _BatchWriter(connection, batch).apply()


class _BatchWriter:
    """Carries what the steps of one batch need to know of each other."""

    def __init__(self, connection: Connection, batch: WriteBatch) -> None:
        self._connection = connection
        self._batch = batch
        self._revision, self._first_row_id = advance(connection, len(batch.inserts))
        # What changed, by the row ids of partitions.
        self._changes: dict[int, PartitionChanges] = {}
        self._growth = Growth()
        self._keys: dict[int, PartitionKey] = {}
        self._sealer = sealer_of(connection)
        self._places = Places(connection, batch.tenant, revision=self._revision, now_micros=batch.now_micros)

    def apply(self) -> Committed:
        batch = self._batch
        if batch.request is not None:
            refuse_replay(self._connection, batch.tenant, batch.request)
        heads = self._load_heads()
        self._end(batch.ends, heads)
        settlement, rebuilt = self._insert(batch.inserts, heads)
        touch_partitions(self._connection, self._changes, self._revision)
        count_growth(self._connection, batch.tenant, self._growth, batch.quota)
        if batch.outbox:
            self._places.make_tenant()
            enqueue(self._connection, batch.tenant, batch.outbox, batch.now_micros, self._places.some_key)
        inserted = tuple(
            Inserted(outcome.memory if isinstance(outcome, Entry) else outcome, is_duplicate)
            for outcome, is_duplicate in settlement.outcomes
        )
        if batch.finishes is not None:
            made_ids = [item.memory.memory_id for item in inserted]
            finish_with(
                self._connection, batch.finishes, made_ids, revision=self._revision, now_micros=batch.now_micros
            )
        if batch.request is not None:
            self._keep_request(batch.request, inserted)
        keys = self._partition_keys()
        return Committed(
            self._revision,
            inserted,
            {keys[partition_id]: changes for partition_id, changes in self._changes.items()},
            frozenset(keys[partition_id] for partition_id in rebuilt),
        )

    def _keep_request(self, request: RequestRecord, inserted: tuple[Inserted, ...]) -> None:
        batch = self._batch
        if batch.respond is not None:
            request = replace(request, response=batch.respond(inserted))
        self._places.make_tenant()
        keep_request(self._connection, batch.tenant, request, revision=self._revision, now_micros=batch.now_micros)

    def _partition_keys(self) -> dict[int, PartitionKey]:
        return self._keys | partition_keys(self._connection, self._changes.keys() - self._keys)

    def _changes_of(self, partition_id: int) -> PartitionChanges:
        return self._changes.setdefault(partition_id, PartitionChanges())

    def _load_heads(self) -> dict[str, _Head]:
        batch = self._batch
        wanted = {end.memory_id for end in batch.ends}
        wanted.update(write.memory.memory_id for write in batch.inserts if write.memory.version > 1)
        wanted.update(memory_id for write in batch.inserts for memory_id in write.standing.supersedes)
        heads: dict[str, _Head] = {}
        for memory_ids in chunks(sorted(wanted)):
            for row in self._connection.execute(_HEADS, {"memory_ids": memory_ids}):
                heads[row.memory_id] = _Head(
                    row.id,
                    row.tenant,
                    row.partition_id,
                    row.scope_id,
                    row.version,
                    row.valid_to_micros is not None,
                    row.is_deleted,
                    row.body_bytes,
                    row.slot,
                    row.takes_slot,
                )
        return heads

    def _end(self, ends: Sequence[VersionEnd], heads: dict[str, _Head]) -> None:
        endings: list[dict[str, object]] = []
        deletions: dict[int, str] = {}
        for end in ends:
            head = heads.get(end.memory_id)
            if head is None or head.tenant != self._batch.tenant or head.is_deleted:
                raise memory_not_found(end.memory_id)
            # A deletion may take what was superseded before; then the interval stays as it was closed.
            if head.version != end.version or (head.has_ended and not end.deleted):
                raise _version_conflict(end.memory_id, end.version, head)
            endings.append({"row": head.row_id, "ended": end.valid_to_micros, "commit": self._revision})
            if end.deleted:
                deletions[head.row_id] = end.memory_id
            if not head.has_ended:
                self._growth.shrink(head.body_bytes)
            head.has_ended, head.is_deleted = True, end.deleted
            told = PartitionEnd(end.memory_id, end.version, None if end.deleted else end.valid_to_micros)
            self._changes_of(head.partition_id).ends.append(told)
        if endings:
            self._connection.execute(_END, endings)
        if deletions:
            moments = dict.fromkeys(deletions, self._batch.now_micros)
            record_deletions(self._connection, moments, self._revision)
            flag_deleted(self._connection, deletions.values(), self._revision)

    def _insert(self, writes: Sequence[VersionWrite], heads: dict[str, _Head]) -> tuple[Settlement, set[int]]:
        """Inserts what is new; what was decided, and the partitions that cannot be told what happened."""
        latest = {memory_id: head.row_id for memory_id, head in heads.items()}
        entries, restored = self._place(writes, heads)
        if any(map(is_to_be_settled, writes)):
            named = self._named(writes, heads, latest)
            settlement = Settler(self._connection, entries, named, self._batch.now_micros).settle()
        else:
            settlement = Settlement(entries, [(entry, False) for entry in entries])
        self._carry_out(settlement)
        self._insert_entries(settlement)
        for memory_id in restored:
            undelete(self._connection, memory_id, self._batch.now_micros)
        # An index that saw the deletion takes no older version of the memory again.
        rebuilt = {heads[memory_id].partition_id for memory_id in restored}
        require_rebuild(self._connection, sorted(rebuilt))
        return settlement, rebuilt

    def _place(self, writes: Sequence[VersionWrite], heads: dict[str, _Head]) -> tuple[list[Entry], list[str]]:
        """The writes with their scopes and partitions, and the memories that they bring back from deletion."""
        places: dict[Scope, tuple[int, int]] = {}
        entries, restored = [], []
        for write in writes:
            scope = write.memory.scope
            if scope not in places:
                places[scope] = self._places.of(scope)
                self._keys[places[scope][1]] = scope.partition(self._batch.tenant)
            scope_id, partition_id = places[scope]
            seal = self._places.seal_of(scope_id)
            slot, content_hash = write.memory.slot, write.content_hash
            if seal is not None:
                slot, content_hash = self._sealer.token(seal, slot), self._sealer.token(seal, content_hash)
            head = heads.get(write.memory.memory_id)
            if self._continues(write, head, scope_id):
                restored.append(write.memory.memory_id)
            inherits = head is not None and head.takes_slot and head.slot == slot
            entry = Entry(
                write=write,
                scope_id=scope_id,
                partition_id=partition_id,
                content_hash=content_hash,
                slot=slot,
                takes_slot=write.standing.takes_slot or inherits,
                fact_key=fact_key_of(write.memory, slot),
            )
            entries.append(entry)
            heads[write.memory.memory_id] = _Head(
                row_id=0,
                tenant=self._batch.tenant,
                partition_id=partition_id,
                scope_id=scope_id,
                version=write.memory.version,
                has_ended=write.memory.valid_to_micros is not None,
                is_deleted=False,
                body_bytes=0,
                slot=slot,
                takes_slot=entry.takes_slot,
            )
        return entries, restored

    def _named(self, writes: Sequence[VersionWrite], heads: dict[str, _Head], latest: dict[str, int]) -> dict[str, int]:
        """The rows of the memories that are superseded by name."""
        named = {}
        for memory_id in (memory_id for write in writes for memory_id in write.standing.supersedes):
            head = heads.get(memory_id)
            if head is None or head.tenant != self._batch.tenant or head.is_deleted or memory_id not in latest:
                raise memory_not_found(memory_id)
            named[memory_id] = latest[memory_id]
        return named

    def _carry_out(self, settlement: Settlement) -> None:
        """Ends the versions of the store that were decided to end."""
        ended = {stored.row_id: stored for stored in settlement.renewed} | settlement.superseded
        if not ended:
            return
        self._connection.execute(
            _SUPERSEDE,
            [
                {
                    "row": stored.row_id,
                    "ended": stored.valid_to,
                    "winner": stored.superseded_by,
                    "commit": self._revision,
                    "renewed": self._revision if stored.had_ended else None,
                }
                for stored in ended.values()
            ],
        )
        for ids in chunks(sorted(row_id for row_id, stored in ended.items() if not stored.had_ended)):
            for _, body_bytes in self._connection.execute(_BODY_BYTES, {"ids": ids}):
                self._growth.shrink(body_bytes)
        moved = [row_id for row_id, stored in ended.items() if stored.had_ended]
        rows = load_rows(self._connection, moved, with_vectors=True)
        for row_id, stored in ended.items():
            changes = self._changes_of(stored.partition_id)
            if stored.had_ended:
                if row_id in rows:  # Else its key was destroyed, and no index has it.
                    changes.rows.append((rows[row_id], rows[row_id].vector))
            else:
                changes.ends.append(PartitionEnd(stored.memory_id, stored.version, stored.valid_to))

    def _insert_entries(self, settlement: Settlement) -> None:
        row_ids: dict[int, int] = {}
        rows: list[dict[str, object]] = []
        memories: list[Memory] = []
        seals: list[ScopeSeal | None] = []
        for row_id, entry in enumerate(settlement.entries, self._first_row_id):
            row_ids[id(entry)] = row_id
            memory = replace(entry.memory, revision=self._revision)
            entry.write = replace(entry.write, memory=memory)
            memories.append(memory)
            if memory.valid_to_micros is None:
                self._growth.grow(len(memory.body.encode()))
            self._changes_of(entry.partition_id).rows.append((memory, memory.vector))
            values = version_values(entry.write) | {
                "id": row_id,
                "tenant": self._batch.tenant,
                "partition_id": entry.partition_id,
                "scope_id": entry.scope_id,
                "content_hash": entry.content_hash,
                "fact_key": entry.fact_key,
                "takes_slot": entry.takes_slot,
                "revision": self._revision,
                "is_deleted": False,
            }
            seal = self._places.seal_of(entry.scope_id)
            if seal is not None:
                self._sealer.seal_version(values, seal)
            seals.append(seal)
            rows.append(values)
        if rows:
            insert_versions(self._connection, rows)
            link_sources(self._connection, self._first_row_id, memories)
            insert_vectors(self._connection, self._first_row_id, memories, seals)
        self._record_supersessions(settlement, row_ids)

    def _record_supersessions(self, settlement: Settlement, row_ids: dict[int, int]) -> None:
        seals = load_seals(self._connection, (record.version.scope_id for record in settlement.records))
        records = [
            {
                "version_id": record.version.row_id
                if isinstance(record.version, Stored)
                else row_ids[id(record.version)],
                "superseded_by": record.superseded_by,
                "valid_to_micros": record.valid_to,
                "reason": self._sealed_reason(record, seals),
                "revision": self._revision,
                "create_time_micros": self._batch.now_micros,
            }
            for record in settlement.records
        ]
        if records:
            self._connection.execute(_RECORD_SUPERSESSION, records)

    def _sealed_reason(self, record: Supersession, seals: dict[int, ScopeSeal]) -> str:
        seal = seals.get(record.version.scope_id)
        if seal is None:
            return record.reason
        ended = record.version.memory if isinstance(record.version, Entry) else record.version
        place = place_of_reason(ended.memory_id, ended.version, record.superseded_by, self._revision)
        return self._sealer.seal_text(seal.key.key_id, record.reason, *place)

    def _continues(self, write: VersionWrite, head: _Head | None, scope_id: int) -> bool:
        """Checks that a version may follow `head`; whether it brings the memory back from deletion."""
        memory = write.memory
        if head is None:
            if memory.version > 1 and not write.is_imported:
                raise memory_not_found(memory.memory_id)
            return False  # Whether the id is free the unique constraint says.
        is_restored = head.is_deleted and write.change is ChangeKind.RESTORED
        if head.tenant != self._batch.tenant or (head.is_deleted and not is_restored):
            raise memory_not_found(memory.memory_id)
        if memory.version != head.version + 1 or not head.has_ended:
            raise _version_conflict(memory.memory_id, memory.version - 1, head)
        if scope_id != head.scope_id:
            raise invalid_field("scope", "a memory keeps its scope for life; add a new memory in the other scope")
        return is_restored


def _version_conflict(memory_id: str, expected: int, head: _Head) -> MnemicError:
    state = "has ended already" if head.version == expected else "is the latest"
    return MnemicError(
        Reason.VERSION_CONFLICT,
        f"memory {memory_id!r} was expected at version {expected}, but version {head.version} {state}; "
        "read it again and repeat the change",
        metadata={"memory_id": memory_id, "expected_version": str(expected), "current_version": str(head.version)},
    )
