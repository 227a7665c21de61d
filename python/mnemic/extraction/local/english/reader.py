"""English messages, sentence by sentence and clause by clause."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mnemic import _core
from mnemic.extraction.local.english import guards
from mnemic.extraction.local.english.corrections import Correction, before_and_after, denies_another, read_correction
from mnemic.extraction.local.english.dating import dated, told
from mnemic.extraction.local.english.endings import read_slots_and_endings
from mnemic.extraction.local.english.instructions import Instruction, read_instruction
from mnemic.extraction.local.english.owned import read_dated, read_owned, read_relative, read_reversed
from mnemic.extraction.local.english.person import (
    Person,
    capitalised,
    folded,
    in_third_person,
    with_capitals,
    written_out,
)
from mnemic.extraction.local.english.sentences import Sentence, sentences
from mnemic.extraction.local.english.slots import SlotReading
from mnemic.extraction.local.english.statements import Clause, clauses, stands_alone, tells_something
from mnemic.extraction.local.language import Passage
from mnemic.extraction.times import EventTime, event_times, lasting
from mnemic.model.fact import ExtractedFact, SourceMessage
from mnemic.model.memory import MemoryKind, Role

_SLOT_CONFIDENCE = 0.9
_CORRECTION_CONFIDENCE = 0.85
_DATED_CONFIDENCE = 0.7
_STATEMENT_CONFIDENCE = 0.6
_LONGEST_CLAUSE = 300
_LONGEST_BODY_READ = 20_000
_LOOKS_BACK = 6

# Words that only English has, and those that every English text has and other languages may have too.
_ENGLISH_WORDS = frozenset(
    """the i is my we our you your of and it that this for with not are were they she his her their what there have been had
    just going went from who which would should could please don't always never yesterday today tomorrow year years week
    month last next like love hate work works working live lives living moved called named friend sister brother mom dad wife
    husband born with don doesn't i'm call answer reply keep meant""".split()
)
_SHARED_WORDS = frozenset("a an am was to in on has do be but at so he will can as me no or by if new up out".split())
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_LEAST_COMMON_SHARE = 0.2
_HAS_LASTED = re.compile(
    r"\b(?:have|has) (?:\w+ly |always |now |also )?(?:been|had|known|lived|worked|played|owned|kept|taught|studied|driven)\b.*"
    r"(?P<for>\bfor (?:about |around |over |almost |nearly |more than )?(?P<long>(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten"
    r"|eleven|twelve|fifteen|twenty|thirty) (?:years?|months?|weeks?|days?))(?: now)?\b)",
    re.IGNORECASE,
)
_EVERY_YEAR = re.compile(r"\b(?:every|each|birthday|anniversary|annual|always|usually)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A slot that somebody filled, for a correction that may follow."""

    person: Person
    slot: SlotReading
    memory_id: str


class English:
    """Reads English."""

    code = "en"

    def is_written_in(self, body: str) -> bool:
        """See `Language.is_written_in`: by the share of words that every English text has."""
        words = [word.lower().replace("’", "'") for word in _WORD.findall(body[:1000])]
        english = sum(word in _ENGLISH_WORDS or word.partition("'")[0] in _ENGLISH_WORDS for word in words)
        shared = sum(word in _SHARED_WORDS for word in words)
        return english > 0 and english + shared >= _LEAST_COMMON_SHARE * len(words)

    def read(self, passage: Passage) -> list[ExtractedFact]:
        """See `Language.read`."""
        return _Reading(passage).facts()


