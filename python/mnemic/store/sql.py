"""The store on a relational database, for every dialect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from sqlalchemy import select

from mnemic.model.access import ApiKey, Tenant
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.extraction_rules import ExtractionRules, ExtractionStats, ModelUsage
from mnemic.model.memory import Memory, MemoryRevision, ScopeSummary
from mnemic.model.scope import PartitionKey, Scope, ScopeMatch
from mnemic.model.stats import StoreStats
from mnemic.store import (
    accounts,
    checking,
    extraction_usage,
    feed,
    following,
    listing,
    outbox,
    reading,
    requests,
    sealing_checks,
    writing,
)
from mnemic.store.changes import ChangePosition, ChangesPage
from mnemic.store.consolidating import SqlConsolidation
from mnemic.store.database import Database
from mnemic.store.erasing import SqlErasures
from mnemic.store.erasure_interface import CleanedFiles
from mnemic.store.interface import (
    Committed,
    Mutation,
    PartitionChanges,
    PartitionRow,
    RequestRecord,
    Store,
    WriteBatch,
)
from mnemic.store.places import Places
from mnemic.store.retaining_sql import SqlRetention
from mnemic.store.sql_models import SqlModels
from mnemic.store.sql_transfer import SqlTransfer
from mnemic.store.tables import store_state
from mnemic.store.work import OutboxItem, OutboxKind, WorkState


class SqlStore(SqlTransfer, SqlConsolidation, SqlModels, Store):
    """Implements `Store`, which says what each method does; what differs between databases comes in from outside.

    Args:
        database: Transactions of a database whose schema is the current one.
        bytes_on_disk: The size of the database.
        find_damage: The database's own checks.
        clean_files: Zeroes what the database's files hold of what was removed; given the share of the time to work.
        tidy_files: Does a part of that ahead; whether there is more to do.
        release: What to do last when the store is closed.
    """

    def __init__(
        self,
        database: Database,
        *,
        bytes_on_disk: Callable[[], int],
        find_damage: Callable[[], list[str]],
        clean_files: Callable[[float], CleanedFiles],
        tidy_files: Callable[[], bool],
        release: Callable[[], None],
    ) -> None:
        self._database = database
        self.erasing = SqlErasures(database, clean_files, tidy_files)
        self._bytes_on_disk = bytes_on_disk
        self._find_damage = find_damage
        self._release = release
        self._retention = SqlRetention(database)

    @property
    def retention(self) -> SqlRetention:
        """See `Store.retention`."""
        return self._retention

    def instance_id(self) -> str:
        """See `Store.instance_id`."""
        with self._database.reading() as connection:
            return str(connection.execute(select(store_state.c.instance_id)).scalar_one())

    def revision(self) -> int:
        """See `Store.revision`."""
        with self._database.reading() as connection:
            return reading.read_revision(connection)

    def commit(self, batch: WriteBatch) -> Committed:
        """See `Store.commit`."""
        with self._database.writing() as connection:
            committed = writing.apply_batch(connection, batch)
            ended = [end.memory_id for end in batch.ends]
            self._enter_commit(connection, batch.tenant, committed, ended, is_work=batch.finishes is not None)
            return committed

    def find_request(self, tenant: str, method: str, request_id: str) -> RequestRecord | None:
        """See `Store.find_request`."""
        with self._database.reading() as connection:
            return requests.find_request(connection, tenant, method, request_id)

    def forget_requests(self, before_micros: int) -> int:
        """See `Store.forget_requests`."""
        with self._database.writing() as connection:
            return requests.forget_requests(connection, before_micros)

    def get(
        self, tenant: str, memory_ids: Sequence[str], *, with_vectors: bool = False, include_deleted: bool = False
    ) -> dict[str, Memory]:
        """See `Store.get`."""
        with self._database.reading() as connection:
            return reading.get(
                connection, tenant, memory_ids, with_vectors=with_vectors, include_deleted=include_deleted
            )

    def history(self, tenant: str, memory_id: str) -> list[MemoryRevision]:
        """See `Store.history`."""
        with self._database.reading() as connection:
            return reading.history(connection, tenant, memory_id)

    def list_memories(
        self,
        tenant: str,
        scope: Scope,
        match: ScopeMatch,
        *,
        limit: int,
        now_micros: int,
        before_id: str | None = None,
        before_version: int | None = None,
        as_of_micros: int | None = None,
        include_superseded: bool = False,
        include_expired: bool = False,
        with_vectors: bool = False,
    ) -> list[Memory]:
        """See `Store.list_memories`."""
        query = listing.ListQuery(
            tenant=tenant,
            scope=scope,
            match=match,
            limit=limit,
            now_micros=now_micros,
            before_id=before_id,
            before_version=before_version,
            as_of_micros=as_of_micros,
            include_superseded=include_superseded,
            include_expired=include_expired,
        )
        with self._database.reading() as connection:
            return listing.list_memories(connection, query, with_vectors=with_vectors)

    def list_slots(self, tenant: str, scope: Scope, *, limit: int, now_micros: int) -> list[Memory]:
        """See `Store.list_slots`."""
        with self._database.reading() as connection:
            return listing.list_slots(connection, tenant, scope, limit=limit, now_micros=now_micros)

    def list_scopes(self, tenant: str, scope: Scope, *, limit: int, after: Scope | None = None) -> list[ScopeSummary]:
        """See `Store.list_scopes`."""
        with self._database.reading() as connection:
            return listing.list_scopes(connection, tenant, scope, limit=limit, after=after)

    def partitions(self, tenant: str, scope: Scope, match: ScopeMatch) -> list[PartitionKey]:
        """See `Store.partitions`."""
        with self._database.reading() as connection:
            return listing.select_partitions(connection, tenant, scope, match)

    def all_partitions(self) -> list[PartitionKey]:
        """See `Store.all_partitions`."""
        with self._database.reading() as connection:
            return reading.all_partitions(connection)

    def scan_partition(self, key: PartitionKey, consume: Callable[[list[PartitionRow]], None], *, rows: int) -> int:
        """See `Store.scan_partition`."""
        with self._database.reading() as connection:
            return reading.scan_partition(connection, key, consume, rows)

    def partition_changes(self, key: PartitionKey, after_revision: int) -> bool:
        """See `Store.partition_changes`."""
        with self._database.reading() as connection:
            return reading.partition_changes(connection, key, after_revision)

    def scan_changes(
        self, key: PartitionKey, after_revision: int, consume: Callable[[PartitionChanges], None], *, rows: int
    ) -> int | None:
        """See `Store.scan_changes`."""
        with self._database.reading() as connection:
            return feed.scan_changes(connection, key, after_revision, consume, rows)

    def rebuild_revisions(self) -> dict[PartitionKey, int]:
        """See `Store.rebuild_revisions`."""
        with self._database.reading() as connection:
            return feed.rebuild_revisions(connection)

    def changes(
        self,
        tenant: str,
        partitions: Collection[PartitionKey] | None,
        after: ChangePosition,
        *,
        until_revision: int,
        limit: int,
    ) -> ChangesPage:
        """See `ChangeStore.changes`."""
        with self._database.reading() as connection:
            return following.changes(connection, tenant, partitions, after, until_revision=until_revision, limit=limit)

    def claim_outbox(self, kind: OutboxKind, *, limit: int, now_micros: int, lease_micros: int) -> list[OutboxItem]:
        """See `Store.claim_outbox`."""
        with self._database.writing() as connection:
            return outbox.claim(connection, kind, limit=limit, now_micros=now_micros, lease_micros=lease_micros)

    def claim_turn(
        self, kind: OutboxKind, *, after_tenant: str, now_micros: int, lease_micros: int
    ) -> OutboxItem | None:
        """See `Store.claim_turn`."""
        with self._database.writing() as connection:
            return outbox.claim_turn(
                connection, kind, after_tenant=after_tenant, now_micros=now_micros, lease_micros=lease_micros
            )

    def next_due(self, kind: OutboxKind) -> int | None:
        """See `Store.next_due`."""
        with self._database.reading() as connection:
            return outbox.next_due(connection, kind)

    def release_work(self, kind: OutboxKind, now_micros: int) -> int:
        """See `Store.release_work`."""
        with self._database.writing() as connection:
            return outbox.release(connection, kind, now_micros)

    def operation(self, tenant: str, operation_id: str) -> list[WorkState]:
        """See `Store.operation`."""
        with self._database.reading() as connection:
            return outbox.operation(connection, tenant, operation_id)

    def forget_work(self, before_micros: int) -> int:
        """See `Store.forget_work`."""
        with self._database.writing() as connection:
            return outbox.forget(connection, before_micros)

    def dead_letters(self, tenant: str, kind: OutboxKind | None, *, limit: int, after: int = 0) -> list[WorkState]:
        """See `Store.dead_letters`."""
        with self._database.reading() as connection:
            return outbox.dead_letters(connection, tenant, kind, limit=limit, after=after)

    def replay_dead_letters(
        self,
        tenant: str,
        kind: OutboxKind | None,
        item_ids: Sequence[int] | None,
        respond: Callable[[int], str],
        mutation: Mutation,
    ) -> int:
        """See `Store.replay_dead_letters`."""
        with self._database.writing() as connection:
            if mutation.request is not None:
                requests.refuse_replay(connection, mutation.caller, mutation.request)
            count = outbox.replay(connection, tenant, kind, item_ids, mutation.now_micros)
            if mutation.request is not None:
                place = Places(connection, mutation.caller, revision=0, now_micros=mutation.now_micros)
                place.make_tenant()
                requests.keep_request(
                    connection,
                    mutation.caller,
                    replace(mutation.request, response=respond(count)),
                    revision=reading.read_revision(connection),
                    now_micros=mutation.now_micros,
                )
            return count

    def finish_outbox(self, item_ids: Sequence[int]) -> None:
        """See `Store.finish_outbox`."""
        with self._database.writing() as connection:
            outbox.finish(connection, item_ids)

    def retry_outbox(self, item_id: int, *, error: str, next_attempt_micros: int | None) -> None:
        """See `Store.retry_outbox`."""
        with self._database.writing() as connection:
            outbox.retry(connection, item_id, error=error, next_attempt_micros=next_attempt_micros)

    def add_extraction_usage(self, tenant: str, month: int, usage: ModelUsage) -> None:
        """See `ExtractionStore.add_extraction_usage`."""
        with self._database.writing() as connection:
            extraction_usage.add_usage(connection, tenant, month, usage)

    def extraction_usage(self, tenant: str | None, month: int) -> ModelUsage:
        """See `ExtractionStore.extraction_usage`."""
        with self._database.reading() as connection:
            return extraction_usage.usage_of(connection, tenant, month)

    def extraction_stats(self, tenant: str | None, month: int) -> ExtractionStats:
        """See `ExtractionStore.extraction_stats`."""
        with self._database.reading() as connection:
            return extraction_usage.stats_of(connection, tenant, month)

    def hold_work(
        self, item_id: int, rules: ExtractionRules, *, reason: str, now_micros: int, until_micros: int
    ) -> None:
        """See `ExtractionStore.hold_work`."""
        with self._database.writing() as connection:
            extraction_usage.hold(
                connection, item_id, rules, reason=reason, now_micros=now_micros, until_micros=until_micros
            )

    def tenants(self, *, limit: int, after: str = "") -> list[Tenant]:
        """See `Store.tenants`."""
        with self._database.reading() as connection:
            return accounts.list_tenants(connection, limit=max(limit, 0), after=after)

    def find_tenant(self, tenant_id: str) -> Tenant | None:
        """See `Store.find_tenant`."""
        with self._database.reading() as connection:
            return accounts.find_tenant(connection, tenant_id)

    def create_tenant(self, tenant: Tenant, mutation: Mutation) -> None:
        """See `Store.create_tenant`."""
        with self._database.writing() as connection:
            accounts.create_tenant(connection, tenant, mutation)

    def replace_tenant(self, tenant: Tenant, mutation: Mutation) -> None:
        """See `Store.replace_tenant`."""
        with self._database.writing() as connection:
            accounts.replace_tenant(connection, tenant, mutation)

    def create_key(self, key: ApiKey, secret_hash: bytes, mutation: Mutation) -> None:
        """See `Store.create_key`."""
        with self._database.writing() as connection:
            accounts.create_key(connection, key, secret_hash, mutation)

    def keys(self, tenant: str, *, good_at_micros: int | None, limit: int, after: str = "") -> list[ApiKey]:
        """See `Store.keys`."""
        with self._database.reading() as connection:
            return accounts.list_keys(
                connection, tenant, good_at_micros=good_at_micros, limit=max(limit, 0), after=after
            )

    def find_key(self, key_id: str) -> ApiKey | None:
        """See `Store.find_key`."""
        with self._database.reading() as connection:
            return accounts.find_key(connection, key_id)

    def all_keys(self, *, good_at_micros: int) -> list[tuple[ApiKey, bytes]]:
        """See `Store.all_keys`."""
        with self._database.reading() as connection:
            return accounts.all_keys(connection, good_at_micros=good_at_micros)

    def revoke_key(self, key_id: str, mutation: Mutation) -> None:
        """See `Store.revoke_key`."""
        with self._database.writing() as connection:
            accounts.revoke_key(connection, key_id, mutation)

    def note_uses(self, uses: Sequence[tuple[str, int]]) -> None:
        """See `Store.note_uses`."""
        if uses:
            with self._database.writing() as connection:
                accounts.note_uses(connection, uses)

    def stats(self, tenant: str | None = None, *, since_micros: int = 0) -> StoreStats:
        """See `Store.stats`; the size on disk is always that of the whole store."""
        with self._database.reading() as connection:
            return reading.stats(connection, tenant, self._bytes_on_disk(), since_micros)

    def check(self) -> list[str]:
        """See `Store.check`."""
        try:
            damage = self._find_damage()
            if damage:
                return damage  # Rows of a damaged file prove nothing.
            with self._database.reading() as connection:
                return [*checking.contradictions(connection), *sealing_checks.unreadable(connection)]
        except MnemicError as error:
            if error.reason is not Reason.CORRUPT_DATA:
                raise
            return [error.message]  # So damaged that the checks could not end.

    def close(self) -> None:
        """See `Store.close`; a second call does nothing."""
        self._database.close()
        self._release()
