"""Erasing a subject of an encrypted store destroys its keys, so that no copy made before can be read any more."""

from __future__ import annotations

import shutil

import pytest
from erasure_support import USER, fill, search_bytes, traces_of

from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.deadline import Deadline
from mnemic.model.erasure import ErasureRequest, ErasureTarget
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.operations import OperationState
from mnemic.model.requests import ListRequest
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest
from mnemic.store.sealing_masters import new_master_key
from mnemic.store.sqlite import DATABASE_FILE_NAME

TENANT = "default"
OTHER = Scope(user_id="bystander")


@pytest.fixture
def settings(tmp_path):
    return load_settings(
        data_directory=tmp_path / "data", embedding={"provider": "static"}, encryption={"key": new_master_key()}
    )


def erase(engine):
    request = ErasureRequest(target=ErasureTarget(scope=USER))
    return engine.erasure.erase(TENANT, request, deadline=Deadline.after(30.0))


def listed(engine, scope):
    return engine.list_memories(TENANT, ListRequest(scope=scope, match=ScopeMatch.EXACT)).memories


def test_no_byte_of_it_is_left_and_its_keys_are_gone(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        filled = fill(engine, TENANT, rounds=10)
        traces = traces_of(settings.data_directory, filled)
    # Before, too, only ids, hashes and blobs are there to be found.
    before = search_bytes(settings.data_directory, traces)
    assert before
    assert not [name for name in before if name.startswith("text") and "nique" in name]
    with Engine.open(settings) as engine:
        result = erase(engine)
        assert result.erasure.state is OperationState.DONE
        destroyed = {place.place: place.destroyed for place in result.erasure.places}
        assert destroyed["data_keys"] == destroyed["scopes"] > 0
        assert search_bytes(settings.data_directory, traces) == {}
        assert engine.check() == []
    assert search_bytes(settings.data_directory, traces) == {}


def test_a_database_from_before_the_erasure_does_not_bring_it_back(settings, tmp_path):
    with Engine.open(settings, pull_missing_model=True) as engine:
        (erased,) = engine.add(TENANT, USER, [MemoryInput(body="keeps bees in Bergen")]).memories
        engine.add(TENANT, OTHER, [MemoryInput(body="keeps hens in Porto")])
    database = settings.data_directory / DATABASE_FILE_NAME
    shutil.copy(database, tmp_path / "copy")
    with Engine.open(settings) as engine:
        erase(engine)
    database.with_name(f"{DATABASE_FILE_NAME}-wal").unlink(missing_ok=True)
    database.with_name(f"{DATABASE_FILE_NAME}-shm").unlink(missing_ok=True)
    shutil.copy(tmp_path / "copy", database)
    with Engine.open(settings) as engine:
        assert [memory.body for memory in listed(engine, OTHER)] == ["keeps hens in Porto"]
        assert not listed(engine, USER)
        assert engine.search(TENANT, SearchRequest(scope=USER, query="bees")).hits == ()
        with pytest.raises(MnemicError) as refused:
            engine.get(TENANT, erased.memory_id)
        assert refused.value.reason is Reason.MEMORY_NOT_FOUND


def test_a_scope_whose_only_memory_is_erased_loses_its_key(settings):
    with Engine.open(settings, pull_missing_model=True) as engine:
        (alone,) = engine.add(TENANT, USER, [MemoryInput(body="the only thing that was said")]).memories
        (first, _) = engine.add(TENANT, OTHER, [MemoryInput(body="one"), MemoryInput(body="two")]).memories
        keys = []
        for memory in (alone, first):
            request = ErasureRequest(target=ErasureTarget(memory_id=memory.memory_id))
            erased = engine.erasure.erase(TENANT, request, deadline=Deadline.after(30.0)).erasure
            keys.append({place.place: place.destroyed for place in erased.places}.get("data_keys", 0))
        # The other's key still opens what is left there.
        assert keys == [1, 0]
        assert [memory.body for memory in listed(engine, OTHER)] == ["two"]
