"""A client that is closed, of each of the four kinds."""

import pytest

from mnemic import MnemicError


def refusal(call, *arguments, **options) -> MnemicError:
    with pytest.raises(MnemicError) as refused:
        call(*arguments, **options)
    return refused.value


def test_what_is_closed_says_so(memory):
    memory.add("x", user_id="u1")
    memory.close()
    assert "is closed" in refusal(memory.add, "x", user_id="u1").message
    assert "is closed" in refusal(memory.search, "x", user_id="u1").message
