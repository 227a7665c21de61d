"""What a predicate says of the time of its verb: "have just been living in Rome" is "live", "in Rome", and holds.

The auxiliaries, adverbs and verbs of beginning and ending in front of a verb say whether what it tells holds now. They are read
here, once, so that the frames of `slots` know only the verb and what follows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from mnemic.extraction.local.english.verbs import is_adverb


class Situation(Enum):
    """How what a verb tells lies to the present."""

    HOLDS = auto()
    """It is so, or came to be so."""
    HELD = auto()
    """It was so at some time; nothing is said of today."""
    ENDED = auto()
    """It is no longer so, or is not so."""
    COMES = auto()
    """It will be so."""


@dataclass(frozen=True, slots=True)
class VerbGroup:
    """A predicate taken apart.

    Attributes:
        lemma: The verb that bears the meaning, in the form after "to".
        rest: What follows it.
        situation: See `Situation`.
        adverbs: The words that were passed over.
        form: Its written form: `base`, `s`, `ing`, `past` or `participle`.
        is_denied: Whether a plain "not" stands in it: "I don't like olives" ends nothing and yet is not so.
    """

    lemma: str
    rest: str
    situation: Situation
    adverbs: frozenset[str]
    is_denied: bool = False
    form: str = "base"


# What they tell goes on; their past is over. Others tell an event, whose outcome lasts.
_STATES = (
    "live reside dwell work study attend own have drive ride speak play like love enjoy adore hate dislike detest prefer eat drink follow"
    " go use rent see date train teach major suffer share belong commute run practise practice need consider identify want be stay swim stand lead volunteer manage learn exercise lift keep care report bank support foster celebrate earn serve hold"
    " lease collect grow coach teach brew breed restore"
).split()
_EVENTS = (
    "move relocate settle emigrate join become turn start begin switch change adopt get buy rescue marry accept transfer take land sign"
    " enrol enroll hire promote swap trade replace sell leave quit lose retire graduate rename name call finish purchase upgrade"
    " trial pick welcome ditch drop exchange make appoint end stop break split divorce give cancel downsize convert register resign scrap"
    " rehome bring discover find wrap complete launch ship employ diagnose test base raise bear recruit headhunt poach hand close come develop put retrain qualify jump"
).split()
_IRREGULAR = {
    "begin": ("began", "begun"),
    "lead": ("led", "led"),
    "stand": ("stood", "stood"),
    "hold": ("held", "held"),
    "put": ("put", "put"),
    "keep": ("kept", "kept"),
    "grow": ("grew", "grown"),
    "come": ("came", "come"),
    "become": ("became", "become"),
    "break": ("broke", "broken"),
    "bring": ("brought", "brought"),
    "buy": ("bought", "bought"),
    "bear": ("bore", "born"),
    "drive": ("drove", "driven"),
    "drink": ("drank", "drunk"),
    "eat": ("ate", "eaten"),
    "find": ("found", "found"),
    "get": ("got", "gotten"),
    "give": ("gave", "given"),
    "go": ("went", "gone"),
    "have": ("had", "had"),
    "leave": ("left", "left"),
    "lose": ("lost", "lost"),
    "make": ("made", "made"),
    "quit": ("quit", "quit"),
    "ride": ("rode", "ridden"),
    "run": ("ran", "run"),
    "see": ("saw", "seen"),
    "sell": ("sold", "sold"),
    "speak": ("spoke", "spoken"),
    "split": ("split", "split"),
    "swim": ("swam", "swum"),
    "take": ("took", "taken"),
    "teach": ("taught", "taught"),
    "learn": ("learnt", "learnt"),
}
_DOUBLING = frozenset("begin get quit run split swap swim stop drop ship cancel enrol transfer wrap".split())


def _forms(lemma: str) -> dict[str, str]:
    """The written forms of a verb, each with what it is: `s`, `ing`, `past`, `participle`."""
    stem = lemma[:-1] if lemma.endswith("e") and lemma not in ("be", "see") else lemma
    doubled = lemma + lemma[-1] if lemma in _DOUBLING else stem
    y_stem = lemma[:-1] + "i" if lemma.endswith("y") and lemma[-2] not in "aeou" else doubled
    third = (
        y_stem + "es"
        if y_stem.endswith("i")
        else lemma + ("es" if lemma.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")
    )
    forms = {third: "s", doubled + "ing": "ing", y_stem + "ed": "past"}
    if lemma in _IRREGULAR:
        past, participle = _IRREGULAR[lemma]
        forms |= {participle: "participle", past: "past"}
        if lemma != "learn":
            forms.pop(y_stem + "ed", None)
    return {lemma: "base"} | forms if lemma not in ("quit", "split", "become", "put") else forms | {lemma: "base"}


_FORMS: dict[str, tuple[str, str]] = {
    form: (lemma, kind) for lemma in (*_STATES, *_EVENTS) if lemma != "be" for form, kind in _forms(lemma).items()
}
_FORMS |= {"has": ("have", "s"), "quit": ("quit", "past"), "split": ("split", "past"), "got": ("get", "past")}
_IS_STATE = frozenset(_STATES)
VERB_FORMS = frozenset(_FORMS)
"""Every written form of a verb that a frame knows."""
THIRD_PERSON_FORMS = frozenset(form for form, (_, kind) in _FORMS.items() if kind in ("s", "past"))
"""Those that can follow a single name."""
SUBJECTLESS_FORMS = frozenset(form for form, (_, kind) in _FORMS.items() if kind in ("past", "participle", "ing")) - {
    form for lemma in (*_STATES, *_EVENTS) if lemma not in ("quit", "split", "put") for form in (lemma,)
}
"""Those with which a clause may begin whose "I" is not written: "moved to Oslo", "living in Rome now"."""

_WORD = re.compile(r"\s*,?\s*([^\W\d_]+(?:['-][^\W\d_]+)*)")
_MORE_ADVERBS = frozenset(
    """actually currently finally again somehow basically kinda kind-of presently proud proudly all instead nowadays today as
    since then ever too maybe ended-up myself ourselves himself herself themselves yet back""".split()
) - {"maybe", "as", "since", "then", "all", "too", "instead"}
_BE = {"am": "now", "is": "now", "are": "now", "was": "then", "were": "then", "been": "", "be": "", "being": ""}
# Before a verb in -ing or with "to" they say that it begins, goes on or came about.
_BEGINS = frozenset("start begin get go end take keep continue return resume decide choose manage commit".split())
_STOPS = frozenset("stop quit give finish".split())


def read_verb_group(predicate: str) -> VerbGroup | None:
    """Takes a predicate apart, if its verb is one that the frames know.

    Args:
        predicate: Written out, without its subject: "have just moved to Rome".
    """
    return _Reading(predicate).read()


class _Reading:
    def __init__(self, predicate: str) -> None:
        self._text = predicate
        self._place = 0
        self._adverbs: set[str] = set()
        self._is_denied = False
        self._situation: Situation | None = None
        self._is_perfect = False
        self._begun = False

    def _peek(self) -> tuple[str, int]:
        match = _WORD.match(self._text, self._place)
        return (match[1].lower(), match.end()) if match else ("", self._place)

    def _skip(self) -> None:
        """Passes over adverbs and negations."""
        while True:
            word, end = self._peek()
            if word == "not":
                self._is_denied = True
            elif word == "no" and self._text[end:].lower().startswith(" longer"):
                self._situation, end = Situation.ENDED, end + len(" longer")
            elif word in ("kind", "sort") and self._text[end : end + 3] == " of":
                end += 3
            elif not word or not (is_adverb(word) or word in _MORE_ADVERBS):
                return
            elif word == "never":
                self._is_denied = True
            self._adverbs.add(word)
            self._place = end

    def _accept(self, *words: str) -> str:
        word, end = self._peek()
        if word in words:
            self._place = end
            return word
        return ""

    def read(self) -> VerbGroup | None:
        self._skip()
        if self._accept("will", "shall"):
            self._situation = Situation.COMES
            self._skip()
        elif self._peek()[0] in ("do", "does", "did"):
            is_past = self._accept("do", "does", "did") == "did"
            self._skip()
            if self._peek()[0] not in _FORMS and not self._is_denied:
                self._situation = Situation.HELD if is_past else None
                return self._done("do")
        elif self._accept("can"):
            self._skip()
        elif self._accept("cannot"):
            self._is_denied = True
            self._skip()
        elif self._accept("used"):
            if not self._accept("to"):
                return None
            self._situation = Situation.HELD
            self._skip()
        return self._verb("")

    def _verb(self, before: str) -> VerbGroup | None:
        """The verb itself, after its auxiliaries; `before` is the form of the one that governs it."""
        word, end = self._peek()
        if word in _BE:
            return self._be(word, end)
        if word in ("have", "has", "had") and self._is_auxiliary(end):
            self._place = end
            if word == "had":
                self._situation = self._situation or Situation.HELD
            self._is_perfect = True
            self._skip()
            return self._verb("have")
        if word in ("doing", "done"):
            self._place = end
            return self._done("do")
        if word not in _FORMS:
            return None
        lemma, form = _FORMS[word]
        self._place = end
        governed = self._governed(lemma, form)
        return governed or self._group(lemma, form, before)

    def _is_auxiliary(self, end: int) -> bool:
        place, self._place = self._place, end
        adverbs, denied, situation = set(self._adverbs), self._is_denied, self._situation
        self._skip()
        word, after = self._peek()
        # "have got a dog", "have had a dog": the second verb is the verb.
        is_auxiliary = word == "been" or (word in _FORMS and _FORMS[word][1] in ("past", "participle"))
        is_auxiliary = is_auxiliary or word in ("become", "run", "quit", "split")
        self._place, self._adverbs, self._is_denied, self._situation = place, adverbs, denied, situation
        return is_auxiliary and bool(after)

    def _be(self, word: str, end: int) -> VerbGroup | None:
        self._place = end
        self._skip()
        following, after = self._peek()
        if following == "going" and self._text[after:].lower().startswith(" to "):
            inner = _WORD.match(self._text, after + 3)
            if inner and (inner[1].lower() in _FORMS or inner[1].lower() == "be"):
                self._place, self._situation = after + 3, Situation.COMES
                self._skip()
                return self._verb("")
        is_past = _BE[word] == "then"
        if following == "doing" or (following in _FORMS and _FORMS[following][1] == "ing"):
            if is_past:
                self._situation = self._situation or Situation.HELD
            return self._verb("be")
        if is_past and not self._is_perfect:
            self._situation = self._situation or Situation.HELD
        return self._done("be")

    def _governed(self, lemma: str, form: str) -> VerbGroup | None:
        """The verb after "started", "ended up", "stopped", if there is one."""
        if lemma not in _BEGINS | _STOPS:
            return None
        place, adverbs, denied = self._place, set(self._adverbs), self._is_denied
        self._accept("up", "on", "into", "back", "out")
        self._accept("into")
        self._accept("to")
        self._skip()
        word, _ = self._peek()
        is_verb = word in _FORMS and (
            _FORMS[word][1] == "ing" or (_FORMS[word][1] == "base" and lemma not in ("get", "go", "take"))
        )
        if word in ("being", "be") or (lemma == "go" and word in ("work", "live", "study", "train")):
            is_verb = True
        if is_verb:
            if lemma in _STOPS:
                self._situation = Situation.ENDED
            elif form == "ing" and lemma != "keep":
                self._situation = self._situation or Situation.HOLDS
            else:
                self._situation = self._situation or Situation.HOLDS
            self._begun = True
            return self._verb(lemma)
        self._place, self._adverbs, self._is_denied = place, adverbs, denied
        return None

    def _group(self, lemma: str, form: str, before: str) -> VerbGroup:
        if lemma == "take" and form == "ing":
            # "I'm taking Spanish classes" goes on.
            self._situation = self._situation or Situation.HOLDS
        elif lemma not in _IS_STATE and form in ("ing", "base", "s") and before != "have" and not self._begun:
            # "I'm moving to Rome", "I start at Acme on Monday".
            self._situation = self._situation or Situation.COMES
        elif lemma in _IS_STATE and form == "past" and before == "":
            self._situation = self._situation or Situation.HELD
        return self._done(lemma, form)

    def _done(self, lemma: str, form: str = "base") -> VerbGroup:
        self._skip()
        rest = self._text[self._place :].strip(" ,")
        situation = self._situation or Situation.HOLDS
        if form == "past" and situation is Situation.HOLDS and _UNTIL.search(rest):
            # "I joined Acme in 2012 and stayed until 2014".
            situation = Situation.HELD
        if self._is_denied and _ANY_MORE.search(rest):
            situation = Situation.ENDED
            rest = _ANY_MORE.sub("", rest)
        return VerbGroup(lemma, rest, situation, frozenset(self._adverbs), self._is_denied, form)


_UNTIL = re.compile(
    r"\b(?:until|till|and (?:left|stayed|lasted)|for (?:a|one|two|three|four|five|six|\d+) (?:years?|months?|weeks?|summers?|semesters?))\b",
    re.IGNORECASE,
)
_ANY_MORE = re.compile(r",? (?:anymore|any more|any longer)\b", re.IGNORECASE)
