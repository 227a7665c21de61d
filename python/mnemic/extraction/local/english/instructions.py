"""What a user asks of the assistant for good: "always answer in German", "call me Annie", "no emoji, please"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mnemic.extraction.local.english.values import LANGUAGES, NAME

_POLITE = r"^(?:(?:please|you can|you may|just|and|also|oh|ok|okay|hey|one more thing|btw|by the way|kindly)[,:]? )*"
_FOR_GOOD = r"(?:from now on|going forward|in (?:the )?future|from here on(?: out)?|for all (?:future )?(?:answers|replies|chats))"
_ANSWER = r"(?:answer|reply|respond|write|speak|talk|explain|communicate)"
_VERBS = (
    r"(?:answer|reply|respond|write|speak|talk|use|call|address|give me|send|include|add|keep|show|tell|explain|format|cite"
    r"|mention|ask|check|remind|start|end|sign|convert|quote|provide|suggest|recommend|avoid|assume|put|list|translate"
    r"|refer|double-check|confirm|summari[sz]e)(?! up\b)"
)
_STANDING = re.compile(
    rf"{_POLITE}(?:(?:always|never|do not ever) {_VERBS}\b|{_FOR_GOOD},? (?:please |always |never |do not |i (?:want|would like) you to )*{_VERBS}\b"
    rf"|{_VERBS}\b.*\b{_FOR_GOOD}$|(?:when|whenever|every time|each time) (?:i|we|you) [^,]+, (?:please |always |never |do not )*{_VERBS}\b"
    rf"|(?:do not|stop|avoid) (?:us(?:e|ing)|includ(?:e|ing)|add(?:ing)?|suggest(?:ing)?|recommend(?:ing)?|call(?:ing)? me|send(?:ing)? me)\b"
    rf"|call me (?P<nickname>{NAME})$|(?:please )?keep (?:your |the |all )?(?:answers|replies|responses|messages|explanations)\b"
    rf"|i (?:prefer|would prefer|like|want|would like) (?:your |the )?(?:\w+ ){{0,3}}(?:answers|replies|responses|explanations)\b"
    rf"|{_ANSWER}(?: to me)? (?:only )?in (?:{LANGUAGES})\b(?:,? please| only)?$)",
    re.IGNORECASE,
)
_SLOTS = (
    ("answer_language", re.compile(rf"\b{_ANSWER}\b.*\bin (?P<value>{LANGUAGES})\b", re.IGNORECASE)),
    ("nickname", re.compile(rf"\bcall me (?P<value>{NAME})", re.IGNORECASE)),
    (
        "answer_length",
        re.compile(
            r"\b(?P<value>short|brief|concise|detailed|long|thorough)(?:er)?\b.*\b(?:answers|replies|responses|explanations)\b"
            r"|\b(?:answers|replies|responses|explanations|it)\b.*\b(?P<length>short|brief|concise|detailed|long|thorough)\b",
            re.IGNORECASE,
        ),
    ),
    ("units", re.compile(r"\b(?P<value>metric|imperial)\b(?: units| system)?", re.IGNORECASE)),
    ("emoji", re.compile(r"\b(?:(?P<value>never|not|no|stop|avoid)\b.*)?\bemojis?\b", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """A standing request.

    Attributes:
        text: As it was put, without the politeness in front.
        attribute: The slot behind the person, or empty.
        value: The slot's value, or empty.
    """

    text: str
    attribute: str = ""
    value: str = ""


def read_instruction(text: str) -> Instruction | None:
    """The instruction that a sentence is, if it is one for more than this once.

    Args:
        text: Written out.
    """
    match = _STANDING.match(text)
    if match is None:
        return None
    plain = re.sub(_POLITE, "", text, flags=re.IGNORECASE).strip(" ,")
    for attribute, pattern in _SLOTS:
        slot = pattern.search(plain)
        if slot is not None:
            groups = slot.groupdict()
            value = groups.get("value") or groups.get("length") or ""
            if attribute == "emoji":
                value = "none" if value else "use"
            return Instruction(plain, attribute, value)
    return Instruction(plain)


def quoting(text: str, instruction: Instruction) -> str:
    """The text with a new name in quotes: in "Call Ana Annie" two names would read as one."""
    is_name = instruction.attribute == "nickname"
    return text.replace(f" {instruction.value}", f' "{instruction.value}"') if is_name else text
