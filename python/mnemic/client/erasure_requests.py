"""What clients ask of erasure, and how they read the answers."""

from __future__ import annotations

from typing import Unpack

from mnemic.client.calls import Call
from mnemic.client.encodable import encodable
from mnemic.client.options import ScopeOptions
from mnemic.client.requests import scope_of
from mnemic.model.erasure import ErasurePage, ErasureRequest, ErasureResult, ErasureTarget
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.wire.erasure import erasure_from_proto, receipt_from_proto
from mnemic.wire.values import scope_to_proto


class EraseOptions(ScopeOptions, total=False):
    """What to destroy, and what the receipt says. The ids select every memory that carries them.

    Attributes:
        memory_id: One memory instead, with everything derived from it.
        whole_tenant: Everything of the tenant instead.
        reason: Why, for the receipt; it must not name the person.
        requested_by: Who asked, for the receipt.
        request_id: A UUID that makes a retry safe, and names the erasure to wait for.
    """

    memory_id: str
    whole_tenant: bool
    reason: str
    requested_by: str
    request_id: str


def erasure_request(
    *,
    memory_id: str = "",
    whole_tenant: bool = False,
    reason: str = "",
    requested_by: str = "",
    request_id: str = "",
    **ids: Unpack[ScopeOptions],
) -> ErasureRequest:
    """The erasure that `EraseOptions` describe."""
    scope = scope_of(**ids)
    target = ErasureTarget(scope=None if scope.is_empty else scope, memory_id=memory_id, whole_tenant=whole_tenant)
    return ErasureRequest(target=target, reason=reason, requested_by=requested_by, request_id=request_id)


def erase(request: ErasureRequest, *, validate_only: bool) -> Call[ErasureResult]:
    """EraseScope."""
    target = request.target
    with encodable():
        message = pb.EraseScopeRequest(
            reason=request.reason,
            requested_by=request.requested_by,
            request_id=request.request_id,
            validate_only=validate_only,
        )
        # More than one of them, or none, is for the server to refuse as the engine does.
        if target.scope is not None and not target.memory_id and not target.whole_tenant:
            message.scope.CopyFrom(scope_to_proto(target.scope))
        elif target.memory_id and target.scope is None and not target.whole_tenant:
            message.memory_id = target.memory_id
        elif target.whole_tenant and target.scope is None and not target.memory_id:
            message.whole_tenant = True
    return Call("EraseScope", message, _result, is_lifecycle=True)


def find_erasure(erasure_id: str, request_id: str, wait: float) -> Call[ErasureResult]:
    """GetErasureReceipt."""
    with encodable():
        message = pb.GetErasureReceiptRequest()
        if erasure_id and not request_id:
            message.erasure_id = erasure_id
        elif request_id and not erasure_id:
            message.request_id = request_id
        if wait:
            message.wait.FromMicroseconds(round(wait * 1e6))
    return Call("GetErasureReceipt", message, _result, is_lifecycle=True)


def list_erasures(page_size: int, page_token: str) -> Call[ErasurePage]:
    """ListErasures."""
    with encodable():
        message = pb.ListErasuresRequest(page_size=page_size, page_token=page_token)
    return Call("ListErasures", message, _page, is_lifecycle=True)


def _result(answer: pb.EraseScopeResponse | pb.GetErasureReceiptResponse) -> ErasureResult:
    receipt = receipt_from_proto(answer.receipt) if answer.HasField("receipt") else None
    replayed = answer.replayed if isinstance(answer, pb.EraseScopeResponse) else False
    return ErasureResult(erasure_from_proto(answer.erasure), receipt, replayed)


def _page(answer: pb.ListErasuresResponse) -> ErasurePage:
    return ErasurePage(tuple(map(erasure_from_proto, answer.erasures)), answer.next_page_token)
