"""Tenants, what they hold and may hold, and their API keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from mnemic.model.access import AccessRole, ApiKey, Quota, Tenant
from mnemic.model.defence import NO_DEFENCE_RULES, DefenceRules
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.extraction_rules import NO_RULES
from mnemic.model.scope import Scope
from mnemic.store.extraction_usage import release_held, rules_of
from mnemic.store.interface import Mutation
from mnemic.store.reading import read_revision
from mnemic.store.requests import keep_request, refuse_replay
from mnemic.store.rows import scope_values
from mnemic.store.tables import api_keys, memory_versions, tenants

_TENANT = tenants.c
_KEY = api_keys.c
_TENANT_COLUMNS = (
    _TENANT.tenant,
    _TENANT.display_name,
    _TENANT.max_memories,
    _TENANT.max_bytes,
    _TENANT.create_time_micros,
    _TENANT.update_time_micros,
    _TENANT.version,
    _TENANT.extraction,
    _TENANT.defence,
)
_KEY_COLUMNS = (
    _KEY.key_id,
    _KEY.tenant,
    _KEY.display_name,
    _KEY.role,
    _KEY.user_id,
    _KEY.agent_id,
    _KEY.app_id,
    _KEY.session_id,
    _KEY.prefix,
    _KEY.create_time_micros,
    _KEY.expire_time_micros,
    _KEY.revoke_time_micros,
    _KEY.last_use_time_micros,
    _KEY.requests_per_second,
    _KEY.request_burst,
)

_FIND_TENANT = select(*_TENANT_COLUMNS).where(_TENANT.tenant == bindparam("wanted"))
_FIND_KEY = select(*_KEY_COLUMNS).where(_KEY.key_id == bindparam("wanted"))
_INSERT_TENANT = insert(tenants)
_REPLACE_TENANT = update(tenants).where(
    _TENANT.tenant == bindparam("wanted"), _TENANT.version == bindparam("old_version")
)
_INSERT_KEY = insert(api_keys)
_REVOKE_KEY = (
    update(api_keys)
    .where(_KEY.key_id == bindparam("wanted"), _KEY.revoke_time_micros.is_(None))
    .values(revoke_time_micros=bindparam("now"))
)
_NOTE_USE = update(api_keys).where(_KEY.key_id == bindparam("wanted")).values(last_use_time_micros=bindparam("used"))
_COUNT = (
    update(tenants)
    .where(_TENANT.tenant == bindparam("wanted"))
    .values(
        memory_count=_TENANT.memory_count + bindparam("more_memories"),
        body_bytes=_TENANT.body_bytes + bindparam("more_bytes"),
    )
    .returning(_TENANT.memory_count, _TENANT.body_bytes, _TENANT.max_memories, _TENANT.max_bytes)
)


class byte_length(FunctionElement[int]):  # noqa: N801 (it reads as the SQL function that it is)
    """The size of a text in UTF-8, in bytes."""

    type = Integer()
    name = "byte_length"
    inherit_cache = True

    def __init__(self, text: Column[str]) -> None:
        super().__init__(text)


@compiles(byte_length)
def _compile_byte_length(element: byte_length, compiler: SQLCompiler, **arguments: Any) -> str:  # noqa: ANN401 (SQLAlchemy's signature)
    return f"octet_length({compiler.process(element.clauses, **arguments)})"


@compiles(byte_length, "sqlite")
def _compile_byte_length_for_sqlite(element: byte_length, compiler: SQLCompiler, **arguments: Any) -> str:  # noqa: ANN401 (the same)
    # octet_length came with SQLite 3.43.
    return f"length(CAST({compiler.process(element.clauses, **arguments)} AS BLOB))"


# The size of a version's body, encrypted or not.
body_size: ColumnElement[int] = func.coalesce(memory_versions.c.body_bytes, byte_length(memory_versions.c.body))


@dataclass(slots=True)
class Growth:
    """How much more a tenant holds after a write."""

    memories: int = 0
    body_bytes: int = 0

    def grow(self, body_bytes: int) -> None:
        """One more version holds."""
        self.memories += 1
        self.body_bytes += body_bytes

    def shrink(self, body_bytes: int) -> None:
        """One no longer holds."""
        self.memories -= 1
        self.body_bytes -= body_bytes


def count_growth(connection: Connection, tenant: str, growth: Growth, default: Quota) -> None:
    """Brings a tenant's counters up to date.

    Raises:
        MnemicError: QUOTA_EXCEEDED when the write makes it hold more of something than it may. What makes it hold less
            passes also above a quota.
    """
    if growth == Growth():
        return
    values = {"wanted": tenant, "more_memories": growth.memories, "more_bytes": growth.body_bytes}
    counted = connection.execute(_COUNT, values).one()
    checks = (
        ("max_memories", "memories", growth.memories, counted.memory_count, counted.max_memories, default.max_memories),
        ("max_bytes", "bytes of text", growth.body_bytes, counted.body_bytes, counted.max_bytes, default.max_bytes),
    )
    for name, unit, more, held, own, general in checks:
        limit = own if own is not None else general
        if more > 0 and limit is not None and held > limit:
            raise MnemicError(
                Reason.QUOTA_EXCEEDED,
                f"the tenant holds {held - more} of {limit} {unit}, and this write brings {more} more; delete some, or "
                f"have an operator raise {name}",
                metadata={"quota": name, "limit": str(limit), "held": str(held - more), "requested": str(more)},
            )


def list_tenants(connection: Connection, *, limit: int, after: str) -> list[Tenant]:
    """See `Store.tenants`."""
    statement = select(*_TENANT_COLUMNS).where(_TENANT.tenant > after).order_by(_TENANT.tenant).limit(limit)
    return [_tenant_of(row) for row in connection.execute(statement)]


def find_tenant(connection: Connection, tenant_id: str) -> Tenant | None:
    """See `Store.find_tenant`."""
    row = connection.execute(_FIND_TENANT, {"wanted": tenant_id}).one_or_none()
    return None if row is None else _tenant_of(row)


def create_tenant(connection: Connection, tenant: Tenant, mutation: Mutation) -> None:
    """See `Store.create_tenant`."""
    _begin(connection, mutation)
    if find_tenant(connection, tenant.tenant_id) is not None:
        raise invalid_field("tenant.tenant_id", f"{tenant.tenant_id!r} is there already; choose another")
    values = {"tenant": tenant.tenant_id, "create_time_micros": tenant.create_time_micros}
    connection.execute(_INSERT_TENANT, values | _tenant_values(tenant))
    _end(connection, mutation)


def replace_tenant(connection: Connection, tenant: Tenant, mutation: Mutation) -> None:
    """See `Store.replace_tenant`."""
    _begin(connection, mutation)
    old = find_tenant(connection, tenant.tenant_id)
    found = {"wanted": tenant.tenant_id, "old_version": tenant.version - 1}
    if connection.execute(_REPLACE_TENANT.values(_tenant_values(tenant)), found).rowcount != 1:
        raise MnemicError(
            Reason.VERSION_CONFLICT,
            f"tenant {tenant.tenant_id!r} is no longer at version {tenant.version - 1}; read it again",
            metadata={"tenant_id": tenant.tenant_id, "expected_version": str(tenant.version - 1)},
        )
    if old is not None and old.extraction != tenant.extraction:
        release_held(connection, tenant.tenant_id, mutation.now_micros)
    _end(connection, mutation)


def create_key(connection: Connection, key: ApiKey, secret_hash: bytes, mutation: Mutation) -> None:
    """See `Store.create_key`."""
    _begin(connection, mutation)
    values = scope_values(key.scope) | {
        "key_id": key.key_id,
        "tenant": key.tenant,
        "display_name": key.display_name,
        "role": int(key.role),
        "secret_hash": secret_hash,
        "prefix": key.prefix,
        "create_time_micros": key.create_time_micros,
        "expire_time_micros": key.expire_time_micros,
        "requests_per_second": key.requests_per_second,
        "request_burst": key.request_burst,
    }
    connection.execute(_INSERT_KEY, values)
    _end(connection, mutation)


def list_keys(
    connection: Connection, tenant: str, *, good_at_micros: int | None, limit: int, after: str
) -> list[ApiKey]:
    """See `Store.keys`."""
    statement: Select[*tuple[Any, ...]] = select(*_KEY_COLUMNS).where(_KEY.tenant == tenant, _KEY.key_id > after)
    if good_at_micros is not None:
        statement = statement.where(*_good_at(good_at_micros))
    return [_key_of(row) for row in connection.execute(statement.order_by(_KEY.key_id).limit(limit))]


def find_key(connection: Connection, key_id: str) -> ApiKey | None:
    """See `Store.find_key`."""
    row = connection.execute(_FIND_KEY, {"wanted": key_id}).one_or_none()
    return None if row is None else _key_of(row)


def all_keys(connection: Connection, *, good_at_micros: int) -> list[tuple[ApiKey, bytes]]:
    """See `Store.all_keys`."""
    statement: Select[*tuple[Any, ...]] = select(*_KEY_COLUMNS, _KEY.secret_hash).where(*_good_at(good_at_micros))
    return [(_key_of(row), row.secret_hash) for row in connection.execute(statement)]


def revoke_key(connection: Connection, key_id: str, mutation: Mutation) -> None:
    """See `Store.revoke_key`."""
    _begin(connection, mutation)
    connection.execute(_REVOKE_KEY, {"wanted": key_id, "now": mutation.now_micros})
    _end(connection, mutation)


def note_uses(connection: Connection, uses: Sequence[tuple[str, int]]) -> None:
    """See `Store.note_uses`."""
    connection.execute(_NOTE_USE, [{"wanted": key_id, "used": used} for key_id, used in uses])


def _begin(connection: Connection, mutation: Mutation) -> None:
    if mutation.request is not None:
        refuse_replay(connection, mutation.caller, mutation.request)


def _end(connection: Connection, mutation: Mutation) -> None:
    if mutation.request is not None:
        revision = read_revision(connection)
        keep_request(connection, mutation.caller, mutation.request, revision=revision, now_micros=mutation.now_micros)


def _good_at(micros: int) -> tuple[ColumnElement[bool], ...]:
    return (
        _KEY.revoke_time_micros.is_(None),
        or_(_KEY.expire_time_micros.is_(None), _KEY.expire_time_micros > micros),
    )


def _tenant_values(tenant: Tenant) -> dict[str, object]:
    return {
        "display_name": tenant.display_name,
        "max_memories": tenant.quota.max_memories,
        "max_bytes": tenant.quota.max_bytes,
        "update_time_micros": tenant.update_time_micros,
        "version": tenant.version,
        "extraction": None if tenant.extraction == NO_RULES else json.dumps(tenant.extraction.to_values()),
        "defence": None if tenant.defence == NO_DEFENCE_RULES else json.dumps(tenant.defence.to_values()),
    }


def _tenant_of(row: Row[*tuple[Any, ...]]) -> Tenant:
    return Tenant(
        tenant_id=row.tenant,
        display_name=row.display_name,
        quota=Quota(row.max_memories, row.max_bytes),
        create_time_micros=row.create_time_micros,
        # A tenant that came with its first write has not been changed since.
        update_time_micros=row.update_time_micros or row.create_time_micros,
        version=row.version,
        extraction=rules_of(row.extraction),
        defence=NO_DEFENCE_RULES if row.defence is None else DefenceRules.from_values(json.loads(row.defence)),
    )


def _key_of(row: Row[*tuple[Any, ...]]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        tenant=row.tenant,
        role=AccessRole(row.role),
        display_name=row.display_name,
        scope=Scope(row.user_id or None, row.agent_id or None, row.session_id or None, row.app_id or None),
        prefix=row.prefix,
        create_time_micros=row.create_time_micros,
        expire_time_micros=row.expire_time_micros,
        revoke_time_micros=row.revoke_time_micros,
        last_use_time_micros=row.last_use_time_micros,
        requests_per_second=row.requests_per_second,
        request_burst=row.request_burst,
    )
