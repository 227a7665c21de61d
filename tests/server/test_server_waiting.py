"""Calls that wait for facts leave threads to the others."""

import threading
import uuid
from types import SimpleNamespace

import pytest

from mnemic.model.deadline import NO_DEADLINE
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.scope import Scope
from mnemic.server.memory_service import MemoryService
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import resources_pb2


class Caller:
    tenant, within, deadline = "t", Scope(), NO_DEADLINE
    caller = SimpleNamespace(subject="anonymous")


def test_half_of_the_threads_may_wait(engine, monkeypatch):
    service = MemoryService(engine, engine.settings.server.max_workers)
    waiting, release = threading.Semaphore(0), threading.Event()

    def wait_for_ever(*_arguments, **_options):
        waiting.release()
        release.wait()
        raise MnemicError(Reason.RESOURCE_NOT_FOUND, "gone")

    monkeypatch.setattr(engine, "operation", wait_for_ever)
    request = pb.GetOperationRequest(operation_id=str(uuid.uuid4()), wait={"seconds": 30})
    permits = engine.settings.server.max_workers // 2

    def ask():
        with pytest.raises(MnemicError):
            service.get_operation(request, Caller)

    threads = [threading.Thread(target=ask) for _ in range(permits)]
    for thread in threads:
        thread.start()
    for _ in threads:
        waiting.acquire()
    with pytest.raises(MnemicError) as refused:
        service.get_operation(request, Caller)
    assert (refused.value.reason, refused.value.retry_after_seconds) == (Reason.OVERLOADED, 1.0)
    adding = pb.AddMemoriesRequest(
        scope=resources_pb2.Scope(user_id="u"), texts=["x"], mode=pb.ADD_MODE_LOCAL, wait_for=pb.WAIT_FOR_EXTRACTED
    )
    with pytest.raises(MnemicError, match="GetOperation"):
        service.add_memories(adding, Caller)
    assert engine.stats("t").store.memories == 0
    release.set()
    for thread in threads:
        thread.join()
    assert service.add_memories(adding, Caller).operation_id
