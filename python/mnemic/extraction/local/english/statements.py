"""Which sentences tell something of their speaker's life, beyond the patterns of slots."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mnemic import _core
from mnemic.extraction.local.english.verbs import COMMON_VERBS, IRREGULAR_PASTS, is_adverb, is_past, third_person
from mnemic.extraction.times import Tense

_SPLIT = re.compile(
    r"(?:\s*[,;]\s*|\s+)(?:and|but|so|plus|then|;)\s+(?:then |now |also |so |even )?(?=(?:I|we|my|our)\s)|\s*;\s*",
    re.IGNORECASE,
)
_LEAD = (
    r"(?:(?:(?:(?:on|in|at|after|before|during|since|when|while|as|for|at the age of|from|until|over|back in|last|next|this"
    r"|yesterday|today|tomorrow|two|three|four|five|\d+|a|earlier|later|recently|lately|just|right now|these days|nowadays"
    r"|currently|growing up|every|each|once|one day|the other)\b[^,]{0,60}),\s*)"
    r"|(?:yesterday|today|tonight|tomorrow|recently|lately|nowadays|currently|now|once|just|finally"
    r"|(?:last|next|this|the other|every) \w+(?: \w+)?"
    r"|the day before yesterday|the day after tomorrow"
    r"|(?:as of|since|around|starting|from|in|on|until) (?:last |next |this )?[\w'-]+(?: [\w'-]+)?(?= (?:I|we) )) )?"
)
# After "my sister" a verb must be told from the sister's name.
_OWN_VERBS = r"am|is|are|was|were|has|have|had|do|does|did|will|can|used|[a-z]+ed|" + "|".join(
    sorted(IRREGULAR_PASTS | COMMON_VERBS | {third_person(verb) for verb in COMMON_VERBS})
)
_SUBJECT = re.compile(
    r"^"
    + _LEAD
    + r"(?P<subject>(?:my [\w -]{2,40}? and )?I|we|(?:my|our) (?P<owned>[\w'-]+(?: (?!to\b)[\w'-]+){0,3}?))\s+"
    r"(?P<predicate>(?:(?:\w+ly|also|always|just|never|now|still|often|even|both|all|already|usually|then|once|finally)\s+)*"
    r"(?P<verb>(?(owned)(?:" + _OWN_VERBS + r")|[a-z'-]+))\b.*)$",
    re.IGNORECASE,
)
# "My wife Maria" before "and I moved": half of a subject.
_COMPANY = re.compile(r"(?:my|our) [\w-]+(?: [\w-]+){0,2}", re.IGNORECASE)
_ELIDED = re.compile(
    r"^(?:just |recently |finally |also |already )?(?P<verb>got|went|moved|started|finished|bought|adopted|signed|joined|took"
    r"|visited|met|made|had|tried|saw|ran|passed|failed|won|lost|booked|landed|accepted|quit|returned|graduated|celebrated"
    r"|completed|launched|opened|attended|baked|painted|planted|sold|spent|came back|hiked|travelled|traveled|played)\b",
    re.IGNORECASE,
)

_STANCE = re.compile(
    r"^(?:(?:really|so|just|totally|truly|also|do|did|always|still|absolutely|definitely|completely|very|all|both)\s+)*(?:think"
    r"|guess|believe|hope|wish|mean|know|knew|agree|see|understand|hear|heard|feel|felt|wonder|suppose|bet|appreciate|thank"
    r"|promise|swear|get (?:it|that|you)|got (?:it|this|that)|doubt|remember|recall|admire|say|said|can|cannot|could|do not know|do not think"
    r"|did not know|hope|care|look forward|love (?:how|when|that|the way|it|to hear|seeing|hearing)|like (?:how|when|that|it)"
    r"|have no idea|have to (?:say|admit|agree|go|run|try|check)|had no idea|must|need|need to|may|shall|ought|gotta|would|should|might|keep|try"
    r"|(?:am|are|was|were) (?:(?:so|really|very|super|also|all|just|totally|pretty|always|here|still|quite|too|beyond|truly|definitely|kinda|a bit|a little|kind of|sort of|somewhat)\s+)*(?:confused|stuck|struggling to (?:understand|figure)|glad"
    r"|sorry|sure|proud|here|curious|jealous|excited|happy|thrilled|pumped|stoked|afraid|rooting|with you|in$|good|fine|great|okay"
    r"|ok|doing|feeling|looking forward|all ears|grateful|thankful|honou?red|impressed|amazed|inspired|blown|touched|intrigued"
    r"|interested in (?:hearing|seeing)|ready|down|up|game|lucky|blessed|fortunate|convinced|tempted|cheering|amped|psyched|determined"
    r"|hoping|wondering|wishing|saying|looking for|aiming|having (?:\w+ ){0,2}(?:trouble|issues?|problems?|difficult\w*|a hard time)"
    r"|(?:getting|seeing|encountering|facing) (?:\w+ ){0,2}(?:errors?|issues?|problems?|warnings?)|going to (?:try|be|keep|check|have to|need|do)|trying to|trying my)"
    r"|(?:want|wanted|like) to (?:make sure|ensure|know|see|understand|say|ask|check|thank|tell|hear|share|learn more)"
    r"|will (?:be there|try|keep|let|do|check|make sure|never|always|definitely|get|look|give it|take|see|think|be)"
    r")\b",
    re.IGNORECASE,
)
_PLAN = re.compile(
    r"^(?:will|(?:am|are|is) (?:going|planning|about|moving|starting|getting|flying|leaving|travell?ing|visiting|hosting"
    r"|joining|taking|having|meeting|organi[sz]ing)|plan|plans|intend)\b",
    re.IGNORECASE,
)
_DANGLING = re.compile(
    r"\b(?P<pronoun>it|its|they|them|their|theirs|he|she|him|her|his|hers|'em)\b|\bthe (?:other|same|former|latter)\b"
    r"|\b(?:this|these|those)\s+(?!days\b|morning|afternoon|evening|week|weekend|month|year|summer|winter|spring|autumn|fall|past|last"
    r"|coming|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\w+|\b(?:that|this|these|those|there|here)\b\s*(?:$|[,.;!])"
    r"|\b(?:that|this) (?:was|is|will|would|made|makes|means|meant|has|had|one|way|kind|type|sort|stuff|thing)\b"
    r"|\b(?:ones?|someone|both|some|another|others)\s*(?:$|[,.;!])|\b(?:such|here|something|anything|similar|that happen|that same|the thought)\b"
    r"|\b(?:from|of|in|on|at|with|about|for|to|during|after|before|by|like|take|took|snapped) that\b"
    r"|\b(?:a few|some|many|any|no|two|three|even) more\b|\b(?:more|a ton|a lot|a bit|again)\s*(?:$|[,.;!])"
    r"|\b(?:another|on|first|second|last|next|new|the|been|was) one\b"
    r"|\b(?:learn|do|did|know|see|hear|try|want|need|love|like|enjoy|mean|use|did not|some) (?:that|to|this)\b(?= too| also|$|[,.;!])|\bsome to\b",
    re.IGNORECASE,
)
# Before a pronoun so many words of meaning are taken for what it stands for.
_ANTECEDENT_TERMS = 3
# What is told with a time, a name or a number may be short: "Ana ran a race on 6 May".
_LEAST_TERMS, _LEAST_TERMS_WITH_NAME, _LEAST_TERMS_WITH_TIME = 3, 2, 1
_NAMED = re.compile(r"(?<=\w )(?!I\b)[A-Z]|\d|\"")
_FIRST_PERSON = frozenset({"i", "my", "we", "our", "me", "us", "myself", "mine"})
_EMPTY_TERMS = frozenset(
    _core.tokenize(
        """amazing awesome great good nice cool fun fantastic wonderful incredible lovely best better bad tough hard really
        thing things stuff lot lots way ways bit time times feel feeling feels felt make makes made get got getting take took
        give gave go going went come came keep kept try tried start love like life world day days people person everyone
        something much many super totally pretty always never recently lately just now today yesterday tomorrow week month
        year ago last next support journey moment moments blast work done completely totally already definitely absolutely
        everything wild few stay positive"""
    )
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence with a subject of the first person.

    Attributes:
        text: Written out, with its subject.
        subject: "I", "we" or "my …", in lower case.
        predicate: What follows the subject.
        tense: When it is.
        is_elided: Whether the "I" is ours ("Just got back from Rome").
    """

    text: str
    subject: str
    predicate: str
    tense: Tense
    is_elided: bool = False


