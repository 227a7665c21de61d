"""What is told of somebody who may be one of several: "my brother"."""

from __future__ import annotations

import re
from dataclasses import replace

from mnemic.extraction.local.english.clause_grammar import FineClause
from mnemic.extraction.local.english.slots import SlotReading

_CHANGES = re.compile(
    r"\b(?:now|these days|nowadays|instead|currently|moved|relocated|joined|started|switched|changed|became|become|new|gone|just)\b",
    re.IGNORECASE,
)


def of_several(fine: FineClause, slot: SlotReading) -> SlotReading:
    """What is told of one of several people of whom the same words are said, see `Person.is_one_of_several`."""
    if fine.person is None or not fine.person.is_one_of_several or slot.is_denial:
        return slot
    is_changed = _CHANGES.search(fine.whole) is not None and not slot.adds
    return replace(slot, adds=True, is_exclusive=is_changed)
