"""MemoryService.WatchMemories: what is told of a scope, and what is refused."""

from google.protobuf.duration_pb2 import Duration
from memory_scenarios import add
from wire import Wire, scenario

from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import query_pb2, resources_pb2


def watched(wire: Wire, count: int = 0, **fields) -> list[tuple[int, str]]:
    """What is told from the first revision on."""
    request = pb.WatchMemoriesRequest(**({"scope": wire.scope(), "from_start": True} | fields))
    return [(entry.change, entry.memory.body) for entry in wire.watched(request, count)]


@scenario
def what_happened_to_the_memories_of_a_scope_is_told_in_order(wire):
    added = add(wire, "one", "two")
    one = added.memories[0]
    wire.UpdateMemory(pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=one.memory_id, body="uno")))
    wire.DeleteMemory(pb.DeleteMemoryRequest(memory_id=one.memory_id))
    wire.RestoreMemory(pb.RestoreMemoryRequest(memory_id=one.memory_id))
    expected = [
        (resources_pb2.CHANGE_KIND_ADDED, "one"),
        (resources_pb2.CHANGE_KIND_ADDED, "two"),
        (resources_pb2.CHANGE_KIND_UPDATED, "uno"),
        (resources_pb2.CHANGE_KIND_DELETED, "uno"),
        (resources_pb2.CHANGE_KIND_RESTORED, "uno"),
    ]
    assert watched(wire, 5) == expected
    assert watched(wire, 3, from_start=False, after_revision=added.revision) == expected[2:]


@scenario
def what_supersedes_and_what_is_superseded_are_told_together(wire):
    old = add(wire, "Anna eats meat").memories[0].memory_id
    fact = pb.MemoryInput(body="Anna is vegan", supersedes=[old])
    wire.AddMemories(pb.AddMemoriesRequest(scope=wire.scope(), memories=[fact]))
    assert watched(wire, 3)[1:] == [
        (resources_pb2.CHANGE_KIND_ADDED, "Anna is vegan"),
        (resources_pb2.CHANGE_KIND_SUPERSEDED, "Anna eats meat"),
    ]


@scenario
def a_filter_narrows_what_is_told(wire):
    for topic in ("home", "food"):
        metadata = {"topic": resources_pb2.MetadataValue(string_value=topic)}
        item = pb.MemoryInput(body=f"of {topic}", metadata=metadata)
        wire.AddMemories(pb.AddMemoriesRequest(scope=wire.scope(), memories=[item]))
    comparison = query_pb2.Comparison(
        field="metadata.topic",
        operator=query_pb2.COMPARISON_OPERATOR_EQUAL,
        values=[resources_pb2.MetadataValue(string_value="food")],
    )
    found = watched(wire, 1, filter=query_pb2.Filter(comparison=comparison))
    assert found == [(resources_pb2.CHANGE_KIND_ADDED, "of food")]


@scenario
def a_watch_is_answered_at_once(wire):
    assert watched(wire, from_start=False) == []


@scenario
def bad_watches_are_refused(wire):
    for field, values in (
        ("scope", {"scope": None}),
        ("after_revision", {"after_revision": -1}),
        ("from_start", {"after_revision": 1, "from_start": True}),
        ("heartbeat", {"heartbeat": Duration(nanos=1)}),
        ("heartbeat", {"heartbeat": Duration(seconds=10**12)}),
        ("match", {"match": 99}),
        ("filter", {"filter": query_pb2.Filter()}),
    ):
        request = pb.WatchMemoriesRequest(**({"scope": wire.scope()} | values))
        assert list(wire.refused("WatchMemories", request).violations) == [field]
