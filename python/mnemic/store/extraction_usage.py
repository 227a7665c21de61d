"""What language models cost each tenant in each month, and the queue of extraction."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, fields

from sqlalchemy import Connection, bindparam, func, insert, select, update

from mnemic.model.extraction_rules import NO_RULES, ExtractionRules, ExtractionStats, ModelUsage
from mnemic.store.tables import extraction_usage, outbox, tenants
from mnemic.store.work import OutboxKind, OutboxState

_USAGE = extraction_usage.c
_NAMES = tuple(field.name for field in fields(ModelUsage))

_ADD = (
    update(extraction_usage)
    .where(_USAGE.tenant == bindparam("whose"), _USAGE.month == bindparam("when"))
    .values({name: _USAGE[name] + bindparam(f"more_{name}") for name in _NAMES})
)
_INSERT = insert(extraction_usage)
_MONTH = select(*(func.coalesce(func.sum(_USAGE[name]), 0).label(name) for name in _NAMES)).where(
    _USAGE.month == bindparam("when")
)
_IS_EXTRACTION = (outbox.c.kind == OutboxKind.EXTRACT.value, outbox.c.due_micros.is_not(None))
_PENDING = select(outbox.c.is_held, func.count()).where(*_IS_EXTRACTION).group_by(outbox.c.is_held)
_OLDEST = select(outbox.c.create_time_micros).where(*_IS_EXTRACTION, ~outbox.c.is_held).order_by(outbox.c.id).limit(1)
_HOLD = (
    update(outbox)
    .where(outbox.c.id == bindparam("item"), outbox.c.state == OutboxState.RUNNING.value)
    .values(
        state=OutboxState.PENDING.value,
        is_held=bindparam("held"),
        # That it was looked at was no try.
        attempts=outbox.c.attempts - 1,
        due_micros=bindparam("until"),
        last_error=bindparam("error"),
    )
)
_CLAIMED = (
    select(outbox.c.tenant, outbox.c.payload, tenants.c.extraction)
    .select_from(outbox.join(tenants, tenants.c.tenant == outbox.c.tenant))
    .where(outbox.c.id == bindparam("item"))
)
_HOLD_ALIKE = (
    update(outbox)
    .where(
        outbox.c.kind == OutboxKind.EXTRACT.value,
        outbox.c.tenant == bindparam("whose"),
        outbox.c.state == OutboxState.PENDING.value,
        outbox.c.due_micros <= bindparam("now"),
        outbox.c.payload == bindparam("alike"),
    )
    .values(is_held=True, due_micros=bindparam("until"), last_error=bindparam("error"))
)
_RELEASE = (
    update(outbox)
    .where(outbox.c.kind == OutboxKind.EXTRACT.value, outbox.c.tenant == bindparam("whose"), outbox.c.is_held)
    .values(is_held=False, due_micros=bindparam("now"), last_error="")
)


class ExtractionStore(ABC):
    """The part of the store that knows what extraction costs; see `mnemic.store.interface.Store`."""

    @abstractmethod
    def add_extraction_usage(self, tenant: str, month: int, usage: ModelUsage) -> None:
        """Counts what a language model did for a tenant, which must be there, in a month (`month_of`)."""

    @abstractmethod
    def extraction_usage(self, tenant: str | None, month: int) -> ModelUsage:
        """What was counted in a month, of one tenant or of all."""

    @abstractmethod
    def extraction_stats(self, tenant: str | None, month: int) -> ExtractionStats:
        """The queue and what was counted in a month, of one tenant or of all; without budgets."""

    @abstractmethod
    def hold_work(
        self, item_id: int, rules: ExtractionRules, *, reason: str, now_micros: int, until_micros: int
    ) -> None:
        """Puts a claimed piece of extraction back until a moment, or until its tenant's rules change: no try. So it
        does with all of the tenant's that are due and done alike, which would otherwise be claimed one by one. If the
        rules are no longer those for which it is held, it is due at once.
        """


def add_usage(connection: Connection, tenant: str, month: int, usage: ModelUsage) -> None:
    """See `ExtractionStore.add_extraction_usage`."""
    values = asdict(usage)
    more = {"whose": tenant, "when": month} | {f"more_{name}": value for name, value in values.items()}
    if connection.execute(_ADD, more).rowcount == 0:
        connection.execute(_INSERT, {"tenant": tenant, "month": month} | values)


def usage_of(connection: Connection, tenant: str | None, month: int) -> ModelUsage:
    """See `ExtractionStore.extraction_usage`."""
    statement = _MONTH if tenant is None else _MONTH.where(_USAGE.tenant == tenant)
    row = connection.execute(statement, {"when": month}).one()
    return ModelUsage(**{name: int(getattr(row, name)) for name in _NAMES})


def stats_of(connection: Connection, tenant: str | None, month: int) -> ExtractionStats:
    """See `ExtractionStore.extraction_stats`."""
    pending, oldest = _PENDING, _OLDEST
    if tenant is not None:
        pending, oldest = pending.where(outbox.c.tenant == tenant), oldest.where(outbox.c.tenant == tenant)
    counts = {bool(is_held): int(count) for is_held, count in connection.execute(pending)}
    return ExtractionStats(
        pending=sum(counts.values()),
        held=counts.get(True, 0),
        oldest_create_time_micros=connection.execute(oldest).scalar_one_or_none(),
        month=usage_of(connection, tenant, month),
    )


def hold(
    connection: Connection,
    item_id: int,
    rules: ExtractionRules,
    *,
    reason: str,
    now_micros: int,
    until_micros: int,
) -> None:
    """See `ExtractionStore.hold_work`."""
    claimed = connection.execute(_CLAIMED, {"item": item_id}).one_or_none()
    if claimed is None:
        return
    if rules_of(claimed.extraction) != rules:
        connection.execute(_HOLD, {"item": item_id, "held": False, "until": now_micros, "error": ""})
        return
    held = {"until": until_micros, "error": reason}
    connection.execute(_HOLD, held | {"item": item_id, "held": True})
    connection.execute(_HOLD_ALIKE, held | {"whose": claimed.tenant, "alike": claimed.payload, "now": now_micros})


def rules_of(extraction: str | None) -> ExtractionRules:
    """The rules of their column."""
    return NO_RULES if extraction is None else ExtractionRules.from_values(json.loads(extraction))


def release_held(connection: Connection, tenant: str, now_micros: int) -> None:
    """Makes due what a tenant's budget held: its rules have changed, and it is looked at anew."""
    connection.execute(_RELEASE, {"whose": tenant, "now": now_micros})
