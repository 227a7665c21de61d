"""What one writer of the fault campaign does to one user's memories, and what must therefore be true of them.

A story is told call after call. Every mutation carries a `request_id`: a call whose answer the kill swallowed is
sent again to the next server, so that after it exactly one outcome is possible and is demanded.
"""

from __future__ import annotations

import random
import uuid

from google.protobuf.duration_pb2 import Duration

from mnemic.v1 import admin_service_pb2 as admin
from mnemic.v1 import admin_service_pb2_grpc as admin_service
from mnemic.v1 import lifecycle_service_pb2 as lifecycle
from mnemic.v1 import lifecycle_service_pb2_grpc as lifecycle_service
from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import memory_service_pb2_grpc as memory_service
from mnemic.v1 import query_pb2, resources_pb2

KEPT_PER_SCOPE = 20
TIMEOUT_SECONDS = 60


class Stubs:
    """The services of one server."""

    def __init__(self, channel):
        self.memories = memory_service.MemoryServiceStub(channel)
        self.lifecycle = lifecycle_service.LifecycleServiceStub(channel)
        self.admin = admin_service.AdminServiceStub(channel)


def new_token(chance):
    """A word that stands nowhere else, and that a search of raw bytes can recognise."""
    return f"tok{chance.getrandbits(64):016x}"


