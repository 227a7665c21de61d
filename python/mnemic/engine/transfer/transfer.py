"""Leaving with one's memories and coming with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mnemic.engine.embedder import Embedder
from mnemic.engine.live_index import LiveIndex
from mnemic.engine.restriction import NO_RESTRICTION
from mnemic.engine.settings import Settings
from mnemic.engine.transfer.exporting import Exporter
from mnemic.engine.transfer.importing import Importer
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.scope import Scope
from mnemic.model.transfer import ExportPiece, ExportRequest, ImportProgress, ImportRequest
from mnemic.store.interface import Store


class Transfer:
    """The use cases of files; an engine has one."""

    def __init__(self, store: Store, index: LiveIndex, embedder: Embedder, settings: Settings) -> None:
        self._exporter = Exporter(store)
        self._importer = Importer(store, index, embedder, settings)

    def export_memories(
        self, tenant: str, request: ExportRequest, *, within: Scope = NO_RESTRICTION
    ) -> Iterator[ExportPiece]:
        """The pieces of a file, which reflects one revision; memory is bounded however large it is."""
        return self._exporter.export(tenant, request, within)

    def import_memories(
        self,
        tenant: str,
        request: ImportRequest,
        chunks: Iterable[bytes],
        *,
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> Iterator[ImportProgress]:
        """Takes a file in as its bytes come; nothing is done before the answers are iterated over."""
        return self._importer.run(tenant, request, chunks, within, deadline)
