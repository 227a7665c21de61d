"""What every reranker gives."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol


class RerankerUnavailableError(Exception):
    """The reranker gave no scores: it failed, was too slow, or answered nonsense. Says which, in words."""


class Reranker(Protocol):
    """Scores texts by how well each answers a query, having read both together. Safe to use from many threads.

    Attributes:
        is_local: Whether it works without a network, so that it takes a core and not a wait.
    """

    @property
    def is_local(self) -> bool:
        """Whether it works without a network."""

    def rerank(self, query: str, texts: Sequence[str], *, timeout_seconds: float) -> list[float]:
        """Scores texts.

        Args:
            query: The question.
            texts: One or more; longer than the reranker takes are cut at its limit.
            timeout_seconds: Gives up after this.

        Returns:
            Per text, in their order, a score from 0 to 1, higher for what answers the question better. Scores of
            different queries may be compared as far as the model allows it.

        Raises:
            RerankerUnavailableError: There are no scores.
        """

    def close(self) -> None:
        """Frees what it holds."""


def logistic(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    grown = math.exp(value)
    return grown / (1 + grown)


@contextmanager
def stopping_after(seconds: float, stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` from another thread if the body lasts longer: for work that does not look at a clock itself."""
    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
