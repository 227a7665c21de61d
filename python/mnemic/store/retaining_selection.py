"""Finds what a run of retention removes, in frames that cost about the same each.

Limits by time are judged memory by memory, in the order of ids. Budgets are judged scope by scope over what the limits
leave: what is pinned or held takes its room first, the rest follows by the retention score, and what finds no room
goes. Each budget is judged by itself; a memory goes when any says so.

Only the rows of a frame are looked at in one statement, and only what goes comes out of the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, cast, func, or_, select

from mnemic.model.memory import Memory
from mnemic.model.retention import RetentionCause, RetentionPolicy
from mnemic.store.accounts import body_size
from mnemic.store.reading import load_rows
from mnemic.store.retaining import Candidate, Cursor, Frame, Selection, Stage
from mnemic.store.retaining_rules import (
    base_conditions,
    carries,
    ended_name,
    is_held,
    is_one_of,
    joined,
    listed,
    matched_name,
    needs_look,
    retention_score,
    rule_number,
    selects,
    time_rules,
)
from mnemic.store.retaining_tables import recalls
from mnemic.store.sealing import sealer_of
from mnemic.store.tables import memory_versions, scopes

_VERSION = memory_versions.c
_MEMORIES_AT_ONCE = 2000
_SCOPES_AT_ONCE = 500
# Budgets of several scopes are judged together as long as they hold so many versions: tens of milliseconds.
_JUDGED_AT_ONCE = 5_000
_FILTERED_AT_ONCE = 500
_ASKED_ID = cast(listed(bindparam("scope_ids")).table_valued("value").c.value, _VERSION.scope_id.type)
_SIZES = select(
    _ASKED_ID, select(func.count()).select_from(memory_versions).where(_VERSION.scope_id == _ASKED_ID).scalar_subquery()
)


@dataclass(slots=True)
class _Found:
    """What a frame has found so far: of each memory the first reason in the order of causes."""

    candidates: dict[int, Candidate]
    pinned: set[int]
    held: set[int]

    def note(self, row: Any, candidate: Candidate) -> None:  # noqa: ANN401 (SQLAlchemy types rows by position)
        if row.is_pinned:
            self.pinned.add(candidate.version_id)
        elif row.is_held:
            self.held.add(candidate.version_id)
        else:
            known = self.candidates.get(candidate.version_id)
            if known is None or (candidate.cause, candidate.policy_id) < (known.cause, known.policy_id):
                self.candidates[candidate.version_id] = candidate


class SelectionPlan:
    """The statements of one selection.

    Args:
        selection: What is looked at, and by what it is judged.
        is_sealed: Whether the store is encrypted.
    """

    def __init__(self, selection: Selection, *, is_sealed: bool) -> None:
        self.selection = selection
        self._is_sealed = is_sealed
        self._rules = time_rules(selection, is_sealed=is_sealed)
        self._base = base_conditions(selection)
        self._budgets = [policy for policy in selection.policies if policy.has_budget]
        rule = rule_number(self._rules).label("rule")
        self._protected = or_(_VERSION.is_pinned, is_held())
        in_page = _in_page(selection.tenant)
        self._page = joined(
            _VERSION.id,
            _VERSION.memory_id,
            _VERSION.version,
            body_size.label("body_bytes"),
            rule,
            _VERSION.is_pinned,
            is_held().label("is_held"),
            recalls.c.last_recall_micros,
        ).where(*self._base, *in_page, rule.is_not(None))
        self._examined = joined(func.count()).where(*self._base, *in_page)
        self._excesses = [(policy, self._excess(policy)) for policy in self._budgets]

    def frame(self, connection: Connection, cursor: Cursor) -> Frame:
        """See `RetentionStore.frame`."""
        if cursor.stage is Stage.LIMITS:
            return self._limits(connection, cursor.after)
        if cursor.stage is Stage.BUDGETS:
            return self._over_budget(connection, int(cursor.after or 0))
        return Frame((), 0, 0, 0, Cursor(Stage.DONE))

    def _limits(self, connection: Connection, after: str) -> Frame:
        last = connection.execute(
            select(_VERSION.memory_id)
            .where(_VERSION.tenant == self.selection.tenant, _VERSION.memory_id > after)
            .order_by(_VERSION.memory_id)
            .offset(_MEMORIES_AT_ONCE - 1)
            .limit(1)
        ).scalar_one_or_none()
        following = Cursor(Stage.BUDGETS) if last is None else Cursor(Stage.LIMITS, last)
        values: dict[str, Any] = {"after": after, "last": "\U0010ffff" if last is None else last}
        examined = connection.execute(self._examined, values).scalar_one()
        found = _Found({}, set(), set())
        if self._rules and examined:
            values |= self._parameters(connection, _in_page(self.selection.tenant), values)
            for row in connection.execute(self._page, values):
                rule = self._rules[row.rule]
                found.note(row, _candidate(row, rule.policy_id, rule.cause))
        return _frame(found, examined, following)

    def _over_budget(self, connection: Connection, after: int) -> Frame:
        if not self._budgets:
            return Frame((), 0, 0, 0, Cursor(Stage.ARCHIVE))
        scope_ids = list(
            connection.execute(
                select(scopes.c.id)
                .where(scopes.c.tenant == self.selection.tenant, scopes.c.id > after, *carries(self.selection.scope))
                .order_by(scopes.c.id)
                .limit(_SCOPES_AT_ONCE)
            ).scalars()
        )
        if not scope_ids:
            return Frame((), 0, 0, 0, Cursor(Stage.ARCHIVE))
        taken = _together(connection, scope_ids)
        full = self._full_scopes(connection, taken)
        found = _Found({}, set(), set())
        if full:
            self._judge(connection, full, found)
        return _frame(found, 0, Cursor(Stage.BUDGETS, str(taken[-1])))

    def _full_scopes(self, connection: Connection, scope_ids: list[int]) -> list[int]:
        """Those of the scopes that may hold more than a budget allows."""
        values = {"scope_ids": json.dumps(scope_ids)}
        full: set[int] = set()
        for policy in self._budgets:
            count = func.count()
            limits = []
            if policy.max_memories_per_scope is not None:
                limits.append(count > policy.max_memories_per_scope)
            if policy.max_bytes_per_scope is not None:
                limits.append(func.sum(body_size) > policy.max_bytes_per_scope)
            # What a look at memories would narrow is left out here: it only makes fewer of them.
            narrowed = selects(policy, is_sealed=self._is_sealed, with_look=False)
            over = connection.execute(
                joined(_VERSION.scope_id)
                .where(*self._base, *_in_scopes(), *narrowed)
                .group_by(_VERSION.scope_id)
                .having(or_(*limits)),
                values,
            )
            full.update(over.scalars())
        return sorted(full)

    def _judge(self, connection: Connection, scope_ids: list[int], found: _Found) -> None:
        values: dict[str, Any] = {"scope_ids": json.dumps(scope_ids)}
        values |= self._parameters(connection, _in_scopes(), values)
        for policy, statement in self._excesses:
            most = policy.max_memories_per_scope
            for row in connection.execute(statement, values):
                is_counted = most is not None and row.place > most
                cause = RetentionCause.COUNT_BUDGET if is_counted else RetentionCause.BYTE_BUDGET
                found.note(row, _candidate(row, policy.policy_id, cause, row.score))

    def _excess(self, policy: RetentionPolicy) -> Any:  # noqa: ANN401 (a statement of these columns)
        """What of some scopes finds no room under a policy's budget."""
        score = retention_score(policy, self.selection.reference_micros)
        protected = case((self._protected, 0), else_=1)
        body_bytes = body_size
        order = (protected, score.desc(), _VERSION.memory_id.desc())
        rule = rule_number(self._rules)
        ranked = (
            joined(
                _VERSION.id,
                _VERSION.memory_id,
                _VERSION.version,
                body_bytes.label("body_bytes"),
                _VERSION.is_pinned,
                is_held().label("is_held"),
                recalls.c.last_recall_micros,
                score.label("score"),
                rule.is_not(None).label("is_counted"),
                func.row_number().over(partition_by=_VERSION.scope_id, order_by=order).label("place"),
                func.sum(body_bytes)
                .over(partition_by=_VERSION.scope_id, order_by=order, rows=(None, 0))
                .label("bytes_so_far"),
            )
            # What is protected stays although a limit says that it goes, and takes its room.
            .where(
                *self._base,
                *_in_scopes(),
                *selects(policy, is_sealed=self._is_sealed),
                or_(rule.is_(None), self._protected),
            )
            .subquery()
        )
        limits = []
        if policy.max_memories_per_scope is not None:
            limits.append(ranked.c.place > policy.max_memories_per_scope)
        if policy.max_bytes_per_scope is not None:
            limits.append(ranked.c.bytes_so_far > policy.max_bytes_per_scope)
        # What is protected from a limit was counted there.
        return select(ranked).where(or_(*limits), ~ranked.c.is_counted).order_by(ranked.c.id)

    def _parameters(
        self, connection: Connection, frame: list[ColumnElement[bool]], values: dict[str, Any]
    ) -> dict[str, str]:
        """What only a look at other rows, or at whole memories, can tell of the rows of a frame."""
        return self._ended_sessions(connection, frame, values) | self._matches(connection, frame, values)

    def _ended_sessions(
        self, connection: Connection, frame: list[ColumnElement[bool]], values: dict[str, Any]
    ) -> dict[str, str]:
        policies = [policy for policy in self.selection.policies if policy.session_grace_micros is not None]
        if not policies:
            return {}
        theirs = (
            select(scopes.c.session_id)
            .distinct()
            .select_from(memory_versions.join(scopes, scopes.c.id == _VERSION.scope_id))
            .where(*self._base, *frame, scopes.c.session_id != "")
        )
        sessions = json.dumps(list(connection.execute(theirs, values).scalars()))
        last_write = func.max(_VERSION.update_time_micros)
        written = connection.execute(
            select(scopes.c.session_id, last_write)
            .select_from(scopes.join(memory_versions, scopes.c.id == _VERSION.scope_id))
            .where(scopes.c.tenant == self.selection.tenant, is_one_of(scopes.c.session_id, "sessions"))
            .group_by(scopes.c.session_id),
            {"sessions": sessions},
        ).all()
        return {
            ended_name(policy): json.dumps(
                [
                    session
                    for session, moment in written
                    if moment <= self.selection.reference_micros - (policy.session_grace_micros or 0)
                ]
            )
            for policy in policies
        }

    def _matches(
        self, connection: Connection, frame: list[ColumnElement[bool]], values: dict[str, Any]
    ) -> dict[str, str]:
        filtered = [policy for policy in self.selection.policies if needs_look(policy, is_sealed=self._is_sealed)]
        if not filtered:
            return {}
        row_ids = list(connection.execute(joined(_VERSION.id).where(*self._base, *frame), values).scalars())
        matched: dict[str, list[int]] = {matched_name(policy): [] for policy in filtered}
        for start in range(0, len(row_ids), _FILTERED_AT_ONCE):
            memories = load_rows(connection, row_ids[start : start + _FILTERED_AT_ONCE], with_vectors=False)
            for policy in filtered:
                rows = (row_id for row_id, memory in memories.items() if self._fulfils(policy, memory))
                matched[matched_name(policy)].extend(rows)
        return {name: json.dumps(ids) for name, ids in matched.items()}

    def _fulfils(self, policy: RetentionPolicy, memory: Memory) -> bool:
        if policy.categories and not set(policy.categories).intersection(memory.categories):
            return False
        return policy.filter is None or self.selection.filters[policy.policy_id](memory)


