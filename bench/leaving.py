"""What leaving and coming cost: `python -m bench.leaving [--memories N]`.

Fills a store (static model), then exports it, imports the file into another with and without its vectors, and what Mem0
and a chat log would have of the same, and makes a backup, with and without somebody who writes meanwhile. The goal of a
backup is 60 s for a million memories. Imports also tell how many memories a second of the processor's time takes in,
which says more where others use the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.backup import Backup, BackupDestination
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.transfer import ExportRequest, ImportRequest, TransferFormat

TENANT = "default"
WORDS = ("tea", "Porto", "Oslo", "sister", "doctor", "meeting", "train", "recipe", "garden", "deadline", "rent", "keys")
PER_USER = 1000
CHUNK_BYTES = 256 * 1024
PAUSE_SECONDS = 0.005
WRITES_ALONE_SECONDS = 5.0


def opened(directory: Path) -> Engine:
    settings = load_settings(
        data_directory=directory / "data", embedding={"provider": "static"}, backup={"directory": directory / "backups"}
    )
    return Engine.open(settings, pull_missing_model=True)


def fill(engine: Engine, count: int) -> None:
    for first in range(0, count, PER_USER):
        numbers = range(first, min(first + PER_USER, count))
        inputs = [
            MemoryInput(body=f"message {n}: we talked about {WORDS[n % 12]} and {WORDS[n // 12 % 12]}, at {n % 24} h")
            for n in numbers
        ]
        engine.add(TENANT, Scope(user_id=f"u{first}"), inputs)


@contextmanager
def writing(engine: Engine) -> Iterator[list[float]]:
    """Somebody who adds one message after the other; how many seconds each took."""
    taken: list[float] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(PAUSE_SECONDS):
            started = time.perf_counter()
            engine.add(TENANT, Scope(user_id="writer"), [MemoryInput(body="a write meanwhile")])
            taken.append(time.perf_counter() - started)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield taken
    finally:
        stop.set()
        writer.join()


def of_writes(taken: list[float]) -> str:
    ordered = sorted(taken)
    p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"writes: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms ({len(ordered)})"


def back_up(engine: Engine) -> str:
    started = time.perf_counter()
    *_, backup = engine.backups.create(BackupDestination.SERVER, caller=TENANT)
    seconds = time.perf_counter() - started
    if not isinstance(backup, Backup):
        raise TypeError("the last step of a backup is the backup")
    return f"{seconds:.1f} s for {backup.memory_count:,} memories, {backup.byte_count / 1e6:,.0f} MB"


def leave(engine: Engine, file: Path) -> str:
    request = ExportRequest(match=ScopeMatch.TENANT, include_vectors=True)
    started = time.perf_counter()
    with file.open("wb") as output:
        for piece in engine.transfer.export_memories(TENANT, request):
            output.write(piece.data)
    seconds = time.perf_counter() - started
    return f"{seconds:.1f} s, {piece.exported_count / seconds:,.0f} a second, {file.stat().st_size / 1e6:,.0f} MB"


def come(engine: Engine, chunks: Iterator[bytes], form: TransferFormat, *, keep_vectors: bool = False) -> str:
    request = ImportRequest(format=form, keep_vectors=keep_vectors)
    started, worked = time.perf_counter(), time.process_time()
    *_, last = engine.transfer.import_memories(TENANT, request, chunks)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    items = last.added_count + last.duplicate_count
    there = f" ({last.duplicate_count:,} were there)" if last.duplicate_count else ""
    return f"{seconds:.1f} s, {items / seconds:,.0f} a second, {items / work:,.0f} a second of CPU{there}"


def read(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        yield from iter(lambda: source.read(CHUNK_BYTES), b"")


def of_mem0(count: int) -> Iterator[bytes]:
    """What Mem0's `get_all` gives, as lines."""
    for n in range(count):
        item = {
            "id": f"00000000-0000-4000-8000-{n:012x}",
            "memory": f"Said in message {n}: {WORDS[n % 12]} and {WORDS[n // 12 % 12]}",
            "metadata": {"source": "bench"},
            "created_at": "2025-01-02T03:04:05.123456-07:00",
            "updated_at": None,
            "user_id": f"u{n // PER_USER}",
        }
        yield json.dumps(item).encode() + b"\n"


def of_chat(count: int) -> Iterator[bytes]:
    """A chat log, as lines."""
    for n in range(count):
        message = {
            "role": "assistant" if n % 2 else "user",
            "content": f"message {n}: we talked about {WORDS[n % 12]} and {WORDS[n // 12 % 12]}",
            "timestamp": 1_700_000_000 + n,
            "user_id": f"u{n // PER_USER}",
        }
        yield json.dumps(message).encode() + b"\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=100_000)
    count = parser.parse_args().memories
    with tempfile.TemporaryDirectory() as directory:
        place, file = Path(directory), Path(directory) / "export.jsonl"
        with opened(place) as engine, opened(place / "other") as other:
            fill(engine, count)
            print(f"export with vectors:  {leave(engine, file)}")
            print(f"import with vectors:  {come(other, read(file), TransferFormat.JSONL, keep_vectors=True)}")
            print(f"import again:         {come(other, read(file), TransferFormat.JSONL, keep_vectors=True)}")
            for label, form, chunks in (
                ("embedded anew", TransferFormat.JSONL, read(file)),
                ("from Mem0", TransferFormat.MEM0, of_mem0(count)),
                ("of a chat log", TransferFormat.CHAT, of_chat(count)),
            ):
                with opened(place / label) as empty:
                    print(f"{f'import {label}:':22}{come(empty, chunks, form)}")
            print(f"backup:               {back_up(engine)}")
            with writing(engine) as alone:
                time.sleep(WRITES_ALONE_SECONDS)
            print(f"nobody backs up:      {of_writes(alone)}")
            with writing(engine) as beside:
                print(f"backup beside them:   {back_up(engine)}; {of_writes(beside)}")
    print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} threads")


if __name__ == "__main__":
    main()
