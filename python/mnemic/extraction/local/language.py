"""What a language must give to be read without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mnemic.model.fact import ExtractedFact, KnownFact, SourceMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A message with what is needed to understand it.

    Attributes:
        message: What is read.
        earlier: Messages of the conversation before it, the nearest last.
        known: Facts of the owner with slots, that hold: what a message may refer to.
        names: First names of those who take part, lower case.
        utc_offset_minutes: The writer's zone.
        heard: What the messages read so far tell, by their ids: a language's own, so that none is read anew for each
            message that may refer to it.
    """

    message: SourceMessage
    earlier: Sequence[SourceMessage] = ()
    known: Sequence[KnownFact] = ()
    names: frozenset[str] = frozenset()
    utc_offset_minutes: int = 0
    heard: dict[str, Any] = field(default_factory=dict)


class Language(Protocol):
    """Reads messages of one language. Keeps nothing between two messages."""

    @property
    def code(self) -> str:
        """Its BCP 47 code, such as `en`."""

    def is_written_in(self, body: str) -> bool:
        """Whether a text is of this language: of one that it does not know it must say no, and not guess at facts."""

    def read(self, passage: Passage) -> list[ExtractedFact]:
        """The facts of a message, in the order in which it tells them. Precision goes before recall."""
