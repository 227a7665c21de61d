"""From what was read to a fact: its sentence, its times and its sources."""

from __future__ import annotations

import re

from mnemic import _core
from mnemic.extraction.local.english.appointments import read_dated
from mnemic.extraction.local.english.dating import dated
from mnemic.extraction.local.english.person import Person, in_third_person
from mnemic.extraction.local.english.statements import Clause
from mnemic.extraction.local.language import Passage
from mnemic.extraction.times import EventTime, event_times, lasting
from mnemic.model.fact import ExtractedFact

_HAS_LASTED = re.compile(
    r"\b(?:have|has) (?:\w+ly |always |now |also )?(?:been|had|known|lived|worked|played|owned|kept|taught|studied|driven)\b.*"
    r"(?P<for>\bfor (?:about |around |over |almost |nearly |more than )?(?P<long>(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten"
    r"|eleven|twelve|fifteen|twenty|thirty) (?:years?|months?|weeks?|days?))(?: now)?\b)",
    re.IGNORECASE,
)
_EVERY_YEAR = re.compile(r"\b(?:every|each|birthday|anniversary|annual|always|usually)\b", re.IGNORECASE)


class Draft:
    """Writes the facts of one message.

    Args:
        passage: The message.
        speaker: Who says it.
    """

    def __init__(self, passage: Passage, speaker: Person) -> None:
        self._passage = passage
        self._message = passage.message
        self._speaker = speaker

    def times(self, clause: Clause) -> list[EventTime]:
        """When what a clause tells happens, or since when it holds."""
        if _EVERY_YEAR.search(clause.text):
            return []
        said_at = self._message.said_at_micros
        times = event_times(
            clause.text,
            said_at_micros=said_at,
            utc_offset_minutes=self._passage.utc_offset_minutes,
            tense="future" if read_dated(clause.text, clause.predicate) else clause.tense,
        )
        duration = _HAS_LASTED.search(clause.text)
        if times or duration is None:
            return times
        begun = lasting(duration["for"], f"{duration['long']} ago", span=duration.span("for"), said_at_micros=said_at)
        return [] if begun is None else [begun]

    def told(self, text: str, times: list[EventTime]) -> str:
        """A text in the third person, with its relative times as dates."""
        text = dated(
            text,
            times,
            said_at_micros=self._message.said_at_micros,
            utc_offset_minutes=self._passage.utc_offset_minutes,
        )
        return in_third_person(text, self._speaker)

    def fact(self, body: str, *, times: list[EventTime] | None = None, **parts: object) -> ExtractedFact:
        """A fact of the message; `parts` are fields of `ExtractedFact`."""
        when: dict[str, object] = {}
        if times:
            when = {
                "event_time_micros": times[0].start_micros,
                "event_time_end_micros": times[0].end_micros,
                "event_time_precision": times[0].precision,
            }
        label = self._message.name.strip()
        names = dict.fromkeys([label] if label and label in body else [])
        names |= dict.fromkeys(name for name in _core.find_entities(body) if name.lower() != f"{label}'s".lower())
        return ExtractedFact(
            body=body.rstrip(" ,;:") + ".",
            source_ids=(self._message.memory_id,),
            name=label,
            entities=tuple(names),
            **when,  # type: ignore[arg-type]  # the three times, whose types stand beside them
            **parts,  # type: ignore[arg-type]  # of callers in this package, checked by the dataclass's own tests
        )
