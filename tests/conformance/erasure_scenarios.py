"""LifecycleService: erasure; AdminService: the end of a tenant."""

import uuid

import grpc
from google.protobuf.duration_pb2 import Duration
from memory_scenarios import add
from wire import Wire, scenario

from mnemic.engine.receipts import verify
from mnemic.v1 import admin_service_pb2, memory_service_pb2, resources_pb2
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.wire.erasure import receipt_from_proto

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
# What depends on what else a deployment does at the time, or on how it was deployed.
ELSEWHERE = {"database_pages", "write_ahead_log_bytes", "cached_vectors", "index_partitions", "snapshots", "data_keys"}


def counts(erasure: pb.Erasure) -> dict[str, tuple[int, int, int]]:
    return {
        place.place: (place.found_count, place.destroyed_count, place.kept_count)
        for place in erasure.places
        if place.place not in ELSEWHERE
    }


def erase(wire: Wire, **fields) -> pb.EraseScopeResponse:
    return wire.EraseScope(
        pb.EraseScopeRequest(**fields),
        only=lambda answer: (counts(answer.erasure), answer.replayed, answer.HasField("receipt")),
    )


def told(answer) -> object:
    return answer.erasure.state, counts(answer.erasure)


def refusal_of(wire: Wire, request: pb.EraseScopeRequest) -> tuple[grpc.StatusCode, str]:
    found = wire.refused("EraseScope", request)
    return found.code, found.reason


@scenario
def a_scope_is_erased_with_a_receipt(wire):
    add(wire, "one", "two")
    preview = erase(wire, scope=wire.scope(), validate_only=True)
    assert counts(preview.erasure) == {"memories": (2, 0, 0), "vectors": (2, 0, 0)}
    assert (preview.erasure.erasure_id, preview.erasure.state) == ("", 0)
    request_id = str(uuid.uuid4())
    done = erase(wire, scope=wire.scope(), reason="asked", requested_by="somebody", request_id=request_id)
    assert done.erasure.state == resources_pb2.OPERATION_STATE_DONE
    assert counts(done.erasure)["memories"] == (2, 2, 0)
    document = verify(receipt_from_proto(done.receipt))
    assert (document["reason"], document["requested_by"]) == ("asked", "somebody")
    again = erase(wire, scope=wire.scope(), reason="asked", requested_by="somebody", request_id=request_id)
    assert (again.replayed, again.receipt) == (True, done.receipt)
    listed = wire.ListMemories(
        memory_service_pb2.ListMemoriesRequest(scope=wire.scope()), only=lambda answer: len(answer.memories)
    )
    assert not listed.memories
    for request in (
        pb.GetErasureReceiptRequest(erasure_id=done.erasure.erasure_id),
        pb.GetErasureReceiptRequest(request_id=request_id, wait=Duration(seconds=1)),
    ):
        assert wire.GetErasureReceipt(request, only=told).receipt == done.receipt
    erasures = wire.ListErasures(
        pb.ListErasuresRequest(page_size=1000), only=lambda answer: len(answer.next_page_token)
    ).erasures
    assert done.erasure.erasure_id in {erasure.erasure_id for erasure in erasures}
    found = wire.refused("ListErasures", pb.ListErasuresRequest(page_size=-1))
    assert (found.code, found.reason) == INVALID


@scenario
def one_memory_is_erased_with_its_history(wire):
    first, second = (item.memory_id for item in add(wire, "one", "two").memories)
    done = erase(wire, memory_id=first)
    assert counts(done.erasure)["memories"] == (1, 1, 0)
    found = wire.refused("GetMemoryHistory", memory_service_pb2.GetMemoryHistoryRequest(memory_id=first))
    assert found.reason == "MEMORY_NOT_FOUND"
    wire.GetMemory(memory_service_pb2.GetMemoryRequest(memory_id=second))
    assert refusal_of(wire, pb.EraseScopeRequest(memory_id=first))[1] == "MEMORY_NOT_FOUND"


@scenario
def an_erasure_that_says_nothing_or_too_much_is_refused(wire):
    for request in (
        pb.EraseScopeRequest(),
        pb.EraseScopeRequest(memory_id="x"),
        pb.EraseScopeRequest(whole_tenant=False),
        pb.EraseScopeRequest(scope=wire.scope(), reason="x" * 1025),
        pb.EraseScopeRequest(scope=wire.scope(), requested_by="x" * 257),
        pb.EraseScopeRequest(scope=wire.scope(), request_id="x"),
    ):
        assert refusal_of(wire, request) == INVALID
    assert refusal_of(wire, pb.EraseScopeRequest(scope=resources_pb2.Scope()))[1] == "SCOPE_MISSING"
    for request in (
        pb.GetErasureReceiptRequest(erasure_id="00000000-0000-4000-8000-000000000000"),
        pb.GetErasureReceiptRequest(request_id="00000000-0000-4000-8000-000000000000"),
    ):
        found = wire.refused("GetErasureReceipt", request)
        assert (found.code, found.reason) == NOT_FOUND


@scenario
def a_legal_hold_refuses_an_erasure(wire):
    add(wire, "kept")
    hold = wire.CreateLegalHold(pb.CreateLegalHoldRequest(hold=pb.LegalHold(scope=wire.scope(), reason="law"))).hold
    refused = refusal_of(wire, pb.EraseScopeRequest(scope=wire.scope()))
    assert refused == (grpc.StatusCode.FAILED_PRECONDITION, "LEGAL_HOLD")
    wire.ReleaseLegalHold(pb.ReleaseLegalHoldRequest(hold_id=hold.hold_id))
    erase(wire, scope=wire.scope())


@scenario
def a_tenant_is_deleted(wire):
    tenant_id = "tenant-to-delete"
    wire.CreateTenant(admin_service_pb2.CreateTenantRequest(tenant=admin_service_pb2.Tenant(tenant_id=tenant_id)))
    key = admin_service_pb2.ApiKey(role=admin_service_pb2.ACCESS_ROLE_WRITE)
    wire.CreateApiKey(admin_service_pb2.CreateApiKeyRequest(tenant_id=tenant_id, api_key=key))
    request = admin_service_pb2.DeleteTenantRequest(tenant_id=tenant_id, request_id=str(uuid.uuid4()))
    begun = wire.DeleteTenant(request)
    wire.GetErasureReceipt(
        pb.GetErasureReceiptRequest(erasure_id=begun.erasure_id, wait=Duration(seconds=30)), only=told
    )
    found = wire.refused("GetTenant", admin_service_pb2.GetTenantRequest(tenant_id=tenant_id))
    assert (found.code, found.reason) == NOT_FOUND
    assert wire.DeleteTenant(request).replayed
    for other in ("default", "", "no-such-tenant"):
        wire.refused("DeleteTenant", admin_service_pb2.DeleteTenantRequest(tenant_id=other))
