"""The slots of common life and work facts: which verbs, followed by what, tell which attribute."""

from __future__ import annotations

from mnemic.extraction.local.english import frames_of_life, frames_of_work
from mnemic.extraction.local.english.frame import FrameTable

FRAMES: FrameTable = {
    verb: [*frames_of_work.FRAMES.get(verb, ()), *frames_of_life.FRAMES.get(verb, ())]
    for verb in {*frames_of_work.FRAMES, *frames_of_life.FRAMES}
}
"""Of each verb, in the order in which they are tried."""
