"""The extractor that asks an LLM."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from mnemic.extraction.extractor import ExtractionFailedError, ExtractionUnavailableError
from mnemic.extraction.llm.iso_time import IsoTime, read_iso_time
from mnemic.extraction.llm.near_json import NotJsonError
from mnemic.extraction.llm.prompt import ASK_AGAIN, SYSTEM, messages_of
from mnemic.extraction.llm.reply import Candidate, read_reply
from mnemic.extraction.llm.service import ChatMessage, ChatService, FilteredError, Reply, TooLongError
from mnemic.extraction.llm.support import Support
from mnemic.extraction.reasons import Dropped, Failure
from mnemic.extraction.settings import LlmSettings
from mnemic.extraction.topics import is_excluded, with_categories
from mnemic.model.deadline import Deadline
from mnemic.model.errors import invalid_field
from mnemic.model.fact import ExtractedFact, ExtractionRequest, ExtractionResult, SourceMessage
from mnemic.model.memory import MemoryKind, TimePrecision

_PROMPT_VERSION = 1
_FAILURES = {
    Dropped.MESSAGE_FILTERED: (Failure.CONTENT_FILTER, "the service refuses the content"),
    Dropped.MESSAGE_TOO_LONG: (Failure.TOO_LONG, "a message alone is longer than the model takes or answers"),
    Dropped.MESSAGE_UNREADABLE: (Failure.UNREADABLE, "the model's answers could not be read"),
}


@dataclass(slots=True)
class _Outcome:
    """What came of a request so far."""

    facts: dict[str, ExtractedFact] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def count(self, reply: Reply) -> None:
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens


class LlmExtractor:
    """Draws facts by one call for a batch; halves a batch whose answer is cut off, refused or unreadable.

    Safe to use from many threads. What the model says is taken only where the messages support it (`llm.support`).

    Args:
        settings: Which service and model.
        system: What the model is to do, with an answer of the shape of facts.

    Raises:
        MnemicError: INVALID_FIELD without a model, or without a key where one is needed.
    """

    def __init__(self, settings: LlmSettings, *, system: str = SYSTEM) -> None:
        if settings.model is None:
            raise invalid_field("extraction.llm.model", "must be set for facts by an LLM")
        self._settings = settings
        self._model = settings.model
        self._system = system
        self._service = ChatService(settings, settings.model)

    @property
    def identity(self) -> str:
        """See `Extractor.identity`."""
        return f"llm:{self._model}:{_PROMPT_VERSION}"

    def close(self) -> None:
        """See `Extractor.close`."""
        self._service.close()

    def extract(self, request: ExtractionRequest, deadline: Deadline) -> ExtractionResult:
        """See `Extractor.extract`."""
        outcome = _Outcome()
        if request.messages:
            try:
                self._extract(request, deadline, outcome)
            except (ExtractionUnavailableError, ExtractionFailedError) as error:
                error.prompt_tokens = outcome.prompt_tokens
                error.completion_tokens = outcome.completion_tokens
                raise
            self._check_some_were_read(request, outcome)
        return ExtractionResult(
            facts=tuple(outcome.facts.values()),
            dropped=dict(outcome.dropped),
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
            cost=self._settings.cost(outcome.prompt_tokens, outcome.completion_tokens),
        )

    def _extract(self, request: ExtractionRequest, deadline: Deadline, outcome: _Outcome) -> None:
        try:
            reply = self._service.ask(self._chat(request), deadline)
            outcome.count(reply)
            if reply.end == "filtered":
                return self._halved(request, deadline, outcome, Dropped.MESSAGE_FILTERED)
            if reply.end == "cut_off" and len(request.messages) > 1:
                return self._halved(request, deadline, outcome, Dropped.MESSAGE_TOO_LONG)
            dropped, candidates = self._read(request, reply, deadline, outcome)
        except TooLongError:
            return self._halved(request, deadline, outcome, Dropped.MESSAGE_TOO_LONG)
        except FilteredError:
            return self._halved(request, deadline, outcome, Dropped.MESSAGE_FILTERED)
        except NotJsonError:
            return self._halved(request, deadline, outcome, Dropped.MESSAGE_UNREADABLE)
        outcome.dropped += dropped
        support = Support(request)
        for candidate in candidates:
            self._take(candidate, request, support, outcome)
        return None

    def _read(
        self, request: ExtractionRequest, reply: Reply, deadline: Deadline, outcome: _Outcome
    ) -> tuple[Counter[str], list[Candidate]]:
        """The candidates of an answer; if it cannot be read, of a second one."""
        dropped: Counter[str] = Counter()
        try:
            return dropped, read_reply(reply.text, dropped)
        except NotJsonError:
            if reply.end == "cut_off":
                raise TooLongError from None
        again = [
            *self._chat(request),
            {"role": "assistant", "content": reply.text},
            {"role": "user", "content": ASK_AGAIN},
        ]
        second = self._service.ask(again, deadline)
        outcome.count(second)
        dropped.clear()
        return dropped, read_reply(second.text, dropped)

    def _chat(self, request: ExtractionRequest) -> list[ChatMessage]:
        return [{"role": "system", "content": self._system}, {"role": "user", "content": messages_of(request)}]

    def _halved(self, request: ExtractionRequest, deadline: Deadline, outcome: _Outcome, reason: Dropped) -> None:
        """Asks for each half by itself, with the other as its context: one message must not cost the others."""
        messages = request.messages
        if len(messages) == 1:
            outcome.dropped[reason] += 1
            return
        middle = len(messages) // 2
        for part, rest in ((messages[:middle], messages[middle:]), (messages[middle:], messages[:middle])):
            # What was refused stays out of the context as well.
            context = request.context if reason is Dropped.MESSAGE_FILTERED else (*request.context, *rest)
            self._extract(replace(request, messages=part, context=context), deadline, outcome)

    def _check_some_were_read(self, request: ExtractionRequest, outcome: _Outcome) -> None:
        for reason, (failure, description) in _FAILURES.items():
            if outcome.dropped[reason] == len(request.messages):
                raise ExtractionFailedError(
                    description,
                    reason=failure,
                    prompt_tokens=outcome.prompt_tokens,
                    completion_tokens=outcome.completion_tokens,
                )

    def _take(self, candidate: Candidate, request: ExtractionRequest, support: Support, outcome: _Outcome) -> None:
        sources = [request.messages[number - 1] for number in candidate.sources if 0 < number <= len(request.messages)]
        if not sources:
            outcome.dropped[Dropped.UNKNOWN_SOURCE] += 1
            return
        if candidate.confidence < self._settings.least_confidence:
            outcome.dropped[Dropped.LOW_CONFIDENCE] += 1
            return
        time = read_iso_time(candidate.time, utc_offset_minutes=request.utc_offset_minutes)
        entities = tuple(name for name in candidate.entities if name.casefold() in candidate.text.casefold())
        # A value is told in the sentence, or at least its words are the messages' own.
        named = (*entities, *(word for word in candidate.value.split() if word[:1].isupper()))
        refusal = support.refusal(candidate.text, named, sources, time)
        if refusal is not None:
            outcome.dropped[refusal] += 1
            return
        fact = _fact(candidate, sources, entities, time)
        # By the model's own labels, also those that the tenant does not keep.
        if is_excluded(fact, request):
            outcome.dropped[Dropped.TOPIC] += 1
        elif fact.body in outcome.facts or any(_same(fact.body, known.body) for known in request.known):
            outcome.dropped[Dropped.DUPLICATE] += 1
        else:
            outcome.facts[fact.body] = with_categories(fact, request.categories)


def _same(one: str, other: str) -> bool:
    return one.casefold().rstrip(". ") == other.casefold().rstrip(". ")


def _fact(
    candidate: Candidate, sources: list[SourceMessage], entities: tuple[str, ...], time: IsoTime | None
) -> ExtractedFact:
    return ExtractedFact(
        body=candidate.text,
        source_ids=tuple(message.memory_id for message in sources),
        kind=MemoryKind.INSTRUCTION if candidate.is_instruction else MemoryKind.FACT,
        # Whose words they are is known, and need not be believed of a model.
        name=sources[0].name,
        event_time_micros=None if time is None else time.start_micros,
        event_time_end_micros=None if time is None else time.end_micros,
        event_time_precision=TimePrecision.UNSPECIFIED if time is None else time.precision,
        slot=candidate.slot,
        slot_value=candidate.value,
        is_additive=candidate.adds,
        is_correction=candidate.corrects,
        entities=entities,
        categories=candidate.categories,
        confidence=candidate.confidence,
    )
