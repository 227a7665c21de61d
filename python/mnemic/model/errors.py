"""The one error taxonomy of the Python side.

Every failure that a caller may see is a `MnemicError` with a `Reason`; the reason fixes the gRPC code. The server
turns it into a google.rpc.Status, the clients turn the status back into the same class, and the in-process engine
raises it directly, so code written against one works against the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

ERROR_DOMAIN = "mnemic.dev"


class Code(StrEnum):
    """The gRPC status codes that Mnemic uses, by name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    ABORTED = "ABORTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


class Reason(StrEnum):
    """Why a call failed: the names of `mnemic.v1.ErrorReason` without their prefix (a test holds them equal)."""

    INVALID_FIELD = "INVALID_FIELD"
    SCOPE_MISSING = "SCOPE_MISSING"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    DIMENSION_MISMATCH = "DIMENSION_MISMATCH"
    VECTOR_NOT_FINITE = "VECTOR_NOT_FINITE"
    INVALID_FILTER = "INVALID_FILTER"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"  # noqa: S105 (a reason, no secret)
    MALFORMED_MESSAGE = "MALFORMED_MESSAGE"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    MEMORY_NOT_FOUND = "MEMORY_NOT_FOUND"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    REVISION_NOT_REACHED = "REVISION_NOT_REACHED"
    MODEL_MISMATCH = "MODEL_MISMATCH"
    MODEL_NOT_INSTALLED = "MODEL_NOT_INSTALLED"
    EMBEDDING_UNAVAILABLE = "EMBEDDING_UNAVAILABLE"
    OVERLOADED = "OVERLOADED"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    CORRUPT_DATA = "CORRUPT_DATA"
    INTERNAL = "INTERNAL"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    RERANKER_NOT_CONFIGURED = "RERANKER_NOT_CONFIGURED"
    EXTRACTOR_NOT_CONFIGURED = "EXTRACTOR_NOT_CONFIGURED"
    LEGAL_HOLD = "LEGAL_HOLD"
    CONTENT_REFUSED = "CONTENT_REFUSED"

    @property
    def code(self) -> Code:
        """The gRPC code that always comes with this reason."""
        return _CODES[self]


_CODES: Mapping[Reason, Code] = {
    Reason.INVALID_FIELD: Code.INVALID_ARGUMENT,
    Reason.SCOPE_MISSING: Code.INVALID_ARGUMENT,
    Reason.BODY_TOO_LARGE: Code.INVALID_ARGUMENT,
    Reason.DIMENSION_MISMATCH: Code.INVALID_ARGUMENT,
    Reason.VECTOR_NOT_FINITE: Code.INVALID_ARGUMENT,
    Reason.INVALID_FILTER: Code.INVALID_ARGUMENT,
    Reason.INVALID_PAGE_TOKEN: Code.INVALID_ARGUMENT,
    Reason.MALFORMED_MESSAGE: Code.INVALID_ARGUMENT,
    Reason.REQUEST_ID_REUSED: Code.ALREADY_EXISTS,
    Reason.MEMORY_NOT_FOUND: Code.NOT_FOUND,
    Reason.VERSION_CONFLICT: Code.ABORTED,
    Reason.REVISION_NOT_REACHED: Code.FAILED_PRECONDITION,
    Reason.MODEL_MISMATCH: Code.FAILED_PRECONDITION,
    Reason.MODEL_NOT_INSTALLED: Code.FAILED_PRECONDITION,
    Reason.EMBEDDING_UNAVAILABLE: Code.UNAVAILABLE,
    Reason.OVERLOADED: Code.RESOURCE_EXHAUSTED,
    Reason.MESSAGE_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    Reason.QUOTA_EXCEEDED: Code.RESOURCE_EXHAUSTED,
    Reason.DEADLINE_EXCEEDED: Code.DEADLINE_EXCEEDED,
    Reason.UNAUTHENTICATED: Code.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: Code.PERMISSION_DENIED,
    Reason.NOT_IMPLEMENTED: Code.UNIMPLEMENTED,
    Reason.SHUTTING_DOWN: Code.UNAVAILABLE,
    Reason.CORRUPT_DATA: Code.DATA_LOSS,
    Reason.INTERNAL: Code.INTERNAL,
    Reason.RESOURCE_NOT_FOUND: Code.NOT_FOUND,
    Reason.STORE_UNAVAILABLE: Code.UNAVAILABLE,
    Reason.RERANKER_NOT_CONFIGURED: Code.FAILED_PRECONDITION,
    Reason.EXTRACTOR_NOT_CONFIGURED: Code.FAILED_PRECONDITION,
    Reason.LEGAL_HOLD: Code.FAILED_PRECONDITION,
    Reason.CONTENT_REFUSED: Code.INVALID_ARGUMENT,
}


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that was not acceptable.

    Attributes:
        field: Its path in the request, such as `memories[2].body`.
        description: Why, and what would be accepted.
    """

    field: str
    description: str


class MnemicError(Exception):
    """A failure with a reason, in words for people and in parts for programs.

    Attributes:
        reason: Why.
        message: In words; says what would be accepted or what to do.
        metadata: Every part of the message that varies, as text.
        violations: The fields at fault, for bad arguments.
        retry_after_seconds: How long to wait before another try, where that is known.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: dict[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds

    @property
    def code(self) -> Code:
        """The gRPC code."""
        return self.reason.code

    def within(self, path: str) -> MnemicError:
        """The same failure, of a part of a larger request: `path` is put before its fields."""
        return MnemicError(
            self.reason,
            f"{path}.{self.message}",
            metadata=self.metadata | {"within": path},
            violations=[FieldViolation(f"{path}.{item.field}", item.description) for item in self.violations],
            retry_after_seconds=self.retry_after_seconds,
        )

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def invalid_field(
    field: str, description: str, *, reason: Reason = Reason.INVALID_FIELD, **metadata: object
) -> MnemicError:
    """A bad argument: names the field, says why and what would be accepted."""
    return MnemicError(
        reason,
        f"{field}: {description}",
        metadata={"field": field} | {key: str(value) for key, value in metadata.items()},
        violations=(FieldViolation(field, description),),
    )


def memory_not_found(memory_id: str) -> MnemicError:
    """The one answer for an absent memory and for a foreign one."""
    return MnemicError(Reason.MEMORY_NOT_FOUND, f"no memory {memory_id!r} here", metadata={"memory_id": memory_id})
