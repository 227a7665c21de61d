"""Errors of the engine as google.rpc.Status, the one place where that happens."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from mnemic.model.errors import ERROR_DOMAIN, MnemicError
from mnemic.v1 import memory_service_pb2

# Status details travel in the trailing metadata, for which clients allow 8 KiB in all unless told otherwise: a
# longer one would reach them as another error. So words and lists are cut to what fits.
_MAX_MESSAGE = 1024
_MAX_VALUE = 256
_MAX_ENTRIES = 16
_MAX_VIOLATIONS = 8


def rich_status(error: MnemicError) -> status_pb2.Status:
    """The status of an error: ErrorInfo always, BadRequest for fields at fault, RetryInfo where a delay is known."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason.value, domain=ERROR_DOMAIN, metadata=_metadata(error))
    ]
    if error.violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=_cut(item.field, _MAX_VALUE),
                        description=_cut(item.description, _MAX_VALUE),
                        reason=error.reason.value,
                    )
                    for item in error.violations[:_MAX_VIOLATIONS]
                ]
            )
        )
    if error.retry_after_seconds is not None:
        delay = Duration()
        delay.FromMicroseconds(round(error.retry_after_seconds * 1_000_000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return status_pb2.Status(
        code=code_number(error), message=_cut(error.message, _MAX_MESSAGE), details=_packed(details)
    )


def code_number(error: MnemicError) -> int:
    """The google.rpc.Code of an error."""
    number: int = code_pb2.Code.Value(error.code.value)
    return number


def grpc_status(error: MnemicError) -> grpc.Status:
    """The status as grpcio's servers abort with."""
    status: grpc.Status = rpc_status.to_status(rich_status(error))
    return status


def ingest_error(error: MnemicError) -> memory_service_pb2.IngestError:
    """The same facts for one step of an ingest, whose stream goes on."""
    return memory_service_pb2.IngestError(
        code=code_number(error),
        message=_cut(error.message, _MAX_MESSAGE),
        reason=error.reason.value,
        metadata=_metadata(error),
        violations=[
            memory_service_pb2.IngestFieldViolation(
                field=_cut(item.field, _MAX_VALUE), description=_cut(item.description, _MAX_VALUE)
            )
            for item in error.violations[:_MAX_VIOLATIONS]
        ],
        retry_after_micros=round((error.retry_after_seconds or 0.0) * 1_000_000),
    )


def _metadata(error: MnemicError) -> dict[str, str]:
    entries = list(error.metadata.items())[:_MAX_ENTRIES]
    return {_cut(key, _MAX_VALUE): _cut(value, _MAX_VALUE) for key, value in entries}


def _packed(details: Iterable[Message]) -> list[AnyMessage]:
    packed = []
    for detail in details:
        message = AnyMessage()
        message.Pack(detail)
        packed.append(message)
    return packed


def _cut(text: str, limit: int) -> str:
    """The text at no more than `limit` characters, and encodable: words may quote what a caller sent."""
    short = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return short.encode("utf-8", "replace").decode()
