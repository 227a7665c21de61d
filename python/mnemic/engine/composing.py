"""Contexts: what a search finds, as a block of prompt within a budget of tokens."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from mnemic.engine.rendering.block import Entry
from mnemic.engine.rendering.fitting import Candidate, fit
from mnemic.engine.restriction import NO_RESTRICTION
from mnemic.engine.searching import Searcher
from mnemic.engine.settings import Limits
from mnemic.engine.tokens import Tokenizers
from mnemic.engine.validation import check_compose
from mnemic.model.context import PREFERENCE_CATEGORY, ComposedContext, ComposeRequest
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError
from mnemic.model.filters import AllOf, AnyOf, Comparison, Filter, Operator
from mnemic.model.memory import Memory, MemoryKind, TrustLevel
from mnemic.model.scope import Scope
from mnemic.model.search import MAX_TOP_K, ContextMessage, SearchHit, SearchRequest, SearchResult, SignalWeights
from mnemic.store.interface import Store

# Of so many characters for each token of the budget the neighbours are looked up: about twice what has room.
_CHARACTERS_LOOKED_AT = 8
_STANDING = AnyOf(
    (
        Comparison("kind", Operator.EQUAL, ("instruction",)),
        AllOf(
            (
                Comparison("kind", Operator.EQUAL, ("fact",)),
                Comparison("category", Operator.EQUAL, (PREFERENCE_CATEGORY,)),
            )
        ),
    )
)


class Composer:
    """Composes contexts from searches."""

    def __init__(
        self, store: Store, searcher: Searcher, tokenizers: Tokenizers, limits: Limits, *, dimension: int
    ) -> None:
        self._store = store
        self._searcher = searcher
        self._tokenizers = tokenizers
        self._limits = limits
        # Everything that has an embedding is found by any direction.
        self._direction = struct.pack(f"<{dimension}f", 1.0, *[0.0] * (dimension - 1))

    def compose(
        self, tenant: str, request: ComposeRequest, deadline: Deadline, *, within: Scope = NO_RESTRICTION
    ) -> ComposedContext:
        """One block; see `mnemic.v1.MemoryService.ComposeContext`.

        Args:
            tenant: Whose.
            request: What is asked.
            deadline: When the answer is of no use any more.
            within: What the credential may see.
        """
        check_compose(request, self._limits)
        counter = self._tokenizers.counter(request.tokenizer)
        found = self._search(tenant, replace(request.search, explain=False), deadline, within)
        standing = self._standing(tenant, request.search, deadline, within) if request.include_instructions else []
        deadline.check()
        stands = {memory.memory_id for memory in standing}
        hits = [hit for hit in found.hits if hit.memory_id not in stands]
        candidates = chain(map(_standing_candidate, standing), self._hits(tenant, request, hits))
        fitted = fit(candidates, request.token_budget, counter)
        omitted = len(stands.union(hit.memory_id for hit in hits).difference(fitted.memory_ids))
        text, token_count = fitted.text, fitted.token_count
        if not fitted.memory_ids:
            text = f"None of the {omitted} memories found fits." if omitted else "No memories were found."
            token_count = counter.exact(text)
            if token_count > request.token_budget:
                # By a tokenizer of the operator's that makes a token of each letter.
                text, token_count = "", 0
        return ComposedContext(
            text=text,
            token_count=token_count,
            memory_ids=fitted.memory_ids,
            revision=found.revision,
            omitted=omitted,
            vector_skipped=found.vector_skipped,
            rerank_skipped=found.rerank_skipped,
        )

    def _search(self, tenant: str, request: SearchRequest, deadline: Deadline, within: Scope) -> SearchResult:
        try:
            return self._searcher.search(tenant, request, deadline, within=within)
        except MnemicError as error:
            if not error.violations:
                raise
            raise error.within("search") from error

    def _standing(self, tenant: str, search: SearchRequest, deadline: Deadline, within: Scope) -> list[Memory]:
        """The instructions and preferences of the scope, those first that matter most whatever is asked.

        So that they are all there and in the same order each time, they are looked for by no query.
        """
        asked = SearchRequest(
            scope=search.scope,
            match=search.match,
            vector=self._direction,
            filter=_both(search.filter, _STANDING),
            as_of_micros=search.as_of_micros,
            top_k=MAX_TOP_K,
            profile="semantic",
            weights=SignalWeights(),
            # A preference that was drawn from an instruction is one more of them.
            separate=True,
        )
        found = [hit.memory for hit in self._search(tenant, asked, deadline, within).hits]
        # What is not trusted is nobody's instruction.
        trusted = [memory for memory in found if memory.trust is not TrustLevel.UNTRUSTED]
        return sorted(trusted, key=_standing_order)

    def _hits(self, tenant: str, request: ComposeRequest, hits: Sequence[SearchHit]) -> Iterator[Candidate]:
        """The hits with their neighbours, best first."""
        neighbours = self._neighbours(tenant, hits, request.token_budget * _CHARACTERS_LOOKED_AT)
        for hit in hits:
            entry = Entry.of(hit.memory, until_micros=_superseded(hit.memory, request.search))
            window: tuple[Entry, ...] = ()
            if hit.before or hit.after:
                before = [neighbours[message.memory_id] for message in hit.before if message.memory_id in neighbours]
                after = [neighbours[message.memory_id] for message in hit.after if message.memory_id in neighbours]
                window = (*map(Entry.of, before), entry, *map(Entry.of, after))
            yield Candidate(entry, window)

    def _neighbours(self, tenant: str, hits: Sequence[SearchHit], most_characters: int) -> dict[str, Memory]:
        """The messages around the hits; those of the last hits are left out where there is no room for them.

        What a neighbour says comes from the search, which reads as of a moment; how far it may be trusted and how
        exactly its time is known, which a search does not tell of neighbours, from the store.
        """
        wanted: dict[str, ContextMessage] = {}
        characters = 0
        for hit in hits:
            wanted |= {message.memory_id: message for message in (*hit.before, *hit.after)}
            characters += len(hit.body) + sum(len(message.body) for message in (*hit.before, *hit.after))
            if characters > most_characters:
                break
        if not wanted:
            return {}
        stored = self._store.get(tenant, list(wanted))
        return {key: _as_seen(memory, wanted[key]) for key, memory in stored.items()}


def _standing_candidate(memory: Memory) -> Candidate:
    return Candidate(Entry.of(memory))


def _as_seen(memory: Memory, seen: ContextMessage) -> Memory:
    """A message as a search saw it."""
    if (memory.body, memory.name, memory.event_time_micros) == (seen.body, seen.name, seen.event_time_micros):
        return memory
    return replace(memory, body=seen.body, name=seen.name, event_time_micros=seen.event_time_micros)


def _both(one: Filter | None, other: Filter) -> Filter:
    if one is None:
        return other
    return AllOf((*one.filters, other)) if isinstance(one, AllOf) else AllOf((one, other))


def _standing_order(memory: Memory) -> tuple[bool, bool, float, int, str]:
    """Instructions before preferences, then the pinned, the important, the new."""
    is_preference = memory.kind is not MemoryKind.INSTRUCTION
    return is_preference, not memory.pinned, -memory.importance, -memory.create_time_micros, memory.memory_id


def _superseded(memory: Memory, search: SearchRequest) -> int | None:
    """When it was superseded, if the search asked for what is."""
    until = memory.valid_to_micros
    if until is None or not search.include_superseded:
        return None
    return until if search.as_of_micros is None or until <= search.as_of_micros else None
