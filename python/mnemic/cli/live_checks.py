"""The checks of `mnemic doctor` that ask a running server. None changes anything, and none shows a secret."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from mnemic.cli.backend import Connection
from mnemic.cli.check import Check, Level, failed, tokenizers_check
from mnemic.cli.serving import is_loopback
from mnemic.cli.terminal import counted
from mnemic.cli.tls_checks import host_and_port, look, refusal_hint, tls_check
from mnemic.cli.version import installed_version
from mnemic.client.inspector import SERVICES, SERVING, CallerReport, Figure, Report, ServerInspector, ServerReport
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.operations import OperationState
from mnemic.model.stats import NodeStats

_TIMEOUT_SECONDS = 5.0
_TIMED_CALLS = 20
_CLOCK_SECONDS = 5.0
_NEARLY_FULL = 0.8
_LEAST_FREE_SHARE, _LEAST_FREE_BYTES = 0.05, 1_000_000_000


def check_server(address: str, connection: Connection) -> Iterator[Check]:
    """All checks of the server at an address; each failure is a check.

    Raises:
        CommandError: A file of the connection cannot be used.
    """
    credentials = connection.credentials()
    with ServerInspector(
        address, api_key=connection.api_key, credentials=credentials, timeout=_TIMEOUT_SECONDS
    ) as server:
        reached = _reach(server, address, connection)
        yield reached
        yield from _security(address, connection)
        if reached.level is Level.FAIL:
            return
        yield _health(server)
        report, access = _access(server, address)
        yield access
        yield from _latency(server)
        if report is not None:
            yield from _state(report.stats)
            yield from _server(report)
            if report.server is not None:
                yield from _reembedding(server)


def _reach(server: ServerInspector, address: str, connection: Connection) -> Check:
    begin = time.perf_counter()
    try:
        server.health()
    except MnemicError as error:
        found = f"{address} does not answer: {error.message}"
        return Check("server", Level.FAIL, found, refusal_hint(address, connection))
    milliseconds = (time.perf_counter() - begin) * 1000
    return Check("server", Level.OK, f"{address} answers, the first time in {milliseconds:.1f} ms")


def _security(address: str, connection: Connection) -> Iterator[Check]:
    target = host_and_port(address)
    if connection.speaks_tls():
        if target is not None:
            yield tls_check(look(target, connection))
        return
    if is_loopback(address):
        yield Check("TLS", Level.OK, "none, and none is needed within this machine")
    else:
        hint = "set server.tls_certificate and server.tls_key, unless something before the server speaks TLS"
        yield Check("TLS", Level.WARN, "none: credentials and memories can be read on the way", hint)


def _health(server: ServerInspector) -> Check:
    found = {}
    for service in SERVICES:
        try:
            found[service.rpartition(".")[2] or "all"] = server.health(service)
        except MnemicError as error:
            return failed("health", error)
    words = ", ".join(f"{name} {status}" for name, status in found.items())
    if set(found.values()) == {SERVING}:
        return Check("health", Level.OK, words)
    return Check("health", Level.FAIL, words, "the server is ending, or its Python side is away; see its log")


def _access(server: ServerInspector, address: str) -> tuple[Report | None, Check]:
    """What the server tells this credential of itself, and who that is."""
    try:
        report = server.report()
    except MnemicError as error:
        if error.reason is not Reason.PERMISSION_DENIED:
            return None, failed("authentication", error)
        role = error.metadata.get("role", "restricted to a scope").lower()
        words = f"the credential is good: {role}; its tenant and what follows are told to administrators alone"
        return None, Check("authentication", Level.OK, words)
    return report, _caller(report.caller, address)


def _caller(caller: CallerReport | None, address: str) -> Check:
    if caller is None:
        return Check("authentication", Level.OK, "the credential is good; this server does not say whose it is")
    who = f"{caller.subject}, {caller.role.name.lower()} of the tenant {caller.tenant}"
    if caller.subject != "anonymous":
        return Check("authentication", Level.OK, who)
    words = f"none: whoever reaches the address is {who}"
    if is_loopback(address):
        return Check("authentication", Level.OK, words)
    return Check("authentication", Level.WARN, words, "set authentication.mode; `mnemic keys create` makes a key")


def _latency(server: ServerInspector) -> Iterator[Check]:
    try:
        probe = _median(server.health)
        yield Check("round trip", Level.OK, f"{probe:.2f} ms (median of {_TIMED_CALLS} questions for health)")
    except MnemicError as error:
        yield failed("round trip", error)
        return
    try:
        search = server.searching()
        search()  # the first one may bring the partition into memory
        median = _median(search)
    except MnemicError as error:
        yield failed("search", error)
        return
    yield Check("search", Level.OK, f"{median:.2f} ms (median of {_TIMED_CALLS} searches of one text in one scope)")


def _median(call: Callable[[], object]) -> float:
    """Milliseconds."""
    times = []
    for _ in range(_TIMED_CALLS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2] * 1000


def _state(stats: NodeStats) -> Iterator[Check]:
    store, index = stats.store, stats.index
    held = f"{counted(store.memories, 'memory', 'memories')} in {counted(store.scopes, 'scope')}"
    yield Check("data", Level.OK, f"{held}, revision {store.revision}")
    words = f"{counted(index.rows, 'row')} of {counted(index.partitions, 'partition')} in memory"
    found = Check("index", Level.OK, f"{words}, {index.bytes / 1e6:,.1f} MB")
    missing = store.versions - store.vectors
    if missing > 0:
        hint = "they follow while the server runs and the embedding provider answers; see its log"
        words = f"{found.found}; {counted(missing, 'version')} without an embedding"
        found = replace(found, level=Level.WARN, found=words, hint=hint)
    yield found
    if store.outbox_failed:
        hint = "ListDeadLetters of AdminService says why"
        yield Check("work", Level.WARN, f"{counted(store.outbox_failed, 'piece')} of work given up", hint)


def _server(report: Report) -> Iterator[Check]:
    server = report.server
    if server is None:
        words = "version, clock, queues and disk: what the server itself is, it tells operators alone"
        yield Check("server's figures", Level.OK, words)
        return
    yield Check("model", Level.OK, f"{report.stats.model}, {report.stats.dimension} dimensions")
    if server.tokenizers:
        yield tokenizers_check(server.tokenizers)
    yield _versions(server)
    yield _clock(server.seconds)
    if server.disk_total:
        yield _disk(server)
    yield from _figures(server.figures)
    yield _metrics(server.metrics_address)


def _reembedding(server: ServerInspector) -> Iterator[Check]:
    """Whether the model is being changed; nothing to say where it is not."""
    try:
        status = server.reembedding()
    except MnemicError as error:
        if error.reason is not Reason.NOT_IMPLEMENTED:  # An older server does not tell.
            yield failed("reembedding", error)
        return
    if not status.target_model:
        return
    words = f"{status.target_model} has {status.done_count:,} of {counted(status.total_count, 'version')}"
    if status.last_error:
        yield Check("reembedding", Level.WARN, f"{words}; {status.last_error}", "the server tries again")
    elif status.state is OperationState.DONE:
        yield Check("reembedding", Level.OK, f"{words}; start the server with it to switch")
    elif status.state is OperationState.RUNNING:
        yield Check("reembedding", Level.OK, words)
    else:
        yield Check("reembedding", Level.WARN, f"{words}, and nobody goes on", "start the server with --next-embedding")


def _versions(server: ServerReport) -> Check:
    ours = installed_version("mnemic")
    listens = "the native front" if server.has_front else "the Python server (front off)"
    words = f"server {server.version}, {listens}, {server.simd}; this command {ours}"
    if server.version == ours:
        return Check("version", Level.OK, words)
    return Check("version", Level.WARN, words, "use the same version at both ends")


def _clock(seconds: float) -> Check:
    # The answer was a moment on its way.
    difference = seconds - time.time()
    words = f"the server's is {abs(difference):.1f} s {'ahead' if difference > 0 else 'behind'}"
    if abs(difference) < _CLOCK_SECONDS:
        return Check("clock", Level.OK, words)
    return Check(
        "clock", Level.WARN, words, "set both by NTP: times of memories and the ends of credentials go by them"
    )


def _disk(server: ServerReport) -> Check:
    free, total = server.disk_free, server.disk_total
    words = f"{free / 1e9:,.1f} of {total / 1e9:,.1f} GB free where the data directory is"
    if free < _LEAST_FREE_BYTES or free < total * _LEAST_FREE_SHARE:
        hint = "make room: writes fail when the disk is full; limits.snapshot_bytes bounds what can be made anew"
        return Check("disk", Level.WARN, words, hint)
    return Check("disk", Level.OK, words)


def _figures(figures: tuple[Figure, ...]) -> Iterator[Check]:
    bounded = {figure.name: (figure.value, figure.limit) for figure in figures if figure.limit is not None}
    if bounded:
        words = ", ".join(f"{name} {value} of {limit}" for name, (value, limit) in bounded.items())
        waiting = [f"{each.name} {each.value}" for each in figures if each.name == "embedder_waiting"]
        is_full = any(value >= limit * _NEARLY_FULL for value, limit in bounded.values())
        hint = "more is refused with RESOURCE_EXHAUSTED: raise the limit (docs/serving.md) or spread the load"
        level = Level.WARN if is_full else Level.OK
        yield Check("load", level, ", ".join([words, *waiting]), hint if is_full else "")
    dropped = {figure.name: figure.value for figure in figures if figure.name.startswith("dropped")}
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
