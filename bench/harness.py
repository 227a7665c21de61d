"""What every bench shares: where it ran, how it prints, what it writes."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PACKAGES = ("mnemic", "grpcio", "protobuf", "numpy", "onnxruntime", "sqlalchemy", "tokenizers")
console = Console(width=120)
QUERIES = (
    "where did they move to",
    "what is the dog called",
    "when is the flight and what is its number",
    "who has a sister that plays music",
    "what did the new phone cost",
    "which diet did she change to",
    "the name of the colleague at the new job",
    "what went wrong with the car",
)


@dataclass(frozen=True)
class Goal:
    """One goal row of an issue: `met` says whether `value` reaches `goal`; a value of None could not be measured."""

    name: str
    value: float | None
    goal: str
    met: bool
    note: str = ""


@dataclass
class Report:
    """The result of one bench: rows for people, JSON for programs."""

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def row(self, **columns: Any) -> None:
        self.rows.append(columns)

    def finish(self) -> None:
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        table = Table(title=f"bench-{self.name}", title_justify="left")
        for column in columns:
            numeric = any(isinstance(row.get(column), int | float) for row in self.rows)
            table.add_column(column, justify="right" if numeric else "left")
        for row in self.rows:
            table.add_row(*(_shown(row.get(column)) for column in columns))
        console.print(table)
        for goal in self.goals:
            value, verdict = _shown(goal.value) or "not measured", "met" if goal.met else "MISSED"
            console.print(f"goal {goal.name}: {value} (goal {goal.goal}) {verdict}")
            if goal.note:
                console.print(f"     {goal.note}", style="dim")
        where = environment()
        console.print(" · ".join(f"{key} {value}" for key, value in where.items() if key != "packages"), style="dim")
        RESULTS.mkdir(parents=True, exist_ok=True)
        document = where | {"rows": self.rows, "goals": [asdict(goal) for goal in self.goals]}
        path = RESULTS / f"{self.name}.json"
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        console.print(f"written to {path.relative_to(ROOT)}", style="dim")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def environment() -> dict[str, Any]:
    """Machine, versions and commit of this run."""
    from mnemic import _core

    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "simd": _core.build_info()["simd"],
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    found = re.search(r"model name\s*: (.*)", text)
    return found.group(1) if found else platform.machine()


@dataclass(frozen=True)
class Latency:
    """Microseconds of repeated calls, and CPU of this process per call."""

    median: float
    p99: float
    best: float
    cpu: float


def measure(call: Callable[[int], object], *, repeats: int, warmup: int = 20) -> Latency:
    """Times `call(i)` one after another."""
    for i in range(warmup):
        call(i)
    times = []
    cpu = time.process_time_ns()
    for i in range(repeats):
        begin = time.perf_counter_ns()
        call(warmup + i)
        times.append(time.perf_counter_ns() - begin)
    cpu = time.process_time_ns() - cpu
    times.sort()
    return Latency(
        median=times[len(times) // 2] / 1e3,
        p99=times[min(len(times) - 1, int(len(times) * 0.99))] / 1e3,
        best=times[0] / 1e3,
        cpu=cpu / repeats / 1e3,
    )


@contextmanager
def running_server(data_directory: Path, *arguments: str) -> Iterator[tuple[str, int]]:
    """`mnemic serve` as a process of its own on a free port; gives its address and process id."""
    command = [sys.executable, "-m", "mnemic.cli", "serve", "--address", "127.0.0.1:0"]
    command += ["--data-directory", str(data_directory), "--log-level", "warning", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield _address(process), process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"mnemic serving on (\S+:\d+)", line)
        if found:
            return found.group(1)
    raise RuntimeError(f"the server ended with code {process.wait()} before it listened")


def carried_texts() -> list[str]:
    """The turns of the conversation that the repository carries."""
    path = ROOT / "examples" / "conversation" / "conversation.jsonl"
    return [json.loads(line)["body"] for line in path.read_text(encoding="utf-8").splitlines()]


def many_texts(count: int, texts: Sequence[str]) -> list[str]:
    """`count` different texts of natural words and length: the first half of one turn, the second of another."""
    words = [text.split() for text in texts]
    made = []
    for i in range(count):
        first, second = words[i % len(words)], words[(i * 7 + i // len(words)) % len(words)]
        made.append(" ".join(first[: len(first) // 2 + 1] + second[len(second) // 2 :]))
    return made


def vectors_like(count: int, dimension: int, seed: int = 7) -> list[bytes]:
    """Vectors without meaning, as little-endian float32."""
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype("<f4")
    return [row.tobytes() for row in rows]