class _Reading:
    """One message."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._message = passage.message
        self._speaker = Person.speaking(self._message.name, self._message.role)
        self._heard: list[_Heard] = []

    def facts(self) -> list[ExtractedFact]:
        found: list[ExtractedFact] = []
        body = self._message.body[:_LONGEST_BODY_READ]
        if guards.is_joke(body):
            return found
        for sentence in sentences(body):
            if guards.asks_for_work_on_text(sentence.text):
                break
            found += self._sentence(sentence)
        return _without_taken_back(found)

    def heard(self) -> list[_Heard]:
        """The slots that the message fills."""
        self.facts()
        return self._heard

    def _sentence(self, sentence: Sentence) -> Iterator[ExtractedFact]:
        statement = guards.told_before_asked(sentence.text)
        asks = guards.is_question(sentence if statement == sentence.text else Sentence(statement))
        if asks or guards.is_quoting(sentence.text):
            return
        for part in before_and_after(with_capitals(written_out(statement))):
            correction = read_correction(part)
            if correction is not None:
                yield from self._correction(correction)
            else:
                yield from self._told_or_asked(part)

    def _told_or_asked(self, text: str) -> Iterator[ExtractedFact]:
        text = guards.without_openings(text, self._passage.names)
        if self._message.role is Role.USER:
            instruction = read_instruction(text)
            if instruction is not None:
                yield self._fact(
                    _quoting(in_third_person(instruction.text, self._speaker), instruction),
                    kind=MemoryKind.INSTRUCTION,
                    slot=f"{self._speaker.key}.{instruction.attribute}" if instruction.attribute else "",
                    slot_value=instruction.value,
                    categories=("instructions",),
                    confidence=_SLOT_CONFIDENCE,
                )
                return
        if guards.is_unreal(text):
            return
        found = clauses(text)
        if not found and read_dated(text, text) is not None:
            # "The deadline for Apollo is 12 June": no first person, and yet the speaker's affair.
            found = [Clause(text, "", text, "future")]
        reversed_slot = read_reversed(text)
        if reversed_slot is not None:
            yield self._slot(reversed_slot, self._speaker, [], None, is_correction=False)
            self._heard.append(_Heard(self._speaker, reversed_slot, self._message.memory_id))
            return
        for clause in found:
            if len(clause.text) <= _LONGEST_CLAUSE and not guards.speaks_to_somebody(clause.text):
                yield from self._clause(clause)

    def _clause(self, clause: Clause) -> Iterator[ExtractedFact]:
        times = self._times(clause)
        appointment = read_dated(clause.text, clause.predicate)
        if appointment is not None:
            if times:
                owner = appointment.owner or self._speaker.key
                yield self._statement(
                    clause,
                    times,
                    slot=f"{owner}.{appointment.attribute}",
                    slot_value=told(times[0], utc_offset_minutes=self._passage.utc_offset_minutes),
                    is_additive=appointment.adds,
                    categories=(appointment.category,),
                    confidence=_SLOT_CONFIDENCE,
                )
            return
        readings = self._slots(clause)
        is_correction = denies_another(clause.text)
        for person, slot in readings:
            self._heard.append(_Heard(person, slot, self._message.memory_id))
            # One slot: the whole clause tells it best. Of several each gets a sentence of its own.
            is_whole = len(readings) == 1 and clause.subject == "i" and (slot.is_denial or stands_alone(clause.text))
            yield self._slot(
                slot,
                person,
                [] if slot.is_timeless else times,
                clause if is_whole else None,
                is_correction=is_correction,
            )
        if not readings and not guards.is_reported(clause.predicate) and tells_something(clause, has_time=bool(times)):
            confidence = _DATED_CONFIDENCE if times else _STATEMENT_CONFIDENCE
            yield self._statement(clause, times, confidence=confidence)

    def _slots(self, clause: Clause) -> list[tuple[Person, SlotReading]]:
        """The slots that a clause fills, with those whose they are."""
        speaker = self._speaker
        owned = [(speaker, slot) for slot in read_owned(clause.text) if not self._is_known(slot)]
        if clause.subject in ("i", "we") or clause.subject.endswith(" and i"):
            return [*((speaker, slot) for slot in read_slots_and_endings(clause.predicate)), *owned]
        relative = read_relative(clause.text, speaker)
        if relative is None or not relative.person.key:
            return owned
        return [*((relative.person, slot) for slot in read_slots_and_endings(relative.predicate)), *owned]

    def _is_known(self, slot: SlotReading) -> bool:
        """Whether it is what the message's own fields say: Ana's name is Ana."""
        return slot.attribute == "name" and slot.value == self._speaker.label

    def _times(self, clause: Clause) -> list[EventTime]:
        if _EVERY_YEAR.search(clause.text):
            return []
        said_at = self._message.said_at_micros
        times = event_times(
            clause.text,
            said_at_micros=said_at,
            utc_offset_minutes=self._passage.utc_offset_minutes,
            tense="future" if read_dated(clause.text, clause.predicate) else clause.tense,
        )
        duration = _HAS_LASTED.search(clause.text)
        if times or duration is None:
            return times
        begun = lasting(duration["for"], f"{duration['long']} ago", span=duration.span("for"), said_at_micros=said_at)
        return [] if begun is None else [begun]

    def _statement(self, clause: Clause, times: list[EventTime], **parts: object) -> ExtractedFact:
        return self._fact(self._told(clause, times), times=times, **parts)

    def _told(self, clause: Clause, times: list[EventTime]) -> str:
        text = dated(
            clause.text,
            times,
            said_at_micros=self._message.said_at_micros,
            utc_offset_minutes=self._passage.utc_offset_minutes,
        )
        return in_third_person(text, self._speaker)

    def _slot(
        self, slot: SlotReading, person: Person, times: list[EventTime], clause: Clause | None, *, is_correction: bool
    ) -> ExtractedFact:
        if clause is not None:
            body = self._told(clause, times)
        else:
            body = capitalised(slot.template.format(s=person.label, value=slot.value)).rstrip(".")
        return self._fact(
            body,
            times=times,
            slot=f"{person.key}.{slot.attribute}",
            slot_value=slot.value,
            is_additive=slot.adds and not is_correction,
            is_correction=is_correction,
            categories=(slot.category,),
            confidence=_SLOT_CONFIDENCE,
        )

    def _correction(self, correction: Correction) -> Iterator[ExtractedFact]:
        heard = self._corrected(correction)
        if heard is None:
            return
        slot = replace(heard.slot, value=correction.value)
        body = capitalised(slot.template.format(s=heard.person.label, value=slot.value)).rstrip(".")
        sources = tuple(dict.fromkeys((heard.memory_id, self._message.memory_id)))
        fact = self._fact(
            body,
            slot=f"{heard.person.key}.{slot.attribute}",
            slot_value=slot.value,
            is_correction=True,
            categories=(slot.category,),
            confidence=_CORRECTION_CONFIDENCE,
        )
        yield replace(fact, source_ids=sources)

    def _corrected(self, correction: Correction) -> _Heard | None:
        """What the speaker said last, or what had the value that was wrong."""
        own = [message for message in self._passage.earlier[-_LOOKS_BACK:] if _is_same_speaker(message, self._message)]
        candidates = [*self._heard[::-1]]
        for message in reversed(own):
            passage = replace(self._passage, message=message, earlier=())
            candidates += _Reading(passage).heard()[::-1]
            if candidates and not correction.wrong:
                break
        for heard in candidates:
            if not correction.wrong or folded(correction.wrong) in (
                folded(heard.slot.value),
                folded(heard.slot.value.split(",")[0]),
            ):
                return heard
        return None

    def _fact(self, body: str, *, times: list[EventTime] | None = None, **parts: object) -> ExtractedFact:
        when: dict[str, object] = {}
        if times:
            when = {
                "event_time_micros": times[0].start_micros,
                "event_time_end_micros": times[0].end_micros,
                "event_time_precision": times[0].precision,
            }
        label = self._message.name.strip()
        names = dict.fromkeys([label] if label and label in body else [])
        names |= dict.fromkeys(name for name in _core.find_entities(body) if name.lower() != f"{label}'s".lower())
        return ExtractedFact(
            body=body.rstrip(" ,;:") + ".",
            source_ids=(self._message.memory_id,),
            name=label,
            entities=tuple(names),
            **when,  # type: ignore[arg-type]  # the three times, whose types stand beside them
            **parts,  # type: ignore[arg-type]  # of callers in this class, checked by the dataclass's own tests
        )


def _quoting(text: str, instruction: Instruction) -> str:
    """The text with a new name in quotes: in "Call Ana Annie" two names would read as one."""
    is_name = instruction.attribute == "nickname"
    return text.replace(f" {instruction.value}", f' "{instruction.value}"') if is_name else text


def _is_same_speaker(one: SourceMessage, other: SourceMessage) -> bool:
    return one.role is other.role and one.name == other.name


def _without_taken_back(facts: list[ExtractedFact]) -> list[ExtractedFact]:
    """The facts of a message without those that it corrects itself."""
    corrected = {fact.slot: place for place, fact in enumerate(facts) if fact.is_correction and fact.slot}
    return [fact for place, fact in enumerate(facts) if place >= corrected.get(fact.slot, 0)]
