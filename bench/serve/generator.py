"""Drives the load generator."""

from __future__ import annotations

import json
import statistics
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.harness import ROOT

BINARY = ROOT / "target" / "release" / "mnemic-load"
SEARCH, ADD = 0, 1


@dataclass(frozen=True)
class Call:
    """One request: its class, its path and its message (JSON for HTTP/1.1)."""

    kind: int
    path: str
    body: bytes


@dataclass(frozen=True)
class Target:
    """A server that runs.

    Attributes:
        address: `host:port`, or `unix:` and a path.
        process: Its process id.
        protocol: `grpc` or `http1`.
        headers: Sent with every request.
        trust: A file of certificates; without it nothing is encrypted.
    """

    name: str
    address: str
    process: int
    protocol: str = "grpc"
    headers: tuple[tuple[str, str], ...] = ()
    trust: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What one run measured; times in microseconds.

    Attributes:
        server_cpu: CPU time of the server's process per call.
        rss: The server's resident bytes at the end.
        refusals: How many calls ended with which status, of all classes.
        broken: Calls without a status.
        unsent: Arrivals that found no place among the calls in flight before the time was over.
        unanswered: Calls that were sent and not answered then.
    """

    answered: int
    per_second: float
    p50: float
    p99: float
    p999: float
    server_cpu: float
    rss: int
    refusals: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    unsent: int = 0
    unanswered: int = 0


def write_calls(path: Path, calls: Iterable[Call]) -> Path:
    """Writes the file of requests that the generator reads."""
    with path.open("wb") as file:
        for call in calls:
            name = call.path.encode()
            file.write(struct.pack("<BH", call.kind, len(name)) + name + struct.pack("<I", len(call.body)) + call.body)
    return path


def closed(connections: int = 1, streams: int = 1) -> dict[str, Any]:
    return {"closed": {"connections": connections, "streams": streams}}


def arriving(per_second: float, connections: int = 4, in_flight: int = 2_000) -> dict[str, Any]:
    return {"open": {"connections": connections, "per_second": per_second, "in_flight": in_flight}}


def start(
    target: Target, calls: Path, pace: dict[str, Any], *, seconds: float, warm_up: float = 0.3
) -> subprocess.Popen[str]:
    """Begins a run."""
    plan = {
        "address": target.address,
        "protocol": target.protocol,
        "trust": None if target.trust is None else str(target.trust),
        "headers": target.headers,
        "requests": str(calls),
        "pace": pace,
        "warm_up_seconds": warm_up,
        "seconds": seconds,
    }
    process = subprocess.Popen([BINARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan))
    process.stdin.close()
    return process


def run(target: Target, calls: Path, pace: dict[str, Any], *, seconds: float, kind: int = SEARCH) -> Outcome:
    """One run; the latencies are those of one class of requests."""
    server = psutil.Process(target.process)
    before = sum(server.cpu_times()[:2])
    process = start(target, calls, pace, seconds=seconds)
    assert process.stdout is not None
    output = process.stdout.read()
    if process.wait():
        raise RuntimeError(f"the load generator failed against {target.name}")
    cpu = sum(server.cpu_times()[:2]) - before
    report = json.loads(output)
    if report["broken"]:
        print(f"{target.name}: {report['broken']} calls broke, the first: {report['first_broken']}")
    found = report["classes"].get(str(kind), {})
    answered = found.get("answered", 0)
    return Outcome(
        answered=answered,
        per_second=sum(each["answered"] for each in report["classes"].values()) / report["seconds"],
        p50=found.get("p50_micros", float("nan")),
        p99=found.get("p99_micros", float("nan")),
        p999=found.get("p999_micros", float("nan")),
        server_cpu=cpu * 1e6 / max(report["ended"], 1),
        rss=server.memory_info().rss,
        refusals=_summed(each["refusals"] for each in report["classes"].values()),
        broken=report["broken"],
        unsent=report["unsent"],
        unanswered=report["unanswered"],
    )


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for code, count in each.items():
            total[code] = total.get(code, 0) + count
    return total


class Measured:
    """The outcomes of all rounds, by scenario and server."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[str, str], list[Outcome]] = {}

    def note(self, scenario: str, server: str, rounds: Sequence[Outcome]) -> Outcome:
        """Keeps the rounds of a server; the one that stands for them."""
        self._rounds[scenario, server] = list(rounds)
        return self[scenario, server]

    def __getitem__(self, key: tuple[str, str]) -> Outcome:
        """The round whose median latency is the middle one."""
        rounds = self._rounds[key]
        return sorted(rounds, key=lambda outcome: outcome.p50)[len(rounds) // 2]

    def pairs(self, scenario: str, server: str, other: str) -> list[tuple[float, float]]:
        """The median latencies of two servers in each round.

        The machine is faster in some minutes than in others by more than what a layer costs, so what one server takes
        more than the other is compared within each round.
        """
        return [
            (one.p50, another.p50)
            for one, another in zip(self._rounds[scenario, server], self._rounds[scenario, other], strict=True)
        ]

    def added(self, scenario: str, server: str, other: str) -> float:
        """How much longer a server takes than another: the median over the rounds."""
        return statistics.median(one - another for one, another in self.pairs(scenario, server, other))

    def ratio(self, scenario: str, server: str, other: str) -> float:
        """How many times as long a server takes as another: the median over the rounds."""
        return statistics.median(one / another for one, another in self.pairs(scenario, server, other))
