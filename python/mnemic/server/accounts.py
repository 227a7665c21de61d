"""What callers ask of tenants and API keys, and whether they may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mnemic.engine.authority import tenant_not_found
from mnemic.model.access import AccessRole, ApiKey, Tenant
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.operations import WorkKind
from mnemic.server import from_proto
from mnemic.server.calls import Call
from mnemic.server.from_proto import enum_value, micros, not_implemented
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.wire.accounts import quota_from_proto
from mnemic.wire.values import scope_from_proto

_QUOTAS = ("max_memories", "max_bytes")
_LATER = ("extraction", "secret_action", "personal_data_action", "default_trust")
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
    _refuse_later(message.settings)
    return Tenant(message.tenant_id, message.display_name, quota_from_proto(message.settings))


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
    name: str | None = None
    for path in paths:
        leaf = path.removeprefix("settings.")
        if path == "display_name":
            name = request.tenant.display_name
        elif path == "settings":
            _refuse_later(settings)
            quota |= {field: _optional(settings, field) for field in _QUOTAS}
        elif path != leaf and leaf in _QUOTAS:
            quota[leaf] = _optional(settings, leaf)
        elif path != leaf and leaf in _LATER:
            raise _later(leaf)
        else:
            accepted = ", ".join(["display_name", "settings", *(f"settings.{field}" for field in _QUOTAS)])
            raise invalid_field("update_mask", f"{path[:64]!r} cannot be changed; accepted are {accepted}")

    def change(old: Tenant) -> Tenant:
        new = replace(old.quota, **quota)
        if new != old.quota and call.caller.role < AccessRole.OPERATOR:
            raise MnemicError(
                Reason.PERMISSION_DENIED,
                "settings: the quotas of a tenant are changed by operators; this credential has the role admin",
                metadata={"field": "settings"},
            )
        return replace(old, display_name=old.display_name if name is None else name, quota=new)

    return change


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


def _refuse_later(settings: pb.TenantSettings) -> None:
    for field, _ in settings.ListFields():
        if field.name in _LATER:
            raise _later(field.name)


def _later(field: str) -> MnemicError:
    return not_implemented(f"tenant.settings.{field}", "this version does not carry it out; leave it out")


def _set_paths(tenant: pb.Tenant) -> list[str]:
    """Without a mask: what is set, settings one by one. What only the server sets may come back as it was read."""
    paths = [field.name for field, _ in tenant.ListFields()]
    known = [path for path in paths if path not in ("tenant_id", "settings", *_SET_BY_SERVER)]
    return known + [f"settings.{field.name}" for field, _ in tenant.settings.ListFields()]
