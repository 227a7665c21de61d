"""Builds the gRPC server over an engine, and runs it until it is told to stop."""

from __future__ import annotations

import ipaddress
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from mnemic.engine.engine import Engine
from mnemic.engine.models import Progress
from mnemic.engine.settings import ServerSettings, Settings
from mnemic.model.errors import invalid_field
from mnemic.server.admin_service import AdminService
from mnemic.server.auditing import AuditTrail
from mnemic.server.authentication import Gate
from mnemic.server.calls import Call, CallLimits, bind_service, parse, refuse_other_methods
from mnemic.server.front import FRONT_METADATA_BYTES, Front, relayed_calls
from mnemic.server.health import bind_health
from mnemic.server.lifecycle_service import LifecycleService
from mnemic.server.logs import configure_logs
from mnemic.server.memory_service import MemoryService
from mnemic.server.metrics import Metrics
from mnemic.server.sockets import SocketDirectory
from mnemic.server.tls import PythonCertificates, TlsFiles, TlsReload, read_tls, signature
from mnemic.server.tracing import Tracing
from mnemic.v1 import admin_service_pb2, lifecycle_service_pb2, memory_service_pb2

_log = structlog.get_logger("mnemic.server")
_LINGER_SECONDS = 0.2
_FLUSH_SECONDS = 2.0
_REFUSING_THREADS = 4


