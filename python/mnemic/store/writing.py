"""The transaction that writes: versions that end, versions that begin, and what is kept beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from mnemic.model.errors import MnemicError, Reason, invalid_field, memory_not_found
from mnemic.model.memory import ChangeKind
from mnemic.model.scope import Scope
from mnemic.store.accounts import Growth, byte_length, count_growth
from mnemic.store.interface import (
    OutboxState,
    OutboxWrite,
    VersionEnd,
    VersionWrite,
    WriteBatch,
)
from mnemic.store.models import StoredVectors, checked_vector, known_models, vector_row
from mnemic.store.requests import keep_request, refuse_replay
from mnemic.store.rows import chunks, encode_texts, scope_values, version_values
from mnemic.store.tables import (
    embedding_models,
    embeddings,
    memory_versions,
    outbox,
    partitions,
    pending_vectors,
    scopes,
    store_state,
    tenants,
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
    byte_length(_VERSION.body).label("body_bytes"),
).where(
    _VERSION.memory_id.in_(bindparam("memory_ids", expanding=True)),
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
_RECORD_DELETION = (
    update(memory_versions)
    .where(_VERSION.id == bindparam("row"))
    .values(delete_time_micros=bindparam("deleted"), delete_revision=bindparam("commit"))
)
# Every version of a deleted memory is marked: an index may hold any of them.
_FLAG_DELETED = (
    update(memory_versions)
    .where(_VERSION.memory_id == bindparam("memory"))
    .values(is_deleted=True, changed_revision=bindparam("commit"))
)
_FLAG_UNDELETED = update(memory_versions).where(_VERSION.memory_id == bindparam("memory")).values(is_deleted=False)
_ROWS_OF_MEMORY = select(_VERSION.id).where(_VERSION.memory_id == bindparam("memory"))
_DROP_PENDING = delete(pending_vectors).where(pending_vectors.c.version_id.in_(_ROWS_OF_MEMORY))
_RENEW_PENDING = insert(pending_vectors).from_select(
    ["version_id", "model_id"],
    select(_VERSION.id, embedding_models.c.id)
    .select_from(memory_versions.join(embedding_models, true()))
    .where(
        _VERSION.memory_id == bindparam("memory"),
        ~select(embeddings.c.version_id)
        .where(embeddings.c.version_id == _VERSION.id, embeddings.c.model_id == embedding_models.c.id)
        .exists(),
    ),
)
_FIND_SCOPE = select(scopes.c.id, scopes.c.partition_id).where(
    scopes.c.tenant == bindparam("tenant"),
    scopes.c.user_id == bindparam("user_id"),
    scopes.c.agent_id == bindparam("agent_id"),
    scopes.c.app_id == bindparam("app_id"),
    scopes.c.session_id == bindparam("session_id"),
)
_FIND_PARTITION = select(partitions.c.id).where(
    partitions.c.tenant == bindparam("tenant"),
    partitions.c.owner_kind == bindparam("owner_kind"),
    partitions.c.owner_id == bindparam("owner_id"),
)
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

# Made once: SQLAlchemy keeps the compiled form by the statement object.
_INSERT_VERSION = insert(memory_versions)
_INSERT_VECTOR = insert(embeddings)
_INSERT_PENDING = insert(pending_vectors)
_INSERT_SCOPE = insert(scopes)
_INSERT_PARTITION = insert(partitions)
_INSERT_TENANT = insert(tenants)
_INSERT_WORK = insert(outbox)


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


def apply_batch(connection: Connection, batch: WriteBatch) -> int:
    """Writes a batch within the transaction of `connection`; see `Store.write`."""
    return _BatchWriter(connection, batch).apply()


class _BatchWriter:
    """Carries what the steps of one batch need to know of each other."""

    def __init__(self, connection: Connection, batch: WriteBatch) -> None:
        self._connection = connection
        self._batch = batch
        self._revision, self._first_row_id = advance(connection, len(batch.inserts))
        self._touched: set[int] = set()
        self._growth = Growth()
        self._tenant_known = False

    def apply(self) -> int:
        batch = self._batch
        if batch.request is not None:
            refuse_replay(self._connection, batch.tenant, batch.request)
        heads = self._load_heads()
        self._end(batch.ends, heads)
        self._insert(batch.inserts, heads)
        touch_partitions(self._connection, self._touched, self._revision)
        count_growth(self._connection, batch.tenant, self._growth, batch.quota)
        self._enqueue(batch.outbox)
        if batch.request is not None:
            self._make_tenant()
            keep_request(
                self._connection, batch.tenant, batch.request, revision=self._revision, now_micros=batch.now_micros
            )
        return self._revision

    def _load_heads(self) -> dict[str, _Head]:
        batch = self._batch
        wanted = {end.memory_id for end in batch.ends}
        wanted.update(write.memory.memory_id for write in batch.inserts if write.memory.version > 1)
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
                )
        return heads

    def _end(self, ends: Sequence[VersionEnd], heads: dict[str, _Head]) -> None:
        endings: list[dict[str, object]] = []
        deletions: list[dict[str, object]] = []
        for end in ends:
            head = heads.get(end.memory_id)
            if head is None or head.tenant != self._batch.tenant or head.is_deleted:
                raise memory_not_found(end.memory_id)
            # A deletion may take what was superseded before; then the interval stays as it was closed.
            if head.version != end.version or (head.has_ended and not end.deleted):
                raise _version_conflict(end.memory_id, end.version, head)
            endings.append({"row": head.row_id, "ended": end.valid_to_micros, "commit": self._revision})
            if end.deleted:
                deletions.append({"row": head.row_id, "deleted": self._batch.now_micros, "commit": self._revision})
            if not head.has_ended:
                self._growth.shrink(head.body_bytes)
            head.has_ended, head.is_deleted = True, end.deleted
            self._touched.add(head.partition_id)
        if endings:
            self._connection.execute(_END, endings)
        if deletions:
            self._connection.execute(_RECORD_DELETION, deletions)
            memory_ids = [end.memory_id for end in ends if end.deleted]
            self._connection.execute(
                _FLAG_DELETED, [{"memory": memory_id, "commit": self._revision} for memory_id in memory_ids]
            )
            self._connection.execute(_DROP_PENDING, [{"memory": memory_id} for memory_id in memory_ids])

    def _insert(self, writes: Sequence[VersionWrite], heads: dict[str, _Head]) -> None:
        if not writes:
            return
        places: dict[Scope, tuple[int, int]] = {}
        rows: list[dict[str, object]] = []
        restored: list[str] = []
        for row_id, write in enumerate(writes, self._first_row_id):
            scope = write.memory.scope
            if scope not in places:
                places[scope] = self._place_of(scope)
            scope_id, partition_id = places[scope]
            if self._continues(write, heads.get(write.memory.memory_id), scope_id):
                restored.append(write.memory.memory_id)
            heads[write.memory.memory_id] = _Head(
                row_id=row_id,
                tenant=self._batch.tenant,
                partition_id=partition_id,
                scope_id=scope_id,
                version=write.memory.version,
                has_ended=write.memory.valid_to_micros is not None,
                is_deleted=False,
                body_bytes=len(write.memory.body.encode()),
            )
            if write.memory.valid_to_micros is None:
                self._growth.grow(heads[write.memory.memory_id].body_bytes)
            self._touched.add(partition_id)
            rows.append(
                version_values(write)
                | {
                    "id": row_id,
                    "tenant": self._batch.tenant,
                    "partition_id": partition_id,
                    "scope_id": scope_id,
                    "revision": self._revision,
                    "is_deleted": False,
                }
            )
        self._insert_rows(rows)
        self._insert_vectors(writes)
        if restored:
            memories = [{"memory": memory_id} for memory_id in restored]
            self._connection.execute(_FLAG_UNDELETED, memories)
            for memory in memories:
                self._connection.execute(_DROP_PENDING, memory)
                self._connection.execute(_RENEW_PENDING, memory)
            # An index that saw the deletion takes no older version of the memory again.
            require_rebuild(self._connection, sorted({heads[memory_id].partition_id for memory_id in restored}))

    def _continues(self, write: VersionWrite, head: _Head | None, scope_id: int) -> bool:
        """Checks that a version may follow `head`; whether it brings the memory back from deletion."""
        memory = write.memory
        if head is None:
            if memory.version > 1:
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

    def _insert_rows(self, rows: list[dict[str, object]]) -> None:
        try:
            self._connection.execute(_INSERT_VERSION, rows)
        except IntegrityError as error:
            # The checks above leave only one thing for the constraints to find.
            raise MnemicError(
                Reason.VERSION_CONFLICT, "a memory of the batch is there already under the same id; give a new id"
            ) from error

    def _insert_vectors(self, writes: Sequence[VersionWrite]) -> None:
        models = known_models(self._connection)
        active = next((model for model in models if model.is_active), None)
        stored: list[dict[str, object]] = []
        pending: list[dict[str, object]] = []
        for row_id, write in enumerate(writes, self._first_row_id):
            vector = write.memory.vector
            if vector is not None:
                stored.append(vector_row(row_id, *checked_vector(active, vector, write.memory.embedding_model)))
            pending.extend(
                {"version_id": row_id, "model_id": model.row_id}
                for model in models
                if vector is None or not model.is_active
            )
        if stored:
            self._connection.execute(_INSERT_VECTOR, stored)
        if pending:
            self._connection.execute(_INSERT_PENDING, pending)

    def _place_of(self, scope: Scope) -> tuple[int, int]:
        """The row ids of a scope and its partition, made when they are not there."""
        tenant = self._batch.tenant
        values: dict[str, Any] = {"tenant": tenant} | scope_values(scope)
        found = self._connection.execute(_FIND_SCOPE, values).one_or_none()
        if found is not None:
            self._tenant_known = True
            return found.id, found.partition_id
        if scope.is_empty:
            raise invalid_field("scope", "carries no id; at least one is needed", reason=Reason.SCOPE_MISSING)
        self._make_tenant()
        partition_id = self._partition_of(scope)
        inserted = self._connection.execute(_INSERT_SCOPE, values | {"partition_id": partition_id})
        return _new_id(inserted.inserted_primary_key), partition_id

    def _partition_of(self, scope: Scope) -> int:
        key = scope.partition(self._batch.tenant)
        values: dict[str, Any] = {
            "tenant": key.tenant,
            "owner_kind": int(key.owner_kind),
            "owner_id": key.owner_id,
        }
        found = self._connection.execute(_FIND_PARTITION, values).scalar_one_or_none()
        if found is not None:
            return int(found)
        inserted = self._connection.execute(_INSERT_PARTITION, values | {"changed_revision": self._revision})
        return _new_id(inserted.inserted_primary_key)

    def _make_tenant(self) -> None:
        if self._tenant_known:
            return
        found = self._connection.execute(select(tenants.c.tenant).where(tenants.c.tenant == self._batch.tenant))
        if found.one_or_none() is None:
            values = {"tenant": self._batch.tenant, "create_time_micros": self._batch.now_micros}
            self._connection.execute(_INSERT_TENANT, values)
        self._tenant_known = True

    def _enqueue(self, writes: Sequence[OutboxWrite]) -> None:
        if not writes:
            return
        self._make_tenant()
        rows = [
            {
                "tenant": self._batch.tenant,
                "kind": write.kind.value,
                "memory_ids": encode_texts(write.memory_ids),
                "payload": json.dumps(dict(write.payload), sort_keys=True, ensure_ascii=False, separators=(",", ":")),
                "state": OutboxState.PENDING.value,
                "attempts": 0,
                "due_micros": self._batch.now_micros,
                "last_error": "",
                "create_time_micros": self._batch.now_micros,
            }
            for write in writes
        ]
        self._connection.execute(_INSERT_WORK, rows)


def _new_id(primary_key: Sequence[Any] | None) -> int:
    if primary_key is None:
        raise MnemicError(Reason.INTERNAL, "the database gave no id for a new row")
    return int(primary_key[0])


def _version_conflict(memory_id: str, expected: int, head: _Head) -> MnemicError:
    state = "has ended already" if head.version == expected else "is the latest"
    return MnemicError(
        Reason.VERSION_CONFLICT,
        f"memory {memory_id!r} was expected at version {expected}, but version {head.version} {state}; "
        "read it again and repeat the change",
        metadata={"memory_id": memory_id, "expected_version": str(expected), "current_version": str(head.version)},
    )
