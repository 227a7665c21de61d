"""Filters as friendly dicts, in the shape that Mem0's users know, compiled to `mnemic.model.filters`.

    {"AND": [{"city": "Porto"}, {"event_time": {"gte": "2026-01-01"}}], "NOT": [{"role": "assistant"}]}

Everything in one dict must hold. A key that is not a field of memories means `metadata.KEY`. A plain value means `eq`,
a list `in`. `NOT` with several conditions: none of them holds. A filter narrows the scope and cannot widen it: `*` is
a text like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import get_args

from mnemic.client.inputs import metadata_value, micros
from mnemic.client.options import FriendlyFilter
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.filters import (
    FILTER_FIELDS,
    MAX_FILTER_DEPTH,
    METADATA_PREFIX,
    AllOf,
    AnyOf,
    Comparison,
    Filter,
    Not,
    Operator,
)
from mnemic.model.memory import MetadataValue, TrustLevel

OPERATORS = {
    "eq": Operator.EQUAL,
    "ne": Operator.NOT_EQUAL,
    "gt": Operator.GREATER,
    "gte": Operator.GREATER_OR_EQUAL,
    "lt": Operator.LESS,
    "lte": Operator.LESS_OR_EQUAL,
    "in": Operator.IN,
    "nin": Operator.NOT_IN,
    "contains": Operator.CONTAINS,
    "icontains": Operator.CONTAINS_IGNORE_CASE,
}
_EXISTS = "exists"
_LISTS = {"in", "nin"}
_ALIASES = {"run_id": "session_id", "created_at": "create_time", "categories": "category"}
_TIMES = {"event_time", "create_time"}
_NAMES = {"kind", "role"}
# Mem0's own fields that Mnemic cannot filter by: taken for metadata they would silently find nothing.
_REFUSED = {
    "updated_at": "filter by create_time or event_time",
    "timestamp": "use event_time (when it happened) or create_time (when it was added)",
    "expiration_date": "expired memories are left out by themselves",
    "memory_ids": "use batch_get to read memories by id",
}


def compile_filters(filters: FriendlyFilter | None, field: str = "filters") -> Filter | None:
    """The domain's form of a filter; None for None and for an empty dict.

    Raises:
        MnemicError: INVALID_FILTER naming the path at fault and what would be accepted.
    """
    if filters is None or isinstance(filters, get_args(Filter)):
        return filters
    if isinstance(filters, Mapping) and not filters:
        return None
    return _node(filters, field, 1)


def _node(conditions: object, path: str, depth: int) -> Filter:
    if isinstance(conditions, get_args(Filter)):
        return conditions  # type: ignore[no-any-return]  # mypy does not narrow by get_args
    if not isinstance(conditions, Mapping):
        raise _invalid(path, f"is a {type(conditions).__name__}; give a dict such as {{'city': 'Porto'}}")
    if not conditions:
        raise _invalid(path, "is empty; give at least one condition")
    if depth > MAX_FILTER_DEPTH:
        raise _invalid(path, f"is nested too deeply; at most {MAX_FILTER_DEPTH} levels are accepted")
    return _all(
        [
            node
            for key, value in conditions.items()
            for node in (_logical(key, value, path, depth) if key in _LOGICAL else _comparisons(key, value, path))
        ]
    )


_LOGICAL = ("AND", "OR", "NOT")


def _logical(key: str, value: object, path: str, depth: int) -> list[Filter]:
    here = f"{path}.{key}"
    if isinstance(value, Mapping):
        nodes = [_node(value, here, depth + 1)]
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        nodes = [_node(item, f"{here}[{position}]", depth + 1) for position, item in enumerate(value)]
    else:
        raise _invalid(here, f"is a {type(value).__name__}; give a list of conditions")
    if not nodes:
        raise _invalid(here, "is empty; give at least one condition")
    if key == "AND":
        return nodes
    either = nodes[0] if len(nodes) == 1 else AnyOf(tuple(nodes))
    return [either if key == "OR" else Not(either)]


def _comparisons(key: object, value: object, path: str) -> list[Filter]:
    if not isinstance(key, str) or not key:
        raise _invalid(path, f"has the key {key!r}; keys are the names of fields")
    here = f"{path}.{key}"
    field = _field(key, here)
    if isinstance(value, Mapping):
        if not value:
            raise _invalid(here, f"has no operator; there are {_operators()}")
        return [_operation(field, operator, operand, f"{here}.{operator}") for operator, operand in value.items()]
    if isinstance(value, list | tuple):
        return [_operation(field, "in", value, here)]
    return [_operation(field, "eq", value, here)]


def _field(key: str, path: str) -> str:
    if key in _REFUSED:
        raise _invalid(path, f"cannot be filtered by: {_REFUSED[key]}; for a field of your own say metadata.{key}")
    name = _ALIASES.get(key, key)
    return name if name in FILTER_FIELDS or name.startswith(METADATA_PREFIX) else METADATA_PREFIX + name


def _operation(field: str, operator: object, operand: object, path: str) -> Filter:
    if operator == _EXISTS:
        if not isinstance(operand, bool):
            raise _invalid(path, "takes True or False")
        exists = Comparison(field, Operator.EXISTS)
        return exists if operand else Not(exists)
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise _invalid(path, f"{operator!r} is no operator; there are {_operators()}")
    if operator not in _LISTS:
        return Comparison(field, OPERATORS[operator], (_value(field, operand, path),))
    if not isinstance(operand, list | tuple) or not operand:
        raise _invalid(path, "takes a list of one or more values")
    values = tuple(_value(field, item, f"{path}[{position}]") for position, item in enumerate(operand))
    return Comparison(field, OPERATORS[operator], values)


def _value(field: str, value: object, path: str) -> MetadataValue:
    if value is None:
        raise _invalid(path, "is None; to ask whether the field is there use {'exists': False}")
    if isinstance(value, list | tuple | Mapping):
        raise _invalid(path, f"is a {type(value).__name__}; give one text, integer, number or truth value")
    if isinstance(value, IntEnum) and field in _NAMES:
        return value.name.lower()
    if field == "trust":
        return _trust(value, path)
    try:
        if field in _TIMES and not isinstance(value, int):
            return micros(value, path)
        return metadata_value(value, path)
    except MnemicError as error:
        raise _invalid(path, error.violations[0].description) from None


def _trust(value: object, path: str) -> int:
    """The number of a level, also of one that is named."""
    if isinstance(value, str) and value.upper() in TrustLevel.__members__:
        return int(TrustLevel[value.upper()])
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise _invalid(path, f"is {value!r}; trust is untrusted, normal or verified")


def _all(nodes: list[Filter]) -> Filter:
    return nodes[0] if len(nodes) == 1 else AllOf(tuple(nodes))


def _operators() -> str:
    return ", ".join([*OPERATORS, _EXISTS])


def _invalid(path: str, description: str) -> MnemicError:
    return invalid_field(path, description, reason=Reason.INVALID_FILTER)
