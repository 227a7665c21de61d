"""Exports and imports as messages of the contract."""

from __future__ import annotations

from mnemic.model.transfer import (
    ExportPiece,
    ExportRequest,
    ExportSummary,
    ImportProblem,
    ImportProgress,
    ImportRequest,
)
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.v1 import resources_pb2
from mnemic.wire.values import filter_to_proto, scope_to_proto

# Numbers of the domain's enums typed as the wire's; at run time each is `int`.
_Match = resources_pb2.ScopeMatch.ValueType
_Format = pb.TransferFormat.ValueType


def export_message(request: ExportRequest) -> pb.ExportMemoriesRequest:
    """The message of an export."""
    return pb.ExportMemoriesRequest(
        scope=scope_to_proto(request.scope),
        match=_Match(request.match),
        filter=None if request.filter is None else filter_to_proto(request.filter),
        format=_Format(request.format),
        include_history=request.include_history,
        include_vectors=request.include_vectors,
        resume_token=request.resume_token,
    )


def export_piece(message: pb.ExportMemoriesResponse) -> ExportPiece:
    """A piece of an export."""
    summary = None
    if message.HasField("summary"):
        summary = ExportSummary(message.summary.memory_count, message.summary.byte_count, message.summary.sha256)
    return ExportPiece(message.data, message.resume_token, message.exported_count, message.revision, summary)


def import_configuration(request: ImportRequest) -> pb.ImportConfiguration:
    """What the first message of an import says."""
    override = request.override_scope
    return pb.ImportConfiguration(
        format=_Format(request.format),
        default_scope=None if request.default_scope.is_empty else scope_to_proto(request.default_scope),
        override_scope=None if override is None else scope_to_proto(override),
        extract=request.extract,
        keep_vectors=request.keep_vectors,
        validate_only=request.validate_only,
        skip_count=request.skip_count,
        stop_on_error=request.stop_on_error,
        request_id=request.request_id,
    )


def import_progress(message: pb.ImportMemoriesResponse) -> ImportProgress:
    """How far an import is."""
    return ImportProgress(
        processed_count=message.processed_count,
        added_count=message.added_count,
        duplicate_count=message.duplicate_count,
        error_count=message.error_count,
        errors=tuple(ImportProblem(item.item_index, item.reason, item.message) for item in message.errors),
        revision=message.revision,
        done=message.done,
        replayed=message.replayed,
    )
