"""Facts drawn behind the answers: once each, whatever ends in between, and nobody waits for another's."""

import os
import signal
import threading
import time

import pytest

from mnemic.engine.engine import Engine
from mnemic.engine.extraction_worker import ExtractionWorker
from mnemic.extraction.extractor import ExtractionFailedError, ExtractionUnavailableError
from mnemic.extraction.reasons import Failure
from mnemic.extraction.settings import ExtractionSettings
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.fact import ExtractedFact, ExtractionRequest, ExtractionResult
from mnemic.model.memory import ChangeKind, MemoryInput, MemoryKind, TrustLevel
from mnemic.model.operations import OperationState, WorkKind
from mnemic.model.requests import AddMode, ListRequest, WaitFor
from mnemic.model.scope import Scope
from mnemic.store.work import OutboxKind

ANNA = Scope(user_id="anna")
JANUARY, MARCH = 1_704_067_200_000_000, 1_709_251_200_000_000


def said(body, when=None, **more):
    return MemoryInput(body=body, name="Anna", event_time_micros=when, **more)


def add(engine, *inputs, tenant="t", scope=ANNA, wait=WaitFor.EXTRACTED, **more):
    return engine.add(tenant, scope, inputs, mode=AddMode.LOCAL, wait=wait, **more)


def facts(engine, tenant="t", scope=ANNA, **more):
    page = engine.list_memories(tenant, ListRequest(scope=scope, page_size=1000, **more))
    return [memory for memory in page.memories if memory.kind is not MemoryKind.MESSAGE]


