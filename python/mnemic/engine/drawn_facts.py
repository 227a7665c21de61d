"""From what an extractor draws to what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mnemic.engine.settings import Limits
from mnemic.engine.validation import check_inputs
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.fact import ExtractedFact, KnownFact, SourceMessage
from mnemic.model.memory import Memory, MemoryInput, TimePrecision
from mnemic.model.scope import Scope
from mnemic.store.standing import Standing

MALFORMED = "malformed"
SOURCE_DELETED = "source_deleted"
REFUSED = "refused"


def source_message(memory: Memory) -> SourceMessage:
    """A message as an extractor reads it."""
    return SourceMessage(
        memory_id=memory.memory_id,
        role=memory.role,
        name=memory.name,
        body=memory.body,
        event_time_micros=memory.event_time_micros,
        create_time_micros=memory.create_time_micros,
    )


def known_fact(fact: Memory) -> KnownFact:
    """A stored fact as an extractor is shown it."""
    return KnownFact(
        memory_id=fact.memory_id,
        body=fact.body,
        slot=fact.slot,
        slot_value=fact.slot_value,
        event_time_micros=fact.event_time_micros,
    )


def fact_input(fact: ExtractedFact, sources: Sequence[Memory]) -> MemoryInput:
    """A fact as an add would bring it. It lives no longer than its sources, and is trusted no more than they are."""
    expiries = [source.expire_time_micros for source in sources if source.expire_time_micros is not None]
    return MemoryInput(
        body=fact.body,
        kind=fact.kind,
        name=fact.name,
        event_time_micros=fact.event_time_micros,
        event_time_end_micros=fact.event_time_end_micros,
        event_time_precision=(
            TimePrecision.UNSPECIFIED if fact.event_time_micros is None else fact.event_time_precision
        ),
        expire_time_micros=max(expiries) if len(expiries) == len(sources) else None,
        categories=fact.categories,
        entities=fact.entities,
        source_ids=tuple(source.memory_id for source in sources),
        slot=fact.slot,
        slot_value=fact.slot_value,
        trust=min(source.trust for source in sources),
    )


def scope_of_fact(said_in: Scope) -> Scope:
    """Where a fact holds: what is told in one session is known in the others, unless the session is all there is."""
    beyond = replace(said_in, session_id=None)
    return said_in if beyond.is_empty else beyond


def acceptable(
    facts: Sequence[ExtractedFact],
    found: Mapping[str, Memory],
    limits: Limits,
    admit: Callable[[MemoryInput], MemoryInput],
    now_micros: int,
) -> tuple[list[tuple[ExtractedFact, MemoryInput, int]], dict[str, int]]:
    """The facts that can be stored, each with the moment from which it holds, and how many cannot, by reason.

    A fact holds from when its last source was said, or from when it happened if that is earlier. What is told of the
    future holds from when it is told: a deadline that is moved to an earlier day is news nevertheless.

    Args:
        facts: What was drawn.
        found: The messages, those that are still there.
        limits: What is accepted.
        admit: Gives what of a fact may be remembered, or refuses it.
        now_micros: The present.
    """
    kept, dropped = [], Counter[str]()
    for fact in facts:
        sources = [found[memory_id] for memory_id in fact.source_ids if memory_id in found]
        if not sources:
            dropped[SOURCE_DELETED] += 1
            continue
        item = fact_input(fact, sources)
        try:
            check_inputs([item], limits, now_micros=now_micros)
            item = admit(item)
        except MnemicError as error:
            dropped[REFUSED if error.reason is Reason.CONTENT_REFUSED else MALFORMED] += 1
            continue
        said = max(source_message(source).said_at_micros for source in sources)
        happened = said if fact.event_time_micros is None else fact.event_time_micros
        kept.append((fact, item, min(now_micros, said, happened)))
    return kept, dropped


def standing_of(fact: ExtractedFact) -> Standing:
    """How a drawn fact relates to what is known. What only denies a value takes no place of its own in the slot."""
    takes_slot = bool(fact.slot) and not fact.is_additive and not fact.slot_value.casefold().startswith("not ")
    return Standing(
        takes_slot=takes_slot,
        is_correction=bool(fact.slot) and fact.is_correction,
        reads_value=bool(fact.slot),
        replaces=fact.replaces,
    )
