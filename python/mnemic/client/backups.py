"""Backups of a server, for the client of administrators."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import grpc

from mnemic.client.encodable import encodable
from mnemic.client.failures import from_rpc_error
from mnemic.model.backup import BackupDestination, BackupPage, BackupProgress, BackupStep
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.v1 import admin_service_pb2_grpc
from mnemic.wire.backups import backup_from_proto

Answer = TypeVar("Answer")


class AdminBackups(ABC):
    """The part of `MnemicAdminClient` that makes and lists backups."""

    address: str
    _metadata: Any
    _stub: admin_service_pb2_grpc.AdminServiceStub

    @abstractmethod
    def _call(self, method: Callable[..., Answer], request: Any) -> Answer: ...  # noqa: ANN401 (a message)

    @abstractmethod
    def _require_open(self) -> None: ...

    def create_backup(
        self,
        name: str = "",
        *,
        destination: BackupDestination = BackupDestination.SERVER,
        timeout: float | None = None,
    ) -> Generator[BackupStep, None, None]:
        """Makes a backup. Lazy: iterate over its progress, its bytes if they are streamed, and in the end the `Backup`.

        Args:
            name: Its name; made of the time and the revision unless given.
            destination: The server's own directory, or this stream.
            timeout: Seconds for all of it; any time unless given.
        """
        self._require_open()
        with encodable():
            request = pb.CreateBackupRequest(
                destination=pb.BackupDestination.ValueType(destination),
                backup_name=name,
                request_id=str(uuid.uuid4()),
            )
        call = self._stub.CreateBackup(request, timeout=timeout, metadata=self._metadata)
        try:
            yield from map(_step, call)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error
        finally:
            call.cancel()

    def backups(self, *, page_size: int = 0, page_token: str = "") -> BackupPage:
        """One page of the backups that the server keeps, latest first."""
        with encodable():
            request = pb.ListBackupsRequest(page_size=page_size, page_token=page_token)
        answer = self._call(self._stub.ListBackups, request)
        return BackupPage(tuple(map(backup_from_proto, answer.backups)), answer.next_page_token)


def _step(message: pb.CreateBackupResponse) -> BackupStep:
    match message.WhichOneof("step"):
        case "data":
            return message.data
        case "backup":
            return backup_from_proto(message.backup)
        case _:
            return BackupProgress(message.progress.done_bytes, message.progress.total_bytes)
