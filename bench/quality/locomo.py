"""LoCoMo (snap-research/LoCoMo, `data/locomo10.json`): long conversations of two friends, sharing pictures.

The caption of a picture is part of its turn. Questions of the types 1 to 4 are asked, when the last session has ended;
the fifth (adversarial) asks for what was never said. Evidence that names no turn of the conversation is dropped, and a
question without any is too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.quality.corpora import Conversation, Corpus, Question, Turn

NAME = "LoCoMo"
KINDS = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
_SESSION = re.compile(r"session_(\d+)")
_EVIDENCE = re.compile(r"D(\d+):(\d+)")


def load(path: Path) -> Corpus:
    """Reads the file, or any part of its list."""
    samples = json.loads(path.read_text(encoding="utf-8"))
    return Corpus(NAME, [_conversation(number, sample) for number, sample in enumerate(samples)])


def turns_of(conversation: Mapping[str, Any]) -> Iterator[Turn]:
    """The turns of all sessions, in order; those of a session are taken to be a second apart."""
    sessions = sorted((int(found[1]), name) for name in conversation if (found := _SESSION.fullmatch(name)))
    for number, name in sessions:
        begin = datetime.strptime(str(conversation[f"{name}_date_time"]), "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        for position, turn in enumerate(conversation[name]):
            caption = f" [shares a picture: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
            yield Turn(
                turn_id=turn["dia_id"],
                session=number,
                body=turn["text"] + caption,
                name=turn["speaker"],
                spoken_at=begin + timedelta(seconds=position),
            )


def _conversation(number: int, sample: Mapping[str, Any]) -> Conversation:
    turns = list(turns_of(sample["conversation"]))
    known = {turn.turn_id for turn in turns}
    name = str(sample.get("sample_id", number))
    questions = []
    for position, entry in enumerate(sample["qa"]):
        evidence = frozenset(_evidence(entry) & known)
        if entry["category"] in KINDS and evidence:
            kind = KINDS[entry["category"]]
            questions.append(Question(f"{name}/{position}", entry["question"], kind, evidence, turns[-1].spoken_at))
    return Conversation(name, turns, questions)


def _evidence(entry: Mapping[str, Any]) -> set[str]:
    """The turns that an entry names; some entries hold several in one text, `D:11:26` stands for `D11:26`."""
    found = set()
    for text in entry.get("evidence", []):
        for session, turn in _EVIDENCE.findall(str(text).replace("D:", "D")):
            found.add(f"D{int(session)}:{int(turn)}")
    return found
