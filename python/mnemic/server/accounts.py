"""What callers ask of tenants and API keys, and whether they may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any

from mnemic.engine.authority import tenant_not_found
from mnemic.model.access import AccessRole, ApiKey, Tenant
from mnemic.model.defence import ContentAction, DefenceRules
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.extraction_rules import ExtractionRules
from mnemic.model.memory import TrustLevel
from mnemic.model.operations import WorkKind
from mnemic.server import from_proto
from mnemic.server.calls import Call
from mnemic.server.from_proto import enum_value, micros
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.wire.accounts import defence_from_proto, quota_from_proto, rules_from_proto
from mnemic.wire.values import scope_from_proto

_RULES = tuple(field.name for field in fields(ExtractionRules))
_QUOTAS = ("max_memories", "max_bytes")
_DEFENCE = tuple(field.name for field in fields(DefenceRules))
_SET_BY_SERVER = ("create_time", "update_time", "version")


def own_or_any(tenant_id: str, call: Call) -> str:
    """The tenant that a request means: the credential's own when it names none.

    Raises:
        MnemicError: RESOURCE_NOT_FOUND for another one, unless an operator asks.
    """
    if not tenant_id or tenant_id == call.tenant:
        return call.tenant
    if call.caller.role < AccessRole.OPERATOR:
        raise tenant_not_found(tenant_id)
    return tenant_id


def work_kind(number: int) -> WorkKind | None:
    """Which work is meant; None for any."""
    return from_proto.enum_value(WorkKind, number, "kind", unspecified=None)


def new_tenant(message: pb.Tenant) -> Tenant:
    """What CreateTenant brings."""
    return Tenant(
        message.tenant_id,
        message.display_name,
        quota_from_proto(message.settings),
        extraction=_rules_of(message.settings),
        defence=_defence_of(message.settings),
    )


def tenant_change(request: pb.UpdateTenantRequest, call: Call) -> Callable[[Tenant], Tenant]:
    """What UpdateTenant changes.

    Raises:
        MnemicError: INVALID_FIELD for what cannot be changed; PERMISSION_DENIED for quotas unless an operator asks.
    """
    paths = list(dict.fromkeys(request.update_mask.paths)) or _set_paths(request.tenant)
    if not paths:
        raise invalid_field("update_mask", "names nothing to change")
    settings = request.tenant.settings
    quota: dict[str, int | None] = {}
    rules: dict[str, Any] = {}
    defence: dict[str, Any] = {}
    name: str | None = None
    for path in paths:
        leaf = path.removeprefix("settings.")
        rule = path.removeprefix("settings.extraction.")
        if path == "display_name":
            name = request.tenant.display_name
        elif path == "settings":
            quota |= {field: _optional(settings, field) for field in _QUOTAS}
            rules |= _rules(settings, _RULES)
            defence |= _defence(settings, _DEFENCE)
        elif path == "settings.extraction":
            rules |= _rules(settings, _RULES)
        elif path != rule and rule in _RULES:
            rules |= _rules(settings, (rule,))
        elif path != leaf and leaf in _QUOTAS:
            quota[leaf] = _optional(settings, leaf)
        elif path != leaf and leaf in _DEFENCE:
            defence |= _defence(settings, (leaf,))
        else:
            accepted = ", ".join(["display_name", "settings", *(f"settings.{field}" for field in _QUOTAS + _DEFENCE)])
            accepted += ", settings.extraction and the paths within it"
            raise invalid_field("update_mask", f"{path[:64]!r} cannot be changed; accepted are {accepted}")

    def change(old: Tenant) -> Tenant:
        new_quota, new_rules = replace(old.quota, **quota), replace(old.extraction, **rules)
        if call.caller.role < AccessRole.OPERATOR:
            has_more = new_rules.monthly_budget_micros != old.extraction.monthly_budget_micros
            if new_quota != old.quota or has_more:
                raise MnemicError(
                    Reason.PERMISSION_DENIED,
                    "settings: the quotas and the budget of a tenant are changed by operators; this credential has the "
                    "role admin",
                    metadata={"field": "settings"},
                )
        display_name = old.display_name if name is None else name
        return replace(
            old,
            display_name=display_name,
            quota=new_quota,
            extraction=new_rules,
            defence=replace(old.defence, **defence),
        )

    return change


def _rules(settings: pb.TenantSettings, names: Iterable[str]) -> dict[str, Any]:
    """What a request says of some extraction rules; what it does not say is cleared."""
    given = _rules_of(settings)
    return {name: getattr(given, name) for name in names}


def _rules_of(settings: pb.TenantSettings) -> ExtractionRules:
    from_proto.add_mode(settings.extraction.default_mode, "tenant.settings.extraction.default_mode")
    return rules_from_proto(settings.extraction)


def _defence(settings: pb.TenantSettings, names: Iterable[str]) -> dict[str, Any]:
    """What a request says of the defence; what it does not say takes the server's setting again."""
    given = _defence_of(settings)
    return {name: getattr(given, name) for name in names}


def _defence_of(settings: pb.TenantSettings) -> DefenceRules:
    for name in ("secret_action", "personal_data_action"):
        enum_value(ContentAction, getattr(settings, name), f"tenant.settings.{name}", unspecified=None)
    enum_value(TrustLevel, settings.default_trust, "tenant.settings.default_trust", unspecified=None)
    return defence_from_proto(settings)


def new_key(message: pb.ApiKey, tenant_id: str, call: Call) -> ApiKey:
    """What CreateApiKey brings.

    Raises:
        MnemicError: INVALID_FIELD without a role; PERMISSION_DENIED for more than the caller has.
    """
    if not message.role:
        raise invalid_field("api_key.role", "is missing; give READ, WRITE, ADMIN or OPERATOR")
    role = enum_value(AccessRole, message.role, "api_key.role", unspecified=AccessRole.READ)
    if role > call.caller.role:
        raise MnemicError(
            Reason.PERMISSION_DENIED,
            f"api_key.role: a key may not exceed the role of who makes it, which is {call.caller.role.name}",
            metadata={"field": "api_key.role", "role": call.caller.role.name},
        )
    expire = micros(message.expire_time, "api_key.expire_time") if message.HasField("expire_time") else None
    return ApiKey(
        key_id="",
        tenant=tenant_id,
        role=role,
        display_name=message.display_name,
        scope=scope_from_proto(message.scope),
        expire_time_micros=expire,
        requests_per_second=message.requests_per_second if message.HasField("requests_per_second") else None,
        request_burst=message.request_burst if message.HasField("request_burst") else None,
    )


def _optional(settings: pb.TenantSettings, field: str) -> int | None:
    return getattr(settings, field) if settings.HasField(field) else None  # type: ignore[arg-type]  # a name of `_QUOTAS`


def _set_paths(tenant: pb.Tenant) -> list[str]:
    """Without a mask: what is set, settings one by one. What only the server sets may come back as it was read."""
    paths = [field.name for field, _ in tenant.ListFields()]
    known = [path for path in paths if path not in ("tenant_id", "settings", *_SET_BY_SERVER)]
    return known + [f"settings.{field.name}" for field, _ in tenant.settings.ListFields()]
