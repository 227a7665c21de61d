"""A search that is answered natively is answered as Python answers it; the common ones are."""

import itertools
import time

import numpy as np
import pytest
from hostile_requests import searches as hostile_searches
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from native_support import principal

from mnemic import _core
from mnemic.model.memory import MemoryInput, MemoryKind, Role
from mnemic.model.requests import MemoryUpdate
from mnemic.model.scope import Scope
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import query_pb2, resources_pb2

DIMENSION = 256
SECOND = 1_000_000
WORDS = [
    "banana",
    "apple",
    "Anna",
    "Berlin",
    "train",
    "the",
    "tea",
    "coffee",
    "runs",
    "Monday",
    "id-4711",
    "yesterday",
    "When did",
]
optional_user = st.sampled_from([None, "u", "v"])
optional_other = st.sampled_from([None, None, "x", "y"])
carried = st.builds(
    Scope, user_id=optional_user, agent_id=optional_other, session_id=optional_other, app_id=optional_other
).filter(lambda scope: not scope.is_empty)
asked_scopes = st.builds(
    resources_pb2.Scope,
    user_id=optional_user,
    agent_id=optional_other,
    session_id=optional_other,
    app_id=optional_other,
)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
directions = st.integers(0, 20)
times = st.integers(-3, 3).map(lambda days: 1_700_000_000 * SECOND + days * 86_400 * SECOND)
metadata = st.dictionaries(
    st.sampled_from(["k", "l"]),
    st.sampled_from(["a", "ä", 1, 2, 1.5, True, ("a", "b"), "", ()]),
    max_size=2,
)
inputs = st.builds(
    MemoryInput,
    body=texts,
    kind=st.sampled_from(list(MemoryKind)),
    role=st.sampled_from([None, *Role]),
    name=st.sampled_from(["", "Anna", "Ben"]),
    event_time_micros=st.none() | times,
    metadata=metadata,
    categories=st.lists(st.sampled_from(["food", "travel"]), max_size=2, unique=True).map(tuple),
    entities=st.lists(st.sampled_from(["Berlin", "Anna"]), max_size=2, unique=True).map(tuple),
    importance=st.sampled_from([0.0, 0.5, 1.0]),
)
values = st.sampled_from(["a", "food", "fact", "u", "x", 1, 1.5, True])
comparisons = st.builds(
    lambda field, operator, value: query_pb2.Filter(
        comparison=query_pb2.Comparison(field=field, operator=operator, values=[value])
    ),
    field=st.sampled_from(["metadata.k", "metadata.l", "category", "kind", "user_id", "session_id", "entity", "name"]),
    operator=st.integers(1, 10),
    value=values.map(
        lambda value: resources_pb2.MetadataValue(
            **{
                {str: "string_value", bool: "boolean_value", int: "integer_value", float: "number_value"}[
                    type(value)
                ]: value
            }
        )
    ),
)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(lambda child: query_pb2.Filter(negation=child), inner),
        st.builds(
            lambda children: query_pb2.Filter(all_of=query_pb2.FilterList(filters=children)),
            st.lists(inner, min_size=1, max_size=2),
        ),
        st.builds(
            lambda children: query_pb2.Filter(any_of=query_pb2.FilterList(filters=children)),
            st.lists(inner, min_size=1, max_size=2),
        ),
    ),
    max_leaves=3,
)
weights = st.none() | st.builds(
    query_pb2.SignalWeights,
    vector=st.sampled_from([None, 0.0, 0.3, 1.0]),
    lexical=st.sampled_from([None, 0.0, 0.3]),
    entity=st.sampled_from([None, 0.0, 0.2]),
    time=st.sampled_from([None, 0.3]),
    actor=st.sampled_from([None, 0.0, 0.2]),
    recency=st.sampled_from([None, 0.0, 0.1]),
    context=st.sampled_from([None, 0.0, 0.4]),
)
PARTS = ["scope", "metadata", "categories", "source_ids", "entities", "slot", "validity"]


def vector_of(direction: int) -> bytes:
    """A vector that is not of unit length; 0 is none."""
    if direction == 0:
        return b""
    return (3.0 * np.random.default_rng(direction).normal(size=DIMENSION)).astype("<f4").tobytes()


