"""An encrypted store: nothing readable on disk, nothing exchanged unnoticed, nothing opened without its key."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import select
from store_support import (
    DIMENSION,
    ENCRYPTION,
    MODEL,
    USER,
    USERS_PARTITION,
    add,
    change,
    insertion,
    memory_of,
    remove,
    vector_of,
)

from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryKind
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.interface import RequestRecord, VersionWrite, WriteBatch
from mnemic.store.sealing import Content
from mnemic.store.sealing_masters import new_master_key
from mnemic.store.sealing_settings import EncryptionSettings
from mnemic.store.sealing_state import KEYS_FILE_NAME
from mnemic.store.sqlite import DATABASE_FILE_NAME, open_sqlite
from mnemic.store.standing import Standing
from mnemic.store.tables import metadata, scopes
from mnemic.store.work import OutboxKind, OutboxWrite

OTHER_USER = Scope(user_id="bob")
OTHER_KEY = EncryptionSettings(key=SecretStr(new_master_key()))
WORDS = {
    "body": "the vault opens with Größenwahn",
    "name": "Rumpelstilzchen",
    "metadata": {"colour": "heliotrope", "nested": {"deep": ["quetzalcoatl"]}},
    "categories": ("zymurgy",),
    "entities": ("Nebuchadnezzar",),
    "slot": "vault.passphrase",
    "slot_value": "Weltschmerz",
}
SECRETS = (
    "Größenwahn",
    "Rumpelstilzchen",
    "heliotrope",
    "quetzalcoatl",
    "zymurgy",
    "Nebuchadnezzar",
    "vault.passphrase",
    "Weltschmerz",
    "because of the omphaloskepsis",
    "draw only the sesquipedalian",
    "the service said borborygmus",
    "0123456789abcdef" * 4,
)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "data"


def opened(directory, encryption=ENCRYPTION):
    return closing(open_sqlite(directory, encryption=encryption))


def with_model(store):
    store.register_model(MODEL, DIMENSION, active=True)


def embedded(body, seed, scope=USER, **fields):
    return memory_of(body, scope, vector=vector_of(seed), embedding_model=MODEL, **fields)


def tamper(directory, *statements):
    """What somebody does who can write the database and has no key."""
    with closing(sqlite3.connect(directory / DATABASE_FILE_NAME)) as connection:
        for statement in statements:
            connection.execute(*statement) if isinstance(statement, tuple) else connection.execute(statement)
        connection.commit()


def swap(directory, table, column, one, other):
    with closing(sqlite3.connect(directory / DATABASE_FILE_NAME)) as connection:
        values = dict(connection.execute(f"SELECT rowid, {column} FROM {table}"))  # noqa: S608 (the test's own names)
        for row, value in ((one, values[other]), (other, values[one])):
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row))  # noqa: S608 (the same)
        connection.commit()


def everything(directory):
    return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_files_hold_nothing_that_was_said(directory):
    with opened(directory) as store:
        with_model(store)
        vectors = [vector_of(seed) for seed in range(3)]
        fact = embedded(seed=0, **WORDS | {"body": WORDS["body"]}, kind=MemoryKind.FACT)
        request = RequestRecord("AddMemories", "r", "0123456789abcdef" * 4, "[]")
        work = OutboxWrite(OutboxKind.EXTRACT, (fact.memory_id,), {"instructions": "draw only the sesquipedalian"})
        write = VersionWrite(
            fact, insertion(fact).change, "a" * 64, "because of the omphaloskepsis", Standing(takes_slot=True)
        )
        store.write(WriteBatch(tenant="t", inserts=[write], outbox=[work], request=request, now_micros=1000))
        newer = embedded(seed=1, **WORDS | {"slot_value": "other"}, kind=MemoryKind.FACT, now=2000)
        newer_write = VersionWrite(newer, insertion(newer).change, "b" * 64, standing=Standing(takes_slot=True))
        store.write(WriteBatch(tenant="t", inserts=[newer_write], now_micros=2000))
        removed = embedded("Größenwahn again", 2)
        add(store, removed)
        change(store, removed, "Größenwahn for ever", now=3000)
        item = store.claim_outbox(OutboxKind.EXTRACT, limit=1, now_micros=5000, lease_micros=10)[0]
        assert item.payload == {"instructions": "draw only the sesquipedalian"}
        store.retry_outbox(item.item_id, error="the service said borborygmus", next_attempt_micros=None)
        for at_rest in (False, True):
            if at_rest:
                store.close()
            files = everything(directory)
            assert {DATABASE_FILE_NAME, KEYS_FILE_NAME} <= files.keys()
            for name, content in files.items():
                for secret in SECRETS:
                    assert secret.encode() not in content, (name, secret)
                    assert json.dumps(secret)[1:-1].encode() not in content, (name, secret)
                for vector in vectors:
                    assert vector not in content, name
                    assert vector[:16] not in content, name
                for hash_of in ("a" * 64, "b" * 64):
                    assert hash_of.encode() not in content, name
    with opened(directory) as store:
        first = store.history("t", fact.memory_id)
        assert first[0].memory.body == WORDS["body"]
        assert first[0].memory.metadata == WORDS["metadata"]
        assert first[0].reason == "because of the omphaloskepsis"
        assert first[1].reason == "a newer value of the slot 'vault.passphrase'"
        kept = store.find_request("t", "AddMemories", "r")
        assert kept is not None
        assert kept.fingerprint == "0123456789abcdef" * 4
        assert store.dead_letters("t", None, limit=1)[0].last_error == "the service said borborygmus"
        assert store.check() == []


def test_a_column_that_holds_words_is_sealed():
    """A new column of text is sealed (`Content`, or `Sealer.seal_text`), or is put here because it tells nothing."""
    tells_nothing = {
        "memory_versions": {"memory_id", "tenant", "source_ids", "superseded_by", "content_hash", "fact_key"},
        "supersessions": {"superseded_by"},
        "outbox": {"tenant", "kind", "memory_ids", "state", "operation_id", "made_ids"},
        "requests": {"tenant", "method", "request_id", "response"},
    }
    sealed = {
        "memory_versions": {*Content._fields, "sealed"},
        "supersessions": {"reason"},
        "outbox": {"payload", "last_error"},
        "requests": {"fingerprint"},
    }
    for table, columns in tells_nothing.items():
        held = {column.name for column in metadata.tables[table].columns if column.type.python_type in {str, bytes}}
        assert held == columns | sealed[table], table


def test_the_search_of_the_files_would_find_it(directory):
    """Else the test above could not fail."""
    with opened(directory, EncryptionSettings()) as store:
        with_model(store)
        add(store, embedded(seed=0, **WORDS))
        content = b"".join(everything(directory).values())
    assert all(secret.encode() in content for secret in SECRETS[:8])
    assert vector_of(0) in content


@settings(max_examples=60, deadline=None)
@given(
    body=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    name=st.text(st.characters(exclude_categories=["Cs"])),
    slot=st.text(st.characters(exclude_categories=["Cs"])),
    entities=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
)
def test_what_is_read_is_what_was_written(body, name, slot, entities, tmp_path_factory):
    directory = tmp_path_factory.getbasetemp() / "round-trip"
    with opened(directory) as store:
        memory = memory_of(body, name=name, slot=slot, slot_value=name, entities=tuple(entities), metadata={name: body})
        revision = add(store, memory)
        found = store.get("t", [memory.memory_id])[memory.memory_id]
    assert found == replace(memory, revision=revision)


@pytest.mark.parametrize(
    ("table", "column", "what"), [("memory_versions", "sealed", "content"), ("embeddings", "vector", "vector")]
)
def test_blobs_in_each_others_rows_are_noticed_and_named(directory, table, column, what):
    with opened(directory) as store:
        with_model(store)
        one, other, third = embedded("one", 1), embedded("two", 2), embedded("three", 3)
        add(store, one, other, third)
    swap(directory, table, column, 1, 2)
    with opened(directory) as store:
        with pytest.raises(
            MnemicError, match=f"{what} of version 1 of the memory {one.memory_id} was changed"
        ) as caught:
            store.get("t", [one.memory_id], with_vectors=True)
        assert caught.value.reason is Reason.CORRUPT_DATA
        assert store.get("t", [third.memory_id], with_vectors=True)[third.memory_id].vector == vector_of(3)
        found = store.check()
        assert len(found) == 2
        assert all(memory.memory_id in " ".join(found) for memory in (one, other))


def test_a_memory_that_is_put_into_anothers_scope_does_not_open_there(directory):
    with opened(directory) as store:
        mine, yours = memory_of("mine"), memory_of("yours", OTHER_USER)
        add(store, mine, yours)
    tamper(
        directory,
        "UPDATE memory_versions SET scope_id = (SELECT scope_id FROM memory_versions WHERE id = 2) WHERE id = 1",
    )
    with opened(directory) as store, pytest.raises(MnemicError, match="belongs to another row"):
        store.list_memories("t", OTHER_USER, ScopeMatch.VISIBLE, limit=10, now_micros=5000)


def test_a_scope_that_is_given_anothers_name_does_not_open(directory):
    with opened(directory) as store:
        mine = memory_of("mine")
        add(store, mine)
    tamper(directory, "UPDATE scopes SET user_id = 'eve'")
    with opened(directory) as store, pytest.raises(MnemicError, match="belongs to another row"):
        store.list_memories("t", Scope(user_id="eve"), ScopeMatch.VISIBLE, limit=10, now_micros=5000)


def test_a_plain_row_in_an_encrypted_store_is_damage(directory):
    """Somebody without the key could write it."""
    with opened(directory) as store:
        memory = memory_of("mine")
        add(store, memory)
    tamper(directory, "UPDATE memory_versions SET sealed = NULL, body = 'forged'")
    with opened(directory) as store:
        with pytest.raises(MnemicError, match="is not encrypted") as caught:
            store.get("t", [memory.memory_id])
        assert caught.value.reason is Reason.CORRUPT_DATA
        assert memory.memory_id in " ".join(store.check())


def test_an_exchanged_slot_is_noticed(directory):
    with opened(directory) as store:
        one = memory_of("tea", slot="drink", kind=MemoryKind.FACT)
        other = memory_of("bread", slot="food", kind=MemoryKind.FACT)
        add(store, one, other)
    swap(directory, "memory_versions", "slot", 1, 2)
    with opened(directory) as store:
        assert [line for line in store.check() if "slot" in line and one.memory_id in line]


def test_the_hash_of_a_text_tells_nothing_about_other_scopes(directory):
    """Equal facts are told apart from others within a scope; across scopes their hashes are not equal."""
    with opened(directory) as store:
        facts = [memory_of("tea", kind=MemoryKind.FACT), memory_of("tea", OTHER_USER, kind=MemoryKind.FACT)]
        add(store, *facts)
        again = memory_of("tea", kind=MemoryKind.FACT, source_ids=("s",))
        add(store, again)
        assert store.get("t", [again.memory_id]) == {}
        assert store.get("t", [facts[0].memory_id])[facts[0].memory_id].source_ids == ("s",)
    with closing(sqlite3.connect(directory / DATABASE_FILE_NAME)) as connection:
        hashes = [row[0] for row in connection.execute("SELECT content_hash FROM memory_versions ORDER BY id")]
    assert hashes[0] != hashes[1]
    assert hashes[0] == hashes[2]
    assert "hash of" not in "".join(hashes)


@pytest.mark.parametrize("given", [OTHER_KEY, EncryptionSettings()], ids=["another", "none"])
def test_without_the_master_key_nothing_is_opened_or_changed(directory, given):
    with opened(directory) as store:
        add(store, memory_of("mine"))
    before = everything(directory)
    with pytest.raises(MnemicError, match="master key") as caught:
        open_sqlite(directory, encryption=given)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    after = everything(directory)
    assert {name: after[name] for name in (DATABASE_FILE_NAME, KEYS_FILE_NAME)} == {
        name: before[name] for name in (DATABASE_FILE_NAME, KEYS_FILE_NAME)
    }
    with opened(directory) as store:
        assert store.check() == []


def test_without_its_keys_a_store_is_not_opened(directory, tmp_path):
    with opened(directory) as store:
        add(store, memory_of("mine"))
    (directory / KEYS_FILE_NAME).rename(tmp_path / "kept")
    with pytest.raises(MnemicError, match=r"put its keys\.db into"):
        open_sqlite(directory, encryption=ENCRYPTION)
    assert not (directory / KEYS_FILE_NAME).exists()
    with opened(tmp_path / "other"):
        (tmp_path / "other" / KEYS_FILE_NAME).rename(directory / KEYS_FILE_NAME)
    with pytest.raises(MnemicError, match="is not that of this store"):
        open_sqlite(directory, encryption=ENCRYPTION)
    (tmp_path / "kept").rename(directory / KEYS_FILE_NAME)
    with opened(directory) as store:
        assert store.check() == []


def test_a_damaged_key_file_is_said_to_be_so(directory):
    with opened(directory) as store:
        add(store, memory_of("mine"))
    (directory / KEYS_FILE_NAME).write_bytes(b"no database" * 500)
    with pytest.raises(MnemicError, match="cannot be used") as caught:
        open_sqlite(directory, encryption=ENCRYPTION)
    assert caught.value.reason is Reason.CORRUPT_DATA


def test_a_plain_store_is_not_mixed_with_encrypted_rows(directory):
    with opened(directory, EncryptionSettings()) as store:
        add(store, memory_of("plain"))
    with pytest.raises(MnemicError, match="mnemic encryption enable"):
        open_sqlite(directory, encryption=ENCRYPTION)
    with opened(directory, EncryptionSettings()) as store:
        assert store.check() == []


class TestDestroyedKeys:
    """Of a scope whose key was destroyed nothing can be read again; all else is as it was."""

    @pytest.fixture
    def lost(self, directory):
        """A store in which the key of one of the user's scopes is destroyed; the lost memory and the one that stays."""
        with opened(directory) as store:
            with_model(store)
            lost = embedded("lost", 1, Scope(user_id="ann", session_id="s"))
            stays = embedded("stays", 2)
            add(store, lost, stays)
            assert self.destroy(store) == 1
            assert self.destroy(store) == 0
            yield store, lost, stays

    @staticmethod
    def destroy(store):
        with store._database.reading() as connection:
            key_id = connection.execute(select(scopes.c.key_id).where(scopes.c.id == 1)).scalar_one()
        return store._sealer.keyring.destroy([key_id])

    def test_reading_it_says_so(self, lost):
        store, gone, stays = lost
        for read in (lambda: store.get("t", [gone.memory_id]), lambda: store.history("t", gone.memory_id)):
            with pytest.raises(MnemicError, match="data key of its scope was destroyed") as caught:
                read()
            assert caught.value.reason is Reason.MEMORY_NOT_FOUND
        assert list(store.get("t", [gone.memory_id, stays.memory_id])) == [stays.memory_id]

    def test_listings_and_indexes_go_on_without_it(self, lost):
        store, _, stays = lost
        listed = store.list_memories("t", Scope(), ScopeMatch.TENANT, limit=1, now_micros=5000)
        assert [memory.memory_id for memory in listed] == [stays.memory_id]
        rows, _ = store.partition_rows(USERS_PARTITION)
        assert [(memory.body, vector) for memory, vector in rows] == [("stays", vector_of(2))]
        assert store.check() == []

    def test_it_stays_so_after_the_store_is_opened_again(self, lost, directory):
        store, gone, _ = lost
        store.close()
        with opened(directory) as again, pytest.raises(MnemicError, match="was destroyed"):
            again.get("t", [gone.memory_id])

    def test_who_comes_back_begins_anew(self, lost):
        store, gone, _ = lost
        new = embedded("back again", 3, gone.scope)
        add(store, new)
        assert store.get("t", [new.memory_id], with_vectors=True)[new.memory_id].vector == vector_of(3)
        with pytest.raises(MnemicError, match="was destroyed"):
            store.get("t", [gone.memory_id])

    def test_what_has_no_vector_yet_is_found_behind_what_is_lost(self, lost):
        store, _, stays = lost
        store.register_model("another", DIMENSION, active=False)
        assert [memory.memory_id for memory in store.versions_without_vector("another", limit=1)] == [stays.memory_id]

    def test_it_can_be_removed(self, lost):
        store, gone, _ = lost
        remove(store, gone, now=6000)
        assert store.check() == []
