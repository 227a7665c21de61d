"""Reads by id and by page, straight from the store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from mnemic import _core
from mnemic.engine.pages import decode_page_token, encode_page_token, malformed_page_token, request_digest
from mnemic.engine.restriction import is_implied, narrowed, restriction_filter
from mnemic.engine.searching import both_of, compile_filter
from mnemic.engine.settings import Limits
from mnemic.engine.validation import check_ids_filter, check_memory_id, check_scope, check_times, page_size
from mnemic.model.errors import invalid_field, memory_not_found
from mnemic.model.memory import Memory, MemoryRevision
from mnemic.model.requests import ListRequest, MemoryPage, ScopePage
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.interface import Store

_LIST_DEFAULT = 50
_SCOPES_DEFAULT = 100
# A filtered page looks at so many memories at most and is then sent as it is, with a token to go on.
_MAX_FILTERED = 20_000
_FILTER_BATCH = 1_000
# The memory id and version of the last entry of a page.
_Position = tuple[str, int]


class Reader:
    """Answers reads. An id of another tenant or scope answers exactly like an absent one."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    def get(self, tenant: str, memory_id: str, *, scope: Scope | None, within: Scope, with_vector: bool) -> Memory:
        """One memory; see `mnemic.v1.MemoryService.GetMemory`."""
        memory_id = check_memory_id(memory_id)
        found = self._find(tenant, [memory_id], scope, within, with_vectors=with_vector)
        if memory_id not in found:
            raise memory_not_found(memory_id)
        return found[memory_id]

    def batch_get(
        self, tenant: str, memory_ids: Sequence[str], *, scope: Scope | None, within: Scope, with_vectors: bool
    ) -> tuple[list[Memory], list[str]]:
        """Those found, in the order asked, and the ids that were not."""
        if not memory_ids:
            raise invalid_field("memory_ids", "is empty; give 1 or more ids")
        limit = self._limits.ids_per_batch
        if len(memory_ids) > limit:
            raise invalid_field("memory_ids", f"has {len(memory_ids)} entries; at most {limit} are accepted")
        wanted = [check_memory_id(value, f"memory_ids[{position}]") for position, value in enumerate(memory_ids)]
        found = self._find(tenant, wanted, scope, within, with_vectors=with_vectors)
        return [found[value] for value in wanted if value in found], [value for value in wanted if value not in found]

    def _find(
        self, tenant: str, memory_ids: Sequence[str], scope: Scope | None, within: Scope, *, with_vectors: bool
    ) -> dict[str, Memory]:
        if scope is not None:
            check_scope(scope)
        found = self._store.get(tenant, memory_ids, with_vectors=with_vectors)
        if scope is None and within.is_empty:
            return found
        return {key: memory for key, memory in found.items() if _is_in(memory, scope, within)}

    def history(self, tenant: str, memory_id: str, *, scope: Scope | None, within: Scope) -> list[MemoryRevision]:
        """All versions, oldest first; see `mnemic.v1.MemoryService.GetMemoryHistory`."""
        memory_id = check_memory_id(memory_id)
        if scope is not None:
            check_scope(scope)
        entries = self._store.history(tenant, memory_id)
        if not entries or not _is_in(entries[-1].memory, scope, within):
            raise memory_not_found(memory_id)
        return entries

    def list_memories(self, tenant: str, request: ListRequest, *, within: Scope) -> MemoryPage:
        """One page; see `mnemic.v1.MemoryService.ListMemories`."""
        check_scope(request.scope, request.match)
        if request.as_of_micros is not None:
            check_times(request.as_of_micros, None, "as_of")
        size = page_size(request.page_size, _LIST_DEFAULT)
        compiled = None if request.filter is None else compile_filter(request.filter)
        scope = narrowed(request.scope, request.match, within)
        digest = request_digest(
            "list",
            tenant,
            within,
            request.scope,
            request.match,
            request.filter,
            request.as_of_micros,
            request.include_superseded,
            request.include_expired,
        )
        before = _position(decode_page_token(request.page_token, digest)) if request.page_token else None
        revision = self._store.revision()
        if scope is None:
            return MemoryPage((), "", revision)
        if not is_implied(scope, request.match, within):
            compiled = both_of(compiled, compile_filter(restriction_filter(within)))
        request = replace(request, scope=scope)
        memories, last = self._page(tenant, request, compiled, size, before)
        token = encode_page_token(digest, [last[0], str(last[1])]) if last is not None else ""
        return MemoryPage(tuple(memories), token, revision)

    def _page(
        self, tenant: str, request: ListRequest, compiled: _core.Filter | None, size: int, before: _Position | None
    ) -> tuple[list[Memory], _Position | None]:
        """The page's memories and where it ended, None when nothing is left."""
        now = time.time_ns() // 1000
        page: list[Memory] = []
        looked_at = 0
        while True:
            limit = size + 1 if compiled is None else _FILTER_BATCH
            found = self._store.list_memories(
                tenant,
                request.scope,
                request.match,
                limit=limit,
                now_micros=now,
                before_id=before[0] if before else None,
                before_version=before[1] if before else None,
                as_of_micros=request.as_of_micros,
                include_superseded=request.include_superseded,
                include_expired=request.include_expired,
                with_vectors=request.with_vectors,
            )
            for memory in found:
                if len(page) == size:
                    return page, before
                before = (memory.memory_id, memory.version)
                if compiled is None or compiled.matches(memory):
                    page.append(memory)
            looked_at += len(found)
            if len(found) < limit:
                return page, None
            if looked_at >= _MAX_FILTERED:
                return page, before

    def list_scopes(self, tenant: str, scope: Scope, *, within: Scope, size: int, token: str) -> ScopePage:
        """One page; see `mnemic.v1.MemoryService.ListScopes`."""
        check_ids_filter(scope)
        size = page_size(size, _SCOPES_DEFAULT)
        digest = request_digest("scopes", tenant, within, scope)
        after = _scope_position(decode_page_token(token, digest)) if token else None
        allowed = narrowed(scope, ScopeMatch.EXACT, within)
        if allowed is None:
            return ScopePage((), "")
        found = self._store.list_scopes(tenant, allowed, limit=size + 1, after=after)
        if len(found) <= size:
            return ScopePage(tuple(found), "")
        last = found[size - 1].scope
        position = [last.user_id, last.agent_id, last.session_id, last.app_id]
        return ScopePage(tuple(found[:size]), encode_page_token(digest, position))


def _is_in(memory: Memory, scope: Scope | None, within: Scope) -> bool:
    """Whether a memory carries the ids asked for and those of the credential's restriction."""
    asked = scope is None or scope.selects(memory.scope, ScopeMatch.EXACT)
    return asked and within.selects(memory.scope, ScopeMatch.EXACT)


def _position(parts: list[str | None]) -> _Position:
    match parts:
        case [str(memory_id), str(version)] if version.isdecimal():
            return memory_id, int(version)
        case _:
            raise malformed_page_token()


def _scope_position(parts: list[str | None]) -> Scope:
    match parts:
        case [user_id, agent_id, session_id, app_id]:
            return Scope(user_id, agent_id, session_id, app_id)
        case _:
            raise malformed_page_token()
