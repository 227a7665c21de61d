"""LifecycleService: what the contract says of it, over the engine."""

from __future__ import annotations

from mnemic.engine.engine import Engine
from mnemic.server.transfer_calls import TransferCalls


class LifecycleService(TransferCalls):
    """The RPCs that work, each area in a class of its own; `bind_service` answers UNIMPLEMENTED for the others.

    Args:
        engine: What it answers with.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
