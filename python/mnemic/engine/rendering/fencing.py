"""Texts of memories made harmless: none can end the block that it stands in, begin a line of its own, or look like the
control tokens by which chat templates tell who speaks.
"""

from __future__ import annotations

import re

BLOCK = "memory"
UNTRUSTED = "untrusted"

# Lines of a text after its first begin so: what begins a line without it is never a memory's.
_CONTINUED = "\n    "
# Angle brackets, and the characters that Unicode's compatibility makes the same.
_BRACKETS = {"<": "&lt;", "\uff1c": "&lt;", "\ufe64": "&lt;", ">": "&gt;", "\uff1e": "&gt;", "\ufe65": "&gt;"}
_ESCAPES = _BRACKETS | {"[": "&#91;"}
# What stands between an angle bracket and a name without a reader seeing it counts for nothing.
_GAP = r"[\s/\uff0f\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
# Our own tags, and the markers of common chat templates (ChatML, Llama, Mistral, Gemma).
_MARKERS = re.compile(
    rf"[<\uff1c\ufe64](?={_GAP}(?:{BLOCK}|{UNTRUSTED})\b)"
    r"|<(?=\||<SYS>>|</?SYS>>|/?s>|(?:start|end)_of_turn>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])",
    re.IGNORECASE,
)
# Invisible to people and legible to models: tag characters; and what turns the direction of writing.
_INVISIBLE = re.compile("[\U000e0000-\U000e007f\u202a-\u202e\u2066-\u2069]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BRACKET = re.compile(f"[{''.join(_BRACKETS)}]")
# A text without any of these is harmless as it is.
_NOTABLE = re.compile(
    f"[{re.escape(''.join(_ESCAPES))}\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def body_text(body: str, *, trusted: bool = True) -> str:
    """A body as it may stand in the block: further lines are indented, markers are escaped.

    Args:
        body: As it was remembered.
        trusted: If not, it stands between `<untrusted>` and `</untrusted>`, and no angle bracket of its own is left.
    """
    if _NOTABLE.search(body) is None:
        text = body.strip()
        return text if trusted else f"<{UNTRUSTED}>{text}</{UNTRUSTED}>"
    lines = (line.rstrip() for line in _visible(body).strip().splitlines())
    text = _CONTINUED.join(line for line in lines if line)
    if trusted:
        return _without_markers(text)
    return f"<{UNTRUSTED}>{_without_markers(_without_brackets(text))}</{UNTRUSTED}>"


def name_text(name: str) -> str:
    """A speaker's name: one line without angle brackets."""
    return _without_markers(_without_brackets(" ".join(_visible(name).split())))


def _visible(text: str) -> str:
    return _CONTROLS.sub("", _INVISIBLE.sub("", text))


def _without_markers(text: str) -> str:
    return _MARKERS.sub(lambda found: _ESCAPES[found[0]], text)


def _without_brackets(text: str) -> str:
    return _BRACKET.sub(lambda found: _BRACKETS[found[0]], text)
