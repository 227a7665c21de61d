"""Erasure follows what was derived, reaches the work in hand, and what comes back with an older database."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import uuid
from contextlib import closing
from dataclasses import replace

import pytest
from erasure_support import USER, fill, search_bytes, traces_of

from mnemic.engine.engine import Engine
from mnemic.model.access import Tenant
from mnemic.model.erasure import ErasureRequest, ErasureTarget
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import ChangeKind, MemoryInput, MemoryKind
from mnemic.model.operations import OperationState
from mnemic.model.requests import AddMode, ListRequest, WaitFor
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest
from mnemic.store.interface import WriteBatch
from mnemic.store.work import FinishedWork, OutboxKind, WorkLostError

TENANT = "default"


def erase(engine: Engine, **target):
    return engine.erasure.erase(TENANT, ErasureRequest(target=ErasureTarget(**target)))


def add(engine: Engine, body: str, scope: Scope = USER, **fields) -> str:
    (added,) = engine.add(TENANT, scope, [MemoryInput(body=body, **fields)]).memories
    return added.memory_id


def fact(engine: Engine, body: str, *sources: str, scope: Scope = USER, **fields) -> str:
    return add(engine, body, scope, kind=MemoryKind.FACT, source_ids=sources, **fields)


def bodies(engine: Engine, scope: Scope = USER) -> set[str]:
    page = engine.list_memories(TENANT, ListRequest(scope=scope, match=ScopeMatch.EXACT))
    return {memory.body for memory in page.memories}


def kept(result) -> dict[str, int]:
    return {place.place: place.kept for place in result.erasure.places if place.kept}


def test_what_has_its_words_from_an_erased_memory_goes_however_far(engine):
    first, second = add(engine, "first"), add(engine, "second")
    of_first = fact(engine, "a fact of the first", first)
    fact(engine, "a fact of that fact", of_first)
    fact(engine, "a fact of both", second, first)
    fact(engine, "a fact of the second", second)
    erase(engine, memory_id=first)
    assert bodies(engine) == {"second", "a fact of the second"}
    assert engine.check() == []


def test_a_fact_that_others_said_before_stays_and_names_only_them(engine):
    first, second = add(engine, "first"), add(engine, "second")
    said = fact(engine, "they like figs", first, entities=("figs",), categories=("taste",))
    again = fact(engine, "They like figs", second, entities=("second's entity",), categories=("second's label",))
    assert again == said
    result = erase(engine, memory_id=second)
    assert kept(result) == {"derived_facts": 1}
    memory = engine.get(TENANT, said)
    assert (memory.source_ids, memory.entities, memory.categories) == ((first,), ("figs",), ("taste",))
    (hit,) = engine.search(TENANT, SearchRequest(scope=USER, query="figs")).hits
    assert hit.memory.source_ids == (first,)
    assert engine.check() == []


def test_what_an_erased_fact_superseded_stays_superseded_by_nobody(engine):
    old = fact(engine, "lives in Oslo", slot="home", slot_value="Oslo")
    new = fact(engine, "lives in Bergen", slot="home", slot_value="Bergen")
    assert engine.get(TENANT, old).superseded_by == new
    erase(engine, memory_id=new)
    memory = engine.get(TENANT, old)
    assert memory.valid_to_micros is not None
    assert not memory.superseded_by
    assert new not in str(engine.history(TENANT, old))
    assert engine.check() == []


def test_facts_are_drawn_again_from_the_messages_that_are_left(engine):
    scope = replace(USER, session_id="a")
    first = engine.add(
        TENANT, scope, [MemoryInput(body="I live in Oslo.")], mode=AddMode.LOCAL, wait=WaitFor.EXTRACTED
    ).memories[0]
    engine.add(TENANT, scope, [MemoryInput(body="I live in Oslo.")], mode=AddMode.LOCAL, wait=WaitFor.EXTRACTED)
    drawn = [memory for memory in listed(engine) if memory.kind is MemoryKind.FACT]
    assert [len(memory.source_ids) for memory in drawn] == [2]
    erase(engine, memory_id=first.memory_id)
    until(lambda: any(memory.kind is MemoryKind.FACT for memory in listed(engine)))
    (again,) = [memory for memory in listed(engine) if memory.kind is MemoryKind.FACT]
    assert (again.body, len(again.source_ids)) == (drawn[0].body, 1)
    assert again.memory_id != drawn[0].memory_id


def listed(engine: Engine):
    return engine.list_memories(TENANT, ListRequest(scope=USER, match=ScopeMatch.EXACT)).memories


def until(condition) -> None:
    done = threading.Event()
    for _ in range(400):
        if condition():
            return
        done.wait(0.05)
    raise AssertionError("it did not come to be")


def test_extraction_in_hand_brings_nothing_back(settings):
    """What draws facts from a message when it is erased has lost its claim: its facts are not stored."""
    with Engine.open(settings, pull_missing_model=True) as engine:
        engine._extraction.stop()
        engine.add(TENANT, USER, [MemoryInput(body="I live in Oslo.")], mode=AddMode.LOCAL)
        (item,) = engine._store.claim_outbox(OutboxKind.EXTRACT, limit=1, now_micros=1 << 60, lease_micros=1)
        erase(engine, scope=USER)
        late = WriteBatch(tenant=TENANT, finishes=FinishedWork(item.item_id, item.attempts), now_micros=1)
        with pytest.raises(WorkLostError):
            engine._store.commit(late)


def test_an_add_that_names_an_erased_source_while_it_is_embedded_is_refused(engine, monkeypatch):
    source = add(engine, "the source")
    embedder = engine._writer._embedder
    embed = embedder.embed_if_reachable

    def meanwhile(texts, deadline):
        monkeypatch.setattr(embedder, "embed_if_reachable", embed)
        erase(engine, memory_id=source)
        return embed(texts, deadline)

    monkeypatch.setattr(embedder, "embed_if_reachable", meanwhile)
    with pytest.raises(MnemicError) as refused:
        fact(engine, "drawn from the source", source)
    assert refused.value.reason is Reason.MEMORY_NOT_FOUND
    assert bodies(engine) == set()


def test_adds_beside_an_erasure_are_kept_or_erased_as_a_whole(engine):
    fill(engine, TENANT, rounds=20)
    stop = threading.Event()
    written: list[str] = []

    def write() -> None:
        while not stop.is_set():
            written.append(add(engine, f"by the bystander {len(written)}", Scope(user_id="bystander-7731")))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            erase(engine, scope=USER)
            fill(engine, TENANT, rounds=3)
    finally:
        stop.set()
        writer.join()
    found, missing = engine.batch_get(TENANT, written[:1000])
    assert (len(found), missing) == (len(written[:1000]), [])
    assert engine.check() == []


def test_a_whole_tenant_is_emptied_and_another_is_not_touched(engine):
    engine.authority.create_tenant(Tenant("acme"), caller=TENANT)
    engine.add("acme", USER, [MemoryInput(body="acme's")])
    add(engine, "ours")
    engine.erasure.erase("acme", ErasureRequest(target=ErasureTarget(whole_tenant=True)))
    assert engine.authority.tenant("acme").tenant_id == "acme"
    assert engine.stats("acme").store.versions == 0
    assert bodies(engine) == {"ours"}


def test_a_deleted_tenant_is_gone_with_its_keys(engine):
    from mnemic.model.access import AccessRole, ApiKey

    engine.authority.create_tenant(Tenant("acme"), caller=TENANT)
    engine.authority.create_key(ApiKey(key_id="", tenant="acme", role=AccessRole.WRITE), caller=TENANT)
    engine.add("acme", USER, [MemoryInput(body="acme's")], request_id=str(uuid.uuid4()))
    erasure_id, _ = engine.erasure.delete_tenant("acme", engine.authority, caller=TENANT)
    result = engine.erasure.get(TENANT, erasure_id=erasure_id, wait_seconds=60)
    assert result.erasure.state is OperationState.DONE
    with pytest.raises(MnemicError) as refused:
        engine.authority.tenant("acme")
    assert refused.value.reason is Reason.RESOURCE_NOT_FOUND
    assert engine.check() == []
    with pytest.raises(MnemicError):
        engine.erasure.delete_tenant(TENANT, engine.authority, caller=TENANT)


@pytest.mark.parametrize("target", ["scope", "memory"])
def test_what_comes_back_with_an_older_database_is_erased_again_before_it_is_served(settings, target):
    directory = settings.data_directory
    with Engine.open(settings, pull_missing_model=True) as engine:
        memory_id = add(engine, "Ünique words of theirs")
        add(engine, "another's", Scope(user_id="bystander-7731"))
    old = directory.with_name("old.db")
    shutil.copy(directory / "mnemic.db", old)
    with Engine.open(settings) as engine:
        result = erase(engine, **({"scope": USER} if target == "scope" else {"memory_id": memory_id}))
    shutil.copy(old, directory / "mnemic.db")
    with Engine.open(settings) as engine:
        assert bodies(engine) == set()
        assert bodies(engine, Scope(user_id="bystander-7731")) == {"another's"}
        again = engine.erasure.get(TENANT, erasure_id=result.erasure.erasure_id, wait_seconds=60)
        assert again.erasure.state is OperationState.DONE
        # What is said from then on is not meant.
        add(engine, "they came back")
    with Engine.open(settings) as engine:
        assert bodies(engine) == {"they came back"}
    assert "Ünique words of theirs".encode() not in (directory / "mnemic.db").read_bytes()


def test_the_ledger_names_nobody(engine, settings):
    add(engine, "something")
    erase(engine, scope=USER)
    ledger = (settings.data_directory / "erasure" / "ledger.jsonl").read_text(encoding="utf-8")
    assert len(ledger.splitlines()) == 1
    assert USER.user_id not in ledger


def test_an_encrypted_store_destroys_the_keys_so_that_copies_are_lost_too(settings, tmp_path):
    from mnemic.engine.settings import load_settings
    from mnemic.store.sealing_masters import new_master_key

    settings = load_settings(
        data_directory=settings.data_directory,
        embedding={"provider": "static"},
        encryption={"key": new_master_key()},
    )
    with Engine.open(settings, pull_missing_model=True) as engine:
        filled = fill(engine, TENANT, rounds=10)
    directory = settings.data_directory
    traces = {name: trace for name, trace in traces_of(directory, filled).items() if name.startswith("id ")}
    copy = tmp_path / "copy.db"
    shutil.copy(directory / "mnemic.db", copy)
    with Engine.open(settings) as engine:
        result = erase(engine, scope=USER)
        destroyed = {place.place: place.destroyed for place in result.erasure.places}
        assert destroyed["data_keys"] >= destroyed["scopes"]
        assert engine.check() == []
    assert search_bytes(directory, traces) == {}
    # The database of before, beside the keys of now: what was erased cannot be opened.
    shutil.copy(copy, directory / "mnemic.db")
    shutil.rmtree(directory / "erasure")
    with Engine.open(settings) as engine:
        assert bodies(engine) == set()
        assert bodies(engine, Scope(user_id="bystander-7731"))


def test_history_that_names_changes_is_gone_with_them(engine):
    memory_id = add(engine, "said once")
    engine.delete(TENANT, memory_id)
    assert [entry.change for entry in engine.history(TENANT, memory_id)][-1] is ChangeKind.DELETED
    erase(engine, memory_id=memory_id)
    with pytest.raises(MnemicError):
        engine.history(TENANT, memory_id)


def test_the_database_knows_no_ids_of_a_finished_erasure(engine, settings):
    add(engine, "something")
    erase(engine, scope=USER)
    with closing(sqlite3.connect(f"file:{settings.data_directory / 'mnemic.db'}?mode=ro", uri=True)) as database:
        ((target,),) = database.execute("SELECT target FROM erasures").fetchall()
    assert target == ""
