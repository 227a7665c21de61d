"""The native front before a Python server: it owns the public address, and relays to a socket of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mnemic import _core
from mnemic.engine.native import Native
from mnemic.engine.settings import ServerSettings
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.server.metrics import Distribution, FrontFigures
from mnemic.server.tls import TlsFiles
from mnemic.server.tracing import FrontSpan

# What the front adds to the metadata of a call.
FRONT_METADATA_BYTES = 512
# Calls that are answered natively hold no thread: there may be many.
_NATIVE_CALLS = 1024
# The native side's names of what the settings call otherwise.
_FIELDS = {"certificate": "tls_certificate", "key": "tls_key", "client_authorities": "tls_client_ca"}
_LEVELS_OF_CALLS = frozenset({"debug", "info"})
_GAUGES = {
    "connections": "Open connections.",
    "calls": "Calls in flight.",
    "relayed_calls": "Calls in flight at the Python server.",
    "buffered_bytes": "Bytes of messages that are being read.",
    "python_here": "Whether the Python server is there.",
}
_EMBEDDER_GAUGES = {
    "waiting": "Texts that wait for the embedding model.",
    "running": "Texts that the embedding model works on.",
}
_EMBEDDER_TOTALS = {
    "hits": "Texts whose embedding was known, those of the Python server included.",
    "misses": "Texts given to the embedding model, those of the Python server included.",
    "joined": "Texts that shared a run which another call had asked for.",
}


class Front:
    """The front of one server.

    Args:
        settings: How it listens.
        python_socket: Where the Python server listens for it.
        local_socket: One more address, which only the same user reaches; None for none.
        secret: What it sends with relayed calls, so that the Python server knows them.
        authenticator: Who may come in; the Python server asks the same.
        native: What answers natively; closed with the front. None relays everything.

    Attributes:
        address: The public address, with the port that was taken; empty before `start`.
    """

    def __init__(
        self,
        settings: ServerSettings,
        secret: str,
        authenticator: _core.Authenticator,
        native: Native | None,
        *,
        python_socket: Path,
        local_socket: Path | None,
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._authenticator = authenticator
        self._native = native
        self._python_socket = python_socket
        self._local_socket = local_socket
        self._listener: _core.Front | None = None
        self.address = ""

    def start(self, services: Sequence[str], tls: TlsFiles | None) -> str:
        """Listens on the public address and relays to the Python server, which must listen already.

        Args:
            services: Whose health it tells.
            tls: For `host:port`.

        Returns:
            The address, with the port that was taken.

        Raises:
            MnemicError: INVALID_FIELD when the address cannot be listened on or a file of TLS is unusable.
        """
        settings = self._settings
        relayed = relayed_calls(settings)
        try:
            self._listener = _core.Front(
                settings.address,
                self._python_socket,
                secret=self._secret,
                authenticator=self._authenticator,
                answers=self._native.answers if self._native else None,
                services=list(services),
                max_message_bytes=settings.max_message_bytes,
                max_metadata_bytes=settings.max_metadata_bytes,
                max_connections=settings.max_connections,
                max_calls=relayed + _NATIVE_CALLS,
                max_relayed_calls=relayed,
                idle_seconds=settings.idle_seconds,
                receive_seconds=settings.receive_seconds,
                send_seconds=settings.send_seconds,
                unix_socket=self._local_socket,
                tls_certificate=tls.certificate if tls else None,
                tls_key=tls.key if tls else None,
                tls_client_authorities=tls.client_authorities if tls else None,
                log_format=settings.log_format if settings.log_level in _LEVELS_OF_CALLS else None,
                trace_ratio=settings.trace_ratio if settings.tracing else None,
            )
        except _core.CoreError as error:
            reason, field, words = error.args
            if field:
                raise invalid_field(f"server.{_FIELDS.get(field, field)}", words) from error
            raise MnemicError(Reason(reason), words) from error
        self.address = self._listener.address
        return self.address

    def load(self) -> dict[str, int]:
        """How many there are of what is bounded: connections, calls, relayed_calls, buffered_bytes; python_here."""
        return self._listener.load() if self._listener else {}

    def figures(self) -> FrontFigures:
        """What it has counted since its start, and what it holds now."""
        if self._listener is None:
            return FrontFigures(calls={}, durations=(), stages=(), gauges=(), totals=())
        calls, durations, stages = self._listener.figures()
        load = self._listener.load()
        gauges = [(name, meaning, load[name]) for name, meaning in _GAUGES.items()]
        totals = [("dropped_notes", "Lines of the log and spans that found no room.", load["dropped_notes"])]
        if self._native is not None:
            counters = self._native.embedder.counters()
            gauges += [(f"embedder_{name}", words, counters[name]) for name, words in _EMBEDDER_GAUGES.items()]
            totals += [(f"embedder_{name}", words, counters[name]) for name, words in _EMBEDDER_TOTALS.items()]
        return FrontFigures(
            calls={(method, code, relayed): count for method, code, relayed, count in calls},
            durations=tuple(_distribution(*each) for each in durations),
            stages=tuple(_distribution(*each) for each in stages),
            gauges=tuple(gauges),
            totals=tuple(totals),
            limits=self._limits(),
        )

    def _limits(self) -> dict[str, int]:
        settings = self._settings
        relayed = relayed_calls(settings)
        return {
            "connections": settings.max_connections,
            "calls": relayed + _NATIVE_CALLS,
            "relayed_calls": relayed,
        }

    def take_spans(self) -> list[FrontSpan]:
        """The spans since the last time."""
        if self._listener is None:
            return []
        return [
            FrontSpan(
                method=method,
                trace_id=trace,
                span_id=span,
                parent_id=parent,
                begin_nanos=begin,
                end_nanos=end,
                code=code,
            )
            for method, trace, span, parent, begin, end, code in self._listener.take_spans()
        ]

    def replace_tls(self, files: TlsFiles) -> None:
        """Accepts new connections with other files from now on; those that there are go on.

        Raises:
            MnemicError: INVALID_FIELD when a file is unusable; then the former stay.
        """
        if self._listener is None:
            return
        try:
            self._listener.replace_tls(
                certificate=files.certificate, key=files.key, client_authorities=files.client_authorities
            )
        except _core.CoreError as error:
            _, field, words = error.args
            raise invalid_field(f"server.{_FIELDS.get(field, field)}", words) from error

    def drain(self) -> None:
        """From now on refuses new calls; those in flight go on."""
        if self._listener:
            self._listener.drain()

    def stop(self, grace_seconds: float) -> None:
        """Stops listening, and returns when the last call has ended or the time is over."""
        if self._listener:
            self._listener.stop(grace_seconds)
        if self._native:
            self._native.close()


def relayed_calls(settings: ServerSettings) -> int:
    """How many calls may be at the Python server at once."""
    return settings.max_workers + settings.max_pending_calls + settings.max_watches


def _distribution(name: str, bounds: Sequence[float], counts: Sequence[int], seconds: float) -> Distribution:
    return Distribution(name, tuple(bounds), tuple(counts), seconds)
