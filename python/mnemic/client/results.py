"""What the clients answer: the domain's results with what is handy in Python, and Mem0's shape on request.

Each is a `mnemic.model` result. `to_dict()` gives the dict that a user of Mem0 expects, with Mem0's keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, overload

from mnemic.model import memory as model_memory
from mnemic.model import requests as model_requests
from mnemic.model import search as model_search
from mnemic.model.errors import MnemicError
from mnemic.model.memory import ChangeKind, Memory, MemoryInput, MemoryRevision, Role, from_micros
from mnemic.model.search import SearchHit

# Mem0's words for what happened; what it has no word for keeps ours.
_EVENTS = {ChangeKind.ADDED: "ADD", ChangeKind.UPDATED: "UPDATE", ChangeKind.DELETED: "DELETE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult(model_search.SearchResult):
    """The hits of a search, best first: iterate over it, index it, ask for its length."""

    def __iter__(self) -> Iterator[SearchHit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, position: int) -> SearchHit: ...
    @overload
    def __getitem__(self, position: slice) -> tuple[SearchHit, ...]: ...
    def __getitem__(self, position: int | slice) -> SearchHit | tuple[SearchHit, ...]:
        return self.hits[position]

    def to_dict(self) -> dict[str, Any]:
        """Mem0's answer to a search: `{"results": [{"id", "memory", "score", …}]}`."""
        return {"results": [memory_to_dict(hit.memory) | _scores(hit) for hit in self.hits]}


def _scores(hit: SearchHit) -> dict[str, Any]:
    if not hit.score_parts:
        return {"score": hit.score}
    details = {
        name: {"raw": part.raw, "normalized": part.normalized, "weight": part.weight, "rank": part.rank}
        for name, part in hit.score_parts.items()
    }
    return {"score": hit.score, "score_details": details}


@dataclass(frozen=True, slots=True)
class AddResult(model_memory.AddResult):
    """What became of each message, in order.

    Attributes:
        inputs: The messages as they were added.
    """

    inputs: tuple[MemoryInput, ...] = ()

    @property
    def memory_ids(self) -> tuple[str, ...]:
        """The ids, in order."""
        return tuple(added.memory_id for added in self.memories)

    def to_dict(self) -> dict[str, Any]:
        """Mem0's answer to an add: `{"results": [{"id", "memory", "event"}]}`."""
        return {
            "results": [
                {"id": added.memory_id, "memory": item.body, "event": "NONE" if added.duplicate else "ADD"}
                for added, item in zip(self.memories, self.inputs, strict=True)
            ]
        }


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of one add of an ingest; exactly one of `added` and `error` is set.

    Attributes:
        position: Which add it was, from 0.
        added: What was added.
        error: Why nothing was.
    """

    position: int
    added: AddResult | None = None
    error: MnemicError | None = None


@dataclass(frozen=True, slots=True)
class MemoryPage(model_requests.MemoryPage):
    """One page of memories, newest first: iterate over it, ask for its length."""

    def __iter__(self) -> Iterator[Memory]:
        return iter(self.memories)

    def __len__(self) -> int:
        return len(self.memories)

    def to_dict(self) -> dict[str, Any]:
        """Mem0's answer to get_all: `{"results": [{"id", "memory", …}]}`."""
        return {"results": [memory_to_dict(memory) for memory in self.memories]}


class History(tuple[MemoryRevision, ...]):
    """All versions of a memory, oldest first."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Mem0's entries, oldest first, under "results": `old_memory`, `new_memory`, `event` and the rest."""
        return {"results": [_change(entry, before) for entry, before in zip(self, (None, *self), strict=False)]}


def _change(entry: MemoryRevision, before: MemoryRevision | None) -> dict[str, Any]:
    memory = entry.memory
    deleted = entry.change in {ChangeKind.DELETED, ChangeKind.ARCHIVED}
    return {
        "memory_id": memory.memory_id,
        "old_memory": None if before is None else before.memory.body,
        "new_memory": None if deleted else memory.body,
        "event": _EVENTS.get(entry.change, entry.change.name),
        "created_at": _text(memory.create_time),
        "updated_at": _text(from_micros(entry.change_time_micros)),
        "is_deleted": deleted,
        "actor_id": memory.name or None,
        "role": _role(memory),
    }


def memory_to_dict(memory: Memory) -> dict[str, Any]:
    """One memory in Mem0's shape; ids, role and speaker only when there are any."""
    found: dict[str, Any] = {
        "id": memory.memory_id,
        "memory": memory.body,
        "metadata": {key: list(value) if isinstance(value, tuple) else value for key, value in memory.metadata.items()},
        "categories": list(memory.categories),
        "created_at": _text(memory.create_time),
        "updated_at": _text(memory.update_time),
    }
    optional = {
        "user_id": memory.scope.user_id,
        "agent_id": memory.scope.agent_id,
        "run_id": memory.scope.session_id,
        "app_id": memory.scope.app_id,
        "role": _role(memory),
        "actor_id": memory.name or None,
        "event_time": None if memory.event_time is None else _text(memory.event_time),
    }
    return found | {key: value for key, value in optional.items() if value is not None}


def _role(memory: Memory) -> str | None:
    return None if memory.role is Role.NONE else memory.role.name.lower()


def _text(moment: datetime) -> str:
    return moment.isoformat()


def search_result(found: model_search.SearchResult) -> SearchResult:
    """The engine's answer as the clients give it."""
    return SearchResult(
        hits=found.hits,
        revision=found.revision,
        timings=found.timings,
        considered=found.considered,
        vector_skipped=found.vector_skipped,
        rerank_skipped=found.rerank_skipped,
        abstain=found.abstain,
        confidence=found.confidence,
    )


def add_result(added: model_memory.AddResult, inputs: Sequence[MemoryInput]) -> AddResult:
    """The engine's answer as the clients give it."""
    return AddResult(added.memories, added.revision, added.operation_id, added.replayed, tuple(inputs))


def memory_page(page: model_requests.MemoryPage) -> MemoryPage:
    """The engine's answer as the clients give it."""
    return MemoryPage(page.memories, page.next_page_token, page.revision)
