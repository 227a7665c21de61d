"""The extractor that needs no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mnemic.extraction.local.english.reader import English
from mnemic.extraction.local.language import Language, Passage
from mnemic.extraction.reasons import Dropped
from mnemic.extraction.topics import is_excluded, is_included, with_categories
from mnemic.model.deadline import Deadline
from mnemic.model.fact import ExtractedFact, ExtractionRequest, ExtractionResult, SourceMessage
from mnemic.model.memory import Role

_VERSION = 2
# A message of so few words has none by which its language could be told.
_FEW_WORDS = 4
# What an assistant says about itself is no knowledge, and what it says about the user it has from the user.

_ROLES = frozenset({Role.USER, Role.NONE})


class LocalExtractor:
    """Draws facts by the rules of the languages that it knows. Deterministic; safe to use from many threads.

    Reads what users say. Messages of assistants, tools and systems, and those in languages that it does not know, give
    no facts; they stay searchable as they are.
    """

    def __init__(self, languages: Sequence[Language] | None = None) -> None:
        self._languages = tuple(languages) if languages is not None else (English(),)

    @property
    def identity(self) -> str:
        """See `Extractor.identity`."""
        return f"local:{'+'.join(language.code for language in self._languages)}:{_VERSION}"

    def extract(self, request: ExtractionRequest, deadline: Deadline) -> ExtractionResult:
        """See `Extractor.extract`. Instructions in words cannot be followed by rules and are passed over.

        Raises:
            MnemicError: DEADLINE_EXCEEDED; a message takes microseconds, so only a batch can meet it.
        """
        dropped: Counter[str] = Counter()
        facts: dict[str, ExtractedFact] = {}
        for fact in self._facts(request, deadline):
            if is_excluded(fact, request) or not is_included(fact, request):
                dropped[Dropped.TOPIC] += 1
            elif fact.body in facts:
                dropped[Dropped.DUPLICATE] += 1
                facts[fact.body] = _joined(facts[fact.body], fact)
            else:
                facts[fact.body] = with_categories(fact, request.categories)
        return ExtractionResult(facts=tuple(facts.values()), dropped=dict(dropped))

    def close(self) -> None:
        """See `Extractor.close`."""

    def _facts(self, request: ExtractionRequest, deadline: Deadline) -> Iterator[ExtractedFact]:
        conversation = sorted(
            (*request.context, *request.messages),
            key=lambda message: (message.said_at_micros, message.create_time_micros),
        )
        places = {message.memory_id: place for place, message in enumerate(conversation)}
        names = frozenset(message.name.split()[0].lower() for message in conversation if message.name.strip())
        heard: dict[str, object] = {}
        for message in request.messages:
            deadline.check()
            language = self._language_of(message, conversation[: places[message.memory_id]])
            if language is not None:
                yield from language.read(
                    Passage(
                        message=message,
                        earlier=conversation[: places[message.memory_id]],
                        known=request.known,
                        names=names,
                        utc_offset_minutes=request.utc_offset_minutes,
                        heard=heard,
                    )
                )

    def _language_of(self, message: SourceMessage, earlier: Sequence[SourceMessage]) -> Language | None:
        if message.role not in _ROLES:
            return None
        found = self._written_in(message.body)
        if found is None and earlier and len(message.body.split()) <= _FEW_WORDS:
            # "*Sven", "Lisbon, not Porto": too short to tell, and an answer to what was said before.
            return self._written_in(earlier[-1].body)
        return found

    def _written_in(self, body: str) -> Language | None:
        return next((language for language in self._languages if language.is_written_in(body)), None)


def _joined(fact: ExtractedFact, again: ExtractedFact) -> ExtractedFact:
    """A fact that was told twice."""
    return replace(
        fact,
        source_ids=tuple(dict.fromkeys((*fact.source_ids, *again.source_ids))),
        replaces=tuple(dict.fromkeys((*fact.replaces, *again.replaces))),
        is_correction=fact.is_correction or again.is_correction,
    )
