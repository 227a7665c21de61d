"""Failures of gRPC calls as `MnemicError`: the inverse of what the server makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from mnemic.model.errors import ERROR_DOMAIN, Code, FieldViolation, MnemicError, Reason
from mnemic.v1 import memory_service_pb2

# For a status without our details: of a proxy, of gRPC itself, or of a server that knows reasons that we do not.
_REASONS_BY_CODE: Mapping[str, Reason] = {
    "INVALID_ARGUMENT": Reason.INVALID_FIELD,
    "OUT_OF_RANGE": Reason.INVALID_FIELD,
    "NOT_FOUND": Reason.RESOURCE_NOT_FOUND,
    "ALREADY_EXISTS": Reason.REQUEST_ID_REUSED,
    "ABORTED": Reason.VERSION_CONFLICT,
    "FAILED_PRECONDITION": Reason.REVISION_NOT_REACHED,
    "RESOURCE_EXHAUSTED": Reason.OVERLOADED,
    "DEADLINE_EXCEEDED": Reason.DEADLINE_EXCEEDED,
    "UNAVAILABLE": Reason.SHUTTING_DOWN,
    # The call was ended by us, by closing the client, or by a server that would not wait for it.
    "CANCELLED": Reason.SHUTTING_DOWN,
    "UNAUTHENTICATED": Reason.UNAUTHENTICATED,
    "PERMISSION_DENIED": Reason.PERMISSION_DENIED,
    "UNIMPLEMENTED": Reason.NOT_IMPLEMENTED,
    "DATA_LOSS": Reason.CORRUPT_DATA,
}
# How a connection that is made and not agreed on shows in grpcio's words: a mark in them, the `cause` for programs, and
# what it means. TLS 1.3 lets a client go on before the server has seen its certificate.
_CONNECTION_CAUSES = (
    ("CERTIFICATE_VERIFY_FAILED", "server_certificate", "its certificate is of no authority that this client trusts"),
    ("Hostname Verification", "server_name", "its certificate is for another name than this address"),
    ("not in peer certificate", "server_name", "its certificate is for another name than this address"),
    ("WRONG_VERSION_NUMBER", "no_tls", "it does not speak TLS"),
    ("Handshake read failed", "no_tls", "it does not speak TLS"),
    ("TSI_DATA_CORRUPTED", "client_certificate", "it asks for a client's certificate of an authority that it knows"),
    ("Socket closed", "closed", "it hangs up: it may speak TLS, or ask for a client's certificate"),
)
_NOT_CONNECTED = "failed to connect"
# What grpcio says of a message over a limit, on either side.
_TOO_LARGE = "larger than max"


def from_rpc_error(error: grpc.RpcError, address: str) -> MnemicError:
    """The failure of a call.

    Args:
        error: What grpcio raised: also the call, for both of its APIs.
        address: The server's, for the words of a failure to reach it.
    """
    call: Any = error
    code: str = call.code().name
    words: str = call.details() or code
    status = _rich_status(call)
    if status is not None:
        return _from_status(status, code, words)
    metadata = {"grpc_code": code, "address": address}
    if code == Code.UNAVAILABLE.value:
        cause, meaning = _connection_cause(words)
        if cause:
            metadata["cause"] = cause
            words = f"cannot talk to the server at {address}: {meaning}: {words}"
        else:
            words = f"cannot reach a server at {address} (is `mnemic serve` running there?): {words}"
    return MnemicError(_reason_of(code, words), words, metadata=metadata)


def _connection_cause(words: str) -> tuple[str, str]:
    """Why a connection was not agreed on: for programs and in words; empty when that is not known."""
    if _NOT_CONNECTED in words:
        for mark, cause, meaning in _CONNECTION_CAUSES:
            if mark in words:
                return cause, meaning
    return "", ""


def _rich_status(call: Any) -> status_pb2.Status | None:  # noqa: ANN401 (a call of either API)
    try:
        status: status_pb2.Status | None = rpc_status.from_call(call)
    except ValueError:
        # The details contradict the status, as a proxy that rewrites one of them makes them: the status counts.
        return None
    return status


def _from_status(status: status_pb2.Status, code: str, words: str) -> MnemicError:
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        for message in (info, bad_request, retry):
            detail.Unpack(message)
    metadata = dict(info.metadata)
    known = info.domain == ERROR_DOMAIN and info.reason in Reason.__members__
    if info.reason and not known:
        metadata["reason"] = info.reason
    return MnemicError(
        Reason(info.reason) if known else _reason_of(code, words),
        status.message or words,
        metadata=metadata,
        violations=[FieldViolation(item.field, item.description) for item in bad_request.field_violations],
        retry_after_seconds=retry.retry_delay.ToMicroseconds() / 1e6 if retry.HasField("retry_delay") else None,
    )


def from_ingest_error(error: memory_service_pb2.IngestError) -> MnemicError:
    """The failure of one step of an ingest."""
    metadata = dict(error.metadata)
    known = error.reason in Reason.__members__
    if error.reason and not known:
        metadata["reason"] = error.reason
    return MnemicError(
        Reason(error.reason) if known else _reason_of(code_pb2.Code.Name(error.code), error.message),
        error.message,
        metadata=metadata,
        violations=[FieldViolation(item.field, item.description) for item in error.violations],
        retry_after_seconds=error.retry_after_micros / 1e6 if error.retry_after_micros else None,
    )


def _reason_of(code: str, words: str) -> Reason:
    if code == Code.RESOURCE_EXHAUSTED.value and _TOO_LARGE in words:
        return Reason.MESSAGE_TOO_LARGE
    return _REASONS_BY_CODE.get(code, Reason.INTERNAL)
