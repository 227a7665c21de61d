"""The page for Prometheus says what happened and what is held."""

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from mnemic.engine.settings import ServerSettings
from mnemic.model.errors import MnemicError
from mnemic.model.retention import RetentionPolicy
from mnemic.server.metrics import Distribution, FrontFigures, Metrics
from mnemic.v1 import memory_service_pb2, resources_pb2

SCOPE = resources_pb2.Scope(user_id="u")
ADD = "/mnemic.v1.MemoryService/AddMemories"
SEARCH = "/mnemic.v1.MemoryService/SearchMemories"


@pytest.fixture
def server_settings() -> ServerSettings:
    # What the Python server counts: all of it only where no front answers before it.
    return ServerSettings(address="127.0.0.1:0", metrics_address="127.0.0.1:0", front=False)


def test_calls_are_counted_by_method_and_code(server, memories, metrics_page):
    memories.AddMemories(memory_service_pb2.AddMemoriesRequest(scope=SCOPE, texts=["Ada keeps bees"]))
    memories.SearchMemories(memory_service_pb2.SearchMemoriesRequest(scope=SCOPE, query="bees"))
    with pytest.raises(grpc.RpcError):
        memories.SearchMemories(memory_service_pb2.SearchMemoriesRequest(query="bees"))
    seen = metrics_page(server.metrics.address)
    assert seen["mnemic_calls_total", ("code", "OK"), ("method", ADD)] == 1
    assert seen["mnemic_calls_total", ("code", "OK"), ("method", SEARCH)] == 1
    assert seen["mnemic_calls_total", ("code", "INVALID_ARGUMENT"), ("method", SEARCH)] == 1
    assert seen["mnemic_call_seconds_count", ("method", SEARCH)] == 2
    assert seen["mnemic_call_seconds_bucket", ("le", "+Inf"), ("method", SEARCH)] == 2


def test_what_was_forgotten_and_recalled_is_counted(server, engine, memories, metrics_page):
    old = memory_service_pb2.MemoryInput(body="one", event_time=Timestamp(seconds=1))
    memories.AddMemories(memory_service_pb2.AddMemoriesRequest(scope=SCOPE, memories=[old]))
    memories.SearchMemories(memory_service_pb2.SearchMemoriesRequest(scope=SCOPE, query="one"))
    engine.retention.recalls.take()
    engine.retention.set_policy("default", RetentionPolicy(policy_id="p", max_age_micros=1))
    run = engine.retention.run("default").run
    engine.retention.find_run("default", run.run_id, wait_seconds=20)
    seen = metrics_page(server.metrics.address)
    assert seen[("mnemic_recalls_total",)] == 1
    assert seen[("mnemic_recalls_dropped_total",)] == 0
    assert seen["mnemic_retention_runs_total", ("outcome", "done")] == 1
    assert seen["mnemic_retention_archived_total", ("cause", "age")] == 1


def test_the_index_is_described(server, memories, metrics_page):
    added = memories.AddMemories(memory_service_pb2.AddMemoriesRequest(scope=SCOPE, texts=["one", "two"]))
    memories.SearchMemories(memory_service_pb2.SearchMemoriesRequest(scope=SCOPE, query="one"))
    seen = metrics_page(server.metrics.address)
    assert seen[("mnemic_revision",)] == added.revision
    assert seen[("mnemic_index_partitions",)] == 1
    assert seen[("mnemic_index_rows",)] == seen[("mnemic_index_current_rows",)] == 2
    assert seen[("mnemic_index_bytes",)] > 0


def test_what_a_front_counts_is_on_the_page(engine, metrics_page):
    class Front:
        def figures(self):
            return FrontFigures(
                calls={(SEARCH, 0, False): 5, (ADD, 3, True): 1},
                durations=(Distribution(SEARCH, (0.1, 0.2), (3, 1, 1), 0.9),),
                stages=(),
                gauges=(("connections", "Open connections.", 2),),
                totals=(("dropped_notes", "Dropped.", 7),),
            )

    with Metrics(engine, "127.0.0.1:0") as metrics:
        metrics.watch_front(Front())
        seen = metrics_page(metrics.address)
    assert seen["mnemic_front_calls_total", ("code", "OK"), ("method", SEARCH), ("relayed", "false")] == 5
    assert seen["mnemic_front_calls_total", ("code", "INVALID_ARGUMENT"), ("method", ADD), ("relayed", "true")] == 1
    buckets = [
        seen["mnemic_front_call_seconds_bucket", ("le", end), ("method", SEARCH)] for end in ("0.1", "0.2", "+Inf")
    ]
    assert buckets == [3, 4, 5]
    assert seen["mnemic_front_call_seconds_sum", ("method", SEARCH)] == 0.9
    assert seen[("mnemic_front_connections",)] == 2
    assert seen[("mnemic_front_dropped_notes_total",)] == 7


def test_an_address_in_use_is_refused(engine):
    with Metrics(engine, "127.0.0.1:0") as first, pytest.raises(MnemicError) as caught:
        Metrics(engine, first.address).serve()
    assert caught.value.violations[0].field == "server.metrics_address"
