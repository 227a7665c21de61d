"""The times that texts name, as the extraction of facts sees them."""

from datetime import UTC, datetime

import pytest

from mnemic import _core

# A Wednesday.
SPOKEN = int(datetime(2023, 11, 22, 15, 30, tzinfo=UTC).timestamp() * 1_000_000)


def day(micros: int | None) -> str | None:
    return None if micros is None else datetime.fromtimestamp(micros / 1_000_000, UTC).date().isoformat()


@pytest.mark.parametrize(
    ("text", "words", "start", "end", "precision", "number", "kind", "direction", "vague"),
    [
        ("I went there yesterday!", "yesterday", "2023-11-21", "2023-11-22", "day", 2, "relative", "past", False),
        ("We met last week.", "last week", "2023-11-13", "2023-11-20", "week", 3, "relative", "past", False),
        ("in early May", "early May", "2023-05-01", "2023-05-11", "month", 6, "partial", "unknown", True),
        ("I'll go in June", "June", "2024-06-01", "2024-07-01", "month", 4, "partial", "future", False),
        ("before 2020", "before 2020", None, "2020-01-01", "span", 6, "absolute", "past", False),
        ("after May 3, 2023", "after May 3, 2023", "2023-05-04", None, "span", 6, "absolute", "present", False),
    ],
)
def test_a_message_is_resolved_against_its_own_time(text, words, start, end, precision, number, kind, direction, vague):
    [found] = _core.find_times(text, reference_micros=SPOKEN)
    assert (found.text, day(found.start_micros), day(found.end_micros)) == (words, start, end)
    assert (found.precision, found.precision_number) == (precision, number)
    assert (found.kind, found.direction, found.is_vague) == (kind, direction, vague)


def test_places_are_counted_in_characters():
    text = "日本 café ☕ on 7 May 2023, and tomorrow"
    found = _core.find_times(text, reference_micros=SPOKEN)
    assert [text[slice(*one.span)] for one in found] == ["7 May 2023", "tomorrow"]


def test_an_ambiguous_date_has_another_reading():
    [found] = _core.find_times("on 5/7/2023", reference_micros=SPOKEN)
    [(start, end, likelihood)] = found.alternatives
    assert (day(found.start_micros), day(start), day(end)) == ("2023-05-07", "2023-07-05", "2023-07-06")
    assert 0 < likelihood < 1


def test_days_begin_where_the_offset_says():
    evening = int(datetime(2023, 11, 22, 23, 30, tzinfo=UTC).timestamp() * 1_000_000)
    [found] = _core.find_times("today", reference_micros=evening, utc_offset_minutes=120)
    begin = datetime.fromtimestamp(found.start_micros / 1_000_000, UTC)
    assert begin == datetime(2023, 11, 22, 22, tzinfo=UTC)
