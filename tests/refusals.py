"""What a client reads of a failed call."""

from dataclasses import dataclass, field

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass
class Refusal:
    """What a client reads of a failed call."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)
    retry_after_seconds: float | None = None


def read_refusal(error: grpc.RpcError) -> Refusal:
    refusal = Refusal(error.code(), error.details())
    status = rpc_status.from_call(error)
    for packed in status.details if status else ():
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if packed.Unpack(info):
            refusal.reason, refusal.domain, refusal.metadata = info.reason, info.domain, dict(info.metadata)
        elif packed.Unpack(bad):
            refusal.violations = {item.field: item.description for item in bad.field_violations}
        elif packed.Unpack(retry):
            refusal.retry_after_seconds = retry.retry_delay.ToMicroseconds() / 1e6
    return refusal
