"""The statements that may say the same, and the sessions that may be summarised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from sqlalchemy import Connection, bindparam, func, or_, select

from mnemic.model.memory import ChangeKind, MemoryKind
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.consolidation import ConsolidationStore, SessionsPage, Statement
from mnemic.store.database import Database
from mnemic.store.erasure_tables import derivations
from mnemic.store.listing import scope_conditions
from mnemic.store.reading import load_rows
from mnemic.store.rows import chunks
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


_SUMMARY = memory_versions.alias("summary")
_SUMMARIES = (
    select(_SUMMARY.c.id)
    .select_from(derivations.join(_SUMMARY, _SUMMARY.c.id == derivations.c.version_id))
    .where(_SUMMARY.c.kind == MemoryKind.SUMMARY.value, _SUMMARY.c.erasure_id.is_(None))
)
_IS_COVERED = _SUMMARIES.where(derivations.c.source_id == _VERSION.memory_id).correlate(memory_versions).exists()
_QUIET = (
    select(_VERSION.scope_id)
    .where(
        _VERSION.scope_id.in_(bindparam("scopes", expanding=True)),
        _VERSION.kind == MemoryKind.MESSAGE.value,
        ~_VERSION.is_deleted,
    )
    .group_by(_VERSION.scope_id)
    .having(func.max(_VERSION.create_time_micros) < bindparam("before"))
)
_MESSAGES = (
    select(_VERSION.memory_id, _IS_COVERED.label("is_covered"))
    .where(
        _VERSION.scope_id == bindparam("scope"),
        _VERSION.kind == MemoryKind.MESSAGE.value,
        _VERSION.valid_to_micros.is_(None),
        ~_VERSION.is_deleted,
        or_(_VERSION.expire_time_micros.is_(None), _VERSION.expire_time_micros > bindparam("now")),
    )
    .order_by(_VERSION.memory_id)
)
_HOLDING_SUMMARIES = (
    select(_SUMMARY.c.memory_id)
    .distinct()
    .select_from(derivations.join(_SUMMARY, _SUMMARY.c.id == derivations.c.version_id))
    .where(
        derivations.c.source_id.in_(bindparam("sources", expanding=True)),
        _SUMMARY.c.tenant == bindparam("tenant"),
        _SUMMARY.c.kind == MemoryKind.SUMMARY.value,
        _SUMMARY.c.valid_to_micros.is_(None),
        ~_SUMMARY.c.is_deleted,
    )
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

    def quiet_sessions(self, tenant: str, *, before_micros: int, after: int, now_micros: int) -> SessionsPage:
        """See `ConsolidationStore.quiet_sessions`."""
        selected = (
            select(scopes.c.id)
            .where(scopes.c.tenant == tenant, scopes.c.session_id != "", scopes.c.id > after)
            .order_by(scopes.c.id)
            .limit(_SCOPES_AT_ONCE)
        )
        with self._database.reading() as connection:
            scope_ids = list(connection.scalars(selected))
            quiet = (
                connection.scalars(_QUIET, {"scopes": scope_ids, "before": before_micros}).all() if scope_ids else ()
            )
            sessions = [
                [(row.memory_id, bool(row.is_covered)) for row in connection.execute(_MESSAGES, values)]
                for values in ({"scope": scope_id, "now": now_micros} for scope_id in sorted(quiet))
            ]
        return SessionsPage(sessions, scope_ids[-1] if len(scope_ids) == _SCOPES_AT_ONCE else None)

    def summaries_over(self, tenant: str, message_ids: Sequence[str]) -> list[str]:
        """See `ConsolidationStore.summaries_over`."""
        found: dict[str, None] = {}
        with self._database.reading() as connection:
            for ids in chunks(list(message_ids)):
                values = {"sources": ids, "tenant": tenant}
                found.update(dict.fromkeys(connection.execute(_HOLDING_SUMMARIES, values).scalars()))
        return list(found)


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
