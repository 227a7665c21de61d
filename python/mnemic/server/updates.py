"""The update mask: which fields of a memory an UpdateMemory changes, and to what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from mnemic.model.errors import MnemicError, invalid_field
from mnemic.model.requests import MemoryUpdate
from mnemic.server import from_proto
from mnemic.v1 import memory_service_pb2, resources_pb2
from mnemic.wire.values import metadata_from_proto

Memory = resources_pb2.Memory


def _moment(name: Literal["event_time", "event_time_end", "expire_time"]) -> Callable[[Memory], int | None]:
    def read(memory: Memory) -> int | None:
        return from_proto.micros(getattr(memory, name), f"memory.{name}") if memory.HasField(name) else None

    return read


# The path in the mask -> the attribute of MemoryUpdate, and how its value is read. A path that is named while its
# field is not set clears the field.
_UPDATABLE: dict[str, tuple[str, Callable[[Memory], Any]]] = {
    "body": ("body", lambda memory: memory.body),
    "name": ("name", lambda memory: memory.name),
    "event_time": ("event_time_micros", _moment("event_time")),
    "event_time_end": ("event_time_end_micros", _moment("event_time_end")),
    "event_time_precision": (
        "event_time_precision",
        lambda memory: from_proto.time_precision(memory.event_time_precision, "memory.event_time_precision"),
    ),
    "expire_time": ("expire_time_micros", _moment("expire_time")),
    "metadata": ("metadata", lambda memory: metadata_from_proto(memory.metadata, "memory.metadata")),
    "categories": ("categories", lambda memory: tuple(memory.categories)),
    "entities": ("entities", lambda memory: tuple(memory.entities)),
    "importance": ("importance", lambda memory: memory.importance),
    "pinned": ("pinned", lambda memory: memory.pinned),
    "trust": ("trust", lambda memory: from_proto.trust_level(memory.trust, "memory.trust")),
    "slot": ("slot", lambda memory: memory.slot),
    "slot_value": ("slot_value", lambda memory: memory.slot_value),
    "vector": ("vector", lambda memory: memory.vector or None),
}


def memory_update(request: memory_service_pb2.UpdateMemoryRequest) -> MemoryUpdate:
    """The changes that a request asks for.

    Raises:
        MnemicError: INVALID_FIELD for a field that cannot be changed, whether the mask names it or, without a mask,
            the memory has it set: what a caller sent is never passed over.
    """
    paths = list(dict.fromkeys(request.update_mask.paths)) or [
        field.name for field, _ in request.memory.ListFields() if field.name != "memory_id"
    ]
    for path in paths:
        if path not in _UPDATABLE:
            raise _not_updatable(path, masked=bool(request.update_mask.paths))
    values = {attribute: read(request.memory) for attribute, read in map(_UPDATABLE.__getitem__, paths)}
    return MemoryUpdate(fields=frozenset(values), **values)


def _not_updatable(path: str, *, masked: bool) -> MnemicError:
    accepted = ", ".join(_UPDATABLE)
    if masked:
        return invalid_field("update_mask", f"{path[:64]!r} cannot be changed; accepted are {accepted}")
    description = f"cannot be changed; leave it out, or name what changes in update_mask: any of {accepted}"
    return invalid_field(f"memory.{path}", description)
