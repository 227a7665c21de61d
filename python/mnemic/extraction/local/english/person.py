"""From the first person to a named one: "I moved to my sister's" said by Ana is "Ana moved to Ana's sister's"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mnemic.extraction.local.english.verbs import is_adverb, is_past, third_person
from mnemic.model.memory import Role

_CONTRACTIONS = (
    (re.compile(r"[’‘ʼ`]"), "'"),
    (re.compile(r"\bi(?=\b(?!\.[a-z]))(?!-)"), "I"),
    (re.compile(r"\b[Ii]m\b(?!')"), "I am"),
    (re.compile(r"\b[Ii]ve\b"), "I have"),
    (re.compile(r"\b(dont|doesnt|didnt|isnt|cant|wont|havent|wasnt)\b"), lambda match: match[0][:-1] + "'t"),
    (re.compile(r"\bI'm\b"), "I am"),
    (re.compile(r"\b(I|[Ww]e|[Yy]ou|[Tt]hey)'ve\b"), r"\1 have"),
    (re.compile(r"\b(I|[Ww]e|[Yy]ou|[Tt]hey|[Ss]?[Hh]e|[Ii]t)'ll\b"), r"\1 will"),
    (re.compile(r"\b([Ww]e|[Yy]ou|[Tt]hey)'re\b"), r"\1 are"),
    (
        re.compile(
            r"\b(I|[Ww]e|[Tt]hey|[Ss]?[Hh]e)'d (?=(?:\w+ly |just |never |always )?(?:been|had|gone|better|\w+ed)\b)"
        ),
        r"\1 had ",
    ),
    (re.compile(r"\b(I|[Ww]e|[Yy]ou|[Tt]hey|[Ss]?[Hh]e)'d\b"), r"\1 would"),
    (re.compile(r"\b([Ii]t|[Tt]hat|[Ss]?[Hh]e|[Tt]here|[Hh]ere|[Ww]hat|[Ww]ho)'s (?=(?:been|got)\b)"), r"\1 has "),
    (re.compile(r"\b([Ii]t|[Tt]hat|[Ss]?[Hh]e|[Tt]here|[Hh]ere|[Ww]hat|[Ww]ho)'s\b"), r"\1 is"),
    (re.compile(r"\b[Cc]an't\b"), "cannot"),
    (re.compile(r"\b[Ww]on't\b"), "will not"),
    (re.compile(r"\b([A-Za-z]+)n't\b"), r"\1 not"),
    (re.compile(r"\bgonna\b"), "going to"),
    (re.compile(r"\bwanna\b"), "want to"),
    (re.compile(r"\bI have got (?=an?\b|\d|two\b|three\b|my\b)"), "I have "),
)


def written_out(text: str) -> str:
    """The text without contractions and with straight apostrophes, as all patterns expect it."""
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return text


_NAME_AFTER = re.compile(
    r"\b(live in|living in|moved to|am from|grew up in|born in|based in|works? at|working at|named|called|name is|married to"
    r"|dating) (?!(?:a|an|the|my|our|your|this|that|these|it|home|school|one|some|two|from|by|me|him|her|them)\b)"
    r"((?:(?:new|san|los|las|saint|st|cape|hong|tel|el|rio de|buenos|kuala|south|north) )?[a-z]\w+)"
)


def with_capitals(text: str) -> str:
    """The text with the names capitalised where one must stand, if its writer uses no capitals at all."""
    if any(character.isupper() for character in re.sub(r"\bI\b", "", text)):
        return text
    return _NAME_AFTER.sub(lambda match: f"{match[1]} {match[2].title()}", text)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of whom facts tell.

    Attributes:
        label: What stands in a sentence: a name, or "the user".
        key: What stands before the dot of a slot: the name folded, or `user`.
        is_one_of_several: Whether there may be others of whom the same words are said: "my brother". What is told of such a
            one stands beside what was told before, unless it says that something changed or was wrong.
    """

    label: str
    key: str
    is_one_of_several: bool = False

    @classmethod
    def speaking(cls, name: str, role: Role) -> Person:
        """Who says "I" in a message."""
        if name.strip():
            return cls(" ".join(name.split()), folded(name))
        return cls("the assistant", "assistant") if role is Role.ASSISTANT else cls("the user", "user")

    @property
    def possessive(self) -> str:
        """What stands before what is theirs."""
        return f"{self.label}'s"


def folded(text: str) -> str:
    """A part of a slot's name: lower case, runs of anything but letters and digits are one underscore."""
    return re.sub(r"[\W_]+", "_", text.casefold()).strip("_")


def capitalised(text: str) -> str:
    """The text with a capital in front; the rest is left alone."""
    return text[:1].upper() + text[1:]


_TOKENS = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[\W\d_]+")
_MULTIPLE = {"we": "{} and others", "us": "{} and others", "our": "{}'s", "ours": "{}'s", "ourselves": "themselves"}
_SINGLE = {"me": "{}", "my": "{}'s", "mine": "{}'s", "myself": "themselves"}
# After "and" these are a second verb of the same subject; the others only before what shows that they are no nouns.
_SURE_VERBS = frozenset("live enjoy have own prefer teach speak drive eat hate want need go am".split())
_LIKELY_VERBS = frozenset("work study play love like run train cook write read".split())
_AFTER_A_VERB = frozenset("a an the my our at in for as with on to from every".split())
_NO_LONGER_FINITE = frozenset("to not cannot can will would could should might must may going".split())


def in_third_person(text: str, person: Person) -> str:
    """What the person says of themselves, as somebody else would tell it.

    Args:
        text: Written out, see `written_out`.
        person: Who speaks.
    """
    return capitalised(_Telling(person.label).tell(_TOKENS.findall(text)))


class _Telling:
    """One pass over the words of a sentence."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._awaits_verb = False
        self._is_present = False  # the subject's verb had to be changed: a verb joined to it must be changed as well
        self._previous = ""

    def tell(self, tokens: list[str]) -> str:
        words = [token.lower() for token in tokens]
        told = []
        for position, (token, word) in enumerate(zip(tokens, words, strict=True)):
            if not word[0].isalpha():
                told.append(token)
                if any(mark in token for mark in ",.;:") and self._awaits_verb:
                    self._awaits_verb = False
                continue
            following = words[position + 2] if position + 2 < len(words) else ""
            told.append(self._word(token, word, following))
            self._previous = word
        return "".join(told)

    def _word(self, token: str, word: str, following: str) -> str:
        if token == "I":  # noqa: S105 (a word, no secret)
            # "My wife and I live": the verb stays in the plural.
            self._awaits_verb = self._previous != "and" or not following
            self._is_present = False
            return self._label
        for forms, is_plural in ((_SINGLE, False), (_MULTIPLE, True)):
            if word in forms:
                self._awaits_verb = self._awaits_verb and not is_plural
                return forms[word].format(self._label)
        if self._awaits_verb:
            return self._verb(token, word)
        if self._is_present and word in _NO_LONGER_FINITE:
            self._is_present = False
        elif self._is_present and self._previous in ("and", "or", "but") and self._is_joined_verb(word, following):
            return third_person(word)
        return token

    def _verb(self, token: str, word: str) -> str:
        if is_adverb(word):
            return token
        self._awaits_verb = False
        form = third_person(word)
        self._is_present = form != word and not is_past(word)
        return token if form == word else form

    @staticmethod
    def _is_joined_verb(word: str, following: str) -> bool:
        return word in _SURE_VERBS or (
            word in _LIKELY_VERBS and (following in _AFTER_A_VERB or following.endswith("ing"))
        )
