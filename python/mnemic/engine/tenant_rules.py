"""The rules of tenants, for extraction and for defence, at hand for each add."""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from mnemic.model.defence import NO_DEFENCE_RULES, DefenceRules
from mnemic.model.extraction_rules import NO_RULES, ExtractionRules
from mnemic.model.memory import from_micros
from mnemic.store.interface import Store

_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")
_MOST_OFFSET_MINUTES = 14 * 60


class TenantRules:
    """Reads rules once, until they change. Safe to call from many threads.

    Args:
        store: Where they are. All changes to them go through this process.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: dict[str, tuple[ExtractionRules, DefenceRules]] = {}
        # Grows with each change: what was read before one is not kept after it.
        self._changes = 0

    def of(self, tenant: str) -> ExtractionRules:
        """How facts are drawn from a tenant's messages; of one that is not there yet, no rules."""
        return self._rules(tenant)[0]

    def defence_of(self, tenant: str) -> DefenceRules:
        """What happens to secrets and personal data in what a tenant writes; of one that is not there yet, no rules."""
        return self._rules(tenant)[1]

    def _rules(self, tenant: str) -> tuple[ExtractionRules, DefenceRules]:
        known = self._known.get(tenant)
        if known is not None:
            return known
        changes = self._changes
        found = self._store.find_tenant(tenant)
        rules = (NO_RULES, NO_DEFENCE_RULES) if found is None else (found.extraction, found.defence)
        with self._lock:
            if self._changes == changes:
                self._known[tenant] = rules
        return rules

    def forget(self, tenant: str) -> None:
        """They have changed."""
        with self._lock:
            self._changes += 1
            self._known.pop(tenant, None)


def offset_minutes(time_zone: str, micros: int) -> int:
    """How far a zone is from UTC at a moment, east positive.

    Raises:
        ValueError: It is neither the name of a zone that this machine knows nor an offset of up to 14 hours.
    """
    if not time_zone:
        return 0
    offset = _OFFSET.fullmatch(time_zone)
    if offset is not None:
        minutes = int(offset[2]) * 60 + int(offset[3])
        if int(offset[3]) >= 60 or minutes > _MOST_OFFSET_MINUTES:
            raise ValueError("is no offset of up to 14 hours")
        return -minutes if offset[1] == "-" else minutes
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError("is neither the name of a time zone that this machine knows nor an offset") from error
    moment: datetime = from_micros(micros).astimezone(zone)
    return (moment.utcoffset() or timedelta()) // timedelta(minutes=1)
