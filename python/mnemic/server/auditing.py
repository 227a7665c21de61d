"""What of a call is audited: who calls, what kind of thing it does, and what it is about."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
import structlog
from google.protobuf.message import Message

from mnemic.engine.auditing import Audit
from mnemic.model.audit import AuditAction, AuditNote
from mnemic.model.errors import MnemicError
from mnemic.server.authentication import Caller
from mnemic.wire.values import scope_from_proto

_log = structlog.get_logger("mnemic.audit")
_OURS = "/mnemic.v1."
_WRITES = frozenset(
    {"AddMemories", "IngestMemories", "UpdateMemory", "DeleteMemory", "RestoreMemory", "ImportMemories"}
)
_ERASURES = frozenset({"EraseScope", "DeleteTenant"})
_READING = ("Get", "BatchGet", "List", "Search", "BatchSearch", "Compose", "Watch", "Preview", "Export")
# Reads that are entered wherever writes are: who leaves with everything is to be seen.
_EXPORTS = frozenset({"ExportMemories", "ExportAuditLog"})
# Where an answer names memories: the field, and the field in it that has the id.
_ANSWERS = (("hits", "memory_id"), ("memories", "memory_id"), ("memory", "memory_id"), ("memory_ids", ""))


def action_of(method_name: str) -> AuditAction:
    """What kind of thing a method does, by its name."""
    if method_name in _WRITES:
        return AuditAction.WRITE
    if method_name in _ERASURES:
        return AuditAction.ERASE
    return AuditAction.READ if method_name.startswith(_READING) else AuditAction.ADMINISTER


class AuditTrail:
    """Notes calls and has them entered.

    Args:
        audit: The log.
    """

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def begin(self, path: str, call_id: str, caller: Caller) -> AuditNote | None:
        """The note of a call that has begun; None if calls of its kind are not entered."""
        if not path.startswith(_OURS):
            return None
        name = path.rpartition("/")[2]
        action = action_of(name)
        if not (self._audit.wants(action) or (name in _EXPORTS and self._audit.writes)):
            return None
        return AuditNote(tenant=caller.tenant, principal=caller.subject, action=action, method=path, call_id=call_id)

    def end(self, note: AuditNote, code: str) -> None:
        """Enters a call that has ended.

        Raises:
            MnemicError: It succeeded and cannot be entered. That a failed one cannot be is in the log.
        """
        try:
            self._audit.enter(note, grpc.StatusCode[code].value[0])
        except MnemicError as error:
            if code == "OK":
                raise
            _log.warning("audit_entry_lost", method=note.method, code=code, call_id=note.call_id, error=str(error))


def note_request(note: AuditNote | None, request: Message) -> None:
    """Notes which ids a request names."""
    if note is None:
        return
    inner: Message = request
    if "search" in request.DESCRIPTOR.fields_by_name:
        inner = request.search  # type: ignore[attr-defined]  # it has the field
    field = inner.DESCRIPTOR.fields_by_name.get("scope")
    if field is not None and field.message_type is not None and inner.HasField("scope"):
        note.scope = scope_from_proto(inner.scope)  # type: ignore[attr-defined]  # it has the field


def note_answer(note: AuditNote | None, answer: Message) -> None:
    """Notes which memories an answer to a read holds."""
    if note is not None and note.action is AuditAction.READ:
        results = answer.results if "results" in answer.DESCRIPTOR.fields_by_name else (answer,)  # type: ignore[attr-defined]  # it has the field
        note.memory_ids = [memory_id for result in results for memory_id in _ids_in(result)]


def _ids_in(answer: Message) -> Iterable[str]:
    fields = answer.DESCRIPTOR.fields_by_name
    for name, inner in _ANSWERS:
        if name not in fields:
            continue
        value = getattr(answer, name)
        if not inner:
            yield from value
        elif fields[name].is_repeated:
            yield from (getattr(item, inner) for item in value)
        else:
            yield getattr(value, inner)
