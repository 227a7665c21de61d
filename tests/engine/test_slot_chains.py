"""Chains of values of a slot against plain models: whatever comes in whatever order, store and index tell the same."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput, MemoryKind
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest

ANNA = Scope(user_id="anna")
START = 1_700_000_000_000_000
HOUR = 3_600_000_000
HOURS = st.integers(0, 40)


def opened(directory: str) -> Engine:
    return Engine.open(load_settings(data_directory=Path(directory), embedding={"provider": "static"}),
                       pull_missing_model=True)  # fmt: skip


def value(number: int, hour: int, slot: str = "home") -> MemoryInput:
    return MemoryInput(
        body=f"Anna lives in place{number}", kind=MemoryKind.FACT, event_time_micros=START + hour * HOUR, slot=slot
    )


def states(engine: Engine, moment: int | None, *, include_superseded: bool = False) -> set[str]:
    """The bodies that held at a moment (now for None), which search and listing tell alike."""
    more = {"scope": ANNA, "as_of_micros": moment, "include_superseded": include_superseded}
    hits = engine.search(
        "t", SearchRequest(query="Anna lives", top_k=1000, separate=True, profile="lexical", **more)
    ).hits
    listed = engine.list_memories("t", ListRequest(page_size=1000, **more)).memories
    # Of several versions of a memory a search finds one.
    assert {hit.memory_id for hit in hits} == {memory.memory_id for memory in listed}
    assert {hit.body for hit in hits} <= {memory.body for memory in listed}
    return {memory.body for memory in listed}


@settings(max_examples=25)
@given(hours=st.lists(HOURS, min_size=1, max_size=12), together=st.integers(1, 4))
def test_what_held_when_does_not_depend_on_the_order_of_arrival(hours, together):
    """At each moment the value holds that began last; of two that began together the one that was heard later."""
    said = [(hour, number) for number, hour in enumerate(hours)]
    with tempfile.TemporaryDirectory() as directory, opened(directory) as engine:
        for first in range(0, len(said), together):
            engine.add("t", ANNA, [value(number, hour) for hour, number in said[first : first + together]])
        for hour in {*hours, -1, 50}:
            begun = [one for one in said if one[0] <= hour]
            expected = {f"Anna lives in place{max(begun)[1]}"} if begun else set()
            assert states(engine, START + hour * HOUR) == expected
        assert states(engine, None) == {f"Anna lives in place{max(said)[1]}"}
        assert engine.check() == []


@dataclass
class Interval:
    body: str
    start: float
    end: float = float("inf")


class Chains(RuleBasedStateMachine):
    """Adds in any order, deletions, restorations and updates, in two slots."""

    def __init__(self):
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.engine = opened(self.directory.name)
        self.known: dict[str, list[Interval]] = {}
        self.slot_of: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.count = 0

    def teardown(self):
        self.engine.close()
        self.directory.cleanup()

    @initialize()
    def begin(self):
        self.say(0, "home")

    @rule(hour=HOURS, slot=st.sampled_from(["home", "work"]))
    def say(self, hour, slot):
        self.count += 1
        item = value(self.count, hour, slot)
        (added,) = self.engine.add("t", ANNA, [item]).memories
        new = Interval(item.body, item.event_time_micros)
        self.place(slot, new)
        self.known[added.memory_id] = [new]
        self.slot_of[added.memory_id] = slot

    def place(self, slot, new):
        chain = [
            interval
            for memory_id, intervals in self.known.items()
            if self.slot_of[memory_id] == slot and memory_id not in self.deleted
            for interval in intervals
        ]
        later = [other.start for other in chain if other.start > new.start and other.start != other.end]
        for other in chain:
            if other.start <= new.start < other.end:
                other.end = new.start
        new.end = min(later, default=float("inf"))

    @rule(data=st.data())
    def delete(self, data):
        living = sorted(set(self.known) - self.deleted)
        if living:
            memory_id = data.draw(st.sampled_from(living))
            self.engine.delete("t", memory_id)
            self.close(memory_id)
            self.deleted.add(memory_id)

    def close(self, memory_id):
        """An end that nobody dated is that of the store's clock."""
        last = self.known[memory_id][-1]
        if last.end == float("inf"):
            last.end = self.engine._store.get("t", [memory_id], include_deleted=True)[memory_id].valid_to_micros

    @rule(data=st.data())
    def restore(self, data):
        ended = sorted(key for key, versions in self.known.items() if versions[-1].end != float("inf"))
        if ended:
            memory_id = data.draw(st.sampled_from(ended))
            self.engine.restore("t", memory_id)
            last = self.known[memory_id][-1]
            self.known[memory_id].append(Interval(last.body, last.end))
            self.deleted.discard(memory_id)

    @rule(data=st.data())
    def update(self, data):
        current = sorted(
            key for key, versions in self.known.items() if versions[-1].end == float("inf") and key not in self.deleted
        )
        if current:
            memory_id = data.draw(st.sampled_from(current))
            self.count += 1
            body = f"Anna lives in place{self.count}"
            updated = self.engine.update("t", memory_id, MemoryUpdate(fields=frozenset({"body"}), body=body)).memory
            self.known[memory_id][-1].end = updated.valid_from_micros
            self.known[memory_id].append(Interval(body, updated.valid_from_micros))

    @precondition(lambda self: self.count % 3 == 0)
    @rule()
    def forget_the_index(self):
        self.engine.drop_index()

    @invariant()
    def both_tell_what_the_model_tells(self):
        living = [
            interval
            for memory_id, versions in self.known.items()
            if memory_id not in self.deleted
            for interval in versions
        ]
        for hour in (0, 7, 20, 40, 41):
            moment = START + hour * HOUR
            held = {interval.body for interval in living if interval.start <= moment < interval.end}
            assert states(self.engine, moment) == held
        assert states(self.engine, None) == {interval.body for interval in living if interval.end == float("inf")}
        assert states(self.engine, None, include_superseded=True) == {interval.body for interval in living}
        assert self.engine.check() == []


Chains.TestCase.settings = settings(max_examples=20, stateful_step_count=15)
test_chains = Chains.TestCase
