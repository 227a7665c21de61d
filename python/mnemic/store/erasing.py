"""Erasure in a relational database: `ErasureStore` over its transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import select, update

from mnemic.model.erasure import ErasedPlace, ErasureReceipt, ErasureTarget
from mnemic.model.scope import PartitionKey, Scope
from mnemic.store import erasing_destruction, erasing_hiding, erasing_records
from mnemic.store.database import Database
from mnemic.store.erasing_destruction import revoke_keys
from mnemic.store.erasing_holds import refuse_held
from mnemic.store.erasing_preview import preview
from mnemic.store.erasure_interface import (
    CleanedFiles,
    ErasureStep,
    ErasureStore,
    Hidden,
    HidingPlace,
    NewErasure,
    Rederivation,
    StoredErasure,
    Swept,
)
from mnemic.store.erasure_tables import erasures
from mnemic.store.places import partition_keys
from mnemic.store.rows import SCOPE_COLUMNS, chunks, scope_of_row
from mnemic.store.tables import memory_versions, partitions

_ROWS = 1000


class SqlErasures(ErasureStore):
    """Implements `ErasureStore`, which says what each method does.

    Args:
        database: Its transactions.
        clean_files: Cleans the database's own files.
        tidy_files: Does a part of that ahead.
    """

    def __init__(
        self, database: Database, clean_files: Callable[[float], CleanedFiles], tidy_files: Callable[[], bool]
    ) -> None:
        self._database = database
        self._clean_files = clean_files
        self._tidy_files = tidy_files

    def begin(self, new: NewErasure) -> StoredErasure:
        """See `ErasureStore.begin`."""
        with self._database.writing() as connection:
            if new.request_id:
                found = erasing_records.find_by(connection, caller=new.caller, request_id=new.request_id)
                if found is not None:
                    return found
            if not new.is_repeated:
                refuse_held(connection, new.tenant, new.target)
            if new.drops_tenant:
                # From here on nobody comes in, not after a crash either.
                revoke_keys(connection, new.tenant, new.now_micros)
            erasing_records.insert_erasure(connection, new)
            begun = erasing_records.find_by(connection, erasure_id=new.erasure_id)
            assert begun is not None  # noqa: S101 (it was inserted in this transaction)
            return begun

    def find(self, caller: str, erasure_id: str) -> StoredErasure | None:
        """See `ErasureStore.find`."""
        with self._database.reading() as connection:
            return erasing_records.find_by(connection, caller=caller, erasure_id=erasure_id)

    def find_request(self, caller: str, request_id: str) -> StoredErasure | None:
        """See `ErasureStore.find_request`."""
        with self._database.reading() as connection:
            return erasing_records.find_by(connection, caller=caller, request_id=request_id)

    def erasures(self, caller: str, *, limit: int, before: int | None = None) -> list[StoredErasure]:
        """See `ErasureStore.erasures`."""
        with self._database.reading() as connection:
            return erasing_records.list_erasures(connection, caller, max(limit, 0), before)

    def unfinished(self) -> list[StoredErasure]:
        """See `ErasureStore.unfinished`."""
        with self._database.reading() as connection:
            return erasing_records.list_unfinished(connection)

    def unknown(self, erasure_ids: Sequence[str]) -> list[str]:
        """See `ErasureStore.unknown`."""
        with self._database.reading() as connection:
            known = {
                erasure_id
                for ids in chunks(erasure_ids)
                for erasure_id in connection.execute(
                    select(erasures.c.erasure_id).where(erasures.c.erasure_id.in_(ids))
                ).scalars()
            }
        return [erasure_id for erasure_id in erasure_ids if erasure_id not in known]

    def all_scopes(self) -> Iterator[tuple[str, Scope]]:
        """See `ErasureStore.all_scopes`."""
        with self._database.reading() as connection:
            statement = select(*SCOPE_COLUMNS).execution_options(yield_per=_ROWS)
            for row in connection.execute(statement):
                yield row.tenant, scope_of_row(row)

    def all_memories(self) -> Iterator[tuple[str, str]]:
        """See `ErasureStore.all_memories`."""
        version = memory_versions.c
        statement = select(version.tenant, version.memory_id).where(version.version == 1)
        with self._database.reading() as connection:
            for row in connection.execute(statement.execution_options(yield_per=_ROWS)):
                yield row.tenant, row.memory_id

    def preview(self, tenant: str, target: ErasureTarget) -> tuple[ErasedPlace, ...]:
        """See `ErasureStore.preview`."""
        with self._database.reading() as connection:
            return preview(connection, tenant, target)

    def hide(self, row_id: int, place: HidingPlace, *, limit: int, rederive: Rederivation, now_micros: int) -> Hidden:
        """See `ErasureStore.hide`."""
        with self._database.writing() as connection:
            erasure = erasing_records.require(connection, row_id)
            return erasing_hiding.hide(
                connection, erasure, place, limit=limit, rederive=rederive, now_micros=now_micros
            )

    def touched_partitions(self, row_id: int) -> list[PartitionKey]:
        """See `ErasureStore.touched_partitions`."""
        with self._database.reading() as connection:
            erasure = erasing_records.require(connection, row_id)
            rows = connection.execute(
                select(partitions.c.id).where(
                    partitions.c.tenant == erasure.tenant, partitions.c.rebuild_revision > erasure.first_revision
                )
            )
            return list(partition_keys(connection, rows.scalars().all()).values())

    def strike(self, row_id: int) -> None:
        """See `ErasureStore.strike`."""
        erasing_destruction.strike(self._database, row_id)

    def destroy(self, row_id: int, *, limit: int) -> bool:
        """See `ErasureStore.destroy`."""
        with self._database.writing() as connection:
            return erasing_destruction.destroy(connection, row_id, limit)

    def sweep_scopes(self, row_id: int) -> None:
        """See `ErasureStore.sweep_scopes`."""
        erasing_destruction.sweep_scopes(self._database, row_id)

    def sweep_partitions(self, row_id: int) -> Swept:
        """See `ErasureStore.sweep_partitions`."""
        with self._database.writing() as connection:
            return erasing_destruction.sweep_partitions(connection, row_id)

    def set_step(self, row_id: int, step: ErasureStep, found: Sequence[ErasedPlace] = ()) -> None:
        """See `ErasureStore.set_step`."""
        with self._database.writing() as connection:
            erasing_records.set_step(connection, row_id, step, found)

    def note_error(self, row_id: int, error: str) -> None:
        """See `ErasureStore.note_error`."""
        with self._database.writing() as connection:
            connection.execute(
                update(erasures).where(erasures.c.id == row_id),
                {"last_error": error[: erasing_records.MAX_ERROR_LENGTH]},
            )

    def clean_files(self, *, share: float) -> CleanedFiles:
        """See `ErasureStore.clean_files`."""
        return self._clean_files(share)

    def tidy_files(self) -> bool:
        """See `ErasureStore.tidy_files`."""
        return self._tidy_files()

    def finish(self, row_id: int, receipt: ErasureReceipt, found: Sequence[ErasedPlace], now_micros: int) -> None:
        """See `ErasureStore.finish`."""
        with self._database.writing() as connection:
            if erasing_records.require(connection, row_id).end_time_micros is not None:
                return
            erasing_records.tell(connection, row_id, found)
            connection.execute(
                update(erasures).where(erasures.c.id == row_id),
                {
                    "step": ErasureStep.DONE.value,
                    "last_error": "",
                    "document": receipt.document,
                    "signature": receipt.signature,
                    "public_key": receipt.public_key,
                    "end_time_micros": now_micros,
                },
            )
