"""What the front counts, logs and traces of calls that it answers and relays."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mnemic.engine.settings import ServerSettings
from mnemic.server.server import MnemicServer
from mnemic.server.tracing import Tracing
from mnemic.v1 import memory_service_pb2, memory_service_pb2_grpc, resources_pb2

SEARCH = "/mnemic.v1.MemoryService/SearchMemories"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REQUEST = memory_service_pb2.SearchMemoriesRequest(scope=resources_pb2.Scope(user_id="u"), query="bees")


@pytest.fixture
def settings_of_front() -> ServerSettings:
    return ServerSettings(address="127.0.0.1:0", front=True, metrics_address="127.0.0.1:0", log_format="json")


def test_each_call_is_counted_once_by_its_method_and_status(engine, settings_of_front, metrics_page):
    with MnemicServer(engine, settings_of_front) as server, grpc.insecure_channel(server.address) as channel:
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        for _ in range(3):
            stub.SearchMemories(REQUEST, timeout=20)
        with pytest.raises(grpc.RpcError):
            stub.SearchMemories(memory_service_pb2.SearchMemoriesRequest(query="bees"), timeout=20)
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/no.such/Method")(b"", timeout=20)
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
        seen = metrics_page(server.metrics.address)

    def calls(method, code):
        return sum(
            value
            for (name, *labels), value in seen.items()
            if name == "mnemic_front_calls_total" and {("method", method), ("code", code)} <= set(labels)
        )

    assert calls(SEARCH, "OK") == 3
    # What may be refused is for Python to refuse.
    assert calls(SEARCH, "INVALID_ARGUMENT") == 1
    assert seen["mnemic_front_calls_total", ("code", "INVALID_ARGUMENT"), ("method", SEARCH), ("relayed", "true")] == 1
    assert calls("other", "UNIMPLEMENTED") == 1
    assert calls("/grpc.health.v1.Health", "OK") == 1
    assert seen["mnemic_front_call_seconds_count", ("method", "/grpc.health.v1.Health")] == 1
    assert seen[("mnemic_front_connections",)] >= 1
    assert seen[("mnemic_front_python_here",)] == 1
    assert seen[("mnemic_front_dropped_notes_total",)] == 0
    # The first search found nobody's memories in memory and was relayed; the others were answered here.
    native = seen["mnemic_front_calls_total", ("code", "OK"), ("method", SEARCH), ("relayed", "false")]
    assert native >= 2
    assert seen["mnemic_front_stage_seconds_count", ("stage", "search")] == native
    assert seen["mnemic_front_stage_seconds_count", ("stage", "prepare")] == native
    # Each asked for the same text: the relayed one embedded it.
    assert seen["mnemic_front_stage_seconds_count", ("stage", "embed")] == 0
    assert seen[("mnemic_front_embedder_hits_total",)] >= native
    assert seen[("mnemic_front_embedder_waiting",)] == 0


def test_a_relayed_call_is_a_span_under_the_fronts_and_that_under_the_callers(engine, settings_of_front, monkeypatch):
    exporter = InMemorySpanExporter()
    monkeypatch.setattr("mnemic.server.server.Tracing", lambda ratio: Tracing(ratio, exporter))
    settings = settings_of_front.model_copy(update={"tracing": True, "trace_ratio": 0.0})
    with MnemicServer(engine, settings) as server, grpc.insecure_channel(server.address) as channel:
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        listing = memory_service_pb2.ListMemoriesRequest(scope=resources_pb2.Scope(user_id="u"))
        stub.ListMemories(listing, timeout=20, metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")])
        stub.ListMemories(listing, timeout=20)
    spans = {f"{span.parent.span_id:016x}": span for span in exporter.get_finished_spans()}
    assert len(spans) == 2
    front = spans[PARENT]
    python = spans[f"{front.context.span_id:016x}"]
    assert {f"{span.context.trace_id:032x}" for span in (front, python)} == {TRACE}
    assert python.name == "mnemic.v1.MemoryService/ListMemories"
    assert [span.attributes["rpc.response.status_code"] for span in (front, python)] == ["OK", "OK"]
    assert front.start_time <= python.start_time
    assert python.end_time <= front.end_time
