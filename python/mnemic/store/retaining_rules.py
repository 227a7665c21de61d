"""Retention policies as conditions of SQL, and the retention score.

The score says which memories of a scope a budget keeps. It is the weighted mean of four parts, each 0 to 1:

- importance and confidence as the memory has them,
- recency = h / (h + age) with h = 30 days: 1 when new, a half after h. The age is that of the last version or of the
  event, whichever is later. A hyperbola, since forgetting follows a power law (Wixted & Ebbesen 1991); it needs no
  function that a database may lack,
- use = n / (n + 3) · h / (h + time since the last recall) for n recalls; 0 without one.

A superseded memory has half of it, and so has a message that a summary covers. Of equal scores the older memory goes
first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Float, Select, and_, bindparam, case, cast, func, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from mnemic.model.memory import MemoryKind
from mnemic.model.retention import DAY_MICROS, RetentionCause, RetentionPolicy
from mnemic.model.scope import Scope
from mnemic.store.erasure_tables import derivations
from mnemic.store.retaining import Selection
from mnemic.store.retaining_tables import legal_holds, recalls
from mnemic.store.rows import encode_texts, scope_values
from mnemic.store.tables import memory_versions, scopes, supersessions

HALF_LIFE_MICROS = 30 * DAY_MICROS
HALF_USED = 3
SUPERSEDED_FACTOR = 0.5

_VERSION = memory_versions.c
_LATER = memory_versions.alias("later")
_SUMMARY = memory_versions.alias("summary")


class listed(FunctionElement[str]):  # noqa: N801 (it reads as the SQL function that it is)
    """The entries of a JSON list, as rows: a list that is one parameter, however long it is."""

    name = "listed"
    inherit_cache = True


@compiles(listed)
def _compile_listed(element: listed, compiler: SQLCompiler, **arguments: Any) -> str:  # noqa: ANN401 (SQLAlchemy's signature)
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **arguments)} AS json))"


@compiles(listed, "sqlite")
def _compile_listed_for_sqlite(element: listed, compiler: SQLCompiler, **arguments: Any) -> str:  # noqa: ANN401 (the same)
    return f"json_each({compiler.process(element.clauses, **arguments)})"


def is_one_of(value: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether a value is in the JSON list that the parameter `name` brings."""
    entries = listed(bindparam(name)).table_valued("value").c.value
    return value.in_(select(cast(entries, value.type)))


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit of one policy by time.

    Attributes:
        policy_id: Whose; empty for a memory's own expiry.
        cause: Which limit.
        condition: What makes a memory go.
    """

    policy_id: str
    cause: RetentionCause
    condition: ColumnElement[bool]


def is_latest() -> ColumnElement[bool]:
    """Whether a row is the latest version of a memory that is not deleted."""
    later = select(_LATER.c.id).where(_LATER.c.memory_id == _VERSION.memory_id, _LATER.c.version > _VERSION.version)
    return and_(~_VERSION.is_deleted, or_(_VERSION.valid_to_micros.is_(None), ~later.exists()))


def is_held() -> ColumnElement[bool]:
    """Whether a legal hold of the tenant selects the row of `scopes`."""
    hold = legal_holds.c
    ids = [
        or_(hold[name] == "", hold[name] == scopes.c[name]) for name in ("user_id", "agent_id", "app_id", "session_id")
    ]
    return (
        select(hold.hold_id)
        .where(hold.tenant == scopes.c.tenant, hold.release_time_micros.is_(None), *ids)
        .correlate(scopes)
        .exists()
    )


def carries(scope: Scope) -> list[ColumnElement[bool]]:
    """That the row of `scopes` has the ids of a scope."""
    return [scopes.c[name] == value for name, value in scope_values(scope).items() if value]


def base_conditions(selection: Selection) -> list[ColumnElement[bool]]:
    """What a run looks at: the latest versions of the memories of its scope. Whose they are the frame says, by pages of
    the tenant or by its scopes: one of them is then the index that is walked.
    """
    conditions = [is_latest(), *carries(selection.scope)]
    if selection.last_version_id is not None:
        conditions.append(_VERSION.id <= selection.last_version_id)
    return conditions


def needs_look(policy: RetentionPolicy, *, is_sealed: bool) -> bool:
    """Whether only a look at whole memories tells which a policy selects: SQL cannot, or may not, read all of them."""
    return policy.filter is not None or (bool(policy.categories) and is_sealed)


def selects(policy: RetentionPolicy, *, is_sealed: bool, with_look: bool = True) -> list[ColumnElement[bool]]:
    """What a policy selects.

    Args:
        policy: The policy.
        is_sealed: Whether the store is encrypted, so that SQL cannot read labels.
        with_look: Whether to narrow by what a look at whole memories found, which comes in as the parameter that
            `matched_name` names.
    """
    conditions = carries(policy.scope)
    if policy.kinds:
        conditions.append(_VERSION.kind.in_([int(kind) for kind in policy.kinds]))
    if policy.categories and not is_sealed:
        conditions.append(or_(*map(_has_category, policy.categories)))
    if with_look and needs_look(policy, is_sealed=is_sealed):
        conditions.append(is_one_of(_VERSION.id, matched_name(policy)))
    return conditions


def matched_name(policy: RetentionPolicy) -> str:
    """The parameter that holds the row ids that a policy selects after a look at the memories."""
    return f"matched_{policy.policy_id}"


def ended_name(policy: RetentionPolicy) -> str:
    """The parameter that holds the sessions which ended long enough ago for a policy."""
    return f"ended_{policy.policy_id}"


def _has_category(category: str) -> ColumnElement[bool]:
    # In canonical JSON a quote within a label is escaped, so that these texts stand only where a label stands.
    label = encode_texts([category])[1:-1]
    inside = func.replace(_VERSION.categories, f",{label}", "") != _VERSION.categories
    return or_(inside, func.substr(_VERSION.categories, 1, len(label) + 1) == f"[{label}")


def time_rules(selection: Selection, *, is_sealed: bool) -> list[Rule]:
    """The limits by time, in the order in which the first that says so counts."""
    now = selection.reference_micros
    rules = [
        Rule(policy.policy_id, cause, and_(*selects(policy, is_sealed=is_sealed), condition))
        for policy in selection.policies
        for cause, condition in _limits(policy, now)
    ]
    if selection.takes_expired:
        rules.append(Rule("", RetentionCause.EXPIRED, _VERSION.expire_time_micros <= now))
    return sorted(rules, key=lambda rule: (rule.cause, rule.policy_id))


def _limits(policy: RetentionPolicy, now: int) -> list[tuple[RetentionCause, ColumnElement[bool]]]:
    found: list[tuple[RetentionCause, ColumnElement[bool]]] = []
    if policy.max_age_micros is not None:
        born = func.coalesce(_VERSION.event_time_micros, _VERSION.create_time_micros)
        found.append((RetentionCause.AGE, born <= now - policy.max_age_micros))
    if policy.max_inactivity_micros is not None:
        since = now - policy.max_inactivity_micros
        is_unused = func.coalesce(recalls.c.last_recall_micros, _VERSION.update_time_micros) <= since
        found.append((RetentionCause.INACTIVITY, and_(_VERSION.update_time_micros <= since, is_unused)))
    if policy.superseded_grace_micros is not None:
        found.append((RetentionCause.SUPERSEDED, _superseded_before(now - policy.superseded_grace_micros)))
    if policy.session_grace_micros is not None:
        ended = and_(scopes.c.session_id != "", is_one_of(scopes.c.session_id, ended_name(policy)))
        found.append((RetentionCause.SESSION_ENDED, ended))
    return found


def _superseded_before(moment: int) -> ColumnElement[bool]:
    recorded = (
        select(func.max(supersessions.c.create_time_micros))
        .where(supersessions.c.version_id == _VERSION.id)
        .correlate(memory_versions)
        .scalar_subquery()
    )
    is_superseded = and_(_VERSION.valid_to_micros.is_not(None), _VERSION.superseded_by.is_not(None))
    return and_(is_superseded, func.coalesce(recorded, _VERSION.valid_to_micros) <= moment)


def rule_number(rules: list[Rule]) -> ColumnElement[int | None]:
    """The place of the first rule that makes a memory go; null if it stays."""
    if not rules:
        return cast(None, _VERSION.id.type)
    return case(*((rule.condition, place) for place, rule in enumerate(rules)), else_=None)


def retention_score(policy: RetentionPolicy, now: int) -> ColumnElement[Any]:
    """The retention score by a policy's weights."""
    weights = policy.score_weights.resolved()
    half_life = float(HALF_LIFE_MICROS)
    happened = func.coalesce(_VERSION.event_time_micros, _VERSION.update_time_micros)
    latest = case((happened > _VERSION.update_time_micros, happened), else_=_VERSION.update_time_micros)
    used = cast(recalls.c.recall_count, Float) / (recalls.c.recall_count + HALF_USED)
    parts: tuple[tuple[float | None, ColumnElement[Any]], ...] = (
        (weights.importance, _VERSION.importance),
        (weights.confidence, _VERSION.confidence),
        (weights.recency, _decay(latest, now, half_life)),
        (weights.use, func.coalesce(used * _decay(recalls.c.last_recall_micros, now, half_life), 0.0)),
    )
    total = sum(weight or 0.0 for weight, _ in parts)
    mean: Any = sum(((weight or 0.0) / total * part for weight, part in parts), start=cast(0.0, Float))
    superseded = and_(_VERSION.valid_to_micros.is_not(None), _VERSION.superseded_by.is_not(None))
    return case((or_(superseded, _is_summarised()), mean * SUPERSEDED_FACTOR), else_=mean)


