"""LifecycleService: leaving and coming."""

from __future__ import annotations

from collections.abc import Iterator

from mnemic.engine.engine import Engine
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.transfer import (
    MAX_PIECE_BYTES,
    ExportPiece,
    ExportRequest,
    ImportProgress,
    ImportRequest,
    TransferFormat,
)
from mnemic.server.activity import shutting_down
from mnemic.server.calls import Call, parse
from mnemic.server.from_proto import enum_value, filter_condition, scope_match
from mnemic.v1 import lifecycle_service_pb2 as pb
from mnemic.wire.values import scope_from_proto


class TransferCalls:
    """The RPCs of files; part of `LifecycleService`."""

    _engine: Engine

    def export_memories(self, request: pb.ExportMemoriesRequest, call: Call) -> Iterator[pb.ExportMemoriesResponse]:
        """Streams a file of memories."""
        asked = ExportRequest(
            scope=scope_from_proto(request.scope),
            match=scope_match(request.match),
            filter=filter_condition(request.filter) if request.HasField("filter") else None,
            format=enum_value(TransferFormat, request.format, "format", unspecified=TransferFormat.JSONL),
            include_history=request.include_history,
            include_vectors=request.include_vectors,
            resume_token=request.resume_token,
        )
        for piece in self._engine.transfer.export_memories(call.tenant, asked, within=call.within):
            _check(call)
            yield _piece(piece)

    def import_memories(self, requests: Iterator[bytes], call: Call) -> Iterator[pb.ImportMemoriesResponse]:
        """Takes in a file, whose next bytes are read when those before are dealt with: the client is held back."""
        first = next(requests, None)
        configured = None if first is None else parse(pb.ImportMemoriesRequest, first)
        if configured is None or configured.WhichOneof("payload") != "configuration":
            raise invalid_field("configuration", "is missing; the first request says what the file is")
        answers = self._engine.transfer.import_memories(
            call.tenant,
            _import_request(configured.configuration),
            _chunks(requests, call),
            within=call.within,
            deadline=call.deadline,
        )
        return map(_progress, answers)


def _check(call: Call) -> None:
    if call.draining.is_set():
        raise shutting_down()
    call.deadline.check()
    # The stream may outlive its credential.
    call.caller.check()


def _chunks(requests: Iterator[bytes], call: Call) -> Iterator[bytes]:
    for received in requests:
        _check(call)
        request = parse(pb.ImportMemoriesRequest, received)
        if request.WhichOneof("payload") != "data":
            raise invalid_field("data", "is missing; after the first request each carries bytes of the file")
        if len(request.data) > MAX_PIECE_BYTES:
            raise MnemicError(
                Reason.MESSAGE_TOO_LARGE,
                f"data: has {len(request.data)} bytes; at most {MAX_PIECE_BYTES} are accepted in one request",
                metadata={"field": "data"},
            )
        yield request.data


def _import_request(message: pb.ImportConfiguration) -> ImportRequest:
    chosen = enum_value(TransferFormat, message.format, "configuration.format", unspecified=None)
    if chosen is None:
        raise invalid_field("configuration.format", "is not said; give JSONL, PARQUET, MEM0 or CHAT")
    return ImportRequest(
        format=chosen,
        default_scope=scope_from_proto(message.default_scope),
        override_scope=scope_from_proto(message.override_scope) if message.HasField("override_scope") else None,
        extract=message.extract,
        keep_vectors=message.keep_vectors,
        validate_only=message.validate_only,
        skip_count=message.skip_count,
        stop_on_error=message.stop_on_error,
        request_id=message.request_id,
    )


def _piece(piece: ExportPiece) -> pb.ExportMemoriesResponse:
    message = pb.ExportMemoriesResponse(
        data=piece.data,
        resume_token=piece.resume_token,
        exported_count=piece.exported_count,
        revision=piece.revision,
    )
    if piece.summary is not None:
        message.summary.memory_count = piece.summary.memory_count
        message.summary.byte_count = piece.summary.byte_count
        message.summary.sha256 = piece.summary.sha256
    return message


def _progress(progress: ImportProgress) -> pb.ImportMemoriesResponse:
    return pb.ImportMemoriesResponse(
        processed_count=progress.processed_count,
        added_count=progress.added_count,
        duplicate_count=progress.duplicate_count,
        error_count=progress.error_count,
        errors=[
            pb.ImportError(item_index=problem.item_index, reason=problem.reason, message=problem.message)
            for problem in progress.errors
        ],
        revision=progress.revision,
        done=progress.done,
        replayed=progress.replayed,
    )
