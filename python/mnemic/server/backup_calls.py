"""AdminService: backups."""

from __future__ import annotations

from collections.abc import Iterator

from mnemic.engine.engine import Engine
from mnemic.model.backup import BackupDestination, BackupProgress
from mnemic.server.activity import shutting_down
from mnemic.server.calls import Call
from mnemic.server.from_proto import enum_value
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.wire.backups import backup_to_proto


class BackupCalls:
    """The RPCs of backups; part of `AdminService`."""

    _engine: Engine

    def create_backup(self, request: pb.CreateBackupRequest, call: Call) -> Iterator[pb.CreateBackupResponse]:
        """Makes a backup."""
        steps = self._engine.backups.create(
            enum_value(BackupDestination, request.destination, "destination", unspecified=BackupDestination.SERVER),
            name=request.backup_name,
            caller=call.tenant,
            request_id=request.request_id,
        )
        for step in steps:
            if call.draining.is_set():
                raise shutting_down()
            call.deadline.check()
            # The stream may outlive its credential.
            call.caller.check()
            if isinstance(step, bytes):
                yield pb.CreateBackupResponse(data=step)
            elif isinstance(step, BackupProgress):
                progress = pb.BackupProgress(done_bytes=step.done_bytes, total_bytes=step.total_bytes)
                yield pb.CreateBackupResponse(progress=progress)
            else:
                yield pb.CreateBackupResponse(backup=backup_to_proto(step))

    def list_backups(self, request: pb.ListBackupsRequest, _call: Call) -> pb.ListBackupsResponse:
        """One page of the backups that the server keeps."""
        page = self._engine.backups.list_backups(size=request.page_size, token=request.page_token)
        return pb.ListBackupsResponse(backups=map(backup_to_proto, page.backups), next_page_token=page.next_page_token)
