"""Entries of the audit log between the domain and the contract, both ways."""

from __future__ import annotations

from mnemic.model.audit import AuditAction, AuditEntry
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.wire.values import micros_from_timestamp, timestamp_from_micros


def entry_to_proto(entry: AuditEntry) -> pb.AuditEntry:
    """The message of an entry."""
    return pb.AuditEntry(
        sequence=entry.sequence,
        event_time=timestamp_from_micros(entry.event_time_micros),
        principal=entry.principal,
        action=pb.AuditAction.ValueType(entry.action),
        method=entry.method,
        code=entry.code,
        scope_hashes=entry.scope_hashes,
        memory_ids=entry.memory_ids,
        memory_count=entry.memory_count,
        revision=entry.revision,
        call_id=entry.call_id,
        previous_hash=entry.previous_hash,
        entry_hash=entry.entry_hash,
    )


def entry_from_proto(message: pb.AuditEntry) -> AuditEntry:
    """The entry of a message."""
    return AuditEntry(
        sequence=message.sequence,
        event_time_micros=micros_from_timestamp(message.event_time),
        principal=message.principal,
        action=AuditAction(message.action),
        method=message.method,
        code=message.code,
        scope_hashes=tuple(message.scope_hashes),
        memory_ids=tuple(message.memory_ids),
        memory_count=message.memory_count,
        revision=message.revision,
        call_id=message.call_id,
        previous_hash=message.previous_hash,
        entry_hash=message.entry_hash,
    )
