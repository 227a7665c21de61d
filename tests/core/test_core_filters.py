"""Filters mean what `mnemic.v1.Filter` says, in a search and on one memory alike."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from core_support import KEY, NOW, found, id_of, memory, search
from hypothesis import given
from hypothesis import strategies as st

from mnemic import _core
from mnemic.model.filters import FILTER_FIELDS, MAX_FILTER_COMPARISONS, MAX_FILTER_DEPTH, Operator
from mnemic.model.memory import MemoryKind, Role
from mnemic.model.scope import Scope

EVERYTHING = memory(
    1,
    "violin",
    scope=Scope(user_id="u", session_id="s"),
    kind=MemoryKind.FACT,
    role=Role.ASSISTANT,
    name="Mel",
    event_time_micros=NOW - 5,
    create_time_micros=NOW - 3,
    metadata={
        "text": "Blue Sky",
        "integer": 3,
        "float": 2.5,
        "true": True,
        "one": 1,
        "list": ("red", "Green"),
        "big": 2**53 + 1,
        "dotted.key": "x",
        "": "no key",
    },
    categories=("work", "Travel"),
    entities=("Berlin", "The Hague"),
    slot="user.diet",
    confidence=0.9,
    importance=0.25,
)
NOTHING = memory(2, "violin", create_time_micros=NOW - 9)

O = Operator  # noqa: E741 (the table below is read by its columns)


def holds(field: str, operator: Operator, *values: Any, of: Any = EVERYTHING) -> bool:
    """Whether a comparison holds, asked both ways."""
    condition = _core.Filter.comparison(field, operator, values)
    index = _core.Index(4)
    index.load(KEY, [(of, None)])
    outcome = search(index, text="violin", scope=of.scope, filter=condition)
    matches = condition.matches(of)
    assert len(outcome.hits) == outcome.considered == int(matches)
    return matches


@pytest.mark.parametrize(
    ("field", "operator", "values", "expected"),
    [
        ("metadata.text", O.EQUAL, ["Blue Sky"], True),
        ("metadata.text", O.EQUAL, ["blue sky"], False),
        ("metadata.text", O.CONTAINS, ["e S"], True),
        ("metadata.text", O.CONTAINS, ["e s"], False),
        ("metadata.text", O.CONTAINS, [""], True),
        ("metadata.text", O.CONTAINS_IGNORE_CASE, ["E s"], True),
        ("metadata.text", O.GREATER, ["Blue"], True),
        ("metadata.text", O.LESS, ["a"], True),
        ("metadata.text", O.GREATER, [0], False),
        ("metadata.integer", O.EQUAL, [3], True),
        ("metadata.integer", O.EQUAL, [3.0], True),
        ("metadata.integer", O.EQUAL, ["3"], False),
        ("metadata.integer", O.NOT_EQUAL, ["3"], True),
        ("metadata.integer", O.GREATER, [2.5], True),
        ("metadata.integer", O.LESS_OR_EQUAL, [3], True),
        ("metadata.integer", O.LESS, [3], False),
        ("metadata.integer", O.LESS, [math.inf], True),
        ("metadata.integer", O.IN, [1, 2, 3], True),
        ("metadata.integer", O.NOT_IN, [1, 2], True),
        ("metadata.integer", O.NOT_IN, [1, 3], False),
        ("metadata.integer", O.CONTAINS, [3], False),
        ("metadata.float", O.EQUAL, [2.5], True),
        ("metadata.float", O.GREATER_OR_EQUAL, [2], True),
        ("metadata.float", O.IN, ["2.5", 2.5], True),
        ("metadata.big", O.EQUAL, [float(2**53)], False),
        ("metadata.big", O.GREATER, [float(2**53)], True),
        ("metadata.true", O.EQUAL, [True], True),
        ("metadata.true", O.EQUAL, [1], False),
        ("metadata.true", O.NOT_EQUAL, [1], True),
        ("metadata.true", O.NOT_EQUAL, [False], True),
        ("metadata.true", O.GREATER, [False], False),
        ("metadata.one", O.EQUAL, [True], False),
        ("metadata.one", O.EQUAL, [1], True),
        ("metadata.list", O.EQUAL, ["red"], True),
        ("metadata.list", O.EQUAL, ["re"], False),
        ("metadata.list", O.EQUAL, [("red", "Green")], True),
        ("metadata.list", O.EQUAL, [("red",)], False),
        ("metadata.list", O.IN, ["blue", "Green"], True),
        ("metadata.list", O.CONTAINS, ["Green"], True),
        ("metadata.list", O.CONTAINS, ["Gre"], False),
        ("metadata.list", O.CONTAINS_IGNORE_CASE, ["green"], True),
        ("metadata.list", O.GREATER, ["a"], False),
        ("metadata.dotted.key", O.EQUAL, ["x"], True),
        ("metadata.text", O.EXISTS, [], True),
        ("metadata.absent", O.EXISTS, [], False),
        ("metadata.absent", O.EQUAL, ["x"], False),
        ("metadata.absent", O.NOT_EQUAL, ["x"], True),
        ("metadata.absent", O.NOT_IN, ["x"], True),
        ("metadata.absent", O.LESS, [9], False),
        ("kind", O.EQUAL, ["fact"], True),
        ("kind", O.IN, ["message", "summary"], False),
        ("role", O.EQUAL, ["assistant"], True),
        ("name", O.CONTAINS_IGNORE_CASE, ["MEL"], True),
        ("category", O.EQUAL, ["Travel"], True),
        ("category", O.NOT_EQUAL, ["work"], False),
        ("entity", O.CONTAINS_IGNORE_CASE, ["the hague"], True),
        ("entity", O.CONTAINS, ["Hague"], False),
        ("slot", O.EQUAL, ["user.diet"], True),
        ("user_id", O.EQUAL, ["u"], True),
        ("agent_id", O.EXISTS, [], False),
        ("session_id", O.NOT_EQUAL, ["t"], True),
        ("event_time", O.EQUAL, [NOW - 5], True),
        ("create_time", O.GREATER, [NOW - 4], True),
        ("confidence", O.GREATER_OR_EQUAL, [0.9], True),
        ("importance", O.LESS, [1], True),
        ("trust", O.GREATER_OR_EQUAL, [2], True),
        ("trust", O.GREATER, [2], False),
        ("trust", O.IN, [1, 3], False),
    ],
)
def test_a_comparison_holds(field, operator, values, expected):
    assert holds(field, operator, *values) is expected
    assert _core.Filter.negation(_core.Filter.comparison(field, operator, values)).matches(EVERYTHING) is not expected


@pytest.mark.parametrize(
    "field", sorted(FILTER_FIELDS.keys() - {"kind", "user_id", "create_time", "confidence", "importance", "trust"})
)
def test_an_empty_field_is_not_there(field):
    value = {str: "x", int: 1, float: 1.0}[FILTER_FIELDS[field]]
    assert not holds(field, Operator.EXISTS, of=NOTHING)
    assert not holds(field, Operator.EQUAL, value, of=NOTHING)
    assert not holds(field, Operator.LESS_OR_EQUAL, value, of=NOTHING)
    assert holds(field, Operator.NOT_EQUAL, value, of=NOTHING)
    assert holds(field, Operator.NOT_IN, value, of=NOTHING)


def some(count: int = 1) -> list[_core.Filter]:
    return [_core.Filter.comparison("kind", Operator.EQUAL, ["fact"]) for _ in range(count)]


def nested(depth: int) -> _core.Filter:
    condition = some()[0]
    for _ in range(depth - 1):
        condition = _core.Filter.negation(condition)
    return condition


@pytest.mark.parametrize(
    ("make", "field", "words"),
    [
        (lambda: _core.Filter.comparison("colour", 1, ["x"]), "filter.comparison.field", "metadata.KEY"),
        (lambda: _core.Filter.comparison("metadata.", 1, ["x"]), "filter.comparison.field", "metadata.KEY"),
        (lambda: _core.Filter.comparison("kind", 0, ["x"]), "filter.comparison.operator", "CONTAINS"),
        (lambda: _core.Filter.comparison("kind", 12, ["x"]), "filter.comparison.operator", "EXISTS"),
        (lambda: _core.Filter.comparison("kind", 1, []), "filter.comparison.values", "exactly one"),
        (lambda: _core.Filter.comparison("kind", 1, ["a", "b"]), "filter.comparison.values", "exactly one"),
        (lambda: _core.Filter.comparison("kind", 7, []), "filter.comparison.values", "one or more"),
        (lambda: _core.Filter.comparison("kind", 11, ["a"]), "filter.comparison.values", "no value"),
        (lambda: _core.Filter.comparison("kind", 1, [2]), "filter.comparison.values[0]", "a text"),
        (lambda: _core.Filter.comparison("category", 7, ["a", ("b",)]), "filter.comparison.values[1]", "a text"),
        (lambda: _core.Filter.comparison("event_time", 3, ["now"]), "filter.comparison.values[0]", "a number"),
        (lambda: _core.Filter.comparison("event_time", 3, [True]), "filter.comparison.values[0]", "a number"),
        (lambda: _core.Filter.comparison("confidence", 9, [0.5]), "filter.comparison.operator", "texts and lists"),
        (lambda: _core.Filter.comparison("metadata.x", 1, [math.nan]), "filter.comparison.values[0]", "finite"),
        (lambda: _core.Filter.comparison("metadata.x", 1, [2**63]), "filter.comparison.values", "64 bits"),
        (lambda: _core.Filter.all_of([]), "filter.all_of.filters", "at least one"),
        (lambda: _core.Filter.any_of([]), "filter.any_of.filters", "at least one"),
        (lambda: nested(MAX_FILTER_DEPTH + 1), "filter.negation", "8"),
        (lambda: _core.Filter.any_of(some(MAX_FILTER_COMPARISONS + 1)), "filter.any_of.filters", "64"),
    ],
)
def test_a_bad_filter_is_refused_by_name(make: Callable[[], _core.Filter], field, words):
    with pytest.raises(_core.CoreError) as refused:
        make()
    reason, where, message = refused.value.args
    assert (reason, where) == ("INVALID_FILTER", field)
    assert words in message


def test_the_largest_filter_is_taken():
    assert nested(MAX_FILTER_DEPTH - 1).matches(EVERYTHING)
    assert _core.Filter.all_of(some(MAX_FILTER_COMPARISONS)).matches(EVERYTHING)


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.integers(-3, 3)
ORDERS = {
    Operator.EQUAL: lambda a, b: a == b,
    Operator.NOT_EQUAL: lambda a, b: a != b,
    Operator.GREATER: lambda a, b: a > b,
    Operator.GREATER_OR_EQUAL: lambda a, b: a >= b,
    Operator.LESS: lambda a, b: a < b,
    Operator.LESS_OR_EQUAL: lambda a, b: a <= b,
}


@given(NUMBERS, NUMBERS, st.sampled_from(sorted(ORDERS)))
def test_numbers_compare_as_in_python_which_is_exact(mine, value, operator):
    condition = _core.Filter.comparison("metadata.number", operator, [value])
    assert condition.matches(memory(1, metadata={"number": mine})) is ORDERS[operator](mine, value)


@st.composite
def trees(draw, depth=4) -> tuple[_core.Filter, Callable[[dict[str, int]], bool]]:
    """A filter and what it should mean."""
    kind = draw(st.sampled_from(["leaf", "all", "any", "not"])) if depth > 1 else "leaf"
    if kind == "leaf":
        key, value = draw(st.sampled_from("abc")), draw(st.integers(0, 2))
        return _core.Filter.comparison(f"metadata.{key}", Operator.EQUAL, [value]), lambda of: of.get(key) == value
    if kind == "not":
        inner, means = draw(trees(depth - 1))
        return _core.Filter.negation(inner), lambda of: not means(of)
    inner = draw(st.lists(trees(depth - 1), min_size=1, max_size=3))
    conditions = [condition for condition, _ in inner]
    if kind == "all":
        return _core.Filter.all_of(conditions), lambda of: all(means(of) for _, means in inner)
    return _core.Filter.any_of(conditions), lambda of: any(means(of) for _, means in inner)


@given(trees(), st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)), max_size=12))
def test_filters_nest_as_logic_does(tree, metadata):
    condition, means = tree
    memories = [memory(number, "violin", metadata=of) for number, of in enumerate(metadata, 1)]
    index = _core.Index(4)
    index.load(KEY, [(one, None) for one in memories])
    outcome = search(index, text="violin", filter=condition, top_k=100)
    assert set(found(outcome)) == {number for number, of in enumerate(metadata, 1) if means(of)}
    assert [condition.matches(one) for one in memories] == [means(of) for of in metadata]


def test_a_closed_version_is_filtered_by_what_it_was():
    index = _core.Index(4)
    index.load(KEY, [(EVERYTHING, None)])
    index.apply(KEY, [], [_core.Close(id_of(1), 1, NOW - 1)])
    condition = _core.Filter.comparison("slot", Operator.EQUAL, ["user.diet"])
    outcome = search(index, text="violin", scope=EVERYTHING.scope, filter=condition, include_superseded=True)
    assert found(outcome) == [1]
