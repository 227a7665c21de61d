"""No search returns a memory outside its tenant and scope, whatever the ids look like."""

import pytest
from core_support import HYBRID, KEY, found, memory, random_vectors, search
from hypothesis import given
from hypothesis import strategies as st

from mnemic import _core
from mnemic.model.filters import Operator
from mnemic.model.scope import OwnerKind, PartitionKey, Scope, ScopeMatch

HOSTILE = [
    "*",
    "%",
    "",
    " ",
    "a",
    "a\x1fb",
    "a\x00",
    "b",
    "../u",
    "u' OR '1'='1",
    "🙂",
    "e\u0301",
    "é",
    "None",
    "x" * 5000,
    "\n",
]
IDS = st.sampled_from(HOSTILE) | st.text(max_size=3)
SCOPES = st.builds(Scope, st.none() | IDS, st.none() | IDS, st.none() | IDS, st.none() | IDS)
CARRIED = SCOPES.filter(lambda scope: not scope.is_empty)
QUERY = random_vectors(1, 1, 4)[0].tobytes()


@given(
    carried=st.lists(st.tuples(st.sampled_from(["t", "*", ""]), CARRIED), max_size=25),
    asked=SCOPES,
    match=st.sampled_from(ScopeMatch),
    tenant=st.sampled_from(["t", "*", ""]),
    negate=st.booleans(),
)
def test_a_search_selects_what_the_model_selects(carried, asked, match, tenant, negate):
    index = _core.Index(4)
    expected = set()
    for number, (owner, scope) in enumerate(carried, 1):
        index.apply(scope.partition(owner), [(memory(number, "violin", scope=scope), QUERY)], [])
        if owner == tenant and asked.selects(scope, match):
            expected.add(number)
    partitions = list({scope.partition(tenant) for _, scope in carried})
    # A filter that holds for everything must not widen anything.
    condition = _core.Filter.comparison("metadata.absent", Operator.EXISTS, [])
    outcome = search(
        index,
        partitions=partitions,
        scope=asked,
        match=match,
        text="violin",
        vector=QUERY,
        filter=_core.Filter.negation(condition) if negate else None,
        top_k=100,
    )
    assert set(found(outcome)) == expected
    assert outcome.considered == len(expected)
    for hit in outcome.hits:
        assert hit.memory().scope == carried[int(hit.memory_id[-12:], 16) - 1][1]


@pytest.mark.parametrize("other", [id_ for id_ in HOSTILE if id_ != "a"])
@pytest.mark.parametrize("weights", [HYBRID])
def test_one_id_is_never_another(other, weights):
    index = _core.Index(4)
    for number, owner in enumerate(["a", other], 1):
        scope = Scope(user_id=owner)
        index.apply(scope.partition("t"), [(memory(number, "violin", scope=scope), QUERY)], [])
    for number, owner in enumerate(["a", other], 1):
        for match in (ScopeMatch.VISIBLE, ScopeMatch.EXACT):
            partitions = [Scope(user_id=id_).partition("t") for id_ in ("a", other)]
            outcome = search(
                index, partitions=partitions, scope=Scope(user_id=owner), match=match, text="violin", vector=QUERY
            )
            assert found(outcome) == [number]


def test_keys_that_differ_in_any_part_are_different_partitions():
    keys = [
        PartitionKey(tenant, kind, owner)
        for tenant in ("a", "b", "a\x1f1")
        for kind in OwnerKind
        for owner in ("a", "b", "", "1\x1fa")
    ]
    index = _core.Index(4)
    for number, key in enumerate(keys, 1):
        index.apply(key, [(memory(number, "violin"), None)], [])
    assert index.stats().partitions == len(keys)
    for number, key in enumerate(keys, 1):
        outcome = search(index, partitions=[key], match=ScopeMatch.TENANT, text="violin")
        assert found(outcome) == [number]


def test_partitions_of_two_tenants_are_refused():
    with pytest.raises(_core.CoreError) as refused:
        search(_core.Index(4), partitions=[KEY, KEY._replace(tenant="other")])
    assert refused.value.args[:2] == ("INVALID_FIELD", "partitions")


@pytest.mark.parametrize("partitions", [[], [KEY._replace(owner_id="nobody")]])
def test_no_partition_and_an_unknown_one_are_empty(partitions):
    index = _core.Index(4)
    index.load(KEY, [(memory(1, "violin"), None)])
    outcome = search(index, partitions=partitions, text="violin", vector=QUERY)
    assert (outcome.hits, outcome.considered) == ([], 0)


def test_a_partition_named_twice_counts_once():
    index = _core.Index(4)
    index.load(KEY, [(memory(1, "violin"), None)])
    outcome = search(index, partitions=[KEY, KEY], text="violin")
    assert (found(outcome), outcome.considered) == ([1], 1)


@pytest.mark.parametrize("match", [0, 4, -1])
def test_an_unknown_match_is_refused(match):
    with pytest.raises(_core.CoreError) as refused:
        search(_core.Index(4), match=match)
    assert refused.value.args[:2] == ("INVALID_FIELD", "match")


@pytest.mark.parametrize("top_k", [0, 1001])
def test_a_top_k_out_of_bounds_is_refused(top_k):
    with pytest.raises(_core.CoreError) as refused:
        search(_core.Index(4), top_k=top_k)
    assert refused.value.args[:2] == ("INVALID_FIELD", "top_k")


@pytest.mark.parametrize("name", ["vector", "lexical", "entity", "recency"])
@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_weight_out_of_bounds_is_refused(name, weight):
    with pytest.raises(_core.CoreError) as refused:
        _core.Weights(**(HYBRID | {name: weight}))
    assert refused.value.args[:2] == ("INVALID_FIELD", f"weights.{name}")


def test_weights_that_are_all_zero_are_refused():
    with pytest.raises(_core.CoreError, match="at least one"):
        _core.Weights(vector=0, lexical=0, entity=0, recency=0)
