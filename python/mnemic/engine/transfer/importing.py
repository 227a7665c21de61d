"""Imports: a file, item by item, into memories that are there once however often it is imported."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby

from mnemic.engine.defending import Defence
from mnemic.engine.embedder import Embedder
from mnemic.engine.extracting import check_mode, extraction_work
from mnemic.engine.identifiers import IdentifierSource
from mnemic.engine.live_index import LiveIndex, PartitionChange, changes_of
from mnemic.engine.replay import fingerprint_of, kept_answer, same_contents
from mnemic.engine.restriction import refuse_foreign_scope
from mnemic.engine.settings import Settings
from mnemic.engine.tenant_rules import TenantRules
from mnemic.engine.transfer.chat import read_chat
from mnemic.engine.transfer.foreign import ForeignItem
from mnemic.engine.transfer.json_stream import lines
from mnemic.engine.transfer.lines import decode_line
from mnemic.engine.transfer.mem0 import read_mem0
from mnemic.engine.transfer.parquet import read_parquet
from mnemic.engine.validation import (
    MIN_TIME_MICROS,
    check_inputs,
    check_memory_id,
    check_request_id,
    check_scope,
    check_times,
    check_vector,
)
from mnemic.engine.versions import content_hash, embedding_work
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.memory import Memory, MemoryInput, MemoryKind, Role, TrustLevel, embedding_text
from mnemic.model.requests import AddMode
from mnemic.model.scope import PartitionKey, Scope
from mnemic.model.transfer import (
    MAX_ERRORS_PER_ANSWER,
    ImportProblem,
    ImportProgress,
    ImportRequest,
    TransferFormat,
    VersionRecord,
)
from mnemic.store.interface import RequestIdTakenError, Store, WriteBatch
from mnemic.store.transfer import Fate, ImportBatch, Imported, Incoming

# One transaction takes about so many; versions of one memory stay together.
_BATCH = 256
_METHOD = "ImportMemories"
# A batch that meets another writer is looked at again so often.
_TRIES = 5


@dataclass(slots=True)
class _Tally:
    """What an import has done so far, and the errors that were not told yet."""

    processed: int = 0
    added: int = 0
    duplicates: int = 0
    errors: int = 0
    untold: list[ImportProblem] = field(default_factory=list)
    revision: int = 0

    def refuse(self, index: int, error: MnemicError) -> None:
        self.errors += 1
        self.untold.append(ImportProblem(index, error.reason.value, error.message))

    def progress(self, *, done: bool = False) -> ImportProgress:
        told = tuple(self.untold[:MAX_ERRORS_PER_ANSWER])
        del self.untold[:MAX_ERRORS_PER_ANSWER]
        return ImportProgress(self.processed, self.added, self.duplicates, self.errors, told, self.revision, done=done)


@dataclass(frozen=True, slots=True)
class _Item:
    """One item of a file that is a memory, and its number."""

    index: int
    record: VersionRecord


class Importer:
    """Takes files in.

    Args:
        store: Where memories go.
        index: Through which.
        embedder: Makes the vectors that a file does not bring.
        rules: How tenants have facts drawn.
        defence: What of it may be remembered.
        settings: What is accepted.
        wake_extraction: Told when there are messages of which facts are to be drawn.
    """

    def __init__(
        self,
        store: Store,
        index: LiveIndex,
        embedder: Embedder,
        rules: TenantRules,
        defence: Defence,
        settings: Settings,
        wake_extraction: Callable[[], None],
    ) -> None:
        self._rules = rules
        self._defence = defence
        self._wake_extraction = wake_extraction
        self._extraction = settings.extraction
        self._store = store
        self._index = index
        self._embedder = embedder
        self._limits = settings.limits
        self._identifiers = IdentifierSource()

    def run(
        self, tenant: str, request: ImportRequest, chunks: Iterable[bytes], within: Scope, deadline: Deadline
    ) -> Iterator[ImportProgress]:
        """Takes a file in; see `mnemic.v1.LifecycleService.ImportMemories`. Each progress told is durable."""
        _check(request)
        if request.extract:
            check_mode(self._mode(tenant), self._extraction)
        fingerprint = fingerprint_of("import", replace(request, request_id=""))
        kept = self._store.find_request(tenant, _METHOD, request.request_id) if request.request_id else None
        if kept is not None:
            answer = json.loads(same_contents(kept, fingerprint).response)
            return iter([ImportProgress(**answer, revision=kept.revision, done=True, replayed=True)])
        return self._answers(tenant, request, chunks, within, deadline, fingerprint)

    def _answers(
        self,
        tenant: str,
        request: ImportRequest,
        chunks: Iterable[bytes],
        within: Scope,
        deadline: Deadline,
        fingerprint: str,
    ) -> Iterator[ImportProgress]:
        tally = _Tally(revision=self._index.revision)
        for group in _groups(_Items(request, chunks), skip=request.skip_count):
            deadline.check()
            tally.processed = max(tally.processed, group.skipped)
            stopped = self._take(tenant, request, group.items, within, deadline, tally)
            if not stopped:
                tally.processed = max(tally.processed, group.end)
            yield tally.progress()
            while len(tally.untold) >= MAX_ERRORS_PER_ANSWER:
                yield tally.progress()
            if stopped:
                yield from _rest(tally)
                return
        yield from _rest(tally)
        self._keep(tenant, request, tally, fingerprint)
        yield tally.progress(done=True)

    def _keep(self, tenant: str, request: ImportRequest, tally: _Tally, fingerprint: str) -> None:
        if not request.request_id or request.validate_only:
            return
        answer = asdict(replace(tally.progress(), errors=()))
        for name in ("errors", "revision", "done", "replayed"):
            del answer[name]
        record = kept_answer(_METHOD, request.request_id, fingerprint, answer)
        try:
            tally.revision = self._index.commit(WriteBatch(tenant=tenant, request=record, now_micros=_now())).revision
        except RequestIdTakenError as taken:
            same_contents(taken.record, fingerprint)

    def _take(
        self,
        tenant: str,
        request: ImportRequest,
        items: Sequence[tuple[int, VersionRecord | ForeignItem | MnemicError]],
        within: Scope,
        deadline: Deadline,
        tally: _Tally,
    ) -> bool:
        """Adds the items of a group; whether the import is to stop."""
        good: list[_Item] = []
        failed: MnemicError | None = None
        for index, item in items:
            try:
                good.append(_Item(index, self._accepted(tenant, item, request, within)))
            except MnemicError as error:
                if request.stop_on_error:
                    failed = error
                    break
                tally.refuse(index, error)
        for accepted, incoming in self._added(tenant, request, good, within, deadline, tally):
            if incoming.fate is Fate.NEW:
                tally.added += 1
            elif incoming.fate is Fate.DUPLICATE:
                tally.duplicates += 1
            else:
                tally.refuse(accepted.index, MnemicError(Reason.VERSION_CONFLICT, incoming.problem))
                if request.stop_on_error:
                    tally.processed = accepted.index
                    return True
        if failed is not None:
            tally.processed = index
            tally.refuse(index, failed)
        return failed is not None

    def _accepted(
        self,
        tenant: str,
        item: VersionRecord | ForeignItem | MnemicError,
        request: ImportRequest,
        within: Scope,
    ) -> VersionRecord:
        """The version that an item becomes, checked as an add is."""
        if isinstance(item, MnemicError):
            raise item
        carried = item.scope if isinstance(item, ForeignItem) else item.memory.scope
        scope = request.override_scope or _filled(carried, request.default_scope)
        check_scope(scope)
        refuse_foreign_scope(scope, within)
        record = (
            _record_of(item, scope, self._defence.trust_of(tenant))
            if isinstance(item, ForeignItem)
            else _placed(item, scope)
        )
        check_memory_id(record.memory.memory_id, "memoryId")
        _check_version(record)
        self._check_contents(record.memory)
        admitted = self._defence.memory(tenant, record.memory)
        if admitted == record.memory:
            return record
        self._check_contents(admitted)
        return replace(record, memory=admitted)

    def _check_contents(self, memory: Memory) -> None:
        try:
            check_inputs([_input_of(memory)], self._limits, now_micros=MIN_TIME_MICROS)
        except MnemicError as error:
            message = error.message.replace("memories[0].", "")
            raise MnemicError(error.reason, message, metadata=error.metadata) from error

    def _added(
        self,
        tenant: str,
        request: ImportRequest,
        items: Sequence[_Item],
        within: Scope,
        deadline: Deadline,
        tally: _Tally,
    ) -> Iterator[tuple[_Item, Incoming]]:
        if not items:
            return iter(())
        incoming = [Incoming(item.record, content_hash(item.record.memory.body)) for item in items]
        for attempt in range(_TRIES):
            planned = self._store.plan_import(tenant, incoming)
            if request.stop_on_error:
                # What comes after the first conflict is not written.
                bad = next((place for place, item in enumerate(planned) if item.fate is Fate.CONFLICT), None)
                planned = planned if bad is None else planned[: bad + 1]
            if request.validate_only:
                break
            try:
                planned = self._written(tenant, request, planned, within, deadline, tally)
                break
            except MnemicError as error:
                if error.reason is not Reason.VERSION_CONFLICT or attempt == _TRIES - 1:
                    raise
        return zip(items, planned, strict=False)

    def _written(
        self,
        tenant: str,
        request: ImportRequest,
        planned: Sequence[Incoming],
        within: Scope,
        deadline: Deadline,
        tally: _Tally,
    ) -> list[Incoming]:
        embedded = self._embedded(planned, request, deadline)
        new = [item.record.memory for item in embedded if item.fate is Fate.NEW]
        work = embedding_work([memory for memory in new if memory.valid_to_micros is None])
        if request.extract:
            holding = [memory for memory in new if memory.valid_to_micros is None]
            work += extraction_work(holding, self._mode(tenant), "", self._identifiers.next(), within)
        batch = ImportBatch(
            tenant=tenant, versions=embedded, outbox=work, quota=self._limits.quota(), now_micros=_now()
        )
        written: list[Imported] = []

        def write() -> tuple[int, dict[PartitionKey, PartitionChange]]:
            done = self._store.import_versions(batch)
            written.append(done)
            if done.committed is None:
                return self._index.revision, {}
            return done.committed.revision, changes_of(done.committed)

        tally.revision = self._index.commit_with(write)
        if request.extract:
            self._wake_extraction()
        return written[0].versions

    def _mode(self, tenant: str) -> AddMode:
        """How facts are drawn where they are asked for: as the tenant's adds do, else by the local rules."""
        mode = self._rules.of(tenant).default_mode
        return AddMode.LOCAL if mode is None or mode is AddMode.VERBATIM else mode

    def _embedded(self, planned: Sequence[Incoming], request: ImportRequest, deadline: Deadline) -> list[Incoming]:
        """The versions with their vectors: the file's where they may be kept, else new ones."""
        provider = self._embedder.provider
        ready = list(planned)
        missing: dict[str, list[int]] = {}
        for place, item in enumerate(planned):
            if item.fate is not Fate.NEW:
                continue
            memory = item.record.memory
            vector = None
            if request.keep_vectors and memory.vector is not None and memory.embedding_model == provider.identity:
                vector = check_vector(memory.vector, provider.dimension, "vector")
            else:
                missing.setdefault(embedding_text(memory.name, memory.body), []).append(place)
            ready[place] = _with_vector(item, vector, provider.identity)
        for (_, places), vector in zip(
            missing.items(), self._embedder.embed_if_reachable(list(missing), deadline), strict=True
        ):
            for place in places:
                ready[place] = _with_vector(planned[place], vector, provider.identity)
        return ready


