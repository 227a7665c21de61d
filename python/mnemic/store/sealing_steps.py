"""Encrypting a store that holds plain text: in batches that commit one by one, then without a trace in the file.

What is sealed tells by itself that it is, so that a run which was interrupted, however, is simply begun again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.database import Database
from mnemic.store.models import load_seals
from mnemic.store.rows import chunks
from mnemic.store.sealing import (
    SEALED_TEXT,
    Content,
    ScopeSeal,
    Sealer,
    place_of_reason,
    place_of_request,
    place_of_work,
    place_of_work_error,
)
from mnemic.store.sealing_state import finish_sealing
from mnemic.store.tables import (
    embedding_models,
    embeddings,
    memory_versions,
    outbox,
    requests,
    scopes,
    supersessions,
)

Progress = Callable[[int, int], None]

# Rows in one commit: half a second at most, so that an interruption loses little.
_ROWS = 500
_VERSION = memory_versions.c

_KEYLESS = select(scopes.c.id).where(scopes.c.key_id.is_(None), scopes.c.id.in_(bindparam("ids", expanding=True)))
_SET_KEY = update(scopes).where(scopes.c.id == bindparam("row")).values(key_id=bindparam("key"))
_PLAIN_VERSIONS = (
    select(
        _VERSION.id,
        _VERSION.scope_id,
        _VERSION.memory_id,
        _VERSION.version,
        *(_VERSION[name] for name in Content._fields),
        _VERSION.content_hash,
        _VERSION.fact_key,
    )
    .where(_VERSION.id > bindparam("after"), _VERSION.sealed.is_(None))
    .order_by(_VERSION.id)
    .limit(_ROWS)
)
_SEAL_VERSION = (
    update(memory_versions)
    .where(_VERSION.id == bindparam("row"))
    .values({name: bindparam(f"new_{name}") for name in (*Content._fields, "content_hash", "fact_key", "sealed")})
    .values(body_bytes=bindparam("new_body_bytes"))
)
_PLAIN_VECTORS = (
    select(
        embeddings.c.version_id,
        embeddings.c.model_id,
        embeddings.c.vector,
        embedding_models.c.identity,
        _VERSION.scope_id,
        _VERSION.memory_id,
        _VERSION.version,
    )
    .join_from(embeddings, memory_versions, _VERSION.id == embeddings.c.version_id)
    .join(embedding_models, embedding_models.c.id == embeddings.c.model_id)
    .where(
        embeddings.c.version_id > bindparam("after"),
        # A whole number of float32; what is sealed is one byte more than that.
        func.length(embeddings.c.vector) % 4 == 0,
    )
    .order_by(embeddings.c.version_id)
    .limit(_ROWS)
)
_SEAL_VECTOR = (
    update(embeddings)
    .where(embeddings.c.version_id == bindparam("version"), embeddings.c.model_id == bindparam("model"))
    .values(vector=bindparam("blob"))
)
_PLAIN_REASONS = (
    select(
        supersessions.c.id,
        supersessions.c.superseded_by,
        supersessions.c.revision,
        supersessions.c.reason,
        _VERSION.scope_id,
        _VERSION.memory_id,
        _VERSION.version,
    )
    .join_from(supersessions, memory_versions, _VERSION.id == supersessions.c.version_id)
    .where(supersessions.c.id > bindparam("after"), ~supersessions.c.reason.startswith(SEALED_TEXT))
    .order_by(supersessions.c.id)
    .limit(_ROWS)
)
_SEAL_REASON = (
    update(supersessions).where(supersessions.c.id == bindparam("row")).values(reason=bindparam("new_reason"))
)
_SEAL_WORK = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"))
    .values(payload=bindparam("new_payload"), last_error=bindparam("new_error"))
)
_SEAL_REQUEST = (
    update(requests)
    .where(
        requests.c.tenant == bindparam("of_tenant"),
        requests.c.method == bindparam("of_method"),
        requests.c.request_id == bindparam("of_id"),
    )
    .values(fingerprint=bindparam("new_fingerprint"))
)


def seal_store(database: Database, sealer: Sealer, path: Path, progress: Progress) -> int:
    """Encrypts everything that is plain, and cleans the file of it. Nothing else may use the store meanwhile.

    Args:
        database: The store's, opened to be encrypted.
        sealer: Its sealer.
        path: The database file.
        progress: Told (done, total) in versions and vectors after each batch.

    Returns:
        How many versions and vectors were sealed in this run.
    """
    with database.reading() as connection:
        total = _count(connection)
    done = 0
    progress(done, total)
    for step in (_seal_versions, _seal_vectors, _seal_reasons):
        after: int | None = 0
        while after is not None:
            with database.writing() as connection:
                after, count = step(connection, sealer, after)
            done += count
            progress(done, total)
    with database.writing() as connection:
        _seal_work(connection, sealer)
        _seal_requests(connection, sealer)
    _clean(path)
    with database.writing() as connection:
        finish_sealing(connection, sealer)
    return done


def _count(connection: Connection) -> int:
    versions = select(func.count()).where(_VERSION.sealed.is_(None))
    vectors = select(func.count()).where(func.length(embeddings.c.vector) % 4 == 0)
    return int(connection.execute(versions).scalar_one()) + int(connection.execute(vectors).scalar_one())


def _seals(connection: Connection, sealer: Sealer, rows: list[Row[*tuple[Any, ...]]]) -> dict[int, ScopeSeal]:
    """What the rows' scopes are sealed with; those that have no key get one."""
    scope_ids = sorted({row.scope_id for row in rows})
    for ids in chunks(scope_ids):
        for row in connection.execute(_KEYLESS, {"ids": ids}).all():
            connection.execute(_SET_KEY, {"row": row[0], "key": sealer.keyring.new_key().key_id})
    return load_seals(connection, scope_ids)


