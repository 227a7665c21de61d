"""What the front has to know of the engine's rules to answer without asking it."""

from __future__ import annotations

from dataclasses import dataclass

from mnemic import _core
from mnemic.engine.abstention import calibration
from mnemic.engine.profiles import PROFILES, default_profile
from mnemic.engine.settings import Settings
from mnemic.engine.validation import MAX_ID_BYTES
from mnemic.model.search import DEFAULT_TOP_K, MAX_TOP_K, SIGNALS, SignalWeights


@dataclass(frozen=True, slots=True)
class Native:
    """What answers without Python, for as long as a front is there.

    Attributes:
        answers: It.
        embedder: Where it has the vectors of texts from.
    """

    answers: _core.NativeAnswers
    embedder: _core.QueryEmbedder

    def close(self) -> None:
        """Ends the embedder's threads; the engine's provider must still be open."""
        self.embedder.close()


def native_answers(
    index: _core.Index, settings: Settings, embedder: _core.QueryEmbedder | None = None
) -> _core.NativeAnswers:
    """Answers searches and reads from an index that `LiveIndex` keeps, as this engine would answer them.

    Args:
        index: The index.
        settings: The engine's.
        embedder: Where the vectors of texts come from; without one, only searches that need none are answered.
    """
    limits = settings.limits
    return _core.NativeAnswers(
        index,
        profiles={name: (_in_order(profile.weights), profile.candidates) for name, profile in PROFILES.items()},
        default_profile=default_profile(settings),
        calibration=calibration(settings.embedding.provider),
        default_top_k=DEFAULT_TOP_K,
        most_top_k=MAX_TOP_K,
        query_bytes=limits.query_bytes,
        id_bytes=MAX_ID_BYTES,
        searches_per_batch=limits.searches_per_batch,
        ids_per_batch=limits.ids_per_batch,
        embedder=embedder,
    )


def _in_order(weights: SignalWeights) -> tuple[float, ...]:
    """The weights of the core's signals; a profile has all of them."""
    in_order = tuple(getattr(weights, name) for name in SIGNALS)
    if None in in_order:
        raise ValueError(f"a profile needs the weights of all signals, not {weights}")
    return in_order
