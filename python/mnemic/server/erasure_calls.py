"""The RPCs of LifecycleService that destroy, and those that tell of it."""

from __future__ import annotations

from mnemic.engine.engine import Engine
from mnemic.model.erasure import ErasureRequest, ErasureTarget
from mnemic.model.errors import invalid_field
from mnemic.server import from_proto
from mnemic.server.calls import Call
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.wire.erasure import erasure_to_proto, receipt_to_proto
from mnemic.wire.values import scope_from_proto


class ErasureCalls:
    """What the contract says of erasure, over the engine."""

    _engine: Engine

    def erase_scope(self, request: pb.EraseScopeRequest, call: Call) -> pb.EraseScopeResponse:
        """Destroys memories in every place that holds them."""
        asked = ErasureRequest(
            target=_target(request),
            reason=request.reason,
            requested_by=request.requested_by or call.caller.subject,
            request_id=request.request_id,
        )
        if request.validate_only:
            found = self._engine.erasure.preview(call.tenant, asked, within=call.within)
            return pb.EraseScopeResponse(erasure=erasure_to_proto(found))
        result = self._engine.erasure.erase(call.tenant, asked, within=call.within, deadline=call.deadline)
        return pb.EraseScopeResponse(
            erasure=erasure_to_proto(result.erasure),
            receipt=receipt_to_proto(result.receipt),
            replayed=result.replayed,
        )

    def get_erasure_receipt(self, request: pb.GetErasureReceiptRequest, call: Call) -> pb.GetErasureReceiptResponse:
        """The state of an erasure, and its receipt once it is done."""
        result = self._engine.erasure.get(
            call.tenant,
            erasure_id=request.erasure_id,
            request_id=request.request_id,
            wait_seconds=from_proto.seconds(request.wait, "wait") if request.HasField("wait") else 0.0,
            deadline=call.deadline,
        )
        return pb.GetErasureReceiptResponse(
            erasure=erasure_to_proto(result.erasure), receipt=receipt_to_proto(result.receipt)
        )

    def list_erasures(self, request: pb.ListErasuresRequest, call: Call) -> pb.ListErasuresResponse:
        """One page of the tenant's erasures."""
        page = self._engine.erasure.list_erasures(call.tenant, size=request.page_size, token=request.page_token)
        return pb.ListErasuresResponse(
            erasures=[erasure_to_proto(erasure) for erasure in page.erasures], next_page_token=page.next_page_token
        )


def _target(request: pb.EraseScopeRequest) -> ErasureTarget:
    match request.WhichOneof("target"):
        case "scope":
            return ErasureTarget(scope=scope_from_proto(request.scope))
        case "memory_id":
            if not request.memory_id:
                raise invalid_field("memory_id", "is empty; give the id of a memory")
            return ErasureTarget(memory_id=request.memory_id)
        case "whole_tenant":
            if not request.whole_tenant:
                raise invalid_field("whole_tenant", "must be true, or left out")
            return ErasureTarget(whole_tenant=True)
        case _:
            raise invalid_field("target", "needs exactly one of scope, memory_id and whole_tenant")
