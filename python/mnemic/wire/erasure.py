"""Erasures between domain and protobuf."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from mnemic.model.erasure import ErasedPlace, Erasure, ErasureReceipt
from mnemic.model.operations import OperationState
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.v1 import resources_pb2
from mnemic.wire.values import micros_from_timestamp, timestamp_from_micros


def erasure_to_proto(erasure: Erasure) -> pb.Erasure:
    """An erasure as a message."""
    return pb.Erasure(
        erasure_id=erasure.erasure_id,
        state=resources_pb2.OperationState.ValueType(int(erasure.state or 0)),
        create_time=_timestamp(erasure.create_time_micros),
        end_time=_timestamp(erasure.end_time_micros),
        places=[
            pb.ErasedPlace(
                place=place.place,
                found_count=place.found,
                destroyed_count=place.destroyed,
                kept_count=place.kept,
                kept_reason=place.kept_reason,
            )
            for place in erasure.places
        ],
        revision=erasure.revision,
        last_error=erasure.last_error,
    )


def _timestamp(micros: int | None) -> Timestamp | None:
    return None if micros is None else timestamp_from_micros(micros)


def receipt_to_proto(receipt: ErasureReceipt | None) -> pb.ErasureReceipt | None:
    """A receipt as a message, if there is one."""
    if receipt is None:
        return None
    return pb.ErasureReceipt(
        document=receipt.document,
        signature=receipt.signature,
        public_key=receipt.public_key,
        key_id=receipt.key_id,
    )


def erasure_from_proto(message: pb.Erasure) -> Erasure:
    """An erasure of a message."""
    return Erasure(
        erasure_id=message.erasure_id,
        state=OperationState(message.state) if message.state else None,
        create_time_micros=micros_from_timestamp(message.create_time) if message.HasField("create_time") else None,
        end_time_micros=micros_from_timestamp(message.end_time) if message.HasField("end_time") else None,
        places=tuple(
            ErasedPlace(
                place=place.place,
                found=place.found_count,
                destroyed=place.destroyed_count,
                kept=place.kept_count,
                kept_reason=place.kept_reason,
            )
            for place in message.places
        ),
        revision=message.revision,
        last_error=message.last_error,
    )


def receipt_from_proto(message: pb.ErasureReceipt) -> ErasureReceipt:
    """A receipt of a message."""
    return ErasureReceipt(
        document=message.document,
        signature=message.signature,
        public_key=message.public_key,
        key_id=message.key_id,
    )
