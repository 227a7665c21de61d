"""What every loader gives: conversations with their messages, and questions that name the messages of their answers.

The ids of a data set stay in the bench: a memory is given random ones, from which nothing can be
read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True)
class Turn:
    """One message to remember.

    Attributes:
        turn_id: The data set's own name for it.
        session: Which session of the conversation, from 0.
        body: The text.
        name: The speaker's name, if the data set has names.
        is_user: Whether the human spoke, and not the assistant.
        spoken_at: When, in UTC; None where the data set does not say.
        day_only: Whether only the day is known.
    """

    turn_id: str
    session: int
    body: str
    name: str = ""
    is_user: bool = True
    spoken_at: datetime | None = None
    day_only: bool = False


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        question_id: Unique within its corpus.
        text: As it stands in the data set.
        kind: The data set's type of question.
        evidence: The ids of the turns that hold the answer; at least one.
        asked_at: When it is asked, as the data set says, or at the end of the conversation.
    """

    question_id: str
    text: str
    kind: str
    evidence: frozenset[str]
    asked_at: datetime | None = None


@dataclass(frozen=True)
class Conversation:
    """One person's history: a scope of its own."""

    conversation_id: str
    turns: Sequence[Turn]
    questions: Sequence[Question]


@dataclass(frozen=True)
class Corpus:
    """One data set."""

    name: str
    conversations: Sequence[Conversation]

    @property
    def turns(self) -> int:
        return sum(len(conversation.turns) for conversation in self.conversations)

    @property
    def questions(self) -> int:
        return sum(len(conversation.questions) for conversation in self.conversations)

    def subset(self, conversations: int, questions: int, at_least: int) -> Corpus:
        """The first conversations, and of each every n-th question so that about so many are left.

        More conversations than that are kept where they have few questions each: `at_least` so many in all.
        """
        kept: list[Conversation] = []
        for conversation in self.conversations:
            if len(kept) >= conversations and sum(len(one.questions) for one in kept) >= at_least:
                break
            step = max(1, len(conversation.questions) // questions)
            kept.append(replace(conversation, questions=conversation.questions[::step]))
        return replace(self, conversations=kept)
