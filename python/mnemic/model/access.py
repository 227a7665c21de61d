"""Tenants, API keys and what they may do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum

from mnemic.model.defence import NO_DEFENCE_RULES, DefenceRules
from mnemic.model.extraction_rules import NO_RULES, ExtractionRules
from mnemic.model.scope import Scope

MAX_DISPLAY_NAME_BYTES = 256
_TENANT_ID = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class AccessRole(IntEnum):
    """What a credential may do; each may do what the ones before it may. The numbers of `mnemic.v1.AccessRole`."""

    READ = 1
    WRITE = 2
    ADMIN = 3
    OPERATOR = 4


@dataclass(frozen=True, slots=True)
class Quota:
    """How much a tenant may keep; None for any amount, or for the server's own setting where a tenant says it.

    Attributes:
        max_memories: So many current memories.
        max_bytes: So many bytes of their bodies.
    """

    max_memories: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """An isolation boundary.

    Attributes:
        tenant_id: 1 to 64 of `a-z`, `0-9`, `-` and `_`, beginning with a letter.
        display_name: For people.
        quota: What it may hold.
        extraction: How facts are drawn from its messages.
        create_time_micros: When it was created.
        update_time_micros: When it was last changed.
        version: 1 when created, one more with each change.
        defence: What happens to secrets and personal data in what it writes.
    """

    tenant_id: str
    display_name: str = ""
    quota: Quota = field(default_factory=Quota)
    create_time_micros: int = 0
    update_time_micros: int = 0
    version: int = 1
    extraction: ExtractionRules = NO_RULES
    defence: DefenceRules = NO_DEFENCE_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A credential of a tenant, without its secret.

    Attributes:
        key_id: A UUID, version 7: ids sort by creation.
        tenant: Whose it is.
        role: What it may do.
        display_name: For people.
        scope: The ids that each memory it reads or writes must carry; empty for no restriction.
        prefix: The first characters of the secret.
        create_time_micros: When it was created.
        expire_time_micros: From then on it is worthless.
        revoke_time_micros: When it was revoked.
        last_use_time_micros: The minute of its last use.
        requests_per_second: How often it may be used; the server's setting when None.
        request_burst: How often at once; the server's setting when None.
    """

    key_id: str
    tenant: str
    role: AccessRole
    display_name: str = ""
    scope: Scope = field(default_factory=Scope)
    prefix: str = ""
    create_time_micros: int = 0
    expire_time_micros: int | None = None
    revoke_time_micros: int | None = None
    last_use_time_micros: int | None = None
    requests_per_second: float | None = None
    request_burst: int | None = None

    def is_good(self, now_micros: int) -> bool:
        """Whether it opens anything."""
        return self.revoke_time_micros is None and (
            self.expire_time_micros is None or now_micros < self.expire_time_micros
        )


def is_tenant_id(text: str) -> bool:
    """Whether a text can be a tenant's id."""
    return _TENANT_ID.fullmatch(text) is not None
