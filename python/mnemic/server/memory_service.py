"""MemoryService: what the contract says of it, over the engine."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from mnemic.engine.engine import Engine
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.requests import WaitFor
from mnemic.server import from_proto, to_proto
from mnemic.server.activity import shutting_down
from mnemic.server.calls import Call, lasting, parse
from mnemic.server.masks import hit_parts, read_mask
from mnemic.server.status import ingest_error
from mnemic.server.updates import memory_update
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.wire.values import scope_from_proto

_WAITING_RETRY_SECONDS = 1.0


class MemoryService:
    """The RPCs that work; `bind_service` answers UNIMPLEMENTED for the others.

    Args:
        engine: What it answers with.
        max_workers: The threads of its server.
    """

    def __init__(self, engine: Engine, max_workers: int) -> None:
        self._engine = engine
        # Whoever waits for facts holds a thread meanwhile; half of them are left to everybody else.
        self._waiters = threading.BoundedSemaphore(max(1, max_workers // 2))

    def add_memories(self, request: pb.AddMemoriesRequest, call: Call) -> pb.AddMemoriesResponse:
        """Adds messages or texts: all of them or none."""
        wait = from_proto.wait_for(request.wait_for)
        with self._permit(waits=wait is WaitFor.EXTRACTED):
            result = self._engine.add(
                call.tenant,
                scope_from_proto(request.scope),
                from_proto.add_inputs(request),
                mode=from_proto.add_mode(request.mode),
                wait=wait,
                instructions=request.extraction_instructions,
                request_id=request.request_id,
                within=call.within,
                writer=call.caller.subject,
                deadline=call.deadline,
            )
        return to_proto.add_response(result)

    @contextmanager
    def _permit(self, *, waits: bool) -> Generator[None]:
        """Refuses to wait while as many wait as may; before anything is written."""
        if not waits:
            yield
            return
        if not self._waiters.acquire(blocking=False):
            raise MnemicError(
                Reason.OVERLOADED,
                "as many calls wait for facts as the server lets wait (half of server.max_workers); do not wait, and "
                "ask GetOperation later",
                retry_after_seconds=_WAITING_RETRY_SECONDS,
            )
        try:
            yield
        finally:
            self._waiters.release()

    def ingest_memories(self, requests: Iterator[bytes], call: Call) -> Iterator[pb.IngestMemoriesResponse]:
        """Adds step by step. The next step is read when the last is durable: flow control holds back the client."""
        for sequence, data in enumerate(requests):
            if call.draining.is_set():
                # The steps before are answered; this one and those after it were not begun.
                raise shutting_down()
            call.deadline.check()
            # The stream may outlive its credential.
            call.caller.check()
            try:
                added = self.add_memories(parse(pb.IngestMemoriesRequest, data).add, call)
            except MnemicError as error:
                if error.reason is Reason.DEADLINE_EXCEEDED:
                    raise
                yield pb.IngestMemoriesResponse(sequence=sequence, error=ingest_error(error))
            else:
                yield pb.IngestMemoriesResponse(sequence=sequence, added=added)

    def search_memories(self, request: pb.SearchMemoriesRequest, call: Call) -> pb.SearchMemoriesResponse:
        """Finds what matters to a query within a scope."""
        parts = hit_parts(request.read_mask)
        result = self._engine.search(
            call.tenant, from_proto.search_request(request), within=call.within, deadline=call.deadline
        )
        return to_proto.search_response(result, parts)

    def batch_search_memories(
        self, request: pb.BatchSearchMemoriesRequest, call: Call
    ) -> pb.BatchSearchMemoriesResponse:
        """Several searches in one call."""
        searches, parts = [], []
        for position, search in enumerate(request.searches):
            try:
                searches.append(from_proto.search_request(search))
                parts.append(hit_parts(search.read_mask))
            except MnemicError as error:
                raise error.within(f"searches[{position}]") from error
        results = self._engine.batch_search(call.tenant, searches, within=call.within, deadline=call.deadline)
        return pb.BatchSearchMemoriesResponse(
            results=[to_proto.search_response(result, asked) for result, asked in zip(results, parts, strict=True)]
        )

    def compose_context(self, request: pb.ComposeContextRequest, call: Call) -> pb.ComposeContextResponse:
        """Searches and renders the hits as a block of prompt."""
        composed = self._engine.compose(
            call.tenant, from_proto.compose_request(request), within=call.within, deadline=call.deadline
        )
        return to_proto.compose_response(composed)

    def get_memory(self, request: pb.GetMemoryRequest, call: Call) -> pb.GetMemoryResponse:
        """One memory by its id."""
        mask = read_mask(request.read_mask)
        scope = scope_from_proto(request.scope) if request.HasField("scope") else None
        memory = self._engine.get(
            call.tenant, request.memory_id, scope=scope, within=call.within, with_vector=mask.with_vector
        )
        return pb.GetMemoryResponse(memory=mask.apply(to_proto.memory(memory)))

    def batch_get_memories(self, request: pb.BatchGetMemoriesRequest, call: Call) -> pb.BatchGetMemoriesResponse:
        """Several memories by their ids."""
        mask = read_mask(request.read_mask)
        scope = scope_from_proto(request.scope) if request.HasField("scope") else None
        memories, missing = self._engine.batch_get(
            call.tenant, list(request.memory_ids), scope=scope, within=call.within, with_vectors=mask.with_vector
        )
        return pb.BatchGetMemoriesResponse(
            memories=[mask.apply(to_proto.memory(memory)) for memory in memories], missing_ids=missing
        )

    def list_memories(self, request: pb.ListMemoriesRequest, call: Call) -> pb.ListMemoriesResponse:
        """One page of a scope's memories."""
        mask = read_mask(request.read_mask)
        page = self._engine.list_memories(call.tenant, from_proto.list_request(request), within=call.within)
        return pb.ListMemoriesResponse(
            memories=[mask.apply(to_proto.memory(memory)) for memory in page.memories],
            next_page_token=page.next_page_token,
            revision=page.revision,
        )

    def update_memory(self, request: pb.UpdateMemoryRequest, call: Call) -> pb.UpdateMemoryResponse:
        """Writes a new version."""
        result = self._engine.update(
            call.tenant,
            request.memory.memory_id,
            memory_update(request),
            expected_version=request.expected_version,
            request_id=request.request_id,
            scope=scope_from_proto(request.scope) if request.HasField("scope") else None,
            within=call.within,
            deadline=call.deadline,
        )
        return pb.UpdateMemoryResponse(
            memory=to_proto.memory(result.memory), revision=result.revision, replayed=result.replayed
        )

    def delete_memory(self, request: pb.DeleteMemoryRequest, call: Call) -> pb.DeleteMemoryResponse:
        """Takes a memory out of every search."""
        result = self._engine.delete(
            call.tenant,
            request.memory_id,
            expected_version=request.expected_version,
            request_id=request.request_id,
            scope=scope_from_proto(request.scope) if request.HasField("scope") else None,
            within=call.within,
        )
        return pb.DeleteMemoryResponse(revision=result.revision, replayed=result.replayed)

    def restore_memory(self, request: pb.RestoreMemoryRequest, call: Call) -> pb.RestoreMemoryResponse:
        """Brings back a memory."""
        result = self._engine.restore(
            call.tenant,
            request.memory_id,
            request_id=request.request_id,
            scope=scope_from_proto(request.scope) if request.HasField("scope") else None,
            within=call.within,
            deadline=call.deadline,
        )
        return pb.RestoreMemoryResponse(
            memory=to_proto.memory(result.memory), revision=result.revision, replayed=result.replayed
        )

    def get_operation(self, request: pb.GetOperationRequest, call: Call) -> pb.GetOperationResponse:
        """How far the work is that an add left to do."""
        seconds = from_proto.seconds(request.wait, "wait") if request.HasField("wait") else 0.0
        with self._permit(waits=seconds > 0):
            operation = self._engine.operation(
                call.tenant, request.operation_id, wait_seconds=seconds, within=call.within, deadline=call.deadline
            )
        return to_proto.operation_response(operation)

    def get_memory_history(self, request: pb.GetMemoryHistoryRequest, call: Call) -> pb.GetMemoryHistoryResponse:
        """All versions of a memory."""
        scope = scope_from_proto(request.scope) if request.HasField("scope") else None
        revisions = self._engine.history(call.tenant, request.memory_id, scope=scope, within=call.within)
        return pb.GetMemoryHistoryResponse(revisions=[to_proto.memory_revision(entry) for entry in revisions])

    def list_scopes(self, request: pb.ListScopesRequest, call: Call) -> pb.ListScopesResponse:
        """One page of the scopes that hold memories."""
        page = self._engine.list_scopes(
            call.tenant,
            scope_from_proto(request.scope),
            within=call.within,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListScopesResponse(
            scopes=[to_proto.scope_summary(item) for item in page.scopes], next_page_token=page.next_page_token
        )

    @lasting
    def watch_memories(self, request: pb.WatchMemoriesRequest, call: Call) -> Iterator[pb.WatchMemoriesResponse]:
        """Tells the changes of a scope as they are committed."""

        def goes_on() -> bool:
            if call.draining.is_set():
                raise shutting_down()
            # The stream may outlive its credential.
            call.caller.check()
            return call.is_wanted()

        asked = from_proto.watch_request(request)
        with (
            self._engine.watching.open(call.tenant, asked, within=call.within, deadline=call.deadline) as watch,
            call.stop_waiting(watch.wake),
        ):
            for changes in watch.run(goes_on, call.deadline):
                yield to_proto.watch_response(changes)
