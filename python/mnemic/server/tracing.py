"""Traces of calls for OpenTelemetry, from this server and from the front before it.

The caller's trace goes on here (W3C `traceparent`); a share of the calls without one begin a trace. Where traces go is
for OpenTelemetry's own variables to say (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, …).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mnemic.model.errors import MnemicError, Reason

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_SCOPE = "mnemic.server"
_DRAIN_SECONDS = 1.0
# The codes by which gRPC's conventions count a server's call as failed; the others are the caller's doing.
_FAILURES = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSpan:
    """One call that the front answered, as it noted it.

    Attributes:
        method: The path.
        trace_id: 16 bytes, the caller's or a new one.
        span_id: 8 bytes.
        parent_id: 8 bytes, zeros when the trace began here.
        begin_nanos: When, since 1970-01-01 UTC.
        end_nanos: Until when.
        code: The status by name.
    """

    method: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    begin_nanos: int
    end_nanos: int
    code: str


class SpanSource(Protocol):
    """What keeps spans until they are taken."""

    def take_spans(self) -> list[FrontSpan]:
        """Those since the last time; the oldest were dropped if there were too many."""


class Tracing:
    """Makes spans and exports them.

    Args:
        sample_ratio: The share of calls without a trace of the caller's that begin one.
        exporter: Where spans go; None for OTLP over gRPC.

    Raises:
        MnemicError: NOT_IMPLEMENTED when OpenTelemetry is not installed.
    """

    def __init__(self, sample_ratio: float, exporter: SpanExporter | None = None) -> None:
        try:
            # An optional dependency: only a server that traces needs it.
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (so)
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 (so)
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 (so)
            from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415 (so)
        except ImportError as error:
            raise MnemicError(
                Reason.NOT_IMPLEMENTED,
                "server.tracing: OpenTelemetry is not installed; run `pip install 'mnemic[tracing]'`",
                metadata={"field": "server.tracing"},
            ) from error
        self._processor = BatchSpanProcessor(exporter or OTLPSpanExporter())
        self._provider = TracerProvider(sampler=ParentBasedTraceIdRatio(sample_ratio))
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer(_SCOPE)
        self._stopping = threading.Event()
        self._drains: list[threading.Thread] = []

    def begin(self, path: str, metadata: Iterable[tuple[str, str | bytes]]) -> Callable[[str], None]:
        """Begins the span of a call.

        Args:
            path: The method.
            metadata: What the caller sent, among it perhaps a `traceparent`.

        Returns:
            To be told the code with which the call ended.
        """
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 (an optional dependency)
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        context = TraceContextTextMapPropagator().extract(carrier)
        # Not the current span: the steps of a stream may run in several threads.
        span = self._tracer.start_span(path.lstrip("/"), context, SpanKind.SERVER, _attributes(path))

        def end(code: str) -> None:
            span.set_attribute("rpc.response.status_code", code)
            if code in _FAILURES:
                span.set_status(Status(StatusCode.ERROR))
            span.end()

        return end

    def drain(self, source: SpanSource) -> None:
        """Exports what a front notes, until `close`."""
        thread = threading.Thread(target=self._drain, args=(source,), name="mnemic-tracing", daemon=True)
        self._drains.append(thread)
        thread.start()

    def _drain(self, source: SpanSource) -> None:
        while not self._stopping.wait(_DRAIN_SECONDS):
            self._export(source.take_spans())
        self._export(source.take_spans())

    def _export(self, spans: Iterable[FrontSpan]) -> None:
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 (an optional dependency)
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415

        flags = TraceFlags(TraceFlags.SAMPLED)
        for span in spans:
            trace, own, parent = (int.from_bytes(part) for part in (span.trace_id, span.span_id, span.parent_id))
            self._processor.on_end(
                ReadableSpan(
                    span.method.lstrip("/"),
                    SpanContext(trace, own, is_remote=False, trace_flags=flags),
                    parent=SpanContext(trace, parent, is_remote=True, trace_flags=flags) if parent else None,
                    resource=self._provider.resource,
                    attributes=_attributes(span.method) | {"rpc.response.status_code": span.code},
                    kind=SpanKind.SERVER,
                    status=Status(StatusCode.ERROR if span.code in _FAILURES else StatusCode.UNSET),
                    start_time=span.begin_nanos,
                    end_time=span.end_nanos,
                    instrumentation_scope=InstrumentationScope(_SCOPE),
                )
            )

    def close(self) -> None:
        """Exports what is left."""
        self._stopping.set()
        for thread in self._drains:
            thread.join()
        self._provider.shutdown()


def _attributes(path: str) -> dict[str, Any]:
    return {"rpc.system.name": "grpc", "rpc.method": path.lstrip("/")}
