"""JSON as models write it."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemic.extraction.llm.near_json import NotJsonError, read_near_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=4) | st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_json_is_read_as_it_is(value):
    assert read_near_json(json.dumps(value)) == value
    assert read_near_json(f"```json\n{json.dumps(value, indent=2)}\n```".replace("<think", "")) == json.loads(
        json.dumps(value).replace("<think", "")
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ("{'a': 'it''s'}", {"a": "it''s"}),
        ("{a: True, b: None}", {"a": True, "b": None}),
        ('{"a": "she said "hi" to me"}', {"a": 'she said "hi" to me'}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": 1} // one', {"a": 1}),
        ('{/* one */ "a": 1}', {"a": 1}),
        ("{“a”: “b”}", {"a": "b"}),
        ('{"a": "\\ud83d\\ude00 \\q"}', {"a": "😀 q"}),
        ('Sure, {"a": [1, 2]} as you asked', {"a": [1, 2]}),
        ('{"facts": [{"a": 1}, {"a": 2', {"facts": [{"a": 1}]}),
        ('{"facts": [{"a": [1, 2]}, {"a": [1', {"facts": [{"a": [1, 2]}]}),
    ],
)
def test_what_models_get_wrong_is_understood(text, value):
    assert read_near_json(text) == value


@pytest.mark.parametrize("text", ["", "no", "{", "[", '{"a', "<think>{}", "}{", '{"facts": [{"text": "half'])
def test_what_is_no_json_is_said_to_be_none(text):
    with pytest.raises(NotJsonError):
        read_near_json(text)


@given(st.text(alphabet="{}[]\"':,\\ab1 \n/*<>", max_size=60))
def test_nothing_else_is_raised(text):
    with contextlib.suppress(NotJsonError):
        read_near_json(text)


def test_deep_nesting_is_refused_and_not_followed():
    with pytest.raises(NotJsonError):
        read_near_json("[" * 5000 + "x")
