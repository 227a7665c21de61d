"""English messages, sentence by sentence and clause by clause."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from mnemic.extraction.local.english import guards, links
from mnemic.extraction.local.english.appointments import Dated, read_dated
from mnemic.extraction.local.english.clause_grammar import FineClause, fine_clauses, with_verbs
from mnemic.extraction.local.english.dating import told
from mnemic.extraction.local.english.detection import is_english
from mnemic.extraction.local.english.discourse import (
    Fragment,
    Relation,
    before_and_after,
    denies_another,
    names_later,
    pieces,
    read_fragment,
    slips,
    starred,
    takes_back,
    thing_first,
    uncleft,
    without_remarks,
)
from mnemic.extraction.local.english.drafting import Draft
from mnemic.extraction.local.english.instructions import Instruction, quoting, read_instruction
from mnemic.extraction.local.english.linking import Linker
from mnemic.extraction.local.english.loose_slots import is_strong, read_loosely
from mnemic.extraction.local.english.mentions import can_be_understood, read_mention, slot_of_mention
from mnemic.extraction.local.english.person import (
    Person,
    capitalised,
    folded,
    in_third_person,
    with_capitals,
    written_out,
)
from mnemic.extraction.local.english.possessions import (
    named_in_passing,
    newly_named,
    read_possession,
    tells_contact,
    unnamed_in,
)
from mnemic.extraction.local.english.references import Heard, answered, is_alike, is_named, of_known, resolve
from mnemic.extraction.local.english.sentences import Sentence, sentences
from mnemic.extraction.local.english.settling import settled
from mnemic.extraction.local.english.several import of_several
from mnemic.extraction.local.english.slots import (
    PLACE_TEMPLATES,
    SlotReading,
    read_change,
    read_place,
    read_slots,
    says_another,
    tells_further,
)
from mnemic.extraction.local.english.statements import (
    Clause,
    clauses,
    is_stance,
    stands_alone,
    tells_something,
    tense_of,
)
from mnemic.extraction.local.language import Passage
from mnemic.extraction.times import EventTime
from mnemic.model.fact import ExtractedFact, SourceMessage
from mnemic.model.memory import MemoryKind, Role

_SLOT_CONFIDENCE = 0.9
_CORRECTION_CONFIDENCE = 0.85
_DATED_CONFIDENCE = 0.7
_STATEMENT_CONFIDENCE = 0.6
_MENTION_CONFIDENCE = 0.5
_LONGEST_CLAUSE = 300
_LONGEST_BODY_READ = 20_000
_LOOKS_BACK = 6

# A clause with one of these may be about what was said before.
_MAY_REFER = re.compile(
    r"\b(?:actually|make that|rather|not|now|instead|the other|is called|named|name is|is named|called (?:him|her|it))\b",
    re.IGNORECASE,
)
# What a clause says to be over must not stand in a fact that holds.
_NAMES_WHAT_IS_OVER = re.compile(
    r"\bfrom [A-Z].* to\b|(?:,|\band|\bbut) not\b|\b(?:instead of|rather than|left|leaving|swapped|traded|replaced|switched|used to)\b",
    re.IGNORECASE,
)


class English:
    """Reads English."""

    code = "en"

    def is_written_in(self, body: str) -> bool:
        """See `Language.is_written_in`."""
        return is_english(body)

    def read(self, passage: Passage) -> list[ExtractedFact]:
        """See `Language.read`."""
        return _Reading(passage).facts()


class _Reading:
    """One message."""

    def __init__(self, passage: Passage, *, links_back: bool = True) -> None:
        self._links_back = links_back
        self._passage = passage
        self._message = passage.message
        self._speaker = Person.speaking(self._message.name, self._message.role)
        self._draft = Draft(passage, self._speaker)
        self._heard: list[Heard] = []
        self._heard_before: list[Heard] | None = None
        self._is_taken_back = False
        self._mentioned: Person | None = None
        self._is_further = False
        self._unnamed: tuple[str, str] | None = None

    def facts(self) -> list[ExtractedFact]:
        found: list[ExtractedFact] = []
        body = self._message.body[:_LONGEST_BODY_READ]
        if guards.is_joke(body):
            return found
        self._is_taken_back = takes_back(body) or (slips(body) and bool(self._own_before()))
        value = starred(body)
        if value:
            found += self._fragment(Fragment(Relation.CORRECTS, value))
        for sentence in sentences(body):
            if guards.asks_for_work_on_text(sentence.text):
                break
            found += self._sentence(sentence)
            self._unnamed = unnamed_in(sentence.text) or self._unnamed
        if self._heard_before is None and not self._is_taken_back:
            # It needed nothing of what was said before: those behind it need not read it again.
            self._passage.heard.setdefault(self._message.memory_id, self._heard[::-1])
        if self._links_back and (self._is_taken_back or links.may_link(body)):
            self._candidates()
            before = self._heard_before
            found = Linker(before, self._is_taken_back, self._fragment).linked(found, body) if before else found
        return settled(found, self._candidates)

    def heard(self) -> list[Heard]:
        """The slots that the message fills."""
        self.facts()
        return self._heard

    def _sentence(self, sentence: Sentence) -> Iterator[ExtractedFact]:
        statement = guards.told_before_asked(sentence.text)
        asks = guards.is_question(sentence if statement == sentence.text else Sentence(statement))
        if asks or guards.is_quoting(sentence.text):
            return
        parts = before_and_after(with_verbs(with_capitals(written_out(statement))))
        for place, part in enumerate(parts):
            fragment = read_fragment(part, is_taken_back=self._awaits_right() or place > 0)
            found = [] if fragment is None else list(self._fragment(fragment))
            found = found or list(self._told_or_asked(part))
            if names_later(part):
                found += self._fragments_in(part)
            elif not any(fact.slot for fact in found) and (self._is_taken_back or _MAY_REFER.search(part)):
                found = list(self._fragments_in(part)) or found
            yield from found or self._mention(part)

    def _awaits_right(self) -> bool:
        """Whether the message says that something was wrong and has not yet said what is right."""
        return self._is_taken_back and not self._heard

    def _fragments_in(self, text: str) -> Iterator[ExtractedFact]:
        """The first piece of a sentence that refers to what was said before: "Argh, my bad, Swedish"."""
        for piece in pieces(text):
            fragment = read_fragment(piece, is_taken_back=self._awaits_right())
            found = [] if fragment is None else list(self._fragment(fragment))
            if found:
                yield from found
                return

    def _told_or_asked(self, text: str) -> Iterator[ExtractedFact]:
        text = thing_first(guards.without_condition(guards.without_openings(text, self._passage.names)))
        if self._message.role is Role.USER:
            instruction = read_instruction(text)
            if instruction is not None:
                yield self._instruction(instruction)
                return
        is_unreal = guards.is_unreal(text)
        if is_unreal and guards.is_conditional(text):
            return
        if self._is_taken_back:
            text = without_remarks(text)
        text = uncleft(text)
        found = clauses(text)
        if not found and read_dated(text, text) is not None:
            # "The deadline for Apollo is 12 June": no first person, and yet the speaker's affair.
            found = [Clause(text, "", text, "future")]
        dated_ones = [clause for clause in found if read_dated(clause.text, clause.predicate) is not None]
        told: list[str] = []
        fines: list[FineClause] = []
        self._is_further = tells_further(text)
        for fine in [] if dated_ones else fine_clauses(text, self._speaker, self._passage.names, self._mentioned):
            if fine.person is not None and not fine.is_first_person:
                self._mentioned = fine.person
            sure = replace(fine, text=guards.without_condition_behind(fine.text)) if is_unreal else fine
            slots = [] if is_unreal and guards.is_unreal(sure.text) else list(self._slots_of(sure))
            if slots:
                told.append(fine.written)
                yield from slots
            elif not is_unreal:
                fines.append(fine)
        yield from self._names_in(text)
        if is_unreal:
            return
        for clause in found:
            if len(clause.text) > _LONGEST_CLAUSE or guards.speaks_to_somebody(clause.text):
                continue
            if clause in dated_ones:
                yield from self._appointment(clause)
            elif not any(one in clause.text for one in told):
                stated = list(self._statement_of(clause))
                told += [clause.text] if stated else []
                yield from stated
        for fine in fines:
            if not any(fine.written in one for one in told):
                yield from self._loosely(fine)

    def _loosely(self, fine: FineClause) -> Iterator[ExtractedFact]:
        """What a clause tells of its person by a verb of no frame, where the sentence around it cannot be kept."""
        person = fine.person
        if person is None or not person.key or not stands_alone(fine.whole) or guards.speaks_to_somebody(fine.text):
            return
        slot = None if fine.inherits else read_loosely(fine.predicate)
        if (
            slot is None
            or not is_strong(slot.value)
            or guards.is_reported(fine.predicate)
            or (not fine.is_first_person and not links.says_further(fine.text))
        ):
            return
        clause = Clause(fine.whole, "", fine.predicate, "present")
        times = self._draft.times(clause)
        body = self._draft.told(fine.whole, times)
        fact = self._slot(person, of_several(fine, slot), body, times, is_correction=self._is_taken_back)
        yield replace(fact, confidence=_STATEMENT_CONFIDENCE)

    def _mention(self, text: str) -> Iterator[ExtractedFact]:
        """What a sentence of which nothing could be read tells of its speaker's life, in their words."""
        text = guards.without_openings(text, self._passage.names)
        if self._is_taken_back or len(text) > _LONGEST_CLAUSE or guards.is_unreal(text) or guards.is_reported(text):
            return
        mention = read_mention(text, self._passage.names)
        if mention is None or not can_be_understood(text, mention):
            return
        clause = Clause(text, "", text, "past")
        times = self._draft.times(clause)
        body = f"{self._speaker.label}: {self._draft.told(text, times)}"
        slot = SlotReading(mention.attribute, mention.value, "{s}: {value}.", "", adds=True)
        if mention.is_past:
            yield self._draft.fact(body, times=times, confidence=_MENTION_CONFIDENCE)
        else:
            yield replace(
                self._slot(self._speaker, slot, body, times, is_correction=False), confidence=_MENTION_CONFIDENCE
            )

    def _instruction(self, instruction: Instruction) -> ExtractedFact:
        return self._draft.fact(
            quoting(in_third_person(instruction.text, self._speaker), instruction),
            kind=MemoryKind.INSTRUCTION,
            slot=f"{self._speaker.key}.{instruction.attribute}" if instruction.attribute else "",
            slot_value=instruction.value,
            categories=("instructions",),
            confidence=_SLOT_CONFIDENCE,
        )

    def _appointment(self, clause: Clause) -> Iterator[ExtractedFact]:
        appointment = read_dated(clause.text, clause.predicate)
        times = self._draft.times(clause)
        if appointment is not None and times:
            owner = appointment.owner or self._speaker.key
            self._heard.append(
                self._dated(appointment, owner, told(times[0], utc_offset_minutes=self._passage.utc_offset_minutes))
            )
            yield self._draft.fact(
                self._draft.told(clause.text, times),
                times=times,
                slot=f"{owner}.{appointment.attribute}",
                slot_value=told(times[0], utc_offset_minutes=self._passage.utc_offset_minutes),
                is_additive=appointment.adds,
                categories=(appointment.category,),
                confidence=_SLOT_CONFIDENCE,
            )

    def _dated(self, appointment: Dated, owner: str, date: str) -> Heard:
        """An appointment as what a later message may refer to."""
        what = appointment.attribute.rpartition(".")[2].replace("_", " ")
        label = self._speaker.label if owner == self._speaker.key else capitalised(owner)
        slot = SlotReading(
            appointment.attribute, date, f"{{s}}'s {what} is on {{value}}.", appointment.category, appointment.adds
        )
        return Heard(Person(label, owner), slot, (self._message.memory_id,))

    def _statement_of(self, clause: Clause) -> Iterator[ExtractedFact]:
        times, is_further = self._draft.times(clause), says_another(clause.text)
        tells = tells_something(clause, has_time=bool(times), is_further=is_further)
        if not tells and not (clause.subject in ("i", "we") and stands_alone(clause.text) and not is_stance(clause)):
            return
        loose = read_loosely(clause.predicate) if clause.tense == "present" and clause.subject in ("i", "we") else None
        if (tells or (loose is not None and is_strong(loose.value))) and not guards.is_reported(clause.predicate):
            confidence = _DATED_CONFIDENCE if times else _STATEMENT_CONFIDENCE
            body = self._draft.told(clause.text, times)
            mention = (
                read_mention(clause.text, self._passage.names) if loose is None and clause.tense == "present" else None
            )
            if mention is not None and not mention.is_past:
                loose = slot_of_mention(mention, body)
            if loose is None:
                yield self._draft.fact(body, times=times, confidence=confidence)
            else:
                yield replace(
                    self._slot(self._speaker, loose, body, times, is_correction=self._is_taken_back),
                    confidence=confidence,
                )

    def _slots_of(self, fine: FineClause) -> Iterator[ExtractedFact]:
        """The facts of a clause that fills slots."""
        if len(fine.text) > _LONGEST_CLAUSE or (guards.speaks_to_somebody(fine.text) and not tells_contact(fine.text)):
            return
        readings = list(self._readings(fine))
        changed = self._changed(fine, readings)
        if changed is not None:
            yield changed
            return
        clause = Clause(fine.whole, "", fine.predicate, tense_of(fine.predicate) if fine.predicate else "present")
        times = self._draft.times(clause) if readings else []
        is_correction = self._is_taken_back or denies_another(fine.text)
        for person, slot in readings:
            # One slot: the whole clause tells it best. Of several each gets a sentence of its own.
            is_whole = len(readings) == 1 and fine.text.startswith("I ") and not _NAMES_WHAT_IS_OVER.search(fine.text)
            is_whole = is_whole and not fine.inherits
            body = self._body(fine, slot, person, times if not slot.is_timeless else [], is_whole=is_whole)
            yield self._slot(person, slot, body, [] if slot.is_timeless else times, is_correction=is_correction)

    def _readings(self, fine: FineClause) -> Iterator[tuple[Person, SlotReading]]:
        """The slots that a clause fills, with those whose they are."""
        if fine.person is not None and fine.person.key:
            slots = read_slots(fine.predicate)
            for slot in slots or self._belonging(fine.person, fine.predicate):
                yield (
                    fine.person,
                    of_several(fine, replace(slot, adds=slot.adds or (self._is_further and not slot.is_denial))),
                )
        for person, slot in read_possession(without_remarks(fine.text), self._speaker, self._mentioned):
            # Ana's name is Ana: that is what the message's own fields say.
            if slot.attribute != "name" or slot.value != self._speaker.label:
                yield person, of_several(replace(fine, person=person), slot)

    def _belonging(self, person: Person, predicate: str) -> Iterator[SlotReading]:
        """Where somebody is or goes now, which is what was told of such a place before: "I'm at Globex now"."""
        place = read_place(predicate)
        if place is None or not (place.says_now or self._is_taken_back):
            return
        known = (
            one.slot
            for one in self._candidates()
            if one.person.key == person.key and one.slot.attribute in place.attributes
        )
        slot = next(known, None)
        if slot is not None:
            yield replace(
                slot, value=place.value, template=PLACE_TEMPLATES[slot.attribute], is_timeless=False, is_denial=False
            )
        elif place.says_now and not predicate.partition(place.value)[0].endswith("with "):
            attribute = place.attributes[0]
            if attribute in ("employer", "home"):
                yield SlotReading(attribute, place.value, PLACE_TEMPLATES[attribute], "personal", adds=False)

    def _changed(self, fine: FineClause, readings: list[tuple[Person, SlotReading]]) -> ExtractedFact | None:
        """What a clause puts in the place of a value that was told before, whatever its slot: "swapped Leeds for Whitby"."""
        change = read_change(fine.predicate) if fine.person is not None and not readings else None
        if change is None:
            return None
        old, new = change
        fragment = Fragment(Relation.CHANGES, new, wrong=old)
        return next((fact for fact in self._fragment(fragment) if is_alike(old, new)), None)

    def _names_in(self, text: str) -> Iterator[ExtractedFact]:
        """The name of somebody who is mentioned, unless a clause has told it."""
        slot = named_in_passing(text)
        if slot is None or any(
            heard.slot.attribute == slot.attribute and heard.slot.value == slot.value for heard in self._heard
        ):
            return
        body = capitalised(slot.told_of(self._speaker.label)).rstrip(".")
        yield self._slot(self._speaker, slot, body, [], is_correction=False)

    def _body(
        self, fine: FineClause, slot: SlotReading, person: Person, times: list[EventTime], *, is_whole: bool
    ) -> str:
        if is_whole and (slot.is_denial or stands_alone(fine.whole)):
            return self._draft.told(fine.whole, times)
        return capitalised(slot.told_of(person.label)).rstrip(".")

    def _slot(
        self, person: Person, slot: SlotReading, body: str, times: list[EventTime], *, is_correction: bool
    ) -> ExtractedFact:
        heard = Heard(person, slot, (self._message.memory_id,))
        replaced = self._replaced(heard, is_correction=is_correction)
        self._heard.append(heard)
        return self._draft.fact(
            body,
            times=times,
            slot=heard.name,
            slot_value=slot.value,
            is_additive=slot.adds,
            is_correction=is_correction,
            replaces=replaced,
            categories=(slot.category,) if slot.category else (),
            confidence=_SLOT_CONFIDENCE,
        )

    def _replaced(self, heard: Heard, *, is_correction: bool) -> tuple[str, ...]:
        """The values beside each other that end with a new one: the one that it corrects, or all if there is no other."""
        if heard.slot.is_denial or not (heard.slot.is_exclusive or is_correction):
            return ()
        others = [
            one.slot.value
            for one in self._candidates()
            if one.name == heard.name
            and (one.slot.adds or heard.slot.is_exclusive)
            and folded(one.slot.value) != folded(heard.slot.value)
            and not one.slot.is_denial
        ]
        if heard.slot.attribute == "pet":
            others = [value for value in others if value.split()[0] == heard.slot.value.split()[0]]
        return tuple(dict.fromkeys(others if heard.slot.is_exclusive else others[:1]))

    def _fragment(self, fragment: Fragment, about: Heard | None = None) -> Iterator[ExtractedFact]:
        """What a fragment tells of the slot that it is about, which is looked for unless it is given."""
        if fragment.relation is Relation.NAMES and self._unnamed is not None:
            slot = newly_named(*self._unnamed, fragment.value)
            self._unnamed = None
            owner = self._mentioned if self._mentioned is not None and self._mentioned.key else self._speaker
            yield self._slot(owner, slot, slot.told_of(owner.label).rstrip("."), [], is_correction=False)
            return
        heard = about or resolve(fragment, self._candidates())
        if heard is None:
            return
        is_renamed = fragment.relation is Relation.NAMES and is_named(heard.slot)
        if is_renamed and not self._is_taken_back and not (fragment.noun and heard.sources):
            # "We've called her Wren" is of somebody new.
            return
        slot = answered(fragment, heard)
        if folded(slot.value) == folded(heard.slot.value):
            return
        is_new = fragment.relation is Relation.ADDS
        is_correction = fragment.relation is Relation.CORRECTS or is_renamed or (self._is_taken_back and not is_new)
        told_anew = Heard(heard.person, slot, (self._message.memory_id,))
        self._heard.append(told_anew)
        fact = self._draft.fact(
            capitalised(slot.told_of(heard.person.label)).rstrip("."),
            slot=told_anew.name,
            slot_value=slot.value,
            is_additive=is_new or heard.slot.adds,
            is_correction=is_correction,
            replaces=() if is_new or not heard.slot.adds else (heard.slot.value,),
            categories=(slot.category,) if slot.category else (),
            confidence=_CORRECTION_CONFIDENCE,
        )
        yield replace(fact, source_ids=tuple(dict.fromkeys((*heard.sources, self._message.memory_id))))

    def _own_before(self) -> list[SourceMessage]:
        return [one for one in self._passage.earlier[-_LOOKS_BACK:] if _is_same_speaker(one, self._message)]

    def _candidates(self) -> list[Heard]:
        """What the speaker told before, the nearest first, then what is known of them."""
        if self._heard_before is None:
            self._heard_before = []
            for message in reversed(self._own_before()):
                self._heard_before += self._heard_in(message)
            self._heard_before += of_known(self._passage.known, self._speaker)
        return [*self._heard[::-1], *self._heard_before]

    def _heard_in(self, message: SourceMessage) -> list[Heard]:
        """The slots that an earlier message fills, the last first; each message is read once for all that follow it."""
        heard = self._passage.heard.get(message.memory_id)
        if heard is None:
            passage = replace(self._passage, message=message, earlier=(), known=())
            heard = _Reading(passage, links_back=False).heard()[::-1]
            self._passage.heard[message.memory_id] = heard
        return heard


def _is_same_speaker(one: SourceMessage, other: SourceMessage) -> bool:
    return one.role is other.role and one.name == other.name
