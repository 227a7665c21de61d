"""Scenarios on the wire: what each calls and what it is answered is kept, to be compared between deployments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from access_support import METHODS, bearer
from deployments import Deployment, Metadata
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_status import rpc_status
from refusals import Refusal, read_refusal
from transcript import Transcript

from mnemic.v1 import resources_pb2

TIMEOUT = 20.0
# What the front may answer itself, once a first call has brought into memory what it needs.
READS = ("SearchMemories", "BatchSearchMemories", "GetMemory", "BatchGetMemories")


class RefusedError(Exception):
    """A call that was answered with an error."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(f"{error.code()}: {error.details()}")
        self.refusal = read_refusal(error)


class Wire:
    """Makes the calls of one scenario to one deployment, and keeps its transcript.

    Attributes:
        name: The scenario's; what it makes carries it, since all scenarios share a server.
        transcript: What was called and answered.
    """

    def __init__(self, deployment: Deployment, name: str) -> None:
        self.name = name
        self.transcript = Transcript()
        self._deployment = deployment

    def scope(self, user: str = "anna", **ids: str) -> resources_pb2.Scope:
        """A scope of this scenario's own."""
        return resources_pb2.Scope(user_id=f"{user} of {self.name}", **ids)

    @property
    def revision(self) -> int:
        """How far the store is."""
        return self._deployment.engine.revision()

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """The RPC of that name: `wire.AddMemories(request)` is its answer; for a stream of requests, all answers."""
        path = PATHS.get(method)
        if path is None:
            raise AttributeError(method)

        def call(request: Message | bytes | Sequence[Message | bytes], **options: Any) -> Any:
            first = self._called(path, request, **options)
            return self._called(path, request, **options) if method in READS else first

        return call

    def call(self, path: str, request: Message | bytes | Sequence[Message | bytes], **options: Any) -> Any:
        """The answer of an RPC that `foreign` made known."""
        return self._called(path, request, **options)

    def first(self, path: str, request: Message) -> Any:
        """The first answer of a stream of answers that goes on for ever."""
        response = FOREIGN[path].response
        assert response is not None
        call = self._deployment.channel.unary_stream(path, None, response.FromString)(
            request.SerializeToString(), timeout=TIMEOUT
        )
        answer = next(call)
        call.cancel()
        self.transcript.note(path, answer)
        return answer

    def watched(self, request: Message, count: int = 0) -> list[resources_pb2.MemoryRevision]:
        """The first changes that a watch tells, so many at least; without any its first answer is noted.

        Only what is told counts: in which answers it comes, and between which heartbeats, depends on the time.
        """
        path, changes = PATHS["WatchMemories"], []
        call = self._deployment.channel.unary_stream(path, None, GetMessageClass(METHODS[path].output_type).FromString)(
            request.SerializeToString(), timeout=TIMEOUT, metadata=self._deployment.metadata
        )
        try:
            for answer in call:
                changes.extend(answer.changes)
                if len(changes) >= count:
                    break
        finally:
            call.cancel()
        self.transcript.note(path, {"answer": changes})
        return changes

    def refused(self, method: str, request: Message | bytes | Sequence[Message | bytes], **options: Any) -> Refusal:
        """A call that must fail."""
        try:
            answer = self._called(PATHS.get(method, method), request, **options)
        except RefusedError as error:
            return error.refusal
        raise AssertionError(f"{method} was answered: {answer}")

    def _called(
        self,
        path: str,
        request: Message | bytes | Sequence[Message | bytes],
        *,
        credential: str | None = None,
        metadata: Metadata = (),
        compression: grpc.Compression | None = None,
        only: Callable[[Any], object] = lambda answer: answer,
    ) -> Any:
        """One call.

        Args:
            path: Of the RPC.
            request: A message, its bytes, or several of them.
            credential: What is sent as `authorization: Bearer …`; unless given, an operator's. Empty for none.
            metadata: What else accompanies it.
            compression: Of the request.
            only: What of the answer counts, where the rest depends on other scenarios.
        """
        known = self._deployment.metadata if credential is None else bearer(credential) if credential else ()
        options = {"timeout": TIMEOUT, "metadata": (*known, *metadata), "compression": compression}
        try:
            answered = _complete(self._deployment.channel, path, request, options)
        except grpc.RpcError as error:
            self.transcript.note(path, _failure(error))
            raise RefusedError(error) from error
        self.transcript.note(path, {"answer": only(answered.answer), "metadata": answered.metadata})
        return answered.answer


