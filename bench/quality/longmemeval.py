"""LongMemEval (xiaowu0162/LongMemEval, `longmemeval_s.json` and its like): each question has a history of its own.

Evidence are the turns marked `has_answer`. A question of an instance without such a turn (abstention, `…_abs`) has no
evidence to find and is not asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.quality.corpora import Conversation, Corpus, Question, Turn

NAME = "LongMemEval"


def load(path: Path) -> Corpus:
    """Reads the file."""
    instances = json.loads(path.read_text(encoding="utf-8"))
    conversations = [_conversation(instance) for instance in instances]
    return Corpus(NAME, [conversation for conversation in conversations if conversation.questions])


def _conversation(instance: Mapping[str, Any]) -> Conversation:
    dates = [_date(text) for text in instance["haystack_dates"]]
    sessions = zip(dates, instance["haystack_session_ids"], instance["haystack_sessions"], strict=True)
    # Told in the order in which it happened: the oracle file is not sorted.
    ordered = sorted(sessions, key=lambda session: session[0])
    turns, evidence = [], set()
    for number, (spoken_at, session_id, messages) in enumerate(ordered):
        for position, message in enumerate(messages):
            if not message["content"].strip():
                continue
            turn_id = f"{session_id}#{number}:{position}"
            is_user = message["role"] == "user"
            turns.append(Turn(turn_id, number, message["content"], is_user=is_user, spoken_at=spoken_at))
            if message.get("has_answer") and session_id in instance["answer_session_ids"]:
                evidence.add(turn_id)
    name = instance["question_id"]
    questions = []
    if evidence and not name.endswith("_abs"):
        asked_at = _date(instance["question_date"])
        kind = instance["question_type"]
        questions.append(Question(name, instance["question"], kind, frozenset(evidence), asked_at))
    return Conversation(name, turns, questions)


def _date(text: str) -> datetime:
    """`2023/05/20 (Sat) 02:21`."""
    return datetime.strptime(text, "%Y/%m/%d (%a) %H:%M").replace(tzinfo=UTC)
