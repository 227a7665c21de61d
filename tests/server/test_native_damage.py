"""A file that is damaged behind the index: native answers never show it, and Python's put it right."""

import numpy as np
import pytest
from native_support import Both

from mnemic.engine.engine import Engine
from mnemic.engine.settings import Settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest
from mnemic.v1 import memory_service_pb2 as pb

DIMENSION = 256
ROWS = 5_000
DAMAGED = 1_234
LONG = "x" * 15_000


def vector_of(number: int) -> bytes:
    return np.random.default_rng(number).standard_normal(DIMENSION).astype("<f4").tobytes()


def search(number: int) -> pb.SearchMemoriesRequest:
    return pb.SearchMemoriesRequest(
        scope={"user_id": "u"},
        query=f"number {number}",
        profile="lexical",
        top_k=1,
        read_mask={"paths": ["metadata"]},
    )


@pytest.fixture
def saved(settings) -> Settings:
    """A partition in a file that is so large that not all of it is read when it is opened."""
    with Engine.open(settings, pull_missing_model=True) as engine:
        for start in range(0, ROWS, 500):
            inputs = [
                MemoryInput(body=f"number {n}", vector=vector_of(n), metadata={"long": f"row {n} {LONG}"})
                for n in range(start, start + 500)
            ]
            engine.add("default", Scope(user_id="u"), inputs)
        # What is in memory when the engine closes is saved.
        engine.search("default", SearchRequest(scope=Scope(user_id="u"), query="number 1"))
    return settings


def flip_a_bit_of(settings: Settings, text: bytes) -> None:
    (file,) = (settings.data_directory / "snapshots").glob("*.snapshot")
    content = bytearray(file.read_bytes())
    content[content.index(text)] ^= 1
    file.write_bytes(content)


def test_a_damaged_row_is_relayed_and_what_python_then_answers_is_answered_natively_too(saved):
    flip_a_bit_of(saved, f"row {DAMAGED} xxx".encode())
    with Engine.open(saved) as engine:
        engine._upkeep._stopping.set()  # or it might find the damage first
        both = Both(engine, engine.native_answers())
        assert both.agree(search(4_000)), "the rest of the file is whole"
        assert engine.stats().index.snapshots_refused == 0
        assert both.of_native(search(DAMAGED)) is None
        assert both.agree(search(DAMAGED))
        (hit,) = both.of_native(search(DAMAGED)).hits
        assert hit.metadata["long"].string_value == f"row {DAMAGED} {LONG}"
        assert engine.stats().index.snapshots_refused == 1


def test_a_batch_with_a_damaged_row_is_relayed_whole(saved):
    flip_a_bit_of(saved, f"row {DAMAGED} xxx".encode())
    batch = pb.BatchSearchMemoriesRequest(searches=[search(4_000), search(DAMAGED)])
    with Engine.open(saved) as engine:
        engine._upkeep._stopping.set()
        both = Both(engine, engine.native_answers())
        assert both.agree(search(4_000))
        assert both.of_native(batch) is None
        assert both.agree(batch)
