"""Drawing facts from messages behind the answers: the outbox drives workers, each with a process of its own."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from mnemic.engine.defending import Defence
from mnemic.engine.drawn_facts import acceptable, known_fact, scope_of_fact, source_message, standing_of
from mnemic.engine.embedder import Embedder
from mnemic.engine.extraction_spending import Spending
from mnemic.engine.extraction_worker import ExtractionWorker
from mnemic.engine.identifiers import IdentifierSource
from mnemic.engine.live_index import LiveIndex
from mnemic.engine.searching import Searcher
from mnemic.engine.settings import Settings
from mnemic.engine.tenant_rules import TenantRules, offset_minutes
from mnemic.engine.versions import content_hash, embedding_work, new_memory
from mnemic.extraction.extractor import ExtractionFailedError, ExtractionUnavailableError
from mnemic.extraction.settings import ExtractionSettings
from mnemic.extraction.worker import LLM, LOCAL, SUMMARY
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.extraction_rules import ExtractionRules, ExtractionStats, month_of
from mnemic.model.fact import ExtractionRequest, ExtractionResult, KnownFact, SourceMessage
from mnemic.model.filters import Comparison, Operator
from mnemic.model.memory import ChangeKind, Memory, MemoryInput, MemoryKind, embedding_text
from mnemic.model.operations import ExtractionFigures
from mnemic.model.requests import AddMode
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest
from mnemic.store.interface import Store, VersionWrite, WriteBatch
from mnemic.store.standing import Standing
from mnemic.store.work import FinishedWork, OutboxItem, OutboxKind, OutboxWrite, WorkLostError

_log = structlog.get_logger("mnemic.extraction")
METHOD = "method"
INSTRUCTIONS = "instructions"
IN_SESSION = "in_session"
# What is done in each mode, by the names of extractors, and how many messages each reads at once.
_METHODS = {
    AddMode.VERBATIM: (),
    AddMode.LOCAL: (LOCAL,),
    AddMode.LLM: (LLM,),
    AddMode.HYBRID: (LOCAL, LLM),
}
_BATCH = {LOCAL: 100, LLM: 16}
# Facts that are shown to a language model, so that it does not draw them again: the nearest to each message.
_KNOWN_EACH = 3
_KNOWN = 24
# Facts with slots that the rules are shown: a correction or a change may refer to them.
_KNOWN_SLOTS = 64
_CONTEXT = 8
_FACTS = Comparison("kind", Operator.EQUAL, ("fact",))
_TIMEOUT_SECONDS = 90.0
# Longer than a batch may take: whoever holds the claim then is gone.
_LEASE_MICROS = 180_000_000
_IDLE_SECONDS = 30.0
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 300.0
_STOPPING_SECONDS = 10.0


def check_mode(mode: AddMode, settings: ExtractionSettings) -> None:
    """Refuses a mode for which there is no extractor."""
    if LLM in _METHODS[mode] and settings.llm.model is None:
        raise MnemicError(
            Reason.EXTRACTOR_NOT_CONFIGURED,
            f"mode: {mode.name} asks a language model, and none is configured; name one (extraction.llm.model), or use "
            "LOCAL",
            metadata={"field": "mode"},
        )


def extraction_work(
    memories: Sequence[Memory], mode: AddMode, instructions: str, operation_id: str, within: Scope
) -> list[OutboxWrite]:
    """The batches in which the messages of an add are read. What a caller of one session writes stays in it."""
    messages = [memory.memory_id for memory in memories if memory.kind is MemoryKind.MESSAGE]
    more: dict[str, Any] = {INSTRUCTIONS: instructions} if instructions else {}
    if within.session_id is not None:
        more[IN_SESSION] = True
    return [
        OutboxWrite(
            OutboxKind.EXTRACT,
            tuple(messages[first : first + _BATCH[method]]),
            {METHOD: method} | more,
            operation_id,
        )
        for method in _METHODS[mode]
        for first in range(0, len(messages), _BATCH[method])
    ]


def rederivation(message_ids: Sequence[str]) -> list[OutboxWrite]:
    """The work of reading messages again by the rules, after a fact of theirs was erased with another source."""
    return [
        OutboxWrite(OutboxKind.EXTRACT, tuple(message_ids[first : first + _BATCH[LOCAL]]), {METHOD: LOCAL})
        for first in range(0, len(message_ids), _BATCH[LOCAL])
    ]


class Extraction:
    """Works off the outbox's extraction items. The facts of a batch and its end are one commit, so that a batch that is
    read twice, after a crash or a lost claim, is stored once.

    Args:
        store: Where the work is.
        index: Where its facts go.
        embedder: Makes their vectors.
        searcher: Finds what is known already.
        rules: What is particular to each tenant.
        defence: What of a fact may be remembered.
        settings: How facts are drawn.
    """

    def __init__(
        self,
        store: Store,
        index: LiveIndex,
        embedder: Embedder,
        searcher: Searcher,
        rules: TenantRules,
        defence: Defence,
        settings: Settings,
    ) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._searcher = searcher
        self._rules = rules
        self._defence = defence
        self._spending = Spending(store, settings.extraction.llm)
        self._limits = settings.limits
        self._attempts = settings.extraction.attempts
        self._identifiers = IdentifierSource()
        self._changed = threading.Condition()
        self._generation = 0
        self._stopping = False
        self._turn = ""
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._seconds: dict[str, tuple[int, float]] = {}
        self._workers = [ExtractionWorker(settings.extraction) for _ in range(settings.extraction.workers)]
        self._threads = [
            threading.Thread(target=self._run, args=(worker,), name=f"mnemic-extraction-{number}", daemon=True)
            for number, worker in enumerate(self._workers)
        ]

    def start(self) -> None:
        """Begins in the background, with what a process that ended had begun."""
        self._store.release_work(OutboxKind.EXTRACT, _now())
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends at once: a batch in hand is read again at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=_STOPPING_SECONDS)
        for worker in self._workers:
            worker.stop()

    def wake(self) -> None:
        """Work was enqueued, or has ended."""
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    @property
    def generation(self) -> int:
        """Grows whenever work was enqueued or has ended."""
        return self._generation

    def wait_for_change(self, generation: int, seconds: float) -> None:
        """Waits until `generation` has grown, or so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._generation != generation or self._stopping, timeout=seconds)

    def figures(self) -> ExtractionFigures:
        """What was done since the start."""
        counts = self._counts
        return ExtractionFigures(
            done=counts["done"],
            retried=counts["retried"],
            failed=counts["failed"],
            facts=counts["facts"],
            duplicates=counts["duplicates"],
            dropped=dict(self._dropped),
            prompt_tokens=counts["prompt_tokens"],
            completion_tokens=counts["completion_tokens"],
            seconds=dict(self._seconds),
            by_tenant=self._spending.by_tenant(),
        )

    def stats(self, tenant: str | None) -> ExtractionStats:
        """What there is to do, and what was spent this month, of one tenant or of all."""
        found = self._store.extraction_stats(tenant, month_of(_now()))
        return (
            found
            if tenant is None
            else replace(found, monthly_budget_micros=self._rules.of(tenant).monthly_budget_micros)
        )

    def _run(self, worker: ExtractionWorker) -> None:
        while not self._stopping:
            generation = self._generation
            try:
                if self.work_once(worker):
                    continue
                due = self._store.next_due(OutboxKind.EXTRACT)
            except MnemicError as error:
                _log.warning("extraction_waits", error=str(error))
                due = None
            seconds = _IDLE_SECONDS if due is None else (due - _now()) / 1e6
            self.wait_for_change(generation, min(max(seconds, 0.01), _IDLE_SECONDS))

    def work_once(self, worker: ExtractionWorker) -> bool:
        """Does the next batch that is due; False if none is. Tenants take turns."""
        item = self._store.claim_turn(
            OutboxKind.EXTRACT, after_tenant=self._turn, now_micros=_now(), lease_micros=_LEASE_MICROS
        )
        if item is None:
            return False
        self._turn = item.tenant
        try:
            self._draw(worker, item)
        except WorkLostError:
            _log.warning("extraction_claimed_twice", item=item.item_id)
        except ExtractionFailedError as error:
            self._give_up(item, f"{error.reason.value}: {error.description}")
        except ExtractionUnavailableError as error:
            if not self._stopping:
                self._postpone(item, error.description, error.retry_after_seconds)
        except MnemicError as error:
            self._postpone(item, str(error), error.retry_after_seconds)
        except Exception as error:  # noqa: BLE001 (a defect in one batch must not end all extraction)
            _log.exception("extraction_failed", item=item.item_id)
            self._postpone(item, f"defect: {type(error).__name__}: {error}", None)
        self.wake()
        return True

    def _draw(self, worker: ExtractionWorker, item: OutboxItem) -> None:
        rules = self._rules.of(item.tenant)
        method = item.payload[METHOD]
        held = self._spending.held_until(item.tenant, rules) if method != LOCAL else None
        if held is not None:
            reason, until = held
            self._store.hold_work(item.item_id, rules, reason=reason, now_micros=_now(), until_micros=until)
            return
        drawn = [self._extract(worker, item, request) for request in self._requests(item, rules)]
        identity = drawn[0][0] if drawn else ""
        self._store_facts(item, identity, [result for _, result in drawn])
        self._counts["done"] += 1

    def _extract(
        self, worker: ExtractionWorker, item: OutboxItem, request: ExtractionRequest
    ) -> tuple[str, ExtractionResult]:
        """What is drawn from a request and by what; its cost is counted, also in vain."""
        method, begin = item.payload[METHOD], time.perf_counter()
        spent: ExtractionResult | ExtractionFailedError | ExtractionUnavailableError | None = None
        try:
            identity, spent = worker.extract(method, request, _TIMEOUT_SECONDS)
        except (ExtractionFailedError, ExtractionUnavailableError) as error:
            spent = error
            raise
        finally:
            seconds = time.perf_counter() - begin
            count, total = self._seconds.get(method, (0, 0.0))
            self._seconds[method] = (count + 1, total + seconds)
            if spent is not None and (method != LOCAL or spent.prompt_tokens):
                self._count_model(item.tenant, spent.prompt_tokens, spent.completion_tokens, seconds)
        return identity, spent

    def _requests(self, item: OutboxItem, rules: ExtractionRules) -> list[ExtractionRequest]:
        """The messages that are still there, those before them and what the tenant wants: one request, unless the
        clocks of the tenant's zone were changed in between.
        """
        found = self._store.get(item.tenant, item.memory_ids)
        named = [found[memory_id] for memory_id in item.memory_ids if memory_id in found]
        messages = [memory for memory in named if memory.kind is MemoryKind.MESSAGE]
        if not messages:
            return []
        first = messages[0]
        before = self._store.list_memories(
            item.tenant, first.scope, ScopeMatch.EXACT, limit=_CONTEXT, now_micros=_now(), before_id=first.memory_id
        )
        context = [memory for memory in reversed(before) if _is_of_conversation(memory, first)]
        common = ExtractionRequest(
            messages=(),
            context=tuple(map(source_message, context)),
            known=self._known(item, messages),
            instructions="\n".join(filter(None, (rules.instructions, item.payload.get(INSTRUCTIONS, "")))),
            include_topics=rules.include_topics,
            exclude_topics=rules.exclude_topics,
            categories=tuple(category.name for category in rules.categories),
            category_descriptions={
                category.name: category.description for category in rules.categories if category.description
            },
        )
        by_offset: dict[int, list[SourceMessage]] = {}
        for message in map(source_message, messages):
            by_offset.setdefault(offset_minutes(rules.time_zone, message.said_at_micros), []).append(message)
        return [
            replace(common, messages=tuple(group), utc_offset_minutes=offset) for offset, group in by_offset.items()
        ]

    def _known(self, item: OutboxItem, messages: Sequence[Memory]) -> tuple[KnownFact, ...]:
        """A language model is shown what is near to the messages in meaning, the rules what they can refer to."""
        if item.payload[METHOD] == LLM:
            return self._nearest(item.tenant, messages)
        if item.payload[METHOD] == SUMMARY:
            return ()
        said_in = messages[0].scope
        scope = said_in if item.payload.get(IN_SESSION) else scope_of_fact(said_in)
        return tuple(map(known_fact, self._store.list_slots(item.tenant, scope, limit=_KNOWN_SLOTS, now_micros=_now())))

    def _nearest(self, tenant: str, messages: Sequence[Memory]) -> tuple[KnownFact, ...]:
        """The facts of the scope that are nearest to the messages; none while they cannot be found."""
        known: dict[str, KnownFact] = {}
        for message in messages:
            request = SearchRequest(
                scope=message.scope,
                query=message.body[: self._limits.query_bytes // 4],
                filter=_FACTS,
                top_k=_KNOWN_EACH,
            )
            try:
                hits = self._searcher.search(tenant, request, Deadline.after(_TIMEOUT_SECONDS)).hits
            except MnemicError as error:
                _log.warning("extraction_without_known_facts", error=str(error))
                break
            known |= {hit.memory.memory_id: known_fact(hit.memory) for hit in hits}
        return tuple(known.values())[:_KNOWN]

    def _store_facts(self, item: OutboxItem, identity: str, results: Sequence[ExtractionResult]) -> None:
        now = _now()
        found = self._store.get(item.tenant, item.memory_ids)
        facts = [fact for result in results for fact in result.facts]
        kept, dropped = acceptable(facts, found, self._limits, partial(self._admit, item.tenant, now), now)
        vectors = self._embed([fact_input for _, fact_input, _ in kept])
        writes = []
        for (fact, fact_input, holds_from), vector in zip(kept, vectors, strict=True):
            said_in, model = found[fact_input.source_ids[0]].scope, self._embedder.provider.identity
            scope = said_in if item.payload.get(IN_SESSION) else scope_of_fact(said_in)
            memory = replace(
                new_memory(self._identifiers.next(), scope, fact_input, vector, model, now),
                valid_from_micros=holds_from,
                confidence=fact.confidence,
            )
            reason, standing = f"drawn from its sources by {identity}", standing_of(fact)
            if fact.kind is MemoryKind.SUMMARY:
                reason, standing = self._standing_of_summary(item, fact_input.source_ids, identity)
            writes.append(VersionWrite(memory, ChangeKind.ADDED, content_hash(memory.body), reason, standing))
        committed = self._index.commit(
            WriteBatch(
                tenant=item.tenant,
                inserts=writes,
                outbox=embedding_work([write.memory for write in writes]),
                finishes=FinishedWork(item.item_id, item.attempts),
                quota=self._limits.quota(),
                now_micros=now,
            )
        )
        duplicates = sum(inserted.is_duplicate for inserted in committed.inserted)
        self._counts["duplicates"] += duplicates
        self._counts["facts"] += len(committed.inserted) - duplicates
        for result in results:
            self._dropped.update({str(reason): count for reason, count in result.dropped.items()})
        self._dropped.update(dropped)

    def _admit(self, tenant: str, now: int, fact: MemoryInput) -> MemoryInput:
        return self._defence.inputs(tenant, [fact], now_micros=now)[0]

    def _standing_of_summary(self, item: OutboxItem, sources: Sequence[str], identity: str) -> tuple[str, Standing]:
        """Why a summary is written, and how it relates to earlier ones of the same messages: it takes their place."""
        older = tuple(self._store.summaries_over(item.tenant, sources))
        standing = Standing(supersedes=older, reason="the session was summarised again, after more was said in it")
        return f"summarised from its sources by {identity}", standing

    def _embed(self, inputs: Sequence[MemoryInput]) -> Sequence[bytes | None]:
        texts = [embedding_text(item.name, item.body) for item in inputs]
        return self._embedder.embed_if_reachable(texts, Deadline.after(_TIMEOUT_SECONDS))

    def _postpone(self, item: OutboxItem, error: str, retry_after_seconds: float | None) -> None:
        if item.attempts >= self._attempts:
            self._give_up(item, error)
            return
        self._counts["retried"] += 1
        delay = min(_FIRST_DELAY_SECONDS * 2 ** min(item.attempts - 1, 16), _LONGEST_DELAY_SECONDS)
        delay *= random.uniform(0.5, 1.0)  # noqa: S311 (jitter, no secret)
        delay = max(delay, retry_after_seconds or 0.0)
        self._store.retry_outbox(item.item_id, error=error, next_attempt_micros=_now() + int(delay * 1e6))

    def _give_up(self, item: OutboxItem, error: str) -> None:
        _log.warning("extraction_given_up", item=item.item_id, tenant=item.tenant, error=error)
        self._counts["failed"] += 1
        self._store.retry_outbox(item.item_id, error=error, next_attempt_micros=None)

    def _count_model(self, tenant: str, prompt: int, completion: int, seconds: float) -> None:
        self._counts["prompt_tokens"] += prompt
        self._counts["completion_tokens"] += completion
        self._spending.count(tenant, prompt_tokens=prompt, completion_tokens=completion, seconds=seconds)


def _is_of_conversation(memory: Memory, first: Memory) -> bool:
    return memory.kind is MemoryKind.MESSAGE and memory.scope == first.scope


def _now() -> int:
    return time.time_ns() // 1000
