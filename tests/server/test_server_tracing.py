"""Calls become spans of the caller's trace, those of the front too."""

import grpc
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from mnemic.server import tracing
from mnemic.server.server import MnemicServer
from mnemic.server.tracing import FrontSpan, Tracing
from mnemic.v1 import memory_service_pb2, memory_service_pb2_grpc, resources_pb2

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SEARCH = "mnemic.v1.MemoryService/SearchMemories"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(engine, server_settings, exporter, monkeypatch):
    monkeypatch.setattr("mnemic.server.server.Tracing", lambda ratio: Tracing(ratio, exporter))
    # Without a front: its spans stand between the caller's and these (tests/front).
    changes = {"tracing": True, "trace_ratio": 0.0, "front": False}
    server = MnemicServer(engine, server_settings.model_copy(update=changes))
    server.start()
    with grpc.insecure_channel(server.address) as channel:
        yield memory_service_pb2_grpc.MemoryServiceStub(channel), server
    server.stop()


def search(stub, *, flags="01", **fields):
    request = memory_service_pb2.SearchMemoriesRequest(query="bees", **fields)
    stub.SearchMemories(request, timeout=20, metadata=[("traceparent", f"00-{TRACE}-{PARENT}-{flags}")])


def test_a_call_is_a_span_of_the_callers_trace(traced, exporter):
    stub, server = traced
    search(stub, scope=resources_pb2.Scope(user_id="u"))
    with pytest.raises(grpc.RpcError):
        search(stub)
    server.stop()
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == [SEARCH, SEARCH]
    for span in spans:
        assert f"{span.context.trace_id:032x}" == TRACE
        assert f"{span.parent.span_id:016x}" == PARENT
        assert span.kind is SpanKind.SERVER
    assert [span.attributes["rpc.response.status_code"] for span in spans] == ["OK", "INVALID_ARGUMENT"]
    # What a caller got wrong is no failure of the server's.
    assert all(span.status.status_code is StatusCode.UNSET for span in spans)


def test_what_the_caller_does_not_sample_and_what_nobody_traces_makes_no_span(traced, exporter):
    stub, server = traced
    search(stub, flags="00", scope=resources_pb2.Scope(user_id="u"))
    stub.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(query="bees", scope=resources_pb2.Scope(user_id="u")), timeout=20
    )
    server.stop()
    assert exporter.get_finished_spans() == ()


def test_spans_of_the_front_are_exported_with_theirs(exporter, monkeypatch):
    monkeypatch.setattr(tracing, "_DRAIN_SECONDS", 0.01)

    noted = [
        FrontSpan(
            method=f"/{SEARCH}",
            trace_id=bytes.fromhex(TRACE),
            span_id=bytes.fromhex("00f067aa0ba902b7"),
            parent_id=bytes.fromhex(PARENT),
            begin_nanos=1_000,
            end_nanos=5_000,
            code="UNAVAILABLE",
        )
    ]

    class Front:
        def take_spans(self):
            taken = noted[:]
            noted.clear()
            return taken

    traces = Tracing(1.0, exporter)
    traces.drain(Front())
    traces.close()
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.start_time, span.end_time) == (SEARCH, 1_000, 5_000)
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert span.status.status_code is StatusCode.ERROR
