"""Every kind of bad input gets its error: the field, why, and what would be accepted."""

import math
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemic.engine.identifiers import IdentifierSource
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.filters import AllOf, Comparison, Not, Operator
from mnemic.model.memory import MemoryInput
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SIGNALS, SearchRequest, SignalWeights

USER = Scope(user_id="u")
NOW = time.time_ns() // 1000


def adding(**values):
    return lambda engine: engine.add("t", USER, [MemoryInput(**{"body": "x"} | values)])


def adding_to(scope):
    return lambda engine: engine.add("t", scope, [MemoryInput(body="x")])


def searching(**values):
    return lambda engine: engine.search("t", SearchRequest(**{"scope": USER, "query": "x"} | values))


def vector(*values, dimension=256):
    return struct.pack(f"<{dimension}f", *values, *[0.0] * (dimension - len(values)))


def nested(depth):
    node = Comparison("name", Operator.EQUAL, ("x",))
    for _ in range(depth):
        node = Not(node)
    return node


BAD = {
    "no memories": (lambda engine: engine.add("t", USER, []), Reason.INVALID_FIELD, "memories"),
    "empty text": (adding(body=""), Reason.INVALID_FIELD, "memories[0].body"),
    "white text": (adding(body=" \n\t"), Reason.INVALID_FIELD, "memories[0].body"),
    "NUL": (adding(body="a\x00b"), Reason.INVALID_FIELD, "memories[0].body"),
    "lone surrogate": (adding(body="a\ud800"), Reason.MALFORMED_MESSAGE, "memories[0].body"),
    "oversized": (adding(body="é" * 20_000), Reason.BODY_TOO_LARGE, "memories[0].body"),
    "no scope": (adding_to(Scope()), Reason.SCOPE_MISSING, "scope"),
    "empty id": (adding_to(Scope(user_id="")), Reason.INVALID_FIELD, "scope.user_id"),
    "blank id": (adding_to(Scope(user_id=" u")), Reason.INVALID_FIELD, "scope.user_id"),
    "control id": (adding_to(Scope(agent_id="a\x1fb")), Reason.INVALID_FIELD, "scope.agent_id"),
    "long id": (adding_to(Scope(session_id="x" * 257)), Reason.INVALID_FIELD, "scope.session_id"),
    "NaN vector": (adding(vector=vector(math.nan)), Reason.VECTOR_NOT_FINITE, "memories[0].vector"),
    "infinite vector": (adding(vector=vector(math.inf)), Reason.VECTOR_NOT_FINITE, "memories[0].vector"),
    "zero vector": (adding(vector=vector()), Reason.VECTOR_NOT_FINITE, "memories[0].vector"),
    "short vector": (adding(vector=vector(1.0, dimension=3)), Reason.DIMENSION_MISMATCH, "memories[0].vector"),
    "torn vector": (adding(vector=b"abc"), Reason.DIMENSION_MISMATCH, "memories[0].vector"),
    "past expiry": (adding(expire_time_micros=NOW - 1), Reason.INVALID_FIELD, "memories[0].expire_time"),
    "end alone": (adding(event_time_end_micros=NOW), Reason.INVALID_FIELD, "memories[0].event_time_end"),
    "year 10000": (adding(event_time_micros=1 << 62), Reason.INVALID_FIELD, "memories[0].event_time"),
    "NaN metadata": (adding(metadata={"a": math.nan}), Reason.INVALID_FIELD, "memories[0].metadata['a']"),
    "deep metadata": (adding(metadata={"a": {"b": 1}}), Reason.INVALID_FIELD, "memories[0].metadata['a']"),
    "big integer": (adding(metadata={"a": 1 << 70}), Reason.INVALID_FIELD, "memories[0].metadata['a']"),
    "big metadata": (adding(metadata={"a": "x" * 20_000}), Reason.INVALID_FIELD, "memories[0].metadata"),
    "label as text": (adding(categories="travel"), Reason.INVALID_FIELD, "memories[0].categories"),
    "importance": (adding(importance=1.5), Reason.INVALID_FIELD, "memories[0].importance"),
    "source id": (adding(source_ids=["x"]), Reason.INVALID_FIELD, "memories[0].source_ids[0]"),
    "request id": (
        lambda engine: engine.add("t", USER, [MemoryInput(body="x")], request_id="once"),
        Reason.INVALID_FIELD,
        "request_id",
    ),
    "nothing asked": (searching(query=" "), Reason.INVALID_FIELD, "query"),
    "long query": (searching(query="x" * 9000), Reason.INVALID_FIELD, "query"),
    "zero top_k": (searching(top_k=0), Reason.INVALID_FIELD, "top_k"),
    "huge top_k": (searching(top_k=10**9), Reason.INVALID_FIELD, "top_k"),
    "search no scope": (searching(scope=Scope()), Reason.SCOPE_MISSING, "scope"),
    "tenant with ids": (searching(match=ScopeMatch.TENANT), Reason.INVALID_FIELD, "scope"),
    "query vector": (searching(vector=vector(math.nan)), Reason.VECTOR_NOT_FINITE, "vector"),
    "min_score": (searching(min_score=2.0), Reason.INVALID_FIELD, "min_score"),
    "profile": (searching(profile="best"), Reason.INVALID_FIELD, "profile"),
    "weight": (searching(weights=SignalWeights(vector=-1.0)), Reason.INVALID_FIELD, "weights.vector"),
    "no weight": (
        searching(weights=SignalWeights(**dict.fromkeys(SIGNALS, 0.0))),
        Reason.INVALID_FIELD,
        "weights",
    ),
    "filter field": (searching(filter=Comparison("colour", Operator.EQUAL, ("x",))), Reason.INVALID_FILTER, None),
    "filter values": (searching(filter=Comparison("name", Operator.EQUAL, ())), Reason.INVALID_FILTER, None),
    "filter type": (searching(filter=Comparison("event_time", Operator.LESS, ("x",))), Reason.INVALID_FILTER, None),
    "filter depth": (searching(filter=nested(20)), Reason.INVALID_FILTER, None),
    "filter recursion": (searching(filter=nested(5000)), Reason.INVALID_FILTER, None),
    "empty all_of": (searching(filter=AllOf(())), Reason.INVALID_FILTER, None),
    "memory id": (lambda engine: engine.get("t", "7"), Reason.INVALID_FIELD, "memory_id"),
    "no ids": (lambda engine: engine.batch_get("t", []), Reason.INVALID_FIELD, "memory_ids"),
    "page token": (
        lambda engine: engine.list_memories("t", ListRequest(scope=USER, page_token="zzz")),  # noqa: S106 (no secret)
        Reason.INVALID_PAGE_TOKEN,
        "page_token",
    ),
    "page size": (
        lambda engine: engine.list_memories("t", ListRequest(scope=USER, page_size=-1)),
        Reason.INVALID_FIELD,
        "page_size",
    ),
    "empty update": (
        lambda engine: engine.update("t", IdentifierSource().next(), MemoryUpdate(fields=frozenset())),
        Reason.INVALID_FIELD,
        "update_mask",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_its_error(engine, name):
    call, reason, field = BAD[name]
    with pytest.raises(MnemicError) as refused:
        call(engine)
    error = refused.value
    assert error.reason is reason, error
    assert error.violations, error
    if field is not None:
        assert error.violations[0].field == field
    assert error.violations[0].description
    assert engine.revision() == 0


def test_an_oversized_body_says_the_limit_and_its_size(engine):
    with pytest.raises(MnemicError) as refused:
        adding(body="é" * 20_000)(engine)
    assert refused.value.metadata == {
        "field": "memories[0].body",
        "limit_bytes": "32768",
        "actual_bytes": "40000",
    }
    assert "40000" in refused.value.message
    assert "32768" in refused.value.message


def test_a_revision_that_never_comes_is_refused_in_time(engine):
    with pytest.raises(MnemicError) as refused:
        searching(min_revision=10**6)(engine)
    assert refused.value.reason is Reason.REVISION_NOT_REACHED
    assert refused.value.metadata["current_revision"] == "0"


@given(token=st.text(min_size=1, max_size=60))
def test_no_page_token_crashes(engine, token):
    with pytest.raises(MnemicError) as refused:
        engine.list_memories("t", ListRequest(scope=USER, page_token=token))
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN


def test_ids_increase():
    source = IdentifierSource()
    ids = [source.next() for _ in range(20_000)]
    assert ids == sorted(set(ids))
