"""What extraction reads and what it gives. Times are integers: microseconds since 1970-01-01 UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mnemic.model.memory import MemoryKind, Role, TimePrecision


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMessage:
    """A message that facts may be drawn from.

    Attributes:
        memory_id: Names it in the facts' `source_ids`.
        role: Who spoke.
        name: The speaker's name, or empty.
        body: The text.
        event_time_micros: When it was said, as the caller told; None when nobody did.
        create_time_micros: When it was stored; what "yesterday" is counted from where no event time is known.
    """

    memory_id: str
    role: Role
    name: str = ""
    body: str
    event_time_micros: int | None = None
    create_time_micros: int

    @property
    def said_at_micros(self) -> int:
        """The moment against which the relative times of the message are understood."""
        return self.create_time_micros if self.event_time_micros is None else self.event_time_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFact:
    """A fact that is stored already, shown to the extractor so that it is not drawn again.

    Attributes:
        memory_id: Names it.
        body: The text.
        slot: What it is about, or empty.
        slot_value: The slot's value, or empty.
        event_time_micros: When it happened or began to hold, or None.
    """

    memory_id: str
    body: str
    slot: str = ""
    slot_value: str = ""
    event_time_micros: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedFact:
    """A self-contained statement drawn from messages.

    Attributes:
        body: The statement: in the third person, names instead of pronouns, in the language of its sources.
        source_ids: The messages that say so, in their order; never empty.
        kind: FACT, or INSTRUCTION for what is to be followed from now on ("always answer in German").
        name: Whose words it rests on: the speaker's name, or empty where the speaker has none.
        event_time_micros: When what it tells happened, or from when it holds; None when the text does not say.
            Not when it was said: that is the event time of the source.
        event_time_end_micros: End of a range, exclusive; None for an instant or an open end.
        event_time_precision: How exactly the text tells the time; UNSPECIFIED without one.
        slot: What it is about, such as `ana.home` or `project.deadline`; empty for none.
        slot_value: The slot's value, such as `Lisbon`; empty without a slot.
        is_additive: A further value of the slot (a second pet): it supersedes nothing.
        is_correction: It corrects what was said before ("no, I meant Porto"): it supersedes an earlier value of the
            slot even where its event time is not the later one.
        replaces: Values of the slot that end with it, where a slot has several: those that it corrects, or that were
            given up for it.
        entities: Names that it mentions.
        categories: Labels, from those that the request names if it names any.
        confidence: 0 to 1, how sure the extractor is that the sources say so.
    """

    body: str
    source_ids: tuple[str, ...]
    kind: MemoryKind = MemoryKind.FACT
    name: str = ""
    event_time_micros: int | None = None
    event_time_end_micros: int | None = None
    event_time_precision: TimePrecision = TimePrecision.UNSPECIFIED
    slot: str = ""
    slot_value: str = ""
    is_additive: bool = False
    is_correction: bool = False
    replaces: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRequest:
    """A batch of messages of one owner.

    Attributes:
        messages: What to draw facts from, in the order in which they were said.
        context: Messages before and after them, in order: for understanding only, no fact is drawn from them.
        known: Facts that are stored already and near to the messages in meaning.
        instructions: What the tenant asks of extraction, in words; only an LLM can follow them. Empty for nothing.
        include_topics: Draw only facts about these; empty for all.
        exclude_topics: Draw no facts about these.
        categories: The labels to choose from; empty lets the extractor choose its own.
        category_descriptions: When a label applies, in words, for those where it is said.
        utc_offset_minutes: The messages' zone, east positive: where their "today" begins.
    """

    messages: tuple[SourceMessage, ...]
    context: tuple[SourceMessage, ...] = ()
    known: tuple[KnownFact, ...] = ()
    instructions: str = ""
    include_topics: tuple[str, ...] = ()
    exclude_topics: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    category_descriptions: Mapping[str, str] = field(default_factory=dict)
    utc_offset_minutes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionResult:
    """What was drawn from a batch.

    Attributes:
        facts: In the order of their sources.
        dropped: How many candidates were thrown away, by reason (`extraction.reasons` lists them): a number that was
            not in the sources, a topic that was excluded …
        prompt_tokens: Read by an LLM for it, as the service counts; 0 without one.
        completion_tokens: Written by an LLM for it.
        cost: What the tokens cost in the currency of the settings' prices; None where no prices are set.
    """

    facts: tuple[ExtractedFact, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
