"""Figures of a running server for Prometheus: calls as they end, everything else when the page is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from google.rpc import code_pb2
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from mnemic.engine.engine import Engine
from mnemic.engine.retaining import Retention
from mnemic.model.errors import invalid_field
from mnemic.model.extraction_rules import ExtractionStats, ModelUsage
from mnemic.model.operations import ExtractionFigures
from mnemic.model.retention import RetentionCause

# Of calls that the Python server handles: a health check takes half a millisecond, an add with embedding some.
_CALL_BUCKETS = (0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Times that were counted natively.

    Attributes:
        name: What they are of, such as a method's path or a stage.
        bounds: The upper end of each bucket in seconds, ascending.
        counts: How many fell into each bucket, and last those above all.
        seconds: Their sum.
    """

    name: str
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontFigures:
    """What the front has counted since its start, and what it holds now.

    Attributes:
        calls: How often a method ended in a status: (path, google.rpc.Code, whether it was relayed) and the count.
        durations: Times of the methods that it answers itself, from the first byte to the last.
        stages: Times within them.
        gauges: What it holds now: a name, what it means, the value.
        totals: What else it has counted: a name, what it means, how often.
        limits: The most that there may be of what `gauges` names.
    """

    calls: dict[tuple[str, int, bool], int]
    durations: tuple[Distribution, ...]
    stages: tuple[Distribution, ...]
    gauges: tuple[tuple[str, str, int], ...]
    totals: tuple[tuple[str, str, int], ...]
    limits: Mapping[str, int] = field(default_factory=dict)


class Front(Protocol):
    """What the metrics ask of a native front."""

    def figures(self) -> FrontFigures:
        """What it has counted."""


class Metrics:
    """The figures of one server. Use it as a context manager to serve them.

    Args:
        engine: Whose index is described.
        address: `host:port` of the page; None for none.
    """

    def __init__(self, engine: Engine, address: str | None = None) -> None:
        self._asked = address
        self.address = ""
        self._stop: Callable[[], None] | None = None
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "mnemic_calls", "Calls that the Python server ended, by status.", ["method", "code"], registry=self.registry
        )
        self._durations = Histogram(
            "mnemic_call_seconds",
            "How long the Python server took.",
            ["method"],
            buckets=_CALL_BUCKETS,
            registry=self.registry,
        )
        self._counts: dict[tuple[str, str], Counter] = {}
        self._times: dict[str, Histogram] = {}
        self._front: Front | None = None
        self.registry.register(_EngineCollector(engine))

    def watch_front(self, front: Front) -> None:
        """Adds what a front counts."""
        self._front = front
        self.registry.register(_FrontCollector(front))

    def count(self, method: str, code: str, seconds: float) -> None:
        """Counts a call that has ended."""
        # Looking a child up by its labels takes longer than counting with it.
        counter = self._counts.get((method, code))
        if counter is None:
            counter = self._counts[method, code] = self._calls.labels(method, code)
        times = self._times.get(method)
        if times is None:
            times = self._times[method] = self._durations.labels(method)
        counter.inc()
        times.observe(seconds)

    def call_counts(self) -> dict[tuple[str, int], int]:
        """How often each method ended in each google.rpc.Code, those that a front answered itself included."""
        counts = {
            (method, int(code_pb2.Code.Value(code))): int(counter._value.get())  # noqa: SLF001 (there is no other way to read one)
            for (method, code), counter in list(self._counts.items())
        }
        if self._front is not None:
            for (method, code, is_relayed), count in self._front.figures().calls.items():
                if not is_relayed:
                    counts[method, code] = counts.get((method, code), 0) + count
        return counts

    @property
    def has_front(self) -> bool:
        """Whether there is a front to watch."""
        return self._front is not None

    def front_figures(self) -> Iterable[tuple[str, int, int | None]]:
        """What the front holds or dropped: name, value, and the most that there may be or None."""
        if self._front is None:
            return []
        figures = self._front.figures()
        return [(name, value, figures.limits.get(name)) for name, _, value in (*figures.gauges, *figures.totals)]

    def serve(self) -> None:
        """Serves the page, if an address was given.

        Raises:
            MnemicError: INVALID_FIELD when the address cannot be listened on.
        """
        if self._asked is None:
            return
        host, _, port = self._asked.rpartition(":")
        try:
            server, thread = start_http_server(int(port), host.strip("[]"), self.registry)
        except (OSError, ValueError) as error:
            description = f"cannot listen on {self._asked}: {error}"
            raise invalid_field("server.metrics_address", description) from error
        self.address = f"{host}:{server.server_port}"

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._stop = stop

    def close(self) -> None:
        """Ends the page."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _EngineCollector(Collector):
    """What the index holds, and the queue of extraction: nothing else that would have to be counted in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        index = self._engine.index_stats()
        gauges = {
            "mnemic_revision": ("The last revision that searches see.", self._engine.revision()),
            "mnemic_index_partitions": ("Partitions in memory.", index.partitions),
            "mnemic_index_rows": ("Rows in memory, ended ones included.", index.rows),
            "mnemic_index_current_rows": ("Rows in memory that hold.", index.current),
            "mnemic_index_vectors": ("Vectors in memory.", index.vectors),
            "mnemic_index_bytes": ("Memory that the index has allocated.", index.bytes),
            "mnemic_index_mapped_bytes": ("Files that the index has mapped.", index.mapped_bytes),
            "mnemic_snapshots": ("Snapshot files.", index.snapshots),
            "mnemic_snapshot_bytes": ("The size of the snapshot files.", index.snapshot_bytes),
        }
        for name, (meaning, value) in gauges.items():
            yield GaugeMetricFamily(name, meaning, value=value)
        yield from _extraction(self._engine.extraction_figures())
        yield from _retention(self._engine.retention)
        yield from _queue(self._engine.extraction_stats())
        yield _defence(self._engine.defence.figures())
        opened = "Partitions that were loaded from a snapshot."
        yield CounterMetricFamily("mnemic_snapshots_opened", opened, value=index.snapshots_opened)
        refused = "Snapshots that were damaged or stale."
        yield CounterMetricFamily("mnemic_snapshots_refused", refused, value=index.snapshots_refused)


