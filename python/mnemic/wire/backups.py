"""Backups between the domain and the contract, both ways."""

from __future__ import annotations

from mnemic.model.backup import Backup
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.wire.values import micros_from_timestamp, timestamp_from_micros


def backup_to_proto(backup: Backup) -> pb.Backup:
    """The message of a backup."""
    return pb.Backup(
        backup_name=backup.name,
        revision=backup.revision,
        byte_count=backup.byte_count,
        sha256=backup.sha256,
        create_time=timestamp_from_micros(backup.create_time_micros),
        memory_count=backup.memory_count,
        server_version=backup.server_version,
        encrypted=backup.encrypted,
    )


def backup_from_proto(message: pb.Backup) -> Backup:
    """The backup of a message."""
    return Backup(
        name=message.backup_name,
        revision=message.revision,
        byte_count=message.byte_count,
        sha256=message.sha256,
        create_time_micros=micros_from_timestamp(message.create_time),
        memory_count=message.memory_count,
        server_version=message.server_version,
        encrypted=message.encrypted,
    )
