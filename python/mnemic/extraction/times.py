"""When what a message tells happened: the times that a text names, against the moment at which it was said.

The core reads the expressions, the same code that reads those of a query (docs/retrieval.md), so "last Friday" in a
message and in a question are the same day. This module chooses, where a time may lie on either side of now ("on
Friday", "in May"), the side on which the tense of the sentence lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mnemic import _core
from mnemic.model.memory import TimePrecision

Tense = Literal["past", "present", "future"]


@dataclass(frozen=True, slots=True)
class EventTime:
    """A time that a text names, resolved.

    Attributes:
        start_micros: Where it begins.
        end_micros: The first moment after it; None for what has no end yet ("since 2016").
        precision: How exactly it is told, for the contract.
        unit: The same, finer: see `_core.TimeExpression.precision`.
        is_vague: Whether its ends are not sharp.
        is_relative: Whether its words mean something else when they are read on another day.
        text: Its words.
        span: Their places in the text, in characters.
    """

    start_micros: int
    end_micros: int | None
    precision: TimePrecision
    unit: str
    is_vague: bool
    is_relative: bool
    text: str
    span: tuple[int, int]


def event_times(text: str, *, said_at_micros: int, utc_offset_minutes: int = 0, tense: Tense) -> list[EventTime]:
    """The times that a text names, in order; those that could be on either side are on the side of the tense.

    Args:
        text: A sentence.
        said_at_micros: When it was said.
        utc_offset_minutes: The writer's zone, east positive.
        tense: Of the sentence. A time that may lie on either side is left out in the present tense.
    """
    found = []
    for expression in _core.find_times(text, reference_micros=said_at_micros, utc_offset_minutes=utc_offset_minutes):
        bounds = _bounds(expression, said_at_micros, tense)
        if bounds is None:
            continue
        start, end = bounds
        begins_only = expression.text.lower().startswith("since")
        found.append(
            EventTime(
                start_micros=start,
                end_micros=None if begins_only else end,
                precision=TimePrecision(expression.precision_number),
                unit=expression.precision,
                is_vague=expression.is_vague,
                is_relative=expression.kind != "absolute",
                text=expression.text,
                span=expression.span,
            )
        )
    return found


def lasting(text: str, ago: str, *, span: tuple[int, int], said_at_micros: int) -> EventTime | None:
    """The time of what has lasted for so long: it began so long ago, and has no end.

    Args:
        text: Its words ("for three years").
        ago: The words of its beginning ("three years ago"), for the core.
        span: Its places in the sentence.
        said_at_micros: When it was said.
    """
    found = _core.find_times(ago, reference_micros=said_at_micros)
    if len(found) != 1 or found[0].start_micros is None:
        return None
    return EventTime(
        start_micros=found[0].start_micros,
        end_micros=None,
        precision=TimePrecision.APPROXIMATE,
        unit="span",
        is_vague=True,
        is_relative=True,
        text=text,
        span=span,
    )


def _bounds(expression: _core.TimeExpression, said_at_micros: int, tense: Tense) -> tuple[int, int | None] | None:
    start, end = expression.start_micros, expression.end_micros
    # The core reads the tense of the whole text; a clause of it may have another ("was moved to Friday").
    is_open = expression.direction == "unknown" or (expression.kind == "partial" and tense != "present")
    if not is_open:
        return None if start is None else (start, end)
    if tense == "present":
        return None
    for begin, until, _likelihood in [(start, end, 1.0), *expression.alternatives]:
        if begin is not None and (begin <= said_at_micros) == (tense == "past"):
            return begin, until
    return None
