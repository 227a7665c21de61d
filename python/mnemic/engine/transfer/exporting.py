"""Exports: a file of the state at one revision, in pieces, while others go on writing."""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mnemic import _core
from mnemic.engine.pages import decode_page_token, encode_page_token, request_digest
from mnemic.engine.restriction import is_implied, narrowed, restriction_filter
from mnemic.engine.searching import both_of, compile_filter
from mnemic.engine.transfer.lines import encode_line
from mnemic.engine.transfer.parquet import ParquetWriter
from mnemic.engine.validation import check_scope
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.scope import Scope
from mnemic.model.transfer import (
    MAX_PIECE_BYTES,
    ExportPiece,
    ExportRequest,
    ExportSummary,
    TransferFormat,
    VersionRecord,
)
from mnemic.store.interface import Store
from mnemic.store.transfer import ExportPosition, ExportQuery

# Each page is one short read, and what lies between two tokens.
_PAGE = 500
_PAGE_WITH_VECTORS = 100
_ROW_GROUP = 4096
_ROW_GROUP_WITH_VECTORS = 512
_FIELD = "resume_token"


@dataclass(frozen=True, slots=True)
class _Place:
    """How far an export is.

    Attributes:
        revision: What it reflects.
        started_micros: The time against which expiry is judged.
        position: The last version that was read.
        count: How many versions the file has so far.
        size: How many bytes.
        digest: Of the bytes so far, where the file can only be made again from its beginning.
    """

    revision: int
    started_micros: int
    position: ExportPosition | None = None
    count: int = 0
    size: int = 0
    digest: str = ""


