"""Tenants and restricted credentials are kept apart: random calls by random callers, against a model of it."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field

import grpc
import pytest
from access_support import bearer, make_key, make_tenant, revoke, token
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.model.access import AccessRole
from mnemic.model.scope import Scope
from mnemic.server.server import MnemicServer
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import memory_service_pb2_grpc, resources_pb2

SECRET = "a secret of the tests, of no use to anyone"  # noqa: S105 (that is what it is)
TIMEOUT = 20.0
USERS = ("anna", "ben")
AGENTS = ("guide", None)
NOT_FOUND, DENIED, UNKNOWN = (
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
)


@dataclass(frozen=True)
class Caller:
    """One credential and what it may do."""

    name: str
    metadata: tuple[tuple[str, str], ...]
    tenant: str
    role: AccessRole
    within: Scope = Scope()  # noqa: RUF009 (it is frozen)
    is_good: bool = True

    def sees(self, memory: Kept) -> bool:
        return memory.tenant == self.tenant and carries(memory.scope, self.within)


@dataclass
class Kept:
    """A memory as the model knows it."""

    memory_id: str
    tenant: str
    scope: Scope
    versions: int = 1
    deleted: bool = False


@dataclass
class World:
    """A server, its callers, and what they have written."""

    stub: memory_service_pb2_grpc.MemoryServiceStub
    callers: list[Caller]
    memories: list[Kept] = field(default_factory=list)


def carries(scope: Scope, ids: Scope) -> bool:
    pairs = ((getattr(ids, name), getattr(scope, name)) for name in ("user_id", "agent_id", "session_id", "app_id"))
    return all(wanted is None or wanted == has for wanted, has in pairs)


@pytest.fixture(scope="module", params=[True, False], ids=["front", "python"])
def serving(request, tmp_path_factory):
    chosen = load_settings(
        data_directory=tmp_path_factory.mktemp("isolation") / "data",
        embedding={"provider": "static"},
        authentication={
            "mode": "keys+jwt",
            "jwt": {"algorithms": ["HS256"], "secret": SECRET, "user_claim": "sub"},
        },
    )
    with (
        Engine.open(chosen, pull_missing_model=True) as engine,
        MnemicServer(engine, ServerSettings(address="127.0.0.1:0", front=request.param)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield engine, memory_service_pb2_grpc.MemoryServiceStub(channel)


_numbers = itertools.count()


def new_world(engine, stub) -> World:
    """Two tenants of their own, with callers of every kind."""
    number = next(_numbers)
    callers = []
    for tenant in (f"a{number}", f"b{number}"):
        make_tenant(engine, tenant)
        within = Scope(user_id="anna")
        for name, role, scope in (
            ("writer", AccessRole.WRITE, Scope()),
            ("reader", AccessRole.READ, Scope()),
            ("anna's", AccessRole.WRITE, within),
            ("the guide's", AccessRole.WRITE, Scope(agent_id="guide")),
        ):
            key = make_key(engine, role, tenant, scope)
            callers.append(Caller(f"{name} key of {tenant}", key.metadata, tenant, role, scope))
        for user in USERS:
            metadata = bearer(token(tenant=tenant, role="write", sub=user))
            callers.append(Caller(f"{user}'s token", metadata, tenant, AccessRole.WRITE, Scope(user_id=user)))
        gone = make_key(engine, AccessRole.WRITE, tenant)
        revoke(engine, gone)
        old = bearer(token(tenant=tenant, role="write", sub="anna", exp=1))
        callers.append(Caller("revoked", gone.metadata, tenant, AccessRole.WRITE, is_good=False))
        callers.append(Caller("expired", old, tenant, AccessRole.WRITE, is_good=False))
    return World(stub, callers)


def message_of(scope: Scope) -> resources_pb2.Scope:
    return resources_pb2.Scope(user_id=scope.user_id, agent_id=scope.agent_id)


def ask(method, request, caller):
    """The answer, or the code of its refusal."""
    try:
        return method(request, metadata=caller.metadata, timeout=TIMEOUT)
    except grpc.RpcError as error:
        return error.code()


def expected_refusal(caller: Caller, *, writes: bool) -> grpc.StatusCode | None:
    if not caller.is_good:
        return UNKNOWN
    return DENIED if writes and caller.role < AccessRole.WRITE else None


def add(world: World, caller: Caller, scope: Scope) -> None:
    answer = ask(world.stub.AddMemories, pb.AddMemoriesRequest(scope=message_of(scope), texts=["green tea"]), caller)
    refusal = expected_refusal(caller, writes=True) or (None if carries(scope, caller.within) else DENIED)
    if refusal is not None:
        assert answer is refusal
        return
    (added,) = answer.memories
    world.memories.append(Kept(added.memory_id, caller.tenant, scope))


def read_one(world: World, caller: Caller, memory: Kept) -> None:
    refusal = expected_refusal(caller, writes=False)
    found = caller.sees(memory) and not memory.deleted
    got = ask(world.stub.GetMemory, pb.GetMemoryRequest(memory_id=memory.memory_id), caller)
    assert (got is (refusal or NOT_FOUND)) if refusal or not found else got.memory.memory_id == memory.memory_id
    both = pb.BatchGetMemoriesRequest(memory_ids=[memory.memory_id, str(uuid.uuid4())])
    got = ask(world.stub.BatchGetMemories, both, caller)
    if refusal:
        assert got is refusal
    else:
        assert [item.memory_id for item in got.memories] == ([memory.memory_id] if found else [])
    got = ask(world.stub.GetMemoryHistory, pb.GetMemoryHistoryRequest(memory_id=memory.memory_id), caller)
    if refusal or not caller.sees(memory):
        assert got is (refusal or NOT_FOUND)
    else:
        assert len(got.revisions) == memory.versions + memory.deleted


def change(world: World, caller: Caller, memory: Kept) -> None:
    request = pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=memory.memory_id, body="black tea"))
    answer = ask(world.stub.UpdateMemory, request, caller)
    refusal = expected_refusal(caller, writes=True)
    if refusal or memory.deleted or not caller.sees(memory):
        assert answer is (refusal or NOT_FOUND)
    else:
        memory.versions += 1
        assert answer.memory.version == memory.versions


def remove(world: World, caller: Caller, memory: Kept) -> None:
    answer = ask(world.stub.DeleteMemory, pb.DeleteMemoryRequest(memory_id=memory.memory_id), caller)
    refusal = expected_refusal(caller, writes=True)
    if refusal or memory.deleted or not caller.sees(memory):
        assert answer is (refusal or NOT_FOUND)
    else:
        memory.deleted = True


def look_around(world: World, caller: Caller, scope: Scope, match: int) -> None:
    """Searches, lists and counts what a scope selects."""
    whole_tenant = match == resources_pb2.SCOPE_MATCH_TENANT
    refusal = expected_refusal(caller, writes=False)
    if whole_tenant and refusal is None and not caller.within.is_empty:
        refusal = DENIED
    asked = None if whole_tenant else message_of(scope)
    search = pb.SearchMemoriesRequest(scope=asked, match=match, query="tea", top_k=100, separate=True)
    found = ask(world.stub.SearchMemories, search, caller)
    listed = ask(world.stub.ListMemories, pb.ListMemoriesRequest(scope=asked, match=match, page_size=1000), caller)
    batch = ask(world.stub.BatchSearchMemories, pb.BatchSearchMemoriesRequest(searches=[search]), caller)
    if refusal:
        assert {found, listed, batch} == {refusal}
        return
    expected = {memory.memory_id for memory in world.memories if is_selected(memory, caller, scope, match)}
    assert {hit.memory_id for hit in found.hits} == expected
    assert {hit.memory_id for hit in batch.results[0].hits} == expected
    assert {memory.memory_id for memory in listed.memories} == expected


def is_selected(memory: Kept, caller: Caller, scope: Scope, match: int) -> bool:
    if memory.deleted or not caller.sees(memory):
        return False
    if match == resources_pb2.SCOPE_MATCH_TENANT:
        return True
    if match == resources_pb2.SCOPE_MATCH_EXACT:
        return carries(memory.scope, scope)
    return carries(scope, memory.scope)


def list_scopes(world: World, caller: Caller, scope: Scope | None) -> None:
    asked = None if scope is None else message_of(scope)
    answer = ask(world.stub.ListScopes, pb.ListScopesRequest(scope=asked), caller)
    refusal = expected_refusal(caller, writes=False)
    if refusal:
        assert answer is refusal
        return
    seen = [memory for memory in world.memories if caller.sees(memory) and not memory.deleted]
    expected = {
        (memory.scope.user_id, memory.scope.agent_id) for memory in seen if carries(memory.scope, scope or Scope())
    }
    found = {
        (
            item.scope.user_id if item.scope.HasField("user_id") else None,
            item.scope.agent_id if item.scope.HasField("agent_id") else None,
        )
        for item in answer.scopes
    }
    assert found == expected


scopes = st.builds(Scope, user_id=st.sampled_from((*USERS, None)), agent_id=st.sampled_from(AGENTS)).filter(
    lambda scope: not scope.is_empty
)
steps = st.one_of(
    st.tuples(st.just("add"), scopes),
    st.tuples(st.just("add"), scopes),
    st.tuples(st.just("read"), st.integers(0, 50)),
    st.tuples(st.just("change"), st.integers(0, 50)),
    st.tuples(st.just("remove"), st.integers(0, 50)),
    st.tuples(st.just("look"), scopes, st.sampled_from((1, 2, 3))),
    st.tuples(st.just("scopes"), st.none() | scopes),
)


@settings(max_examples=25)
@given(calls=st.lists(st.tuples(st.integers(0, 15), steps), min_size=10, max_size=40))
def test_no_caller_sees_or_changes_what_is_not_its_own(serving, calls):
    world = new_world(*serving)
    on_memory = {"read": read_one, "change": change, "remove": remove}
    for which, (name, *arguments) in calls:
        caller = world.callers[which]
        if name == "add":
            add(world, caller, *arguments)
        elif name == "look":
            look_around(world, caller, *arguments)
        elif name == "scopes":
            list_scopes(world, caller, *arguments)
        elif world.memories:
            on_memory[name](world, caller, world.memories[arguments[0] % len(world.memories)])


def test_a_foreign_id_answers_as_an_absent_one_does(serving):
    """Word for word, but for the id that the caller gave."""
    world = new_world(*serving)
    mine, foreign = world.callers[0], world.callers[8]
    assert mine.tenant != foreign.tenant
    restricted = world.callers[2]
    add(world, foreign, Scope(user_id="anna"))
    add(world, mine, Scope(user_id="ben"))
    theirs, bens = world.memories
    absent = str(uuid.uuid4())
    for caller, memory_id in ((mine, theirs.memory_id), (restricted, bens.memory_id)):
        for method, request in (
            (world.stub.GetMemory, pb.GetMemoryRequest),
            (world.stub.GetMemoryHistory, pb.GetMemoryHistoryRequest),
            (world.stub.DeleteMemory, pb.DeleteMemoryRequest),
        ):
            details = []
            for asked in (memory_id, absent):
                with pytest.raises(grpc.RpcError) as caught:
                    method(request(memory_id=asked), metadata=caller.metadata, timeout=TIMEOUT)
                trailers = dict(caught.value.trailing_metadata())
                status = trailers["grpc-status-details-bin"].replace(asked.encode(), b"ID")
                details.append((caught.value.code(), caught.value.details().replace(asked, "ID"), status))
            assert details[0] == details[1]


def test_answers_kept_for_replay_are_told_to_nobody_who_may_not_see_the_memory(serving):
    world = new_world(*serving)
    writer, annas = world.callers[0], world.callers[2]
    add(world, writer, Scope(user_id="ben"))
    (memory,) = world.memories
    update = pb.UpdateMemoryRequest(
        memory=resources_pb2.Memory(memory_id=memory.memory_id, body="secret"), request_id=str(uuid.uuid4())
    )
    delete = pb.DeleteMemoryRequest(memory_id=memory.memory_id, request_id=str(uuid.uuid4()))
    for method, request in ((world.stub.UpdateMemory, update), (world.stub.DeleteMemory, delete)):
        method(request, metadata=writer.metadata, timeout=TIMEOUT)
        assert method(request, metadata=writer.metadata, timeout=TIMEOUT).replayed
        assert ask(method, request, annas) is NOT_FOUND


def test_a_restricted_writer_names_no_sources_that_it_cannot_see(serving):
    world = new_world(*serving)
    writer, annas = world.callers[0], world.callers[2]
    add(world, writer, Scope(user_id="ben"))
    request = pb.AddMemoriesRequest(
        scope=resources_pb2.Scope(user_id="anna"),
        memories=[pb.MemoryInput(body="so", source_ids=[world.memories[0].memory_id])],
    )
    assert ask(world.stub.AddMemories, request, annas) is NOT_FOUND
