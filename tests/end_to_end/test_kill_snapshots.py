"""A crash while snapshots are written harms nothing: the next start answers from what the store has."""

import os
import random
import re
import subprocess
import sys
import time

import pytest

from mnemic.engine.engine import Engine
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest, SignalWeights

ROUNDS = int(os.environ.get("MNEMIC_KILL_ROUNDS", "6"))

# Grows a few partitions without pause, so that their snapshots are written over and over; says what is durable.
WRITER = """
import sys
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest

directory, begin = sys.argv[1], int(sys.argv[2])
limits = {"index_bytes": 4 * 1024 * 1024}
with Engine.open(load_settings(data_directory=directory, embedding={"provider": "static"}, limits=limits)) as engine:
    for number in range(begin, begin + 1000):
        user = f"u{number % 3}"
        engine.search("default", SearchRequest(scope=Scope(user_id=user), query="note"))
        inputs = [MemoryInput(body=f"note {number} part {part} {'padding ' * 20}") for part in range(300)]
        engine.add("default", Scope(user_id=user), inputs)
        print("added", number, flush=True)
"""


def grow_until_killed(directory, begin, seconds):
    """The numbers that were acknowledged."""
    command = [sys.executable, "-c", WRITER, str(directory), str(begin)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    added = []
    until = None
    for line in process.stdout:
        if found := re.fullmatch(r"added (\d+)\n", line):
            added.append(int(found[1]))
            until = until or time.monotonic() + seconds
        if until is not None and time.monotonic() > until:
            break
    process.kill()
    process.wait(timeout=30)
    process.stdout.close()
    return added


@pytest.mark.timeout(600)
def test_a_crash_while_snapshots_are_written_is_harmless(settings):
    Engine.open(settings, pull_missing_model=True).close()
    chance = random.Random(3)
    snapshots = settings.data_directory / "snapshots"
    added = []
    for number in range(ROUNDS):
        added += grow_until_killed(settings.data_directory, 1000 * number, chance.uniform(0.3, 1.2))
    assert list(snapshots.glob("*.snapshot"))
    with Engine.open(settings) as engine:
        for number in added:
            # Thousands say almost the same; which of them has the better neighbours is not asked here.
            request = SearchRequest(
                scope=Scope(user_id=f"u{number % 3}"),
                query=f"note {number} part 17",
                top_k=1000,
                weights=SignalWeights(context=0),
            )
            bodies = {hit.body for hit in engine.search("default", request).hits}
            assert any(body.startswith(f"note {number} part 17 ") for body in bodies)
        assert engine.check() == []
        assert not [file for file in snapshots.glob("*") if ".tmp-" in file.name]