def _rest(tally: _Tally) -> Iterator[ImportProgress]:
    while tally.untold:
        yield tally.progress()


class _Items:
    """The items of a file, whatever its format."""

    def __init__(self, request: ImportRequest, chunks: Iterable[bytes]) -> None:
        self._format = request.format
        self._chunks = chunks

    def __iter__(self) -> Iterator[VersionRecord | ForeignItem | MnemicError]:
        match self._format:
            case TransferFormat.JSONL:
                yield from map(_decoded, lines(self._chunks))
            case TransferFormat.PARQUET:
                yield from read_parquet(self._chunks)
            case TransferFormat.MEM0:
                yield from read_mem0(self._chunks)
            case TransferFormat.CHAT:
                yield from read_chat(self._chunks)


def _decoded(line: bytes) -> VersionRecord | MnemicError:
    try:
        return decode_line(line)
    except MnemicError as error:
        return error


@dataclass(frozen=True, slots=True)
class _Group:
    """Items that are dealt with together.

    Attributes:
        items: They, with their numbers.
        skipped: How many came before the first that was not to be passed over.
        end: How many items come up to and with the last.
    """

    items: list[tuple[int, VersionRecord | ForeignItem | MnemicError]]
    skipped: int
    end: int


def _groups(items: Iterable[VersionRecord | ForeignItem | MnemicError], *, skip: int) -> Iterator[_Group]:
    """Groups of a batch's size or a little more: the versions of a memory are not torn apart."""
    group: list[tuple[int, VersionRecord | ForeignItem | MnemicError]] = []
    total = 0
    numbered = enumerate(items)
    for _, versions in groupby(numbered, key=lambda pair: _of_one_memory(*pair)):
        together = list(versions)
        total = together[-1][0] + 1
        group += [(index, item) for index, item in together if index >= skip]
        if len(group) >= _BATCH:
            yield _Group(group, min(skip, total), total)
            group = []
    if group or total:
        yield _Group(group, min(skip, total), total)


