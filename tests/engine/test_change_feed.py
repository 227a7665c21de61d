"""An index made at any revision that took the store's changes since holds, and finds, what one made now does."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemic import _core
from mnemic.engine.loading import apply_changes
from mnemic.model.memory import ChangeKind, Memory, MemoryKind
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.interface import Store, VersionEnd, VersionWrite, WriteBatch
from mnemic.store.sqlite import open_sqlite

MODEL, OTHER_MODEL, DIMENSION = "test-model:1", "other:1", 16
SCOPES = [Scope(user_id="u"), Scope(user_id="u", session_id="s"), Scope(user_id="u", agent_id="a")]
KEY = SCOPES[0].partition("t")
WORDS = ["tea", "Porto", "red shoes", "Milo", "rent of 1,250", "booking QX7"]
ACTIONS = [
    "add",
    "add",
    "add",
    "update",
    "update",
    "supersede",
    "delete",
    "restore",
    "embed",
    "embed other",
    "load",
    "save",
]


class History:
    """A store, and what the next action may be done to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 1_000_000
        self.latest: dict[str, Memory] = {}
        self.deleted: set[str] = set()
        self.restored_at = 0
        # Indexes, and files of snapshots, with the revision up to which they know everything.
        self.indexes: list[tuple[_core.Index, int]] = []
        self.files: list[tuple[Path, int]] = []
        # An index that has lived through all of it.
        self.live, self.live_revision = loaded(store)

    def write(self, **batch) -> None:
        self.now += 1000
        self.store.write(WriteBatch(tenant="t", now_micros=self.now, **batch))

    def do(self, action: str, number: int) -> None:
        if action == "add":
            self.add(number)
        elif action == "load":
            self.indexes.append(loaded(self.store))
        elif action == "save":
            self.save()
        elif action.startswith("embed"):
            self.embed(MODEL if action == "embed" else OTHER_MODEL, number)
        else:
            wants_deleted = action == "restore"
            those = [key for key in self.latest if (key in self.deleted) == wants_deleted]
            if those:
                self.change(action, self.latest[those[number % len(those)]], number)

    def save(self) -> None:
        reached = self.store.scan_changes(KEY, self.live_revision, partial(apply_changes, self.live, KEY), rows=3)
        if reached is None:
            self.live, reached = loaded(self.store)
        self.live_revision = reached
        frozen = self.live.freeze(KEY)
        if frozen is not None:
            path = self.store.directory / f"{len(self.files)}.snapshot"
            frozen.write(path, revision=reached, model=MODEL)
            self.files.append((path, reached))

    def add(self, number: int) -> None:
        memories = [
            Memory(
                memory_id=str(uuid.UUID(int=(1 << 100) + len(self.latest) + place)),
                scope=SCOPES[(number + place) % 3],
                kind=MemoryKind.MESSAGE,
                body=f"{WORDS[(number + place) % 6]} number {number}",
                create_time_micros=self.now,
                update_time_micros=self.now,
                valid_from_micros=self.now,
                vector=vector_of(number + place) if (number + place) % 4 else None,
            )
            for place in range(1 + number % 3)
        ]
        self.write(inserts=[VersionWrite(memory, ChangeKind.ADDED, "") for memory in memories])
        self.latest |= {memory.memory_id: memory for memory in memories}

    def change(self, action: str, memory: Memory, number: int) -> None:
        end = VersionEnd(memory.memory_id, memory.version, self.now + 500, deleted=action == "delete")
        ends = [end] if memory.valid_to_micros is None or end.deleted else []
        if action in ("supersede", "delete"):
            if ends:
                self.write(ends=ends)
                valid_to = memory.valid_to_micros or end.valid_to_micros
                self.latest[memory.memory_id] = replace(memory, valid_to_micros=valid_to)
            self.deleted |= {memory.memory_id} if end.deleted else set()
            return
        new = replace(
            memory,
            version=memory.version + 1,
            body=f"{WORDS[number % 6]} again {number}",
            update_time_micros=self.now,
            valid_from_micros=self.now,
            valid_to_micros=None,
            vector=vector_of(number) if number % 3 else None,
        )
        kind = ChangeKind.RESTORED if action == "restore" else ChangeKind.UPDATED
        self.write(ends=ends if action == "update" else [], inserts=[VersionWrite(new, kind, "")])
        if action == "restore":
            self.restored_at = self.store.revision()
        self.latest[memory.memory_id] = new
        self.deleted.discard(memory.memory_id)

    def embed(self, model: str, number: int) -> None:
        self.store.register_model(model, DIMENSION, active=False)
        pending = self.store.versions_without_vector(model, limit=1 + number % 3)
        rows = [(memory.memory_id, memory.version, vector_of(number)) for memory in pending]
        # A vector may also be replaced.
        rows += [(key, 1, vector_of(number + 1)) for key in list(self.latest)[number % 5 : number % 5 + 1]]
        self.store.put_vectors(model, [*{row[:2]: row for row in rows}.values()])


def vector_of(number: int) -> bytes:
    return np.random.default_rng(number).standard_normal(DIMENSION).astype("<f4").tobytes()


def loaded(store: Store) -> tuple[_core.Index, int]:
    index = _core.Index(DIMENSION)
    rows, revision = store.partition_rows(KEY)
    index.load(KEY, rows)
    return index, revision


def opened(saved: tuple[Path, int]) -> tuple[_core.Index, int]:
    index = _core.Index(DIMENSION)
    assert index.open(KEY, saved[0], model=MODEL) == saved[1]
    return index, saved[1]


def answers(index: _core.Index, now: int) -> list[list[tuple]]:
    found = []
    for text, number in [("tea in Porto", 1), ("Milo red shoes", 2), ("again number QX7", 3)]:
        for options in ({}, {"include_superseded": True}, {"as_of_micros": now // 2}):
            outcome = index.search(
                [KEY],
                SCOPES[0],
                int(ScopeMatch.EXACT),
                **{
                    "text": text,
                    "vector": vector_of(number),
                    "filter": None,
                    "now_micros": now,
                    "as_of_micros": None,
                    "include_superseded": False,
                    "top_k": 1000,
                    "weights": _core.Weights(vector=0.5, lexical=0.3, entity=0.2, recency=0.1),
                    "min_score": 0.0,
                    "explain": True,
                    **options,
                },
            )
            hits = [
                (hit.memory(), round(hit.score, 6), {name: round(part.raw, 5) for name, part in hit.parts.items()})
                for hit in outcome.hits
            ]
            found.append([outcome.considered, *sorted(hits, key=repr)])
    return found


@given(
    steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 999)), min_size=5, max_size=60),
    rows=st.integers(1, 5),
)
@settings(max_examples=40)
def test_any_revision_and_the_changes_since_make_the_present(steps, rows):
    with tempfile.TemporaryDirectory() as directory:
        store = open_sqlite(Path(directory))
        try:
            store.register_model(MODEL, DIMENSION, active=True)
            history = History(store)
            for action, number in [("load", 0), *steps, ("save", 0)]:
                history.do(action, number)
            assert store.check() == []
            fresh, revision = loaded(store)
            for index, known in [*history.indexes, *map(opened, history.files)]:
                reached = store.scan_changes(KEY, known, partial(apply_changes, index, KEY), rows=rows)
                if reached is None:
                    assert known < history.restored_at
                    continue
                assert reached == revision
                assert sorted(index.versions(KEY)) == sorted(fresh.versions(KEY))
                assert answers(index, history.now) == answers(fresh, history.now)
                assert store.scan_changes(KEY, revision, lambda _: 1 / 0, rows=rows) == revision
        finally:
            store.close()
