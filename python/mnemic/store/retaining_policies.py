"""Retention policies and legal holds, as they are kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.retention import LegalHold, RetentionPolicy, policy_from_json, policy_to_json
from mnemic.model.scope import Scope
from mnemic.store.interface import Mutation
from mnemic.store.places import Places
from mnemic.store.reading import read_revision
from mnemic.store.requests import keep_request, refuse_replay
from mnemic.store.retaining_tables import legal_holds, retention_policies
from mnemic.store.rows import scope_values

_POLICY = retention_policies.c
_HOLD = legal_holds.c
_IS_POLICY = (_POLICY.tenant == bindparam("owner"), _POLICY.policy_id == bindparam("wanted"))
_IS_VERSION = (*_IS_POLICY, _POLICY.version == bindparam("old_version"))
_FIND_POLICY = select(_POLICY.definition).where(*_IS_POLICY)
_INSERT_POLICY = insert(retention_policies)
_REPLACE_POLICY = update(retention_policies).where(*_IS_VERSION)
_DELETE_POLICY = delete(retention_policies).where(*_IS_VERSION)
_HOLDS = select(*legal_holds.c)
_RELEASE = (
    update(legal_holds)
    .where(_HOLD.hold_id == bindparam("wanted"), _HOLD.release_time_micros.is_(None))
    .values(release_time_micros=bindparam("now"))
)


def list_policies(
    connection: Connection, tenant: str, *, limit: int, after: str, enabled_only: bool
) -> list[RetentionPolicy]:
    """See `RetentionStore.policies`."""
    statement = select(_POLICY.definition).where(_POLICY.tenant == tenant, _POLICY.policy_id > after)
    if enabled_only:
        statement = statement.where(~_POLICY.is_disabled)
    found = connection.execute(statement.order_by(_POLICY.policy_id).limit(limit)).scalars()
    return [policy_from_json(definition) for definition in found]


def find_policy(connection: Connection, tenant: str, policy_id: str) -> RetentionPolicy | None:
    """See `RetentionStore.find_policy`."""
    found = connection.execute(_FIND_POLICY, {"owner": tenant, "wanted": policy_id}).scalar_one_or_none()
    return None if found is None else policy_from_json(found)


def put_policy(connection: Connection, tenant: str, policy: RetentionPolicy, mutation: Mutation) -> None:
    """See `RetentionStore.put_policy`."""
    _begin(connection, tenant, mutation)
    values = {
        "version": policy.version,
        "is_disabled": policy.disabled,
        "definition": policy_to_json(policy),
    }
    if policy.version == 1:
        if find_policy(connection, tenant, policy.policy_id) is not None:
            raise policy_conflict(policy.policy_id, 0)
        connection.execute(_INSERT_POLICY, values | {"tenant": tenant, "policy_id": policy.policy_id})
    else:
        names = {"owner": tenant, "wanted": policy.policy_id, "old_version": policy.version - 1}
        if connection.execute(_REPLACE_POLICY.values(values), names).rowcount != 1:
            raise policy_conflict(policy.policy_id, policy.version - 1)
    _end(connection, mutation)


def delete_policy(connection: Connection, tenant: str, policy_id: str, version: int, mutation: Mutation) -> None:
    """See `RetentionStore.delete_policy`."""
    _begin(connection, tenant, mutation)
    names = {"owner": tenant, "wanted": policy_id, "old_version": version}
    if connection.execute(_DELETE_POLICY, names).rowcount != 1:
        raise policy_conflict(policy_id, version)
    _end(connection, mutation)


def create_hold(connection: Connection, tenant: str, hold: LegalHold, mutation: Mutation) -> None:
    """See `RetentionStore.create_hold`."""
    _begin(connection, tenant, mutation)
    values = {
        "hold_id": hold.hold_id,
        "tenant": tenant,
        "reason": hold.reason,
        "create_time_micros": hold.create_time_micros,
        "release_time_micros": hold.release_time_micros,
    }
    connection.execute(insert(legal_holds), values | scope_values(hold.scope))
    _end(connection, mutation)


def find_hold(connection: Connection, tenant: str, hold_id: str) -> LegalHold | None:
    """See `RetentionStore.find_hold`."""
    row = connection.execute(_HOLDS.where(_HOLD.tenant == tenant, _HOLD.hold_id == hold_id)).one_or_none()
    return None if row is None else _hold_of(row)


def list_holds(
    connection: Connection, tenant: str, *, include_released: bool, limit: int, after: str
) -> list[LegalHold]:
    """See `RetentionStore.holds`."""
    statement = _HOLDS.where(_HOLD.tenant == tenant, _HOLD.hold_id > after)
    if not include_released:
        statement = statement.where(_HOLD.release_time_micros.is_(None))
    return [_hold_of(row) for row in connection.execute(statement.order_by(_HOLD.hold_id).limit(limit))]


def release_hold(connection: Connection, tenant: str, hold: LegalHold, mutation: Mutation) -> None:
    """See `RetentionStore.release_hold`."""
    _begin(connection, tenant, mutation)
    connection.execute(_RELEASE, {"wanted": hold.hold_id, "now": hold.release_time_micros})
    _end(connection, mutation)


def policy_conflict(policy_id: str, version: int) -> MnemicError:
    """The refusal of a change of a version that is not the current one."""
    return MnemicError(
        Reason.VERSION_CONFLICT,
        f"policy {policy_id!r} is no longer at version {version}; read it again and repeat the change",
        metadata={"policy_id": policy_id, "expected_version": str(version)},
    )


def _begin(connection: Connection, tenant: str, mutation: Mutation) -> None:
    if mutation.request is not None:
        refuse_replay(connection, mutation.caller, mutation.request)
    Places(connection, tenant, revision=0, now_micros=mutation.now_micros).make_tenant()


def _end(connection: Connection, mutation: Mutation) -> None:
    if mutation.request is not None:
        revision = read_revision(connection)
        keep_request(connection, mutation.caller, mutation.request, revision=revision, now_micros=mutation.now_micros)


def _hold_of(row: Row[*tuple[Any, ...]]) -> LegalHold:
    return LegalHold(
        hold_id=row.hold_id,
        scope=Scope(row.user_id or None, row.agent_id or None, row.session_id or None, row.app_id or None),
        reason=row.reason,
        create_time_micros=row.create_time_micros,
        release_time_micros=row.release_time_micros,
    )
