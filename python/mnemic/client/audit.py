"""The audit log of a server, for the client of administrators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from datetime import datetime
from typing import Any

import grpc

from mnemic.client.encodable import encodable
from mnemic.client.failures import from_rpc_error
from mnemic.model.audit import AuditEntry
from mnemic.model.memory import to_micros
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.v1 import admin_service_pb2_grpc
from mnemic.wire.audit import entry_from_proto
from mnemic.wire.values import timestamp_from_micros


class AdminAudit(ABC):
    """The part of `MnemicAdminClient` that reads the audit log."""

    address: str
    _metadata: Any
    _stub: admin_service_pb2_grpc.AdminServiceStub

    @abstractmethod
    def _require_open(self) -> None: ...

    def audit_log(
        self,
        tenant: str = "",
        *,
        after: int = 0,
        start: datetime | None = None,
        end: datetime | None = None,
        follow: bool = False,
        timeout: float | None = None,
    ) -> Generator[AuditEntry, None, None]:
        """The entries of a tenant's audit log, in order. Lazy: iterate over them.

        Args:
            tenant: Whose; the credential's own unless given.
            after: Only entries after this number.
            start: Only entries at or after this time.
            end: Only entries before this time.
            follow: Go on with new ones as they come.
            timeout: Seconds for all of it; any time unless given.
        """
        self._require_open()
        with encodable():
            request = pb.ExportAuditLogRequest(
                tenant_id=tenant,
                after_sequence=after,
                start_time=None if start is None else timestamp_from_micros(to_micros(start)),
                end_time=None if end is None else timestamp_from_micros(to_micros(end)),
                follow=follow,
            )
        call = self._stub.ExportAuditLog(request, timeout=timeout, metadata=self._metadata)
        try:
            for answer in call:
                yield from map(entry_from_proto, answer.entries)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error
        finally:
            call.cancel()
