"""Export and import on a relational database."""

from __future__ import annotations

from collections.abc import Sequence

from mnemic.store import exporting, importing
from mnemic.store.auditing import SqlAuditing
from mnemic.store.transfer import (
    ExportPage,
    ExportPosition,
    ExportQuery,
    ImportBatch,
    Imported,
    Incoming,
    TransferStore,
)


class SqlTransfer(SqlAuditing, TransferStore):
    """Implements `TransferStore`, which says what each method does."""

    def export_page(self, query: ExportQuery, after: ExportPosition | None, *, limit: int) -> ExportPage:
        """See `TransferStore.export_page`."""
        with self._database.reading() as connection:
            return exporting.export_page(connection, query, after, limit)

    def plan_import(self, tenant: str, versions: Sequence[Incoming]) -> list[Incoming]:
        """See `TransferStore.plan_import`."""
        with self._database.reading() as connection:
            return importing.plan_import(connection, tenant, versions)

    def import_versions(self, batch: ImportBatch) -> Imported:
        """See `TransferStore.import_versions`."""
        with self._database.writing() as connection:
            imported = importing.import_versions(connection, batch)
            if imported.committed is not None:
                self._enter_commit(connection, batch.tenant, imported.committed, is_work=False)
            return imported
