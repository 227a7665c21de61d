"""What surrounds every call: parsing, deadline, limits, errors and the log.

A service is a plain object with a method for each RPC that works, `AddMemories` as `add_memories`: it takes a request
and a `Call` and gives the response, or an iterator of responses for a stream. What it does not have answers
UNIMPLEMENTED. Methods raise `MnemicError`; anything else is a defect, which the caller sees as INTERNAL with an id and
the log in full.

Services are bound here, from their descriptors, and not through grpcio's interceptors: so the parsing of a request
is part of the call, and bytes that are no message answer INVALID_ARGUMENT, where grpcio says INTERNAL.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, TypeVar

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from mnemic.model.audit import CURRENT_NOTE, AuditNote
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.scope import Scope
from mnemic.server.activity import Activity
from mnemic.server.auditing import AuditTrail, note_answer, note_request
from mnemic.server.authentication import Caller, Gate
from mnemic.server.status import grpc_status
from mnemic.server.tracing import Tracing

REQUEST_ID_HEADER = "x-request-id"
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")
# Without a deadline grpcio reports a remaining time of centuries.
_FOREVER_SECONDS = 10 * 365 * 86_400.0
_STREAM_RETRY_SECONDS = 1.0
_OTHER = "other"  # as the front counts them

_log = structlog.get_logger("mnemic.server")
M = TypeVar("M", bound=Message)
Behaviour = TypeVar("Behaviour", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as a service sees it.

    Attributes:
        method: Its full name, such as `/mnemic.v1.MemoryService/AddMemories`.
        call_id: The caller's `x-request-id`, or a new id; in the log, and in the answer's trailing metadata.
        caller: Who calls.
        deadline: Until when the caller waits.
        draining: Set once the server is shutting down.
        stop_waiting: Gives whom to tell, while a context lasts, that the caller is gone or the server drains.
        is_wanted: Whether the caller still waits.
        note: What is entered of it in the audit log; None if nothing is.
    """

    method: str
    call_id: str
    caller: Caller
    deadline: Deadline
    draining: threading.Event
    stop_waiting: Callable[[Callable[[], None]], AbstractContextManager[None]] = lambda _interrupt: nullcontext()
    is_wanted: Callable[[], bool] = lambda: True
    note: AuditNote | None = None

    @property
    def tenant(self) -> str:
        """Whose memories it is about: the credential's, never one that a request names."""
        return self.caller.tenant

    @property
    def within(self) -> Scope:
        """The ids that each memory it reads or writes must carry."""
        return self.caller.within


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What all calls of a server share.

    Attributes:
        gate: Says who is calling.
        streams: One permit for each stream that may be served at once.
        watches: The same of those that last (`lasting`).
        watchers: The threads of those.
        count: Told of each call that ended: its path, its code and how many seconds it took.
        audit: Has calls entered in the audit log.
        tracing: Makes spans, if anything does.
        activity: The calls in flight.
    """

    gate: Gate
    streams: threading.Semaphore
    watches: threading.Semaphore
    watchers: ThreadPoolExecutor
    count: Callable[[str, str, float], None]
    audit: AuditTrail
    tracing: Tracing | None = None
    activity: Activity = field(default_factory=Activity)


def lasting(behaviour: Behaviour) -> Behaviour:
    """Marks the method of a service whose stream of answers goes on until the caller ends it: it holds none of the
    threads that serve other calls.
    """
    behaviour.is_lasting = True  # type: ignore[attr-defined]  # functions may have attributes
    return behaviour


def parse(message_class: type[M], data: bytes) -> M:
    """A message of its bytes.

    Raises:
        MnemicError: MALFORMED_MESSAGE when they are none, or a text in them is not UTF-8.
    """
    try:
        return message_class.FromString(data)
    except DecodeError:
        name = message_class.DESCRIPTOR.full_name
        raise MnemicError(
            Reason.MALFORMED_MESSAGE,
            f"the request is not a valid {name}: its bytes are no protobuf message, or a text in it is not UTF-8",
            metadata={"message": name},
        ) from None


def bind_service(server: grpc.Server, descriptor: ServiceDescriptor, service: object, limits: CallLimits) -> None:
    """Makes a server answer the RPCs of a service.

    Args:
        server: Where.
        descriptor: The service of the contract.
        service: Has a method for each RPC that works. Those of client streams get an iterator of bytes to `parse`, so
            that they decide what a bad message means for the rest of the stream.
        limits: What all calls share.
    """
    handlers = {
        method.name: _handler(
            method, getattr(service, python_name(method.name), None) or _not_implemented(method), limits
        )
        for method in descriptor.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(descriptor.full_name, handlers),))
    server.add_registered_method_handlers(descriptor.full_name, handlers)


def refuse_other_methods(server: grpc.Server, limits: CallLimits) -> None:
    """Makes a server refuse methods that nothing bound before answers: who is unknown learns no more than of others."""
    server.add_generic_rpc_handlers((_OtherMethods(limits),))


class _OtherMethods(grpc.GenericRpcHandler):
    """Any method. Its name is the caller's to choose, so in figures and logs it has none of its own."""

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler of a method."""
        path = handler_call_details.method

        def refuse(_received: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Message]:
            with _surrounded(_OTHER, context, self._limits):
                raise MnemicError(
                    Reason.NOT_IMPLEMENTED,
                    f"this server has no method {path!r}; docs/contract.md lists those that there are",
                    metadata={"method": path},
                )
            yield  # a generator, as a stream's handler must be

        return grpc.stream_stream_rpc_method_handler(refuse)


def python_name(method_name: str) -> str:
    """The name under which a service has an RPC: `AddMemories` is `add_memories`."""
    return _WORD_START.sub("_", method_name).lower()


def _not_implemented(method: MethodDescriptor) -> Callable[[Any, Call], NoReturn]:
    name = f"{method.containing_service.name}.{method.name}"

    def refuse(_request: object, _call: Call) -> NoReturn:
        raise MnemicError(
            Reason.NOT_IMPLEMENTED,
            f"{name} is part of the contract but not of this version; docs/contract.md lists what works",
            metadata={"method": name},
        )

    return refuse


def _handler(
    method: MethodDescriptor, behaviour: Callable[..., Any], limits: CallLimits
) -> grpc.RpcMethodHandler[Any, Any]:
    path = f"/{method.containing_service.full_name}/{method.name}"
    serialize = GetMessageClass(method.output_type).SerializeToString
    read = partial(parse, GetMessageClass(method.input_type))

    def answer(received: bytes, context: grpc.ServicerContext) -> Message:
        with _surrounded(path, context, limits) as call:
            request = read(received)
            note_request(call.note, request)
            response: Message = behaviour(request, call)
            note_answer(call.note, response)
        return response

    is_lasting = getattr(behaviour, "is_lasting", False)

    def answer_stream(received: bytes, context: grpc.ServicerContext) -> Iterator[Message]:
        with _surrounded(path, context, limits) as call, _stream_permit(limits, is_lasting=is_lasting):
            request = read(received)
            note_request(call.note, request)
            yield from behaviour(request, call)

    def converse(received: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Message]:
        with _surrounded(path, context, limits) as call, _stream_permit(limits, is_lasting=False):
            yield from behaviour(limits.activity.listening(received, context.cancel), call)

    match (method.client_streaming, method.server_streaming):
        case (False, False):
            return grpc.unary_unary_rpc_method_handler(answer, None, serialize)
        case (False, True):
            if is_lasting:
                answer_stream.experimental_thread_pool = limits.watchers  # type: ignore[attr-defined]  # how grpcio takes it
            return grpc.unary_stream_rpc_method_handler(answer_stream, None, serialize)
        case (True, True):
            return grpc.stream_stream_rpc_method_handler(converse, None, serialize)
        case _:
            raise NotImplementedError(f"{path}: the contract has no RPC with a client stream and one answer")


@contextmanager
def _stream_permit(limits: CallLimits, *, is_lasting: bool) -> Generator[None]:
    """Each stream holds a thread while it lasts, so they are few: unary calls never wait for them."""
    permits = limits.watches if is_lasting else limits.streams
    if not permits.acquire(blocking=False):
        setting = "max_watches" if is_lasting else "max_concurrent_streams"
        raise MnemicError(
            Reason.OVERLOADED,
            f"as many streams are open as the server serves at once (server.{setting}); try again later",
            retry_after_seconds=_STREAM_RETRY_SECONDS,
        )
    try:
        yield
    finally:
        permits.release()


def _interruptions(
    context: grpc.ServicerContext, activity: Activity
) -> Callable[[Callable[[], None]], AbstractContextManager[None]]:
    def interrupting(interrupt: Callable[[], None]) -> AbstractContextManager[None]:
        # Of a call that has ended already it is not told, but then the first look at `is_wanted` says so.
        context.add_callback(interrupt)
        return activity.interruptible(interrupt)

    return interrupting


@contextmanager
def _surrounded(path: str, context: grpc.ServicerContext, limits: CallLimits) -> Generator[Call]:
    """The life of one call: whatever its body raises becomes a status, and one line of the log says how it ended."""
    started = time.perf_counter()
    metadata = context.invocation_metadata()
    call_id = call_id_of(metadata)
    context.set_trailing_metadata(((REQUEST_ID_HEADER, call_id),))
    end_span = limits.tracing.begin(path, metadata) if limits.tracing is not None else None
    code, subject = "OK", ""
    note: AuditNote | None = None
    try:
        with limits.activity.call():
            caller = limits.gate.enter(path, metadata)
            subject = caller.subject
            note = limits.audit.begin(path, call_id, caller)
            CURRENT_NOTE.set(note)
            call = Call(
                path,
                call_id,
                caller,
                _deadline(context),
                limits.activity.draining,
                _interruptions(context, limits.activity),
                context.is_active,
                note,
            )
            call.deadline.check()
            yield call
            if note is not None:
                limits.audit.end(note, code)
    except MnemicError as error:
        code = error.code.value
        _abort(context, error, call_id)
    except GeneratorExit:
        code = "CANCELLED"
        raise
    except Exception as error:
        if not context.is_active():
            # The caller is gone; what its absence broke is no defect.
            code = "CANCELLED"
            raise
        code = "INTERNAL"
        _log.exception("unexpected error", method=path, call_id=call_id)
        _abort(context, _internal(call_id), call_id, cause=error)
    finally:
        CURRENT_NOTE.set(None)
        if note is not None and code != "OK":
            limits.audit.end(note, code)
        seconds = time.perf_counter() - started
        limits.count(path, code, seconds)
        if end_span is not None:
            end_span(code)
        _log.info(
            "call", method=path, code=code, duration_ms=round(seconds * 1000, 3), call_id=call_id, subject=subject
        )


def _internal(call_id: str) -> MnemicError:
    return MnemicError(
        Reason.INTERNAL,
        f"internal error {call_id}; the server's log has the details under this id",
        metadata={"call_id": call_id},
    )


@dataclass(frozen=True, slots=True)
class _Status(grpc.Status):
    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def _abort(context: grpc.ServicerContext, error: MnemicError, call_id: str, *, cause: Exception | None = None) -> None:
    """Ends the call with the error's status; always raises, since that is how grpcio aborts."""
    status = grpc_status(error)
    # Aborting replaces the trailing metadata that was set before.
    trailing = (*(status.trailing_metadata or ()), (REQUEST_ID_HEADER, call_id))
    try:
        context.abort_with_status(_Status(status.code, status.details, trailing))
    except Exception as aborted:
        raise aborted from cause


def call_id_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The caller's id of a call, or a new one."""
    for key, value in metadata:
        if key == REQUEST_ID_HEADER and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            return value
    return secrets.token_hex(8)


def _deadline(context: grpc.ServicerContext) -> Deadline:
    remaining = context.time_remaining()
    return Deadline.after(None if remaining is None or remaining > _FOREVER_SECONDS else remaining)
