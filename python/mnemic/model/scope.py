"""Scopes: whose memory it is, and how the ids of a request select memories."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

DEFAULT_TENANT = "default"


class ScopeMatch(IntEnum):
    """How the ids of a request select memories; the numbers of `mnemic.v1.ScopeMatch`."""

    VISIBLE = 1
    EXACT = 2
    TENANT = 3


class OwnerKind(IntEnum):
    """Which id owns a partition."""

    USER = 1
    AGENT = 2
    APP = 3
    SESSION = 4


class PartitionKey(NamedTuple):
    """The unit of indexing, locking and loading: one owner within one tenant."""

    tenant: str
    owner_kind: OwnerKind
    owner_id: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Up to four opaque ids; a memory carries at least one.

    Attributes:
        user_id: The person or account.
        agent_id: The agent that holds the memory.
        session_id: The conversation or run in which it arose.
        app_id: The application or product area.
    """

    user_id: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    app_id: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no id is given."""
        return self.user_id is None and self.agent_id is None and self.session_id is None and self.app_id is None

    def owners(self) -> list[tuple[OwnerKind, str]]:
        """The owners that memories visible in this scope can have, in the order of ownership."""
        pairs = (
            (OwnerKind.USER, self.user_id),
            (OwnerKind.AGENT, self.agent_id),
            (OwnerKind.APP, self.app_id),
            (OwnerKind.SESSION, self.session_id),
        )
        return [(kind, value) for kind, value in pairs if value is not None]

    def partition(self, tenant: str) -> PartitionKey:
        """The partition of a memory that carries these ids: its user's, else agent's, app's, session's.

        Raises:
            ValueError: The scope is empty.
        """
        owners = self.owners()
        if not owners:
            raise ValueError("an empty scope has no partition")
        return PartitionKey(tenant, *owners[0])

    def selects(self, carried: Scope, match: ScopeMatch) -> bool:
        """Whether a memory that carries `carried` is selected: the definition that every search path must equal."""
        asked = (self.user_id, self.agent_id, self.session_id, self.app_id)
        has = (carried.user_id, carried.agent_id, carried.session_id, carried.app_id)
        if match is ScopeMatch.VISIBLE:
            return all(mine is None or mine == wanted for wanted, mine in zip(asked, has, strict=True))
        if match is ScopeMatch.EXACT:
            return all(wanted is None or mine == wanted for wanted, mine in zip(asked, has, strict=True))
        return True
