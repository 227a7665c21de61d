"""The statements that may say the same: what consolidation reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from sqlalchemy import Connection, bindparam, or_, select

from mnemic.model.memory import ChangeKind, MemoryKind
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.consolidation import ConsolidationStore, Statement
from mnemic.store.database import Database
from mnemic.store.listing import scope_conditions
from mnemic.store.reading import load_rows
from mnemic.store.tables import memory_versions, scopes

# Kinds of which no two of a scope need say the same.
STATEMENTS = (MemoryKind.FACT, MemoryKind.INSTRUCTION)
_SCOPES_AT_ONCE = 200
_ROWS_AT_ONCE = 500
_VERSION = memory_versions.c
_EARLIER = memory_versions.alias("earlier")
# What somebody brought back is not taken away again.
_WAS_RESTORED = (
    select(_EARLIER.c.id)
    .where(_EARLIER.c.memory_id == _VERSION.memory_id, _EARLIER.c.change == ChangeKind.RESTORED.value)
    .correlate(memory_versions)
    .exists()
)
_STATEMENTS = (
    select(_VERSION.id, _VERSION.takes_slot)
    .where(
        _VERSION.scope_id.in_(bindparam("scopes", expanding=True)),
        _VERSION.kind.in_([kind.value for kind in STATEMENTS]),
        _VERSION.valid_to_micros.is_(None),
        ~_VERSION.is_deleted,
        or_(_VERSION.expire_time_micros.is_(None), _VERSION.expire_time_micros > bindparam("now")),
        or_(_VERSION.version == 1, ~_WAS_RESTORED),
    )
    .order_by(_VERSION.scope_id, _VERSION.memory_id)
)


class SqlConsolidation(ConsolidationStore):
    """Implements `ConsolidationStore` on a relational database."""

    _database: Database

    def statements(
        self, tenant: str, scope: Scope, consume: Callable[[Sequence[Statement]], None], *, after: int, now_micros: int
    ) -> int | None:
        """See `ConsolidationStore.statements`."""
        with self._database.reading() as connection:
            selected = (
                select(scopes.c.id)
                .where(*scope_conditions(tenant, scope, ScopeMatch.EXACT), scopes.c.id > after)
                .order_by(scopes.c.id)
                .limit(_SCOPES_AT_ONCE)
            )
            scope_ids = list(connection.scalars(selected))
            _read(connection, scope_ids, consume, now_micros)
        return scope_ids[-1] if len(scope_ids) == _SCOPES_AT_ONCE else None


def _read(
    connection: Connection, scope_ids: Sequence[int], consume: Callable[[Sequence[Statement]], None], now_micros: int
) -> None:
    if not scope_ids:
        return
    found = connection.execute(_STATEMENTS, {"scopes": scope_ids, "now": now_micros}).all()
    rows = iter(found)
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        memories = load_rows(connection, [row.id for row in part], with_vectors=False)
        consume([Statement(memories[row.id], row.takes_slot) for row in part if row.id in memories])
