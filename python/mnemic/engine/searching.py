"""Searches: from a request to hits."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mnemic import _core
from mnemic.engine.abstention import ABSTAIN_BELOW
from mnemic.engine.embedder import Embedder
from mnemic.engine.live_index import LiveIndex
from mnemic.engine.profiles import Profiles
from mnemic.engine.reranking import Reranking
from mnemic.engine.restriction import NO_RESTRICTION, is_implied, narrowed, restriction_filter
from mnemic.engine.settings import Limits
from mnemic.engine.validation import check_search, check_vector
from mnemic.model.deadline import Deadline
from mnemic.model.errors import FieldViolation, MnemicError, Reason, invalid_field
from mnemic.model.filters import MAX_FILTER_DEPTH, AllOf, AnyOf, Comparison, Filter
from mnemic.model.memory import Role
from mnemic.model.scope import PartitionKey, Scope, ScopeMatch
from mnemic.model.search import ContextMessage, SearchHit, SearchRequest, SearchResult, SignalScore, StageTimings
from mnemic.store.interface import Store


class Searcher:
    """Answers searches from the live index."""

    def __init__(
        self,
        store: Store,
        index: LiveIndex,
        embedder: Embedder,
        reranking: Reranking,
        profiles: Profiles,
        calibration: tuple[float, float, float] | None,
        limits: Limits,
    ) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._reranking = reranking
        self._profiles = profiles
        self._calibration = calibration
        self._limits = limits

    def search(
        self,
        tenant: str,
        request: SearchRequest,
        deadline: Deadline,
        *,
        within: Scope = NO_RESTRICTION,
        skip_rerank: bool = False,
    ) -> SearchResult:
        """One search; see `mnemic.v1.MemoryService.SearchMemories`.

        Args:
            tenant: Whose.
            request: What is asked.
            deadline: When the answer is of no use any more.
            within: What the credential may see.
            skip_rerank: Do not try to rerank, and say that it was skipped.
        """
        begin = time.perf_counter_ns()
        check_search(request, self._limits)
        self._reranking.check(request)
        weighing = self._profiles.weighing(request)
        compiled = None if request.filter is None else compile_filter(request.filter)
        scope = narrowed(request.scope, request.match, within)
        if scope is not None and not is_implied(scope, request.match, within):
            compiled = both_of(compiled, compile_filter(restriction_filter(within)))
        vector = request.vector
        if vector is not None:
            vector = check_vector(vector, self._embedder.provider.dimension, "vector")
        deadline.check()
        if request.min_revision > self._index.revision:
            self._index.wait_for(request.min_revision, deadline, self._limits.revision_wait_seconds)
        prepared = time.perf_counter_ns()
        if scope is None:
            return _nothing(self._index.revision, (prepared - begin) // 1000)
        partitions = self.partitions(tenant, scope, request.match)
        understood, vector_skipped, loading = None, False, 0
        if vector is None and request.query.strip() and weighing.wants_vector:
            understood, loading = self._index.understand(partitions, request.query, deadline)
            vector = self._embed_query(understood.text, deadline)
            vector_skipped = vector is None
        embedded = time.perf_counter_ns()
        embedding = embedded - prepared - loading
        # Read before the search: what it reports is then a lower bound of what the hits reflect.
        revision = self._index.revision

        def run() -> _core.SearchOutcome:
            return self._index.core.search(
                partitions,
                scope,
                int(request.match),
                text=request.query,
                understood=understood,
                vector=vector,
                filter=compiled,
                now_micros=time.time_ns() // 1000,
                reference_micros=request.reference_time_micros,
                as_of_micros=request.as_of_micros,
                include_superseded=request.include_superseded,
                top_k=self._reranking.depth(request),
                weights=weighing.weights,
                candidates=weighing.candidates,
                min_score=request.min_score,
                separate=request.separate,
                calibration=self._calibration,
                min_confidence=request.min_confidence,
                explain=request.explain,
                context_window=request.context_window,
            )

        try:
            outcome, reloading = self._index.search(partitions, deadline, run)
        except _core.CoreError as error:
            raise from_core_error(error) from error
        hits: Sequence[SearchHit] = [_hit(found, request) for found in outcome.hits]
        searched = time.perf_counter_ns()
        rerank_skipped = False
        if request.rerank:
            reranked = None if skip_rerank else self._reranking.rerank(request, hits, deadline)
            rerank_skipped = reranked is None
            hits = (hits if reranked is None else reranked)[: request.top_k]
        end = time.perf_counter_ns()
        return SearchResult(
            hits=tuple(hits),
            revision=revision,
            timings=StageTimings(
                prepare=(prepared - begin) // 1000,
                embed=embedding // 1000,
                load=(loading + reloading) // 1000,
                search=(searched - embedded - reloading) // 1000,
                rerank=(end - searched) // 1000,
                total=(end - begin) // 1000,
            ),
            considered=outcome.considered,
            vector_skipped=vector_skipped,
            rerank_skipped=rerank_skipped,
            abstain=outcome.confidence is not None and outcome.confidence < ABSTAIN_BELOW,
            confidence=outcome.confidence,
        )

    def _embed_query(self, query: str, deadline: Deadline) -> bytes | None:
        try:
            return self._embedder.embed_query(query, deadline)
        except MnemicError as error:
            # A provider that is away costs the meaning of the query, not its words: the answer says so.
            if error.reason is Reason.EMBEDDING_UNAVAILABLE and not self._embedder.provider.is_local:
                return None
            raise

    def partitions(self, tenant: str, scope: Scope, match: ScopeMatch) -> Sequence[PartitionKey]:
        """Where the memories of a scope can be. Only a search without an owner has to ask the store."""
        if match is ScopeMatch.VISIBLE:
            return [PartitionKey(tenant, kind, value) for kind, value in scope.owners()]
        if match is ScopeMatch.EXACT and scope.user_id is not None:
            return [scope.partition(tenant)]
        return self._store.partitions(tenant, scope, match)


def both_of(one: _core.Filter | None, other: _core.Filter) -> _core.Filter:
    """A filter that asks for both.

    Raises:
        MnemicError: INVALID_FILTER when the first is at the limits and leaves no room for the other.
    """
    try:
        return other if one is None else _core.Filter.all_of([one, other])
    except _core.CoreError as error:
        raise from_core_error(error) from error


def _nothing(revision: int, total: int) -> SearchResult:
    return SearchResult(hits=(), revision=revision, timings=StageTimings(prepare=total, total=total))


def compile_filter(node: Filter) -> _core.Filter:
    """The core's form of a filter.

    Raises:
        MnemicError: INVALID_FILTER naming the comparison at fault; MALFORMED_MESSAGE for text of no encoding.
    """
    try:
        return _compile(node)
    except _core.CoreError as error:
        raise from_core_error(error) from error
    except UnicodeEncodeError:
        description = "holds a text that is not valid Unicode (a lone surrogate)"
        raise invalid_field("filter", description, reason=Reason.MALFORMED_MESSAGE) from None
    except RecursionError:
        description = f"is nested too deeply; at most {MAX_FILTER_DEPTH} levels are accepted"
        raise invalid_field("filter", description, reason=Reason.INVALID_FILTER) from None


def _compile(node: Filter) -> _core.Filter:
    if isinstance(node, Comparison):
        return _core.Filter.comparison(node.field, int(node.operator), node.values)
    if isinstance(node, AllOf):
        return _core.Filter.all_of([_compile(child) for child in node.filters])
    if isinstance(node, AnyOf):
        return _core.Filter.any_of([_compile(child) for child in node.filters])
    return _core.Filter.negation(_compile(node.filter))


def from_core_error(error: _core.CoreError) -> MnemicError:
    """The taxonomy's error for a refusal of the core."""
    reason, field, message = error.args
    violations = (FieldViolation(field, message),) if field else ()
    words = f"{field}: {message}" if field else message
    return MnemicError(Reason(reason), words, metadata={"field": field} if field else {}, violations=violations)


def _hit(found: _core.Hit, request: SearchRequest) -> SearchHit:
    # What was not asked for is not there; most searches ask for neither, and looking takes longer than they have.
    parts = {}
    before: tuple[ContextMessage, ...] = ()
    after: tuple[ContextMessage, ...] = ()
    if request.explain:
        parts = {
            name: SignalScore(part.raw, part.normalized, part.weight, part.rank) for name, part in found.parts.items()
        }
    if request.context_window:
        before, after = _context_messages(found.before), _context_messages(found.after)
    group_id = found.group_id
    if group_id is None:
        return SearchHit(memory=found.memory(), score=found.score, score_parts=parts, before=before, after=after)
    return SearchHit(
        memory=found.memory(),
        score=found.score,
        score_parts=parts,
        before=before,
        after=after,
        group_id=group_id,
        grouped=tuple(_hit(other, request) for other in found.grouped),
    )


def _context_messages(found: Sequence[tuple[str, str, int, str, int | None]]) -> tuple[ContextMessage, ...]:
    return tuple(ContextMessage(memory_id, body, Role(role), name, time) for memory_id, body, role, name, time in found)
