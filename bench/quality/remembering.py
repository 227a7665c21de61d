"""A corpus in a memory, written and asked through the public API, in process or over gRPC alike."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bench.quality.corpora import Conversation, Corpus, Question, Turn
from bench.quality.vectors import KnownVectors
from mnemic import Memory, MnemicClient
from mnemic.client.options import SearchOptions
from mnemic.client.results import SearchResult
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput, Role, TimePrecision, embedding_text, to_micros
from mnemic.model.search import SearchHit, SignalWeights, StageTimings

Backend = Memory | MnemicClient
_ADDS_AT_ONCE = 500
# "Now" of a question can be told by an API that has the option.
_TELLS_TIME = "reference_time" in SearchOptions.__annotations__


@dataclass(frozen=True)
class Found:
    """What one search answered.

    Attributes:
        turns: For each hit the turns that it brings.
        bodies: The texts of the hits, as a prompt would hold them.
        scores: For each hit its score; those of a peer, or joined in the bench, are left out.
        parts: For each hit its signals; empty unless explained.
        timings: Where the server's time went.
        seconds: What the caller waited.
    """

    turns: tuple[tuple[str, ...], ...]
    bodies: tuple[str, ...]
    scores: tuple[float, ...]
    parts: tuple[Mapping[str, Any], ...]
    timings: StageTimings
    seconds: float

    def followed_by(self, other: Found) -> Found:
        """These hits, and after them those of another answer that are not among them; the scores are these hits'."""
        mine = set(zip(self.turns, self.bodies, strict=True))
        more = [place for place, hit in enumerate(zip(other.turns, other.bodies, strict=True)) if hit not in mine]
        return replace(
            self,
            turns=(*self.turns, *(other.turns[place] for place in more)),
            bodies=(*self.bodies, *(other.bodies[place] for place in more)),
        )


@dataclass
class Remembered:
    """A corpus that a memory holds: each conversation is one user's, with its sessions."""

    backend: Backend
    corpus: Corpus
    users: dict[str, str] = field(default_factory=dict)
    turn_of: dict[str, str] = field(default_factory=dict)

    @classmethod
    def by(cls, backend: Backend, corpus: Corpus, vectors: KnownVectors) -> Remembered:
        """Writes every turn, with the vector that the memory's own model gives it."""
        remembered = cls(backend, corpus)
        for conversation in corpus.conversations:
            remembered._add(conversation, vectors)
        return remembered

    def _add(self, conversation: Conversation, vectors: KnownVectors) -> None:
        user = str(uuid.uuid4())
        self.users[conversation.conversation_id] = user
        texts = [embedding_text(turn.name, turn.body) for turn in conversation.turns]
        inputs = [_input(turn, vector) for turn, vector in zip(conversation.turns, vectors.of(texts), strict=True)]
        for session in sorted({turn.session for turn in conversation.turns}):
            members = [i for i, turn in enumerate(conversation.turns) if turn.session == session]
            for start in range(0, len(members), _ADDS_AT_ONCE):
                part = members[start : start + _ADDS_AT_ONCE]
                added = self.backend.add([inputs[i] for i in part], user_id=user, session_id=f"{user}-{session}")
                ids = zip(added.memory_ids, part, strict=True)
                self.turn_of |= {memory_id: conversation.turns[i].turn_id for memory_id, i in ids}

    def ask(self, conversation: Conversation, question: Question, **options: Any) -> Found:
        """Searches all sessions of the conversation's user."""
        if _TELLS_TIME and question.asked_at is not None:
            options["reference_time"] = question.asked_at
        user = self.users[conversation.conversation_id]
        begin = time.perf_counter()
        result = self.backend.search(question.text, user_id=user, match="exact", **options)
        seconds = time.perf_counter() - begin
        return self._found(result, seconds)

    def warm(self) -> None:
        """Has every partition in memory, so that no question waits for it."""
        for user in self.users.values():
            self.backend.search("warm up", user_id=user, match="exact", profile="lexical")

    def _turns(self, hit: SearchHit) -> tuple[str, ...]:
        """Its own, or those that it was drawn from."""
        own = self.turn_of.get(hit.memory_id)
        sources = hit.memory.source_ids if own is None else ()
        return (own,) if own else tuple(self.turn_of[i] for i in sources if i in self.turn_of)

    def _found(self, result: SearchResult, seconds: float) -> Found:
        turns, bodies = [], []
        for hit in result.hits:
            turns.append(tuple(turn for one in (hit, *hit.grouped) for turn in self._turns(one)))
            bodies.append(embedding_text(hit.name, hit.body))
        scores = tuple(hit.score for hit in result.hits)
        parts = tuple(hit.score_parts for hit in result.hits)
        return Found(tuple(turns), tuple(bodies), scores, parts, result.timings, seconds)


def _input(turn: Turn, vector: bytes) -> MemoryInput:
    return MemoryInput(
        body=turn.body,
        name=turn.name,
        role=Role.USER if turn.is_user else Role.ASSISTANT,
        event_time_micros=None if turn.spoken_at is None else to_micros(turn.spoken_at),
        event_time_precision=TimePrecision.DAY if turn.day_only else TimePrecision.UNSPECIFIED,
        vector=vector,
    )


def signals_of(backend: Backend) -> list[str]:
    """The signals that searches of this version accept a weight for."""
    accepted = []
    for name in (part.name for part in fields(SignalWeights)):
        try:
            backend.search("anything", user_id="nobody", weights={name: 0.5})
        except MnemicError as error:
            if error.reason is not Reason.NOT_IMPLEMENTED:
                raise
        else:
            accepted.append(name)
    return accepted
