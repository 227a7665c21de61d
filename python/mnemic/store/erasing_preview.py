"""What an erasure would find, counted on one snapshot without changing anything."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, select

from mnemic.model.erasure import ErasedPlace, ErasureTarget, TargetKind
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.erasing_hiding import KEPT_FACTS, derived_from, has_words_of, histories_of
from mnemic.store.erasing_holds import refuse_held
from mnemic.store.listing import scope_conditions
from mnemic.store.rows import chunks, decode_texts
from mnemic.store.tables import embeddings, memory_versions, outbox, pending_vectors, scopes, supersessions
from mnemic.store.work import OutboxState

_VERSION = memory_versions.c
_IDS: BindParameter[list[int | str]] = bindparam("ids", expanding=True)
_ROWS = select(_VERSION.id).where(_VERSION.memory_id.in_(_IDS))
_COUNTED: tuple[tuple[str, Select[int]], ...] = (
    ("history", select(func.count()).where(_VERSION.memory_id.in_(_IDS), _VERSION.version > 1)),
    ("vectors", select(func.count()).where(embeddings.c.version_id.in_(_ROWS))),
    ("missing_vectors", select(func.count()).where(pending_vectors.c.version_id.in_(_ROWS))),
    ("supersessions", select(func.count()).where(supersessions.c.version_id.in_(_ROWS))),
)
_WORK = select(outbox.c.memory_ids, outbox.c.made_ids, outbox.c.state).where(outbox.c.tenant == bindparam("tenant"))
_WORK_PLACES = {OutboxState.FAILED.value: "dead_letters", OutboxState.DONE.value: "operations"}


def preview(connection: Connection, tenant: str, target: ErasureTarget) -> tuple[ErasedPlace, ...]:
    """See `ErasureStore.preview`."""
    refuse_held(connection, tenant, target)
    found = dict.fromkeys(_meant(connection, tenant, target))
    derived, kept = _with_derived(connection, tenant, found)
    counts = {"memories": len(found), "derived_facts": derived + kept}
    for ids in chunks(list(found)):
        for place, statement in _COUNTED:
            counts[place] = counts.get(place, 0) + int(connection.execute(statement, {"ids": ids}).scalar_one())
    for row in connection.execute(_WORK, {"tenant": tenant}):
        if any(memory_id in found for memory_id in (*decode_texts(row.memory_ids), *decode_texts(row.made_ids))):
            place = _WORK_PLACES.get(row.state, "queue")
            counts[place] = counts.get(place, 0) + 1
    return tuple(
        ErasedPlace(
            place=place,
            found=count,
            kept=kept if place == "derived_facts" else 0,
            kept_reason=KEPT_FACTS if kept and place == "derived_facts" else "",
        )
        for place, count in sorted(counts.items())
        if count
    )


def _meant(connection: Connection, tenant: str, target: ErasureTarget) -> Sequence[str]:
    statement = select(_VERSION.memory_id).distinct().where(_VERSION.erasure_id.is_(None))
    if target.kind is TargetKind.MEMORY:
        statement = statement.where(_VERSION.memory_id == target.memory_id, _VERSION.tenant == tenant)
    elif target.kind is TargetKind.TENANT:
        statement = statement.where(_VERSION.tenant == tenant)
    else:
        selected = select(scopes.c.id).where(*scope_conditions(tenant, target.scope or Scope(), ScopeMatch.EXACT))
        statement = statement.where(_VERSION.scope_id.in_(selected))
    return connection.execute(statement).scalars().all()


def _with_derived(connection: Connection, tenant: str, found: dict[str, None]) -> tuple[int, int]:
    """Adds what was derived; how many were added, and how many that name what is found stay."""
    frontier, added, kept = list(found), 0, set[str]()
    while frontier:
        following: list[str] = []
        for ids in chunks(frontier):
            derived = derived_from(connection, tenant, ids)
            for memory_id, history in histories_of(connection, [one for one in derived if one not in found]).items():
                if has_words_of(history, found.keys()):
                    found[memory_id] = None
                    following.append(memory_id)
                else:
                    kept.add(memory_id)
        added += len(following)
        frontier = following
    return added, len(kept - found.keys())
