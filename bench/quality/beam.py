"""BEAM (mohammadtavakoli78/BEAM, `chats/100K`): long chats of a user with an assistant about a project.

The user's messages are remembered, as a memory of the user; evidence that is the assistant's counts as the user's
message before it. A batch is a session, dated by its time anchor. Asked, on the day of the last one, is what names its
sources: everything but the questions about abstention.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.quality.corpora import Conversation, Corpus, Question, Turn

NAME = "BEAM"
# The user's texts end in marks of the generator: `->-> 1,1`, `->-> 2,N/A`.
_MARK = re.compile(r"\s*->->\s*[\d,\sN/A)]*\Z")


def load(directory: Path) -> Corpus:
    """Reads every chat (`N/chat.json` with its probing questions) below a directory."""
    chats = sorted(directory.rglob("chat.json"), key=lambda path: (len(path.parent.name), path.parent.name))
    if not chats:
        raise FileNotFoundError(f"{directory} holds no chat.json")
    return Corpus(NAME, [_conversation(path) for path in chats])


def _conversation(path: Path) -> Conversation:
    chat = json.loads(path.read_text(encoding="utf-8"))
    name = path.parent.name
    turns, owner = [], {}
    for number, batch in enumerate(chat):
        messages = [message for group in batch["turns"] for message in group]
        spoken_at = _date(batch, messages)
        for message in messages:
            if message["role"] == "user":
                body = _MARK.sub("", message["content"])
                turns.append(Turn(str(message["id"]), number, body, spoken_at=spoken_at, day_only=True))
            if turns:
                owner[message["id"]] = turns[-1].turn_id
    asked_at = turns[-1].spoken_at if turns else None
    return Conversation(name, turns, list(_questions(name, _probing(path.parent), owner, asked_at)))


def _probing(directory: Path) -> Mapping[str, Any]:
    places = [directory / "probing_questions.json", directory / "probing_questions" / "probing_questions.json"]
    place = next(path for path in places if path.exists())
    return dict(json.loads(place.read_text(encoding="utf-8")))


def _questions(
    name: str, probing: Mapping[str, Any], owner: Mapping[int, str], asked_at: datetime | None
) -> Iterator[Question]:
    for kind, entries in probing.items():
        for position, entry in enumerate(entries):
            sources = _numbers(entry.get("source_chat_ids"))
            evidence = frozenset(owner[number] for number in sources if number in owner)
            if evidence:
                words = kind.replace("_", " ")
                yield Question(f"{name}/{kind}/{position}", entry["question"], words, evidence, asked_at)


def _numbers(value: Any) -> Iterator[int]:
    """The message numbers in a list, or in the lists of a mapping (`{"first_statement": [58], …}`)."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif value is not None and str(value).isdigit():
        yield int(value)


def _date(batch: Mapping[str, Any], messages: list[Mapping[str, Any]]) -> datetime | None:
    anchors = [batch.get("time_anchor"), *(message.get("time_anchor") for message in messages)]
    anchor = next((anchor for anchor in anchors if anchor), None)
    return None if anchor is None else datetime.strptime(anchor, "%B-%d-%Y").replace(tzinfo=UTC)
