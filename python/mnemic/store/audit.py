"""What the audit log asks of the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from mnemic.model.audit import AuditEntry, AuditEvent


class AuditStore(ABC):
    """The part of the store that the audit log uses."""

    @abstractmethod
    def enter(self, tenant: str, events: Sequence[AuditEvent]) -> None:
        """Adds to a tenant's log, durably."""

    @abstractmethod
    def audit_entries(self, tenant: str, *, after: int, limit: int) -> list[AuditEntry]:
        """The entries of a tenant's log after a number, in order."""

    @abstractmethod
    def audit_commits(self, *, enabled: bool) -> None:
        """Whether what is committed without a call (facts that were drawn) is entered as well."""
