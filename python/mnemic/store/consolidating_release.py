"""What a memory took over holds again when that memory is erased for another one's sake: it said the same from sources
of its own, and nobody asked to forget those.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BindParameter, Connection, Row, bindparam, case, delete, null, select, update

from mnemic.store.accounts import Growth, body_size
from mnemic.store.rows import chunks
from mnemic.store.tables import memory_versions, supersessions

_VERSION = memory_versions.c
_LATER = memory_versions.alias("later")
_SAYING = memory_versions.alias("saying")
_IDS: BindParameter[list[int | str]] = bindparam("ids", expanding=True)
_WINNER: BindParameter[str] = bindparam("winner")
_WINNER_HOLDS = select(_VERSION.id).where(
    _VERSION.memory_id == _WINNER, _VERSION.valid_to_micros.is_(None), ~_VERSION.is_deleted
)
_TAKEN = select(_VERSION.id, _VERSION.partition_id, body_size.label("body_bytes")).where(
    _VERSION.memory_id.in_(_IDS),
    _VERSION.superseded_by == _WINNER,
    ~_VERSION.is_deleted,
    ~select(_LATER.c.id)
    .where(_LATER.c.memory_id == _VERSION.memory_id, _LATER.c.version > _VERSION.version)
    .correlate(memory_versions)
    .exists(),
)
# The same text may have been written since: then it is told apart no more, and the next consolidation merges the two.
_IS_SAID = (
    select(_SAYING.c.id)
    .where(
        _SAYING.c.scope_id == _VERSION.scope_id,
        _SAYING.c.content_hash == _VERSION.content_hash,
        _SAYING.c.fact_key == _VERSION.fact_key,
        _SAYING.c.valid_to_micros.is_(None),
    )
    .correlate(memory_versions)
    .exists()
)
_RELEASE = (
    update(memory_versions)
    .where(_VERSION.id == bindparam("row"))
    .values(valid_to_micros=None, superseded_by=None, fact_key=case((_IS_SAID, null()), else_=_VERSION.fact_key))
)
_FORGET = delete(supersessions).where(
    supersessions.c.version_id.in_(_IDS), supersessions.c.superseded_by == bindparam("winner")
)


def release(connection: Connection, winner: str, taken: Sequence[str], growth: Growth) -> set[int]:
    """Lets what a memory that still holds took over hold again, as if it had not been taken over.

    Args:
        connection: The transaction; what is derived from the partitions must be made anew.
        winner: The memory.
        taken: The ids that it took over, and any others.
        growth: What the tenant holds more by it.

    Returns:
        The row ids of the partitions.
    """
    if connection.execute(_WINNER_HOLDS, {"winner": winner}).first() is None:
        return set()
    rows: list[Row[int, int, int]] = []
    for ids in chunks(taken):
        rows.extend(connection.execute(_TAKEN, {"ids": ids, "winner": winner}).all())
    for row in rows:
        connection.execute(_RELEASE, {"row": row.id})
        growth.grow(row.body_bytes)
    for ids in chunks([row.id for row in rows]):
        connection.execute(_FORGET, {"ids": ids, "winner": winner})
    return {row.partition_id for row in rows}