def _of_one_memory(index: int, item: VersionRecord | ForeignItem | MnemicError) -> object:
    return item.memory.memory_id if isinstance(item, VersionRecord) else index


def _check(request: ImportRequest) -> None:
    check_request_id(request.request_id)
    if request.skip_count < 0:
        raise invalid_field(
            "configuration.skip_count", "is negative; give a processed_count of an earlier import, or 0"
        )
    if request.override_scope is not None and not request.default_scope.is_empty:
        raise invalid_field("configuration.override_scope", "is refused together with default_scope; give one of them")
    if request.override_scope is not None:
        check_scope(request.override_scope, field="configuration.override_scope")
    elif not request.default_scope.is_empty:
        check_scope(request.default_scope, field="configuration.default_scope")


def _filled(own: Scope, default: Scope) -> Scope:
    return Scope(
        user_id=own.user_id if own.user_id is not None else default.user_id,
        agent_id=own.agent_id if own.agent_id is not None else default.agent_id,
        session_id=own.session_id if own.session_id is not None else default.session_id,
        app_id=own.app_id if own.app_id is not None else default.app_id,
    )


def _placed(record: VersionRecord, scope: Scope) -> VersionRecord:
    return record if record.memory.scope == scope else replace(record, memory=replace(record.memory, scope=scope))