def clauses(sentence: str) -> list[Clause]:
    """The parts of a sentence that tell of their speaker.

    Args:
        sentence: Written out, without openings.
    """
    found = []
    company = ""
    pieces = [piece.strip(" ,;") for piece in _SPLIT.split(sentence)]
    for place, piece in enumerate(pieces):
        text = f"{company} and {piece}" if company else piece
        is_last = place == len(pieces) - 1
        company = text if not is_last and _COMPANY.fullmatch(text) else ""
        clause = None if company else _clause(text)
        if clause is not None:
            found.append(clause)
    return found


def _clause(text: str) -> Clause | None:
    match = _SUBJECT.match(text)
    if match is not None:
        predicate = match["predicate"]
        return Clause(text, match["subject"].lower(), predicate, tense_of(predicate))
    elided = _ELIDED.match(text)
    if elided is None:
        return None
    return Clause("I " + text[:1].lower() + text[1:], "i", text[:1].lower() + text[1:], "past", is_elided=True)


# In the present tense told of what is to come: "I start on Monday".
_SCHEDULED = frozenset(
    "start starts begin begins end ends expire expires leave leaves arrive arrives graduate graduates".split()
)


def tense_of(predicate: str) -> Tense:
    """When a predicate is, by its first verb."""
    if _PLAN.match(predicate):
        return "future"
    words = [word for word in re.findall(r"[a-z'-]+", predicate.lower()[:80]) if not is_adverb(word)]
    if not words:
        return "present"
    if words[0] in _SCHEDULED:
        return "future"
    first, second = words[0], words[1] if len(words) > 1 else ""
    if first in ("have", "has") and (is_past(second) or second in ("been", "done", "gone", "seen", "taken", "given")):
        return "past"
    return "past" if is_past(first) or first in ("was", "were", "had", "did", "used") else "present"


