"""LifecycleService: what the contract says of it, over the engine."""

from __future__ import annotations

from mnemic.engine.engine import Engine
from mnemic.server.consolidation_calls import ConsolidationCalls
from mnemic.server.erasure_calls import ErasureCalls
from mnemic.server.retention_calls import RetentionCalls
from mnemic.server.transfer_calls import TransferCalls


class LifecycleService(RetentionCalls, ConsolidationCalls, ErasureCalls, TransferCalls):
    """The RPCs that work, each area in a class of its own; `bind_service` answers UNIMPLEMENTED for the others.

    Args:
        engine: What it answers with.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