def _failure(error: Any) -> dict[str, object]:
    status = rpc_status.from_call(error)
    return {
        "code": error.code().name,
        "words": error.details(),
        "status": status,
        "metadata": _names(error.initial_metadata(), error.trailing_metadata()),
    }


@dataclass(frozen=True)
class Rpc:
    """How a path is called that is not of our contract."""

    is_stream: bool
    response: type[Message] | None


FOREIGN: dict[str, Rpc] = {}
PATHS = {path.rpartition("/")[2]: path for path in METHODS}


def foreign(path: str, response: type[Message] | None, *, is_stream: bool = False) -> str:
    """Makes a path known that is not of our contract; it."""
    FOREIGN[path] = Rpc(is_stream, response)
    return path


@dataclass(frozen=True)
class _Answered:
    answer: Any
    metadata: object


def _complete(channel: grpc.Channel, path: str, request: Any, options: dict[str, Any]) -> _Answered:
    """Calls a method of any shape, to its end."""
    method = METHODS.get(path)
    if method is not None:
        response, takes_stream, gives_stream = (
            GetMessageClass(method.output_type),
            method.client_streaming,
            method.server_streaming,
        )
    else:
        rpc = FOREIGN[path]
        response, takes_stream, gives_stream = rpc.response, rpc.is_stream, rpc.is_stream
    read = None if response is None else response.FromString
    several = [request] if isinstance(request, Message | bytes) else list(request)
    sent = [item if isinstance(item, bytes) else item.SerializeToString() for item in several]
    if gives_stream:
        open_call = channel.stream_stream if takes_stream else channel.unary_stream
        call = open_call(path, None, read)(iter(sent) if takes_stream else sent[0], **options)
        answer = list(call)
    else:
        answer, call = channel.unary_unary(path, None, read).with_call(sent[0], **options)
    return _Answered(answer, _names(call.initial_metadata(), call.trailing_metadata()))


def _names(*both: Metadata | None) -> list[list[str]]:
    """Which metadata came before and behind the answer."""
    return [sorted({key for key, _ in metadata or ()}) for metadata in both]


Scenario = Callable[[Wire], None]
COMMON: dict[str, Scenario] = {}
# By scenario: in which leaves of a transcript front and Python server may differ.
DIFFERENCES: dict[str, tuple[str, ...]] = {}
GUARDED: dict[str, Scenario] = {}


def scenario(behaviour: Scenario) -> Scenario:
    """Registers what holds of every deployment, under the function's name."""
    return _registered(COMMON, name_of(behaviour), behaviour)


def guarded_scenario(behaviour: Scenario) -> Scenario:
    """Registers what holds of every deployment that asks who is calling."""
    return _registered(GUARDED, name_of(behaviour), behaviour)


def documented_difference(*leaves: str, because: str) -> Callable[[Scenario], Scenario]:
    """Lets the servers differ in what has these names, for a reason that the documentation tells.

    Args:
        leaves: Of the transcript.
        because: The reason.
    """
    assert because

    def mark(behaviour: Scenario) -> Scenario:
        DIFFERENCES[name_of(behaviour)] = leaves
        return behaviour

    return mark


def name_of(behaviour: Scenario) -> str:
    """The name of a scenario in words."""
    return behaviour.__name__.replace("_", " ")


def add_scenario(name: str, behaviour: Scenario) -> None:
    """Registers a row of a table."""
    _registered(COMMON, name, behaviour)


def _registered(scenarios: dict[str, Scenario], name: str, behaviour: Scenario) -> Scenario:
    assert name not in COMMON, f"two scenarios are called {name!r}"
    assert name not in GUARDED, f"two scenarios are called {name!r}"
    scenarios[name] = behaviour
    return behaviour
