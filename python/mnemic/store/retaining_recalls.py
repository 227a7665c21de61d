"""How often memories are recalled."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from mnemic.store.retaining_rules import is_one_of
from mnemic.store.retaining_tables import recalls
from mnemic.store.tables import memory_versions

_RECALL = recalls.c
_KNOWN = select(_RECALL.memory_id, _RECALL.recall_count, _RECALL.last_recall_micros).where(
    is_one_of(_RECALL.memory_id, "ids")
)
# What was destroyed since it was recalled leaves no trace.
_THERE = select(memory_versions.c.memory_id).where(
    is_one_of(memory_versions.c.memory_id, "ids"), memory_versions.c.version == 1
)
_INSERT = insert(recalls)
_ADD = (
    update(recalls)
    .where(_RECALL.memory_id == bindparam("memory"))
    .values(recall_count=bindparam("count"), last_recall_micros=bindparam("last"))
)


def read_recalls(connection: Connection, memory_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """See `RetentionStore.recalls`."""
    rows = connection.execute(_KNOWN, {"ids": json.dumps(list(memory_ids))})
    return {memory_id: (count, last) for memory_id, count, last in rows}


def note_recalls(connection: Connection, noted: Sequence[tuple[str, int, int]]) -> None:
    """See `RetentionStore.note_recalls`."""
    ids = {"ids": json.dumps([memory_id for memory_id, _, _ in noted])}
    known = {row.memory_id: row for row in connection.execute(_KNOWN, ids)}
    there = set(connection.execute(_THERE, ids).scalars())
    fresh = [item for item in noted if item[0] in there and item[0] not in known]
    more = [(known[item[0]], item) for item in noted if item[0] in known]
    if fresh:
        names = ("memory_id", "recall_count", "last_recall_micros")
        connection.execute(_INSERT, [dict(zip(names, item, strict=True)) for item in fresh])
    if more:
        connection.execute(
            _ADD,
            [
                {
                    "memory": old.memory_id,
                    "count": old.recall_count + count,
                    "last": max(old.last_recall_micros, last),
                }
                for old, (_, count, last) in more
            ],
        )
