"""Appointments and deadlines: things with a date that may be moved."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mnemic.extraction.local.english.person import folded

_DEADLINE = re.compile(
    r"(?:(?:the|our|my) )?(?:(?P<of>[\w-]+(?: [\w-]+)?) )?(?:deadline|due date)(?: for (?:the |my |our )?(?P<for>[\w-]+(?: [\w-]+){0,2}))?"
    r" (?:(?:is|was|has|been|got|now|moved|extended|pushed|changed|set|postponed|delayed|brought|back|forward) )+(?:(?:to|on|for|by|until|till) )?",
    re.IGNORECASE,
)
_DUE = re.compile(r"(?:the |our |my )?(?P<of>[\w-]+(?: [\w-]+)?) (?:is|are) (?:now )?due (?:on |by )?", re.IGNORECASE)
_APPOINTMENT = r"(?P<what>(?:[\w'-]+ ){0,2}?(?:appointment|interview|exam|flight|surgery|check-?up|meeting|rehearsal|wedding|concert))"
_APPOINTMENTS = (
    re.compile(
        rf"(?:have|have got|booked|scheduled) (?:(?P<another>an?|another)|my|our|the) {_APPOINTMENT}\b", re.IGNORECASE
    ),
    re.compile(
        rf"(?:my|our|the) {_APPOINTMENT} (?:is|was|has been|got)(?: now| moved| rescheduled| postponed| pushed)*\b",
        re.IGNORECASE,
    ),
)


@dataclass(frozen=True, slots=True)
class Dated:
    """Something with a date that may be moved: an appointment or a deadline.

    Attributes:
        owner: What stands before the dot of the slot instead of the speaker's key, or empty.
        attribute: The slot behind it.
        category: The fact's label.
        adds: Whether it stands beside others alike ("I have a meeting"), rather than in the place of one.
    """

    owner: str
    attribute: str
    category: str
    adds: bool


def read_dated(text: str, predicate: str) -> Dated | None:
    """An appointment or a deadline that a clause names, if it names one; its date is the clause's."""
    match = _DEADLINE.match(text) or _DUE.match(text)
    if match is not None:
        subject = match["of"] or match.groupdict().get("for") or ""
        return Dated(folded(subject) or "project", "deadline", "work", adds=False)
    for pattern, tail in zip(_APPOINTMENTS, (predicate, text), strict=True):
        match = pattern.match(tail)
        if match is not None:
            is_another = match.groupdict().get("another") is not None
            return Dated("", f"appointment.{folded(match['what'])}", "plans", adds=is_another)
    return None