def preview(connection: Connection, selection: Selection, consume: Callable[[Frame], None]) -> None:
    """Hands over all frames of a selection, as one transaction sees them."""
    plan = SelectionPlan(selection, is_sealed=sealer_of(connection).seals)
    cursor = Cursor()
    while cursor.stage in {Stage.LIMITS, Stage.BUDGETS}:
        frame = plan.frame(connection, cursor)
        consume(frame)
        cursor = frame.following


def _together(connection: Connection, scope_ids: list[int]) -> list[int]:
    """The first of some scopes, as many as are judged at once."""
    taken: list[int] = []
    versions = 0
    # Each scope is counted when its row is asked for, so that what comes after the last is not.
    with connection.execute(_SIZES, {"scope_ids": json.dumps(scope_ids)}) as sizes:
        for scope_id, size in sizes:
            versions += size
            if taken and versions > _JUDGED_AT_ONCE:
                break
            taken.append(scope_id)
    return taken


def _in_page(tenant: str) -> list[ColumnElement[bool]]:
    return [
        _VERSION.tenant == tenant,
        _VERSION.memory_id > bindparam("after"),
        _VERSION.memory_id <= bindparam("last"),
    ]


def _in_scopes() -> list[ColumnElement[bool]]:
    return [is_one_of(_VERSION.scope_id, "scope_ids")]


def _candidate(row: Any, policy_id: str, cause: RetentionCause, score: float | None = None) -> Candidate:  # noqa: ANN401 (SQLAlchemy types rows by position)
    return Candidate(
        row.id, row.memory_id, row.version, row.body_bytes, policy_id, cause, score, row.last_recall_micros
    )


def _frame(found: _Found, examined: int, following: Cursor) -> Frame:
    return Frame(tuple(found.candidates.values()), examined, len(found.pinned), len(found.held), following)
