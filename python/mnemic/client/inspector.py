"""What a running server says of itself, for those who look whether it is well. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mnemic.client import decoding
from mnemic.client.channel import call_metadata, open_channel
from mnemic.client.failures import from_rpc_error
from mnemic.model.access import AccessRole
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.reembedding import ReembedStatus
from mnemic.model.stats import NodeStats
from mnemic.v1 import admin_service_pb2, admin_service_pb2_grpc, memory_service_pb2_grpc, resources_pb2
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.wire.reembedding import status_from_proto

SERVING = "SERVING"
# Each has a health of its own, besides the empty name for all together.
SERVICES = ("", "mnemic.v1.MemoryService", "mnemic.v1.LifecycleService", "mnemic.v1.AdminService")
_QUERY = "What does mnemic doctor search for?"
# Whose memories are searched where nobody has any.
_NOBODY = "mnemic-doctor"
Request = TypeVar("Request")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class CallerReport:
    """Who a credential is, as the server takes it.

    Attributes:
        subject: A key's id, a token's `sub`, or `anonymous`.
        tenant: Its tenant.
        role: What it may do.
    """

    subject: str
    tenant: str
    role: AccessRole


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the front: its name on the page for Prometheus, the value, and the most that there may be."""

    name: str
    value: int
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """About the server; sizes in bytes.

    Attributes:
        version: Its version.
        has_front: Whether the native front owns the address; else the Python server does.
        simd: The SIMD path in use.
        seconds: When it answered, by its clock, in seconds since 1970.
        metrics_address: Where the page for Prometheus is; empty for none.
        disk_free: Room on the disk of the data directory.
        disk_total: What that disk has in all.
        figures: What the front holds and dropped; none without a front.
        tokenizers: What contexts can be counted by, the default first; none of a server that composes none.
    """

    version: str
    has_front: bool
    simd: str
    seconds: float
    metrics_address: str
    disk_free: int
    disk_total: int
    figures: tuple[Figure, ...]
    tokenizers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What the server tells a credential: of its tenant, or of all and of the server itself.

    Attributes:
        caller: Whose the credential is; None where the server does not say it.
        stats: What is stored and in memory.
        server: About the server; None for those who are no operators.
    """

    caller: CallerReport | None
    stats: NodeStats
    server: ServerReport | None


class ServerInspector:
    """Asks a server about itself, each question once: no retries, which would hide what is looked for.

    Use it as a context manager; every method raises `MnemicError`.
    """

    def __init__(
        self,
        address: str,
        *,
        api_key: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float = 5.0,
    ) -> None:
        """Connects at the first question; the arguments are those of `MnemicClient`."""
        self._address = address
        self._timeout = timeout
        self._metadata = call_metadata(api_key, ())
        self._channel = open_channel(address, credentials, [("grpc.enable_retries", 0)])
        self._memory = memory_service_pb2_grpc.MemoryServiceStub(self._channel)
        self._admin = admin_service_pb2_grpc.AdminServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    def health(self, service: str = "") -> str:
        """The health of a service by name, such as `SERVING`; NOT_FOUND for one that there is not."""
        try:
            answer = self._ask(self._health.Check, health_pb2.HealthCheckRequest(service=service))
        except MnemicError as error:
            if error.metadata.get("grpc_code") == "NOT_FOUND":
                return "NOT_FOUND"
            raise
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

    def report(self) -> Report:
        """All that the credential may know; below administrators PERMISSION_DENIED with its `role` in the metadata."""
        request = admin_service_pb2.GetStatsRequest(all_tenants=True)
        try:
            answer = self._ask(self._admin.GetStats, request)
        except MnemicError as error:
            if error.reason is not Reason.PERMISSION_DENIED:
                raise
            answer = self._ask(self._admin.GetStats, admin_service_pb2.GetStatsRequest())
        caller = answer.caller
        return Report(
            CallerReport(caller.subject, caller.tenant_id, AccessRole(caller.role))
            if answer.HasField("caller")
            else None,
            decoding.stats(answer),
            _server(answer.server) if answer.HasField("server") else None,
        )

    def reembedding(self) -> ReembedStatus:
        """How far a change of the embedding model is; for operators."""
        request = admin_service_pb2.GetReembedStatusRequest()
        return status_from_proto(self._ask(self._admin.GetReembedStatus, request))

    def searching(self) -> Callable[[], object]:
        """A search in a scope that has memories, if there is any, to be done as often as wanted."""
        found = self._ask(self._memory.ListScopes, pb.ListScopesRequest(page_size=1))
        scope = found.scopes[0].scope if found.scopes else resources_pb2.Scope(user_id=_NOBODY)
        request = pb.SearchMemoriesRequest(scope=scope, query=_QUERY, top_k=10)
        return lambda: self._ask(self._memory.SearchMemories, request)

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, method: grpc.UnaryUnaryMultiCallable[Request, Answer], request: Request) -> Answer:
        try:
            return method(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self._address) from error


def _server(server: admin_service_pb2.ServerStats) -> ServerReport:
    return ServerReport(
        version=server.version,
        has_front=server.front,
        simd=server.simd,
        seconds=server.time.ToMicroseconds() / 1e6,
        metrics_address=server.metrics_address,
        disk_free=server.disk_free_bytes,
        disk_total=server.disk_total_bytes,
        figures=tuple(
            Figure(each.name, each.value, each.limit if each.HasField("limit") else None) for each in server.figures
        ),
        tokenizers=tuple(server.tokenizers),
    )