class Exporter:
    """Makes files of memories.

    Args:
        store: Whose memories.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def export(self, tenant: str, request: ExportRequest, within: Scope) -> Iterator[ExportPiece]:
        """The pieces of a file; see `mnemic.v1.LifecycleService.ExportMemories`."""
        if request.format not in {TransferFormat.JSONL, TransferFormat.PARQUET}:
            raise invalid_field("format", f"{request.format.name} is for imports; export JSONL or PARQUET")
        check_scope(request.scope, request.match)
        compiled = None if request.filter is None else compile_filter(request.filter)
        scope = narrowed(request.scope, request.match, within)
        if scope is not None and not is_implied(scope, request.match, within):
            compiled = both_of(compiled, compile_filter(restriction_filter(within)))
        digest = request_digest("export", self._store.instance_id(), tenant, within, replace(request, resume_token=""))
        place = self._resumed(request.resume_token, digest)
        if place is None:
            place = _Place(self._store.revision(), time.time_ns() // 1000)
        if scope is None:
            return iter(_finished(_File.of(request, place, digest)))
        query = ExportQuery(
            tenant=tenant,
            scope=scope,
            match=request.match,
            revision=place.revision,
            include_history=request.include_history,
            with_vectors=request.include_vectors,
            now_micros=place.started_micros,
        )
        return self._pieces(query, compiled, _File.of(request, place, digest))

    def _resumed(self, token: str, digest: str) -> _Place | None:
        if not token:
            return None
        try:
            parts = decode_page_token(token, digest)
        except MnemicError as error:
            raise _refused(error.message.partition(": ")[2]) from error
        match parts:
            case [str(revision), str(started), str(row), str(memory_id), str(version), str(count), str(size), str(of)]:
                numbers = [revision, started, row, version, count, size]
            case _:
                raise _refused("is malformed")
        if not all(number.isdecimal() for number in numbers):
            raise _refused("is malformed")
        place = _Place(
            int(revision),
            int(started),
            ExportPosition(int(row), memory_id, int(version)),
            int(count),
            int(size),
            of,
        )
        if place.revision > self._store.revision():
            raise _refused(f"is of revision {revision}, which the store has no more (a backup took its place?)")
        return place

    def _pieces(self, query: ExportQuery, compiled: _core.Filter | None, file: _File) -> Iterator[ExportPiece]:
        limit = _PAGE_WITH_VECTORS if query.with_vectors else _PAGE
        position = file.start
        while True:
            page = self._store.export_page(query, position, limit=limit)
            position = page.position
            taken = [record for record in page.versions if compiled is None or compiled.matches(record.memory)]
            yield from file.add(taken, position)
            if position is None:
                yield from _finished(file)
                return


def _finished(file: _File) -> Iterator[ExportPiece]:
    yield from file.finish()


class _File(ABC):
    """A file that is being made, and how far it is."""

    def __init__(self, request: ExportRequest, place: _Place, digest: str) -> None:
        self._place = place
        self._request_digest = digest
        self._with_vectors = request.include_vectors
        self._sent = hashlib.sha256()
        self._count = place.count
        self._size = place.size

    @staticmethod
    def of(request: ExportRequest, place: _Place, digest: str) -> _File:
        """The file of a format."""
        kind = _ParquetFile if request.format is TransferFormat.PARQUET else _LinesFile
        return kind(request, place, digest)

    @property
    @abstractmethod
    def start(self) -> ExportPosition | None:
        """After which version to begin to read."""

    @abstractmethod
    def add(self, records: list[VersionRecord], position: ExportPosition | None) -> Iterator[ExportPiece]:
        """The pieces that come with a page, which ends at a position."""

    @abstractmethod
    def finish(self) -> Iterator[ExportPiece]:
        """The last pieces."""

    def _cut(self, data: bytes, token: str) -> Iterator[ExportPiece]:
        """Bytes as pieces; the token goes with the last."""
        self._sent.update(data)
        self._size += len(data)
        for start in range(0, len(data), MAX_PIECE_BYTES):
            end = start + MAX_PIECE_BYTES
            yield ExportPiece(data[start:end], token if end >= len(data) else "", self._count, self._place.revision)

    def _token(self, position: ExportPosition, digest: str = "") -> str:
        place = self._place
        numbers = [place.revision, place.started_micros, position.scope_row, position.memory_id, position.version]
        return encode_page_token(self._request_digest, [*map(str, [*numbers, self._count, self._size]), digest])

    def _last(self, data: bytes) -> Iterator[ExportPiece]:
        *others, last = list(self._cut(data, "")) or [ExportPiece(b"", "", self._count, self._place.revision)]
        yield from others
        yield replace(last, summary=ExportSummary(self._count, self._size, self._sent.digest()))


class _LinesFile(_File):
    @property
    def start(self) -> ExportPosition | None:
        return self._place.position

    def add(self, records: list[VersionRecord], position: ExportPosition | None) -> Iterator[ExportPiece]:
        data = b"".join(map(encode_line, records))
        self._count += len(records)
        if data:
            self._size += len(data)
            token = self._token(position) if position is not None else ""
            self._size -= len(data)
            yield from self._cut(data, token)

    def finish(self) -> Iterator[ExportPiece]:
        yield from self._last(b"")


class _ParquetFile(_File):
    """The index at the end of the file tells of every row group: an export that broke off is made again from the
    beginning, which gives the same bytes, and those that were sent are left out.
    """

    def __init__(self, request: ExportRequest, place: _Place, digest: str) -> None:
        super().__init__(request, place, digest)
        self._writer = ParquetWriter()
        self._rows: list[VersionRecord] = []
        self._count = 0
        self._size = 0
        self._all = hashlib.sha256()
        self._position: ExportPosition | None = None

    @property
    def start(self) -> ExportPosition | None:
        return None

    def add(self, records: list[VersionRecord], position: ExportPosition | None) -> Iterator[ExportPiece]:
        self._rows += records
        if position is not None and len(self._rows) >= (_ROW_GROUP_WITH_VECTORS if self._with_vectors else _ROW_GROUP):
            yield from self._group(position)

    def finish(self) -> Iterator[ExportPiece]:
        data = self._new(self._writer.row_group(self._rows)) if self._rows else b""
        self._count += len(self._rows)
        yield from self._last(data + self._new(self._writer.finish()))

    def _group(self, position: ExportPosition) -> Iterator[ExportPiece]:
        data = self._new(self._writer.row_group(self._rows))
        self._count += len(self._rows)
        self._rows.clear()
        if data:
            self._size += len(data)
            token = self._token(position, self._all.hexdigest())
            self._size -= len(data)
            yield from self._cut(data, token)

    def _new(self, data: bytes) -> bytes:
        """Of bytes those that were not sent before the export broke off."""
        begun = self._size
        known = min(max(self._place.size - begun, 0), len(data))
        self._all.update(data[:known])
        self._size += known
        if known and self._size == self._place.size and self._all.hexdigest() != self._place.digest:
            raise _refused("cannot be gone on from: the file would not be the same (something was erased); begin again")
        self._all.update(data[known:])
        return data[known:]


def _refused(description: str) -> MnemicError:
    return invalid_field(_FIELD, description, reason=Reason.INVALID_PAGE_TOKEN)
