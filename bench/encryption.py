"""What encryption at rest costs: `python -m bench.encryption` (`make bench-encryption`).

Two servers in this process, one plain and one encrypted, are asked the same things in turn: adds of 100 messages by
gRPC with both local embedding models, and searches by the native front. Medians, and the medians of the ratios of
neighbouring calls, since the machine's own pace changes. Wall time includes waiting for the disk and for other
processes; the CPU of this process does not.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.harness import Goal, Report, console
from mnemic.cli.backend import quiet_logs
from mnemic.client.grpc_client import MnemicClient
from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.server.server import MnemicServer
from mnemic.store.sealing_masters import new_master_key

BATCH = 100
USERS = 7
KINDS = ("plain", "encrypted")
Times = list[tuple[float, float]]


@contextmanager
def clients(embedding: str) -> Iterator[dict[str, MnemicClient]]:
    with ExitStack() as stack:
        opened = {}
        for kind in KINDS:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mnemic-bench-")))
            settings = load_settings(
                data_directory=directory,
                embedding={"provider": embedding},
                encryption={"key": new_master_key()} if kind == "encrypted" else {},
            )
            engine = stack.enter_context(Engine.open(settings, pull_missing_model=True))
            serving = ServerSettings(address="127.0.0.1:0", log_level="error")
            server = stack.enter_context(MnemicServer(engine, serving))
            opened[kind] = stack.enter_context(MnemicClient(server.address))
        yield opened


def in_turn(call: Callable[[str, int], object], rounds: int) -> dict[str, Times]:
    """(wall, CPU) seconds of calls of both kinds, who comes first taking turns; the first fifth warms up."""
    times: dict[str, Times] = {kind: [] for kind in KINDS}
    for number in range(rounds):
        for kind in KINDS if number % 2 else reversed(KINDS):
            wall, cpu = time.perf_counter(), time.process_time()
            call(kind, number)
            times[kind].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {kind: found[rounds // 5 :] for kind, found in times.items()}


def ratio(times: dict[str, Times], which: int) -> float:
    pairs = zip(times["plain"], times["encrypted"], strict=True)
    return statistics.median(encrypted[which] / plain[which] for plain, encrypted in pairs)


def tell(report: Report, what: str, times: dict[str, Times], per: int) -> None:
    columns = {}
    for kind, found in times.items():
        columns[f"{kind} µs"] = statistics.median(wall for wall, _ in found) * 1e6 / per
        columns[f"{kind} CPU µs"] = statistics.median(cpu for _, cpu in found) * 1e6 / per
    report.row(what=what, **columns, ratio=ratio(times, 0), CPU_ratio=ratio(times, 1))


def message(number: int, place: int) -> str:
    return (
        f"On day {number} note {place}: we talked about the harbour, the weather of Lisbon and a plan to repaint "
        f"kitchen {place * number % 97} in teal; nobody objected."
    )


def compare(report: Report, rounds: int) -> None:
    """Adds and searches of both kinds, with both local embedding models."""
    for embedding, share in (("minilm", 10), ("static", 1)):
        console.print(f"adds with {embedding}, plain and encrypted", style="dim")
        with clients(embedding) as opened:

            def add(kind: str, number: int, opened: dict[str, MnemicClient] = opened) -> None:
                opened[kind].add([message(number, place) for place in range(BATCH)], user_id=f"u{number % USERS}")

            def search(kind: str, number: int, opened: dict[str, MnemicClient] = opened) -> None:
                opened[kind].search(f"kitchen {number % 97} in teal", user_id=f"u{number % USERS}")

            adds = in_turn(add, max(rounds // share, 10))
            searches = in_turn(search, rounds * 10)
        tell(report, f"add, {embedding}", adds, BATCH)
        tell(report, f"search, {embedding}", searches, 1)
        for which, name in ((0, "wall time"), (1, "CPU")):
            lost = 100 * (1 - 1 / ratio(adds, which))
            report.goals.append(Goal(f"loss of add throughput by {name}, {embedding}, %", lost, "<= 10", lost <= 10))
        slower = 100 * (ratio(searches, 0) - 1)
        report.goals.append(Goal(f"slower encrypted searches, {embedding}, %", slower, "<= 2", slower <= 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    quiet_logs()
    report = Report("encryption")
    compare(report, rounds)
    report.finish()


if __name__ == "__main__":
    main()
