"""The ways in which every question is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.quality.corpora import Conversation, Question
from bench.quality.remembering import Found, Remembered
from mnemic.engine.profiles import BALANCED, PROFILES
from mnemic.model.search import DEFAULT_TOP_K

# Deep enough for the largest cut of the metrics.
TOP = 50
# RRF joins whole lists.
WHOLE = 1000
RRF_K = 60


@dataclass(frozen=True)
class Mode:
    """One way to ask.

    Attributes:
        name: For the tables.
        group: `profile`, `alone` (one signal), `fusion` (joined in the bench) or `ablation` (one signal less).
        options: Of the search.
        lists: Of the searches that the bench joins.
    """

    name: str
    group: str
    options: Mapping[str, Any] = field(default_factory=dict)
    lists: Sequence[Mapping[str, Any]] = ()

    def ask(self, remembered: Remembered, conversation: Conversation, question: Question) -> Found:
        """The ranked answer: first the ten hits of a caller who asks for ten, then what asking for more adds.

        Signals are normalised over the candidates, and who asks for more has more of them: the first ten of fifty are
        not always the ten.
        """
        if self.lists:
            found = [remembered.ask(conversation, question, top_k=WHOLE, **options) for options in self.lists]
            return _reciprocal_ranks(found)
        ten, many = (
            remembered.ask(conversation, question, top_k=top_k, **self.options) for top_k in (DEFAULT_TOP_K, TOP)
        )
        return ten.followed_by(many)


# Named, so that it is the same with every model.
DEFAULT = Mode(BALANCED, "profile", {"profile": BALANCED})
WORDS = "words alone"
MEANING = "meaning alone"
RRF = f"RRF k={RRF_K} of the two"


def modes_of(signals: Sequence[str], *, ablations: bool = True) -> list[Mode]:
    """The default profile first, then the other profiles, single signals, their RRF, and the default's ablations."""
    # A profile of one signal is that signal alone, which has a row.
    several = [
        name
        for name, profile in PROFILES.items()
        if sum(bool(getattr(profile.weights, signal)) for signal in signals) > 1
    ]
    modes = [DEFAULT]
    modes += [Mode(name, "profile", {"profile": name}) for name in several if name != BALANCED]
    words, meaning = ({"profile": BALANCED, "weights": only(signal, signals)} for signal in ("lexical", "vector"))
    modes += [
        Mode(WORDS, "alone", words),
        Mode(MEANING, "alone", meaning),
        Mode(RRF, "fusion", lists=(words, meaning)),
    ]
    return modes + (list(_ablations(signals)) if ablations else [])


def only(signal: str, signals: Sequence[str]) -> dict[str, float]:
    """Weights that let one signal decide."""
    return {name: float(name == signal) for name in signals}


def _ablations(signals: Sequence[str]) -> Iterator[Mode]:
    weights = PROFILES[BALANCED].weights
    for name in signals:
        if getattr(weights, name):
            yield Mode(f"{BALANCED} without {name}", "ablation", {"profile": BALANCED, "weights": {name: 0.0}})


def _reciprocal_ranks(lists: Sequence[Found]) -> Found:
    """Reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009): each hit by its sum of 1 / (60 + rank)."""
    scores: dict[tuple[tuple[str, ...], str], float] = defaultdict(float)
    for found in lists:
        for rank, hit in enumerate(zip(found.turns, found.bodies, strict=True), 1):
            scores[hit] += 1 / (RRF_K + rank)
    best = sorted(scores, key=lambda hit: -scores[hit])[:TOP]
    return replace(
        lists[0],
        turns=tuple(turns for turns, _ in best),
        bodies=tuple(body for _, body in best),
        scores=(),
        seconds=sum(found.seconds for found in lists),
    )
