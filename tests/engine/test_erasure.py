"""Erasure: what is erased is nowhere any more, in no file, and does not come back."""

from __future__ import annotations

import uuid

import pytest
from erasure_support import USER, fill, search_bytes, traces_of

from mnemic.engine.engine import Engine
from mnemic.engine.receipts import verify
from mnemic.model.deadline import Deadline
from mnemic.model.erasure import ErasureRequest, ErasureTarget
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.operations import OperationState
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest

TENANT = "default"
OTHER = Scope(user_id="bystander-7731")


def erase(engine: Engine, scope: Scope = USER, **more):
    """Erases a scope; within a time, so that an erasure that waits fails with what it waits for."""
    request = ErasureRequest(target=ErasureTarget(scope=scope), **more)
    return engine.erasure.erase(TENANT, request, deadline=Deadline.after(30.0))


def places(result) -> dict[str, tuple[int, int, int]]:
    return {place.place: (place.found, place.destroyed, place.kept) for place in result.erasure.places}


def test_no_byte_of_what_was_erased_is_left_in_any_file(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        filled = fill(engine, TENANT)
        engine.search(TENANT, SearchRequest(scope=USER, query="what does the person like"))
        traces = traces_of(settings.data_directory, filled)
        # How JSON escapes a text that the store does not escape is looked for all the same.
        plain = [name for name in traces if not name.startswith("json ")]
        assert len(plain) > 1000
    # A start in between: snapshots are written at the end, and the log is emptied into the database.
    before = search_bytes(settings.data_directory, traces)
    assert len(before.keys() & set(plain)) > 0.95 * len(plain)
    with Engine.open(settings) as engine:
        engine.search(TENANT, SearchRequest(scope=USER, query="what does the person like"))
        result = erase(engine, reason="asked for by mail", request_id=str(uuid.uuid4()))
        assert result.erasure.state is OperationState.DONE
        assert search_bytes(settings.data_directory, traces) == {}
        assert engine.check() == []
        assert engine.list_memories(TENANT, ListRequest(scope=OTHER, match=ScopeMatch.EXACT)).memories
    assert search_bytes(settings.data_directory, traces) == {}


def test_what_is_erased_is_gone_for_every_call(engine):
    added = engine.add(TENANT, USER, [MemoryInput(body="The person keeps bees in Bergen.")])
    (memory,) = added.memories
    engine.update(TENANT, memory.memory_id, MemoryUpdate(body="Bees, in Bergen.", fields=frozenset({"body"})))
    erase(engine)
    for call in (
        lambda: engine.get(TENANT, memory.memory_id),
        lambda: engine.restore(TENANT, memory.memory_id),
        lambda: engine.delete(TENANT, memory.memory_id),
    ):
        with pytest.raises(MnemicError) as refused:
            call()
        assert refused.value.reason is Reason.MEMORY_NOT_FOUND
    assert engine.search(TENANT, SearchRequest(scope=USER, query="bees")).hits == ()
    assert engine.list_scopes(TENANT).scopes == ()


def test_the_same_request_asks_again_and_another_one_may_not_use_its_id(engine):
    engine.add(TENANT, USER, [MemoryInput(body="something")])
    request_id = str(uuid.uuid4())
    first = erase(engine, request_id=request_id)
    again = erase(engine, request_id=request_id)
    assert again.replayed
    assert not first.replayed
    assert again.receipt == first.receipt
    with pytest.raises(MnemicError) as refused:
        erase(engine, OTHER, request_id=request_id)
    assert refused.value.reason is Reason.REQUEST_ID_REUSED


def test_a_receipt_verifies_and_names_nobody(engine, settings):
    engine.add(TENANT, USER, [MemoryInput(body="a secret of theirs")])
    result = erase(engine, reason="request 4711", requested_by="the data protection officer")
    document = verify(result.receipt, engine.erasure.public_key())
    assert document["reason"] == "request 4711"
    assert document["requested_by"] == "the data protection officer"
    assert {"place": "memories", "found": 1, "destroyed": 1, "kept": 0, "kept_reason": ""} in document["places"]
    assert USER.user_id.encode() not in result.receipt.document
    key_file = settings.data_directory / "erasure" / "signing.key"
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_a_preview_counts_what_the_erasure_destroys_and_destroys_nothing(engine):
    fill(engine, TENANT)
    request = ErasureRequest(target=ErasureTarget(scope=USER))
    preview = {place.place: place.found for place in engine.erasure.preview(TENANT, request).places}
    assert engine.list_memories(TENANT, ListRequest(scope=USER, match=ScopeMatch.EXACT)).memories
    done = {place.place: place.found for place in erase(engine).erasure.places}
    assert preview
    assert {place: done.get(place) for place in preview} == preview


def test_a_retry_of_an_add_that_was_erased_brings_nothing_back(engine):
    request_id = str(uuid.uuid4())
    engine.add(TENANT, USER, [MemoryInput(body="said once")], request_id=request_id)
    erase(engine)
    with pytest.raises(MnemicError) as refused:
        engine.add(TENANT, USER, [MemoryInput(body="said once")], request_id=request_id)
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert engine.list_memories(TENANT, ListRequest(scope=USER, match=ScopeMatch.EXACT)).memories == ()


def test_what_is_added_afterwards_is_kept(engine):
    engine.add(TENANT, USER, [MemoryInput(body="before")])
    erase(engine)
    engine.add(TENANT, USER, [MemoryInput(body="The person came back and likes figs.")])
    assert [hit.memory.body for hit in engine.search(TENANT, SearchRequest(scope=USER, query="figs")).hits] == [
        "The person came back and likes figs."
    ]
    assert engine.check() == []


def test_an_erasure_that_is_too_slow_for_its_caller_goes_on(engine):
    fill(engine, TENANT)
    request_id = str(uuid.uuid4())
    request = ErasureRequest(target=ErasureTarget(scope=USER), request_id=request_id)
    with pytest.raises(MnemicError) as late:
        engine.erasure.erase(TENANT, request, deadline=Deadline.after(0.0))
    assert late.value.reason is Reason.DEADLINE_EXCEEDED
    found = engine.erasure.get(TENANT, request_id=request_id, wait_seconds=60)
    assert found.erasure.state is OperationState.DONE
    assert found.receipt is not None
