"""Writes: durable, visible at once, versioned, safe to retry."""

import base64
import json
import threading
import time
import uuid

import pytest

from mnemic.engine.pages import encode_page_token
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import ChangeKind, MemoryInput, Role
from mnemic.model.requests import AddMode, ListRequest, MemoryUpdate
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest, SignalWeights

USER = Scope(user_id="u")


def bodies(engine, query, **more):
    return [hit.body for hit in engine.search("t", SearchRequest(scope=USER, query=query, **more)).hits]


def add(engine, *texts, **more):
    return engine.add("t", USER, [MemoryInput(body=text) for text in texts], **more)


def test_the_next_search_sees_an_add(engine):
    for number in range(50):
        added = add(engine, f"unique{number} thing")
        result = engine.search("t", SearchRequest(scope=USER, query=f"unique{number}", min_revision=added.revision))
        assert result.hits[0].memory_id == added.memories[0].memory_id
        assert result.revision >= added.revision


def test_concurrent_writers_and_readers_agree(engine):
    errors = []

    def work(worker):
        try:
            for number in range(20):
                word = f"word{worker}x{number}"
                added = add(engine, f"{word} said by {worker}")
                found = engine.search("t", SearchRequest(scope=USER, query=word, min_revision=added.revision))
                assert added.memories[0].memory_id in {hit.memory_id for hit in found.hits}
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert engine.stats().store.memories == 120
    assert engine.check() == []


def test_an_update_is_a_new_version_and_the_old_one_stays_readable(engine):
    memory_id = add(engine, "She eats meat").memories[0].memory_id
    before = time.time_ns() // 1000
    time.sleep(0.01)
    updated = engine.update("t", memory_id, MemoryUpdate(fields=frozenset({"body"}), body="She is vegetarian"))
    assert (updated.memory.version, updated.memory.body) == (2, "She is vegetarian")
    assert bodies(engine, "She eats meat vegetarian") == ["She is vegetarian"]
    assert bodies(engine, "She eats meat", as_of_micros=before) == ["She eats meat"]
    history = engine.history("t", memory_id)
    assert [(entry.change, entry.memory.body) for entry in history] == [
        (ChangeKind.ADDED, "She eats meat"),
        (ChangeKind.UPDATED, "She is vegetarian"),
    ]
    assert history[0].memory.valid_to_micros == history[1].memory.valid_from_micros
    assert engine.check() == []


def test_an_update_of_metadata_keeps_the_vector(engine):
    memory_id = add(engine, "tea with milk").memories[0].memory_id
    vector = engine.get("t", memory_id, with_vector=True).vector
    engine.update("t", memory_id, MemoryUpdate(fields=frozenset({"metadata"}), metadata={"a": 1}))
    after = engine.get("t", memory_id, with_vector=True)
    assert (after.vector, after.metadata) == (vector, {"a": 1})


def test_an_update_of_a_version_that_is_gone_is_a_conflict(engine):
    memory_id = add(engine, "one").memories[0].memory_id
    change = MemoryUpdate(fields=frozenset({"body"}), body="two")
    engine.update("t", memory_id, change, expected_version=1)
    with pytest.raises(MnemicError) as refused:
        engine.update("t", memory_id, change, expected_version=1)
    assert refused.value.reason is Reason.VERSION_CONFLICT
    assert refused.value.metadata["current_version"] == "2"


