"""Requests that several suites send, with what matters to a test given by it."""

from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import query_pb2, resources_pb2

ANNA = resources_pb2.Scope(user_id="anna")


def adding(*items: pb.MemoryInput, **fields) -> pb.AddMemoriesRequest:
    return pb.AddMemoriesRequest(**({"scope": ANNA, "memories": items} | fields))


def searching(**fields) -> pb.SearchMemoriesRequest:
    return pb.SearchMemoriesRequest(**({"scope": ANNA, "query": "tea"} | fields))


def compare(field: str = "kind", operator: int = 1, *values: str) -> query_pb2.Filter:
    return query_pb2.Filter(
        comparison=query_pb2.Comparison(
            field=field, operator=operator, values=[resources_pb2.MetadataValue(string_value=value) for value in values]
        )
    )


def nested(depth: int) -> query_pb2.Filter:
    node = compare("kind", query_pb2.COMPARISON_OPERATOR_EQUAL, "fact")
    for _ in range(depth):
        node = query_pb2.Filter(negation=node)
    return node
