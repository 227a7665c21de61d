"""A whole round trip: start a server, feed it a conversation, ask it questions, check the answers.

Run by `make demo`. Everything is real: `mnemic serve` as a process of its own with the default embedding model, the
conversation in `examples/conversation`, and searches over gRPC. Exits 0 only if, for every question, the turn that
answers it came first.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mnemic import MnemicClient, SearchResult

CONVERSATION = Path(__file__).parent / "conversation"
USER = "bronagh-and-teo"
HITS_SHOWN = 3
console = Console(width=140)


def read(name: str) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file of the conversation."""
    lines = (CONVERSATION / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@contextmanager
def server(data_directory: str) -> Iterator[str]:
    """`mnemic serve` on a free port; gives its address once it listens."""
    command = [sys.executable, "-m", "mnemic.cli", "serve", "--address", "127.0.0.1:0"]
    command += ["--data-directory", data_directory, "--log-level", "warning"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout or ():
            found = re.search(r"mnemic serving on (\S+:\d+)", line)
            if found:
                break
        else:
            sys.exit(f"the server ended with code {process.wait()} before it listened")
        yield found.group(1)
    finally:
        process.terminate()
        process.wait(timeout=30)


def ingest(client: MnemicClient) -> dict[str, str]:
    """Adds the conversation session by session; gives the turn (`s03:12`) of each memory id."""
    sessions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for turn in read("conversation.jsonl"):
        sessions[turn["session_id"]].append(turn)
    turns = {}
    for session, members in sessions.items():
        messages = [
            {"role": turn["role"], "name": turn["name"], "content": turn["body"], "event_time": turn["event_time"]}
            for turn in members
        ]
        added = client.add(messages, user_id=USER, session_id=session)
        for number, memory in enumerate(added.memories, start=1):
            turns[memory.memory_id] = f"{session}:{number}"
    console.print(f"[bold]{len(turns)} turns of {len(sessions)} sessions added[/]")
    return turns


def show(question: str, result: SearchResult, turns: dict[str, str], evidence: list[str]) -> None:
    """Prints the first hits of a question with what each signal adds to the score and, in brackets, its raw value."""
    signals = list(result.hits[0].score_parts) if result.hits else []
    table = Table(title=question, title_justify="left", title_style="bold", show_edge=False, expand=True)
    for column in ("turn", "score", *signals):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("when", no_wrap=True)
    table.add_column("who", no_wrap=True)
    table.add_column("what", overflow="ellipsis", no_wrap=True, ratio=1)
    for hit in result.hits[:HITS_SHOWN]:
        turn = turns[hit.memory_id]
        parts = (hit.score_parts.get(signal) for signal in signals)
        table.add_row(
            turn,
            f"{hit.score:.3f}",
            *(f"{part.weight * part.normalized:.2f} ({part.raw:.2f})" if part else "" for part in parts),
            f"{hit.event_time:%Y-%m-%d}" if hit.event_time else "",
            hit.name,
            hit.body,
            style="green" if turn in evidence else "",
        )
    console.print(table)
    took = result.timings
    console.print(f"[dim]{took.total} µs in the server: {took.embed} embedding, {took.search} searching[/]\n")


def main() -> None:
    """Runs the demo."""
    with tempfile.TemporaryDirectory(prefix="mnemic-demo-") as directory, server(directory) as address:
        console.print(f"[bold]mnemic serves on {address}[/]")
        with MnemicClient(address) as client:
            turns = ingest(client)
            missed = []
            for entry in read("questions.jsonl"):
                if not entry.get("demo"):
                    continue
                result = client.search(entry["question"], user_id=USER, match="exact", explain=True)
                show(entry["question"], result, turns, entry["evidence"])
                if not result.hits or turns[result.hits[0].memory_id] not in entry["evidence"]:
                    missed.append(entry["question"])
    if missed:
        console.print(f"[bold red]the expected turn did not come first for {len(missed)}:[/] {'; '.join(missed)}")
        sys.exit(1)
    console.print("[bold green]every question found the turn that answers it first[/]")


if __name__ == "__main__":
    main()
