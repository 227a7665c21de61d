"""Scopes, times, metadata and filters between the domain and the contract, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.timestamp_pb2 import Timestamp

from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.filters import AllOf, AnyOf, Comparison, Filter, Not
from mnemic.model.memory import Metadata, MetadataValue
from mnemic.model.scope import Scope
from mnemic.v1 import query_pb2, resources_pb2

_MICROS_PER_SECOND = 1_000_000
_NANOS_PER_MICRO = 1_000


def timestamp_from_micros(micros: int) -> Timestamp:
    """The timestamp of microseconds since 1970-01-01 UTC."""
    seconds, rest = divmod(micros, _MICROS_PER_SECOND)
    return Timestamp(seconds=seconds, nanos=rest * _NANOS_PER_MICRO)


def micros_from_timestamp(timestamp: Timestamp) -> int:
    """Microseconds since 1970-01-01 UTC of a timestamp; what is finer is cut."""
    return timestamp.seconds * _MICROS_PER_SECOND + timestamp.nanos // _NANOS_PER_MICRO


def scope_to_proto(scope: Scope) -> resources_pb2.Scope:
    """The message of a scope; absent ids stay absent."""
    return resources_pb2.Scope(
        user_id=scope.user_id, agent_id=scope.agent_id, session_id=scope.session_id, app_id=scope.app_id
    )


def scope_from_proto(message: resources_pb2.Scope) -> Scope:
    """The scope of a message. An id that is present and empty stays so: validation refuses it."""
    return Scope(
        user_id=message.user_id if message.HasField("user_id") else None,
        agent_id=message.agent_id if message.HasField("agent_id") else None,
        session_id=message.session_id if message.HasField("session_id") else None,
        app_id=message.app_id if message.HasField("app_id") else None,
    )


def metadata_value_to_proto(value: MetadataValue) -> resources_pb2.MetadataValue:
    """The message of one metadata value.

    Raises:
        TypeError: It is none of the kinds: protobuf would take a dict's keys for a list.
    """
    if isinstance(value, bool):
        return resources_pb2.MetadataValue(boolean_value=value)
    if isinstance(value, str):
        return resources_pb2.MetadataValue(string_value=value)
    if isinstance(value, int):
        return resources_pb2.MetadataValue(integer_value=value)
    if isinstance(value, float):
        return resources_pb2.MetadataValue(number_value=value)
    if isinstance(value, tuple):
        return resources_pb2.MetadataValue(string_list=resources_pb2.StringList(values=value))
    raise TypeError(f"a metadata value is a {type(value).__name__}")


def metadata_value_from_proto(message: resources_pb2.MetadataValue, field: str) -> MetadataValue:
    """One metadata value; `field` names it in the error.

    Raises:
        MnemicError: INVALID_FIELD when none of its kinds is set.
    """
    kind = message.WhichOneof("kind")
    if kind is None:
        raise invalid_field(field, "has no value; set exactly one of its kinds")
    if kind == "string_list":
        return tuple(message.string_list.values)
    value: MetadataValue = getattr(message, kind)
    return value


def metadata_to_proto(metadata: Metadata) -> dict[str, resources_pb2.MetadataValue]:
    """The messages of metadata, by key."""
    return {key: metadata_value_to_proto(value) for key, value in metadata.items()}


def metadata_from_proto(
    messages: Mapping[str, resources_pb2.MetadataValue], field: str = "metadata"
) -> dict[str, MetadataValue]:
    """The metadata of a message's map.

    Raises:
        MnemicError: INVALID_FIELD naming the key that has no value.
    """
    return {key: metadata_value_from_proto(message, f"{field}[{key!r}]") for key, message in messages.items()}


def filter_to_proto(node: Filter) -> query_pb2.Filter:
    """The message of a filter."""
    if isinstance(node, Comparison):
        return query_pb2.Filter(
            comparison=query_pb2.Comparison(
                field=node.field,
                operator=query_pb2.ComparisonOperator.ValueType(int(node.operator)),
                values=[metadata_value_to_proto(value) for value in node.values],
            )
        )
    if isinstance(node, AllOf):
        return query_pb2.Filter(all_of=_filter_list(node.filters))
    if isinstance(node, AnyOf):
        return query_pb2.Filter(any_of=_filter_list(node.filters))
    if isinstance(node, Not):
        return query_pb2.Filter(negation=filter_to_proto(node.filter))
    raise MnemicError(Reason.INVALID_FILTER, f"filter: is a {type(node).__name__}, which is no filter")


def _filter_list(nodes: Iterable[Filter]) -> query_pb2.FilterList:
    return query_pb2.FilterList(filters=[filter_to_proto(node) for node in nodes])
