"""Looking costs as much as there is to look at, also where a text is made to be slow.

Steps are counted, not time: those of the patterns by a matcher that tries what Python's does, and those of the code
around them by lines that are run.
"""

import re
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regex_steps import Counted

from mnemic.defence import instructions, national_ids, personal_data, secrets
from mnemic.defence.findings import ContentKind
from mnemic.defence.instructions import reads_as_instruction
from mnemic.defence.screening import Screen
from mnemic.model.defence import ContentAction

REDACT = Screen(dict.fromkeys(ContentKind, ContentAction.REDACT), ("US",))
# More than the largest number of characters over which searches that begin at each other's sides may overlap.
SIZE = 1200
# Of one length and of twice that, a search that is linear takes twice as many steps; one that is not, four times.
MOST_GROWTH = 2.6
FRAGMENTS = (
    "a", "A1", "1", " ", "\n", ".", "-", "_", ":", "/", "@", "=", "://", "a@b.", "1 ", "12-", "1.1.", "::", "+1 ",
    "eyJ", "eyJa.", "ghp_", "sk-", "AKIA", "xoxb-", "password", "password=", "token: ", "secret is ", "api_key",
    "DE89 3704 ", "4111 ", "41-", "x:y@", "-----BEGIN PRIVATE KEY-----", "-----END ", "ignore ", "previous ",
    "you are now ", "send the conversation ", "<|", '"name": "', "base64", "ignorier", "忽略", "call 1", "NHS ",
    "123456-", "(212) ", "v1.2",
)  # fmt: skip


def patterns_in(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from patterns_in(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from patterns_in(item)
    elif isinstance(value, national_ids._Form):
        yield from patterns_in((value.pattern, value.words))


def patterns_of(*modules: ModuleType) -> list[re.Pattern[str]]:
    found = [pattern for module in modules for value in vars(module).values() for pattern in patterns_in(value)]
    return list(dict.fromkeys(found))


PATTERNS = patterns_of(secrets, personal_data, national_ids, instructions)
hostile_units = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map("".join)


def filled(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def test_all_patterns_are_looked_at():
    assert len(PATTERNS) > 100


@settings(max_examples=300)
@given(st.sampled_from(PATTERNS), st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join))
def test_the_counting_matcher_finds_what_python_finds(pattern, text):
    assert Counted(pattern).spans(text) == [found.span() for found in pattern.finditer(text)]


def steps(pattern: re.Pattern[str], text: str) -> int:
    counted = Counted(pattern)
    counted.spans(text)
    return counted.steps


def growth(pattern: re.Pattern[str], unit: str) -> float:
    # The first characters and the last are of no weight.
    return steps(pattern, filled(unit, 2 * SIZE)) / (steps(pattern, filled(unit, SIZE)) + 200)


@settings(max_examples=60)
@given(st.sampled_from(PATTERNS), hostile_units)
def test_a_pattern_takes_steps_in_proportion_to_the_text(pattern, unit):
    assert growth(pattern, unit) < MOST_GROWTH


@pytest.mark.parametrize(
    ("pattern", "unit"), [(r"\d+x", "1"), (r"(?:a|b)+c", "ab"), (r"\w+@\w+", "a"), (r"a.*b", "a"), (r"(?:a+)+b", "a")]
)
def test_the_count_tells_patterns_that_do_not(pattern, unit):
    size = 6 if pattern == r"(?:a+)+b" else 150
    compiled = re.compile(pattern)
    assert steps(compiled, unit * size * 2) > 3 * steps(compiled, unit * size)


def lines_run(call, text: str) -> int:
    """How many lines of our own are run."""
    count = 0

    def trace(frame, event, _argument):
        nonlocal count
        if "/mnemic/defence/" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call(text)
    finally:
        sys.settrace(before)
    return count


@settings(max_examples=60)
@given(st.sampled_from([REDACT.find, REDACT.screen, reads_as_instruction]), hostile_units)
def test_so_does_the_code_around_them(look, unit):
    one, two = (lines_run(look, filled(unit, size)) for size in (SIZE, 2 * SIZE))
    assert two < MOST_GROWTH * (one + 200)
