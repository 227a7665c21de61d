"""The store against the simplest thing that could be right: random changes and reads, compared with plain lists."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store_support import DIMENSION, MODEL, insertion, memory_of, new_id, next_version, vector_of

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import ChangeKind, Memory
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store import listing
from mnemic.store.interface import VersionEnd, WriteBatch
from mnemic.store.sqlite import open_sqlite

TENANTS = ("t", "*")
SCOPES = [
    Scope(user_id=user, agent_id=agent, session_id=session, app_id=app)
    for user in (None, "u", "%")
    for agent in (None, "a")
    for session in (None, "s", "S")
    for app in (None, "p")
]
CARRIED = st.sampled_from([scope for scope in SCOPES if not scope.is_empty])
ASKED = st.sampled_from(SCOPES)
SECOND_MODEL = "second"


class Remembered:
    """One memory as plain lists."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.versions: list[Memory] = []
        self.history: list[tuple[ChangeKind, int, int]] = []
        self.is_deleted = False

    @property
    def latest(self) -> Memory:
        return self.versions[-1]


class StoreMachine(RuleBasedStateMachine):
    """Every read equals what the definitions in `Scope.selects` and `Store` say of the lists."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "data"
        self.store = open_sqlite(self.path)
        self.memories: dict[str, Remembered] = {}
        self.vectors: dict[tuple[str, str, int], bytes] = {}
        self.models: set[str] = set()
        self.revision = 0
        self.now = 1000

    def teardown(self) -> None:
        assert self.store.check() == []
        self.store.close()
        self.directory.cleanup()

    @initialize()
    def use_a_model(self):
        self.store.register_model(MODEL, DIMENSION, active=True)
        self.models.add(MODEL)

    def commit(self, tenant, **batch):
        self.now += 10
        self.revision += 1
        assert self.store.write(WriteBatch(tenant=tenant, now_micros=self.now, **batch)) == self.revision

    def begin(self, memory: Memory, change: ChangeKind) -> None:
        known = self.memories[memory.memory_id]
        if memory.vector is not None:
            self.vectors[MODEL, memory.memory_id, memory.version] = memory.vector
        known.versions.append(replace(memory, revision=self.revision, vector=None))
        known.history.append((change, memory.version, self.revision))

    def end(self, memory_id: str, valid_to: int) -> None:
        versions = self.memories[memory_id].versions
        versions[-1] = replace(versions[-1], valid_to_micros=valid_to)

    def pick(self, data, *, deleted: bool, holding: bool | None = None) -> Remembered:
        found = [
            memory
            for memory in self.memories.values()
            if memory.is_deleted == deleted and (holding is None or (memory.latest.valid_to_micros is None) == holding)
        ]
        if not found:
            return None
        return data.draw(st.sampled_from(found))

    @rule(
        tenant=st.sampled_from(TENANTS),
        scopes=st.lists(CARRIED, min_size=1, max_size=4),
        expires=st.booleans(),
        embedded=st.booleans(),
    )
    def add(self, tenant, scopes, expires, embedded):
        new = [
            memory_of(
                f"body {number}",
                scope,
                now=self.now + 10,
                memory_id=new_id(),
                expire_time_micros=self.now + 100 if expires else None,
                vector=vector_of(number) if embedded else None,
            )
            for number, scope in enumerate(scopes)
        ]
        self.commit(tenant, inserts=[insertion(memory) for memory in new])
        for memory in new:
            self.memories[memory.memory_id] = Remembered(tenant)
            self.begin(memory, ChangeKind.ADDED)

    @rule(data=st.data())
    def update(self, data):
        known = self.pick(data, deleted=False, holding=True)
        if known is None:
            return
        now = self.now + 10
        new = replace(next_version(known.latest, f"{known.latest.body}!", now=now), revision=0)
        self.commit(
            known.tenant,
            ends=[VersionEnd(new.memory_id, known.latest.version, now)],
            inserts=[insertion(new, ChangeKind.UPDATED)],
        )
        self.end(new.memory_id, now)
        self.begin(new, ChangeKind.UPDATED)

    @rule(data=st.data())
    def supersede(self, data):
        known = self.pick(data, deleted=False, holding=True)
        if known is None:
            return
        end = VersionEnd(known.latest.memory_id, known.latest.version, self.now + 10)
        self.commit(known.tenant, ends=[end])
        self.end(end.memory_id, end.valid_to_micros)

    @rule(data=st.data())
    def delete(self, data):
        known = self.pick(data, deleted=False)
        if known is None:
            return
        end = VersionEnd(known.latest.memory_id, known.latest.version, self.now + 10, deleted=True)
        self.commit(known.tenant, ends=[end])
        if known.latest.valid_to_micros is None:
            self.end(end.memory_id, end.valid_to_micros)
        known.is_deleted = True
        known.history.append((ChangeKind.DELETED, end.version, self.revision))

    @rule(data=st.data())
    def restore(self, data):
        known = self.pick(data, deleted=True)
        if known is None:
            return
        new = replace(next_version(known.latest, "restored", now=self.now + 10), revision=0)
        self.commit(known.tenant, inserts=[insertion(new, ChangeKind.RESTORED)])
        known.is_deleted = False
        self.begin(new, ChangeKind.RESTORED)

    @rule(data=st.data(), model=st.sampled_from([MODEL, SECOND_MODEL]))
    def embed(self, data, model):
        if model not in self.models:
            self.store.register_model(model, DIMENSION, active=False)
            self.models.add(model)
        pending = self.store.versions_without_vector(model, limit=3)
        rows = [(memory.memory_id, memory.version, vector_of(self.revision)) for memory in pending]
        assert self.store.put_vectors(model, [*rows, (new_id(), 1, vector_of(0))]) == self.revision + bool(rows)
        self.revision += bool(rows)
        self.vectors.update({(model, memory_id, version): vector for memory_id, version, vector in rows})

    @rule()
    def reopen(self):
        self.store.close()
        self.store = open_sqlite(self.path)

    @precondition(lambda self: SECOND_MODEL in self.models)
    @rule()
    def drop_second_model(self):
        self.store.drop_model(SECOND_MODEL)
        self.models.discard(SECOND_MODEL)
        self.vectors = {key: vector for key, vector in self.vectors.items() if key[0] != SECOND_MODEL}

    @rule(data=st.data(), tenant=st.sampled_from(TENANTS))
    def a_refused_batch_leaves_no_trace(self, data, tenant):
        known = self.pick(data, deleted=False)
        if known is None:
            return
        memory = known.latest
        with pytest.raises(MnemicError) as caught:
            self.store.write(
                WriteBatch(
                    tenant=tenant,
                    inserts=[insertion(memory_of("never", scope=memory.scope))],
                    ends=[VersionEnd(memory.memory_id, memory.version + 1, self.now, deleted=True)],
                    now_micros=self.now,
                )
            )
        expected = Reason.VERSION_CONFLICT if tenant == known.tenant else Reason.MEMORY_NOT_FOUND
        assert caught.value.reason is expected

    @rule(
        data=st.data(),
        tenant=st.sampled_from(TENANTS),
        scope=ASKED,
        match=st.sampled_from(list(ScopeMatch)),
        limit=st.integers(1, 6),
        include_superseded=st.booleans(),
        include_expired=st.booleans(),
        as_of=st.booleans(),
        many_scopes=st.sampled_from([0, 2000]),
    )
    def list_in_pages(self, data, tenant, scope, match, limit, include_superseded, include_expired, as_of, many_scopes):
        as_of_micros = data.draw(st.integers(990, self.now + 10)) if as_of else None

        def is_listed(known: Remembered, memory: Memory) -> bool:
            valid_to = memory.valid_to_micros
            if as_of_micros is None:
                holds = valid_to is None or include_superseded
            else:
                begun = memory.valid_from_micros <= as_of_micros
                holds = begun and (valid_to is None or valid_to > as_of_micros or include_superseded)
            lives = include_expired or memory.expire_time_micros is None or memory.expire_time_micros > self.now
            selected = known.tenant == tenant and not known.is_deleted and scope.selects(memory.scope, match)
            return selected and holds and lives

        expected = sorted(
            (memory for known in self.memories.values() for memory in known.versions if is_listed(known, memory)),
            key=lambda memory: (memory.memory_id, memory.version),
            reverse=True,
        )
        expected = [replace(memory, vector=self.vectors.get((MODEL, memory.memory_id, memory.version)),
                            embedding_model=None) for memory in expected]  # fmt: skip
        listed, position = [], {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(listing, "MANY_SCOPES", many_scopes)
            while True:
                page = self.store.list_memories(
                    tenant,
                    scope,
                    match,
                    limit=limit,
                    now_micros=self.now,
                    as_of_micros=as_of_micros,
                    include_superseded=include_superseded,
                    include_expired=include_expired,
                    with_vectors=True,
                    **position,
                )
                assert len(page) <= limit
                listed += page
                if len(page) < limit:
                    break
                position = {"before_id": page[-1].memory_id, "before_version": page[-1].version}
        assert [replace(memory, embedding_model=None) for memory in listed] == expected

    @rule(tenant=st.sampled_from(TENANTS), scope=ASKED, match=st.sampled_from(list(ScopeMatch)))
    def partitions_hold_what_is_selected(self, tenant, scope, match):
        selected = {
            known.latest.scope.partition(tenant)
            for known in self.memories.values()
            if known.tenant == tenant and scope.selects(known.latest.scope, match)
        }
        assert set(self.store.partitions(tenant, scope, match)) == selected

    @rule(tenant=st.sampled_from(TENANTS), scope=ASKED, limit=st.integers(1, 4))
    def list_scopes(self, tenant, scope, limit):
        counts: dict[Scope, list[int]] = {}
        for known in self.memories.values():
            memory = known.latest
            holds = not known.is_deleted and memory.valid_to_micros is None
            if known.tenant == tenant and holds and scope.selects(memory.scope, ScopeMatch.EXACT):
                counts.setdefault(memory.scope, []).append(memory.create_time_micros)
        order = sorted(counts, key=lambda s: (s.user_id or "", s.agent_id or "", s.app_id or "", s.session_id or ""))
        expected = [(carried, len(counts[carried]), min(counts[carried]), max(counts[carried])) for carried in order]
        listed, after = [], None
        while page := self.store.list_scopes(tenant, scope, limit=limit, after=after):
            listed += [
                (entry.scope, entry.memory_count, entry.first_create_time_micros, entry.last_create_time_micros)
                for entry in page
            ]
            after = page[-1].scope
        assert listed == expected

    @invariant()
    def everything_reads_back(self):
        assert self.store.revision() == self.revision
        for tenant in TENANTS:
            mine = {key: known for key, known in self.memories.items() if known.tenant == tenant}
            alive = {key: known.latest for key, known in mine.items() if not known.is_deleted}
            assert self.store.get(tenant, list(self.memories)) == alive
        for memory_id, known in self.memories.items():
            entries = self.store.history(known.tenant, memory_id)
            assert [(entry.change, entry.memory.version, entry.revision) for entry in entries] == known.history
            other = TENANTS[known.tenant == TENANTS[0]]
            assert self.store.history(other, memory_id) == []

    @invariant()
    def partitions_read_back(self):
        keys = {known.latest.scope.partition(known.tenant) for known in self.memories.values()}
        assert set(self.store.all_partitions()) == keys
        for key in keys:
            rows, revision = self.store.partition_rows(key)
            assert revision == self.revision
            expected = [
                (memory, self.vectors.get((MODEL, memory.memory_id, memory.version)))
                for known in self.memories.values()
                if not known.is_deleted and known.latest.scope.partition(known.tenant) == key
                for memory in known.versions
            ]
            assert sorted(rows, key=_place) == sorted(expected, key=_place)
            assert [memory.revision for memory, _ in rows] == sorted(memory.revision for memory, _ in rows)

    @invariant()
    def missing_vectors_are_known(self):
        for model in self.models:
            missing = {
                (memory.memory_id, memory.version)
                for known in self.memories.values()
                if not known.is_deleted
                for memory in known.versions
                if (model, memory.memory_id, memory.version) not in self.vectors
            }
            listed = self.store.versions_without_vector(model, limit=10_000)
            assert {(memory.memory_id, memory.version) for memory in listed} == missing
            assert self.store.count_without_vector(model) == len(listed) == len(missing)


def _place(row):
    return (row[0].memory_id, row[0].version)


StoreMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestStoreMachine = StoreMachine.TestCase
