"""Which facts a tenant wants, by what they are about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mnemic import _core
from mnemic.model.fact import ExtractedFact, ExtractionRequest


def is_excluded(fact: ExtractedFact, request: ExtractionRequest) -> bool:
    """Whether a fact's labels or words have a topic that is not wanted."""
    return _touches_any(fact, request.exclude_topics)


def is_included(fact: ExtractedFact, request: ExtractionRequest) -> bool:
    """Whether a fact's labels or words have a topic that is asked for, or none is."""
    return not request.include_topics or _touches_any(fact, request.include_topics)


def with_categories(fact: ExtractedFact, allowed: tuple[str, ...]) -> ExtractedFact:
    """The fact with those of its labels that may be chosen, spelt as they were given; with all where any may be."""
    if not allowed:
        return fact
    known = {label.casefold(): label for label in allowed}
    kept = dict.fromkeys(known[label.casefold()] for label in fact.categories if label.casefold() in known)
    return replace(fact, categories=tuple(kept))


def _touches_any(fact: ExtractedFact, topics: Iterable[str]) -> bool:
    labels = {category.casefold() for category in fact.categories}
    terms: set[str] | None = None
    for topic in topics:
        if topic.casefold() in labels:
            return True
        terms = set(_core.tokenize(fact.body)) if terms is None else terms
        words = set(_core.tokenize(topic))
        if words and words <= terms:
            return True
    return False
