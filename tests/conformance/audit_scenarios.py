"""The audit log on the wire, where callers are asked who they are."""

from google.protobuf.duration_pb2 import Duration
from memory_scenarios import add
from wire import guarded_scenario, scenario

from mnemic.model.audit import verify_chain
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.wire.audit import entry_from_proto


@guarded_scenario
def a_write_is_in_the_log_with_its_memories(wire):
    added = add(wire, "one", "two")
    answers = wire.ExportAuditLog(pb.ExportAuditLogRequest(), only=lambda _: "everything before")
    entries = [entry for answer in answers for entry in answer.entries]
    assert verify_chain(map(entry_from_proto, entries)).entries == len(entries)
    [entry] = [entry for entry in entries if added.memories[0].memory_id in entry.memory_ids]
    assert (entry.action, entry.memory_count, entry.revision) == (pb.AUDIT_ACTION_WRITE, 2, added.revision)
    assert entry.method.endswith("/AddMemories")
    rest = wire.ExportAuditLog(
        pb.ExportAuditLogRequest(after_sequence=entry.sequence - 1), only=lambda _: "what came after"
    )
    assert rest[0].entries[0] == entry


@scenario
def a_log_that_cannot_be_read_so_is_refused(wire):
    for request, field in (
        (pb.ExportAuditLogRequest(after_sequence=-1), "after_sequence"),
        (pb.ExportAuditLogRequest(follow=True, heartbeat=Duration(nanos=5)), "heartbeat"),
    ):
        refusal = wire.refused("ExportAuditLog", request)
        assert (refusal.reason, list(refusal.violations)) == ("INVALID_FIELD", [field])
    refusal = wire.refused("ExportAuditLog", pb.ExportAuditLogRequest(tenant_id="nobody"))
    assert refusal.reason == "RESOURCE_NOT_FOUND"
