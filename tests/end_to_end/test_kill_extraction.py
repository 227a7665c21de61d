"""Facts of acknowledged messages are drawn once, however often the server is killed meanwhile."""

import random
import time

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from processes import ServerProcess

from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import memory_service_pb2_grpc as service
from mnemic.v1 import resources_pb2

SCOPE = resources_pb2.Scope(user_id="u")
ROUNDS = 4


@pytest.mark.timeout(300)
def test_every_message_that_was_acknowledged_gets_its_facts_once(tmp_path):
    chance = random.Random(20261122)
    operations = {}
    for round_number in range(ROUNDS):
        server = ServerProcess(tmp_path / "data")
        with grpc.insecure_channel(server.address) as channel:
            stub = service.MemoryServiceStub(channel)
            for number in range(10):
                # Each is another person, so that each has a fact.
                name = f"Anna{round_number}x{number}"
                said = messages.MemoryInput(body="I live in Oslo.", name=name)
                request = messages.AddMemoriesRequest(scope=SCOPE, memories=[said], mode=messages.ADD_MODE_LOCAL)
                operations[name] = stub.AddMemories(request, timeout=30).operation_id
            time.sleep(chance.uniform(0, 0.5))
            server.kill()
    server = ServerProcess(tmp_path / "data")
    with grpc.insecure_channel(server.address) as channel:
        stub = service.MemoryServiceStub(channel)
        for name, operation_id in operations.items():
            request = messages.GetOperationRequest(operation_id=operation_id, wait=Duration(seconds=60))
            done = stub.GetOperation(request, timeout=90)
            assert done.state == resources_pb2.OPERATION_STATE_DONE, (name, done)
            assert len(done.memory_ids) == 1
        listed = stub.ListMemories(
            messages.ListMemoriesRequest(scope=SCOPE, match=resources_pb2.SCOPE_MATCH_EXACT, page_size=1000), timeout=30
        ).memories
    server.kill()
    facts = sorted(memory.body for memory in listed if memory.kind == resources_pb2.MEMORY_KIND_FACT)
    assert facts == sorted(f"{name} lives in Oslo." for name in operations)
