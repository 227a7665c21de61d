"""The checks of `mnemic doctor` that ask a running server. None changes anything, and none shows a secret."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mnemic.cli.backend import Connection
from mnemic.cli.check import Check, Level, failed
from mnemic.cli.terminal import counted
from mnemic.cli.tls_checks import host_and_port, look, refusal_hint, tls_check
from mnemic.cli.version import installed_version
from mnemic.client.channel import call_metadata, open_channel
from mnemic.client.failures import from_rpc_error
from mnemic.model.access import AccessRole
from mnemic.model.errors import MnemicError, Reason
from mnemic.v1 import admin_service_pb2 as admin_pb
from mnemic.v1 import admin_service_pb2_grpc, memory_service_pb2_grpc, resources_pb2
from mnemic.v1 import memory_service_pb2 as pb

_TIMEOUT_SECONDS = 5.0
_TIMED_CALLS = 20
_SERVICES = ("", "mnemic.v1.MemoryService", "mnemic.v1.LifecycleService", "mnemic.v1.AdminService")
_CLOCK_SECONDS = 5.0
_NEARLY_FULL = 0.8
_LEAST_FREE_SHARE, _LEAST_FREE_BYTES = 0.05, 1_000_000_000
_OPERATORS = "is told to operators alone"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A server, and how it is asked."""

    address: str
    connection: Connection
    channel: grpc.Channel
    metadata: tuple[tuple[str, str], ...]

    def call(self, method: Callable[..., object], request: object) -> object:
        """One call; raises MnemicError."""
        try:
            return method(request, timeout=_TIMEOUT_SECONDS, metadata=self.metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error


def check_server(address: str, connection: Connection) -> Iterator[Check]:
    """All checks of the server at an address; each failure is a check and none raises."""
    try:
        credentials = connection.credentials()
    except (OSError, MnemicError) as error:
        yield Check("TLS", Level.FAIL, str(error), "name files that can be read, and a certificate with its key")
        return
    # A try again would hide what is looked for, and make times of it.
    with open_channel(address, credentials, [("grpc.enable_retries", 0)]) as channel:
        asked = _Asked(address, connection, channel, call_metadata(connection.api_key, ()))
        reached = _reach(asked)
        yield reached
        yield from _security(address, connection)
        if reached.level is Level.FAIL:
            return
        yield _health(asked)
        stats, access = _access(asked)
        yield access
        yield from _latency(asked)
        if stats is not None:
            yield from _state(stats)
            yield from _server(stats)


def _reach(asked: _Asked) -> Check:
    stub = health_pb2_grpc.HealthStub(asked.channel)
    begin = time.perf_counter()
    try:
        asked.call(stub.Check, health_pb2.HealthCheckRequest())
    except MnemicError as error:
        hint = refusal_hint(asked.address, asked.connection)
        return Check("server", Level.FAIL, f"{asked.address} does not answer: {error.message}", hint)
    milliseconds = (time.perf_counter() - begin) * 1000
    return Check("server", Level.OK, f"{asked.address} answers, the first time in {milliseconds:.1f} ms")


def _security(address: str, connection: Connection) -> Iterator[Check]:
    target = host_and_port(address)
    if connection.speaks_tls():
        if target is not None:
            try:
                yield tls_check(look(target, connection))
            except OSError as error:
                yield Check("TLS", Level.FAIL, f"a file of the connection cannot be used: {error}")
        return
    from mnemic.cli.serving import is_loopback  # noqa: PLC0415 (start-up time)

    if is_loopback(address):
        yield Check("TLS", Level.OK, "none, and none is needed within this machine")
    else:
        hint = "set server.tls_certificate and server.tls_key, unless something before the server speaks TLS"
        yield Check("TLS", Level.WARN, "none: credentials and memories can be read on the way", hint)


def _health(asked: _Asked) -> Check:
    stub = health_pb2_grpc.HealthStub(asked.channel)
    found = []
    for service in _SERVICES:
        name = service.rpartition(".")[2] or "all"
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=_TIMEOUT_SECONDS)
            found.append((name, health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)))
        except grpc.RpcError as error:
            found.append((name, error.code().name))
    words = ", ".join(f"{name} {status}" for name, status in found)
    if all(status == "SERVING" for _, status in found):
        return Check("health", Level.OK, words)
    return Check("health", Level.FAIL, words, "the server is ending, or its Python side is away; see its log")


