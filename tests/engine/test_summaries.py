"""Summaries of sessions that have ended: added once for each state, above what they cover and never in its place."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from pydantic import SecretStr

from mnemic.engine.engine import Engine
from mnemic.extraction.extractor import ExtractionFailedError, ExtractionUnavailableError
from mnemic.extraction.reasons import Failure
from mnemic.model.access import Tenant
from mnemic.model.erasure import ErasureRequest, ErasureTarget
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.fact import ExtractedFact, ExtractionResult
from mnemic.model.memory import MemoryInput, MemoryKind
from mnemic.model.operations import OperationState
from mnemic.model.requests import ListRequest
from mnemic.model.retention import RetentionPolicy
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest
from tests.embedding.embedding_servers import serving
from tests.extraction.chat_services import KEY, ChatService, fact, facts

USER = Scope(user_id="ana")
SESSION = Scope(user_id="ana", session_id="s1")
DAY = 86_400
MICROS = 1_000_000


@pytest.fixture
def settings(settings):
    """Of an engine that has a language model, which nothing in these tests asks."""
    llm = settings.extraction.llm.model_copy(
        update={
            "model": "m",
            "api_key": SecretStr("k"),
            "price_per_million_prompt_tokens": 1.0,
            "price_per_million_completion_tokens": 10.0,
        }
    )
    return settings.model_copy(update={"extraction": settings.extraction.model_copy(update={"llm": llm})})


class Summarizer:
    """In the place of a worker's process: a summary of whatever it is given, or a failure."""

    def __init__(self, failure=None, tokens=0):
        self.asked = []
        self.failure = failure
        self.tokens = tokens

    def extract(self, method, request, _seconds):
        self.asked.append((method, [message.memory_id for message in request.messages]))
        if self.failure is not None:
            raise self.failure
        fact = ExtractedFact(
            body=f"The user talked about {len(request.messages)} things.",
            source_ids=tuple(message.memory_id for message in request.messages),
            kind=MemoryKind.SUMMARY,
            categories=("talk",),
        )
        return "llm-summary:m:1", ExtractionResult(facts=(fact,), prompt_tokens=self.tokens)

    def stop(self):
        pass


@pytest.fixture
def quiet(engine):
    """An engine whose workers do nothing by themselves, of a tenant that wants summaries after a day."""
    engine.summaries.stop()
    engine.summaries._stopping.clear()
    extraction = engine._extraction
    with extraction._changed:
        extraction._stopping = True
        extraction._changed.notify_all()
    for thread in extraction._threads:
        thread.join()
    extraction._stopping = False
    engine.authority.create_tenant(Tenant("t"), caller="t")
    change(engine, summarize_after_seconds=DAY)
    return engine


def change(engine, **rules):
    engine.authority.update_tenant(
        "t", lambda old: replace(old, extraction=replace(old.extraction, **rules)), caller="default"
    )


def say(engine, *texts, scope=SESSION):
    return [item.memory_id for item in engine.add("t", scope, [MemoryInput(body=text) for text in texts]).memories]


def later(engine, days=2.0):
    """A look so much later; how many summaries it enqueued."""
    newest = max(memory.create_time_micros for memory in listed(engine))
    return engine.summaries.look(newest + int(days * DAY * MICROS))


def work(engine, worker):
    while engine._extraction.work_once(worker):
        pass
    return worker.asked


def listed(engine, kind=None, **more):
    request = ListRequest(scope=Scope(), match=ScopeMatch.TENANT, page_size=1000, **more)
    memories = engine.list_memories("t", request).memories
    return [memory for memory in memories if kind is None or memory.kind is kind]


def summaries(engine, **more):
    return listed(engine, MemoryKind.SUMMARY, **more)


FIVE = [f"thing number {number}" for number in range(5)]