@st.composite
def requests(draw) -> pb.SearchMemoriesRequest:
    return pb.SearchMemoriesRequest(
        scope=draw(asked_scopes),
        match=draw(st.sampled_from([0, 0, 1, 2])),
        query=draw(st.just("") | texts | texts),
        vector=vector_of(draw(directions)),
        filter=draw(st.none() | filters),
        as_of=draw(st.none() | st.none() | times.map(lambda micros: {"seconds": micros // SECOND})),
        top_k=draw(st.sampled_from([None, 1, 3, 1000])),
        profile=draw(st.sampled_from(["", "balanced", "fast", "precise", "semantic", "lexical"])),
        weights=draw(weights),
        min_score=draw(st.sampled_from([None, 0.0, 0.4, 1.0])),
        separate=draw(st.booleans()),
        min_confidence=draw(st.sampled_from([None, None, 0.3, 1.0])),
        explain=draw(st.booleans()),
        include_superseded=draw(st.booleans()),
        context_window=draw(st.sampled_from([0, 0, 1, 10])),
        reference_time=draw(st.none() | times.map(lambda micros: {"seconds": micros // SECOND})),
        read_mask={"paths": draw(st.lists(st.sampled_from(PARTS), max_size=3))},
    )


tenant_numbers = itertools.count()


def fill(engine, tenant: str, added, data) -> list[str]:
    """Adds memories, and updates and deletes some; the ids of all."""
    ids = []
    for scope, item, direction in added:
        vector = vector_of(direction) or None
        given_vector = MemoryInput(**{name: getattr(item, name) for name in item.__slots__} | {"vector": vector})
        ids.append(engine.add(tenant, scope, [given_vector]).memories[0].memory_id)
    for memory_id in data.draw(st.lists(st.sampled_from(ids), max_size=3, unique=True)):
        changes = MemoryUpdate(fields=frozenset({"body"}), body="a changed banana")
        engine.update(tenant, memory_id, changes)
    for memory_id in data.draw(st.lists(st.sampled_from(ids), max_size=2, unique=True)):
        engine.delete(tenant, memory_id)
    return ids


@given(
    added=st.lists(st.tuples(carried, inputs, directions), min_size=1, max_size=12),
    asked=st.lists(requests(), min_size=1, max_size=6),
    data=st.data(),
)
@hypothesis_settings(max_examples=100)
def test_native_searches_equal_those_of_python(both, added, asked, data):
    tenant = f"tenant {next(tenant_numbers)}"
    fill(both.engine, tenant, added, data)
    for request in asked:
        expected = both.of_python(request, tenant)
        is_native = both.agree(request, tenant)
        # Refused by Python, or only the store knows where to look.
        is_relayed = expected is None or (request.match == 2 and not request.scope.HasField("user_id"))
        assert is_native == (not is_relayed), request
    batch = pb.BatchSearchMemoriesRequest(searches=asked)
    expected = both.of_python(batch, tenant)
    store_knows = any(search.match == 2 and not search.scope.HasField("user_id") for search in asked)
    assert both.agree(batch, tenant) == (expected is not None and not store_knows)


@given(request=hostile_searches)
@hypothesis_settings(max_examples=400)
def test_what_python_refuses_is_never_answered_natively(both, request):
    both.agree(request, "hostile")
    both.agree(pb.BatchSearchMemoriesRequest(searches=[request]), "hostile")


@given(
    added=st.lists(st.tuples(carried, inputs, directions), min_size=1, max_size=12),
    request=requests(),
    restriction=st.fixed_dictionaries(
        {}, optional={"user_id": st.sampled_from(["u", "v"]), "session_id": st.just("x"), "agent_id": st.just("y")}
    ).filter(bool),
    data=st.data(),
)
def test_a_restricted_credential_finds_what_carries_its_ids(both, added, request, restriction, data):
    tenant = f"tenant {next(tenant_numbers)}"
    fill(both.engine, tenant, added, data)
    caller = principal(tenant, **restriction)
    expected = both.of_python(request, caller)
    asked = {name: getattr(request.scope, name) for name in restriction if request.scope.HasField(name)}
    if request.match == 2:
        # Ids that are not asked for are taken from the restriction; only the store knows where a user's are not.
        is_sure = (restriction | asked) == restriction and (
            request.scope.HasField("user_id") or "user_id" in restriction
        )
    else:
        is_sure = asked == restriction
    assert both.agree(request, caller) == (is_sure and expected is not None)


def test_another_tenant_finds_nothing(both):
    both.engine.add("one", Scope(user_id="u"), [MemoryInput(body="a banana")])
    request = pb.SearchMemoriesRequest(scope={"user_id": "u"}, query="banana")
    assert both.agree(request, "one")
    assert both.agree(request, "two")
    assert len(both.of_native(request, principal("one")).hits) == 1
    assert len(both.of_native(request, principal("two")).hits) == 0


def test_what_is_given_natively_is_counted_as_recalled(both):
    (added,) = both.engine.add("default", Scope(user_id="u"), [MemoryInput(body="a banana")]).memories
    request = pb.SearchMemoriesRequest(scope={"user_id": "u"}, query="banana")
    both.of_python(request)
    recalls = both.engine.retention.recalls
    recalls.take()
    before = recalls.figures.counted
    for _ in range(3):
        assert len(both.of_native(request).hits) == 1
    recalls.take()
    assert recalls.figures.counted == before + 3
    assert both.engine._store.retention.recalls([added.memory_id])[added.memory_id][0] >= 4


def test_a_revision_that_is_not_reached_is_relayed(both):
    added = both.engine.add("default", Scope(user_id="u"), [MemoryInput(body="a banana")])
    request = pb.SearchMemoriesRequest(scope={"user_id": "u"}, query="banana", min_revision=added.revision)
    assert both.agree(request)
    request.min_revision += 1
    assert both.of_native(request) is None


@pytest.mark.parametrize(
    "later",
    [
        {"rerank": True},
        {"context_window": 11},
        {"profile": "of tomorrow"},
        {"match": 3},
        {"match": 7},
        {"read_mask": {"paths": ["body"]}},
    ],
)
def test_what_python_has_to_say_is_relayed(both, later):
    both.engine.add("default", Scope(user_id="u"), [MemoryInput(body="a banana")])
    request = {"scope": {"user_id": "u"}, "query": "banana"}
    assert both.agree(pb.SearchMemoriesRequest(**request))
    assert both.of_native(pb.SearchMemoriesRequest(**request | later)) is None


def test_a_name_that_everybody_shares_is_embedded_by_neither(both):
    tenant = "sharing"
    said = [MemoryInput(body=f"Anna drinks tea number {number}") for number in range(20)]
    both.engine.add(tenant, Scope(user_id="u"), said)
    parts = []
    for query in ("Which tea was Anna's favourite?", "Which tea was favourite?"):
        request = pb.SearchMemoriesRequest(scope={"user_id": "u"}, query=query, explain=True)
        assert both.agree(request, tenant)
        hits = both.of_native(request, principal(tenant)).hits
        parts.append([(hit.score_parts.vector.raw, hit.score_parts.lexical.raw) for hit in hits])
    assert parts[0] == parts[1]


def test_texts_are_relayed_without_a_model_unless_they_are_known(engine, both, embedder):
    engine.add("default", Scope(user_id="u"), [MemoryInput(body="a banana")])
    by_words = pb.SearchMemoriesRequest(scope={"user_id": "u"}, query="banana", profile="lexical")
    by_meaning = pb.SearchMemoriesRequest(scope={"user_id": "u"}, query="banana")
    assert both.agree(by_words)
    both.native = engine.native_answers()
    assert both.agree(by_words)
    assert not both.agree(by_meaning)
    installed = engine.stats().model
    cache = _core.VectorCache(installed, DIMENSION, 10)
    both.native = engine.native_answers(_core.QueryEmbedder(cache, None, threads=1, queue=1))
    assert not both.agree(by_meaning)


def test_a_batch_is_answered_whole_or_not_at_all(both):
    both.engine.add("default", Scope(user_id="u"), [MemoryInput(body="a banana")])
    good = pb.SearchMemoriesRequest(scope={"user_id": "u"}, query="banana")
    elsewhere = pb.SearchMemoriesRequest(scope={"user_id": "never seen"}, query="banana")
    assert both.agree(pb.BatchSearchMemoriesRequest(searches=[good] * 100))
    assert both.of_native(pb.BatchSearchMemoriesRequest(searches=[good, elsewhere])) is None
    assert both.of_native(pb.BatchSearchMemoriesRequest(searches=[good] * 101)) is None
    assert both.of_native(pb.BatchSearchMemoriesRequest()) is None


def test_what_expires_is_not_found_natively_either(both):
    soon = time.time_ns() // 1000 + 300_000
    item = MemoryInput(body="a banana", expire_time_micros=soon)
    both.engine.add("default", Scope(user_id="u"), [item])
    request = pb.SearchMemoriesRequest(scope={"user_id": "u"}, query="banana")
    both.of_python(request)
    time.sleep(0.35)
    assert both.agree(request)
    assert len(both.of_native(request).hits) == 0