def _access(asked: _Asked) -> tuple[admin_pb.GetStatsResponse | None, Check]:
    """What the server tells this credential of itself, and who that is."""
    stub = admin_service_pb2_grpc.AdminServiceStub(asked.channel)
    failure: MnemicError | None = None
    for all_tenants in (True, False):
        try:
            answer = asked.call(stub.GetStats, admin_pb.GetStatsRequest(all_tenants=all_tenants))
        except MnemicError as error:
            failure = error
            if error.reason is not Reason.PERMISSION_DENIED:
                break
        else:
            assert isinstance(answer, admin_pb.GetStatsResponse)  # noqa: S101 (what the stub answers)
            return answer, _caller(asked, answer)
    assert failure is not None  # noqa: S101 (the loop ended by one)
    if failure.reason is not Reason.PERMISSION_DENIED:
        return None, failed("authentication", failure)
    role = failure.metadata.get("role", "restricted to a scope").lower()
    words = f"the credential is good: {role}; its tenant and what follows are told to administrators alone"
    return None, Check("authentication", Level.OK, words)


def _caller(asked: _Asked, answer: admin_pb.GetStatsResponse) -> Check:
    if not answer.HasField("caller"):
        return Check("authentication", Level.OK, "the credential is good; this server does not say whose it is")
    caller = answer.caller
    who = f"{caller.subject}, {AccessRole(caller.role).name.lower()} of the tenant {caller.tenant_id}"
    if caller.subject != "anonymous":
        return Check("authentication", Level.OK, who)
    from mnemic.cli.serving import is_loopback  # noqa: PLC0415 (start-up time)

    words = f"none: whoever reaches the address is {who}"
    if is_loopback(asked.address):
        return Check("authentication", Level.OK, words)
    return Check("authentication", Level.WARN, words, "set authentication.mode; `mnemic keys create` makes a key")


def _latency(asked: _Asked) -> Iterator[Check]:
    health = health_pb2_grpc.HealthStub(asked.channel)
    memory = memory_service_pb2_grpc.MemoryServiceStub(asked.channel)
    try:
        probe = _median(lambda: asked.call(health.Check, health_pb2.HealthCheckRequest()))
        yield Check("round trip", Level.OK, f"{probe:.2f} ms (median of {_TIMED_CALLS} questions for health)")
    except MnemicError as error:
        yield failed("round trip", error)
        return
    try:
        scopes = asked.call(memory.ListScopes, pb.ListScopesRequest(page_size=1))
        assert isinstance(scopes, pb.ListScopesResponse)  # noqa: S101 (what the stub answers)
        scope = scopes.scopes[0].scope if scopes.scopes else resources_pb2.Scope(user_id="mnemic-doctor")
        request = pb.SearchMemoriesRequest(scope=scope, query="What does mnemic doctor search for?", top_k=10)
        asked.call(memory.SearchMemories, request)
        search = _median(lambda: asked.call(memory.SearchMemories, request))
    except MnemicError as error:
        yield failed("search", error)
        return
    yield Check("search", Level.OK, f"{search:.2f} ms (median of {_TIMED_CALLS} searches of one text in one scope)")


def _median(call: Callable[[], object]) -> float:
    """Milliseconds."""
    times = []
    for _ in range(_TIMED_CALLS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2] * 1000


def _state(stats: admin_pb.GetStatsResponse) -> Iterator[Check]:
    store, index = stats.store, stats.index
    held = f"{counted(store.memory_count, 'memory', 'memories')} in {counted(store.scope_count, 'scope')}"
    yield Check("data", Level.OK, f"{held}, revision {store.revision}")
    words = f"{counted(index.row_count, 'row')} of {counted(index.partition_count, 'partition')} in memory"
    found = Check("index", Level.OK, f"{words}, {index.memory_bytes / 1e6:,.1f} MB")
    missing = store.version_count - store.vector_count
    if missing > 0:
        hint = "they follow while the server runs and the embedding provider answers; see its log"
        found = replace(
            found,
            level=Level.WARN,
            found=f"{found.found}; {counted(missing, 'version')} without an embedding",
            hint=hint,
        )
    yield found
    if store.dead_letter_count:
        hint = "ListDeadLetters of AdminService says why"
        yield Check("work", Level.WARN, f"{counted(store.dead_letter_count, 'piece')} of work given up", hint)


