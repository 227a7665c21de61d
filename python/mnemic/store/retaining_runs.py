"""Runs of retention, as they are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from mnemic.model.operations import OperationState
from mnemic.model.retention import policy_from_json, policy_to_json
from mnemic.store.interface import Mutation
from mnemic.store.places import Places
from mnemic.store.reading import read_revision
from mnemic.store.requests import keep_request, refuse_replay
from mnemic.store.retaining import RunRecord
from mnemic.store.retaining_tables import retention_runs
from mnemic.store.tables import store_state

_RUN = retention_runs.c
_ALL = select(*retention_runs.c)
_SAVE = update(retention_runs).where(_RUN.run_id == bindparam("wanted"))


def begin_run(
    connection: Connection, record: RunRecord, respond: Callable[[str], str], mutation: Mutation
) -> RunRecord:
    """See `RetentionStore.begin_run`."""
    if mutation.request is not None:
        refuse_replay(connection, mutation.caller, mutation.request)
    Places(connection, record.tenant, revision=0, now_micros=mutation.now_micros).make_tenant()
    under_way = _ALL.where(
        _RUN.tenant == record.tenant, _RUN.selection == record.selection, _RUN.end_time_micros.is_(None)
    ).limit(1)
    row = connection.execute(under_way).one_or_none()
    if row is not None:
        record = _record_of(row)
    else:
        last = connection.execute(select(store_state.c.last_version_id)).scalar_one()
        record = replace(record, last_version_id=last)
        connection.execute(insert(retention_runs), _begun(record) | _reached(record))
    if mutation.request is not None:
        keep_request(
            connection,
            mutation.caller,
            replace(mutation.request, response=respond(record.run_id)),
            revision=read_revision(connection),
            now_micros=mutation.now_micros,
        )
    return record


def find_run(connection: Connection, tenant: str, run_id: str) -> RunRecord | None:
    """See `RetentionStore.find_run`."""
    row = connection.execute(_ALL.where(_RUN.tenant == tenant, _RUN.run_id == run_id)).one_or_none()
    return None if row is None else _record_of(row)


def open_runs(connection: Connection) -> list[RunRecord]:
    """See `RetentionStore.open_runs`."""
    statement = _ALL.where(_RUN.end_time_micros.is_(None)).order_by(_RUN.start_time_micros, _RUN.run_id)
    return [_record_of(row) for row in connection.execute(statement)]


def last_start(connection: Connection, tenant: str, selection: str) -> int | None:
    """See `RetentionStore.last_start`."""
    statement = select(func.max(_RUN.start_time_micros)).where(_RUN.tenant == tenant, _RUN.selection == selection)
    begun: int | None = connection.execute(statement).scalar_one()
    return begun


def save_run(connection: Connection, record: RunRecord, *, revision: int) -> None:
    """Keeps how far a run is, and the revision of its last write."""
    connection.execute(_SAVE, _reached(replace(record, revision=revision)) | {"wanted": record.run_id})


def forget_runs(connection: Connection, before_micros: int) -> int:
    """See `RetentionStore.forget_runs`."""
    return connection.execute(delete(retention_runs).where(_RUN.end_time_micros < before_micros)).rowcount


def _begun(record: RunRecord) -> dict[str, object]:
    """What does not change while a run is carried out."""
    return {
        "run_id": record.run_id,
        "tenant": record.tenant,
        "selection": record.selection,
        "policies": json.dumps([policy_to_json(policy) for policy in record.policies]),
        "takes_expired": record.takes_expired,
        "reference_time_micros": record.reference_micros,
        "last_version_id": record.last_version_id,
        "start_time_micros": record.start_micros,
    }


def _reached(record: RunRecord) -> dict[str, object]:
    """How far it is."""
    return {
        "state": int(record.state),
        "progress": record.progress,
        "end_time_micros": record.end_micros,
        "revision": record.revision,
        "last_error": record.last_error,
    }


def _record_of(row: Row[*tuple[Any, ...]]) -> RunRecord:
    return RunRecord(
        run_id=row.run_id,
        tenant=row.tenant,
        state=OperationState(row.state),
        selection=row.selection,
        policies=tuple(map(policy_from_json, json.loads(row.policies))),
        takes_expired=row.takes_expired,
        reference_micros=row.reference_time_micros,
        last_version_id=row.last_version_id,
        progress=row.progress,
        start_micros=row.start_time_micros,
        end_micros=row.end_time_micros,
        revision=row.revision,
        last_error=row.last_error,
    )