class MnemicServer:
    """One listening server. Start it, or use it as a context manager; the engine stays the caller's to close.

    Unless the settings say otherwise the native front listens, and the Python server behind it, on a private socket.

    Attributes:
        address: Where it listens, with the port that was taken; empty before `start`.
        local_address: Where callers of the same user on this machine reach it, always without TLS.
        gate: Who may come in.
        metrics: Its figures.
        tracing: Where its spans go, if it makes any.
    """

    def __init__(self, engine: Engine, settings: ServerSettings | None = None) -> None:
        self.address = ""
        self.local_address = ""
        self._sockets: SocketDirectory | None = None
        self._reload: TlsReload | None = None
        self._settings = settings or engine.settings.server
        self._workers = ThreadPoolExecutor(self._settings.max_workers, thread_name_prefix="mnemic-call")
        self._health_workers = ThreadPoolExecutor(1, thread_name_prefix="mnemic-health")
        self._engine = engine
        self._authority = engine.authority
        self.gate = Gate(self._authority.authenticator)
        self.metrics = Metrics(engine, self._settings.metrics_address)
        self.tracing = Tracing(self._settings.trace_ratio) if self._settings.tracing else None
        # Some threads more than watches, to refuse those that are too many.
        watches = self._settings.max_watches
        self._watchers = ThreadPoolExecutor(watches + _REFUSING_THREADS, thread_name_prefix="mnemic-watch")
        self._limits = CallLimits(
            self.gate,
            threading.Semaphore(_stream_count(self._settings)),
            threading.Semaphore(watches),
            self._watchers,
            self.metrics.count,
            AuditTrail(engine.audit),
            self.tracing,
        )
        self._server = grpc.server(
            self._workers,
            options=_options(self._settings),
            maximum_concurrent_rpcs=_concurrent_calls(self._settings),
        )
        self._front: Front | None = None
        memories = MemoryService(engine, self._settings.max_workers)
        services: dict[ServiceDescriptor, object] = {
            memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"]: memories,
            lifecycle_service_pb2.DESCRIPTOR.services_by_name["LifecycleService"]: LifecycleService(engine),
            admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]: AdminService(engine, self.metrics),
        }
        for descriptor, service in services.items():
            bind_service(self._server, descriptor, service, self._limits)
        self._names = [descriptor.full_name for descriptor in services]
        self._health = bind_health(self._server, self._names, self._health_workers)
        if self._settings.reflection:
            self._bind_reflection()
        # The last: it takes whatever is left.
        refuse_other_methods(self._server, self._limits)

    def _bind_reflection(self) -> None:
        descriptor = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
        names = [*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME]
        bind_service(self._server, descriptor, _Reflection(names), self._limits)

    @property
    def draining(self) -> threading.Event:
        """Set once the server takes no new calls."""
        return self._limits.activity.draining

    def start(self) -> str:
        """Listens and serves.

        Returns:
            The address, with the port that was taken.

        Raises:
            MnemicError: INVALID_FIELD when the address cannot be listened on.
        """
        asked = self._settings.address
        if self._authority.authenticator.is_open and not is_loopback(asked):
            _log.warning("no authentication: whoever reaches this address reads and writes everything", address=asked)
        seen = signature(self._settings)
        tls = read_tls(self._settings)
        if tls is None and not self._authority.authenticator.is_open and not is_loopback(asked):
            _log.warning("no TLS: credentials can be read on the way to this address", address=asked)
        self._authority.start()
        self._engine.retention.start_schedule()
        self._engine.consolidation.start_schedule()
        self.metrics.serve()
        try:
            self._start_listening(tls)
        except BaseException:
            self._forget_sockets()
            self.metrics.close()
            raise
        if self._reload is not None:
            self._reload.start(seen)
        for name in ("", *self._names):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return self.address

    def _start_listening(self, tls: TlsFiles | None) -> None:
        settings = self._settings
        local = settings.unix_socket
        speaks_tls = tls is not None and not settings.address.startswith("unix:")
        if settings.front or (speaks_tls and local is None):
            self._sockets = SocketDirectory()
            if speaks_tls and local is None:
                # Local commands know nothing of certificates.
                local = self._sockets.local
        if settings.front and self._sockets is not None:
            self._start_behind_front(tls, self._sockets.python, local)
        else:
            self.address = self._listen(tls, local)
            self._server.start()
        self.local_address = self.address if local is None else f"unix:{local.absolute()}"

    def _forget_sockets(self) -> None:
        if self._sockets is not None:
            self._sockets.remove()

    def _start_behind_front(self, tls: TlsFiles | None, python_socket: Path, local: Path | None) -> None:
        front = Front(
            self._settings,
            self.gate.front_secret,
            self._authority.authenticator,
            # What it answers itself, nobody enters.
            None if self._engine.audit.reads else self._engine.open_native(),
            python_socket=python_socket,
            local_socket=local,
        )
        try:
            self._server.add_insecure_port(f"unix:{python_socket}")
            self._server.start()
            self.address = front.start(self._names, tls)
        except BaseException:
            self._server.stop(None).wait()
            front.stop(0)
            raise
        self._front = front
        if tls is not None:
            self._reload = TlsReload(self._settings, front.replace_tls)
        self.metrics.watch_front(front)
        if self.tracing is not None:
            self.tracing.drain(front)

    def _listen(self, tls: TlsFiles | None, local: Path | None) -> str:
        asked = self._settings.address
        try:
            if tls is None or asked.startswith("unix:"):
                port = self._server.add_insecure_port(asked)
            else:
                certificates = PythonCertificates(tls)
                port = self._server.add_secure_port(asked, certificates.credentials)
                self._reload = TlsReload(self._settings, certificates.replace)
        except RuntimeError as error:
            description = f"cannot listen on {asked}: it is in use, not this machine's, or not permitted"
            raise invalid_field("server.address", description) from error
        if local is not None:
            self._listen_privately(local)
        return asked if asked.startswith("unix:") else f"{asked.rpartition(':')[0]}:{port}"

    def _listen_privately(self, path: Path) -> None:
        try:
            self._server.add_insecure_port(f"unix:{path}")
            path.chmod(0o600)
        except (OSError, RuntimeError) as error:
            raise invalid_field("server.unix_socket", f"cannot listen on unix:{path}") from error

    def stop(self, drain_seconds: float | None = None) -> None:
        """Refuses new calls, lets those in flight finish, and returns when none is left and nothing listens.

        Args:
            drain_seconds: After this, calls in flight are cancelled; the settings' value when None.
        """
        if self._reload is not None:
            self._reload.stop()
        if self._front:
            self._front.drain()
        self._health.enter_graceful_shutdown()
        grace = self._settings.drain_seconds if drain_seconds is None else drain_seconds
        started = time.monotonic()
        ended = self._limits.activity.drain(grace, linger_seconds=_LINGER_SECONDS)
        # What has ended may still have its answer on the way.
        self._server.stop(_FLUSH_SECONDS if ended else None).wait()
        if self._front:
            # What it answers itself may still be waiting for the model.
            self._front.stop(max(_FLUSH_SECONDS, grace - (time.monotonic() - started)))
        # A cancelled call's thread may still be at work: the engine must outlive it.
        self._forget_sockets()
        self._workers.shutdown(wait=True)
        self._watchers.shutdown(wait=True)
        self._health_workers.shutdown(wait=True)
        self.metrics.close()
        if self.tracing is not None:
            self.tracing.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class _Reflection:
    """Server reflection under the same limits as every other stream, since each holds a thread."""

    def __init__(self, names: Sequence[str]) -> None:
        self._servicer = reflection.ReflectionServicer(names)

    def server_reflection_info(self, requests: Iterator[bytes], _call: Call) -> Iterator[Message]:
        """Answers questions about the contract."""
        messages = (parse(reflection_pb2.ServerReflectionRequest, data) for data in requests)
        answers: Iterator[Message] = self._servicer.ServerReflectionInfo(messages, None)
        return answers


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _stream_count(settings: ServerSettings) -> int:
    """How many streams at once: fewer than threads, so that unary calls always find one."""
    return max(1, min(settings.max_concurrent_streams, settings.max_workers - 1))


