"""What a store remembers of its erasures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from mnemic.model.erasure import ErasedPlace, ErasureTarget, TargetKind
from mnemic.store.erasure_interface import ErasureStep, NewErasure, StoredErasure
from mnemic.store.erasure_tables import erasures
from mnemic.store.tables import store_state

MAX_ERROR_LENGTH = 500

_ERASURE = erasures.c
_INSERT = insert(erasures)
_STATE = select(store_state.c.revision, store_state.c.last_version_id)
_PLACES = select(_ERASURE.places).where(_ERASURE.id == bindparam("row"))
_SET_PLACES = update(erasures).where(_ERASURE.id == bindparam("row")).values(places=bindparam("told"))
_SET_REVISION = update(erasures).where(_ERASURE.id == bindparam("row")).values(revision=bindparam("commit"))
_LARGEST = (1 << 63) - 1
_STEPS = list(ErasureStep)


def insert_erasure(connection: Connection, new: NewErasure) -> None:
    """Writes an erasure down."""
    revision, last_version_id = connection.execute(_STATE).one()
    connection.execute(
        _INSERT,
        {
            "erasure_id": new.erasure_id,
            "caller": new.caller,
            "tenant": new.tenant,
            "kind": new.target.kind.value,
            "target": json.dumps(new.target.ids(), sort_keys=True),
            "drops_tenant": int(new.drops_tenant),
            "salt": new.salt,
            "target_hash": new.target_hash,
            "reason": new.reason,
            "requested_by": new.requested_by,
            "request_id": new.request_id or None,
            "fingerprint": new.fingerprint,
            "step": ErasureStep.HIDE.value,
            # Of a tenant that goes nothing stays, whenever it was written.
            "last_version_id": _LARGEST if new.drops_tenant else last_version_id,
            "first_revision": revision,
            "revision": 0,
            "places": "{}",
            "last_error": "",
            "create_time_micros": new.now_micros,
        },
    )


def find_by(connection: Connection, **values: object) -> StoredErasure | None:
    """The erasure with these values, if there is one."""
    statement = select(erasures).where(*(erasures.c[name] == value for name, value in values.items()))
    row = connection.execute(statement).one_or_none()
    return None if row is None else _erasure_of(row)


def require(connection: Connection, row_id: int) -> StoredErasure:
    """The erasure of a row."""
    return _erasure_of(connection.execute(select(erasures).where(_ERASURE.id == row_id)).one())


def list_erasures(connection: Connection, caller: str, limit: int, before: int | None) -> list[StoredErasure]:
    """See `ErasureStore.erasures`."""
    statement = select(erasures).where(_ERASURE.caller == caller).order_by(_ERASURE.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(_ERASURE.id < before)
    return [_erasure_of(row) for row in connection.execute(statement)]


def list_unfinished(connection: Connection) -> list[StoredErasure]:
    """See `ErasureStore.unfinished`."""
    statement = select(erasures).where(_ERASURE.end_time_micros.is_(None)).order_by(_ERASURE.id)
    return [_erasure_of(row) for row in connection.execute(statement)]


def tell(connection: Connection, row_id: int, places: Iterable[ErasedPlace]) -> None:
    """Adds to what an erasure found, destroyed and kept."""
    told = json.loads(connection.execute(_PLACES, {"row": row_id}).scalar_one())
    for place in places:
        if not (place.found or place.destroyed or place.kept):
            continue
        found, destroyed, kept, reason = told.get(place.place, (0, 0, 0, ""))
        told[place.place] = (
            found + place.found,
            destroyed + place.destroyed,
            kept + place.kept,
            place.kept_reason or reason,
        )
    connection.execute(_SET_PLACES, {"row": row_id, "told": json.dumps(told)})


def note_revision(connection: Connection, row_id: int, revision: int) -> None:
    """Notes the erasure's last commit."""
    connection.execute(_SET_REVISION, {"row": row_id, "commit": revision})


def set_step(connection: Connection, row_id: int, step: ErasureStep, found: Sequence[ErasedPlace]) -> None:
    """See `ErasureStore.set_step`."""
    present = require(connection, row_id).step
    if _STEPS.index(present) >= _STEPS.index(step):
        return
    tell(connection, row_id, found)
    connection.execute(update(erasures).where(_ERASURE.id == row_id), {"step": step.value, "last_error": ""})


def _erasure_of(row: Row[*tuple[Any, ...]]) -> StoredErasure:
    kind = TargetKind(row.kind)
    return StoredErasure(
        row_id=row.id,
        erasure_id=row.erasure_id,
        caller=row.caller,
        tenant=row.tenant,
        kind=kind,
        target=ErasureTarget.of_ids(kind, json.loads(row.target)) if row.target else None,
        drops_tenant=bool(row.drops_tenant),
        salt=row.salt,
        target_hash=row.target_hash,
        reason=row.reason,
        requested_by=row.requested_by,
        request_id=row.request_id or "",
        fingerprint=row.fingerprint,
        step=ErasureStep(row.step),
        last_version_id=row.last_version_id,
        first_revision=row.first_revision,
        revision=row.revision,
        places=tuple(
            ErasedPlace(place=place, found=found, destroyed=destroyed, kept=kept, kept_reason=reason)
            for place, (found, destroyed, kept, reason) in sorted(json.loads(row.places).items())
        ),
        last_error=row.last_error,
        create_time_micros=row.create_time_micros,
        end_time_micros=row.end_time_micros,
        document=row.document,
        signature=row.signature,
        public_key=row.public_key,
    )
