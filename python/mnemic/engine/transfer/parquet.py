"""Our own file as Apache Parquet: a row for each version, a column for each key of a line.

Besides that, the ids of the scope are columns of their own, times are timestamps, metadata is the JSON of a line's and
the vector is a list of numbers. pyarrow writes it, which is an extra of the package: `mnemic[parquet]`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mnemic.engine.transfer.lines import metadata_document, record_of
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.memory import ChangeKind
from mnemic.model.transfer import VersionRecord

if TYPE_CHECKING:
    import pyarrow

_BATCH_ROWS = 512
_TEXTS = ("memoryId", "userId", "agentId", "sessionId", "appId", "kind", "body", "role", "name", "eventTimePrecision",
          "metadata", "slot", "slotValue", "supersededBy", "trust", "embeddingModel", "change", "reason")  # fmt: skip
_TIMES = ("eventTime", "eventTimeEnd", "createTime", "updateTime", "validFrom", "validTo", "expireTime", "deleteTime")
_LISTS = ("categories", "sourceIds", "entities")
_SCOPE = ("userId", "agentId", "sessionId", "appId")


def require_arrow() -> Any:  # noqa: ANN401 (a module)
    """The module pyarrow.

    Raises:
        MnemicError: NOT_IMPLEMENTED, naming the extra, when it is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415 (an extra, and slow to import)
        import pyarrow.parquet  # noqa: PLC0415 (the same)
    except ImportError:
        raise MnemicError(
            Reason.NOT_IMPLEMENTED,
            "format: Parquet needs the extra parquet where the engine runs: pip install 'mnemic[parquet]'; JSONL works "
            "without",
            metadata={"field": "format", "extra": "parquet"},
        ) from None
    return pyarrow


def _schema(arrow: Any) -> pyarrow.Schema:  # noqa: ANN401 (a module)
    moment = arrow.timestamp("us", tz="UTC")
    return arrow.schema(
        [
            *((name, arrow.string()) for name in _TEXTS),
            *((name, moment) for name in _TIMES),
            *((name, arrow.list_(arrow.string())) for name in _LISTS),
            ("confidence", arrow.float64()),
            ("importance", arrow.float64()),
            ("pinned", arrow.bool_()),
            ("takesSlot", arrow.bool_()),
            ("version", arrow.int32()),
            ("revision", arrow.int64()),
            ("vector", arrow.list_(arrow.float32())),
        ]
    )


class _Sink:
    """A file that only grows, whose new bytes are taken out again and again."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: Any) -> int:  # noqa: ANN401 (any buffer)
        piece = bytes(data)
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class ParquetWriter:
    """Writes a file piece by piece; a row group is in memory at a time."""

    def __init__(self) -> None:
        self._arrow = require_arrow()
        self._sink = _Sink()
        self._schema = _schema(self._arrow)
        file = self._arrow.PythonFile(self._sink, mode="w")
        self._writer = self._arrow.parquet.ParquetWriter(file, self._schema, compression="snappy")

    def row_group(self, records: Sequence[VersionRecord]) -> bytes:
        """The bytes of a row group, which must not be empty."""
        rows = list(map(_row, records))
        columns = [self._arrow.array([row.get(field.name) for row in rows], type=field.type) for field in self._schema]
        table = self._arrow.Table.from_arrays(columns, schema=self._schema)
        self._writer.write_table(table, row_group_size=len(rows))
        return self._sink.take()

    def finish(self) -> bytes:
        """The bytes of the end, which make the others a file."""
        self._writer.close()
        return self._sink.take()


def _row(record: VersionRecord) -> dict[str, Any]:
    memory = record.memory
    return {
        "memoryId": memory.memory_id,
        "userId": memory.scope.user_id,
        "agentId": memory.scope.agent_id,
        "sessionId": memory.scope.session_id,
        "appId": memory.scope.app_id,
        "kind": f"MEMORY_KIND_{memory.kind.name}",
        "body": memory.body,
        "role": f"ROLE_{memory.role.name}" if memory.role else None,
        "name": memory.name or None,
        "eventTime": memory.event_time_micros,
        "eventTimeEnd": memory.event_time_end_micros,
        "eventTimePrecision": (
            f"TIME_PRECISION_{memory.event_time_precision.name}" if memory.event_time_precision else None
        ),
        "createTime": memory.create_time_micros,
        "updateTime": memory.update_time_micros,
        "validFrom": memory.valid_from_micros,
        "validTo": memory.valid_to_micros,
        "expireTime": memory.expire_time_micros,
        "deleteTime": record.delete_time_micros,
        "metadata": json.dumps(metadata_document(memory.metadata), ensure_ascii=False) if memory.metadata else None,
        "categories": list(memory.categories),
        "sourceIds": list(memory.source_ids),
        "entities": list(memory.entities),
        "slot": memory.slot or None,
        "slotValue": memory.slot_value or None,
        "supersededBy": memory.superseded_by,
        "confidence": memory.confidence,
        "importance": memory.importance,
        "pinned": memory.pinned,
        "trust": f"TRUST_LEVEL_{memory.trust.name}",
        "version": memory.version,
        "revision": memory.revision,
        "vector": None if memory.vector is None else np.frombuffer(memory.vector, dtype="<f4"),
        "embeddingModel": memory.embedding_model,
        "change": f"CHANGE_KIND_{record.change.name}" if record.change is not ChangeKind.ADDED else None,
        "reason": record.reason or None,
        "takesSlot": record.takes_slot,
    }


def read_parquet(chunks: Iterable[bytes]) -> Iterator[VersionRecord | MnemicError]:
    """The versions of a file, or why one is none. The file is kept on disk meanwhile, since its index is at its end.

    Raises:
        MnemicError: INVALID_FIELD when it is no Parquet file.
    """
    arrow = require_arrow()
    with tempfile.TemporaryFile() as file:
        for chunk in chunks:
            file.write(chunk)
        file.seek(0)
        try:
            parquet = arrow.parquet.ParquetFile(file)
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
                for row in batch.to_pylist():
                    yield _record(row)
        except (arrow.ArrowException, OSError) as error:
            raise invalid_field("data", f"is no Parquet file that can be read: {error}") from None


def _record(row: Mapping[str, Any]) -> VersionRecord | MnemicError:
    values = {key: value for key, value in row.items() if value is not None}
    values["scope"] = {key: values.pop(key) for key in _SCOPE if key in values}
    try:
        for key in _TIMES:
            if key in values:
                values[key] = values[key].isoformat()
        if "metadata" in values:
            values["metadata"] = json.loads(values["metadata"])
        if "vector" in values:
            values["vector"] = np.asarray(values["vector"], dtype="<f4").tobytes()
        return record_of(values)
    except MnemicError as error:
        return error
    except (AttributeError, TypeError, ValueError) as error:
        return invalid_field("row", f"cannot be read: {error}")
