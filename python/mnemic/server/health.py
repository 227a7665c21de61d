"""grpc.health.v1.Health: whether each service takes calls. It asks for no credential and waits for no worker."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2

from mnemic.server.calls import REQUEST_ID_HEADER, call_id_of


def bind_health(server: grpc.Server, names: Sequence[str], workers: ThreadPoolExecutor) -> health.HealthServicer:
    """Makes a server tell the health of services; none takes calls until the servicer is told otherwise.

    Args:
        server: Where.
        names: Of the services; the empty one, of the whole server, is added.
        workers: Answers checks.
    """
    # Its thread pool is an attribute of the class, shared by all servers of a process: so none is given.
    servicer = health.HealthServicer(experimental_non_blocking=True, experimental_thread_pool=None)
    for name in ("", *names):
        servicer.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)

    def check(received: bytes, context: grpc.ServicerContext) -> health_pb2.HealthCheckResponse:
        context.set_trailing_metadata(((REQUEST_ID_HEADER, call_id_of(context.invocation_metadata())),))
        try:
            request = health_pb2.HealthCheckRequest.FromString(received)
        except DecodeError:
            # In the words of the front.
            words = "the request is not a valid grpc.health.v1.HealthCheckRequest"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, words)
        return servicer.Check(request, context)

    # A probe must be answered when every worker is busy. Where grpcio does not know the attribute, it waits.
    check.experimental_thread_pool = workers  # type: ignore[attr-defined]  # how grpcio takes it
    serialize = health_pb2.HealthCheckResponse.SerializeToString
    handlers = {
        "Check": grpc.unary_unary_rpc_method_handler(check, None, serialize),
        "Watch": grpc.unary_stream_rpc_method_handler(
            servicer.Watch, health_pb2.HealthCheckRequest.FromString, serialize
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(health.SERVICE_NAME, handlers),))
    server.add_registered_method_handlers(health.SERVICE_NAME, handlers)
    return servicer
