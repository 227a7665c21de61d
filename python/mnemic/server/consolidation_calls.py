"""The RPC of LifecycleService that merges facts that say the same."""

from __future__ import annotations

from mnemic.engine.engine import Engine
from mnemic.server import to_proto
from mnemic.server.calls import Call
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.wire.values import scope_from_proto


class ConsolidationCalls:
    """What the contract says of consolidation, over the engine."""

    _engine: Engine

    def consolidate_scope(self, request: pb.ConsolidateScopeRequest, call: Call) -> pb.ConsolidateScopeResponse:
        """Merges facts that say the same."""
        result = self._engine.consolidation.consolidate(
            call.tenant,
            scope_from_proto(request.scope),
            validate_only=request.validate_only,
            sample_size=request.sample_size if request.HasField("sample_size") else None,
            request_id=request.request_id,
            within=call.within,
            deadline=call.deadline,
        )
        report = result.report
        return pb.ConsolidateScopeResponse(
            report=pb.ConsolidationReport(
                examined_count=report.examined_count,
                kept_count=report.kept_count,
                merged_count=report.merged_count,
                changed_count=report.changed_count,
                samples=[
                    pb.ConsolidationSample(
                        kept=to_proto.memory(sample.kept), merged=map(to_proto.memory, sample.merged)
                    )
                    for sample in report.samples
                ],
            ),
            revision=result.revision,
            replayed=result.replayed,
        )
