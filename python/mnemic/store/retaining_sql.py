"""The part of the store that forgets on purpose, on a relational database."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import select, union

from mnemic.model.retention import ArchivedMemory, LegalHold, RetentionPolicy
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store import retaining_archive, retaining_policies, retaining_recalls, retaining_runs
from mnemic.store.database import Database
from mnemic.store.interface import Committed, Mutation
from mnemic.store.reading import read_revision
from mnemic.store.retaining import (
    ArchiveCounts,
    Archiving,
    Candidate,
    Cursor,
    Frame,
    RetentionStore,
    RunRecord,
    Selection,
)
from mnemic.store.retaining_selection import SelectionPlan, preview
from mnemic.store.retaining_tables import archived_memories, retention_policies
from mnemic.store.sealing import sealer_of
from mnemic.store.tables import memory_versions


class SqlRetention(RetentionStore):
    """Implements `RetentionStore`, which says what each method does.

    Args:
        database: The store's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # The statements of the run at hand: making them costs more than a frame of few memories.
        self._plan: SelectionPlan | None = None

    def policies(
        self, tenant: str, *, limit: int, after: str = "", enabled_only: bool = False
    ) -> list[RetentionPolicy]:
        """See `RetentionStore.policies`."""
        with self._database.reading() as connection:
            return retaining_policies.list_policies(
                connection, tenant, limit=limit, after=after, enabled_only=enabled_only
            )

    def find_policy(self, tenant: str, policy_id: str) -> RetentionPolicy | None:
        """See `RetentionStore.find_policy`."""
        with self._database.reading() as connection:
            return retaining_policies.find_policy(connection, tenant, policy_id)

    def put_policy(self, tenant: str, policy: RetentionPolicy, mutation: Mutation) -> None:
        """See `RetentionStore.put_policy`."""
        with self._database.writing() as connection:
            retaining_policies.put_policy(connection, tenant, policy, mutation)

    def delete_policy(self, tenant: str, policy_id: str, version: int, mutation: Mutation) -> None:
        """See `RetentionStore.delete_policy`."""
        with self._database.writing() as connection:
            retaining_policies.delete_policy(connection, tenant, policy_id, version, mutation)

    def create_hold(self, tenant: str, hold: LegalHold, mutation: Mutation) -> None:
        """See `RetentionStore.create_hold`."""
        with self._database.writing() as connection:
            retaining_policies.create_hold(connection, tenant, hold, mutation)

    def find_hold(self, tenant: str, hold_id: str) -> LegalHold | None:
        """See `RetentionStore.find_hold`."""
        with self._database.reading() as connection:
            return retaining_policies.find_hold(connection, tenant, hold_id)

    def holds(self, tenant: str, *, include_released: bool, limit: int, after: str = "") -> list[LegalHold]:
        """See `RetentionStore.holds`."""
        with self._database.reading() as connection:
            return retaining_policies.list_holds(
                connection, tenant, include_released=include_released, limit=limit, after=after
            )

    def release_hold(self, tenant: str, hold: LegalHold, mutation: Mutation) -> None:
        """See `RetentionStore.release_hold`."""
        with self._database.writing() as connection:
            retaining_policies.release_hold(connection, tenant, hold, mutation)

    def begin_run(self, record: RunRecord, respond: Callable[[str], str], mutation: Mutation) -> RunRecord:
        """See `RetentionStore.begin_run`."""
        with self._database.writing() as connection:
            return retaining_runs.begin_run(connection, record, respond, mutation)

    def find_run(self, tenant: str, run_id: str) -> RunRecord | None:
        """See `RetentionStore.find_run`."""
        with self._database.reading() as connection:
            return retaining_runs.find_run(connection, tenant, run_id)

    def open_runs(self) -> list[RunRecord]:
        """See `RetentionStore.open_runs`."""
        with self._database.reading() as connection:
            return retaining_runs.open_runs(connection)

    def last_start(self, tenant: str, selection: str) -> int | None:
        """See `RetentionStore.last_start`."""
        with self._database.reading() as connection:
            return retaining_runs.last_start(connection, tenant, selection)

    def save_run(self, record: RunRecord) -> None:
        """See `RetentionStore.save_run`."""
        with self._database.writing() as connection:
            retaining_runs.save_run(connection, record, revision=record.revision)

    def forget_runs(self, before_micros: int) -> int:
        """See `RetentionStore.forget_runs`."""
        with self._database.writing() as connection:
            return retaining_runs.forget_runs(connection, before_micros)

    def frame(self, selection: Selection, cursor: Cursor) -> Frame:
        """See `RetentionStore.frame`."""
        with self._database.reading() as connection:
            plan = self._plan
            if plan is None or plan.selection is not selection:
                plan = self._plan = SelectionPlan(selection, is_sealed=sealer_of(connection).seals)
            return plan.frame(connection, cursor)

    def preview(self, selection: Selection, consume: Callable[[Frame], None]) -> int:
        """See `RetentionStore.preview`."""
        with self._database.reading() as connection:
            revision = read_revision(connection)
            preview(connection, selection, consume)
            return revision

    def archive(self, archiving: Archiving) -> tuple[Committed, list[Candidate]]:
        """See `RetentionStore.archive`."""
        with self._database.writing() as connection:
            return retaining_archive.archive(connection, archiving)

    def archived(
        self,
        tenant: str,
        scope: Scope,
        match: ScopeMatch,
        *,
        limit: int,
        before: tuple[int, int] | None = None,
    ) -> list[tuple[tuple[int, int], ArchivedMemory]]:
        """See `RetentionStore.archived`."""
        with self._database.reading() as connection:
            return retaining_archive.list_archived(connection, tenant, scope, match, limit=limit, before=before)

    def due_archived(self, tenant: str, scope: Scope, now_micros: int, *, limit: int) -> list[str]:
        """See `RetentionStore.due_archived`."""
        with self._database.reading() as connection:
            return retaining_archive.due(connection, tenant, scope, now_micros, limit)

    def count_due(self, tenant: str, scope: Scope, now_micros: int) -> int:
        """See `RetentionStore.count_due`."""
        with self._database.reading() as connection:
            return retaining_archive.count_due(connection, tenant, scope, now_micros)

    def tenants_at_work(self, now_micros: int) -> list[str]:
        """See `RetentionStore.tenants_at_work`."""
        version, archived = memory_versions.c, archived_memories.c
        work = union(
            select(retention_policies.c.tenant).where(~retention_policies.c.is_disabled),
            select(version.tenant).where(version.valid_to_micros.is_(None), version.expire_time_micros <= now_micros),
            select(archived.tenant).where(
                archived.restore_time_micros.is_(None), archived.erase_time_micros <= now_micros
            ),
        )
        with self._database.reading() as connection:
            return sorted(connection.execute(work).scalars())

    def archive_counts(self, tenant: str | None, since_micros: int) -> ArchiveCounts:
        """See `RetentionStore.archive_counts`."""
        with self._database.reading() as connection:
            return retaining_archive.counts(connection, tenant, since_micros)

    def note_recalls(self, recalls: Sequence[tuple[str, int, int]]) -> None:
        """See `RetentionStore.note_recalls`."""
        if recalls:
            with self._database.writing() as connection:
                retaining_recalls.note_recalls(connection, recalls)

    def recalls(self, memory_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """See `RetentionStore.recalls`."""
        with self._database.reading() as connection:
            return retaining_recalls.read_recalls(connection, memory_ids)