def tells_something(clause: Clause, *, has_time: bool = False, is_further: bool = False) -> bool:
    """Whether a clause is worth keeping by itself: an event, a habit or a plan, and understandable alone.

    Args:
        clause: What is told.
        has_time: Whether it names a time: then less has to be told with it.
        is_further: Whether it adds to what was told ("I've bought a tablet as well"): less has to be told as well.
    """
    if _STANCE.match(clause.predicate) or not stands_alone(clause.text):
        return False
    if clause.predicate.startswith("will ") and not has_time:
        # What one will do some time is said more often than done.
        return False
    terms = {
        term
        for term in _core.tokenize(clause.text)
        if term not in _EMPTY_TERMS and term not in _FIRST_PERSON and not term.isdigit()
    }
    least = (
        _LEAST_TERMS_WITH_TIME if has_time else _LEAST_TERMS_WITH_NAME if _NAMED.search(clause.text) else _LEAST_TERMS
    )
    if is_further:
        least = min(least, _LEAST_TERMS_WITH_NAME)
    return len(terms) >= least


def is_stance(clause: Clause) -> bool:
    """Whether a clause tells what its speaker thinks, feels or will, and nothing of their life."""
    return bool(_STANCE.match(clause.predicate))


def stands_alone(text: str) -> bool:
    """Whether it needs nothing that was said before: no pronoun without a noun in front of it, no "this one"."""
    return not _dangles(text)


def _dangles(text: str) -> bool:
    for match in _DANGLING.finditer(text):
        pronoun = match["pronoun"]
        if pronoun is None:
            return True
        before = text[: match.start()]
        if pronoun.lower() in _PEOPLE:
            if not _SOMEBODY.search(before):
                return True
        elif (
            (pronoun.lower() in _MANY and not _SEVERAL.search(before))
            or len(_core.tokenize(before)) < _ANTECEDENT_TERMS
            or (pronoun.lower() == "it" and not _PREDICATE_FOLLOWS.match(text, match.end()))
        ):
            return True
    return False


_PEOPLE = frozenset({"he", "she", "him", "her", "his", "hers"})
_MANY = frozenset({"they", "them", "their", "theirs", "'em"})
_SEVERAL = re.compile(
    r"\b(?:my|our|the|some|many|two|three|four|\d+|these|of|new|with|other|few)\s+(?:[\w'-]+\s+){0,3}?(?!(?:always|us|its|has|was|does|this)\b)"
    r"(?:[a-z]{2,}(?<!s)s|people|kids|children|family|team|group|men|women|folks|crew|band|staff|class)\b|\w+ and \w+",
    re.IGNORECASE,
)
_SOMEBODY = re.compile(
    r"\b(?:an?|my|our|the) (?:\w+ ){0,2}?(?:brother|sister|mother|mom|mum|father|dad|son|daughter|child|kid|baby|wife|husband"
    r"|girlfriend|boyfriend|partner|grandma|grandpa|grandmother|grandfather|aunt|uncle|cousin|friend|boss|colleague|dog|cat"
    r"|puppy|kitten|man|woman|guy|girl|boy|lady)\b|(?<=\w )(?!I\b)[A-Z][a-z]+"
)
_PREDICATE_FOLLOWS = re.compile(
    r" (?:\w+ly |really |also |just )?(?:is|was|has|had|will|made|felt|turned|went|\w+(?:ed|s))\b"
)
