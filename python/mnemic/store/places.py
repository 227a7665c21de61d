"""Where memories lie: the rows of scopes, partitions and tenants, made by the first write that needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.scope import Scope
from mnemic.store.rows import scope_values
from mnemic.store.sealing import ScopeSeal, place_of, sealer_of
from mnemic.store.tables import partitions, scopes, tenants

_FIND_SCOPE = select(scopes.c.id, scopes.c.partition_id, scopes.c.key_id).where(
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
_INSERT_SCOPE = insert(scopes)
_SET_KEY = update(scopes).where(scopes.c.id == bindparam("row")).values(key_id=bindparam("key"))
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
        self._sealer = sealer_of(connection)
        self._seals: dict[int, ScopeSeal] = {}

    def of(self, scope: Scope) -> tuple[int, int]:
        """The row ids of a scope and its partition, made when they are not there."""
        tenant = self._tenant
        values: dict[str, Any] = {"tenant": tenant} | scope_values(scope)
        found = self._connection.execute(_FIND_SCOPE, values).one_or_none()
        if found is not None:
            self._tenant_known = True
            if self._sealer.seals:
                self._seals[found.id] = self._seal(scope, found.id, found.key_id)
            return found.id, found.partition_id
        if scope.is_empty:
            raise invalid_field("scope", "carries no id; at least one is needed", reason=Reason.SCOPE_MISSING)
        self.make_tenant()
        partition_id = self._partition_of(scope)
        inserted = self._connection.execute(_INSERT_SCOPE, values | {"partition_id": partition_id})
        scope_id = _new_id(inserted.inserted_primary_key)
        if self._sealer.seals:
            self._seals[scope_id] = self._seal(scope, scope_id, None)
        return scope_id, partition_id

    def seal_of(self, scope_id: int) -> ScopeSeal | None:
        """What the rows of a scope that `of` was asked for are sealed with; None in a store that is not encrypted."""
        return self._seals.get(scope_id)

    @property
    def some_key(self) -> bytes | None:
        """The data key of one of the scopes that `of` was asked for; None in a store that is not encrypted."""
        return next((seal.key.key_id for seal in self._seals.values()), None)

    def _seal(self, scope: Scope, scope_id: int, key_id: bytes | None) -> ScopeSeal:
        key = None if key_id is None else self._sealer.keyring.find(key_id)
        if key is None:
            # Whoever comes back after an erasure gets a new key, too.
            key = self._sealer.keyring.new_key()
            self._connection.execute(_SET_KEY, {"row": scope_id, "key": key.key_id})
        return ScopeSeal(key, place_of(self._tenant, scope))

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
        inserted = self._connection.execute(_INSERT_PARTITION, values | {"changed_revision": self._revision})
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


def _new_id(primary_key: Sequence[Any] | None) -> int:
    if primary_key is None:
        raise MnemicError(Reason.INTERNAL, "the database gave no id for a new row")
    return int(primary_key[0])
