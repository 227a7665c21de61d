"""Erasure: what is to be destroyed, and what is known of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mnemic.model.operations import OperationState
from mnemic.model.scope import Scope

MAX_REASON_BYTES = 1024
MAX_REQUESTED_BY_BYTES = 256


class TargetKind(StrEnum):
    """What an erasure destroys."""

    SCOPE = "scope"
    MEMORY = "memory"
    MEMORIES = "memories"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class ErasureTarget:
    """Which memories an erasure destroys; exactly one of the fields says it.

    Attributes:
        scope: Every memory that carries these ids.
        memory_id: One memory.
        memory_ids: Several, whose time in the archive has passed; no caller asks so.
        whole_tenant: Everything of the tenant.
    """

    scope: Scope | None = None
    memory_id: str = ""
    memory_ids: tuple[str, ...] = ()
    whole_tenant: bool = False

    @property
    def kind(self) -> TargetKind:
        """What it destroys."""
        if self.scope is not None:
            return TargetKind.SCOPE
        if self.memory_ids:
            return TargetKind.MEMORIES
        return TargetKind.MEMORY if self.memory_id else TargetKind.TENANT

    def ids(self) -> dict[str, str]:
        """The ids that it names, by field."""
        if self.memory_ids:
            return {"memory_ids": " ".join(self.memory_ids)}
        if self.scope is None:
            return {"memory_id": self.memory_id} if self.memory_id else {}
        named = {
            "user_id": self.scope.user_id,
            "agent_id": self.scope.agent_id,
            "session_id": self.scope.session_id,
            "app_id": self.scope.app_id,
        }
        return {name: value for name, value in named.items() if value is not None}

    @classmethod
    def of_ids(cls, kind: TargetKind, ids: Mapping[str, str]) -> ErasureTarget:
        """The target of what `ids` gave."""
        match kind:
            case TargetKind.SCOPE:
                return cls(scope=Scope(**ids))
            case TargetKind.MEMORY:
                return cls(memory_id=ids["memory_id"])
            case TargetKind.MEMORIES:
                return cls(memory_ids=tuple(ids["memory_ids"].split(" ")))
            case TargetKind.TENANT:
                return cls(whole_tenant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRequest:
    """What a caller asks to destroy; the fields of `mnemic.v1.EraseScopeRequest`."""

    target: ErasureTarget
    reason: str = ""
    requested_by: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedPlace:
    """What an erasure found and did in one place; the fields of `mnemic.v1.ErasedPlace`."""

    place: str
    found: int = 0
    destroyed: int = 0
    kept: int = 0
    kept_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One erasure; the fields of `mnemic.v1.Erasure`."""

    erasure_id: str = ""
    state: OperationState | None = None
    create_time_micros: int | None = None
    end_time_micros: int | None = None
    places: tuple[ErasedPlace, ...] = field(default=())
    revision: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReceipt:
    """The proof of an erasure; the fields of `mnemic.v1.ErasureReceipt`."""

    document: bytes
    signature: bytes
    public_key: bytes
    key_id: str


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """An erasure with its receipt, once it is done."""

    erasure: Erasure
    receipt: ErasureReceipt | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ErasurePage:
    """Erasures, latest first; `next_page_token` is empty on the last page."""

    erasures: tuple[Erasure, ...]
    next_page_token: str
