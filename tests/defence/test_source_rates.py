"""How fast a source may write."""

from hypothesis import given
from hypothesis import strategies as st

from mnemic.defence.source_rates import SourceRates


def test_a_pause_fills_the_bucket_up_to_the_burst():
    rates = SourceRates(2.0, 4, 10)
    assert rates.charge("a", 4, 0.0) == 0
    assert rates.charge("a", 1, 0.0) == 0.5
    assert rates.charge("a", 1, 0.5) == 0
    assert rates.charge("a", 5, 1000.0) == 0
    # What was more than the burst is owed.
    assert rates.charge("a", 1, 1000.0) == 1.0


def test_a_clock_that_goes_back_gives_nothing():
    rates = SourceRates(1.0, 1, 10)
    assert rates.charge("a", 1, 10.0) == 0
    assert rates.charge("a", 1, 5.0) == 1.0


def test_the_table_forgets_who_wrote_the_longest_ago():
    rates = SourceRates(0.001, 1, 2)
    for source in ("a", "b", "c"):
        assert rates.charge(source, 1, 0.0) == 0
    assert len(rates) == 2
    assert rates.charge("c", 1, 0.0) > 0
    assert rates.charge("a", 1, 0.0) == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 8)), max_size=60))
def test_nobody_writes_more_than_the_rate_the_burst_and_one_add_beyond(steps):
    rates, now, written = SourceRates(2.0, 4, 10), 0.0, 0
    for pause, count in steps:
        now += pause
        if rates.charge("a", count, now) == 0:
            written += count
    assert written <= 2.0 * now + 4 + 8
