"""Measures the servers side by side: `python -m bench.serve [--quick]`.

Servers take turns within each scenario, so that the machine's noise hits all alike; a figure is that of the run with
the middle latency. The generator runs beside the server on the same cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.harness import QUERIES, Report, console, measure
from bench.serve import generator, secured
from bench.serve.generator import Call, Outcome, Target, arriving, closed
from bench.serve.goals import Measured, goals
from bench.serve.mem0 import bench_mem0
from bench.serve.servers import Questions, Running, copied, fill, running
from mnemic.embedding.factory import open_provider
from mnemic.engine.settings import load_settings

FRONT, PYTHON, REST = "front", "grpcio", "FastAPI"


@dataclass
class Bench:
    """What all scenarios share."""

    report: Report
    measured: Measured
    scratch: Path
    questions: Questions
    rounds: int
    seconds: float

    def compare(
        self,
        scenario: str,
        servers: Sequence[Running],
        calls: Callable[[str], list[Call]],
        pace: dict[str, Any],
        *,
        spinning: bool = False,
        ingesting: bool = False,
    ) -> None:
        """One row for each server."""
        outcomes: dict[str, list[Outcome]] = {server.target.name: [] for server in servers}
        for _ in range(self.rounds):
            for server in servers:
                path = generator.write_calls(self.scratch / "calls", calls(server.target.protocol))
                with server.spinning() if spinning else nullcontext(), ExitStack() as stack:
                    if ingesting:
                        stack.enter_context(self._ingest(server.target))
                    outcome = generator.run(server.target, path, pace, seconds=self.seconds)
                outcomes[server.target.name].append(outcome)
        for name, found in outcomes.items():
            outcome = generator.median(found)
            self.note(scenario, name, outcome)

    def note(self, scenario: str, server: str, outcome: Outcome) -> None:
        """Keeps what was measured, and a row of it."""
        self.measured[scenario, server] = outcome
        self.report.row(
            scenario=scenario,
            server=server,
            p50_us=outcome.p50,
            p99_us=outcome.p99,
            p999_us=outcome.p999,
            per_second=outcome.per_second,
            server_cpu_us=outcome.server_cpu,
            rss_mb=outcome.rss / 1e6,
            errors=sum(outcome.refusals.values()) + outcome.broken,
        )

    def _ingest(self, target: Target) -> ExitStack:
        path = generator.write_calls(self.scratch / "adds", self.questions.adds())
        process = generator.start(target, path, closed(), seconds=self.seconds + 1, warm_up=0.0)
        stack = ExitStack()
        stack.callback(process.wait)
        assert process.stdout is not None
        stack.callback(process.stdout.read)
        return stack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each, and a short overload")
    arguments = parser.parse_args()
    report = Report("serve")
    with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary:
        scratch = Path(temporary)
        console.print("writing 10,000 memories", style="dim")
        dimension = fill(scratch / "data")
        bench = Bench(
            report=report,
            measured={},
            scratch=scratch,
            questions=Questions(dimension),
            rounds=1 if arguments.quick else 5,
            seconds=1.0 if arguments.quick else 2.0,
        )
        model_alone(bench)
        plain(bench)
        guarded(bench)
        overload_seconds = 20.0 if arguments.quick else 300.0
        overloaded(bench, overload_seconds)
        bench_mem0(report, scratch, dimension)
    report.goals += goals(bench.measured)
    report.finish()


def model_alone(bench: Bench) -> None:
    """What embedding a fresh text takes by itself."""
    settings = load_settings(embedding={"cache_entries": 0})
    texts = iter([f"{question} {i}" for i in range(1_000) for question in QUERIES])
    provider = open_provider(settings.embedding)
    try:
        alone = measure(lambda _: provider.embed([next(texts)]), repeats=300)
    finally:
        provider.close()
    bench.measured["the model alone", "in process"] = Outcome(
        300, 0.0, alone.median, alone.p99, alone.p99, alone.cpu, 0
    )
    bench.report.row(
        scenario="the model alone, fresh texts", server="in process", p50_us=alone.median, p99_us=alone.p99
    )


def settings_of(directory: Path, *, front: str = "on", **more: Any) -> dict[str, Any]:
    server = {"address": "127.0.0.1:0", "log_level": "warning", "front": front} | more.pop("server", {})
    return {"data_directory": str(directory), "server": server} | more


def plain(bench: Bench) -> None:
    """Without authentication, on loopback."""
    data, questions = bench.scratch / "data", bench.questions
    with ExitStack() as stack:

        def started(name: str, shape: str, **settings: Any) -> Running:
            return stack.enter_context(running(name, shape, settings_of(copied(data, name), **settings)))

        servers = [started(FRONT, "grpc"), started(PYTHON, "grpc", front="off")]
        if importlib.util.find_spec("fastapi") and importlib.util.find_spec("uvicorn"):
            servers.append(started(REST, "rest"))
        else:
            console.print("FastAPI and uvicorn are not installed: left out", style="yellow")
        speaking_grpc = servers[:2]
        for server in servers:
            # The first search reads the partition into memory.
            path = generator.write_calls(bench.scratch / "calls", questions.by_known_text(server.target.protocol))
            generator.run(server.target, path, closed(), seconds=0.5)
        for name, calls in (
            ("vector query", questions.by_vector),
            ("text, embedding cached", questions.by_known_text),
            ("text, fresh", questions.by_fresh_text),
        ):
            bench.compare(f"{name}, 1 caller", servers, calls, closed())
            bench.compare(f"{name}, a thread spins", servers, calls, closed(), spinning=True)
            bench.compare(f"{name}, bulk ingest beside", speaking_grpc, calls, closed(), ingesting=True)
        bench.compare("words only, 1 caller", speaking_grpc, questions.by_words, closed())
        bench.compare("vector query, 64 callers", speaking_grpc, questions.by_vector, closed(8, 8))
        bench.compare("vector query, 1,000 arrive a second", speaking_grpc, questions.by_vector, arriving(1_000))
        bench.compare("mixed 95/5, 8 callers", speaking_grpc, questions.mixed, closed(4, 2))
        bench.compare("mixed 95/5, a thread spins", speaking_grpc, questions.mixed, closed(4, 2), spinning=True)
        bench.compare("relayed call (a page of one)", speaking_grpc, lambda _protocol: questions.listing(), closed())


def guarded(bench: Bench) -> None:
    """With keys and TLS, beside the same without."""
    data, questions = bench.scratch / "data", bench.questions
    files = secured.certificate(bench.scratch)
    with ExitStack() as stack:
        directory = copied(data, "guarded")
        key = secured.create_key(directory)
        keys = {"authentication": {"mode": "keys"}}
        tls = {"tls_certificate": str(files.certificate), "tls_key": str(files.key)}
        headers = [("authorization", f"Bearer {key}")]
        with_both = running(
            "front, key and TLS",
            "grpc",
            settings_of(directory, server=tls, **keys),
            headers=headers,
            trust=files.authority,
        )
        open_to_all = running("front, open", "grpc", settings_of(copied(data, "open")))
        servers = [stack.enter_context(with_both), stack.enter_context(open_to_all)]
        bench.compare("vector query, 1 caller, guarded or not", servers, questions.by_vector, closed())


def overloaded(bench: Bench, seconds: float) -> None:
    """Twice as many arrivals as the front can answer."""
    with running(FRONT, "grpc", settings_of(copied(bench.scratch / "data", "overload"))) as server:
        path = generator.write_calls(bench.scratch / "calls", bench.questions.by_vector("grpc"))
        most = generator.run(server.target, path, closed(8, 8), seconds=bench.seconds)
        console.print(f"overload: {2 * most.per_second:,.0f} arrivals a second for {seconds:.0f} s", style="dim")
        outcome = generator.run(server.target, path, arriving(2 * most.per_second, 8), seconds=seconds)
        bench.note("as fast as 64 callers go, before the overload", FRONT, most)
        bench.note("twice the arrivals that it can answer", FRONT, outcome)


if __name__ == "__main__":
    main()
