"""Field masks: which parts of a memory or a hit to send."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.field_mask_pb2 import FieldMask

from mnemic.model.errors import invalid_field
from mnemic.v1 import resources_pb2

MEMORY_FIELDS = tuple(resources_pb2.Memory.DESCRIPTOR.fields_by_name)
HIT_PARTS = frozenset({"scope", "metadata", "categories", "source_ids", "entities", "slot", "validity"})
_VECTOR_FIELDS = frozenset({"vector", "embedding_model"})


@dataclass(frozen=True, slots=True)
class ReadMask:
    """Which fields of Memory to send.

    Attributes:
        paths: Their names; empty for all but the vector and its model.
    """

    paths: frozenset[str]

    @property
    def with_vector(self) -> bool:
        """Whether the vector, or its model, is asked for."""
        return bool(self.paths & _VECTOR_FIELDS)

    def apply(self, memory: resources_pb2.Memory) -> resources_pb2.Memory:
        """Takes out what was not asked for."""
        if self.paths:
            for name in MEMORY_FIELDS:
                if name not in self.paths:
                    memory.ClearField(name)  # type: ignore[arg-type]  # the names are the descriptor's own
        return memory


def read_mask(mask: FieldMask) -> ReadMask:
    """The mask of a request.

    Raises:
        MnemicError: INVALID_FIELD for a path that is not a field of Memory; paths within fields are not taken.
    """
    return ReadMask(_known(mask, frozenset(MEMORY_FIELDS)))


def hit_parts(mask: FieldMask) -> frozenset[str]:
    """The optional parts of a hit that a search asks for.

    Raises:
        MnemicError: INVALID_FIELD for a path that is none of them.
    """
    return _known(mask, HIT_PARTS)


def _known(mask: FieldMask, known: frozenset[str]) -> frozenset[str]:
    paths = frozenset(mask.paths)
    unknown = sorted(paths - known)
    if unknown:
        accepted = ", ".join(sorted(known))
        raise invalid_field("read_mask", f"has the unknown path {unknown[0][:64]!r}; accepted are {accepted}")
    return paths