def test_a_session_that_has_ended_is_summarised_once_and_stays_as_it_is(quiet):
    ids = say(quiet, *FIVE)
    before = [quiet.get("t", memory_id) for memory_id in ids]
    assert later(quiet, days=0.5) == 0
    assert later(quiet) == 1
    assert later(quiet) == 0, "it waits already"
    worker = Summarizer()
    assert work(quiet, worker) == [("summary", ids)]
    (summary,) = summaries(quiet)
    assert (summary.body, summary.source_ids, summary.scope) == ("The user talked about 5 things.", tuple(ids), USER)
    assert quiet.history("t", summary.memory_id)[0].reason == "summarised from its sources by llm-summary:m:1"
    assert [quiet.get("t", memory_id) for memory_id in ids] == before
    found = quiet.search("t", SearchRequest(scope=SESSION, query="thing number 3", top_k=10)).hits
    assert {hit.memory.memory_id for hit in found} >= set(ids)
    assert later(quiet) == 0
    # Also when it is no longer known that it was done.
    quiet._store.forget_work(2**62)
    assert later(quiet) == 0
    assert quiet.check() == []


def test_it_is_off_unless_the_tenant_wants_it(quiet):
    change(quiet, summarize_after_seconds=None)
    say(quiet, *FIVE)
    assert later(quiet) == 0


def test_what_is_no_session_or_too_short_is_left(quiet):
    say(quiet, *FIVE, scope=USER)
    say(quiet, *FIVE[:3])
    assert later(quiet) == 0


def test_a_session_that_goes_on_is_summarised_again_in_place_of_the_first(quiet):
    ids = say(quiet, *FIVE)
    later(quiet)
    work(quiet, Summarizer())
    (first,) = summaries(quiet)
    more = say(quiet, "one more thing")
    assert later(quiet) == 1
    work(quiet, Summarizer())
    (second,) = summaries(quiet)
    assert second.source_ids == (*ids, *more)
    assert quiet.get("t", first.memory_id).superseded_by == second.memory_id
    assert later(quiet) == 0


def test_a_long_session_has_several_summaries(quiet):
    ids = [memory_id for part in range(5) for memory_id in say(quiet, *(f"{part} {number}" for number in range(50)))]
    assert later(quiet) == 2
    work(quiet, Summarizer())
    assert sorted(len(summary.source_ids) for summary in summaries(quiet)) == [50, 200]
    say(quiet, "more")
    assert later(quiet) == 1
    work(quiet, Summarizer())
    assert {len(summary.source_ids) for summary in summaries(quiet)} == {51, 200}
    assert {source for summary in summaries(quiet) for source in summary.source_ids} >= set(ids)


def test_a_summary_that_was_deleted_is_not_made_again(quiet):
    say(quiet, *FIVE)
    later(quiet)
    work(quiet, Summarizer())
    quiet.delete("t", summaries(quiet)[0].memory_id)
    quiet._store.forget_work(2**62)
    assert later(quiet) == 0


def test_it_is_tried_again_and_waits_for_the_budget(quiet, monkeypatch):
    say(quiet, *FIVE)
    later(quiet)
    failing = Summarizer(ExtractionUnavailableError("busy", retry_after_seconds=0.0))
    assert quiet._extraction.work_once(failing)
    assert summaries(quiet) == []
    change(quiet, monthly_budget_micros=1)
    monkeypatch.setattr("mnemic.engine.extracting._now", lambda: 4_000_000_000_000_000)
    # The first one is carried out, and exceeds it.
    spending = Summarizer(tokens=10)
    assert quiet._extraction.work_once(spending)
    assert len(summaries(quiet)) == 1
    say(quiet, "one more thing")
    assert later(quiet) == 1
    idle = Summarizer()
    quiet._extraction.work_once(idle)
    assert idle.asked == []
    assert len(summaries(quiet)) == 1


