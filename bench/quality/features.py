"""The signals of every candidate of every question: what weights, and later a learned ranker, are fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bench.quality.modes import WHOLE
from bench.quality.remembering import Remembered


@dataclass(frozen=True)
class FeatureTable:
    """Rows are candidates, those of a question side by side in the order of the answer that told them.

    Attributes:
        signals: The names of the columns of `raw` and `normalized`, as `explain` gives them.
        raw: float32 (rows, signals): each signal in its own unit; 0 where it took no part.
        normalized: float32 (rows, signals): as the fusion weighs it, 0 to 1.
        label: bool (rows): whether the candidate brings evidence.
        question: int32 (rows): the position of its question in the arrays below.
        texts: What was asked (questions).
        kinds: Its type (questions).
        conversations: The conversation, unique across corpora (questions).
        corpora: The corpus (questions).
        wanted: int32 (questions): how many pieces of evidence there are, found among the candidates or not.
    """

    signals: NDArray[np.str_]
    raw: NDArray[np.float32]
    normalized: NDArray[np.float32]
    label: NDArray[np.bool_]
    question: NDArray[np.int32]
    texts: NDArray[np.str_]
    kinds: NDArray[np.str_]
    conversations: NDArray[np.str_]
    corpora: NDArray[np.str_]
    wanted: NDArray[np.int32]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **{part.name: getattr(self, part.name) for part in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Self:
        with np.load(path) as kept:
            return cls(**{part.name: kept[part.name] for part in fields(cls)})

    def pooled(self, best: int) -> Self:
        """Without the candidates that no signal has among the best so many of their question."""
        kept = np.zeros(len(self.question), bool)
        for column in self.raw.T:
            # By question, then by descending signal; a place within the question is a place less where it begins.
            order = np.lexsort((-column, self.question))
            begins = np.searchsorted(self.question, self.question)
            kept[order] |= (np.arange(len(order)) - begins < best) & (column[order] != 0)
        rows = {name: getattr(self, name)[kept] for name in ("raw", "normalized", "label", "question")}
        return replace(self, **rows)

    @classmethod
    def collect(cls, all_remembered: Sequence[Remembered], signals: Sequence[str]) -> Self:
        """Asks every question for all that can be found, with every signal counting, and keeps the explanations."""
        weights = dict.fromkeys(signals, 1.0)
        rows: list[tuple[int, bool, dict[str, tuple[float, float]]]] = []
        asked: list[tuple[str, str, str, str, int]] = []
        for remembered in all_remembered:
            name = remembered.corpus.name
            for conversation in remembered.corpus.conversations:
                for question in conversation.questions:
                    found = remembered.ask(conversation, question, top_k=WHOLE, weights=weights, explain=True)
                    for turns, parts in zip(found.turns, found.parts, strict=True):
                        scores = {signal: (part.raw, part.normalized) for signal, part in parts.items()}
                        rows.append((len(asked), not question.evidence.isdisjoint(turns), scores))
                    place = f"{name}/{conversation.conversation_id}"
                    asked.append((question.text, question.kind, place, name, len(question.evidence)))
        columns = sorted({signal for _, _, scores in rows for signal in scores})
        values = np.zeros((len(rows), len(columns), 2), np.float32)
        for row, (_, _, scores) in enumerate(rows):
            for column, signal in enumerate(columns):
                values[row, column] = scores.get(signal, (0.0, 0.0))
        texts, kinds, conversations, corpora, wanted = zip(*asked, strict=True)
        return cls(
            signals=np.asarray(columns),
            raw=values[:, :, 0].copy(),
            normalized=values[:, :, 1].copy(),
            label=np.asarray([label for _, label, _ in rows]),
            question=np.asarray([number for number, _, _ in rows], np.int32),
            texts=np.asarray(texts),
            kinds=np.asarray(kinds),
            conversations=np.asarray(conversations),
            corpora=np.asarray(corpora),
            wanted=np.asarray(wanted, np.int32),
        )


class Ranking:
    """Ranks the candidates of some questions by any score, and judges the ranks.

    Only the candidates with evidence need ranks: one more than the candidates of the question that score higher.
    """

    def __init__(self, table: FeatureTable, questions: NDArray[np.bool_]) -> None:
        self._rows = np.flatnonzero(questions[table.question])
        number = np.cumsum(questions) - 1
        question = number[table.question[self._rows]]
        self.features = table.normalized[self._rows]
        self._wanted = table.wanted[questions].astype(np.float64)
        begins = np.searchsorted(question, np.arange(len(self._wanted)))
        sizes = np.diff([*begins, len(question)])
        self._evidence = np.flatnonzero(table.label[self._rows])
        self._owner = question[self._evidence]
        counts = sizes[self._owner]
        # For each candidate with evidence all candidates of its question, one after another.
        starts = np.cumsum(counts) - counts
        self._rivals = np.repeat(begins[self._owner] - starts, counts) + np.arange(counts.sum())
        self._starts = starts
        self._counts = counts
        self._earlier = self._rivals < np.repeat(self._evidence, counts)
        gains = np.cumsum(1 / np.log2(np.arange(2, 12)))
        self._ideal = gains[np.minimum(self._wanted, 10).astype(int) - 1]

    def judge(self, scores: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
        """recall@10, ndcg@10 and mrr of each question when the candidates have these scores; ties keep their order."""
        own = np.repeat(scores[self._evidence], self._counts)
        rivals = scores[self._rivals]
        above = (rivals > own) | ((rivals == own) & self._earlier)
        ranks = 1 + np.add.reduceat(above, self._starts, dtype=np.int64) if len(self._starts) else np.empty(0)
        questions = len(self._wanted)
        recalled = np.bincount(self._owner, ranks <= 10, questions)
        gained = np.bincount(self._owner, np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0), questions)
        reciprocal = np.zeros(questions)
        np.maximum.at(reciprocal, self._owner, 1 / ranks)
        return {"recall@10": recalled / self._wanted, "ndcg@10": gained / self._ideal, "mrr": reciprocal}
