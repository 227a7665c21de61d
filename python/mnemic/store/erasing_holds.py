"""Legal holds against erasure: what they select is not destroyed until they are released."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BindParameter, Connection, bindparam, select

from mnemic.model.erasure import ErasureTarget, TargetKind
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.listing import scope_conditions
from mnemic.store.retaining_rules import is_held
from mnemic.store.rows import chunks
from mnemic.store.tables import memory_versions, scopes

_VERSION = memory_versions.c
_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_HELD = (
    select(_VERSION.memory_id)
    .distinct()
    .select_from(memory_versions.join(scopes, scopes.c.id == _VERSION.scope_id))
    .where(_VERSION.memory_id.in_(_IDS), is_held())
)


def held_of(connection: Connection, memory_ids: Sequence[str]) -> set[str]:
    """Those of the memories that a legal hold selects."""
    return {memory_id for ids in chunks(memory_ids) for memory_id in connection.execute(_HELD, {"ids": ids}).scalars()}


def refuse_held(connection: Connection, tenant: str, target: ErasureTarget) -> None:
    """Refuses to destroy what a legal hold selects. Of several memories at once only the others go.

    Raises:
        MnemicError: LEGAL_HOLD.
    """
    match target.kind:
        case TargetKind.MEMORIES:
            return
        case TargetKind.MEMORY:
            is_refused = bool(held_of(connection, [target.memory_id]))
        case _:
            match = ScopeMatch.TENANT if target.whole_tenant else ScopeMatch.EXACT
            conditions = scope_conditions(tenant, target.scope or Scope(), match)
            found = select(scopes.c.id).where(*conditions, is_held()).limit(1)
            is_refused = connection.execute(found).one_or_none() is not None
    if is_refused:
        raise MnemicError(
            Reason.LEGAL_HOLD,
            "a legal hold keeps memories that this would destroy; release it first (ListLegalHolds, ReleaseLegalHold)",
        )
