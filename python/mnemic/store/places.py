"""Where memories lie: the rows of scopes, partitions and tenants, made by the first write that needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.scope import OwnerKind, PartitionKey, Scope
from mnemic.store.rows import chunks, scope_values
from mnemic.store.tables import partitions, scopes, store_state, tenants

_FIND_SCOPE = select(scopes.c.id, scopes.c.partition_id).where(
    scopes.c.tenant == bindparam("tenant"),
    scopes.c.user_id == bindparam("user_id"),
    scopes.c.agent_id == bindparam("agent_id"),
    scopes.c.app_id == bindparam("app_id"),
    scopes.c.session_id == bindparam("session_id"),
)
_FIND_PARTITION = select(partitions.c.id).where(
    partitions.c.tenant == bindparam("tenant"),
    partitions.c.owner_kind == bindparam("owner_kind"),
    partitions.c.owner_id == bindparam("owner_id"),
)
_KEYS = select(partitions.c.id, partitions.c.tenant, partitions.c.owner_kind, partitions.c.owner_id).where(
    partitions.c.id.in_(bindparam("ids", expanding=True))
)
_INSERT_SCOPE = insert(scopes)
_INSERT_PARTITION = insert(partitions)
_INSERT_TENANT = insert(tenants)


class Places:
    """The places of one tenant, within the transaction of one commit."""

    def __init__(self, connection: Connection, tenant: str, *, revision: int, now_micros: int) -> None:
        self._connection = connection
        self._tenant = tenant
        self._revision = revision
        self._now = now_micros
        self._tenant_known = False

    def of(self, scope: Scope) -> tuple[int, int]:
        """The row ids of a scope and its partition, made when they are not there."""
        tenant = self._tenant
        values: dict[str, Any] = {"tenant": tenant} | scope_values(scope)
        found = self._connection.execute(_FIND_SCOPE, values).one_or_none()
        if found is not None:
            self._tenant_known = True
            return found.id, found.partition_id
        if scope.is_empty:
            raise invalid_field("scope", "carries no id; at least one is needed", reason=Reason.SCOPE_MISSING)
        self.make_tenant()
        partition_id = self._partition_of(scope)
        inserted = self._connection.execute(_INSERT_SCOPE, values | {"partition_id": partition_id})
        return _new_id(inserted.inserted_primary_key), partition_id

    def _partition_of(self, scope: Scope) -> int:
        key = scope.partition(self._tenant)
        values: dict[str, Any] = {
            "tenant": key.tenant,
            "owner_kind": int(key.owner_kind),
            "owner_id": key.owner_id,
        }
        found = self._connection.execute(_FIND_PARTITION, values).scalar_one_or_none()
        if found is not None:
            return int(found)
        # Whoever still reads one of the same owner that was removed must not take this one for it.
        was_removed = self._connection.execute(select(store_state.c.removed_revision)).scalar_one() is not None
        values |= {"changed_revision": self._revision, "rebuild_revision": self._revision if was_removed else None}
        inserted = self._connection.execute(_INSERT_PARTITION, values)
        return _new_id(inserted.inserted_primary_key)

    def make_tenant(self) -> None:
        """Sees to it that the tenant is there; its first write makes it."""
        if self._tenant_known:
            return
        found = self._connection.execute(select(tenants.c.tenant).where(tenants.c.tenant == self._tenant))
        if found.one_or_none() is None:
            values = {"tenant": self._tenant, "create_time_micros": self._now}
            self._connection.execute(_INSERT_TENANT, values)
        self._tenant_known = True


def partition_keys(connection: Connection, partition_ids: Iterable[int]) -> dict[int, PartitionKey]:
    """The keys of partitions by their row ids."""
    rows = (row for ids in chunks(sorted(set(partition_ids))) for row in connection.execute(_KEYS, {"ids": ids}))
    return {row.id: PartitionKey(row.tenant, OwnerKind(row.owner_kind), row.owner_id) for row in rows}


def _new_id(primary_key: Sequence[Any] | None) -> int:
    if primary_key is None:
        raise MnemicError(Reason.INTERNAL, "the database gave no id for a new row")
    return int(primary_key[0])
