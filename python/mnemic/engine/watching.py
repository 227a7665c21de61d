"""Watching memories change: woken by commits, told from the store."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import groupby
from types import TracebackType
from typing import Self

from mnemic import _core
from mnemic.engine.live_index import LiveIndex
from mnemic.engine.restriction import NO_RESTRICTION, is_implied, narrowed, restriction_filter
from mnemic.engine.searching import both_of, compile_filter
from mnemic.engine.settings import Limits
from mnemic.engine.validation import check_watch
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.memory import MemoryRevision
from mnemic.model.scope import PartitionKey, Scope, ScopeMatch
from mnemic.model.watching import WatchedChanges, WatchRequest
from mnemic.store.changes import ChangePosition
from mnemic.store.interface import Store

# What is read from the store at once, and what is told at once: a commit of more comes in pieces.
_PAGE = 256
_PIECE = 128
_PIECE_BYTES = 1024 * 1024
# A credential that is no longer good ends a watch within this time, however seldom its heartbeat.
_CHECK_SECONDS = 10.0


class Watching:
    """Opens watches."""

    def __init__(self, store: Store, index: LiveIndex, limits: Limits) -> None:
        self._store = store
        self._index = index
        self._limits = limits

    def open(
        self,
        tenant: str,
        request: WatchRequest,
        *,
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> Watch:
        """Begins to watch; see `mnemic.v1.MemoryService.WatchMemories`. What is committed from now on is not missed.

        Raises:
            MnemicError: INVALID_FIELD, SCOPE_MISSING or INVALID_FILTER for a bad request; REVISION_NOT_REACHED when
                this node does not reach `after_revision` in time; PERMISSION_DENIED for more than the credential may.
        """
        check_watch(request)
        compiled = None if request.filter is None else compile_filter(request.filter)
        scope = narrowed(request.scope, request.match, within)
        if scope is not None and not is_implied(scope, request.match, within):
            compiled = both_of(compiled, compile_filter(restriction_filter(within)))
        if request.after_revision > self._index.revision:
            self._index.wait_for(
                request.after_revision, deadline, self._limits.revision_wait_seconds, field="after_revision"
            )
        return Watch(self._store, self._index, tenant, request, scope, compiled)


class Watch:
    """One watch; for one thread at a time, but `wake` is for any. Use it as a context manager.

    It keeps its position and a page at most: whoever reads slowly is told the rest from the store.

    Attributes:
        revision: Everything up to it was taken.
    """

    def __init__(
        self,
        store: Store,
        index: LiveIndex,
        tenant: str,
        request: WatchRequest,
        scope: Scope | None,
        compiled: _core.Filter | None,
    ) -> None:
        self._store = store
        self._index = index
        self._tenant = tenant
        self._scope = scope
        self._match = request.match
        self._filter = compiled
        self._heartbeat_seconds = request.heartbeat_seconds
        self._partitions = frozenset[PartitionKey]() if scope is None else _partitions(tenant, scope, request.match)
        # First the subscription and then the revision, or what comes in between would be missed.
        self._subscription = index.announcer.subscribe(tenant, self._partitions)
        is_from_now = not request.after_revision and not request.from_start
        self._position = ChangePosition(index.revision if is_from_now else request.after_revision)
        self.revision = self._position.revision
        self._is_behind = not is_from_now
        self._pieces: deque[WatchedChanges] = deque()

    def wake(self) -> None:
        """Ends a wait at once, so that its `check` is asked."""
        self._subscription.wake()

    def run(self, check: Callable[[], bool], deadline: Deadline = NO_DEADLINE) -> Iterator[WatchedChanges]:
        """Tells what changes, and by heartbeats that nothing does; the first thing at once.

        Args:
            check: Asked again and again whether to go on; may raise.
            deadline: Until when; after it DEADLINE_EXCEEDED is raised.
        """
        beat = time.monotonic()
        while check():
            deadline.check()
            was_behind = self._is_behind
            wait = min(max(beat - time.monotonic(), 0.0), _CHECK_SECONDS)
            remaining = deadline.remaining()
            changes = self.take(wait if remaining is None else min(wait, remaining))
            # Whoever catches up is told when it has, also where the last of it did not concern it.
            has_caught_up = was_behind and not self._is_behind
            if changes is None and not has_caught_up and time.monotonic() < beat:
                continue
            if not check():
                # It may have ended while this was waited for.
                return
            beat = time.monotonic() + self._heartbeat_seconds
            yield WatchedChanges((), self.revision) if changes is None else changes

    def take(self, seconds: float) -> WatchedChanges | None:
        """The next changes; None if there are none within so long, or it was woken, or looked at enough for once."""
        if not self._pieces:
            self._read(seconds)
        changes = self._pieces.popleft() if self._pieces else None
        self.revision = self._position.revision if changes is None else changes.revision
        return changes

    def _read(self, seconds: float) -> None:
        if not self._is_behind:
            self._is_behind, revision = self._subscription.wait(seconds)
            if not self._is_behind:
                self._position = ChangePosition(max(revision, self._position.revision))
                return
        page = self._store.changes(
            self._tenant, self._partitions, self._position, until_revision=self._index.revision, limit=_PAGE
        )
        self._is_behind = not page.is_last
        self._position = page.position
        self._pieces.extend(_pieces([entry for entry in page.changes if self._is_wanted(entry)], page.position))

    def _is_wanted(self, entry: MemoryRevision) -> bool:
        if self._scope is None or not self._scope.selects(entry.memory.scope, self._match):
            return False
        return self._filter is None or self._filter.matches(entry.memory)

    def close(self) -> None:
        """Ends it."""
        self._subscription.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _partitions(tenant: str, scope: Scope, match: ScopeMatch) -> frozenset[PartitionKey] | None:
    """Where what is watched can lie; None for anywhere in the tenant."""
    if match is ScopeMatch.VISIBLE:
        return frozenset(PartitionKey(tenant, *owner) for owner in scope.owners())
    if match is ScopeMatch.EXACT and scope.user_id is not None:
        return frozenset({scope.partition(tenant)})
    return None


def _pieces(changes: list[MemoryRevision], position: ChangePosition) -> Iterator[WatchedChanges]:
    """A page as it is told: no piece has changes of two commits, and the last of a commit has its revision."""
    for revision, group in groupby(changes, key=lambda entry: entry.revision):
        piece: list[MemoryRevision] = []
        size = 0
        for entry in group:
            length = len(entry.memory.body.encode())
            if piece and (len(piece) == _PIECE or size + length > _PIECE_BYTES):
                yield WatchedChanges(tuple(piece), revision - 1)
                piece, size = [], 0
            piece.append(entry)
            size += length
        yield WatchedChanges(tuple(piece), min(revision, position.revision))