def test_racing_updates_without_a_version_all_land(engine):
    memory_id = add(engine, "start").memories[0].memory_id

    def update(number):
        engine.update("t", memory_id, MemoryUpdate(fields=frozenset({"body"}), body=f"text {number}"))

    threads = [threading.Thread(target=update, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.get("t", memory_id).version == 4
    assert engine.check() == []


def test_a_deleted_memory_is_found_nowhere_but_in_its_history(engine):
    memory_id = add(engine, "the forgotten thing").memories[0].memory_id
    moment = time.time_ns() // 1000
    engine.delete("t", memory_id)
    assert bodies(engine, "forgotten") == []
    assert bodies(engine, "forgotten", as_of_micros=moment, include_superseded=True) == []
    assert engine.list_memories("t", ListRequest(scope=USER, include_superseded=True)).memories == ()
    with pytest.raises(MnemicError) as refused:
        engine.get("t", memory_id)
    assert refused.value.reason is Reason.MEMORY_NOT_FOUND
    assert [entry.change for entry in engine.history("t", memory_id)] == [ChangeKind.ADDED, ChangeKind.DELETED]


def test_delete_all_takes_a_scope_and_leaves_the_others(engine):
    add(engine, *(f"mine {number}" for number in range(30)))
    engine.add("t", Scope(user_id="u", session_id="s"), [MemoryInput(body="mine in a session")])
    engine.add("t", Scope(user_id="v"), [MemoryInput(body="theirs")])
    updated = engine.list_memories("t", ListRequest(scope=USER)).memories[3].memory_id
    engine.update("t", updated, MemoryUpdate(fields=frozenset({"body"}), body="changed"))
    assert engine.delete_all("t", USER) == 31
    assert engine.delete_all("t", USER) == 0
    assert engine.search("t", SearchRequest(scope=Scope(user_id="v"), query="theirs")).hits
    with pytest.raises(MnemicError) as refused:
        engine.delete_all("t", Scope())
    assert refused.value.reason is Reason.SCOPE_MISSING


def test_a_retry_with_the_same_request_id_adds_nothing(engine):
    request_id = str(uuid.uuid4())
    first = add(engine, "once", request_id=request_id)
    again = add(engine, "once", request_id=request_id)
    assert again.replayed
    assert (again.memories, again.revision) == (first.memories, first.revision)
    with pytest.raises(MnemicError) as refused:
        add(engine, "something else", request_id=request_id)
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert engine.stats().store.memories == 1


def test_a_retry_is_answered_even_if_it_would_be_refused_by_now(engine):
    source = add(engine, "a source").memories[0].memory_id
    soon = time.time_ns() // 1000 + 200_000
    item = MemoryInput(body="drawn from it", source_ids=[source], expire_time_micros=soon)
    request_id = str(uuid.uuid4())
    first = engine.add("t", USER, [item], request_id=request_id)
    engine.delete("t", source)
    time.sleep(0.25)
    assert engine.add("t", USER, [item], request_id=request_id).memories == first.memories


def test_what_is_wrong_in_itself_is_said_before_a_used_request_id(engine):
    request_id = str(uuid.uuid4())
    add(engine, "good", request_id=request_id)
    with pytest.raises(MnemicError) as refused:
        add(engine, "x" * 40_000, request_id=request_id)
    assert refused.value.reason is Reason.BODY_TOO_LARGE


def test_racing_retries_add_once(engine):
    request_id = str(uuid.uuid4())
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(add(engine, "once", request_id=request_id))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.memories[0].memory_id for result in results}) == 1
    assert sum(not result.replayed for result in results) == 1


def test_updates_and_deletions_replay_too(engine):
    memory_id = add(engine, "one").memories[0].memory_id
    change, request_id = MemoryUpdate(fields=frozenset({"body"}), body="two"), str(uuid.uuid4())
    first = engine.update("t", memory_id, change, request_id=request_id)
    again = engine.update("t", memory_id, change, request_id=request_id)
    assert again.replayed
    assert (again.memory, again.revision) == (first.memory, first.revision)
    request_id = str(uuid.uuid4())
    first = engine.delete("t", memory_id, request_id=request_id)
    again = engine.delete("t", memory_id, request_id=request_id)
    assert again.replayed
    assert again.revision == first.revision


def test_an_add_is_all_or_nothing(engine):
    with pytest.raises(MnemicError):
        add(engine, "good", " ")
    assert engine.stats().store.memories == 0
    assert engine.revision() == 0


def test_what_expires_is_no_longer_found(engine):
    soon = time.time_ns() // 1000 + 300_000
    engine.add("t", USER, [MemoryInput(body="short lived milk", expire_time_micros=soon)])
    assert bodies(engine, "milk") == ["short lived milk"]
    time.sleep(0.35)
    assert bodies(engine, "milk") == []
    assert engine.list_memories("t", ListRequest(scope=USER)).memories == ()
    assert len(engine.list_memories("t", ListRequest(scope=USER, include_expired=True)).memories) == 1