def test_what_is_given_up_is_listed_and_not_enqueued_again(quiet):
    say(quiet, *FIVE)
    later(quiet)
    assert quiet._extraction.work_once(Summarizer(ExtractionFailedError("no", reason=Failure.UNREADABLE)))
    assert later(quiet) == 0
    (letter,) = quiet.dead_letters("t").dead_letters
    assert quiet.operation("t", letter.operation_id).state is OperationState.FAILED
    quiet.replay_dead_letters("t")
    work(quiet, Summarizer())
    assert len(summaries(quiet)) == 1


def test_retention_keeps_what_no_summary_covers_before_what_one_covers(quiet):
    """Of messages alike the newer would stay; here those that are covered are the newer ones."""
    old = Scope(user_id="ana", session_id="s0")
    plain = say(quiet, *FIVE[:2], scope=old)
    covered = say(quiet, *FIVE, scope=Scope(user_id="ana", session_id="s1"))
    later(quiet)
    work(quiet, Summarizer())
    policy = RetentionPolicy(policy_id="p", kinds=(MemoryKind.MESSAGE,), max_memories_per_scope=1)
    samples = quiet.retention.preview("t", trial_policies=[policy], sample_size=100).report.samples
    scores = {sample.memory.memory_id: sample.retention_score for sample in samples}
    of_plain = [scores[memory_id] for memory_id in plain if memory_id in scores]
    of_covered = [scores[memory_id] for memory_id in covered if memory_id in scores]
    assert len(of_plain) == 1
    assert len(of_covered) == 4
    assert max(of_covered) == pytest.approx(min(of_plain) / 2, rel=0.01)


def test_a_summary_goes_with_any_message_that_it_covers_and_is_made_again(quiet):
    ids = say(quiet, *FIVE)
    later(quiet)
    work(quiet, Summarizer())
    (first,) = summaries(quiet)
    quiet.erasure.erase("t", ErasureRequest(target=ErasureTarget(memory_id=ids[0]), reason="asked"))
    with pytest.raises(MnemicError) as gone:
        quiet.get("t", first.memory_id)
    assert gone.value.reason is Reason.MEMORY_NOT_FOUND
    assert later(quiet) == 1
    work(quiet, Summarizer())
    (second,) = summaries(quiet)
    assert second.source_ids == tuple(ids[1:])
    assert quiet.check() == []


@pytest.mark.parametrize("seconds", [0, 59, 400_000_000])
def test_a_time_that_makes_no_sense_is_refused(quiet, seconds):
    with pytest.raises(MnemicError) as refused:
        change(quiet, summarize_after_seconds=seconds)
    assert "summarize_after_seconds" in str(refused.value)


def test_the_whole_way_through_a_worker_process_to_a_service(settings):
    """The protocol is spoken for real; what the service is told is the session, and its answer is checked."""
    service = ChatService()
    service.answers = [
        facts(
            fact("The user talked about thing number 3.", sources=(4,)),
            fact("The user talked about Sebastian.", sources=(1,)),
        )
    ]
    with serving(service.handler()) as address:
        changes = {"base_url": f"{address}/v1", "api_key": SecretStr(KEY)}
        llm = settings.extraction.llm.model_copy(update=changes)
        changed = settings.model_copy(update={"extraction": settings.extraction.model_copy(update={"llm": llm})})
        with Engine.open(changed, pull_missing_model=True) as engine:
            engine.authority.create_tenant(Tenant("t"), caller="t")
            change(engine, summarize_after_seconds=DAY)
            say(engine, *FIVE)
            assert later(engine) == 1
            deadline = time.monotonic() + 60
            while not summaries(engine) and time.monotonic() < deadline:
                generation = engine._extraction.generation
                engine._extraction.wait_for_change(generation, 1.0)
            (summary,) = summaries(engine)
            assert summary.body == "The user talked about thing number 3."
            assert engine.extraction_figures().dropped["unsupported_name"] == 1
            assert engine.stats("t").extraction.month.prompt_tokens == 100
            assert len(service.requests) == 1
            assert engine.check() == []