class Scripted:
    """In the place of a worker's process: what it answers or raises, one after another."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def extract(self, _method, request, _seconds):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return "scripted:1", answer

    def stop(self):
        pass


@pytest.fixture
def quiet(engine, monkeypatch):
    """An engine whose workers do nothing by themselves: `step` has a scripted one do the next batch."""
    extraction = engine._extraction
    with extraction._changed:
        extraction._stopping = True
        extraction._changed.notify_all()
    for thread in extraction._threads:
        thread.join()
    extraction._stopping = False
    engine.step = extraction.work_once
    return engine


def drawn(*bodies, sources, **more):
    return ExtractionResult(facts=tuple(ExtractedFact(body=body, source_ids=tuple(sources), **more) for body in bodies))


def test_a_message_is_there_at_once_and_its_facts_when_waited_for(engine):
    result = add(engine, said("I live in Oslo.", JANUARY))
    (fact,) = facts(engine)
    assert fact.body.startswith("Anna")
    assert "Oslo" in fact.body
    assert fact.source_ids == (result.memories[0].memory_id,)
    assert (fact.kind, fact.valid_from_micros, fact.scope) == (MemoryKind.FACT, JANUARY, ANNA)
    operation = engine.operation("t", result.operation_id)
    assert (operation.state, operation.attempts, operation.memory_ids) == (OperationState.DONE, 1, (fact.memory_id,))
    assert result.revision == operation.revision == engine.revision()
    assert engine.history("t", fact.memory_id)[0].reason.startswith("drawn from its sources by local:")
    assert engine.check() == []


def test_the_newer_statement_supersedes_whenever_it_is_read(engine):
    add(engine, said("I live in Rome now.", MARCH))
    add(engine, said("I live in Oslo.", JANUARY))
    (now,) = facts(engine)
    (then,) = facts(engine, as_of_micros=JANUARY)
    assert ("Rome" in now.body, "Oslo" in then.body) == (True, True)
    assert then.superseded_by == now.memory_id


def test_what_is_said_again_adds_its_source(engine):
    first = add(engine, said("I live in Oslo.", JANUARY))
    second = add(engine, said("I live in Oslo.", MARCH))
    (fact,) = facts(engine)
    assert fact.source_ids == (first.memories[0].memory_id, second.memories[0].memory_id)
    assert engine.history("t", fact.memory_id)[-1].change is ChangeKind.MERGED
    assert engine.extraction_figures().duplicates == 1


def test_an_add_without_messages_leaves_no_work(engine):
    assert add(engine, MemoryInput(body="Anna lives in Oslo", kind=MemoryKind.FACT)).operation_id == ""
    assert engine.stats().store.outbox_pending == 0


def test_a_replayed_add_names_the_same_operation(engine):
    request_id = "0189d0a1-7c2b-7def-8123-456789abcdef"
    first, again = (add(engine, said("I live in Oslo."), request_id=request_id) for _ in range(2))
    assert (again.operation_id, again.replayed) == (first.operation_id, True)
    with pytest.raises(MnemicError) as refused:
        engine.add("t", ANNA, [said("I live in Oslo.")], request_id=request_id)
    assert refused.value.reason is Reason.REQUEST_ID_REUSED


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost_or_doubled(engine):
    add(engine, said("I live in Oslo."))
    worker = engine._extraction._workers[0]
    for number in range(3):
        os.kill(worker.process_id, signal.SIGKILL)
        result = add(engine, said(f"My name is Anna{number}."), wait=WaitFor.INDEXED)
        assert engine.operation("t", result.operation_id, wait_seconds=30).state is OperationState.DONE
    assert len(facts(engine)) == len({fact.body for fact in facts(engine)})
    assert engine.check() == []


def test_what_was_begun_when_the_process_ended_is_done_by_the_next_one(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        extraction = engine._extraction
        extraction.stop()
        result = add(engine, said("I live in Oslo."), wait=WaitFor.INDEXED)
        now = time.time_ns() // 1000
        assert engine._store.claim_turn(OutboxKind.EXTRACT, after_tenant="", now_micros=now, lease_micros=10**12)
        assert engine.operation("t", result.operation_id).state is OperationState.RUNNING
    with Engine.open(settings) as engine:
        done = engine.operation("t", result.operation_id, wait_seconds=30)
        assert (done.state, done.attempts) == (OperationState.DONE, 2)
        assert len(facts(engine)) == 1


def test_a_claim_that_was_lost_stores_nothing(quiet):
    (message,) = add(quiet, said("I live in Oslo."), wait=WaitFor.INDEXED).memories
    store = quiet._store

    class Slow(Scripted):
        def extract(self, method, request, seconds):
            # The lease ends meanwhile, and another worker takes the batch.
            later = time.time_ns() // 1000 + 10**12
            assert store.claim_turn(OutboxKind.EXTRACT, after_tenant="", now_micros=later, lease_micros=1)
            return super().extract(method, request, seconds)

    before = quiet.revision()
    quiet.step(Slow(drawn("Anna lives in Oslo", sources=[message.memory_id])))
    assert (facts(quiet), quiet.revision()) == ([], before)


def test_what_fails_is_tried_again_and_then_given_up_and_can_be_replayed(quiet, monkeypatch):
    monkeypatch.setattr("mnemic.engine.extracting._FIRST_DELAY_SECONDS", 0.0)
    result = add(quiet, said("I live in Oslo."), wait=WaitFor.INDEXED)
    away = ExtractionUnavailableError("the service is away")
    worker = Scripted(*[away] * quiet.settings.extraction.attempts)
    quiet.step(worker)
    waiting = quiet.operation("t", result.operation_id)
    assert (waiting.state, waiting.last_error) == (OperationState.PENDING, "the service is away")
    assert waiting.next_attempt_time_micros is not None
    while worker.answers:
        quiet.step(worker)
    failed = quiet.operation("t", result.operation_id, wait_seconds=5)
    assert (failed.state, failed.attempts) == (OperationState.FAILED, 8)
    (letter,) = quiet.dead_letters("t").dead_letters
    assert (letter.operation_id, letter.kind, letter.tenant) == (result.operation_id, WorkKind.EXTRACT, "t")
    assert letter.memory_ids == (result.memories[0].memory_id,)
    assert letter.fail_time_micros >= letter.create_time_micros
    assert quiet.dead_letters("other").dead_letters == ()
    assert quiet.stats("t").store.outbox_failed == 1
    request_id = "0189d0a1-7c2b-7def-8123-456789abcdef"
    ids = [result.operation_id, "0189d0a1-7c2b-7def-8123-000000000000", "77"]
    replayed = quiet.replay_dead_letters("t", ids, request_id=request_id)
    assert (replayed.requeued, replayed.missing_ids, replayed.replayed) == (1, tuple(ids[1:]), False)
    assert quiet.replay_dead_letters("t", ids, request_id=request_id).replayed
    quiet.step(Scripted(drawn("Anna lives in Oslo", sources=letter.memory_ids)))
    assert quiet.operation("t", result.operation_id).state is OperationState.DONE
    assert [fact.body for fact in facts(quiet)] == ["Anna lives in Oslo"]


def test_what_will_never_succeed_is_given_up_at_once(quiet):
    result = add(quiet, said("I live in Oslo."), wait=WaitFor.INDEXED)
    quiet.step(Scripted(ExtractionFailedError("no key", reason=Failure.REFUSED, prompt_tokens=7)))
    failed = quiet.operation("t", result.operation_id)
    assert (failed.state, failed.attempts, failed.last_error) == (OperationState.FAILED, 1, "refused: no key")
    figures = quiet.extraction_figures()
    assert (figures.failed, figures.prompt_tokens) == (1, 7)


def test_a_defect_of_one_batch_is_no_end(quiet):
    add(quiet, said("I live in Oslo."), wait=WaitFor.INDEXED)
    assert quiet.step(Scripted(ZeroDivisionError("x")))
    assert quiet.extraction_figures().retried == 1


def test_tenants_take_turns(quiet):
    for tenant, count in (("big", 5), ("small", 1), ("zoo", 2)):
        for number in range(count):
            add(quiet, said(f"{tenant} {number}"), tenant=tenant, wait=WaitFor.INDEXED)
    worker = Scripted(*[ExtractionResult()] * 8)
    while worker.answers:
        quiet.step(worker)
    read = [request.messages[0].body for request in worker.requests]
    assert read == ["big 0", "small 0", "zoo 0", "big 1", "zoo 1", "big 2", "big 3", "big 4"]


def test_a_batch_comes_with_what_was_said_before_it_and_without_what_is_gone(quiet):
    add(quiet, said("Where do you live?"), said("Say"), wait=WaitFor.INDEXED)
    add(quiet, said("elsewhere"), scope=Scope(user_id="anna", session_id="s"), wait=WaitFor.INDEXED)
    kept, gone = add(quiet, said("In Oslo."), said("Forget this."), wait=WaitFor.INDEXED).memories
    quiet.delete("t", gone.memory_id)
    worker = Scripted(*[ExtractionResult()] * 3)
    while worker.answers:
        quiet.step(worker)
    request = worker.requests[2]
    assert [message.memory_id for message in request.messages] == [kept.memory_id]
    assert [message.body for message in request.context] == ["Where do you live?", "Say"]


def test_what_cannot_be_stored_is_dropped_and_counted(quiet):
    (message,) = add(quiet, said("I live in Oslo.", trust=TrustLevel.UNTRUSTED), wait=WaitFor.INDEXED).memories
    good = ExtractedFact(body="Anna lives in Oslo", source_ids=(message.memory_id,), confidence=0.5)
    foreign = ExtractedFact(body="Ben lives in Rome", source_ids=("0189d0a1-7c2b-7def-8123-456789abcdef",))
    empty = ExtractedFact(body=" ", source_ids=(message.memory_id,))
    quiet.step(Scripted(ExtractionResult(facts=(good, foreign, empty), dropped={"topic": 2})))
    (fact,) = facts(quiet)
    assert (fact.body, fact.confidence, fact.trust) == ("Anna lives in Oslo", 0.5, TrustLevel.UNTRUSTED)
    assert quiet.extraction_figures().dropped == {"topic": 2, "malformed": 1, "source_deleted": 1}


def test_values_are_compared_whatever_their_words(quiet):
    def tell(body, value, **more):
        (message,) = add(quiet, said(body), wait=WaitFor.INDEXED).memories
        quiet.step(Scripted(drawn(body, sources=[message.memory_id], slot="anna.pet", slot_value=value, **more)))
        return {fact.body for fact in facts(quiet)}

    assert tell("Anna has a cat", "cat", is_additive=True) == {"Anna has a cat"}
    assert tell("A cat lives with Anna", "Cat", is_additive=True) == {"Anna has a cat"}
    assert tell("Anna has a dog", "dog", is_additive=True) == {"Anna has a cat", "Anna has a dog"}
    assert tell("Anna has no cat any more", "not cat") == {"Anna has a dog", "Anna has no cat any more"}
    assert tell("Anna has a cat again", "cat", is_additive=True) == {"Anna has a dog", "Anna has a cat again"}
    assert quiet.check() == []


def test_a_correction_replaces_what_never_held(quiet):
    def tell(body, value, when, **more):
        (message,) = add(quiet, said(body, when), wait=WaitFor.INDEXED).memories
        quiet.step(Scripted(drawn(body, sources=[message.memory_id], slot="anna.home", slot_value=value, **more)))

    tell("Anna lives in Porto", "Porto", JANUARY)
    tell("No, Anna lives in Lisbon", "Lisbon", MARCH, is_correction=True)
    assert [fact.body for fact in facts(quiet)] == ["No, Anna lives in Lisbon"]
    assert [fact.body for fact in facts(quiet, as_of_micros=JANUARY)] == ["No, Anna lives in Lisbon"]


def test_a_correction_that_tells_a_later_time_leaves_no_gap(quiet):
    def tell(body, value, when, **more):
        (message,) = add(quiet, said(body, when), wait=WaitFor.INDEXED).memories
        quiet.step(Scripted(drawn(body, sources=[message.memory_id], slot="anna.home", slot_value=value, **more)))

    tell("Anna lives in Porto", "Porto", JANUARY)
    tell("No, since March Anna lives in Lisbon", "Lisbon", MARCH, is_correction=True, event_time_micros=MARCH)
    assert [fact.body for fact in facts(quiet, as_of_micros=JANUARY)] == ["No, since March Anna lives in Lisbon"]


def test_of_several_values_the_one_that_is_replaced_ends(quiet):
    def tell(body, value, when, **more):
        (message,) = add(quiet, said(body, when), wait=WaitFor.INDEXED).memories
        result = drawn(
            body, sources=[message.memory_id], slot="anna.learning", slot_value=value, is_additive=True, **more
        )
        quiet.step(Scripted(result))

    tell("Anna learns Danish", "Danish", JANUARY)
    tell("Anna learns Norwegian", "Norwegian", JANUARY)
    tell("Anna learns Swedish", "Swedish", MARCH, replaces=("Norwegian",), is_correction=True)
    assert {fact.body for fact in facts(quiet)} == {"Anna learns Danish", "Anna learns Swedish"}
    assert {fact.body for fact in facts(quiet, as_of_micros=JANUARY)} == {"Anna learns Danish", "Anna learns Swedish"}
    tell("Anna learns Finnish", "Finnish", MARCH, replaces=("danish",))
    assert {fact.body for fact in facts(quiet)} == {"Anna learns Swedish", "Anna learns Finnish"}
    assert {fact.body for fact in facts(quiet, as_of_micros=JANUARY)} == {"Anna learns Danish", "Anna learns Swedish"}
    assert quiet.check() == []


def test_what_is_told_of_the_future_holds_from_when_it_is_told(quiet):
    def tell(body, value, said_at, happens):
        (message,) = add(quiet, said(body, said_at), wait=WaitFor.INDEXED).memories
        sources, due = [message.memory_id], {"event_time_micros": happens}
        quiet.step(Scripted(drawn(body, sources=sources, slot="anna.deadline", slot_value=value, **due)))

    day = 86_400_000_000
    tell("The report is due in June", "June", JANUARY, MARCH + 90 * day)
    tell("The report is due in May already", "May", MARCH, MARCH + 60 * day)
    assert [fact.body for fact in facts(quiet)] == ["The report is due in May already"]
    assert [fact.body for fact in facts(quiet, as_of_micros=JANUARY + day)] == ["The report is due in June"]


def test_what_is_told_in_one_session_is_known_in_the_others(quiet):
    def tell(body, value, session, when, **more):
        scope = Scope(user_id="anna", session_id=session)
        (message,) = add(quiet, said(body, when), scope=scope, wait=WaitFor.INDEXED, **more).memories
        quiet.step(Scripted(drawn(body, sources=[message.memory_id], slot="anna.home", slot_value=value)))

    tell("Anna lives in Porto", "Porto", "s1", JANUARY)
    tell("Anna lives in Lisbon", "Lisbon", "s2", MARCH)
    (fact,) = facts(quiet)
    assert (fact.body, fact.scope) == ("Anna lives in Lisbon", ANNA)
    tell("Anna lives in Oslo for now", "Oslo", "s3", MARCH + 1, within=Scope(session_id="s3"))
    in_session = facts(quiet, scope=Scope(user_id="anna", session_id="s3"))
    assert {(fact.body, fact.scope.session_id) for fact in in_session} == {
        ("Anna lives in Lisbon", None),
        ("Anna lives in Oslo for now", "s3"),
    }


def test_operations_are_those_of_their_tenant_and_scope(engine):
    operation_id = add(engine, said("I live in Oslo.")).operation_id
    for tenant, within in (("other", Scope()), ("t", Scope(user_id="ben"))):
        with pytest.raises(MnemicError) as refused:
            engine.operation(tenant, operation_id, within=within)
        assert refused.value.reason is Reason.RESOURCE_NOT_FOUND
    assert engine.operation("t", operation_id, within=ANNA).has_ended
    with pytest.raises(MnemicError, match="operation_id"):
        engine.operation("t", "x")
    with pytest.raises(MnemicError, match="wait"):
        engine.operation("t", operation_id, wait_seconds=-1)


def test_waiting_ends_with_the_deadline_while_the_write_stands(quiet):
    with pytest.raises(MnemicError) as late:
        add(quiet, said("I live in Oslo."), deadline=Deadline.after(0.2))
    assert late.value.reason is Reason.DEADLINE_EXCEEDED
    assert quiet.stats("t").store.memories == 1


def test_many_threads_that_say_the_same_leave_one_fact(engine):
    errors = []

    def work():
        try:
            add(engine, said("I live in Oslo.", JANUARY))
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    (fact,) = facts(engine)
    assert len(fact.source_ids) == 16


def test_a_worker_that_takes_too_long_is_ended(monkeypatch):
    worker = ExtractionWorker(ExtractionSettings())
    worker.extract("local", ExtractionRequest(messages=()), 10.0)
    os.kill(worker.process_id, signal.SIGSTOP)
    monkeypatch.setattr("mnemic.engine.extraction_worker._GRACE_SECONDS", 0.05)
    with pytest.raises(ExtractionUnavailableError, match="too long"):
        worker.extract("local", ExtractionRequest(messages=()), 0.05)
    assert worker.process_id is None
    worker.extract("local", ExtractionRequest(messages=()), 10.0)
    worker.stop()
