"""The engine: every use case of Mnemic, where store, index and embedding meet."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from mnemic import _core
from mnemic.embedding.factory import native_embedder, tokenizer_file
from mnemic.embedding.provider import EmbeddingProvider
from mnemic.engine.abstention import calibration
from mnemic.engine.auditing import Audit
from mnemic.engine.authority import Authority
from mnemic.engine.backups import Backups
from mnemic.engine.catching_up import EmbeddingCatchUp
from mnemic.engine.composing import Composer
from mnemic.engine.consolidating import Consolidation
from mnemic.engine.defending import Defence
from mnemic.engine.embedder import Embedder
from mnemic.engine.erasing import Erasures
from mnemic.engine.extracting import Extraction
from mnemic.engine.housekeeping import Housekeeping
from mnemic.engine.live_index import LiveIndex
from mnemic.engine.models import Progress, open_model, open_next_model, require_model
from mnemic.engine.native import Native, native_answers
from mnemic.engine.operations import LONGEST_WAIT_SECONDS, Operations
from mnemic.engine.profiles import Profiles, default_profile
from mnemic.engine.reading import Reader
from mnemic.engine.reembedding import Reembedding
from mnemic.engine.reranking import Reranking
from mnemic.engine.restriction import NO_RESTRICTION
from mnemic.engine.retaining import Retention
from mnemic.engine.searching import Searcher
from mnemic.engine.settings import Settings
from mnemic.engine.snapshots import open_snapshots
from mnemic.engine.summarizing import SessionSummaries
from mnemic.engine.tokens import Tokenizers
from mnemic.engine.transfer.exporting import Exporter
from mnemic.engine.transfer.importing import Importer
from mnemic.engine.transfer.transfer import Transfer
from mnemic.engine.upkeep import Upkeep
from mnemic.engine.watching import Watching
from mnemic.engine.writing import Writer
from mnemic.model.context import ComposedContext, ComposeRequest
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.errors import MnemicError, invalid_field
from mnemic.model.extraction_rules import ExtractionStats
from mnemic.model.memory import AddResult, Memory, MemoryInput, MemoryRevision
from mnemic.model.operations import DeadLetterPage, ExtractionFigures, Operation, ReplayResult, WorkKind
from mnemic.model.requests import (
    AddMode,
    DeleteResult,
    ListRequest,
    MemoryPage,
    MemoryUpdate,
    ScopePage,
    UpdateResult,
    WaitFor,
)
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest, SearchResult
from mnemic.model.stats import IndexStats, NodeStats
from mnemic.reranking.factory import open_reranker
from mnemic.reranking.reranker import Reranker
from mnemic.store.interface import Store
from mnemic.store.sqlite import open_sqlite

_DAY_MICROS = 24 * 3_600_000_000


class Engine:
    """One node's memory. Safe to call from many threads; every method raises `MnemicError`.

    What takes `within` is done for a credential that is restricted to memories that carry these ids: what does not
    carry them is not there.

    Attributes:
        settings: Everything.
        authority: Its tenants, their keys, and who may come in.
        defence: What it does not remember, or not trust.
        retention: What it forgets on purpose.
        consolidation: Merges facts that say the same.
        summaries: Has sessions summarised that have ended.
        erasure: Destroys memories in every place that holds them.
        transfer: Exports and imports.
        backups: Copies of everything.
        audit: Who did what.
        reembedding: Makes the vectors of the model that is to come.
        watching: Opens watches.
    """

    def __init__(
        self, settings: Settings, store: Store, provider: EmbeddingProvider, reranker: Reranker | None = None
    ) -> None:
        """Ties the parts together; use `Engine.open` unless you bring your own.

        Raises:
            MnemicError: MODEL_MISMATCH when the store's vectors are another model's.
        """
        self.settings = settings
        self._store = store
        self._provider = provider
        require_model(store, provider)
        embedder = Embedder(provider, settings.limits.embedding_queue)
        snapshots = open_snapshots(store, provider.identity, settings.limits)
        self._index = LiveIndex(
            store, provider.dimension, budget_bytes=settings.limits.index_budget(), snapshots=snapshots
        )
        self._upkeep = Upkeep(self._index, snapshots, store)
        self.authority = Authority(store, settings.authentication, is_priced=settings.extraction.llm.is_priced)
        self.defence = Defence(settings.defence, self.authority.rules, settings.limits)
        self._writer = Writer(store, self._index, embedder, self.authority.rules, self.defence, settings)
        self._reader = Reader(store, settings.limits)
        self.watching = Watching(store, self._index, settings.limits)
        self._reranking = Reranking(reranker, settings.reranking)
        profiles = Profiles(default_profile(settings))
        self._searcher = Searcher(
            store,
            self._index,
            embedder,
            self._reranking,
            profiles,
            calibration(settings.embedding.provider),
            settings.limits,
        )
        self._tokenizers = Tokenizers(tokenizer_file(settings.embedding), settings.composing.tokenizers)
        self._composer = Composer(
            store, self._searcher, self._tokenizers, settings.limits, dimension=provider.dimension
        )
        self.audit = Audit(store, settings.audit, is_guarded=settings.authentication.mode != "none")
        self.backups = Backups(store, settings.backup, self._index.commit)
        self._catch_up = EmbeddingCatchUp(store, self._index, embedder)
        self.reembedding = Reembedding(store, self._index, provider.identity, open_next_model(settings))
        self._extraction = Extraction(
            store, self._index, embedder, self._searcher, self.authority.rules, self.defence, settings
        )
        self.authority.when_rules_change = self._extraction.wake
        importer = Importer(
            store, self._index, embedder, self.authority.rules, self.defence, settings, self._extraction.wake
        )
        self.transfer = Transfer(Exporter(store), importer)
        self._operations = Operations(store, self._extraction)
        self.erasure = Erasures(store, self._index, provider, self._extraction.wake)
        self.retention = Retention(store, self._index, settings.retention, self.erasure.destroy_archived)
        self.consolidation = Consolidation(store, self._index)
        self.summaries = SessionSummaries(store, self._index, self._extraction.wake)
        self._is_closed = False
        self._catch_up.start()
        self.reembedding.start()
        self._extraction.start()
        if settings.extraction.llm.model is not None:
            self.summaries.start()
        self._upkeep.start()
        self.erasure.start()
        self._housekeeping = Housekeeping(store, settings.limits.request_id_hours)

    @classmethod
    def open(cls, settings: Settings, *, pull_missing_model: bool = False, progress: Progress | None = None) -> Engine:
        """Opens the data directory, the embedding model and the reranker that the settings name.

        Args:
            settings: Where and what.
            pull_missing_model: Fetch and convert the model's files if they are not installed.
            progress: Told (step, fraction from 0 to 1) while that is done.

        Raises:
            MnemicError: STORE_UNAVAILABLE when another process has the directory; MODEL_NOT_INSTALLED; MODEL_MISMATCH;
                INVALID_FIELD or CORRUPT_DATA for a model or reranker that cannot be opened.
        """
        with ExitStack() as opened:
            provider = open_model(settings, pull_missing=pull_missing_model, progress=progress)
            opened.callback(provider.close)
            reranker = open_reranker(settings.reranking)
            if reranker is not None:
                opened.callback(reranker.close)
            store = open_sqlite(settings.data_directory, encryption=settings.encryption)
            opened.callback(store.close)
            engine = cls(settings, store, provider, reranker)
            # They are the engine's to close now.
            opened.pop_all()
        return engine

    def add(
        self,
        tenant: str,
        scope: Scope,
        inputs: Sequence[MemoryInput],
        *,
        mode: AddMode | None = None,
        wait: WaitFor = WaitFor.INDEXED,
        instructions: str = "",
        request_id: str = "",
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> AddResult:
        """Adds memories: all or none; durable and seen by the next search. No mode: the tenant's own."""
        result = self._writer.add(
            tenant,
            scope,
            inputs,
            mode=mode,
            instructions=instructions,
            request_id=request_id,
            within=within,
            deadline=deadline,
        )
        if result.operation_id:
            self._extraction.wake()
            if wait is WaitFor.EXTRACTED:
                return self._extracted(tenant, result, deadline)
        return result

    def _extracted(self, tenant: str, result: AddResult, deadline: Deadline) -> AddResult:
        """The answer to an add when its facts are found, too, or given up, or the wait has been long enough."""
        operation = self._operations.get(
            tenant, result.operation_id, wait_seconds=LONGEST_WAIT_SECONDS, within=NO_RESTRICTION, deadline=deadline
        )
        deadline.check()
        return replace(result, revision=max(result.revision, operation.revision))

    def operation(
        self,
        tenant: str,
        operation_id: str,
        *,
        wait_seconds: float = 0.0,
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> Operation:
        """How far the work is that an add left to do; waits until it has ended, but not longer than said."""
        return self._operations.get(tenant, operation_id, wait_seconds=wait_seconds, within=within, deadline=deadline)

    def dead_letters(
        self, tenant: str, kind: WorkKind | None = None, *, page_size: int = 0, page_token: str = ""
    ) -> DeadLetterPage:
        """One page of the work that was given up, oldest first."""
        return self._operations.dead_letters(tenant, kind, size=page_size, token=page_token)

    def replay_dead_letters(
        self,
        tenant: str,
        operation_ids: Sequence[str] = (),
        kind: WorkKind | None = None,
        *,
        caller: str = "",
        request_id: str = "",
    ) -> ReplayResult:
        """Puts work that was given up back into the queue: that of the ids, or all."""
        return self._operations.replay(tenant, operation_ids, kind, caller=caller or tenant, request_id=request_id)

    def extraction_figures(self) -> ExtractionFigures:
        """What extraction has done since the start."""
        return self._extraction.figures()

    def search(
        self,
        tenant: str,
        request: SearchRequest,
        *,
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> SearchResult:
        """Finds what matters to a query within a scope, best first."""
        result = self._searcher.search(tenant, request, deadline, within=within)
        self.retention.recalls.note_hits(result)
        return result

    def batch_search(
        self,
        tenant: str,
        requests: Sequence[SearchRequest],
        *,
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> list[SearchResult]:
        """Several searches, answered in order; one bad search fails the call."""
        limit = self.settings.limits.searches_per_batch
        if not 1 <= len(requests) <= limit:
            raise invalid_field("searches", f"has {len(requests)} entries; 1 to {limit} are accepted")
        results: list[SearchResult] = []
        skip_rerank = False
        for position, request in enumerate(requests):
            try:
                result = self._searcher.search(tenant, request, deadline, within=within, skip_rerank=skip_rerank)
            except MnemicError as error:
                raise error.within(f"searches[{position}]") from error
            # What failed a moment ago is not waited for a hundred times.
            skip_rerank = skip_rerank or result.rerank_skipped
            results.append(result)
        self.retention.recalls.note_hits(*results)
        return results

    def compose(
        self,
        tenant: str,
        request: ComposeRequest,
        *,
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> ComposedContext:
        """What a search finds, as a block of prompt within a budget of tokens."""
        composed = self._composer.compose(tenant, request, deadline, within=within)
        self.retention.recalls.note(composed.memory_ids)
        return composed

    def get(
        self,
        tenant: str,
        memory_id: str,
        *,
        scope: Scope | None = None,
        within: Scope = NO_RESTRICTION,
        with_vector: bool = False,
    ) -> Memory:
        """One memory by its id."""
        return self._reader.get(tenant, memory_id, scope=scope, within=within, with_vector=with_vector)

    def batch_get(
        self,
        tenant: str,
        memory_ids: Sequence[str],
        *,
        scope: Scope | None = None,
        within: Scope = NO_RESTRICTION,
        with_vectors: bool = False,
    ) -> tuple[list[Memory], list[str]]:
        """Memories by their ids in the order asked, and the ids that are not there."""
        return self._reader.batch_get(tenant, memory_ids, scope=scope, within=within, with_vectors=with_vectors)

    def list_memories(self, tenant: str, request: ListRequest, *, within: Scope = NO_RESTRICTION) -> MemoryPage:
        """One page of a scope's memories, newest first."""
        return self._reader.list_memories(tenant, request, within=within)

    def update(
        self,
        tenant: str,
        memory_id: str,
        changes: MemoryUpdate,
        *,
        expected_version: int = 0,
        request_id: str = "",
        scope: Scope | None = None,
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> UpdateResult:
        """Writes a new version; the older stays in the history."""
        return self._writer.update(
            tenant,
            memory_id,
            changes,
            expected_version=expected_version,
            request_id=request_id,
            scope=scope,
            within=within,
            deadline=deadline,
        )

    def delete(
        self,
        tenant: str,
        memory_id: str,
        *,
        expected_version: int = 0,
        request_id: str = "",
        scope: Scope | None = None,
        within: Scope = NO_RESTRICTION,
    ) -> DeleteResult:
        """Takes a memory out of every search; its history stays."""
        return self._writer.delete(
            tenant, memory_id, expected_version=expected_version, request_id=request_id, scope=scope, within=within
        )

    def restore(
        self,
        tenant: str,
        memory_id: str,
        *,
        request_id: str = "",
        scope: Scope | None = None,
        within: Scope = NO_RESTRICTION,
        deadline: Deadline = NO_DEADLINE,
    ) -> UpdateResult:
        """Brings back a memory that was deleted or superseded, as a new version."""
        return self._writer.restore(
            tenant, memory_id, request_id=request_id, scope=scope, within=within, deadline=deadline
        )

    def delete_all(self, tenant: str, scope: Scope) -> int:
        """Deletes every memory that carries the ids of a scope; how many."""
        return self._writer.delete_all(tenant, scope)

    def history(
        self, tenant: str, memory_id: str, *, scope: Scope | None = None, within: Scope = NO_RESTRICTION
    ) -> list[MemoryRevision]:
        """All versions of a memory, oldest first."""
        return self._reader.history(tenant, memory_id, scope=scope, within=within)

    def list_scopes(
        self,
        tenant: str,
        scope: Scope | None = None,
        *,
        within: Scope = NO_RESTRICTION,
        page_size: int = 0,
        page_token: str = "",
    ) -> ScopePage:
        """The distinct scopes that hold memories, with counts."""
        return self._reader.list_scopes(tenant, scope or Scope(), within=within, size=page_size, token=page_token)

    def revision(self) -> int:
        """The last revision that searches see."""
        return self._index.revision

    def stats(self, tenant: str | None = None) -> NodeStats:
        """What the node holds, of one tenant's store or of all."""
        return NodeStats(
            self._store.stats(tenant, since_micros=time.time_ns() // 1000 - _DAY_MICROS),
            self._index.stats(),
            self._provider.identity,
            self._provider.dimension,
            self.extraction_stats(tenant),
        )

    def extraction_stats(self, tenant: str | None = None) -> ExtractionStats:
        """What extraction has before it, and what it cost this month, of one tenant or of all."""
        return self._extraction.stats(tenant)

    def index_stats(self) -> IndexStats:
        """What is in memory; unlike `stats`, without asking the store."""
        return self._index.stats()

    def tokenizers(self) -> tuple[str, ...]:
        """What contexts can be counted by, the default first."""
        return self._tokenizers.names

    def announce(self, address: str) -> None:
        """Notes where this engine is served, for other processes that want its data directory."""
        self._store.announce(address)

    def native_answers(self, embedder: _core.QueryEmbedder | None = None) -> _core.NativeAnswers:
        """What answers this engine's searches and reads without Python, where it is certain of the answer.

        Args:
            embedder: Of the engine's model, for searches by text.
        """
        return native_answers(self._index.core, self.settings, embedder)

    def open_native(self) -> Native:
        """What a front of this engine answers with; its caller closes it, before the engine."""
        embedder = native_embedder(self._provider, queue=self.settings.limits.embedding_queue)
        return Native(self.native_answers(embedder), embedder)

    def check(self) -> list[str]:
        """Looks for damage in the store and for differences between index and store; what it found, in words.

        Loads every partition, one after another.
        """
        compared = self._index.compare(self._store.all_partitions())
        return self._store.check() + compared.refused_snapshots + compared.differences

    def drop_index(self) -> None:
        """Forgets the index; it is rebuilt from the store as searches come."""
        self._index.drop_all()

    def close(self) -> None:
        """Stops the background work and releases the data directory."""
        if self._is_closed:
            return
        self._is_closed = True
        self._housekeeping.stop()
        # Retention waits for what it has erased, which ends waiting when it stops.
        self.erasure.stop()
        self.retention.stop()
        self.summaries.stop()
        self._catch_up.stop()
        self.reembedding.stop()
        self._extraction.stop()
        self._upkeep.stop()
        self.authority.stop()
        self.audit.stop()
        self._reranking.close()
        self._store.close()
        self._provider.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
