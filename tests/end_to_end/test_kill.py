"""What was acknowledged survives `kill -9` of the server, whatever it was doing."""

import os
import random
import threading
import time

import grpc
import pytest
from processes import ServerProcess

from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import memory_service_pb2_grpc as service
from mnemic.v1 import resources_pb2

ROUNDS = int(os.environ.get("MNEMIC_KILL_ROUNDS", "6"))
WRITERS = 4
SCOPE = resources_pb2.Scope(user_id="u")


def write_until_gone(stub, worker, acknowledged, deleted):
    """Adds, updates and deletes until the server is gone; notes what was answered."""
    mine = []
    for number in range(100_000):
        try:
            texts = [f"worker {worker} number {number} part {part}" for part in range(1 + number % 5)]
            added = stub.AddMemories(messages.AddMemoriesRequest(scope=SCOPE, texts=texts), timeout=30)
            pairs = [(memory.memory_id, text) for memory, text in zip(added.memories, texts, strict=True)]
            acknowledged.update(pairs)
            mine += pairs
            if number % 4 == 3:
                memory_id, _ = mine.pop(0)
                change = resources_pb2.Memory(memory_id=memory_id, body=f"changed by {worker} at {number}")
                # From here on until the answer both texts are possible.
                acknowledged[memory_id] = None
                answer = stub.UpdateMemory(
                    messages.UpdateMemoryRequest(memory=change, update_mask={"paths": ["body"]}), timeout=30
                )
                acknowledged[memory_id] = answer.memory.body
            if number % 7 == 6:
                memory_id, _ = mine.pop(0)
                del acknowledged[memory_id]
                stub.DeleteMemory(messages.DeleteMemoryRequest(memory_id=memory_id), timeout=30)
                deleted.add(memory_id)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return


@pytest.mark.timeout(600)
def test_no_acknowledged_write_is_lost(tmp_path):
    chance = random.Random(20261122)
    acknowledged, deleted = {}, set()
    for _ in range(ROUNDS):
        server = ServerProcess(tmp_path / "data")
        with grpc.insecure_channel(server.address) as channel:
            stub = service.MemoryServiceStub(channel)
            written = [({}, set()) for _ in range(WRITERS)]
            threads = [
                threading.Thread(target=write_until_gone, args=(stub, worker, *written[worker]))
                for worker in range(WRITERS)
            ]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.1, 0.8))
            server.kill()
            for thread in threads:
                thread.join(timeout=60)
        for memories, gone in written:
            acknowledged |= memories
            deleted |= gone
    assert len(acknowledged) > ROUNDS
    server = ServerProcess(tmp_path / "data")
    with grpc.insecure_channel(server.address) as channel:
        stub = service.MemoryServiceStub(channel)
        stored = all_memories(stub)
        lost = {memory_id for memory_id in acknowledged if memory_id not in stored}
        assert not lost
        changed = {key for key, text in acknowledged.items() if text is not None and stored[key] != text}
        assert not changed
        assert not deleted & stored.keys()
        for memory_id in chance.sample(sorted(stored), 20):
            # Each round wrote the same texts again, and the numbers of one text are those of another in other places;
            # which of them has the better neighbours is not asked here.
            request = messages.SearchMemoriesRequest(
                scope=SCOPE, query=stored[memory_id], top_k=300, separate=True, weights={"context": 0}
            )
            assert memory_id in {hit.memory_id for hit in stub.SearchMemories(request).hits}
    assert server.stop() == 0


def all_memories(stub):
    stored, token = {}, ""
    while True:
        page = stub.ListMemories(messages.ListMemoriesRequest(scope=SCOPE, page_size=1000, page_token=token))
        stored |= {memory.memory_id: memory.body for memory in page.memories}
        token = page.next_page_token
        if not token:
            return stored
