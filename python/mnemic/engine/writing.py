"""Writes: adds, updates and deletions, each one commit, each safe to retry by its request id."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from mnemic.engine.defending import Defence
from mnemic.engine.embedder import Embedder
from mnemic.engine.extracting import check_mode, extraction_work
from mnemic.engine.identifiers import IdentifierSource
from mnemic.engine.live_index import LiveIndex
from mnemic.engine.replay import fingerprint_of, kept_answer, reused, same_contents
from mnemic.engine.restriction import refuse_foreign_scope
from mnemic.engine.settings import Settings
from mnemic.engine.tenant_rules import TenantRules
from mnemic.engine.validation import (
    MAX_INSTRUCTIONS_BYTES,
    check_inputs,
    check_memory_id,
    check_request_id,
    check_scope,
    check_slot,
    check_text,
    check_times,
    check_update,
    check_vector,
)
from mnemic.engine.versions import added, content_hash, embedding_work, kept_add, new_memory, standing
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason, invalid_field, memory_not_found
from mnemic.model.memory import (
    AddedMemory,
    AddResult,
    ChangeKind,
    Memory,
    MemoryInput,
    embedding_text,
)
from mnemic.model.requests import AddMode, DeleteResult, MemoryUpdate, UpdateResult
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.interface import (
    RequestIdTakenError,
    RequestRecord,
    Store,
    VersionEnd,
    VersionWrite,
    WriteBatch,
)
from mnemic.store.standing import Standing

Outcome = TypeVar("Outcome")
# Updates that name no version and meet another writer are tried again so often before they give up.
_UPDATE_TRIES = 5
# One transaction of `delete_all` takes so many.
_DELETE_BATCH = 1000


class Writer:
    """Carries out mutations."""

    def __init__(
        self,
        store: Store,
        index: LiveIndex,
        embedder: Embedder,
        rules: TenantRules,
        defence: Defence,
        settings: Settings,
    ) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._rules = rules
        self._defence = defence
        self._limits = settings.limits
        self._extraction = settings.extraction
        self._identifiers = IdentifierSource()

    def add(
        self,
        tenant: str,
        scope: Scope,
        inputs: Sequence[MemoryInput],
        *,
        mode: AddMode | None,
        instructions: str,
        request_id: str,
        within: Scope,
        deadline: Deadline,
    ) -> AddResult:
        """Adds memories: all of them or none; see `mnemic.v1.MemoryService.AddMemories`."""
        made = mode or self._rules.of(tenant).default_mode or AddMode.VERBATIM
        check_mode(made, self._extraction)
        check_text("extraction_instructions", instructions, MAX_INSTRUCTIONS_BYTES)
        now = _now()
        check_scope(scope)
        refuse_foreign_scope(scope, within)
        check_request_id(request_id)
        # A retry gets the first answer even if what it asks would be refused by now: a time passed, a source deleted.
        asked = () if mode in {None, AddMode.VERBATIM} else (mode, instructions)
        fingerprint = fingerprint_of("add", scope, tuple(inputs), *asked) if request_id else ""
        kept = self._kept(tenant, "AddMemories", request_id)
        if kept is not None and kept.fingerprint == fingerprint:
            return _replayed_add(kept)
        check_inputs(inputs, self._limits, now_micros=now)
        if kept is not None:
            raise reused(kept)
        inputs = self._defence.inputs(tenant, inputs, now_micros=now)
        self._require_named(tenant, scope, inputs, within)
        vectors = self._vectors(inputs, deadline)
        deadline.check()
        memories = [
            new_memory(self._identifiers.next(), scope, item, vector, self._embedder.provider.identity, now)
            for item, vector in zip(inputs, vectors, strict=True)
        ]
        operation_id = self._identifiers.next()
        work = extraction_work(memories, made, instructions, operation_id, within)
        operation_id = operation_id if work else ""
        batch = WriteBatch(
            tenant=tenant,
            inserts=[
                VersionWrite(memory, ChangeKind.ADDED, content_hash(memory.body), standing=standing(item))
                for memory, item in zip(memories, inputs, strict=True)
            ],
            outbox=embedding_work(memories) + work,
            request=kept_answer("AddMemories", request_id, fingerprint, None),
            respond=partial(kept_add, operation_id=operation_id),
            quota=self._limits.quota(),
            now_micros=now,
        )
        try:
            # What it names may have been deleted or erased while the texts were embedded.
            committed = self._index.commit(batch, partial(self._require_named, tenant, scope, inputs, within))
        except RequestIdTakenError as taken:
            return _replayed_add(same_contents(taken.record, fingerprint))
        return AddResult(tuple(map(added, committed.inserted)), committed.revision, operation_id)

    def _vectors(self, inputs: Sequence[MemoryInput], deadline: Deadline) -> list[bytes | None]:
        """The caller's vectors checked, the rest embedded; None for all of the rest while a remote provider is away."""
        vectors: list[bytes | None] = []
        dimension = self._embedder.provider.dimension
        for position, item in enumerate(inputs):
            given = item.vector
            vectors.append(None if given is None else check_vector(given, dimension, f"memories[{position}].vector"))
        missing = [position for position, vector in enumerate(vectors) if vector is None]
        texts = [embedding_text(inputs[position].name, inputs[position].body) for position in missing]
        for position, vector in zip(missing, self._embedder.embed_if_reachable(texts, deadline), strict=True):
            vectors[position] = vector
        return vectors

    def _require_named(self, tenant: str, scope: Scope, inputs: Sequence[MemoryInput], within: Scope) -> None:
        """Sources must be the tenant's; what is superseded must besides be seen from the scope, or lie within it."""
        superseded = {memory_id for item in inputs for memory_id in item.supersedes}
        wanted = sorted(superseded.union(source for item in inputs for source in item.source_ids))
        if not wanted:
            return
        found = self._store.get(tenant, wanted)
        for memory_id in wanted:
            if memory_id not in found or not within.selects(found[memory_id].scope, ScopeMatch.EXACT):
                raise memory_not_found(memory_id)
        for memory_id in sorted(superseded):
            theirs = found[memory_id].scope
            if not (scope.selects(theirs, ScopeMatch.VISIBLE) or scope.selects(theirs, ScopeMatch.EXACT)):
                raise memory_not_found(memory_id)

    def update(
        self,
        tenant: str,
        memory_id: str,
        changes: MemoryUpdate,
        *,
        expected_version: int,
        request_id: str,
        scope: Scope | None,
        within: Scope,
        deadline: Deadline,
    ) -> UpdateResult:
        """Writes a new version; see `mnemic.v1.MemoryService.UpdateMemory`."""
        now = _now()
        memory_id = check_memory_id(memory_id, "memory.memory_id")
        _check_expected_version(expected_version)
        check_request_id(request_id)
        fingerprint = fingerprint_of("update", memory_id, changes, expected_version) if request_id else ""

        def attempt() -> UpdateResult:
            kept = self._kept(tenant, "UpdateMemory", request_id)
            if kept is not None and kept.fingerprint == fingerprint:
                return self._replayed_update(tenant, memory_id, kept, within)
            check_update(changes, self._limits, now_micros=now)
            if kept is not None:
                raise reused(kept)
            old = self._current(tenant, memory_id, expected_version, scope, within)
            _refuse_superseded(old)
            admitted = self._defence.update(tenant, changes, old, now_micros=now)
            new = self._changed(old, admitted, deadline, max(_now(), old.update_time_micros + 1))
            try:
                return self._commit_update(tenant, old, new, request_id, fingerprint)
            except RequestIdTakenError as taken:
                return self._replayed_update(tenant, memory_id, same_contents(taken.record, fingerprint), within)

        return _until_won(attempt, expected_version)

    def _changed(self, old: Memory, changes: MemoryUpdate, deadline: Deadline, now: int) -> Memory:
        values: dict[str, Any] = {name: getattr(changes, name) for name in changes.fields if name != "vector"}
        for name in ("categories", "entities"):
            if name in values:
                values[name] = tuple(values[name])
        new = replace(
            old,
            **values,
            version=old.version + 1,
            revision=0,
            update_time_micros=now,
            valid_from_micros=now,
            valid_to_micros=None,
        )
        check_times(new.event_time_micros, new.event_time_end_micros, "memory.event_time")
        check_slot(new.slot, new.slot_value, "memory")
        return replace(new, vector=self._vector_after(old, new, changes, deadline), embedding_model=None)

    def _vector_after(self, old: Memory, new: Memory, changes: MemoryUpdate, deadline: Deadline) -> bytes | None:
        if "vector" in changes.fields and changes.vector is not None:
            return check_vector(changes.vector, self._embedder.provider.dimension, "memory.vector")
        text = embedding_text(new.name, new.body)
        if text == embedding_text(old.name, old.body) and old.vector is not None and "vector" not in changes.fields:
            return old.vector
        return self._embedder.embed_if_reachable([text], deadline)[0]

    def _commit_update(self, tenant: str, old: Memory, new: Memory, request_id: str, fingerprint: str) -> UpdateResult:
        ended_at = new.update_time_micros
        batch = WriteBatch(
            tenant=tenant,
            ends=[VersionEnd(old.memory_id, old.version, ended_at)],
            inserts=[
                VersionWrite(
                    new,
                    ChangeKind.UPDATED,
                    content_hash(new.body),
                    # One that only says it better stands where it stood.
                    standing=Standing(takes_slot=bool(new.slot) and new.slot != old.slot),
                )
            ],
            outbox=embedding_work([new]),
            request=kept_answer("UpdateMemory", request_id, fingerprint, new.version),
            quota=self._limits.quota(),
            now_micros=ended_at,
        )
        committed = self._index.commit(batch)
        return UpdateResult(replace(committed.inserted[0].memory, vector=None), committed.revision)

    def restore(
        self,
        tenant: str,
        memory_id: str,
        *,
        request_id: str,
        scope: Scope | None,
        within: Scope,
        deadline: Deadline,
    ) -> UpdateResult:
        """Brings back what was deleted or superseded; see `mnemic.v1.MemoryService.RestoreMemory`."""
        memory_id = check_memory_id(memory_id)
        check_request_id(request_id)
        fingerprint = fingerprint_of("restore", memory_id) if request_id else ""

        def attempt() -> UpdateResult:
            kept = self._kept(tenant, "RestoreMemory", request_id)
            if kept is not None:
                return self._replayed_update(tenant, memory_id, same_contents(kept, fingerprint), within)
            old = self._current(tenant, memory_id, 0, scope, within, include_deleted=True)
            if old.valid_to_micros is None:
                raise invalid_field("memory_id", "is of a memory that holds; there is nothing to restore")
            new = self._restored(self._defence.memory(tenant, old), deadline)
            batch = WriteBatch(
                tenant=tenant,
                inserts=[VersionWrite(new, ChangeKind.RESTORED, content_hash(new.body))],
                outbox=embedding_work([new]),
                request=kept_answer("RestoreMemory", request_id, fingerprint, new.version),
                quota=self._limits.quota(),
                now_micros=new.update_time_micros,
            )
            try:
                committed = self._index.commit(batch)
            except RequestIdTakenError as taken:
                return self._replayed_update(tenant, memory_id, same_contents(taken.record, fingerprint), within)
            return UpdateResult(replace(committed.inserted[0].memory, vector=None), committed.revision)

        return _until_won(attempt, 0)

    def _restored(self, old: Memory, deadline: Deadline) -> Memory:
        """The version that undoes an end: it holds from there, as if there had been none."""
        vector = old.vector
        if vector is None:
            vector = self._embedder.embed_if_reachable([embedding_text(old.name, old.body)], deadline)[0]
        return replace(
            old,
            version=old.version + 1,
            revision=0,
            update_time_micros=max(_now(), old.update_time_micros + 1),
            valid_from_micros=old.valid_from_micros if old.valid_to_micros is None else old.valid_to_micros,
            valid_to_micros=None,
            superseded_by=None,
            vector=vector,
            embedding_model=None,
        )

    def delete(
        self,
        tenant: str,
        memory_id: str,
        *,
        expected_version: int,
        request_id: str,
        scope: Scope | None,
        within: Scope,
    ) -> DeleteResult:
        """Takes a memory out of every search; see `mnemic.v1.MemoryService.DeleteMemory`."""
        memory_id = check_memory_id(memory_id)
        _check_expected_version(expected_version)
        check_request_id(request_id)
        fingerprint = fingerprint_of("delete", memory_id, expected_version) if request_id else ""

        def attempt() -> DeleteResult:
            kept = self._kept(tenant, "DeleteMemory", request_id)
            if kept is not None:
                self._require_within(tenant, memory_id, within)
                return DeleteResult(same_contents(kept, fingerprint).revision, replayed=True)
            old = self._current(tenant, memory_id, expected_version, scope, within)
            record = kept_answer("DeleteMemory", request_id, fingerprint, None)
            try:
                return DeleteResult(self._commit_deletions(tenant, [old], record))
            except RequestIdTakenError as taken:
                return DeleteResult(same_contents(taken.record, fingerprint).revision, replayed=True)

        return _until_won(attempt, expected_version)

    def delete_all(self, tenant: str, scope: Scope) -> int:
        """Deletes every memory that carries the ids of a scope, in transactions of up to 1,000; how many."""
        check_scope(scope, ScopeMatch.EXACT)
        total = 0
        while True:
            found = self._store.list_memories(
                tenant,
                scope,
                ScopeMatch.EXACT,
                limit=_DELETE_BATCH,
                now_micros=_now(),
                include_superseded=True,
                include_expired=True,
            )
            if not found:
                return total
            # Of an updated memory all versions are listed, the latest first; it goes as a whole.
            latest: dict[str, Memory] = {}
            for memory in found:
                latest.setdefault(memory.memory_id, memory)
            try:
                self._commit_deletions(tenant, list(latest.values()), None)
                total += len(latest)
            except MnemicError as error:
                # Another writer came between; look again at what is left.
                if error.reason not in {Reason.VERSION_CONFLICT, Reason.MEMORY_NOT_FOUND}:
                    raise

    def _commit_deletions(self, tenant: str, memories: Sequence[Memory], record: RequestRecord | None) -> int:
        now = _now()
        ends = [VersionEnd(memory.memory_id, memory.version, now, deleted=True) for memory in memories]
        return self._index.commit(WriteBatch(tenant=tenant, ends=ends, request=record, now_micros=now)).revision

    def _current(
        self,
        tenant: str,
        memory_id: str,
        expected_version: int,
        scope: Scope | None,
        within: Scope,
        *,
        include_deleted: bool = False,
    ) -> Memory:
        found = self._store.get(tenant, [memory_id], with_vectors=True, include_deleted=include_deleted)
        old = found.get(memory_id)
        if old is None or (scope is not None and not scope.selects(old.scope, ScopeMatch.EXACT)):
            raise memory_not_found(memory_id)
        if not within.selects(old.scope, ScopeMatch.EXACT):
            raise memory_not_found(memory_id)
        if expected_version and old.version != expected_version:
            raise MnemicError(
                Reason.VERSION_CONFLICT,
                f"expected_version: the memory is at version {old.version}, not {expected_version}; read it again",
                metadata={"current_version": str(old.version), "expected_version": str(expected_version)},
            )
        return old

    def _replayed_update(self, tenant: str, memory_id: str, record: RequestRecord, within: Scope) -> UpdateResult:
        version = json.loads(record.response)
        for entry in self._store.history(tenant, memory_id):
            if not within.selects(entry.memory.scope, ScopeMatch.EXACT):
                break
            if entry.memory.version == version and entry.change is not ChangeKind.DELETED:
                return UpdateResult(entry.memory, record.revision, replayed=True)
        raise memory_not_found(memory_id)

    def _require_within(self, tenant: str, memory_id: str, within: Scope) -> None:
        """A kept answer is the tenant's; what it is about may be outside of the credential's restriction."""
        if within.is_empty:
            return
        entries = self._store.history(tenant, memory_id)
        if not entries or not within.selects(entries[-1].memory.scope, ScopeMatch.EXACT):
            raise memory_not_found(memory_id)

    def _kept(self, tenant: str, method: str, request_id: str) -> RequestRecord | None:
        return self._store.find_request(tenant, method, request_id) if request_id else None


