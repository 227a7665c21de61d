"""How far a change of the embedding model is, between the domain and the contract, both ways."""

from __future__ import annotations

from mnemic.model.operations import OperationState
from mnemic.model.reembedding import ReembedStatus
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.v1 import resources_pb2
from mnemic.wire.values import micros_from_timestamp, timestamp_from_micros


def status_to_proto(status: ReembedStatus) -> pb.GetReembedStatusResponse:
    """The message of a status."""
    message = pb.GetReembedStatusResponse(
        state=resources_pb2.OperationState.ValueType(int(status.state)),
        active_model=status.active_model,
        target_model=status.target_model,
        done_count=status.done_count,
        total_count=status.total_count,
        last_error=status.last_error,
    )
    if status.start_time_micros is not None:
        message.start_time.CopyFrom(timestamp_from_micros(status.start_time_micros))
    if status.update_time_micros is not None:
        message.update_time.CopyFrom(timestamp_from_micros(status.update_time_micros))
    return message


def status_from_proto(message: pb.GetReembedStatusResponse) -> ReembedStatus:
    """The status of a message."""
    return ReembedStatus(
        state=OperationState(message.state),
        active_model=message.active_model,
        target_model=message.target_model,
        done_count=message.done_count,
        total_count=message.total_count,
        last_error=message.last_error,
        start_time_micros=micros_from_timestamp(message.start_time) if message.HasField("start_time") else None,
        update_time_micros=micros_from_timestamp(message.update_time) if message.HasField("update_time") else None,
    )
