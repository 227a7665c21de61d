"""Friendly filters: the table of their forms, and that compiling keeps their meaning."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from mnemic.client.filters import OPERATORS, compile_filters
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.filters import AllOf, AnyOf, Comparison, Not, Operator
from mnemic.model.memory import MemoryKind, TrustLevel

MAY_FIRST = 1_777_593_600_000_000


def equal(field, value):
    return Comparison(field, Operator.EQUAL, (value,))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ({}, None),
        (equal("kind", "fact"), equal("kind", "fact")),
        ({"city": "Porto"}, equal("metadata.city", "Porto")),
        ({"metadata.city": "Porto"}, equal("metadata.city", "Porto")),
        ({"metadata.kind": "x"}, equal("metadata.kind", "x")),
        ({"kind": "fact"}, equal("kind", "fact")),
        ({"kind": MemoryKind.FACT}, equal("kind", "fact")),
        ({"user_id": "*"}, equal("user_id", "*")),
        ({"city": "*"}, equal("metadata.city", "*")),
        ({"run_id": "s1"}, equal("session_id", "s1")),
        ({"categories": {"contains": "food"}}, Comparison("category", Operator.CONTAINS, ("food",))),
        ({"city": ["Porto", "Faro"]}, Comparison("metadata.city", Operator.IN, ("Porto", "Faro"))),
        ({"n": {"nin": [1, 2.5]}}, Comparison("metadata.n", Operator.NOT_IN, (1, 2.5))),
        ({"done": True}, equal("metadata.done", True)),
        ({"name": {"icontains": "an"}}, Comparison("name", Operator.CONTAINS_IGNORE_CASE, ("an",))),
        ({"n": {"exists": True}}, Comparison("metadata.n", Operator.EXISTS)),
        ({"n": {"exists": False}}, Not(Comparison("metadata.n", Operator.EXISTS))),
        (
            {"created_at": {"gte": "2026-05-01"}},
            Comparison("create_time", Operator.GREATER_OR_EQUAL, (MAY_FIRST,)),
        ),
        (
            {"event_time": {"lt": datetime(2026, 5, 1, tzinfo=UTC)}},
            Comparison("event_time", Operator.LESS, (MAY_FIRST,)),
        ),
        ({"event_time": {"lt": MAY_FIRST}}, Comparison("event_time", Operator.LESS, (MAY_FIRST,))),
        ({"trust": {"gte": "normal"}}, Comparison("trust", Operator.GREATER_OR_EQUAL, (2,))),
        ({"trust": [TrustLevel.UNTRUSTED, 3]}, Comparison("trust", Operator.IN, (1, 3))),
        (
            {"n": {"gte": 3, "lt": 9}},
            AllOf(
                (
                    Comparison("metadata.n", Operator.GREATER_OR_EQUAL, (3,)),
                    Comparison("metadata.n", Operator.LESS, (9,)),
                )
            ),
        ),
        ({"a": 1, "b": 2}, AllOf((equal("metadata.a", 1), equal("metadata.b", 2)))),
        ({"AND": [{"a": 1}, {"b": 2}]}, AllOf((equal("metadata.a", 1), equal("metadata.b", 2)))),
        ({"OR": [{"a": 1}, {"b": 2}]}, AnyOf((equal("metadata.a", 1), equal("metadata.b", 2)))),
        ({"OR": [{"a": 1}]}, equal("metadata.a", 1)),
        ({"NOT": {"a": 1}}, Not(equal("metadata.a", 1))),
        ({"NOT": [{"a": 1}, {"b": 2}]}, Not(AnyOf((equal("metadata.a", 1), equal("metadata.b", 2))))),
        ({"AND": [Not(equal("kind", "fact"))]}, Not(equal("kind", "fact"))),
    ],
    ids=str,
)
def test_the_forms_of_a_filter(given, expected):
    assert compile_filters(given) == expected


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ("city = 'Porto'", "filters", "give a dict"),
        ([{"city": "Porto"}], "filters", "give a dict"),
        ({"city": None}, "filters.city", "exists"),
        ({"city": {}}, "filters.city", "has no operator"),
        ({"city": {"like": "P%"}}, "filters.city.like", "there are eq, ne"),
        ({"city": {"exists": "yes"}}, "filters.city.exists", "True or False"),
        ({"city": []}, "filters.city", "one or more values"),
        ({"city": {"in": "Porto"}}, "filters.city.in", "takes a list"),
        ({"city": {"eq": ["Porto"]}}, "filters.city.eq", "give one text"),
        ({"city": {"in": [None]}}, "filters.city.in[0]", "is None"),
        ({"at": datetime(2026, 5, 1, tzinfo=UTC)}, "filters.at", "is a datetime"),
        ({"trust": "much"}, "filters.trust", "untrusted, normal or verified"),
        ({"event_time": {"gt": "soon"}}, "filters.event_time.gt", "RFC 3339"),
        ({"AND": []}, "filters.AND", "is empty"),
        ({"OR": [{}]}, "filters.OR[0]", "is empty"),
        ({"AND": "x"}, "filters.AND", "a list of conditions"),
        ({"AND": [{"OR": [{"a": {"b": 1}}]}]}, "filters.AND[0].OR[0].a.b", "no operator"),
        ({7: 1}, "filters", "names of fields"),
        ({"updated_at": {"gt": "2026-01-01"}}, "filters.updated_at", "metadata.updated_at"),
    ],
    ids=str,
)
def test_a_bad_filter_is_refused_by_its_place(given, field, words):
    with pytest.raises(MnemicError) as refused:
        compile_filters(given)
    assert refused.value.reason is Reason.INVALID_FILTER
    assert refused.value.violations[0].field == field
    assert words in refused.value.violations[0].description


def test_a_filter_that_is_nested_without_end_is_refused():
    deep = {"a": 1}
    for _ in range(5000):
        deep = {"NOT": deep}
    with pytest.raises(MnemicError, match="nested too deeply; at most 8"):
        compile_filters(deep)


# What the documentation says a friendly filter means, applied to a plain dict of fields; beside it the domain's form.
COMPARE = {
    "eq": lambda have, want: have == want,
    "ne": lambda have, want: have != want,
    "gt": lambda have, want: have is not None and have > want,
    "gte": lambda have, want: have is not None and have >= want,
    "lt": lambda have, want: have is not None and have < want,
    "lte": lambda have, want: have is not None and have <= want,
    "in": lambda have, want: have in want,
    "nin": lambda have, want: have not in want,
    "exists": lambda have, want: (have is not None) == want,
}


def holds(conditions, fields):
    def one(key, value):
        if key == "AND":
            return all(holds(item, fields) for item in value)
        if key == "OR":
            return any(holds(item, fields) for item in value)
        if key == "NOT":
            return not any(holds(item, fields) for item in value)
        operators = value if isinstance(value, dict) else {"in" if isinstance(value, list) else "eq": value}
        return all(COMPARE[operator](fields.get(key), want) for operator, want in operators.items())

    return all(one(key, value) for key, value in conditions.items())


def matches(node, fields):
    if isinstance(node, AllOf):
        return all(matches(child, fields) for child in node.filters)
    if isinstance(node, AnyOf):
        return any(matches(child, fields) for child in node.filters)
    if isinstance(node, Not):
        return not matches(node.filter, fields)
    have = fields.get(node.field.removeprefix("metadata."))
    if node.operator is Operator.EXISTS:
        return have is not None
    word = next(word for word, operator in OPERATORS.items() if operator is node.operator)
    return COMPARE[word](have, node.values if word in {"in", "nin"} else node.values[0])


keys = st.sampled_from(["a", "b", "c"])
numbers = st.integers(0, 3)
operations = st.one_of(
    numbers,
    st.lists(numbers, min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]), numbers, min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(["in", "nin"]), st.lists(numbers, min_size=1, max_size=2), min_size=1),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
friendly = st.recursive(
    st.dictionaries(keys, operations, min_size=1, max_size=2),
    lambda inner: st.dictionaries(
        st.sampled_from(["AND", "OR", "NOT"]), st.lists(inner, min_size=1, max_size=2), min_size=1, max_size=2
    ),
    max_leaves=6,
)


@given(conditions=friendly, fields=st.dictionaries(keys, numbers))
def test_compiling_keeps_the_meaning(conditions, fields):
    try:
        compiled = compile_filters(conditions)
    except MnemicError:
        reject()  # nested more deeply than is accepted
    assert matches(compiled, fields) == holds(conditions, fields)
