"""Filters: conditions that narrow a scope. `mnemic.v1.Filter` says what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from mnemic.model.memory import MetadataValue

MAX_FILTER_DEPTH = 8
MAX_FILTER_COMPARISONS = 64
METADATA_PREFIX = "metadata."
# What a comparison may name besides `metadata.KEY`, with the type of its values.
FILTER_FIELDS: dict[str, type] = {
    "kind": str,
    "role": str,
    "name": str,
    "category": str,
    "entity": str,
    "slot": str,
    "user_id": str,
    "agent_id": str,
    "session_id": str,
    "app_id": str,
    "event_time": int,
    "create_time": int,
    "confidence": float,
    "importance": float,
    "trust": int,
}


class Operator(IntEnum):
    """The numbers of `mnemic.v1.ComparisonOperator`."""

    EQUAL = 1
    NOT_EQUAL = 2
    GREATER = 3
    GREATER_OR_EQUAL = 4
    LESS = 5
    LESS_OR_EQUAL = 6
    IN = 7
    NOT_IN = 8
    CONTAINS = 9
    CONTAINS_IGNORE_CASE = 10
    EXISTS = 11


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares one field with values."""

    field: str
    operator: Operator
    values: tuple[MetadataValue, ...] = ()


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of them holds."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of them holds."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    filter: Filter


Filter = Comparison | AllOf | AnyOf | Not