def _seal_versions(connection: Connection, sealer: Sealer, after: int) -> tuple[int | None, int]:
    rows = list(connection.execute(_PLAIN_VERSIONS, {"after": after}))
    if not rows:
        return None, 0
    seals = _seals(connection, sealer, rows)
    changes = []
    for row in rows:
        seal, values = seals[row.scope_id], dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name)
        values["content_hash"] = sealer.token(seal, row.content_hash)
        values["fact_key"] = _fact_key(sealer, seal, row.fact_key)
        sealer.seal_version(values, seal)
        names = (*Content._fields, "content_hash", "fact_key", "sealed", "body_bytes")
        changes.append({"row": row.id} | {f"new_{name}": values[name] for name in names})
    connection.execute(_SEAL_VERSION, changes)
    return rows[-1].id, len(rows)


def _fact_key(sealer: Sealer, seal: ScopeSeal, fact_key: str | None) -> str | None:
    """As `settling.fact_key_of` makes it of a hashed slot."""
    kind, mark, slot = (fact_key or "").partition("#")
    return f"{kind}#{sealer.token(seal, slot)}" if mark else fact_key


def _seal_vectors(connection: Connection, sealer: Sealer, after: int) -> tuple[int | None, int]:
    rows = list(connection.execute(_PLAIN_VECTORS, {"after": after}))
    if not rows:
        return None, 0
    seals = _seals(connection, sealer, rows)
    changes = [
        {
            "version": row.version_id,
            "model": row.model_id,
            "blob": sealer.seal_vector(seals[row.scope_id], row.memory_id, row.version, row.identity, row.vector),
        }
        for row in rows
    ]
    connection.execute(_SEAL_VECTOR, changes)
    # A version's vectors of other models may have been beyond the limit.
    return rows[-1].version_id - 1, len(rows)


def _seal_reasons(connection: Connection, sealer: Sealer, after: int) -> tuple[int | None, int]:
    rows = list(connection.execute(_PLAIN_REASONS, {"after": after}))
    if not rows:
        return None, 0
    seals = _seals(connection, sealer, rows)
    changes = []
    for row in rows:
        place = place_of_reason(row.memory_id, row.version, row.superseded_by, row.revision)
        changes.append(
            {"row": row.id, "new_reason": sealer.seal_text(seals[row.scope_id].key.key_id, row.reason, *place)}
        )
    connection.execute(_SEAL_REASON, changes)
    return rows[-1].id, 0


def _seal_work(connection: Connection, sealer: Sealer) -> None:
    """Work that was left before the store had keys is sealed under the store's own: it is done soon."""
    columns = (outbox.c.id, outbox.c.tenant, outbox.c.memory_ids, outbox.c.payload, outbox.c.last_error)
    for row in connection.execute(select(*columns)).all():
        payload, error = row.payload, row.last_error
        if payload != "{}" and not payload.startswith(SEALED_TEXT):
            payload = sealer.seal_text(sealer.store_key, payload, *place_of_work(row.tenant, row.memory_ids))
        if error and not error.startswith(SEALED_TEXT):
            error = sealer.seal_text(sealer.store_key, error, *place_of_work_error(row.id))
        connection.execute(_SEAL_WORK, {"row": row.id, "new_payload": payload, "new_error": error})


def _seal_requests(connection: Connection, sealer: Sealer) -> None:
    columns = (requests.c.tenant, requests.c.method, requests.c.request_id, requests.c.fingerprint)
    for row in connection.execute(select(*columns)).all():
        if not row.fingerprint.startswith(SEALED_TEXT):
            place = place_of_request(row.tenant, row.method, row.request_id)
            sealed = sealer.seal_text(sealer.store_key, row.fingerprint, *place)
            values = {"of_tenant": row.tenant, "of_method": row.method, "of_id": row.request_id}
            connection.execute(_SEAL_REQUEST, values | {"new_fingerprint": sealed})


def _clean(path: Path) -> None:
    """Makes the file anew from what it holds now, and empties the log: neither has a page of before."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=60.0)) as connection:
            # What is copied is encrypted by now: it need not be held in memory.
            connection.execute("PRAGMA temp_store=FILE")
            connection.execute("VACUUM")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        raise _uncleaned(str(error)) from error
    if busy:
        raise _uncleaned("somebody else reads the database")


def _uncleaned(why: str) -> MnemicError:
    return MnemicError(
        Reason.STORE_UNAVAILABLE,
        f"everything is encrypted, but the file could not be cleaned of what it held before: {why}; run `mnemic "
        "encryption enable` again",
    )
