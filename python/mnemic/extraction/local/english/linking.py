"""The facts of a message together with what was told before: what they replace, correct or stand beside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mnemic.extraction.local.english import guards, links
from mnemic.extraction.local.english.clause_grammar import with_verbs
from mnemic.extraction.local.english.discourse import Fragment, Relation
from mnemic.extraction.local.english.person import folded, with_capitals, written_out
from mnemic.extraction.local.english.references import Heard
from mnemic.extraction.local.english.sentences import Sentence, sentences
from mnemic.extraction.local.english.settling import is_denial
from mnemic.model.fact import ExtractedFact

_TO_COME = re.compile(
    r"\b(?:will|going to|planning|want to|wants to|thinking of|thinking about|about to|hope to|hoping|would|might|may|could|should|next (?:week|month|year)|not|never)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Linker:
    """Links the facts of one message.

    Attributes:
        before: What the speaker told before, the nearest first, then what is known of them.
        is_taken_back: Whether the message says that something said before was wrong.
        answer: The facts that a fragment tells of what it is about.
    """

    before: Sequence[Heard]
    is_taken_back: bool
    answer: Callable[[Fragment, Heard], Iterable[ExtractedFact]]

    def linked(self, found: list[ExtractedFact], body: str) -> list[ExtractedFact]:
        """The facts of a message with what it changes, corrects or adds in words that no frame reads.

        Args:
            found: What was read.
            body: The message.
        """
        told, surely = telling_sentences(body)
        if not told:
            return found
        is_wrong = self.is_taken_back or links.says_wrong(told)
        is_new, is_further = links.says_new(surely), links.says_further(surely)
        old = None if is_further else links.over_in(surely, self.before)
        if (old is not None or is_new) and not is_further:
            found = [self._alone(fact) for fact in found]
        if old is not None:
            return self._replacing(found, old, links.change_of(surely, old, self.before))
        here = [heard for heard in self.before if heard.sources]
        if here and not any(fact.is_correction for fact in found):
            fragment = links.correction_of(told, here, is_marked=is_wrong)
            if fragment is not None:
                return self._replacing(found, _told_as(fragment.wrong, here), fragment)
        if is_new and not is_further and not any(fact.slot and not fact.is_additive for fact in found):
            fragment = links.news_of(surely, self.before)
            if fragment is not None:
                return self._replacing(found, _told_as(fragment.wrong, self.before), fragment)
        if is_further and not any(fact.slot for fact in found):
            fragment = links.addition_of(surely, self.before)
            if fragment is not None and not any(fragment.value.lower() in fact.body.lower() for fact in found):
                return [*found, *self.answer(fragment, _told_as(fragment.wrong, self.before))]
        return found

    def _alone(self, fact: ExtractedFact) -> ExtractedFact:
        """A fact that is the one of its slot, with the values that stood beside each other until it was told."""
        if not fact.slot or fact.is_additive or is_denial(fact):
            return fact
        others = [
            heard.slot.value
            for heard in self.before
            if heard.name == fact.slot and heard.slot.adds and folded(heard.slot.value) != folded(fact.slot_value)
        ]
        return replace(fact, replaces=tuple(dict.fromkeys((*fact.replaces, *others))))

    def _replacing(self, found: list[ExtractedFact], old: Heard, fragment: Fragment | None) -> list[ExtractedFact]:
        """The facts of a message of which one stands in the place of a value; the fragment tells it if none does."""
        is_correction = fragment is not None and fragment.relation is Relation.CORRECTS
        for place, fact in enumerate(found):
            is_new = fact.slot == old.name and not is_denial(fact) and folded(fact.slot_value) != folded(old.slot.value)
            if is_new and links.names(fact.body, old.slot.value):
                # It names what is over as well: the new value is told in the words of the old one.
                fragment = fragment or Fragment(Relation.CHANGES, fact.slot_value, wrong=old.slot.value)
            elif is_new:
                found[place] = replace(
                    fact,
                    replaces=tuple(dict.fromkeys((*fact.replaces, *((old.slot.value,) if old.slot.adds else ())))),
                    is_correction=fact.is_correction or is_correction,
                )
                return found
        if fragment is None:
            return found
        new = list(self.answer(fragment, old))
        if not new:
            return found
        # The same value read as something else, or kept in the message's own words, is told by the link.
        kept = [
            fact
            for fact in found
            if ".mention." not in fact.slot
            and not (links.names(fact.body, old.slot.value) and fact.slot in ("", old.name))
            and folded(fact.slot_value) not in (folded(new[0].slot_value), folded(fragment.value))
        ]
        return [*kept, *new]


def _told_as(value: str, heard: Iterable[Heard]) -> Heard:
    return next(one for one in heard if one.slot.value == value)


def telling_sentences(body: str) -> tuple[str, str]:
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