class Story:
    """One user's memories.

    Args:
        chance: The only source of chance.
        forbidden: Words that were erased for good; shared by all stories.
    """

    # Whether the user's id is nowhere any more when the user is erased.
    erases_name = True

    def __init__(self, chance: random.Random, forbidden: set[str]) -> None:
        self.chance = chance
        self.forbidden = forbidden
        self.counts: dict[str, int] = {}
        self.doubt = None
        self._begin()

    def _begin(self):
        self.user = f"user-{new_token(self.chance)}"
        self.alive: dict[str, str] = {}
        self.pinned: set[str] = set()
        self.superseded: dict[str, str] = {}
        self.deleted: dict[str, str] = {}
        self.said: dict[str, set[str]] = {}
        self.current_fact = None

    @property
    def scope(self):
        return resources_pb2.Scope(user_id=self.user)

    def step(self, stubs):
        """One call: the one in doubt again, else a new one."""
        if self.doubt is None:
            steps = (
                (40, self._add), (3, self._add_many), (12, self._fact), (10, self._update), (10, self._delete),
                (6, self._restore), (4, self._erase_memory), (3, self._erase_user), (8, self._search),
            )  # fmt: skip
            self.doubt = self.chance.choices([made for _, made in steps], [weight for weight, _ in steps])[0]()
        if self.doubt is not None:
            name, call, apply = self.doubt
            apply(call(stubs))
            self.counts[name] = self.counts.get(name, 0) + 1
            self.doubt = None

    def _holds(self, memory_id, body, *more):
        self.alive[memory_id] = body
        self.said.setdefault(memory_id, set()).update((_token_of(body), *more))

    def _body(self):
        return f"note {new_token(self.chance)} of {self.chance.randrange(1000)}"

    def _adding(self, name, inputs, apply):
        request = messages.AddMemoriesRequest(scope=self.scope, memories=inputs, request_id=str(uuid.uuid4()))
        return name, lambda stubs: stubs.memories.AddMemories(request, timeout=TIMEOUT_SECONDS), apply

    def _add(self, count=None):
        bodies = [self._body() for _ in range(count or self.chance.randint(1, 5))]
        pins = [self.chance.random() < 0.05 for _ in bodies]
        inputs = [messages.MemoryInput(body=body, pinned=pin) for body, pin in zip(bodies, pins, strict=True)]

        def apply(answer):
            for memory, body, pin in zip(answer.memories, bodies, pins, strict=True):
                self._holds(memory.memory_id, body)
                if pin:
                    self.pinned.add(memory.memory_id)

        return self._adding("add", inputs, apply)

    def _add_many(self):
        return self._add(200)

    def _fact(self):
        body, home = self._body(), new_token(self.chance)
        made = messages.MemoryInput(body=body, kind=resources_pb2.MEMORY_KIND_FACT, slot="user.home", slot_value=home)

        def apply(answer):
            if self.current_fact is not None:
                self.superseded[self.current_fact] = self.alive.pop(self.current_fact)
            self.current_fact = answer.memories[0].memory_id
            self._holds(self.current_fact, body, home)

        return self._adding("supersede", [made], apply)

    def _any_alive(self):
        choices = [key for key in self.alive if key != self.current_fact]
        return self.chance.choice(choices) if choices else None

    def _update(self):
        memory_id = self._any_alive()
        if memory_id is None:
            return None
        body = self._body()
        request = messages.UpdateMemoryRequest(
            memory=resources_pb2.Memory(memory_id=memory_id, body=body),
            update_mask={"paths": ["body"]},
            request_id=str(uuid.uuid4()),
        )
        return (
            "update",
            lambda stubs: stubs.memories.UpdateMemory(request, timeout=TIMEOUT_SECONDS),
            lambda _: self._holds(memory_id, body),
        )

    def _delete(self):
        memory_id = self._any_alive()
        if memory_id is None:
            return None
        request = messages.DeleteMemoryRequest(memory_id=memory_id, request_id=str(uuid.uuid4()))
        return (
            "delete",
            lambda stubs: stubs.memories.DeleteMemory(request, timeout=TIMEOUT_SECONDS),
            lambda _: self.deleted.update({memory_id: self.alive.pop(memory_id)}),
        )

    def _restore(self):
        if not self.deleted:
            return None
        memory_id = self.chance.choice(sorted(self.deleted))
        request = messages.RestoreMemoryRequest(memory_id=memory_id, request_id=str(uuid.uuid4()))
        return (
            "restore",
            lambda stubs: stubs.memories.RestoreMemory(request, timeout=TIMEOUT_SECONDS),
            lambda _: self.alive.update({memory_id: self.deleted.pop(memory_id)}),
        )

    def _erasing(self, name, apply, **target):
        request = lifecycle.EraseScopeRequest(**target, reason="fault campaign", request_id=str(uuid.uuid4()))

        def checked(answer):
            assert answer.erasure.state == resources_pb2.OPERATION_STATE_DONE, answer.erasure
            assert answer.receipt.signature, "a finished erasure has a receipt"
            apply()

        return name, lambda stubs: stubs.lifecycle.EraseScope(request, timeout=TIMEOUT_SECONDS), checked

    def _erase_memory(self):
        memory_id = self._any_alive()
        if memory_id is None:
            return None

        def apply():
            self.pinned.discard(memory_id)
            del self.alive[memory_id]
            self.forbidden |= self.said.pop(memory_id)

        return self._erasing("erase memory", apply, memory_id=memory_id)

    def _erase_user(self):
        def apply():
            self.forbidden |= set().union(*self.said.values())
            if self.erases_name:
                self.forbidden.add(self.user.removeprefix("user-"))
            self._begin()

        return self._erasing("erase user", apply, scope=self.scope) if self.alive else None

    def _search(self):
        request = messages.SearchMemoriesRequest(scope=self.scope, query="note", top_k=10)
        return "search", lambda stubs: stubs.memories.SearchMemories(request, timeout=TIMEOUT_SECONDS), lambda _: None

    def verify(self, stubs):
        """Demands of the server all that was acknowledged, and that its index says what its store says."""
        if self.doubt is not None:
            self.step(stubs)
        stored = listed(stubs, self.scope)
        assert stored == self.alive, difference(stored, self.alive)
        everything = listed(stubs, self.scope, include_superseded=True)
        assert self.superseded.keys() <= everything.keys()
        assert not self.deleted.keys() & everything.keys()
        sample = self.chance.sample(sorted(self.alive), min(3, len(self.alive)))
        for memory_id in sample:
            assert memory_id in found(stubs, self.scope, self.alive[memory_id])
        if self.deleted:
            memory_id = self.chance.choice(sorted(self.deleted))
            assert memory_id not in found(stubs, self.scope, self.deleted[memory_id])