def _extraction(figures: ExtractionFigures) -> Iterable[Metric]:
    """What extraction has done."""
    batches = CounterMetricFamily("mnemic_extraction_batches", "Batches, by what became of them.", labels=["outcome"])
    for outcome in ("done", "retried", "failed"):
        batches.add_metric([outcome], getattr(figures, outcome))
    facts = CounterMetricFamily("mnemic_extraction_facts", "Facts that were drawn.", labels=["outcome"])
    facts.add_metric(["stored"], figures.facts)
    facts.add_metric(["duplicate"], figures.duplicates)
    dropped = CounterMetricFamily("mnemic_extraction_dropped", "Candidates thrown away, by reason.", labels=["reason"])
    for reason, count in figures.dropped.items():
        dropped.add_metric([reason], count)
    tokens = CounterMetricFamily("mnemic_extraction_tokens", "Tokens of language models.", labels=["kind"])
    tokens.add_metric(["prompt"], figures.prompt_tokens)
    tokens.add_metric(["completion"], figures.completion_tokens)
    seconds = CounterMetricFamily("mnemic_extraction_seconds", "How long batches took together.", labels=["method"])
    read = CounterMetricFamily("mnemic_extraction_read", "Batches that were read.", labels=["method"])
    for method, (count, total) in figures.seconds.items():
        seconds.add_metric([method], total)
        read.add_metric([method], count)
    return [batches, facts, dropped, tokens, seconds, read, *_by_tenant(figures.by_tenant)]


