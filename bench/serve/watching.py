"""Somebody who takes what a watched server tells: its traces, and its page for Prometheus."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
# Prometheus asks every 15 to 60 seconds; a run lasts one or two.
_SCRAPE_SECONDS = 1.0


@contextmanager
def collecting() -> Iterator[dict[str, str]]:
    """A collector that takes spans and drops them; the variables that send them there."""
    # The answer is an empty message.
    take = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")
    service, _, method = _EXPORT.strip("/").partition("/")
    collector = grpc.server(ThreadPoolExecutor(1))
    collector.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: take})])
    port = collector.add_insecure_port("127.0.0.1:0")
    collector.start()
    try:
        yield {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_INSECURE": "true"}
    finally:
        collector.stop(0).wait()


@contextmanager
def scraping(address: str) -> Iterator[None]:
    """Reads the page once a second."""
    stopping = threading.Event()

    def scrape() -> None:
        while not stopping.wait(_SCRAPE_SECONDS):
            urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read()

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def free_address() -> str:
    """An address of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"
