"""AdminService: the audit log."""

from __future__ import annotations

from collections.abc import Iterator

from mnemic.engine.engine import Engine
from mnemic.server import from_proto
from mnemic.server.accounts import own_or_any
from mnemic.server.activity import shutting_down
from mnemic.server.calls import Call, lasting
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.wire.audit import entry_to_proto

_HEARTBEAT_SECONDS = 30.0


class AuditCalls:
    """The RPC of the audit log; part of `AdminService`."""

    _engine: Engine

    @lasting
    def export_audit_log(self, request: pb.ExportAuditLogRequest, call: Call) -> Iterator[pb.ExportAuditLogResponse]:
        """Streams a tenant's audit log."""
        tenant = own_or_any(request.tenant_id, call)
        self._engine.audit.flush()
        if tenant != call.tenant and not self._engine.audit.has_log(tenant):
            # A tenant that is gone may have left one.
            self._engine.authority.tenant(tenant)
        heartbeat = (
            from_proto.seconds(request.heartbeat, "heartbeat") if request.HasField("heartbeat") else _HEARTBEAT_SECONDS
        )
        found = self._engine.audit.entries(
            tenant,
            after=request.after_sequence,
            start_micros=(
                from_proto.micros(request.start_time, "start_time") if request.HasField("start_time") else None
            ),
            end_micros=from_proto.micros(request.end_time, "end_time") if request.HasField("end_time") else None,
            follow=request.follow,
            heartbeat_seconds=heartbeat,
            goes_on=lambda: _goes_on(call),
        )
        for entries in found:
            yield pb.ExportAuditLogResponse(entries=map(entry_to_proto, entries))


def _goes_on(call: Call) -> bool:
    if call.draining.is_set():
        raise shutting_down()
    call.deadline.check()
    # The stream may outlive its credential.
    call.caller.check()
    return call.is_wanted()
