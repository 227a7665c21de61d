"""Credentials that are restricted to a scope: they see and change only memories that carry each of its ids."""

from __future__ import annotations

from dataclasses import fields

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.filters import AllOf, Comparison, Filter, Operator
from mnemic.model.scope import Scope, ScopeMatch

NO_RESTRICTION = Scope()


def refuse_foreign_scope(scope: Scope, within: Scope) -> None:
    """Refuses a write for a scope that does not carry the ids of the restriction."""
    if not within.selects(scope, ScopeMatch.EXACT):
        wanted = ", ".join(f"{name} {value!r}" for name, value in _ids(within))
        raise MnemicError(
            Reason.PERMISSION_DENIED,
            f"scope: this credential writes only memories that carry {wanted}",
            metadata={"field": "scope"},
        )


def narrowed(scope: Scope, match: ScopeMatch, within: Scope) -> Scope | None:
    """The scope whose memories a restricted credential may see of those asked for; None if it may see none.

    Raises:
        MnemicError: PERMISSION_DENIED for the whole tenant.
    """
    if within.is_empty:
        return scope
    if match is ScopeMatch.TENANT:
        raise MnemicError(
            Reason.PERMISSION_DENIED,
            "match: this credential is restricted to a scope and cannot ask for the whole tenant; give the scope",
            metadata={"field": "match"},
        )
    if match is ScopeMatch.VISIBLE:
        # What is visible carries no other ids than those asked for.
        return scope if within.selects(scope, ScopeMatch.EXACT) else None
    merged = {field.name: getattr(scope, field.name) or getattr(within, field.name) for field in fields(Scope)}
    both = Scope(**merged)
    return both if within.selects(both, ScopeMatch.EXACT) else None


def is_implied(scope: Scope, match: ScopeMatch, within: Scope) -> bool:
    """Whether all that a narrowed scope selects carries the ids of the restriction anyway."""
    if within.is_empty or match is ScopeMatch.EXACT:
        return True
    # What is visible carries at least one of the ids asked for.
    return scope == within and len(_ids(scope)) == 1


def restriction_filter(within: Scope) -> Filter:
    """The restriction, as a condition on memories."""
    return AllOf(tuple(Comparison(name, Operator.EQUAL, (value,)) for name, value in _ids(within)))


def _ids(scope: Scope) -> list[tuple[str, str]]:
    pairs = ((field.name, getattr(scope, field.name)) for field in fields(Scope))
    return [(name, value) for name, value in pairs if value is not None]
