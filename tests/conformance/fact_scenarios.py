"""MemoryService: values of slots that supersede each other, and facts that say the same."""

import uuid

from google.protobuf.timestamp_pb2 import Timestamp
from memory_scenarios import EVERY_PART, JUNE, MAY, add, bodies
from wire import Wire, scenario

from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import resources_pb2


def diet(body: str, when: Timestamp | None = None, **more) -> pb.MemoryInput:
    return pb.MemoryInput(
        body=body, kind=resources_pb2.MEMORY_KIND_FACT, slot="anna.diet", slot_value=body, event_time=when, **more
    )


def add_facts(wire: Wire, *facts: pb.MemoryInput) -> list[str]:
    added = wire.AddMemories(pb.AddMemoriesRequest(scope=wire.scope(), memories=facts))
    return [item.memory_id for item in added.memories]


@scenario
def a_newer_value_of_a_slot_supersedes_the_older(wire):
    (meat,) = add_facts(wire, diet("eats meat", MAY))
    (vegan,) = add_facts(wire, diet("is vegan", JUNE))
    listing = pb.ListMemoriesRequest(scope=wire.scope())
    searching = pb.SearchMemoriesRequest(scope=wire.scope(), query="eats meat, is vegan", read_mask=EVERY_PART)
    assert bodies(wire.ListMemories(listing).memories) == ["is vegan"]
    (hit,) = wire.SearchMemories(searching).hits
    assert (hit.body, hit.slot, hit.slot_value) == ("is vegan", "anna.diet", "is vegan")
    old = wire.GetMemory(pb.GetMemoryRequest(memory_id=meat)).memory
    assert (old.valid_to, old.superseded_by) == (JUNE, vegan)
    for request in (listing, searching):
        request.as_of.CopyFrom(MAY)
    assert bodies(wire.ListMemories(listing).memories) == ["eats meat"]
    assert [hit.body for hit in wire.SearchMemories(searching).hits] == ["eats meat"]
    everything = pb.SearchMemoriesRequest(
        scope=wire.scope(), query="eats meat", include_superseded=True, read_mask=EVERY_PART
    )
    ends = {hit.body: hit.valid_to_micros for hit in wire.SearchMemories(everything).hits}
    assert ends == {"eats meat": JUNE.seconds * 1_000_000, "is vegan": 0}


@scenario
def late_news_is_stored_already_closed(wire):
    _, june = add_facts(wire, diet("eats meat", MAY), diet("is vegan", JUNE))
    (late,) = add_facts(wire, diet("is vegetarian", Timestamp(seconds=MAY.seconds + 1)))
    memory = wire.GetMemory(pb.GetMemoryRequest(memory_id=late)).memory
    assert (memory.valid_to, memory.superseded_by) == (JUNE, june)
    assert bodies(wire.ListMemories(pb.ListMemoriesRequest(scope=wire.scope())).memories) == ["is vegan"]
    history = wire.GetMemoryHistory(pb.GetMemoryHistoryRequest(memory_id=late)).revisions
    assert [entry.change for entry in history] == [
        resources_pb2.CHANGE_KIND_ADDED,
        resources_pb2.CHANGE_KIND_SUPERSEDED,
    ]
    assert "late news" in history[1].reason


@scenario
def what_is_named_is_superseded_and_can_be_restored(wire):
    (said,) = (item.memory_id for item in add(wire, "I play football").memories)
    (now,) = add_facts(wire, pb.MemoryInput(body="Anna plays chess", supersedes=[said]))
    assert wire.GetMemory(pb.GetMemoryRequest(memory_id=said)).memory.superseded_by == now
    request = pb.RestoreMemoryRequest(memory_id=said, request_id=str(uuid.uuid4()), scope=wire.scope())
    restored = wire.RestoreMemory(request)
    assert (restored.memory.version, restored.memory.superseded_by, restored.replayed) == (2, "", False)
    assert not restored.memory.HasField("valid_to")
    assert wire.RestoreMemory(request).replayed
    listed = wire.ListMemories(pb.ListMemoriesRequest(scope=wire.scope())).memories
    assert sorted(bodies(listed)) == ["Anna plays chess", "I play football"]
    refused = wire.refused("RestoreMemory", pb.RestoreMemoryRequest(memory_id=now))
    assert (refused.reason, list(refused.violations)) == ("INVALID_FIELD", ["memory_id"])


@scenario
def a_deleted_memory_is_restored(wire):
    (memory_id,) = (item.memory_id for item in add(wire, "I like tea").memories)
    search = pb.SearchMemoriesRequest(scope=wire.scope(), query="tea")
    assert len(wire.SearchMemories(search).hits) == 1
    wire.DeleteMemory(pb.DeleteMemoryRequest(memory_id=memory_id))
    assert not wire.SearchMemories(search).hits
    assert wire.refused("GetMemory", pb.GetMemoryRequest(memory_id=memory_id)).reason == "MEMORY_NOT_FOUND"
    wire.RestoreMemory(pb.RestoreMemoryRequest(memory_id=memory_id))
    assert [hit.version for hit in wire.SearchMemories(search).hits] == [2]
    assert wire.GetMemory(pb.GetMemoryRequest(memory_id=memory_id)).memory.version == 2


@scenario
def a_fact_that_is_there_takes_the_sources(wire):
    sources = [item.memory_id for item in add(wire, "I like tea", "tea, please").memories]
    fact = {"body": "Anna likes tea", "kind": resources_pb2.MEMORY_KIND_FACT}
    request = pb.AddMemoriesRequest(scope=wire.scope(), memories=[pb.MemoryInput(source_ids=sources[:1], **fact)])
    (first,) = wire.AddMemories(request).memories
    request.memories[0].source_ids[:] = sources[1:]
    (second,) = wire.AddMemories(request).memories
    assert (second.memory_id, second.version, second.duplicate) == (first.memory_id, 2, True)
    memory = wire.GetMemory(pb.GetMemoryRequest(memory_id=first.memory_id)).memory
    assert list(memory.source_ids) == sources
    changes = [
        entry.change for entry in wire.GetMemoryHistory(pb.GetMemoryHistoryRequest(memory_id=first.memory_id)).revisions
    ]
    assert changes == [resources_pb2.CHANGE_KIND_ADDED, resources_pb2.CHANGE_KIND_MERGED]
