"""Reranking the first hits of a search, bounded in time and in how many wait."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import structlog

from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.memory import embedding_text
from mnemic.model.search import SearchHit, SearchRequest, SignalScore
from mnemic.reranking.reranker import Reranker, RerankerUnavailableError
from mnemic.reranking.settings import RerankingSettings

_log = structlog.get_logger("mnemic.engine")
# A service waits for a network and not for a core.
_REMOTE_CONCURRENCY = 16
# The rest of a call's time is for its answer to get back.
_SHARE_OF_THE_DEADLINE = 0.9
_SIGNAL = "rerank"


class Reranking:
    """The reranker behind a bounded queue. A search never waits for it longer than the settings and its caller allow.

    Args:
        reranker: It; closed with this. None where there is none.
        settings: How.
    """

    def __init__(self, reranker: Reranker | None, settings: RerankingSettings) -> None:
        self._reranker = reranker
        self._settings = settings
        local = reranker is not None and reranker.is_local
        concurrency = (os.cpu_count() or 1) if local else _REMOTE_CONCURRENCY
        self._places = threading.BoundedSemaphore(concurrency + settings.queue)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="mnemic-rerank")
        self._failing = False

    def check(self, request: SearchRequest) -> None:
        """Refuses a search that asks to rerank where nothing can, or without words to rerank by.

        Raises:
            MnemicError: RERANKER_NOT_CONFIGURED; INVALID_FIELD without a query.
        """
        if not request.rerank:
            return
        if self._reranker is None:
            raise MnemicError(
                Reason.RERANKER_NOT_CONFIGURED,
                "rerank: there is no reranker here; leave it out, or set reranking.provider (docs/reranking.md)",
                metadata={"field": "rerank", "setting": "reranking.provider"},
            )
        if not request.query.strip():
            raise invalid_field("rerank", "needs a query in words; a vector alone says nothing to a reranker")

    def depth(self, request: SearchRequest) -> int:
        """How many hits the index has to find, so that the first `top_k` of the new order are among them."""
        return max(request.top_k, self._settings.candidates) if request.rerank else request.top_k

    def rerank(
        self, request: SearchRequest, hits: Sequence[SearchHit], deadline: Deadline
    ) -> Sequence[SearchHit] | None:
        """The hits in the order of their new scores; None if the reranker gave none, so that the old order stands.

        The first `candidates` get the reranker's score, the others 0. The new score is the mean of both, weighted by
        `weight`; equals keep their order, so that no hit passes another that was before it without a better score.
        """
        if not hits:
            return hits
        chosen = hits[: self._settings.candidates]
        try:
            scores = self._scores(request.query, [embedding_text(hit.name, hit.body) for hit in chosen], deadline)
        except RerankerUnavailableError as error:
            if not self._failing:
                _log.warning("reranker_unavailable", error=str(error))
            self._failing = True
            return None
        if self._failing:
            _log.info("reranker_available_again")
        self._failing = False
        return _reordered(hits, scores, self._settings.weight, explain=request.explain)

    def close(self) -> None:
        """Ends the threads, which takes as long as the reranker is allowed to, and closes the reranker."""
        self._threads.shutdown(cancel_futures=True)
        if self._reranker is not None:
            self._reranker.close()

    def _scores(self, query: str, texts: Sequence[str], deadline: Deadline) -> list[float]:
        reranker, remaining = self._reranker, deadline.remaining()
        if reranker is None:
            raise AssertionError("a search that asks to rerank without a reranker is refused")
        seconds = self._settings.timeout_seconds
        if remaining is not None:
            seconds = min(seconds, remaining * _SHARE_OF_THE_DEADLINE)
        until = time.monotonic() + seconds

        def run() -> list[float]:
            left = until - time.monotonic()
            if left <= 0:
                raise RerankerUnavailableError("its time passed in the queue of the reranker")
            return reranker.rerank(query, texts, timeout_seconds=left)

        running = self._submit(run)
        try:
            # The reranker keeps to its time as well as it can; the search does not depend on how well that is.
            return running.result(seconds)
        except TimeoutError as error:
            running.cancel()
            raise RerankerUnavailableError(f"it did not answer within {seconds:.3f} s") from error

    def _submit(self, run: Callable[[], list[float]]) -> Future[list[float]]:
        if not self._places.acquire(blocking=False):
            raise RerankerUnavailableError("its queue is full")
        try:
            running = self._threads.submit(run)
        except RuntimeError as error:
            self._places.release()
            raise RerankerUnavailableError("the engine is being closed") from error
        running.add_done_callback(lambda _: self._places.release())
        return running


def _reordered(
    hits: Sequence[SearchHit], scores: Sequence[float], weight: float, *, explain: bool
) -> Sequence[SearchHit]:
    best_first = sorted(range(len(scores)), key=lambda position: -scores[position])
    ranks = {position: rank for rank, position in enumerate(best_first, start=1)}
    reranked = []
    for position, hit in enumerate(hits):
        score = scores[position] if position in ranks else 0.0
        parts = hit.score_parts
        if explain:
            kept = {name: replace(part, weight=part.weight * (1 - weight)) for name, part in parts.items()}
            own = {_SIGNAL: SignalScore(score, score, weight, ranks[position])} if position in ranks else {}
            parts = kept | own
        reranked.append(replace(hit, score=(1 - weight) * hit.score + weight * score, score_parts=parts))
    return sorted(reranked, key=lambda hit: -hit.score)
