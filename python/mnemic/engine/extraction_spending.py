"""What language models cost, and whether a tenant's budget is used up."""

from __future__ import annotations

import threading
import time

import structlog

from mnemic.extraction.settings import LlmSettings
from mnemic.model.errors import MnemicError
from mnemic.model.extraction_rules import ExtractionRules, ModelUsage, end_of_month, month_of
from mnemic.model.memory import from_micros
from mnemic.store.interface import Store

_log = structlog.get_logger("mnemic.extraction")
# Tenants that the metrics name; the others are counted together.
_MOST_NAMED = 1000
OTHER_TENANTS = "other"


class Spending:
    """Counts in the store, so that a restart forgets nothing, and since the start, for the metrics.

    Args:
        store: Where months are counted.
        settings: The prices.
    """

    def __init__(self, store: Store, settings: LlmSettings) -> None:
        self._store = store
        self._settings = settings
        self._lock = threading.Lock()
        self._by_tenant: dict[str, ModelUsage] = {}

    def held_until(self, tenant: str, rules: ExtractionRules) -> tuple[str, int] | None:
        """Why and until when a language model is not asked for a tenant; None if it may be."""
        budget = rules.monthly_budget_micros
        if budget is None:
            return None
        now = time.time_ns() // 1000
        month = month_of(now)
        spent = self._store.extraction_usage(tenant, month).cost_micros
        if spent < budget:
            return None
        until = end_of_month(month)
        words = f"{spent / 1e6:g} of {budget / 1e6:g} spent in {month // 100}-{month % 100:02}"
        return f"monthly_budget: {words}; waits until {from_micros(until):%Y-%m-%d}, or for a larger budget", until

    def count(self, tenant: str, *, prompt_tokens: int, completion_tokens: int, seconds: float) -> None:
        """Counts a batch that a language model was given, also in vain."""
        usage = ModelUsage(
            batches=1,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_micros=round((self._settings.cost(prompt_tokens, completion_tokens) or 0.0) * 1e6),
            duration_micros=round(seconds * 1e6),
        )
        with self._lock:
            name = tenant if tenant in self._by_tenant or len(self._by_tenant) < _MOST_NAMED else OTHER_TENANTS
            self._by_tenant[name] = self._by_tenant.get(name, ModelUsage()) + usage
        try:
            self._store.add_extraction_usage(tenant, month_of(time.time_ns() // 1000), usage)
        except MnemicError as error:
            # What was drawn must not be lost for it.
            _log.warning("extraction_cost_not_counted", tenant=tenant, error=str(error))

    def by_tenant(self) -> dict[str, ModelUsage]:
        """What was counted since the start."""
        with self._lock:
            return dict(self._by_tenant)
