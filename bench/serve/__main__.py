"""Measures the servers side by side: `python -m bench.serve [--quick]`.

Servers take turns within each scenario, so that the machine's noise hits all alike; a figure is that of the run with
the middle latency. The generator runs beside the server on the same cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.harness import Report, console, measure
from bench.serve import generator, secured, watching
from bench.serve.generator import Call, Measured, Outcome, Target, arriving, closed
from bench.serve.goals import FRONT, MODEL, PYTHON, goals
from bench.serve.mem0 import bench_mem0
from bench.serve.servers import Questions, Running, copied, fill, running
from mnemic.embedding.factory import open_provider
from mnemic.engine.settings import load_settings

REST = "FastAPI"
# A difference of a few hundredths wants more rounds than a factor, and short ones that lie close together.
MORE_ROUNDS, SHORTER = 4, 0.25
# The median difference of four rounds was off by ten microseconds, where a credential and TLS take eight.
LEAST_ROUNDS = 12
MODEL_RUNS = 300
WARM_CALLS = 100


@dataclass
class Bench:
    """What all scenarios share."""

    report: Report
    measured: Measured
    scratch: Path
    questions: Questions
    rounds: int
    seconds: float
    chance: random.Random = field(default_factory=lambda: random.Random(4))

    def compare(
        self,
        scenario: str,
        servers: Sequence[Running],
        calls: Callable[[str], list[Call]],
        pace: dict[str, Any],
        *,
        spinning: bool = False,
        ingesting: bool = False,
        beside: Mapping[str, Callable[[], Outcome]] | None = None,
        closely: bool = False,
    ) -> None:
        """One row for each server and what else is measured in the same rounds; `closely`: in more and shorter ones."""
        others = beside or {}
        rounds = max(self.rounds * MORE_ROUNDS, LEAST_ROUNDS) if closely else self.rounds
        seconds = self.seconds * (SHORTER if closely else 1)
        outcomes: dict[str, list[Outcome]] = {name: [] for name in (*(each.target.name for each in servers), *others)}
        for _ in range(rounds):
            # Chance puts them in order, so that none always comes first or beside the same other.
            for server in self.chance.sample(servers, len(servers)):
                path = generator.write_calls(self.scratch / "calls", calls(server.target.protocol))
                with server.spinning() if spinning else nullcontext(), ExitStack() as stack:
                    if ingesting:
                        stack.enter_context(self._ingest(server.target))
                    outcome = generator.run(server.target, path, pace, seconds=seconds)
                outcomes[server.target.name].append(outcome)
            for name, measured in others.items():
                outcomes[name].append(measured())
        for name, found in outcomes.items():
            self.note(scenario, name, found)

    def warm(self, servers: Sequence[Running]) -> None:
        """Has every server read the partition into memory and embed the known texts."""
        for server in servers:
            path = generator.write_calls(self.scratch / "calls", self.questions.by_known_text(server.target.protocol))
            answered = 0
            while answered < WARM_CALLS:
                answered += generator.run(server.target, path, closed(), seconds=0.5).answered

    def note(self, scenario: str, server: str, rounds: Sequence[Outcome]) -> None:
        """Keeps what was measured, and a row of it."""
        outcome = self.measured.note(scenario, server, rounds)
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
            measured=Measured(),
            scratch=scratch,
            questions=Questions(dimension),
            rounds=1 if arguments.quick else 5,
            seconds=1.0 if arguments.quick else 2.0,
        )
        began = time.monotonic()
        plain(bench)
        guarded(bench)
        watched(bench)
        overload_seconds = 20.0 if arguments.quick else 300.0
        overloaded(bench, overload_seconds)
        bench_mem0(report, scratch, dimension)
        console.print(f"measured for {(time.monotonic() - began) / 60:.1f} minutes", style="dim")
    report.goals += goals(bench.measured)
    report.finish()


def model_alone(stack: ExitStack, bench: Bench) -> Callable[[], Outcome]:
    """Measures what embedding a fresh text takes by itself, in this process."""
    provider = open_provider(load_settings(embedding={"cache_entries": 0}).embedding)
    stack.callback(provider.close)

    def measured() -> Outcome:
        texts = iter(bench.questions.fresh_texts(2 * MODEL_RUNS))
        alone = measure(lambda _: provider.embed([next(texts)]), repeats=MODEL_RUNS)
        return Outcome(MODEL_RUNS, 1e6 / alone.median, alone.median, alone.p99, alone.p99, alone.cpu, 0)

    return measured


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
        bench.warm(servers)
        alone = {MODEL: model_alone(stack, bench)}
        for name, calls, beside in (
            ("vector query", questions.by_vector, None),
            ("text, embedding cached", questions.by_known_text, None),
            ("text, fresh", questions.by_fresh_text, alone),
        ):
            bench.compare(f"{name}, 1 caller", servers, calls, closed(), beside=beside, closely=beside is not None)
            bench.compare(f"{name}, a thread spins", servers, calls, closed(), spinning=True)
            bench.compare(f"{name}, bulk ingest beside", speaking_grpc, calls, closed(), ingesting=True)
        bench.compare("words only, 1 caller", speaking_grpc, questions.by_words, closed())
        bench.compare("vector query, 64 callers", speaking_grpc, questions.by_vector, closed(8, 8))
        for name, calls, per_second in (
            ("vector query", questions.by_vector, 1_000),
            ("text, embedding cached", questions.by_known_text, 500),
            ("text, fresh", questions.by_fresh_text, 100),
        ):
            bench.compare(f"{name}, {per_second:,} arrive a second", speaking_grpc, calls, arriving(per_second))
        for name, busy in (
            ("8 callers", {}),
            ("a thread spins", {"spinning": True}),
            ("bulk ingest beside", {"ingesting": True}),
        ):
            bench.compare(f"mixed 95/5, {name}", speaking_grpc, questions.mixed, closed(4, 2), **busy)
        bench.compare("relayed call (a page of one)", speaking_grpc, lambda _protocol: questions.listing(), closed())


def guarded(bench: Bench) -> None:
    """With credentials and TLS, beside the same without."""
    data, questions = bench.scratch / "data", bench.questions
    files = secured.certificate(bench.scratch)
    issuer = secured.Issuer.new()
    tls = {"tls_certificate": str(files.certificate), "tls_key": str(files.key)}
    with ExitStack() as stack:

        def started(name: str, *, key: bool = False, token: bool = False, encrypted: bool = False) -> Running:
            directory = copied(data, name.replace(" ", "-"))
            authentication = {"mode": "keys"} if key else issuer.settings() if token else {"mode": "none"}
            secret = secured.create_key(directory) if key else issuer.token()
            settings = settings_of(directory, server=tls if encrypted else {}, authentication=authentication)
            headers = [("authorization", f"Bearer {secret}")] if key or token else []
            trust = files.authority if encrypted else None
            return stack.enter_context(running(f"{FRONT}, {name}", "grpc", settings, headers=headers, trust=trust))

        is_open, both = started("open"), started("key and TLS", key=True, encrypted=True)
        servers = [
            is_open,
            started("key", key=True),
            started("token", token=True),
            started("TLS", encrypted=True),
            both,
            started("token and TLS", token=True, encrypted=True),
        ]
        bench.warm(servers)
        bench.compare("vector query, 1 caller, guarded or not", servers, questions.by_vector, closed(), closely=True)
        for name, calls, pace in (
            ("text, embedding cached, 1 caller", questions.by_known_text, closed()),
            ("text, fresh, 1 caller", questions.by_fresh_text, closed()),
            ("mixed 95/5, 8 callers", questions.mixed, closed(4, 2)),
        ):
            bench.compare(f"{name}, guarded or not", [is_open, both], calls, pace)


def watched(bench: Bench) -> None:
    """With log, metrics and the usual share of traces, beside the same without."""
    data = bench.scratch / "data"
    with ExitStack() as stack:
        variables = stack.enter_context(watching.collecting())
        page = watching.free_address()
        server: dict[str, Any] = {"log_level": "info", "metrics_address": page}
        if importlib.util.find_spec("opentelemetry.sdk"):
            server["tracing"] = True
        else:
            console.print("OpenTelemetry is not installed: watched without traces", style="yellow")

        def started(name: str, **more: Any) -> AbstractContextManager[Running]:
            settings = settings_of(copied(data, name), server=more)
            log = bench.scratch / f"{name}.log"
            return running(f"{FRONT}, {name}", "grpc", settings, environment=variables, log=log)

        servers = [stack.enter_context(started("watched", **server)), stack.enter_context(started("unwatched"))]
        bench.warm(servers)
        stack.enter_context(watching.scraping(page))
        questions = bench.questions
        bench.compare("vector query, 1 caller, watched or not", servers, questions.by_vector, closed(), closely=True)


def overloaded(bench: Bench, seconds: float) -> None:
    """Twice as many arrivals as the front can answer."""
    with running(FRONT, "grpc", settings_of(copied(bench.scratch / "data", "overload"))) as server:
        bench.warm([server])
        path = generator.write_calls(bench.scratch / "calls", bench.questions.by_vector("grpc"))
        most = generator.run(server.target, path, closed(8, 8), seconds=bench.seconds)
        console.print(f"overload: {2 * most.per_second:,.0f} arrivals a second for {seconds:.0f} s", style="dim")
        outcome = generator.run(server.target, path, arriving(2 * most.per_second, 8), seconds=seconds)
        bench.note("as fast as 64 callers go, before the overload", FRONT, [most])
        bench.note("twice the arrivals that it can answer", FRONT, [outcome])


if __name__ == "__main__":
    main()
