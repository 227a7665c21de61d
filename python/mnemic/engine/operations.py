"""Following the work behind the answers, and taking up again what was given up."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence

from mnemic.engine.extracting import Extraction
from mnemic.engine.pages import decode_page_token, encode_page_token, malformed_page_token, request_digest
from mnemic.engine.replay import fingerprint_of, kept_answer, same_contents
from mnemic.engine.validation import check_request_id, page_size
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.operations import DeadLetter, DeadLetterPage, Operation, OperationState, ReplayResult, WorkKind
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.interface import Mutation, RequestIdTakenError, RequestRecord, Store
from mnemic.store.work import OutboxKind, OutboxState, WorkState

LONGEST_WAIT_SECONDS = 60.0
_DEFAULT_PAGE = 100
_MOST_IDS = 1000
# Another process may have done it; and a retry comes due without anybody saying so.
_LOOK_AGAIN_SECONDS = 1.0
_METHOD = "ReplayDeadLetters"
_KINDS = {WorkKind.EMBED: OutboxKind.EMBED, WorkKind.EXTRACT: OutboxKind.EXTRACT}
_WORK_KINDS = {kind: work for work, kind in _KINDS.items()}
_STATES = {
    OutboxState.PENDING: OperationState.PENDING,
    OutboxState.RUNNING: OperationState.RUNNING,
    OutboxState.DONE: OperationState.DONE,
    OutboxState.FAILED: OperationState.FAILED,
}
# The state of an operation is the first of these that one of its pieces has.
_FOREMOST = (OutboxState.RUNNING, OutboxState.PENDING, OutboxState.FAILED, OutboxState.DONE)


class Operations:
    """Answers what became of work. An operation of another tenant or scope answers exactly like an absent one."""

    def __init__(self, store: Store, extraction: Extraction) -> None:
        self._store = store
        self._extraction = extraction

    def get(
        self, tenant: str, operation_id: str, *, wait_seconds: float, within: Scope, deadline: Deadline
    ) -> Operation:
        """How far an operation is; see `mnemic.v1.MemoryService.GetOperation`."""
        if wait_seconds < 0:
            raise invalid_field("wait", "is negative; give how long to wait, or leave it out")
        try:
            operation_id = str(uuid.UUID(operation_id))
        except (ValueError, AttributeError, TypeError):
            description = (
                f"{str(operation_id)[:64]!r} is not the id of an operation; they are UUIDs, as adds answer them"
            )
            raise invalid_field("operation_id", description) from None
        self._require_within(tenant, operation_id, within)
        until = time.monotonic() + min(wait_seconds, LONGEST_WAIT_SECONDS)
        while True:
            generation = self._extraction.generation
            found = _operation_of(operation_id, self._store.operation(tenant, operation_id))
            seconds = until - time.monotonic()
            remaining = deadline.remaining()
            if found.has_ended or seconds <= 0 or (remaining is not None and remaining <= 0):
                return found
            seconds = min(seconds, _LOOK_AGAIN_SECONDS)
            self._extraction.wait_for_change(generation, seconds if remaining is None else min(seconds, remaining))

    def _require_within(self, tenant: str, operation_id: str, within: Scope) -> None:
        states = self._store.operation(tenant, operation_id)
        if states and not within.is_empty:
            ids = states[0].memory_ids[:1]
            found = self._store.get(tenant, ids, include_deleted=True)
            states = [
                state for state in states if all(within.selects(m.scope, ScopeMatch.EXACT) for m in found.values())
            ]
        if not states:
            raise MnemicError(
                Reason.RESOURCE_NOT_FOUND,
                f"no operation {operation_id!r} here; what was done is kept for a day",
                metadata={"operation_id": operation_id},
            )

    def dead_letters(self, tenant: str, kind: WorkKind | None, *, size: int, token: str) -> DeadLetterPage:
        """One page of what was given up; see `mnemic.v1.AdminService.ListDeadLetters`."""
        size = page_size(size, _DEFAULT_PAGE)
        digest = request_digest("dead letters", tenant, kind)
        after = _position(decode_page_token(token, digest)) if token else 0
        asked = None if kind is None else _KINDS[kind]
        found = self._store.dead_letters(tenant, asked, limit=size + 1, after=after)
        page = found[:size]
        following = encode_page_token(digest, [str(page[-1].item_id)]) if len(found) > size else ""
        return DeadLetterPage(tuple(map(_dead_letter_of, page)), following)

    def replay(
        self, tenant: str, operation_ids: Sequence[str], kind: WorkKind | None, *, caller: str, request_id: str
    ) -> ReplayResult:
        """Puts work back into the queue; see `mnemic.v1.AdminService.ReplayDeadLetters`."""
        check_request_id(request_id)
        if operation_ids and kind is not None:
            raise invalid_field("kind", "cannot be given together with operation_ids")
        if len(operation_ids) > _MOST_IDS:
            raise invalid_field("operation_ids", f"has {len(operation_ids)} entries; at most {_MOST_IDS} are accepted")
        fingerprint = fingerprint_of("replay", tenant, tuple(operation_ids), kind)
        kept = self._store.find_request(caller, _METHOD, request_id) if request_id else None
        if kept is not None:
            return _replayed(same_contents(kept, fingerprint))
        item_ids, missing = self._items_of(tenant, operation_ids)
        mutation = Mutation(
            caller=caller,
            request=kept_answer(_METHOD, request_id, fingerprint, None),
            now_micros=time.time_ns() // 1000,
        )
        try:
            count = self._store.replay_dead_letters(
                tenant,
                None if kind is None else _KINDS[kind],
                item_ids if operation_ids else None,
                lambda count: json.dumps([count, missing]),
                mutation,
            )
        except RequestIdTakenError as taken:
            return _replayed(same_contents(taken.record, fingerprint))
        self._extraction.wake()
        return ReplayResult(count, tuple(missing))

    def _items_of(self, tenant: str, operation_ids: Sequence[str]) -> tuple[list[int], list[str]]:
        item_ids: list[int] = []
        missing: list[str] = []
        for operation_id in dict.fromkeys(operation_ids):
            if operation_id.isdecimal() and len(operation_id) < len(str(1 << 62)):
                # Work that no add named is known by its number.
                found = self._store.dead_letters(tenant, None, limit=1, after=int(operation_id) - 1)
                found = [state for state in found if _id_of(state) == operation_id]
            else:
                found = [s for s in self._store.operation(tenant, operation_id) if s.state is OutboxState.FAILED]
            item_ids.extend(state.item_id for state in found)
            if not found:
                missing.append(operation_id)
        return item_ids, missing


def _operation_of(operation_id: str, states: Sequence[WorkState]) -> Operation:
    if not states:
        # Its state was forgotten while somebody waited: it had been done for a day.
        return Operation(operation_id=operation_id, state=OperationState.DONE)
    foremost = next(state for state in _FOREMOST if any(work.state is state for work in states))
    return Operation(
        operation_id=operation_id,
        state=_STATES[foremost],
        attempts=max(work.attempts for work in states),
        last_error=next((work.last_error for work in states if work.last_error), ""),
        memory_ids=tuple(dict.fromkeys(memory_id for work in states for memory_id in work.made_ids)),
        revision=max(work.revision for work in states),
        next_attempt_time_micros=min(
            (work.due_micros for work in states if work.state is OutboxState.PENDING and work.due_micros is not None),
            default=None,
        ),
    )


def _id_of(work: WorkState) -> str:
    return work.operation_id or str(work.item_id)


def _dead_letter_of(work: WorkState) -> DeadLetter:
    return DeadLetter(
        operation_id=_id_of(work),
        tenant=work.tenant,
        kind=_WORK_KINDS[work.kind],
        memory_ids=work.memory_ids,
        attempts=work.attempts,
        last_error=work.last_error,
        create_time_micros=work.create_time_micros,
        fail_time_micros=work.end_time_micros,
    )


def _replayed(record: RequestRecord) -> ReplayResult:
    count, missing = json.loads(record.response)
    return ReplayResult(count, tuple(missing), replayed=True)


def _position(parts: list[str | None]) -> int:
    match parts:
        case [str(item_id)] if item_id.isdecimal():
            return int(item_id)
        case _:
            raise malformed_page_token()
