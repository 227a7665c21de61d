"""Asks every question in every mode, and sums up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from bench.quality.corpora import Conversation, Corpus, Question
from bench.quality.metrics import METRICS, interval, measures, ranks_of
from bench.quality.modes import Mode
from bench.quality.remembering import Found, Remembered
from mnemic.embedding.install import find_model
from mnemic.model.search import DEFAULT_TOP_K

ALL = "all"
# Of these a table also says how sure one may be.
JUDGED = ("recall@10", "ndcg@10", "mrr")


@dataclass(frozen=True)
class Answer:
    """What one question got in one mode."""

    corpus: str
    conversation: str
    model: str
    mode: Mode
    question: Question
    found: Found
    ranks: tuple[int, ...]
    measures: dict[str, float]
    context_tokens: int

    def line(self) -> str:
        """For the file of all answers."""
        return json.dumps(
            {
                "corpus": self.corpus,
                "conversation": self.conversation,
                "question": self.question.question_id,
                "kind": self.question.kind,
                "model": self.model,
                "mode": self.mode.name,
                "evidence": sorted(self.question.evidence),
                "ranks": self.ranks,
                "first": self.found.turns[:DEFAULT_TOP_K],
                "context_tokens": self.context_tokens,
                "milliseconds": round(self.found.seconds * 1e3, 3),
                "embed_us": self.found.timings.embed,
                "search_us": self.found.timings.search,
            }
            | {name: round(value, 4) for name, value in self.measures.items()}
        )


@dataclass(frozen=True)
class Summary:
    """The answers of one mode to the questions of one kind.

    Attributes:
        means: By metric.
        by_question: 95 % intervals of some of the means when questions are drawn.
        by_conversation: The same when whole conversations are.
        context_tokens: Mean of the first ten hits.
    """

    corpus: str
    model: str
    mode: str
    group: str
    kind: str
    count: int
    means: dict[str, float]
    by_question: dict[str, tuple[float, float]]
    by_conversation: dict[str, tuple[float, float]]
    context_tokens: float


@dataclass(frozen=True)
class Pace:
    """What fresh questions took in the default mode with ten hits: median and p99 in microseconds.

    Attributes:
        total: As the caller waited.
        embed: Of it, the embedding.
        search: Of it, the search.
    """

    corpus: str
    model: str
    total: tuple[float, float]
    embed: tuple[float, float]
    search: tuple[float, float]


class TokenCounter:
    """Counts the tokens of texts, by the word pieces of the default model: near those of most language models."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer.from_file(str(find_model("minilm").directory / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._known: dict[str, int] = {}

    def __call__(self, texts: Iterable[str]) -> int:
        return sum(self._count(text) for text in texts)

    def _count(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self._tokenizer.encode(text, add_special_tokens=False).ids)
        return self._known[text]


def answers_of(remembered: Remembered, model: str, mode: Mode, tokens: TokenCounter) -> Iterator[Answer]:
    """Every question of the corpus, asked in one mode."""
    for conversation in remembered.corpus.conversations:
        for question in conversation.questions:
            found = mode.ask(remembered, conversation, question)
            yield answer_of(remembered.corpus, conversation, model, mode, question, found, tokens)


def answer_of(
    corpus: Corpus,
    conversation: Conversation,
    model: str,
    mode: Mode,
    question: Question,
    found: Found,
    tokens: TokenCounter,
) -> Answer:
    """What was found, judged."""
    ranks = ranks_of(found.turns, question.evidence)
    return Answer(
        corpus.name,
        conversation.conversation_id,
        model,
        mode,
        question,
        found,
        tuple(ranks),
        measures(ranks, len(question.evidence)),
        tokens(found.bodies[:DEFAULT_TOP_K]),
    )


def pace_of(answers: Sequence[Answer]) -> Pace:
    """The times of the answers to questions that nobody asked before."""

    def middle_and_tail(values: Sequence[float]) -> tuple[float, float]:
        return float(np.percentile(values, 50)), float(np.percentile(values, 99))

    found = [answer.found for answer in answers]
    return Pace(
        answers[0].corpus,
        answers[0].model,
        middle_and_tail([one.seconds * 1e6 for one in found]),
        middle_and_tail([one.timings.embed for one in found]),
        middle_and_tail([one.timings.search for one in found]),
    )


def summaries_of(answers: Sequence[Answer]) -> list[Summary]:
    """Of one mode: all questions, then each kind."""
    kinds = sorted({answer.question.kind for answer in answers})
    chosen = [(kind, [answer for answer in answers if answer.question.kind == kind]) for kind in kinds]
    return [_summary(ALL, answers), *(_summary(kind, some) for kind, some in chosen)]


def _summary(kind: str, answers: Sequence[Answer]) -> Summary:
    first = answers[0]
    columns = {name: np.asarray([answer.measures[name] for answer in answers]) for name in METRICS}
    conversations = [answer.conversation for answer in answers]
    return Summary(
        first.corpus,
        first.model,
        first.mode.name,
        first.mode.group,
        kind,
        len(answers),
        {name: float(column.mean()) for name, column in columns.items()},
        {name: interval(columns[name]) for name in JUDGED},
        {name: interval(columns[name], conversations) for name in JUDGED},
        float(np.mean([answer.context_tokens for answer in answers])),
    )


def write_answers(path: Path, answers: Iterable[Answer]) -> None:
    """One line of JSON for each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(answer.line() + "\n" for answer in answers), encoding="utf-8")
