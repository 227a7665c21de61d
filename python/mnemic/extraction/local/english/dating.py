"""Words that mean a day only on the day on which they are said, put so that they mean it always."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from mnemic.extraction.times import EventTime

_PREPOSITION_BEFORE = re.compile(
    r"\b(?:on|in|by|since|until|till|before|after|during|from|for|of|to|around|about|over|through|throughout|the)\s+$",
    re.IGNORECASE,
)
_ARTICLE_BEFORE = re.compile(r"\bthe\s+$", re.IGNORECASE)
_POSSESSIVE_AFTER = re.compile(r"^['’]s?\b")
_KEPT_PREPOSITION = re.compile(r"^(?:on|in|at|by|since|until|till|before|after|around|about)\s+", re.IGNORECASE)
_NOON = 12
_SEASONS = {3: "spring", 6: "summer", 9: "autumn", 12: "winter"}


def dated(text: str, times: list[EventTime], *, said_at_micros: int, utc_offset_minutes: int) -> str:
    """The text with its relative times told as dates: "yesterday" as "on 7 May 2023".

    What is vague keeps its words and gets the day on which it was said: "a few years ago (as of 8 May 2023)".

    Args:
        text: A sentence.
        times: What `event_times` found in it.
        said_at_micros: When it was said.
        utc_offset_minutes: The zone in which dates are told.
    """
    zone = timedelta(minutes=utc_offset_minutes)
    for time in reversed(times):
        if not time.is_relative:
            continue
        begin, end = time.span
        before, after = text[:begin], text[end:]
        noun = None if time.is_vague else _noun(time, zone)
        if noun is None:
            said = _day(_moment(said_at_micros, zone))
            text = f"{before}{time.text} (as of {said}){after}"
        elif _POSSESSIVE_AFTER.match(after):
            possessive = _POSSESSIVE_AFTER.match(after)
            mark = possessive[0] if possessive else ""
            text = f"{before}{time.text}{mark} ({noun}){after[len(mark) :]}"
        else:
            if _ARTICLE_BEFORE.search(before):
                # "on the 3rd", "in the last week": one article is enough, and a date has none.
                before = _ARTICLE_BEFORE.sub("", before)
            text = f"{before}{_preposition(time, before)}{noun}{after}"
    return text


def told(time: EventTime, *, utc_offset_minutes: int) -> str:
    """The time alone, as a value of a slot: `12 May 2023`, or its own words where they are vague."""
    zone = timedelta(minutes=utc_offset_minutes)
    return (None if time.is_vague else _noun(time, zone)) or time.text


def _preposition(time: EventTime, before: str) -> str:
    own = _KEPT_PREPOSITION.match(time.text)
    if own:
        return own[0]
    if _PREPOSITION_BEFORE.search(before):
        return ""
    return "in " if time.unit in ("week", "month", "season", "year") else "on "


def _moment(micros: int, zone: timedelta) -> datetime:
    return datetime.fromtimestamp(micros / 1_000_000, UTC) + zone


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _noun(time: EventTime, zone: timedelta) -> str | None:
    start = _moment(time.start_micros, zone)
    match time.unit:
        case "day":
            return _day(start)
        case "hour" | "instant":
            return f"{_day(start)} at {start:%H:%M}"
        case "day_part":
            return f"the {_part_of_day(start)} of {_day(start)}"
        case "weekend":
            return f"the weekend of {_day(start)}"
        case "week":
            return f"the week of {_day(start)}"
        case "month":
            return f"{start:%B %Y}"
        case "season" if start.month in _SEASONS and start.day == 1:
            return f"{_SEASONS[start.month]} {start.year}"
        case "year":
            return f"{start.year}"
        case _:
            return None


def _part_of_day(start: datetime) -> str:
    if start.hour < _NOON - 1:
        return "morning"
    return "afternoon" if start.hour < _NOON + 5 else "evening"