def _server(stats: admin_pb.GetStatsResponse) -> Iterator[Check]:
    if not stats.HasField("server"):
        yield Check(
            "server's figures", Level.OK, f"version, clock, queues and disk: what the server itself is {_OPERATORS}"
        )
        return
    server = stats.server
    yield Check("model", Level.OK, f"{server.embedding_model}, {server.embedding_dimension} dimensions")
    yield _versions(server)
    yield _clock(server)
    if server.disk_total_bytes:
        yield _disk(server)
    yield from _figures(server)
    yield _metrics(server.metrics_address)


def _versions(server: admin_pb.ServerStats) -> Check:
    ours = installed_version("mnemic")
    listens = "the native front" if server.front else "the Python server (front off)"
    words = f"server {server.version}, {listens}, {server.simd}; this command {ours}"
    if server.version == ours:
        return Check("version", Level.OK, words)
    return Check("version", Level.WARN, words, "use the same version at both ends")


def _clock(server: admin_pb.ServerStats) -> Check:
    difference = server.time.ToMicroseconds() / 1e6 - time.time()
    # The answer was a moment on its way.
    words = f"the server's is {abs(difference):.1f} s {'ahead' if difference > 0 else 'behind'}"
    if abs(difference) < _CLOCK_SECONDS:
        return Check("clock", Level.OK, words)
    return Check(
        "clock", Level.WARN, words, "set both by NTP: times of memories and the ends of credentials go by them"
    )


def _disk(server: admin_pb.ServerStats) -> Check:
    free, total = server.disk_free_bytes, server.disk_total_bytes
    words = f"{free / 1e9:,.1f} of {total / 1e9:,.1f} GB free where the data directory is"
    if free < _LEAST_FREE_BYTES or free < total * _LEAST_FREE_SHARE:
        hint = "make room: writes fail when the disk is full; limits.snapshot_bytes bounds what can be made anew"
        return Check("disk", Level.WARN, words, hint)
    return Check("disk", Level.OK, words)


def _figures(server: admin_pb.ServerStats) -> Iterator[Check]:
    bounded = [figure for figure in server.figures if figure.HasField("limit")]
    if bounded:
        words = ", ".join(f"{figure.name} {figure.value} of {figure.limit}" for figure in bounded)
        waiting = [f"{each.name} {each.value}" for each in server.figures if each.name.startswith("embedder_waiting")]
        full = [figure.name for figure in bounded if figure.value >= figure.limit * _NEARLY_FULL]
        hint = "more is refused with RESOURCE_EXHAUSTED: raise the limit (docs/serving.md) or spread the load"
        level = Level.WARN if full else Level.OK
        yield Check("load", level, ", ".join([words, *waiting]), hint if full else "")
    dropped = {figure.name: figure.value for figure in server.figures if figure.name.startswith("dropped")}
    lost = {name: count for name, count in dropped.items() if count}
    if lost:
        words = ", ".join(f"{name} {count}" for name, count in lost.items())
        hint = "more was logged or traced than could be written: raise server.log_level or lower server.trace_ratio"
        yield Check("dropped", Level.WARN, f"{words} since the start", hint)
    elif dropped:
        yield Check("dropped", Level.OK, "nothing of the log and the traces")


def _metrics(address: str) -> Check:
    if not address:
        return Check("metrics", Level.OK, "no page for Prometheus (server.metrics_address is unset)")
    # No proxy is asked, whatever the environment says.
    page_of = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
    try:
        page_of.request("GET", "/metrics")
        page = page_of.getresponse().read().decode()
    except (OSError, ValueError, http.client.HTTPException) as error:
        words = f"the page at {address} cannot be read from here: {error}"
        return Check("metrics", Level.WARN, words, "expected where the address is another machine's own (127.0.0.1)")
    finally:
        page_of.close()
    samples = sum(1 for line in page.splitlines() if line and not line.startswith("#"))
    if "mnemic_revision" not in page:
        return Check("metrics", Level.WARN, f"the page at {address} is not Mnemic's", "another program has the address")
    return Check("metrics", Level.OK, f"{counted(samples, 'sample')} at http://{address}/metrics")
