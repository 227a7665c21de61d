"""English messages, sentence by sentence and clause by clause."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from mnemic import _core
from mnemic.extraction.local.english import guards
from mnemic.extraction.local.english.alternatives import any_of
from mnemic.extraction.local.english.appointments import read_dated
from mnemic.extraction.local.english.clause_grammar import FineClause, fine_clauses, with_verbs
from mnemic.extraction.local.english.dating import dated, told
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
from mnemic.extraction.local.english.instructions import Instruction, read_instruction
from mnemic.extraction.local.english import links
from mnemic.extraction.local.english.loose_slots import is_strong, read_loosely
from mnemic.extraction.local.english.mentions import read_mention
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
from mnemic.extraction.local.english.slots import (
    PLACE_TEMPLATES,
    SlotReading,
    read_change,
    read_place,
    read_slots,
    says_another,
    tells_further,
)
from mnemic.extraction.local.english.statements import Clause, clauses, is_stance, stands_alone, tells_something, tense_of
from mnemic.extraction.local.language import Passage
from mnemic.extraction.times import EventTime, event_times, lasting
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

_HAS_LASTED = re.compile(
    r"\b(?:have|has) (?:\w+ly |always |now |also )?(?:been|had|known|lived|worked|played|owned|kept|taught|studied|driven)\b.*"
    r"(?P<for>\bfor (?:about |around |over |almost |nearly |more than )?(?P<long>(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten"
    r"|eleven|twelve|fifteen|twenty|thirty) (?:years?|months?|weeks?|days?))(?: now)?\b)",
    re.IGNORECASE,
)
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
_EVERY_YEAR = re.compile(r"\b(?:every|each|birthday|anniversary|annual|always|usually)\b", re.IGNORECASE)


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
        if self._links_back:
            found = self._linked(found, body)
        return self._without_what_is_over(found)

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
            fine = replace(fine, text=guards.without_condition_behind(fine.text)) if is_unreal else fine
            slots = [] if is_unreal and guards.is_unreal(fine.text) else list(self._slots_of(fine))
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
            elif not any(_lies_in(one, clause.text) for one in told):
                stated = list(self._statement_of(clause))
                told += [clause.text] if stated else []
                yield from stated
        for fine in fines:
            if not any(_lies_in(fine.written, one) for one in told):
                yield from self._loosely(fine)

    def _loosely(self, fine: FineClause) -> Iterator[ExtractedFact]:
        """What a clause tells of its person by a verb of no frame, where the sentence around it cannot be kept."""
        person = fine.person
        if person is None or not person.key or not stands_alone(fine.whole) or guards.speaks_to_somebody(fine.text):
            return
        slot = None if fine.inherits else read_loosely(fine.predicate)
        if slot is None or not is_strong(slot.value) or guards.is_reported(fine.predicate) or (not fine.is_first_person and not links.says_further(fine.text)):
            return
        clause = Clause(fine.whole, "", fine.predicate, "present")
        times = self._times(clause)
        body = self._told(fine.whole, times)
        fact = self._slot(person, _of_several(fine, slot), body, times, is_correction=self._is_taken_back)
        yield replace(fact, confidence=_STATEMENT_CONFIDENCE)

    def _mention(self, text: str) -> Iterator[ExtractedFact]:
        """What a sentence of which nothing could be read tells of its speaker's life, in their words."""
        text = guards.without_openings(text, self._passage.names)
        if (
            len(text) > _LONGEST_CLAUSE
            or guards.is_unreal(text)
            or guards.is_reported(text)
            or guards.speaks_to_somebody(text)
            or not stands_alone(text)
        ):
            return
        mention = read_mention(text, self._passage.names)
        if mention is None:
            return
        clause = Clause(text, "", text, "past")
        times = self._times(clause)
        body = f"{self._speaker.label}: {self._told(text, times)}"
        slot = SlotReading(mention.attribute, mention.value, f"{{s}}: {{value}}.", "", adds=True)
        if mention.is_past:
            yield self._fact(body, times=times, confidence=_MENTION_CONFIDENCE)
        else:
            yield replace(self._slot(self._speaker, slot, body, times, is_correction=False), confidence=_MENTION_CONFIDENCE)

    def _instruction(self, instruction: Instruction) -> ExtractedFact:
        return self._fact(
            _quoting(in_third_person(instruction.text, self._speaker), instruction),
            kind=MemoryKind.INSTRUCTION,
            slot=f"{self._speaker.key}.{instruction.attribute}" if instruction.attribute else "",
            slot_value=instruction.value,
            categories=("instructions",),
            confidence=_SLOT_CONFIDENCE,
        )

    def _appointment(self, clause: Clause) -> Iterator[ExtractedFact]:
        appointment = read_dated(clause.text, clause.predicate)
        times = self._times(clause)
        if appointment is not None and times:
            owner = appointment.owner or self._speaker.key
            yield self._fact(
                self._told(clause.text, times),
                times=times,
                slot=f"{owner}.{appointment.attribute}",
                slot_value=told(times[0], utc_offset_minutes=self._passage.utc_offset_minutes),
                is_additive=appointment.adds,
                categories=(appointment.category,),
                confidence=_SLOT_CONFIDENCE,
            )

    def _statement_of(self, clause: Clause) -> Iterator[ExtractedFact]:
        times, is_further = self._times(clause), says_another(clause.text)
        tells = tells_something(clause, has_time=bool(times), is_further=is_further)
        if not tells and not (clause.subject in ("i", "we") and stands_alone(clause.text) and not is_stance(clause)):
            return
        loose = read_loosely(clause.predicate) if clause.tense == "present" and clause.subject in ("i", "we") else None
        if (tells or (loose is not None and is_strong(loose.value))) and not guards.is_reported(clause.predicate):
            confidence = _DATED_CONFIDENCE if times else _STATEMENT_CONFIDENCE
            body = self._told(clause.text, times)
            if loose is None:
                yield self._fact(body, times=times, confidence=confidence)
            else:
                yield replace(self._slot(self._speaker, loose, body, times, is_correction=self._is_taken_back), confidence=confidence)

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
        times = self._times(clause) if readings else []
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
                yield fine.person, _of_several(fine, replace(slot, adds=slot.adds or (self._is_further and not slot.is_denial)))
        for person, slot in read_possession(without_remarks(fine.text), self._speaker, self._mentioned):
            # Ana's name is Ana: that is what the message's own fields say.
            if slot.attribute != "name" or slot.value != self._speaker.label:
                yield person, _of_several(replace(fine, person=person), slot)

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
            return self._told(fine.whole, times)
        return capitalised(slot.told_of(person.label)).rstrip(".")

    def _slot(
        self, person: Person, slot: SlotReading, body: str, times: list[EventTime], *, is_correction: bool
    ) -> ExtractedFact:
        heard = Heard(person, slot, (self._message.memory_id,))
        replaced = self._replaced(heard, is_correction=is_correction)
        self._heard.append(heard)
        return self._fact(
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

    def _linked(self, found: list[ExtractedFact], body: str) -> list[ExtractedFact]:
        """The facts of a message with what it changes, corrects or adds in words that no frame reads."""
        if not (self._own_before() or self._passage.known) or not (self._is_taken_back or links.may_link(body)):
            return found
        told, surely = _telling_sentences(body)
        is_wrong = self._is_taken_back or links.says_wrong(told)
        signs = (is_wrong, links.says_over(surely), links.says_new(surely), links.says_further(surely))
        if not told or not (any(signs) or (len(told) < links.FRAGMENT_LETTERS and self._own_before())):
            return found
        self._candidates()
        before = list(self._heard_before or ())
        if not before:
            return found
        old = links.over_in(surely, before) if signs[1] else None
        if old is not None:
            return self._replacing(found, old, links.change_of(surely, old, before))
        told_here = [heard for heard in before if heard.sources]
        if not any(fact.is_correction for fact in found) and told_here:
            fragment = links.correction_of(told, told_here, is_marked=is_wrong)
            if fragment is not None:
                wrong = next(one for one in told_here if one.slot.value == fragment.wrong)
                return self._replacing(found, wrong, fragment)
        if signs[2] and not signs[3] and not any(fact.slot and not fact.is_additive for fact in found):
            fragment = links.news_of(surely, before)
            if fragment is not None:
                new = next(one for one in before if one.slot.value == fragment.wrong)
                return self._replacing(found, new, fragment)
        if signs[3] and not any(fact.slot for fact in found):
            fragment = links.addition_of(surely, before)
            if fragment is not None and not any(fragment.value.lower() in fact.body.lower() for fact in found):
                return [*found, *self._fragment(fragment)]
        return found

    def _replacing(self, found: list[ExtractedFact], old: Heard, fragment: Fragment | None) -> list[ExtractedFact]:
        """The facts of a message of which one stands in the place of a value; the fragment tells it if none does."""
        is_correction = fragment is not None and fragment.relation is Relation.CORRECTS
        for place, fact in enumerate(found):
            if fact.slot == old.name and not _is_denial(fact) and folded(fact.slot_value) != folded(old.slot.value):
                others = (old.slot.value,) if old.slot.adds else ()
                found[place] = replace(
                    fact, replaces=tuple(dict.fromkeys((*fact.replaces, *others))), is_correction=fact.is_correction or is_correction
                )
                return found
        if fragment is None:
            return found
        new = list(self._fragment(fragment))
        kept = [fact for fact in found if not new or fact.slot_value != fragment.value or fact.slot == new[0].slot]
        return [*kept, *new]

    def _fragment(self, fragment: Fragment) -> Iterator[ExtractedFact]:
        """What a fragment tells of the slot that it is about."""
        if fragment.relation is Relation.NAMES and self._unnamed is not None:
            slot = newly_named(*self._unnamed, fragment.value)
            self._unnamed = None
            owner = self._mentioned if self._mentioned is not None and self._mentioned.key else self._speaker
            yield self._slot(owner, slot, slot.told_of(owner.label).rstrip("."), [], is_correction=False)
            return
        heard = resolve(fragment, self._candidates())
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
        fact = self._fact(
            capitalised(slot.told_of(heard.person.label)).rstrip("."),
            slot=told_anew.name,
            slot_value=slot.value,
            is_additive=is_new or heard.slot.adds,
            is_correction=is_correction,
            # Of what was known before the conversation nobody can tell whether there are others beside it.
            replaces=() if is_new or (heard.sources and not heard.slot.adds) else (heard.slot.value,),
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

    def _without_what_is_over(self, facts: list[ExtractedFact]) -> list[ExtractedFact]:
        """The facts of a message without those that it takes back itself, and those that only name what it replaces."""
        kept = _without_taken_back(facts)
        filled = {
            fact.slot: fact.slot_value
            for fact in kept
            if fact.slot and not _is_denial(fact) and (fact.replaces or not fact.is_additive)
        }
        if not filled or all(fact.slot and not _is_denial(fact) for fact in kept):
            return kept
        over = {value for fact in kept for value in fact.replaces}
        over |= {
            heard.slot.value
            for heard in self._candidates()
            if heard.name in filled and folded(heard.slot.value) != folded(filled[heard.name]) and not heard.slot.adds
        }
        words = {word for value in over for word in _telling_words(value)}
        words -= {word for value in filled.values() for word in _telling_words(value)}
        named = re.compile(rf"\b{any_of(words)}\b") if words else None
        return [
            fact
            for fact in kept
            if (fact.slot and not _is_denial(fact))
            or (not (named and named.search(fact.body)) and not (_is_denial(fact) and fact.slot in filled))
        ]

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

    def _told(self, text: str, times: list[EventTime]) -> str:
        text = dated(
            text,
            times,
            said_at_micros=self._message.said_at_micros,
            utc_offset_minutes=self._passage.utc_offset_minutes,
        )
        return in_third_person(text, self._speaker)

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


_CHANGES = re.compile(
    r"\b(?:now|these days|nowadays|instead|currently|moved|relocated|joined|started|switched|changed|became|become|new|gone|just)\b",
    re.IGNORECASE,
)


def _of_several(fine: FineClause, slot: SlotReading) -> SlotReading:
    """What is told of one of several people of whom the same words are said, see `Person.is_one_of_several`."""
    if fine.person is None or not fine.person.is_one_of_several or slot.is_denial:
        return slot
    is_changed = _CHANGES.search(fine.whole) is not None and not slot.adds
    return replace(slot, adds=True, is_exclusive=is_changed)


_TO_COME = re.compile(
    r"\b(?:will|going to|planning|want to|wants to|thinking of|thinking about|about to|hope to|hoping|would|might|may|could|should|next (?:week|month|year)|not|never)\b",
    re.IGNORECASE,
)


def _telling_sentences(body: str) -> tuple[str, str]:
    """What a message tells, and what of that is told as having come about; written out."""
    told, surely = [], []
    for sentence in sentences(body):
        text = guards.told_before_asked(sentence.text)
        if guards.asks_for_work_on_text(text):
            break
        if guards.is_question(sentence if text == sentence.text else Sentence(text)) or guards.is_quoting(text):
            continue
        text = with_verbs(with_capitals(written_out(text)))
        if not guards.is_conditional(text):
            told.append(text)
            if not guards.is_unreal(text) and not _TO_COME.search(text):
                surely.append(text)
    return ". ".join(told), ". ".join(surely)


def _quoting(text: str, instruction: Instruction) -> str:
    """The text with a new name in quotes: in "Call Ana Annie" two names would read as one."""
    is_name = instruction.attribute == "nickname"
    return text.replace(f" {instruction.value}", f' "{instruction.value}"') if is_name else text


def _is_same_speaker(one: SourceMessage, other: SourceMessage) -> bool:
    return one.role is other.role and one.name == other.name


def _telling_words(value: str) -> set[str]:
    """The words of a value by which a text can be seen to name it."""
    capitals = {word for word in value.split() if word[:1].isupper() and len(word) > _FEW_LETTERS}
    return (capitals - _OF_MANY_NAMES) or {value}


_FEW_LETTERS = 2
_OF_MANY_NAMES = frozenset(
    "The New San Los Saint North South East West School College University Academy High Primary Gym Bank Street Road".split()
)


def _is_denial(fact: ExtractedFact) -> bool:
    return fact.slot_value.startswith("not ")


def _lies_in(part: str, text: str) -> bool:
    return part in text


def _without_taken_back(facts: list[ExtractedFact]) -> list[ExtractedFact]:
    """The facts of a message without those that it corrects itself."""
    corrected = {
        fact.slot: place
        for place, fact in enumerate(facts)
        if fact.is_correction and fact.slot and not fact.is_additive
    }
    replaced = {(fact.slot, value) for fact in facts for value in fact.replaces}
    alone = {
        (fact.slot, fact.slot_value): place for place, fact in enumerate(facts) if fact.slot and not fact.is_additive
    }
    return [
        fact
        for place, fact in enumerate(facts)
        if place >= corrected.get(fact.slot, 0)
        and (fact.slot, fact.slot_value) not in replaced
        and not (fact.is_additive and (fact.slot, fact.slot_value) in alone)
    ]
