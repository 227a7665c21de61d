"""Results as JSON documents, for programs. Names are those of the contract; times are ISO 8601 in UTC."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from mnemic.model.context import ComposedContext
from mnemic.model.extraction_rules import ExtractionStats
from mnemic.model.memory import AddResult, Memory, MemoryRevision, ScopeSummary, from_micros
from mnemic.model.requests import MemoryPage, ScopePage
from mnemic.model.scope import Scope
from mnemic.model.search import ContextMessage, SearchHit, SearchResult

Document = dict[str, Any]


def print_json(document: Document) -> None:
    """Writes one document to standard output; indented for a terminal, on one line otherwise."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=indent) + "\n")


def time_text(micros: int | None) -> str | None:
    """ISO 8601 in UTC, or None."""
    if micros is None:
        return None
    moment: datetime = from_micros(micros)
    return moment.isoformat().replace("+00:00", "Z")


def scope_document(scope: Scope) -> Document:
    """The ids that are set."""
    named = {
        "user_id": scope.user_id,
        "agent_id": scope.agent_id,
        "session_id": scope.session_id,
        "app_id": scope.app_id,
    }
    return {key: value for key, value in named.items() if value is not None}


def memory_document(memory: Memory) -> Document:
    """A memory without its vector."""
    return {
        "memory_id": memory.memory_id,
        "scope": scope_document(memory.scope),
        "kind": memory.kind.name.lower(),
        "role": memory.role.name.lower(),
        "name": memory.name,
        "body": memory.body,
        "event_time": time_text(memory.event_time_micros),
        "event_time_end": time_text(memory.event_time_end_micros),
        "event_time_precision": memory.event_time_precision.name.lower(),
        "create_time": time_text(memory.create_time_micros),
        "update_time": time_text(memory.update_time_micros),
        "valid_from": time_text(memory.valid_from_micros),
        "valid_to": time_text(memory.valid_to_micros),
        "expire_time": time_text(memory.expire_time_micros),
        "metadata": {key: list(value) if isinstance(value, tuple) else value for key, value in memory.metadata.items()},
        "categories": list(memory.categories),
        "entities": list(memory.entities),
        "source_ids": list(memory.source_ids),
        "slot": memory.slot,
        "slot_value": memory.slot_value,
        "superseded_by": memory.superseded_by,
        "importance": memory.importance,
        "pinned": memory.pinned,
        "version": memory.version,
        "revision": memory.revision,
    }


def hit_document(hit: SearchHit) -> Document:
    """A hit: its score and the parts that it is made of, and what a search sends of the memory."""
    memory = hit.memory
    document: Document = {
        "memory_id": memory.memory_id,
        "score": hit.score,
        "score_parts": {
            name: {"raw": part.raw, "normalized": part.normalized, "weight": part.weight, "rank": part.rank}
            for name, part in hit.score_parts.items()
        },
        "kind": memory.kind.name.lower(),
        "role": memory.role.name.lower(),
        "name": memory.name,
        "body": memory.body,
        "event_time": time_text(memory.event_time_micros),
        "create_time": time_text(memory.create_time_micros),
        "scope": scope_document(memory.scope),
        "metadata": {key: list(value) if isinstance(value, tuple) else value for key, value in memory.metadata.items()},
        "categories": list(memory.categories),
        "version": memory.version,
    }
    # What was not asked for, or is alone, has none of these.
    if hit.before or hit.after:
        document["before"] = [_context_document(message) for message in hit.before]
        document["after"] = [_context_document(message) for message in hit.after]
    if hit.group_id:
        document["group_id"] = hit.group_id
    if hit.grouped:
        document["grouped"] = [hit_document(other) for other in hit.grouped]
    return document


def _context_document(message: ContextMessage) -> Document:
    return {
        "memory_id": message.memory_id,
        "role": message.role.name.lower(),
        "name": message.name,
        "body": message.body,
        "event_time": time_text(message.event_time_micros),
    }


def context_document(composed: ComposedContext) -> Document:
    """A composed context."""
    return {
        "text": composed.text,
        "token_count": composed.token_count,
        "memory_ids": list(composed.memory_ids),
        "omitted": composed.omitted,
        "revision": composed.revision,
        "vector_skipped": composed.vector_skipped,
        "rerank_skipped": composed.rerank_skipped,
    }


def search_document(result: SearchResult) -> Document:
    """A search's answer."""
    timings = result.timings
    return {
        "hits": [hit_document(hit) for hit in result.hits],
        "revision": result.revision,
        "considered": result.considered,
        "vector_skipped": result.vector_skipped,
        "rerank_skipped": result.rerank_skipped,
        "abstain": result.abstain,
        "confidence": result.confidence,
        "timings_micros": {
            "prepare": timings.prepare,
            "embed": timings.embed,
            "load": timings.load,
            "search": timings.search,
            "rerank": timings.rerank,
            "total": timings.total,
        },
    }


def page_document(page: MemoryPage) -> Document:
    """A page of memories."""
    return {
        "memories": [memory_document(memory) for memory in page.memories],
        "next_page_token": page.next_page_token,
        "revision": page.revision,
    }


def add_document(result: AddResult) -> Document:
    """An add's answer."""
    return {
        "memories": [
            {
                "memory_id": added.memory_id,
                "version": added.version,
                "duplicate": added.duplicate,
                "embedding_pending": added.embedding_pending,
            }
            for added in result.memories
        ],
        "operation_id": result.operation_id,
        "revision": result.revision,
        "replayed": result.replayed,
    }


def revision_document(entry: MemoryRevision) -> Document:
    """One entry of a history."""
    return {
        "change": entry.change.name.lower(),
        "change_time": time_text(entry.change_time_micros),
        "revision": entry.revision,
        "reason": entry.reason,
        "memory": memory_document(entry.memory),
    }


def scope_summary_document(summary: ScopeSummary) -> Document:
    """One scope and what it holds."""
    return {
        "scope": scope_document(summary.scope),
        "memory_count": summary.memory_count,
        "first_create_time": time_text(summary.first_create_time_micros),
        "last_create_time": time_text(summary.last_create_time_micros),
    }


def scope_page_document(page: ScopePage) -> Document:
    """A page of scopes."""
    return {
        "scopes": [scope_summary_document(summary) for summary in page.scopes],
        "next_page_token": page.next_page_token,
    }


def extraction_document(stats: ExtractionStats) -> Document:
    """What extraction has before it, and what it cost; amounts in the unit of the configured prices."""
    month, budget = stats.month, stats.monthly_budget_micros
    return {
        "extraction_pending": stats.pending,
        "extraction_held": stats.held,
        "extraction_oldest_pending": time_text(stats.oldest_create_time_micros),
        "extraction_month_batches": month.batches,
        "extraction_month_prompt_tokens": month.prompt_tokens,
        "extraction_month_completion_tokens": month.completion_tokens,
        "extraction_month_seconds": round(month.duration_micros / 1e6, 3),
        "extraction_month_cost": month.cost_micros / 1e6,
        "extraction_month_budget": None if budget is None else budget / 1e6,
    }