class BudgetStory(Story):
    """A user whose memories a policy bounds: what is over the budget is archived, pinned ones never."""

    # The policy names the user, and stays.
    erases_name = False

    def _begin(self):
        super()._begin()
        self.policy_id = self.user.replace("user-", "policy-")
        self.has_policy = False

    def step(self, stubs):
        if self.doubt is None and (not self.has_policy or self.chance.random() < 0.1):
            self.doubt = self._run() if self.has_policy else self._set_policy()
        super().step(stubs)

    def _set_policy(self):
        # Only the runs that the story asks for apply it, so that it knows when.
        policy = lifecycle.RetentionPolicy(
            policy_id=self.policy_id, scope=self.scope, max_memories_per_scope=KEPT_PER_SCOPE, disabled=True
        )
        request = lifecycle.SetRetentionPolicyRequest(policy=policy, request_id=str(uuid.uuid4()))

        def apply(_):
            self.has_policy = True

        return "policy", lambda stubs: stubs.lifecycle.SetRetentionPolicy(request, timeout=TIMEOUT_SECONDS), apply

    def _run(self):
        request = lifecycle.RunRetentionRequest(policy_ids=[self.policy_id], request_id=str(uuid.uuid4()))

        def call(stubs):
            run = stubs.lifecycle.RunRetention(request, timeout=TIMEOUT_SECONDS).run
            waiting = lifecycle.GetRetentionRunRequest(run_id=run.run_id, wait=Duration(seconds=30))
            run = stubs.lifecycle.GetRetentionRun(waiting, timeout=TIMEOUT_SECONDS).run
            assert run.state == resources_pb2.OPERATION_STATE_DONE, run
            return listed(stubs, self.scope, include_superseded=True)

        def apply(stored):
            kept = {**self.alive, **self.superseded}
            assert stored.keys() <= kept.keys()
            assert len(stored) <= max(KEPT_PER_SCOPE, len(self.pinned & stored.keys()))
            assert self.pinned & self.alive.keys() <= stored.keys(), "a pinned memory was archived"
            for bodies in (self.alive, self.superseded):
                for memory_id in bodies.keys() - stored.keys():
                    # What is archived can be restored, as what was deleted; a retired fact comes back as one.
                    body = bodies.pop(memory_id)
                    if bodies is self.alive and memory_id != self.current_fact:
                        self.deleted[memory_id] = body
            if self.current_fact not in self.alive:
                self.current_fact = None

        return "retention", call, apply


def backup(stubs):
    """A whole backup, streamed; tells its size."""
    request = admin.CreateBackupRequest(destination=admin.BACKUP_DESTINATION_STREAM, request_id=str(uuid.uuid4()))
    return sum(len(step.data) for step in stubs.admin.CreateBackup(request, timeout=TIMEOUT_SECONDS))


def listed(stubs, scope, **options):
    """All current memories of the scope: id to body."""
    stored, token = {}, ""
    while True:
        request = messages.ListMemoriesRequest(scope=scope, page_size=1000, page_token=token, **options)
        page = stubs.memories.ListMemories(request, timeout=TIMEOUT_SECONDS)
        stored |= {memory.memory_id: memory.body for memory in page.memories}
        token = page.next_page_token
        if not token:
            return stored


def found(stubs, scope, body):
    """The ids that a search for the body gives, by words and meaning."""
    request = messages.SearchMemoriesRequest(
        scope=scope, query=body, top_k=20, separate=True, weights=query_pb2.SignalWeights(context=0)
    )
    return {hit.memory_id for hit in stubs.memories.SearchMemories(request, timeout=TIMEOUT_SECONDS).hits}


def difference(stored, expected):
    """For people: what is too much, too little or other than it was acknowledged."""
    return {
        "not acknowledged, yet there": {key: stored[key] for key in stored.keys() - expected.keys()},
        "acknowledged, and lost": {key: expected[key] for key in expected.keys() - stored.keys()},
        "other": {
            key: (stored[key], expected[key]) for key in stored.keys() & expected.keys() if stored[key] != expected[key]
        },
    }


def _token_of(body):
    return body.split()[1]