def _record_of(item: ForeignItem, scope: Scope, trust: TrustLevel) -> VersionRecord:
    """The memory of what another system remembers: when that first heard it, we did."""
    created = _now() if item.create_time_micros is None else item.create_time_micros
    event = item.event_time_micros
    return VersionRecord(
        Memory(
            memory_id=item.memory_id(scope),
            scope=scope,
            kind=item.kind,
            body=item.body,
            role=item.role if item.role or item.kind is not MemoryKind.MESSAGE else Role.USER,
            name=item.name,
            event_time_micros=event,
            event_time_precision=item.event_time_precision,
            create_time_micros=created,
            update_time_micros=max(created, item.update_time_micros or created),
            valid_from_micros=created if event is None else min(created, event),
            expire_time_micros=item.expire_time_micros,
            metadata=dict(item.metadata),
            categories=item.categories,
            trust=trust,
        )
    )


def _input_of(memory: Memory) -> MemoryInput:
    """What of a version an add would check."""
    return MemoryInput(
        body=memory.body,
        kind=memory.kind,
        name=memory.name,
        event_time_micros=memory.event_time_micros,
        event_time_end_micros=memory.event_time_end_micros,
        expire_time_micros=memory.expire_time_micros,
        metadata=memory.metadata,
        categories=memory.categories,
        entities=memory.entities,
        source_ids=memory.source_ids,
        importance=memory.importance,
        slot=memory.slot,
        slot_value=memory.slot_value,
    )


def _check_version(record: VersionRecord) -> None:
    """Refuses a version that contradicts itself."""
    memory = record.memory
    if not 1 <= memory.version < 1 << 31:
        raise invalid_field("version", f"is {memory.version}; versions begin at 1")
    for key, moment in (
        ("createTime", memory.create_time_micros),
        ("updateTime", memory.update_time_micros),
        ("validFrom", memory.valid_from_micros),
        ("validTo", memory.valid_to_micros),
        ("deleteTime", record.delete_time_micros),
    ):
        check_times(moment, None, key)
    if not 0.0 <= memory.confidence <= 1.0:
        raise invalid_field("confidence", f"is {memory.confidence}; it must lie between 0 and 1")
    if memory.superseded_by is not None:
        check_memory_id(memory.superseded_by, "supersededBy")
    if memory.valid_to_micros is None and (memory.superseded_by is not None or record.delete_time_micros is not None):
        raise invalid_field("validTo", "is missing from a version that was superseded or deleted")


def _with_vector(item: Incoming, vector: bytes | None, identity: str) -> Incoming:
    memory = item.record.memory
    if vector == memory.vector and memory.embedding_model == (None if vector is None else identity):
        return item
    memory = replace(memory, vector=vector, embedding_model=identity if vector is not None else None)
    return replace(item, record=replace(item.record, memory=memory))


def _now() -> int:
    return time.time_ns() // 1000
