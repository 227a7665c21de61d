"""The times that a model writes: `2023-05-07`, `2023-05`, `2023`, `2023-05-07T15:00`, `2023-05-01/2023-05-07`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mnemic.model.memory import TimePrecision, to_micros

_PART = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)?)?")
_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class IsoTime:
    """A half-open range in microseconds, and how exactly it was told."""

    start_micros: int
    end_micros: int
    precision: TimePrecision


def read_iso_time(text: str, *, utc_offset_minutes: int) -> IsoTime | None:
    """The time that a text is; None if it is none.

    Args:
        text: What the model wrote.
        utc_offset_minutes: The zone of its days, east positive; an offset of its own is not looked at.
    """
    first, separator, second = text.strip().partition("/")
    begin = _part(first)
    if begin is None:
        return None
    start, end, precision = begin
    if separator:
        until = _part(second)
        if until is None or until[1] <= start:
            return None
        end = until[1]
        is_week = precision is TimePrecision.DAY and end - start == timedelta(days=_WEEK_DAYS)
        precision = TimePrecision.WEEK if is_week else TimePrecision.APPROXIMATE
    zone = timedelta(minutes=utc_offset_minutes)
    return IsoTime(to_micros(start - zone), to_micros(end - zone), precision)


def _part(text: str) -> tuple[datetime, datetime, TimePrecision] | None:
    match = _PART.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute = (int(group) if group else None for group in match.groups())
    try:
        start = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, tzinfo=UTC)
        if hour is not None:
            return start, start + timedelta(minutes=1), TimePrecision.INSTANT
        if day is not None:
            return start, start + timedelta(days=1), TimePrecision.DAY
        if month is not None:
            following = (start.replace(day=28) + timedelta(days=4)).replace(day=1)
            return start, following, TimePrecision.MONTH
        return start, start.replace(year=start.year + 1), TimePrecision.YEAR
    except (ValueError, OverflowError):
        return None
