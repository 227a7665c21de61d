"""LifecycleService: what the contract says of it, over the engine."""

from __future__ import annotations

from mnemic.engine.engine import Engine
from mnemic.server.erasure_calls import ErasureCalls


class LifecycleService(ErasureCalls):
    """The RPCs that work; `bind_service` answers UNIMPLEMENTED for the others.

    Args:
        engine: What it answers with.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
