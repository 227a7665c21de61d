"""What no longer holds: "I'm no longer vegan", "I quit my job at Acme", "I broke up with Tom".

The value of a slot that has ended is `not` and the value: it retires that value and no other.
"""

from __future__ import annotations

import re
from dataclasses import replace

from mnemic.extraction.local.english.slots import SlotReading, read_slots
from mnemic.extraction.local.english.values import NAME, ORGANISATION, is_value

_NO_LONGER = re.compile(
    r"^(?:(?P<be>am|is) (?:no longer|not)|(?:do|does) (?:no longer|not)|no longer) (?P<what>.+?)"
    r"(?P<now>,? (?:anymore|any more|any longer|now))?$",
    re.IGNORECASE,
)
_LEFT_WORK = (
    r"(?:quit|left|lost) (?:my|the|his|her) (?:old )?(?:job|position|role) (?:at|with)|resigned from"
    r"|(?:was|got) (?:laid off|fired|let go) (?:from|by)|retired from|stopped working (?:at|for)"
)
_ENDS = tuple(
    (attribute, re.compile(pattern, re.IGNORECASE), template, category)
    for attribute, pattern, template, category in (
        (
            "employer",
            rf"(?:have |has )?(?:just |recently )?(?:{_LEFT_WORK}) (?P<value>{ORGANISATION})",
            "{s} no longer works at {value}.",
            "work",
        ),
        (
            "partner",
            rf"(?:have |has )?(?:just |recently )?(?:broke|broken|split|separated) (?:up )?(?:with|from) (?P<value>{NAME})|divorced (?P<other>{NAME})",
            "{s} is no longer together with {value}.",
            "family",
        ),
        (
            "vehicle",
            r"(?:have |has )?(?:just |recently )?(?:sold|scrapped|got rid of) (?:my|our|the) (?:old )?(?P<value>(?-i:[A-Z][\w-]*(?: [A-Z\d][\w-]*)*))",
            "{s} no longer has the {value}.",
            "personal",
        ),
    )
)
_OPPOSITES = {"likes": "dislikes", "dislikes": "likes"}


def read_slots_and_endings(predicate: str) -> list[SlotReading]:
    """The slots that a predicate fills, or those that it ends.

    Args:
        predicate: Written out, without its subject.
    """
    readings = list(read_slots(predicate))
    for attribute, pattern, template, category in _ENDS:
        match = pattern.match(predicate)
        if match is not None:
            value = match["value"] or match.groupdict().get("other") or ""
            if is_value(value):
                filled = template.replace("{value}", value)
                readings.append(
                    SlotReading(
                        attribute=attribute,
                        value=f"not {value}",
                        template=filled,
                        category=category,
                        adds=False,
                        span=match.span(),
                        is_denial=True,
                    )
                )
    return readings or _denied(predicate)


def _denied(predicate: str) -> list[SlotReading]:
    match = _NO_LONGER.match(predicate)
    if match is None or not ("no longer" in predicate.lower() or match["now"]):
        return []
    be = f"{match['be']} " if match["be"] else ""
    return [_denial(slot) for slot in read_slots(be + match["what"])]


def _denial(slot: SlotReading) -> SlotReading:
    template = f"It is no longer so that {slot.template.replace('{value}', slot.value)}"
    is_taste = slot.attribute.startswith("taste.")
    value = _OPPOSITES[slot.value] if is_taste else f"not {slot.value}"
    return replace(slot, value=value, template=template, adds=False, is_denial=True)
