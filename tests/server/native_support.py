"""Two ways to an answer over one engine: Python's service, and the native answers beside it."""

from __future__ import annotations

import itertools
import math
import threading
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from mnemic import _core
from mnemic.engine.engine import Engine
from mnemic.model.access import AccessRole
from mnemic.model.deadline import NO_DEADLINE
from mnemic.model.errors import MnemicError
from mnemic.model.scope import Scope
from mnemic.server.authentication import Caller
from mnemic.server.calls import Call
from mnemic.server.memory_service import MemoryService
from mnemic.v1 import memory_service_pb2 as pb

M = TypeVar("M", bound=Message)
RESPONSES = {
    "SearchMemories": pb.SearchMemoriesResponse,
    "BatchSearchMemories": pb.BatchSearchMemoriesResponse,
    "GetMemory": pb.GetMemoryResponse,
    "BatchGetMemories": pb.BatchGetMemoriesResponse,
}
_METHODS = {
    pb.SearchMemoriesRequest: "SearchMemories",
    pb.BatchSearchMemoriesRequest: "BatchSearchMemories",
    pb.GetMemoryRequest: "GetMemory",
    pb.BatchGetMemoriesRequest: "BatchGetMemories",
}
_numbers = itertools.count()


def principal(tenant: str = "default", **scope: str) -> _core.Principal:
    """A reader of a tenant, restricted to the memories that carry the ids of a scope."""
    secret = f"mnk_{next(_numbers):043d}"
    authenticator = _core.Authenticator(keys=True)
    ids = tuple(scope.get(name) for name in ("user_id", "agent_id", "session_id", "app_id"))
    authenticator.insert_key(
        "key",
        secret_hash=_core.hash_secret(secret),
        tenant=tenant,
        role=1,
        scope=ids,
        expire_micros=None,
        requests_per_second=None,
        request_burst=None,
    )
    return authenticator.authenticate(f"Bearer {secret}".encode(), 0)


@dataclass
class Both:
    """Asks both.

    Attributes:
        engine: Whom.
        native: The native answers.
    """

    engine: Engine
    native: _core.NativeAnswers

    def of_python(self, request: Message, caller: _core.Principal | str = "default") -> Message | None:
        """What the Python server answers to a principal, or anyone of a tenant; None for a refusal."""
        who = principal(caller) if isinstance(caller, str) else caller
        known = Caller(who.tenant, AccessRole(who.role), Scope(*who.scope), who.subject, check=lambda: None)
        call = Call("", "", known, NO_DEADLINE, threading.Event())
        service = MemoryService(self.engine, self.engine.settings.server.max_workers)
        behaviour = {
            "SearchMemories": service.search_memories,
            "BatchSearchMemories": service.batch_search_memories,
            "GetMemory": service.get_memory,
            "BatchGetMemories": service.batch_get_memories,
        }[_METHODS[type(request)]]
        try:
            return behaviour(request, call)
        except MnemicError:
            return None

    def of_native(self, request: Message, caller: _core.Principal | str = "default") -> Message | None:
        """What is answered natively; None for what would be relayed."""
        who = principal(caller) if isinstance(caller, str) else caller
        method = _METHODS[type(request)]
        answer = self.native.answer(who, method, request.SerializeToString())
        return None if answer is None else RESPONSES[method].FromString(answer)

    def agree(self, request: Message, caller: _core.Principal | str = "default") -> bool:
        """Whether it was answered natively; fails unless that is what Python answers."""
        # Python first: it loads what the native answers then find in memory.
        expected = self.of_python(request, caller)
        found = self.of_native(request, caller)
        if found is None:
            return False
        assert expected is not None, f"answered natively, refused by Python: {request}"
        assert_equal(found, expected)
        return True


def assert_equal(found: Message, expected: Message) -> None:
    """Equal but for what is measured (times, and what recency makes of them)."""
    if isinstance(expected, pb.BatchSearchMemoriesResponse):
        assert len(found.results) == len(expected.results)
        for mine, theirs in zip(found.results, expected.results, strict=True):
            assert_equal_searches(mine, theirs)
    elif isinstance(expected, pb.SearchMemoriesResponse):
        assert_equal_searches(found, expected)
    else:
        assert found == expected


def assert_equal_searches(found: pb.SearchMemoriesResponse, expected: pb.SearchMemoriesResponse) -> None:
    """The same hits in the same order, field by field, with scores to 1e-6."""
    assert found.HasField("timings")
    assert [hit.memory_id for hit in found.hits] == [hit.memory_id for hit in expected.hits]
    for mine, theirs in zip(found.hits, expected.hits, strict=True):
        assert math.isclose(mine.score, theirs.score, abs_tol=1e-6)
        assert mine.HasField("score_parts") == theirs.HasField("score_parts")
        for signal in theirs.score_parts.DESCRIPTOR.fields_by_name:
            assert mine.score_parts.HasField(signal) == theirs.score_parts.HasField(signal), signal
            mine_part, their_part = getattr(mine.score_parts, signal), getattr(theirs.score_parts, signal)
            assert mine_part.rank == their_part.rank
            for name in ("raw", "normalized", "weight"):
                assert math.isclose(getattr(mine_part, name), getattr(their_part, name), rel_tol=1e-6, abs_tol=1e-6)
    assert without_measurements(found) == without_measurements(expected)


def without_measurements(response: M) -> M:
    """A copy without times and scores."""
    copy = type(response)()
    copy.CopyFrom(response)
    copy.ClearField("timings")
    for hit in copy.hits:
        hit.ClearField("score")
        hit.ClearField("score_parts")
    return copy
