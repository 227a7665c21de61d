"""What a deletion leaves on the versions of a memory, and bringing it back from one or from the archive."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select, true, update

from mnemic.store.retaining_tables import archived_memories
from mnemic.store.tables import embedding_models, embeddings, memory_versions, pending_vectors

_VERSION = memory_versions.c

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
_LEAVE_ARCHIVE = (
    update(archived_memories)
    .where(archived_memories.c.memory_id == bindparam("memory"), archived_memories.c.restore_time_micros.is_(None))
    .values(restore_time_micros=bindparam("now"))
)


def record_deletions(connection: Connection, ended: Mapping[int, int], revision: int) -> None:
    """Records when deletions ended versions: row id to microseconds."""
    rows = [{"row": row_id, "deleted": moment, "commit": revision} for row_id, moment in ended.items()]
    connection.execute(_RECORD_DELETION, rows)


def flag_deleted(connection: Connection, memory_ids: Collection[str], revision: int) -> None:
    """Marks all versions of memories as deleted; what of them has no vector needs none any more."""
    connection.execute(_FLAG_DELETED, [{"memory": memory_id, "commit": revision} for memory_id in memory_ids])
    connection.execute(_DROP_PENDING, [{"memory": memory_id} for memory_id in memory_ids])


def undelete(connection: Connection, memory_id: str, now_micros: int) -> None:
    """Makes the versions of a memory count again, and lists what of them still has no vector."""
    memory = {"memory": memory_id}
    connection.execute(_FLAG_UNDELETED, memory)
    connection.execute(_DROP_PENDING, memory)
    connection.execute(_RENEW_PENDING, memory)
    connection.execute(_LEAVE_ARCHIVE, memory | {"now": now_micros})