def _until_won(attempt: Callable[[], Outcome], expected_version: int) -> Outcome:
    """Tries again after another writer came first, unless the caller named the version that it saw."""
    for _ in range(_UPDATE_TRIES - 1):
        try:
            return attempt()
        except MnemicError as error:
            if error.reason is not Reason.VERSION_CONFLICT or expected_version:
                raise
    return attempt()


def _now() -> int:
    return time.time_ns() // 1000


def _replayed_add(record: RequestRecord) -> AddResult:
    kept = json.loads(record.response)
    if isinstance(kept, list):
        # Before facts were merged and drawn an answer was kept as the ids and whether their vectors were pending.
        memories = tuple(AddedMemory(memory_id, embedding_pending=pending) for memory_id, pending in kept)
        return AddResult(memories, record.revision, replayed=True)
    memories = tuple(AddedMemory(*item) for item in kept["memories"])
    return AddResult(memories, record.revision, kept["operation_id"], replayed=True)


def _refuse_superseded(memory: Memory) -> None:
    if memory.valid_to_micros is not None:
        raise MnemicError(
            Reason.VERSION_CONFLICT,
            f"memory {memory.memory_id!r} is superseded by {memory.superseded_by!r}; change that one, or restore this "
            "one first (RestoreMemory)",
            metadata={"memory_id": memory.memory_id, "superseded_by": memory.superseded_by or ""},
        )


def _check_expected_version(expected: int) -> None:
    if expected < 0:
        raise invalid_field("expected_version", "is negative; give a version that was read, or 0 for any")
