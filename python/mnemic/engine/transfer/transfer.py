"""Leaving with one's memories and coming with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mnemic.engine.restriction import NO_RESTRICTION
from mnemic.engine.transfer.exporting import Exporter
from mnemic.engine.transfer.importing import Importer
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.scope import Scope
from mnemic.model.transfer import ExportPiece, ExportRequest, ImportProgress, ImportRequest


class Transfer:
    """The use cases of files; an engine has one."""

    def __init__(self, exporter: Exporter, importer: Importer) -> None:
        self._exporter = exporter
        self._importer = importer

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