def _by_tenant(usages: Mapping[str, ModelUsage]) -> Iterable[Metric]:
    """What language models did for each tenant."""
    tokens = CounterMetricFamily(
        "mnemic_extraction_tenant_tokens", "Tokens of language models, by tenant.", labels=["tenant", "kind"]
    )
    cost = CounterMetricFamily(
        "mnemic_extraction_tenant_cost", "Their cost, in the unit of the configured prices.", labels=["tenant"]
    )
    seconds = CounterMetricFamily("mnemic_extraction_tenant_seconds", "How long they took.", labels=["tenant"])
    batches = CounterMetricFamily("mnemic_extraction_tenant_batches", "Batches they were given.", labels=["tenant"])
    for tenant, usage in usages.items():
        tokens.add_metric([tenant, "prompt"], usage.prompt_tokens)
        tokens.add_metric([tenant, "completion"], usage.completion_tokens)
        cost.add_metric([tenant], usage.cost_micros / 1e6)
        seconds.add_metric([tenant], usage.duration_micros / 1e6)
        batches.add_metric([tenant], usage.batches)
    return [tokens, cost, seconds, batches]


def _queue(stats: ExtractionStats) -> Iterable[Metric]:
    """What extraction has before it."""
    oldest = stats.oldest_create_time_micros
    age = 0.0 if oldest is None else max(time.time() - oldest / 1e6, 0.0)
    gauges = (
        ("mnemic_extraction_queue", "Batches of messages that wait or are read.", stats.pending),
        ("mnemic_extraction_queue_held", "Of them those that wait for a tenant's budget.", stats.held),
        ("mnemic_extraction_queue_age_seconds", "How old the oldest of the others is.", age),
    )
    return [GaugeMetricFamily(name, meaning, value=value) for name, meaning, value in gauges]


def _defence(figures: Mapping[tuple[str, str], int]) -> Metric:
    """What the defence at write found, in fields of memories."""
    found = CounterMetricFamily(
        "mnemic_defence_findings", "What was found in what was written, by what was done.", labels=["kind", "action"]
    )
    for (kind, action), count in figures.items():
        found.add_metric([kind, action], count)
    return found


def _retention(retention: Retention) -> Iterable[Metric]:
    """What was forgotten on purpose, and what recalls were counted for it."""
    figures, recalls = retention.figures, retention.recalls.figures
    runs = CounterMetricFamily("mnemic_retention_runs", "Runs, by what became of them.", labels=["outcome"])
    runs.add_metric(["done"], figures.runs_done)
    runs.add_metric(["failed"], figures.runs_failed)
    archived = CounterMetricFamily("mnemic_retention_archived", "Memories archived, by limit.", labels=["cause"])
    for cause in RetentionCause:
        archived.add_metric([cause.name.lower()], figures.archived[cause])
    erased = CounterMetricFamily("mnemic_retention_erased", "Archived memories erased.", value=figures.erased)
    counted = CounterMetricFamily("mnemic_recalls", "Memories that searches gave and that were counted.")
    counted.add_metric([], recalls.counted)
    dropped = CounterMetricFamily("mnemic_recalls_dropped", "Those that found no room to be counted.")
    dropped.add_metric([], recalls.dropped)
    return [runs, archived, erased, counted, dropped]


class _FrontCollector(Collector):
    """What the native front counts."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def collect(self) -> Iterable[Metric]:
        figures = self._front.figures()
        calls = CounterMetricFamily(
            "mnemic_front_calls", "Calls that the front ended, by status.", labels=["method", "code", "relayed"]
        )
        for (method, code, relayed), count in figures.calls.items():
            calls.add_metric([method, code_pb2.Code.Name(code), str(relayed).lower()], count)
        yield calls
        durations = "How long the front took for what it answers itself."
        yield _histogram("mnemic_front_call_seconds", durations, "method", figures.durations)
        stages = "Where the time of its searches went."
        yield _histogram("mnemic_front_stage_seconds", stages, "stage", figures.stages)
        for name, meaning, value in figures.gauges:
            yield GaugeMetricFamily(f"mnemic_front_{name}", meaning, value=value)
        for name, meaning, total in figures.totals:
            yield CounterMetricFamily(f"mnemic_front_{name}", meaning, value=total)


def _histogram(name: str, meaning: str, label: str, distributions: Iterable[Distribution]) -> Metric:
    family = HistogramMetricFamily(name, meaning, labels=[label])
    for distribution in distributions:
        total = 0
        buckets = []
        for bound, count in zip((*distribution.bounds, float("inf")), distribution.counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(total)))
        family.add_metric([distribution.name], buckets, distribution.seconds)
    return family