def test_extraction_is_refused_rather_than_left_out(engine):
    with pytest.raises(MnemicError) as refused:
        engine.add("t", USER, [MemoryInput(body="x")], mode=AddMode.LLM)
    assert refused.value.reason is Reason.EXTRACTOR_NOT_CONFIGURED


def test_the_speaker_is_searched_with_the_text(engine):
    engine.add("t", USER, [MemoryInput(body="I moved", name="Ana"), MemoryInput(body="I moved", name="Ben")])
    hits = engine.search("t", SearchRequest(scope=USER, query="Ben moved")).hits
    assert (hits[0].name, hits[0].role) == ("Ben", Role.USER)


def test_pages_walk_through_everything_once(engine):
    ids = [memory.memory_id for memory in add(engine, *(f"text {number}" for number in range(45))).memories]
    seen, token = [], ""
    while True:
        page = engine.list_memories("t", ListRequest(scope=USER, page_size=10, page_token=token))
        seen += [memory.memory_id for memory in page.memories]
        token = page.next_page_token
        if not token:
            break
        assert len(page.memories) == 10
    assert seen == ids[::-1]
    first = engine.list_memories("t", ListRequest(scope=USER, page_size=10))
    other = ListRequest(scope=USER, match=ScopeMatch.EXACT, page_token=first.next_page_token)
    with pytest.raises(MnemicError) as refused:
        engine.list_memories("t", other)
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN


def test_pages_with_ended_versions_walk_through_every_version_once(engine):
    ids = [memory.memory_id for memory in add(engine, *(f"text {number}" for number in range(5))).memories]
    for memory_id in ids:
        for number in range(2):
            engine.update("t", memory_id, MemoryUpdate(fields=frozenset({"body"}), body=f"changed {number}"))
    seen, token = [], ""
    while True:
        request = ListRequest(scope=USER, page_size=2, page_token=token, include_superseded=True)
        page = engine.list_memories("t", request)
        seen += [(memory.memory_id, memory.version) for memory in page.memories]
        token = page.next_page_token
        if not token:
            break
    assert seen == [(memory_id, version) for memory_id in ids[::-1] for version in (3, 2, 1)]


def test_a_forged_page_token_is_malformed(engine):
    add(engine, *(f"text {number}" for number in range(5)))
    token = engine.list_memories("t", ListRequest(scope=USER, page_size=2)).next_page_token
    _, digest, _ = json.loads(base64.urlsafe_b64decode(token + "=="))
    for position in ([], [None], ["x"], ["x", "y"], ["a", "1", "2"]):
        forged = encode_page_token(digest, position)
        with pytest.raises(MnemicError) as refused:
            engine.list_memories("t", ListRequest(scope=USER, page_size=2, page_token=forged))
        assert refused.value.reason is Reason.INVALID_PAGE_TOKEN


def test_scopes_are_listed_with_counts_in_pages(engine):
    scopes = [Scope(user_id=f"u{number}", session_id=session) for number in range(5) for session in (None, "s")]
    for count, scope in enumerate(scopes, start=1):
        engine.add("t", scope, [MemoryInput(body=f"{number}") for number in range(count)])
    found, token = [], ""
    while True:
        page = engine.list_scopes("t", page_size=3, page_token=token)
        found += page.scopes
        token = page.next_page_token
        if not token:
            break
    assert [(summary.scope, summary.memory_count) for summary in found] == list(zip(scopes, range(1, 11), strict=True))
    of_session = engine.list_scopes("t", Scope(session_id="s")).scopes
    assert [summary.scope for summary in of_session] == scopes[1::2]


def test_a_search_by_one_signal_equals_that_signal(engine):
    add(engine, "the cat sat on the mat", "dogs bark at night", "a feline rested on the rug")
    alone = SignalWeights(vector=0.0, context=0.0)
    words = engine.search("t", SearchRequest(scope=USER, query="cat", weights=alone, explain=True))
    assert [hit.body for hit in words.hits] == ["the cat sat on the mat"]
    assert set(words.hits[0].score_parts) <= {"lexical", "entity"}
