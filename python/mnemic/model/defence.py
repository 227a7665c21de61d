"""What happens to secrets and personal data in what a tenant writes, and how far its memories are trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Self

from mnemic.model.memory import TrustLevel


class ContentAction(IntEnum):
    """What happens to content that a detector finds; the numbers of `mnemic.v1.ContentAction`."""

    KEEP = 1
    TAG = 2
    REDACT = 3
    REFUSE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DefenceRules:
    """What is particular to a tenant; fields of `mnemic.v1.TenantSettings`. None takes the server's configuration.

    Attributes:
        secret_action: What happens to secrets.
        personal_data_action: What happens to personal data.
        default_trust: Of memories that say none.
    """

    secret_action: ContentAction | None = None
    personal_data_action: ContentAction | None = None
    default_trust: TrustLevel | None = None

    def to_values(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The rules of `to_values`, also after JSON."""
        secret, personal = values.get("secret_action"), values.get("personal_data_action")
        trust = values.get("default_trust")
        return cls(
            secret_action=None if secret is None else ContentAction(secret),
            personal_data_action=None if personal is None else ContentAction(personal),
            default_trust=None if trust is None else TrustLevel(trust),
        )


NO_DEFENCE_RULES = DefenceRules()
