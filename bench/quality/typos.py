"""What a slip of the fingers costs: every question asked as it stands and with one word misspelt.

The slips are made here, the same ones in every run: one edit (a letter left out, one too many, exchanged for
another, or two in the wrong order) in one word of four letters or more, never in its first letter. Beside the default
profile stands BM25 alone, which takes every word as it is written.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.quality.corpora import Conversation, Question
from bench.quality.metrics import measures, ranks_of
from bench.quality.remembering import Remembered
from mnemic import _core
from mnemic.model.memory import embedding_text
from mnemic.model.search import DEFAULT_TOP_K

LETTERS = "abcdefghijklmnopqrstuvwxyz"
LEAST_LETTERS = 4
NAME, WORD = "a name", "another word"
BM25 = "BM25 alone"
_WORD = re.compile(r"[A-Za-z]+")
_K1, _B = 0.9, 0.4


@dataclass(frozen=True)
class Typos:
    """What one way to search makes of misspelt questions.

    Attributes:
        kind: Which word was misspelt.
        count: Of the questions that have such a word.
        written: recall@10 and NDCG@10 of these questions as they stand.
        misspelt: The same with the slip.
    """

    corpus: str
    kind: str
    mode: str
    count: int
    written: tuple[float, float]
    misspelt: tuple[float, float]


def slip(word: str, chance: random.Random) -> str:
    """The word with one edit behind its first letter."""
    while True:
        place = chance.randrange(1, len(word))
        before, letter, after = word[:place], word[place], word[place + 1 :]
        other = chance.choice(LETTERS)
        slipped = chance.choice(
            (
                before + after,
                before + other + letter + after,
                before + other + after,
                before + after[:1] + letter + after[1:],
            )
        )
        if slipped.lower() != word.lower():
            return slipped


def misspelt(question: Question, kind: str) -> Question | None:
    """The question with a slip in one of its words; None if it has no such word."""
    places = [found.span() for found in _WORD.finditer(question.text) if _kind(found) == kind]
    if not places:
        return None
    chance = random.Random(f"{question.question_id} {kind}")
    start, end = chance.choice(places)
    text = question.text[:start] + slip(question.text[start:end], chance) + question.text[end:]
    return replace(question, text=text)


def _kind(found: re.Match[str]) -> str | None:
    """A name has a capital that no beginning gave it; words that no search looks for are neither."""
    word = found.group()
    if len(word) < LEAST_LETTERS or not _core.tokenize(word):
        return None
    return NAME if word[0].isupper() and found.start() > 0 else WORD


def typos_of(remembered: Remembered, profile: str) -> list[Typos]:
    """The default mode and BM25, each with slips in names and in other words."""
    peers = {conversation.conversation_id: _Bm25(conversation) for conversation in remembered.corpus.conversations}

    def ask(conversation: Conversation, question: Question) -> Sequence[Sequence[str]]:
        return remembered.ask(conversation, question, top_k=DEFAULT_TOP_K).turns

    def ask_bm25(conversation: Conversation, question: Question) -> Sequence[Sequence[str]]:
        return peers[conversation.conversation_id].best(question.text)

    found = []
    for kind in (NAME, WORD):
        pairs = [
            (conversation, question, slipped)
            for conversation in remembered.corpus.conversations
            for question in conversation.questions
            if (slipped := misspelt(question, kind)) is not None
        ]
        for mode, asked in ((profile, ask), (BM25, ask_bm25)):
            written = [_judged(asked(conversation, question), question) for conversation, question, _ in pairs]
            wrong = [_judged(asked(conversation, slipped), question) for conversation, question, slipped in pairs]
            if pairs:
                found.append(Typos(remembered.corpus.name, kind, mode, len(pairs), _means(written), _means(wrong)))
    return found


def _judged(turns: Sequence[Sequence[str]], question: Question) -> tuple[float, float]:
    judged = measures(ranks_of(turns, question.evidence), len(question.evidence))
    return judged["recall@10"], judged["ndcg@10"]


def _means(judged: Sequence[tuple[float, float]]) -> tuple[float, float]:
    recall, gain = np.mean(judged, axis=0).tolist()
    return recall, gain


class _Bm25:
    """BM25 as the core has it, over the turns of one conversation."""

    def __init__(self, conversation: Conversation) -> None:
        self._turns = [turn.turn_id for turn in conversation.turns]
        texts = [embedding_text(turn.name, turn.body) for turn in conversation.turns]
        self._counts = [Counter(_core.tokenize(text)) for text in texts]
        lengths = [count.total() for count in self._counts]
        average = sum(lengths) / len(lengths)
        self._norms = [_K1 * (1 - _B + _B * length / average) for length in lengths]
        self._rows = Counter(term for count in self._counts for term in count)

    def best(self, text: str) -> list[tuple[str]]:
        terms = set(_core.tokenize(text)) & self._rows.keys()
        scored = sorted(self._scored(terms), reverse=True)
        return [(self._turns[place],) for score, place in scored[:DEFAULT_TOP_K] if score > 0]

    def _scored(self, terms: set[str]) -> Iterator[tuple[float, int]]:
        rows = len(self._turns)
        weights = {term: math.log(1 + (rows - self._rows[term] + 0.5) / (self._rows[term] + 0.5)) for term in terms}
        for place, (counts, norm) in enumerate(zip(self._counts, self._norms, strict=True)):
            shared = ((weights[term], counts[term]) for term in sorted(terms) if term in counts)
            yield sum(weight * count / (count + norm) for weight, count in shared), place
