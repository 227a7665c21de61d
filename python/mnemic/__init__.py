"""Mnemic: a memory service for AI agents.

In process:

    from mnemic import Memory

    memory = Memory()
    memory.add("I'm vegetarian", user_id="u1")
    memory.search("what does she eat?", user_id="u1")

Over gRPC, with the same methods: `MnemicClient`, `AsyncMnemicClient`. For asyncio in process: `AsyncMemory`.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnemic.client.async_grpc_client import AsyncMnemicClient
    from mnemic.client.async_memory import AsyncMemory
    from mnemic.client.grpc_client import MnemicClient
    from mnemic.client.memory import Memory
    from mnemic.client.results import AddResult, History, IngestResult, MemoryPage, SearchResult, memory_to_dict
    from mnemic.client.retention_requests import retention_policy
    from mnemic.client.watching import AsyncWatch, Watch
    from mnemic.engine.settings import Settings
    from mnemic.model.context import ComposedContext
    from mnemic.model.erasure import ErasedPlace, Erasure, ErasureReceipt, ErasureResult
    from mnemic.model.errors import Code, FieldViolation, MnemicError, Reason
    from mnemic.model.memory import MemoryInput, MemoryKind, MemoryRevision, Role, TimePrecision, TrustLevel
    from mnemic.model.requests import DeleteResult, ScopePage, UpdateResult
    from mnemic.model.retention import LegalHold, RetentionPolicy, RetentionScoreWeights
    from mnemic.model.scope import Scope, ScopeMatch
    from mnemic.model.search import SearchHit, SearchRequest, SignalScore, SignalWeights
    from mnemic.model.watching import WatchedChanges

    __version__: str

# Loaded when first asked for: who imports the stubs or a client does not load the engine, its models or the database.
_MODULES = {
    "AddResult": "mnemic.client.results",
    "AsyncMemory": "mnemic.client.async_memory",
    "AsyncMnemicClient": "mnemic.client.async_grpc_client",
    "AsyncWatch": "mnemic.client.watching",
    "Code": "mnemic.model.errors",
    "ComposedContext": "mnemic.model.context",
    "DeleteResult": "mnemic.model.requests",
    "FieldViolation": "mnemic.model.errors",
    "History": "mnemic.client.results",
    "IngestResult": "mnemic.client.results",
    "ErasedPlace": "mnemic.model.erasure",
    "Erasure": "mnemic.model.erasure",
    "ErasureReceipt": "mnemic.model.erasure",
    "ErasureResult": "mnemic.model.erasure",
    "LegalHold": "mnemic.model.retention",
    "Memory": "mnemic.client.memory",
    "MemoryInput": "mnemic.model.memory",
    "MemoryKind": "mnemic.model.memory",
    "MemoryPage": "mnemic.client.results",
    "MemoryRevision": "mnemic.model.memory",
    "MnemicClient": "mnemic.client.grpc_client",
    "MnemicError": "mnemic.model.errors",
    "Reason": "mnemic.model.errors",
    "RetentionPolicy": "mnemic.model.retention",
    "RetentionScoreWeights": "mnemic.model.retention",
    "Role": "mnemic.model.memory",
    "Scope": "mnemic.model.scope",
    "ScopeMatch": "mnemic.model.scope",
    "ScopePage": "mnemic.model.requests",
    "SearchHit": "mnemic.model.search",
    "SearchRequest": "mnemic.model.search",
    "SearchResult": "mnemic.client.results",
    "Settings": "mnemic.engine.settings",
    "SignalScore": "mnemic.model.search",
    "SignalWeights": "mnemic.model.search",
    "TimePrecision": "mnemic.model.memory",
    "TrustLevel": "mnemic.model.memory",
    "UpdateResult": "mnemic.model.requests",
    "Watch": "mnemic.client.watching",
    "WatchedChanges": "mnemic.model.watching",
    "memory_to_dict": "mnemic.client.results",
    "retention_policy": "mnemic.client.retention_requests",
}

__all__ = [
    "AddResult",
    "AsyncMemory",
    "AsyncMnemicClient",
    "AsyncWatch",
    "Code",
    "ComposedContext",
    "DeleteResult",
    "ErasedPlace",
    "Erasure",
    "ErasureReceipt",
    "ErasureResult",
    "FieldViolation",
    "History",
    "IngestResult",
    "LegalHold",
    "Memory",
    "MemoryInput",
    "MemoryKind",
    "MemoryPage",
    "MemoryRevision",
    "MnemicClient",
    "MnemicError",
    "Reason",
    "RetentionPolicy",
    "RetentionScoreWeights",
    "Role",
    "Scope",
    "ScopeMatch",
    "ScopePage",
    "SearchHit",
    "SearchRequest",
    "SearchResult",
    "Settings",
    "SignalScore",
    "SignalWeights",
    "TimePrecision",
    "TrustLevel",
    "UpdateResult",
    "Watch",
    "WatchedChanges",
    "__version__",
    "memory_to_dict",
    "retention_policy",
]


def __getattr__(name: str) -> object:
    """Loads a public name (PEP 562)."""
    if name == "__version__":
        value: object = _version()
    elif name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _version() -> str:
    try:
        return version("mnemic")
    except PackageNotFoundError:
        # A source tree that is not installed.
        return "0+source"
