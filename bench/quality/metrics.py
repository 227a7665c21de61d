"""How good an answer is, and how sure one may be of the mean.

`found` is a ranked answer: for each hit the turns that it brings, which is the message itself or, for a fact, its
sources. A piece of evidence has the rank of the first hit that brings it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

CUTS = (1, 5, 10, 20, 50)
GAIN_CUT = 10
RESAMPLES = 2000
CONFIDENCE = 0.95
METRICS = (
    *(f"recall@{cut}" for cut in CUTS),
    *(f"all@{cut}" for cut in CUTS),
    *(f"hit@{cut}" for cut in CUTS),
    "mrr",
    f"ndcg@{GAIN_CUT}",
    f"most@{GAIN_CUT}",
)


def ranks_of(found: Sequence[Collection[str]], evidence: Collection[str]) -> list[int]:
    """The ranks, from 1, of the evidence that was found, ascending."""
    ranks: dict[str, int] = {}
    for rank, turns in enumerate(found, 1):
        for turn in turns:
            if turn in evidence:
                ranks.setdefault(turn, rank)
    return sorted(ranks.values())


def measures(ranks: Sequence[int], wanted: int) -> dict[str, float]:
    """The metrics of one question from the ranks of what was found of its `wanted` pieces of evidence.

    * recall@k: the share of the evidence among the first k hits; all@k: whether it is all there; hit@k: whether any is.
    * most@10: the largest recall@10 that any ranking can have, if a hit brings one piece of evidence.
    * mrr: 1 / rank of the first; 0 if none was found.
    * ndcg@10: gain 1 for a hit that brings evidence which no hit before it brought, discounted by log2(rank + 1), over
      the gain of a ranking with all evidence first (Järvelin and Kekäläinen, 2002).
    """
    within = {cut: sum(rank <= cut for rank in ranks) for cut in CUTS}
    gain = sum(1 / math.log2(rank + 1) for rank in set(ranks) if rank <= GAIN_CUT)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(wanted, GAIN_CUT) + 1))
    return (
        {f"recall@{cut}": count / wanted for cut, count in within.items()}
        | {f"all@{cut}": float(count == wanted) for cut, count in within.items()}
        | {f"hit@{cut}": float(count > 0) for cut, count in within.items()}
        | {"mrr": 1 / ranks[0] if ranks else 0.0, f"ndcg@{GAIN_CUT}": gain / ideal}
        | {f"most@{GAIN_CUT}": min(GAIN_CUT, wanted) / wanted}
    )


def interval(
    values: NDArray[np.float64], clusters: Sequence[object] | None = None, *, seed: int = 7
) -> tuple[float, float]:
    """The bootstrap's 95 % percentile interval of a mean.

    Args:
        values: One for each question.
        clusters: What each question belongs to, such as its conversation: whole clusters are drawn then, since
            questions about one conversation are not independent. None draws single questions.
        seed: The same seed gives the same interval.
    """
    chance = np.random.default_rng(seed)
    numbers = np.arange(len(values)) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    sums, counts = np.bincount(numbers, values), np.bincount(numbers)
    drawn = chance.integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