def _is_summarised() -> ColumnElement[bool]:
    """Whether a summary that holds covers a message."""
    covers = (
        select(_SUMMARY.c.id)
        .select_from(derivations.join(_SUMMARY, _SUMMARY.c.id == derivations.c.version_id))
        .where(
            derivations.c.source_id == _VERSION.memory_id,
            _SUMMARY.c.kind == MemoryKind.SUMMARY.value,
            _SUMMARY.c.valid_to_micros.is_(None),
            ~_SUMMARY.c.is_deleted,
        )
        .correlate(memory_versions)
        .exists()
    )
    return and_(_VERSION.kind == MemoryKind.MESSAGE.value, covers)


def _decay(moment: ColumnElement[int], now: int, half_life: float) -> ColumnElement[Any]:
    # What lies in the future, by another clock, counts as now.
    age = case((moment < now, now - moment), else_=0)
    return half_life / (half_life + age)


def joined(*columns: Any) -> Select[*tuple[Any, ...]]:  # noqa: ANN401 (columns of any type)
    """Columns of versions with their scopes and recalls."""
    return select(*columns).select_from(
        memory_versions.join(scopes, scopes.c.id == _VERSION.scope_id).outerjoin(
            recalls, recalls.c.memory_id == _VERSION.memory_id
        )
    )
