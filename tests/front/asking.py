"""What tests of the front ask: its health, and why a call was refused."""

import grpc
import pytest
from behind import TIMEOUT
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def health(channel: grpc.Channel, service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT).status


def refusal(error: grpc.RpcError) -> tuple[grpc.StatusCode, str, float]:
    """Code, reason and the delay before another try (0 without one)."""
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for packed in rpc_status.from_call(error).details:
        packed.Unpack(info)
        packed.Unpack(retry)
    assert info.domain == "mnemic.dev"
    return error.code(), info.reason, retry.retry_delay.ToMicroseconds() / 1e6


def refused(channel: grpc.Channel, method: str = "echo") -> tuple[grpc.StatusCode, str, float]:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/t.T/{method}")(b"", timeout=TIMEOUT)
    return refusal(caught.value)
