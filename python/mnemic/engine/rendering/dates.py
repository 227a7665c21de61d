"""When something happened, in words no more exact than it is known. Days are those of UTC."""

from __future__ import annotations

from datetime import datetime

from mnemic.model.memory import Memory, TimePrecision, from_micros


def moment_of(memory: Memory) -> str:
    """When it happened, such as `2026-05-01 09:30`, `2026-05`, `about 2026-05-01 to 2026-05-10`.

    Where nobody said when, it is the day on which it was first heard, and says so: `noted 2026-11-22`.
    """
    start, end = memory.event_time_micros, memory.event_time_end_micros
    if start is None:
        return f"noted {_day(from_micros(memory.create_time_micros))}"
    precision = memory.event_time_precision
    first = _text(from_micros(start), precision)
    if end is not None:
        # The end is exclusive: what ends with midnight ends on the day before.
        last = _text(from_micros(max(start, end - 1)), precision)
        if last != first:
            first = f"{first} to {last}"
    return f"about {first}" if precision is TimePrecision.APPROXIMATE else first


def _text(moment: datetime, precision: TimePrecision) -> str:
    if precision is TimePrecision.YEAR:
        return f"{moment.year:04}"
    if precision is TimePrecision.MONTH:
        return f"{moment.year:04}-{moment.month:02}"
    if precision is TimePrecision.WEEK:
        return f"week of {_day(moment)}"
    if precision in {TimePrecision.DAY, TimePrecision.APPROXIMATE}:
        return _day(moment)
    # An exact midnight is nearly always a day of which nobody said the hour.
    is_midnight = not (moment.hour or moment.minute or moment.second or moment.microsecond)
    if is_midnight and precision is TimePrecision.UNSPECIFIED:
        return _day(moment)
    return f"{_day(moment)} {moment.hour:02}:{moment.minute:02}"


def _day(moment: datetime) -> str:
    return f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