def _concurrent_calls(settings: ServerSettings) -> int:
    """How many calls grpcio takes. The front counts them itself, and lets go of one that was cancelled at once."""
    return relayed_calls(settings) * (2 if settings.front else 1)


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    # The front's own connections are to stay.
    idle = [] if settings.front else [("grpc.max_connection_idle_ms", round(settings.idle_seconds * 1000))]
    metadata_bytes = settings.max_metadata_bytes + (FRONT_METADATA_BYTES if settings.front else 0)
    return [
        *idle,
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        # What a caller asks for may be larger than what it may send: a thousand memories of the longest kind.
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", metadata_bytes),
        ("grpc.absolute_max_metadata_size", metadata_bytes),
        # A second server on a port must fail rather than take half of its calls.
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", _concurrent_calls(settings)),
        # Finds connections whose other end is gone, and allows clients to do the same, but not more often.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
    ]


def serve(
    settings: Settings,
    *,
    pull_missing_model: bool = True,
    progress: Progress | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Opens the engine, serves until SIGTERM or SIGINT, and drains. A second signal ends the process at once.

    When it is ready it prints `mnemic serving on HOST:PORT` on standard output, a line for programs to wait for.

    Args:
        settings: Everything.
        pull_missing_model: Fetch the embedding model's files if they are not installed.
        progress: Told (step, fraction from 0 to 1) while that is done.
        on_ready: Told the address once it serves.

    Raises:
        MnemicError: It could not start: the data directory is another process's, the address is in use, the model is
            missing or another than the store's.
    """
    configure_logs(settings.server)
    with (
        Engine.open(settings, pull_missing_model=pull_missing_model, progress=progress) as engine,
        _StopSignal() as stop_signal,
        MnemicServer(engine) as server,
    ):
        engine.announce(server.local_address)
        _log.info("serving", address=server.address, data_directory=str(settings.data_directory))
        sys.stdout.write(f"mnemic serving on {server.address}\n")
        sys.stdout.flush()
        if on_ready is not None:
            on_ready(server.address)
        received = stop_signal.wait()
        _log.info("draining", signal=received.name, seconds=settings.server.drain_seconds)
    _log.info("stopped")


class _StopSignal:
    """Waits for SIGTERM or SIGINT. Once one has come, the next has its ordinary effect, so that a drain can be cut."""

    def __enter__(self) -> Self:
        self._receiver, self._sender = socket.socketpair()
        self._sender.settimeout(0)
        # A signal may be delivered to any thread, and then does not wake the main one out of a lock; what the
        # interpreter writes to this socket does.
        self._wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, _received) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def wait(self) -> signal.Signals:
        """Blocks the main thread until one comes; which."""
        while True:
            number = self._receiver.recv(1)[0]
            if number in self._handlers:
                for known in self._handlers:
                    signal.signal(known, signal.SIG_DFL)
                return signal.Signals(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        self._sender.close()
        self._receiver.close()


def _received(_number: int, _frame: FrameType | None) -> None:
    """The interpreter writes a signal's number to the wake-up socket only if the signal has a handler."""
