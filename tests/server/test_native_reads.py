"""A memory that is read natively is the one that Python reads; what was seen before is read natively."""

import itertools

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from native_support import principal
from test_native_searches import carried, directions, fill, inputs

from mnemic.model.memory import MemoryInput
from mnemic.model.requests import MemoryUpdate
from mnemic.model.scope import Scope
from mnemic.server.masks import MEMORY_FIELDS
from mnemic.v1 import memory_service_pb2 as pb

tenant_numbers = itertools.count()
masks = st.lists(st.sampled_from(MEMORY_FIELDS), max_size=4)
scopes = st.fixed_dictionaries({}, optional={"user_id": st.sampled_from(["u", "v"]), "session_id": st.just("x")})


def see_all(both, tenant):
    """Searches as a client would, natively, so that the memories are known."""
    for scope in (Scope(user_id="u", agent_id="x", session_id="x", app_id="x"), Scope(user_id="v", agent_id="y")):
        ids = {name: value for name in scope.__slots__ if (value := getattr(scope, name)) is not None}
        both.agree(pb.SearchMemoriesRequest(scope=ids, query="banana apple Anna tea", top_k=1000), tenant)


@given(
    added=st.lists(st.tuples(carried, inputs, directions), min_size=1, max_size=10),
    mask=masks,
    scope=st.none() | scopes,
    restriction=scopes,
    data=st.data(),
)
@hypothesis_settings(max_examples=100)
def test_native_reads_equal_those_of_python(both, added, mask, scope, restriction, data):
    tenant = f"reads {next(tenant_numbers)}"
    ids = fill(both.engine, tenant, added, data)
    see_all(both, tenant)
    common = {"read_mask": {"paths": mask}, "scope": scope}
    for memory_id in ids:
        both.agree(pb.GetMemoryRequest(memory_id=memory_id, **common), tenant)
        both.agree(pb.GetMemoryRequest(memory_id=memory_id, **common), principal(tenant, **restriction))
    some = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=5))
    both.agree(pb.BatchGetMemoriesRequest(memory_ids=some, **common), tenant)


@pytest.fixture
def known(both):
    """A memory that a search has shown."""
    item = MemoryInput(body="a banana", metadata={"k": 1, "l": ("a", "b")}, event_time_micros=-1)
    memory_id = both.engine.add("default", Scope(user_id="u", session_id="s"), [item]).memories[0].memory_id
    both.agree(pb.SearchMemoriesRequest(scope={"user_id": "u", "session_id": "s"}, query="banana"))
    return memory_id


def test_what_a_search_has_shown_is_read_natively(both, known):
    assert both.agree(pb.GetMemoryRequest(memory_id=known))
    assert both.agree(pb.GetMemoryRequest(memory_id=known.upper()))
    assert both.agree(pb.GetMemoryRequest(memory_id=known, scope={"session_id": "s"}))
    assert both.agree(pb.BatchGetMemoriesRequest(memory_ids=[known, known]))
    assert both.of_native(pb.GetMemoryRequest(memory_id=known), principal(user_id="u")) is not None


def test_what_only_the_store_can_say_is_relayed(both, known):
    for request in (
        {"scope": {"session_id": "t"}},
        {"scope": {}},
        {"scope": {"user_id": " u"}},
        {"read_mask": {"paths": ["vector"]}},
        {"read_mask": {"paths": ["embedding_model"]}},
        {"read_mask": {"paths": ["body.text"]}},
        {"memory_id": known.replace("-", "")},
        {"memory_id": "01890000-0000-7000-8000-000000000000"},
    ):
        assert both.of_native(pb.GetMemoryRequest(**{"memory_id": known} | request)) is None
    assert both.of_native(pb.GetMemoryRequest(memory_id=known), principal(user_id="v")) is None
    assert both.of_native(pb.GetMemoryRequest(memory_id=known), principal("another tenant")) is None
    assert both.of_native(pb.BatchGetMemoriesRequest(memory_ids=[])) is None
    assert both.of_native(pb.BatchGetMemoriesRequest(memory_ids=[known] * 1001)) is None


def test_writes_are_read_at_once(both, known):
    changes = MemoryUpdate(fields=frozenset({"body"}), body="an apple")
    both.engine.update("default", known, changes)
    assert both.of_native(pb.GetMemoryRequest(memory_id=known)).memory.body == "an apple"
    assert both.agree(pb.GetMemoryRequest(memory_id=known))
    both.engine.delete("default", known)
    assert both.of_native(pb.GetMemoryRequest(memory_id=known)) is None


def test_relayed_answers_teach_where_memories_are(both):
    ids = [
        both.engine.add("default", Scope(user_id="u"), [MemoryInput(body=body)]).memories[0].memory_id
        for body in ("a banana", "an apple", "a pear")
    ]
    both.of_python(pb.SearchMemoriesRequest(scope={"user_id": "u"}, query="banana"))
    requests = [pb.GetMemoryRequest(memory_id=memory_id) for memory_id in ids]
    assert not any(both.agree(request) for request in requests)
    caller = principal()
    both.native.learn(caller, "GetMemory", both.of_python(requests[0]).SerializeToString())
    two = both.of_python(pb.BatchGetMemoriesRequest(memory_ids=ids[1:2]))
    both.native.learn(caller, "BatchGetMemories", two.SerializeToString())
    both.native.learn(caller, "GetMemory", b"no message")
    assert [both.agree(request) for request in requests] == [True, True, False]


def test_a_vector_that_came_late_leaves_the_revision(both, monkeypatch):
    """The embedding catches up in a later commit; the memory is still of the commit that wrote it."""
    engine = both.engine
    with monkeypatch.context() as unreachable:
        unreachable.setattr(
            engine._writer._embedder, "embed_if_reachable", lambda texts, _deadline: [None] * len(texts)
        )
        memory_id = engine.add("default", Scope(user_id="u"), [MemoryInput(body="a banana")]).memories[0].memory_id
    both.agree(pb.SearchMemoriesRequest(scope={"user_id": "u"}, query="banana"))
    while engine.stats().store.outbox_pending:
        engine._catch_up.work_once()
    assert both.agree(pb.GetMemoryRequest(memory_id=memory_id))
