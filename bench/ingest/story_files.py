"""Stories from a file, which somebody wrote who has not seen the rules: `python -m bench.ingest --stories FILE`.

The file is a list of objects with `kind`, `id`, `speaker`, `messages` (each with `text`, `event_time` and `session`),
`expected_current` and `expected_retired`. Each story is told to a user of its own, each message in its session, with
`mode = LOCAL`. It is right if every text of `expected_current` stands in a fact that holds, and every text of
`expected_retired` in none that holds and in one that did. Capitals do not count. Wrongly retired is a text of
`expected_current` that a fact told and none that holds tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnemic.engine.engine import Engine
from mnemic.model.memory import Memory, MemoryInput, MemoryKind, to_micros
from mnemic.model.requests import AddMode, ListRequest, WaitFor
from mnemic.model.scope import Scope

_TENANT = "default"


@dataclass(frozen=True)
class WrittenStory:
    """One story of a file; see the module."""

    kind: str
    name: str
    speaker: str
    messages: tuple[tuple[str, datetime, str], ...]
    expected_current: tuple[str, ...]
    expected_retired: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """What came of a story.

    Attributes:
        is_right: See the module.
        missing: Texts that should hold and do not.
        wrongly_retired: Of those the ones that were told by a fact.
        remaining: Texts that should be over and are not, or never were told by a fact.
        current: The facts that hold.
    """

    is_right: bool
    missing: tuple[str, ...]
    wrongly_retired: tuple[str, ...]
    remaining: tuple[str, ...]
    current: tuple[str, ...]


def read_stories(path: Path) -> Iterator[WrittenStory]:
    """The stories of a file, in its order."""
    for raw in json.loads(path.read_text(encoding="utf-8")):
        yield WrittenStory(
            kind=raw["kind"].replace("_", " "),
            name=raw["id"],
            speaker=raw["speaker"],
            messages=tuple((one["text"], _moment(one), str(one["session"])) for one in raw["messages"]),
            expected_current=tuple(raw["expected_current"]),
            expected_retired=tuple(raw["expected_retired"]),
        )


def _moment(message: dict[str, Any]) -> datetime:
    moment = datetime.fromisoformat(message["event_time"])
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def judge_written(engine: Engine, story: WrittenStory) -> Judgement:
    """Tells a story to a user of its own and looks at what holds."""
    user = story.name
    for text, moment, session in story.messages:
        item = MemoryInput(body=text, name=story.speaker, event_time_micros=to_micros(moment))
        scope = Scope(user_id=user, session_id=f"{user} {session}")
        engine.add(_TENANT, scope, [item], mode=AddMode.LOCAL, wait=WaitFor.EXTRACTED)
    current = _facts(engine, user, include_superseded=False)
    holding = {memory.memory_id for memory in current}
    over = [memory for memory in _facts(engine, user, include_superseded=True) if memory.memory_id not in holding]
    missing = tuple(text for text in story.expected_current if not _tell(current, text))
    remaining = tuple(text for text in story.expected_retired if _tell(current, text) or not _tell(over, text))
    return Judgement(
        is_right=not missing and not remaining,
        missing=missing,
        wrongly_retired=tuple(text for text in missing if _tell(over, text)),
        remaining=remaining,
        current=tuple(memory.body for memory in current),
    )


def _facts(engine: Engine, user: str, *, include_superseded: bool) -> list[Memory]:
    request = ListRequest(scope=Scope(user_id=user), page_size=1000, include_superseded=include_superseded)
    return [
        memory for memory in engine.list_memories(_TENANT, request).memories if memory.kind is not MemoryKind.MESSAGE
    ]


def _tell(facts: Sequence[Memory], text: str) -> bool:
    return any(text.casefold() in memory.body.casefold() for memory in facts)
