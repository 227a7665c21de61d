"""Destroying what is hidden: in queues, in kept answers, the rows themselves, and the places that they leave empty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import BindParameter, Connection, bindparam, delete, select, update

from mnemic.model.erasure import ErasedPlace, TargetKind
from mnemic.store.database import Database
from mnemic.store.erasing_records import note_revision, require, tell
from mnemic.store.erasure_interface import StoredErasure, Swept
from mnemic.store.erasure_tables import derivations, erasures
from mnemic.store.outbox import rebind_payload
from mnemic.store.places import partition_keys
from mnemic.store.retaining_tables import archived_memories, recalls
from mnemic.store.rows import chunks, decode_texts, encode_texts
from mnemic.store.sealing import sealer_of
from mnemic.store.tables import (
    api_keys,
    embeddings,
    memory_versions,
    metadata,
    outbox,
    partitions,
    pending_vectors,
    requests,
    scopes,
    store_state,
    supersessions,
    tenants,
)
from mnemic.store.work import OutboxState
from mnemic.store.writing import advance

# A kept answer that was erased: no request has this fingerprint, so that a repetition is refused.
ERASED_FINGERPRINT = ""
# Whose answers are about memories.
_METHODS = ("AddMemories", "UpdateMemory", "DeleteMemory", "RestoreMemory")
_AT_ONCE = 500

_VERSION = memory_versions.c
_IDS: BindParameter[list[int | str]] = bindparam("ids", expanding=True)

_HIDDEN_IDS = select(_VERSION.memory_id).distinct().where(_VERSION.erasure_id == bindparam("erasure"))
_REVISIONS = select(_VERSION.revision, _VERSION.delete_revision).where(_VERSION.erasure_id == bindparam("erasure"))
_WORK = select(
    outbox.c.id, outbox.c.tenant, outbox.c.memory_ids, outbox.c.made_ids, outbox.c.state, outbox.c.payload
).where(outbox.c.tenant == bindparam("tenant"))
_STRIKE_WORK = (
    update(outbox)
    .where(outbox.c.id == bindparam("item"))
    .values(memory_ids=bindparam("left"), made_ids=bindparam("made"), payload=bindparam("how"), last_error="")
)
_DROP_WORK = delete(outbox).where(outbox.c.id.in_(_IDS))
_ANSWERS = select(requests.c.method, requests.c.request_id, requests.c.revision).where(
    requests.c.tenant == bindparam("tenant"),
    requests.c.method.in_(_METHODS),
    requests.c.fingerprint != ERASED_FINGERPRINT,
)
_STRIKE_ANSWER = (
    update(requests)
    .where(
        requests.c.tenant == bindparam("whose"),
        requests.c.method == bindparam("by"),
        requests.c.request_id == bindparam("request"),
    )
    .values(fingerprint=ERASED_FINGERPRINT, response="null")
)
_DOOMED = (
    select(_VERSION.id, _VERSION.memory_id, _VERSION.version)
    .where(_VERSION.erasure_id == bindparam("erasure"))
    .order_by(_VERSION.id)
    .limit(bindparam("limit"))
)
_BESIDE = (
    ("vectors", delete(embeddings).where(embeddings.c.version_id.in_(_IDS))),
    ("missing_vectors", delete(pending_vectors).where(pending_vectors.c.version_id.in_(_IDS))),
    ("archive", delete(archived_memories).where(archived_memories.c.version_id.in_(_IDS))),
    ("supersessions", delete(supersessions).where(supersessions.c.version_id.in_(_IDS))),
)
_DROP_DERIVATIONS = delete(derivations).where(derivations.c.version_id.in_(_IDS))
_DROP_RECALLS = delete(recalls).where(recalls.c.memory_id.in_(_IDS))
_DROP_VERSIONS = delete(memory_versions).where(_VERSION.id.in_(_IDS))
_EMPTY_SCOPES = select(scopes.c.id, scopes.c.key_id).where(
    scopes.c.tenant == bindparam("tenant"), ~select(_VERSION.id).where(_VERSION.scope_id == scopes.c.id).exists()
)
_EMPTY_PARTITIONS = select(partitions.c.id).where(
    partitions.c.tenant == bindparam("tenant"),
    ~select(scopes.c.id).where(scopes.c.partition_id == partitions.c.id).exists(),
    ~select(_VERSION.id).where(_VERSION.partition_id == partitions.c.id).exists(),
)
_NOTE_REMOVAL = update(store_state).values(removed_revision=bindparam("commit"))
_FORGET_TARGET = update(erasures).where(erasures.c.id == bindparam("row")).values(target="")


def strike(database: Database, row_id: int) -> None:
    """See `ErasureStore.strike`. Looks on a snapshot and changes in steps; what is looked at again is found struck."""
    with database.reading() as connection:
        erasure = require(connection, row_id)
        hidden = set(connection.execute(_HIDDEN_IDS, {"erasure": row_id}).scalars())
        revisions = {
            revision for row in connection.execute(_REVISIONS, {"erasure": row_id}) for revision in row if revision
        }
        tenant = {"tenant": erasure.tenant}
        items = [
            row.id
            for row in connection.execute(_WORK, tenant)
            if not hidden.isdisjoint((*decode_texts(row.memory_ids), *decode_texts(row.made_ids)))
        ]
        answers = [
            (row.method, row.request_id)
            for row in connection.execute(_ANSWERS, tenant)
            if row.revision in revisions or erasure.kind is TargetKind.TENANT
        ]
    for at in range(0, len(items), _AT_ONCE):
        with database.writing() as connection:
            _strike_work(connection, erasure, items[at : at + _AT_ONCE], hidden)
    for at in range(0, len(answers), _AT_ONCE):
        part = answers[at : at + _AT_ONCE]
        with database.writing() as connection:
            connection.execute(
                _STRIKE_ANSWER,
                [{"whose": erasure.tenant, "by": method, "request": request_id} for method, request_id in part],
            )
            tell(connection, row_id, [ErasedPlace(place="kept_answers", found=len(part), destroyed=len(part))])


def _strike_work(connection: Connection, erasure: StoredErasure, items: Sequence[int], hidden: set[str]) -> None:
    """Takes hidden memories out of pieces of work; those that are about nothing else go."""
    counts = dict.fromkeys(("queue", "operations", "dead_letters"), 0)
    places = {OutboxState.FAILED.value: "dead_letters", OutboxState.DONE.value: "operations"}
    dropped: list[int] = []
    for row in connection.execute(_WORK.where(outbox.c.id.in_(items)), {"tenant": erasure.tenant}).all():
        left = [memory_id for memory_id in decode_texts(row.memory_ids) if memory_id not in hidden]
        made = [memory_id for memory_id in decode_texts(row.made_ids) if memory_id not in hidden]
        counts[places.get(row.state, "queue")] += 1
        if left:
            kept = encode_texts(left)
            how = rebind_payload(connection, row.tenant, row.payload, row.memory_ids, kept)
            connection.execute(_STRIKE_WORK, {"item": row.id, "left": kept, "made": encode_texts(made), "how": how})
        else:
            dropped.append(row.id)
    if dropped:
        connection.execute(_DROP_WORK, {"ids": dropped})
    tell(
        connection,
        erasure.row_id,
        [ErasedPlace(place=place, found=count, destroyed=count) for place, count in counts.items()],
    )


def destroy(connection: Connection, row_id: int, limit: int) -> bool:
    """See `ErasureStore.destroy`."""
    rows = connection.execute(_DOOMED, {"erasure": row_id, "limit": limit}).all()
    if not rows:
        return False
    told: list[ErasedPlace] = []
    for ids in chunks([row.id for row in rows]):
        for place, statement in _BESIDE:
            count = connection.execute(statement, {"ids": ids}).rowcount
            told.append(ErasedPlace(place=place, found=count, destroyed=count))
        connection.execute(_DROP_DERIVATIONS, {"ids": ids})
        connection.execute(_DROP_VERSIONS, {"ids": ids})
    for memory_ids in chunks(list(dict.fromkeys(row.memory_id for row in rows))):
        count = connection.execute(_DROP_RECALLS, {"ids": memory_ids}).rowcount
        told.append(ErasedPlace(place="recalls", found=count, destroyed=count))
    firsts = sum(row.version == 1 for row in rows)
    told.append(ErasedPlace(place="memories", destroyed=firsts))
    told.append(ErasedPlace(place="history", destroyed=len(rows) - firsts))
    tell(connection, row_id, told)
    return True


def sweep_scopes(database: Database, row_id: int) -> None:
    """See `ErasureStore.sweep_scopes`."""
    with database.reading() as connection:
        erasure = require(connection, row_id)
        tenant = {"tenant": erasure.tenant}
        empty = connection.execute(_EMPTY_SCOPES, tenant).scalars().all()
    for ids in _parts(empty):
        with database.writing() as connection:
            still = connection.execute(_EMPTY_SCOPES.where(scopes.c.id.in_(ids)), tenant).all()
            # First the keys: a scope whose key is destroyed gets a new one, and a key without its scope is never found.
            keys = _destroy_keys(connection, [row.key_id for row in still])
            connection.execute(delete(scopes).where(scopes.c.id.in_([row.id for row in still])))
            tell(
                connection,
                row_id,
                [
                    ErasedPlace(place="scopes", found=len(still), destroyed=len(still)),
                    ErasedPlace(place="data_keys", found=keys, destroyed=keys),
                ],
            )


def sweep_partitions(connection: Connection, row_id: int) -> Swept:
    """See `ErasureStore.sweep_partitions`."""
    erasure = require(connection, row_id)
    revision, _ = advance(connection)
    found = connection.execute(_EMPTY_PARTITIONS, {"tenant": erasure.tenant}).scalars().all()
    keys = frozenset(partition_keys(connection, found).values())
    for ids in chunks(found):
        connection.execute(delete(partitions).where(partitions.c.id.in_(ids)))
    if erasure.drops_tenant:
        count = _drop_tenant(connection, erasure.tenant)
        tell(connection, row_id, [ErasedPlace(place="tenant", found=count, destroyed=count)])
    connection.execute(_NOTE_REMOVAL, {"commit": revision})
    connection.execute(_FORGET_TARGET, {"row": row_id})
    note_revision(connection, row_id, revision)
    tell(connection, row_id, [ErasedPlace(place="partitions", found=len(found), destroyed=len(found))])
    return Swept(revision, keys)


def revoke_keys(connection: Connection, tenant: str, now_micros: int) -> None:
    """Makes all keys of a tenant worthless."""
    statement = update(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.revoke_time_micros.is_(None))
    connection.execute(statement, {"revoke_time_micros": now_micros})


def _drop_tenant(connection: Connection, tenant: str) -> int:
    """Removes a tenant whose memories are gone, with its keys, policies and settings; how many rows."""
    count = 0
    for table in reversed(metadata.sorted_tables):
        if any(key.column is tenants.c.tenant for key in table.foreign_keys):
            count += connection.execute(delete(table).where(table.c.tenant == tenant)).rowcount
    return count + connection.execute(delete(tenants).where(tenants.c.tenant == tenant)).rowcount


def _destroy_keys(connection: Connection, key_ids: Sequence[bytes | None]) -> int:
    """Destroys data keys of an encrypted store: copies of the database, such as backups, lose what lies under them."""
    there = [key_id for key_id in key_ids if key_id is not None]
    return sealer_of(connection).keyring.destroy(there) if there else 0


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE))
