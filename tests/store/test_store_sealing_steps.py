"""Encrypting a store that holds plain text: everything stays what it was, nothing plain is left, at whatever moment the
process ends."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from store_support import DIMENSION, ENCRYPTION, MODEL, USER, USERS_PARTITION, change, memory_of, remove, vector_of

import mnemic
from mnemic.model.errors import MnemicError
from mnemic.model.memory import ChangeKind, MemoryKind
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.store.interface import RequestRecord, VersionWrite, WriteBatch
from mnemic.store.sealing_keys import Keyring
from mnemic.store.sealing_masters import new_master_key, parse_master_key
from mnemic.store.sealing_state import KEYS_FILE_NAME
from mnemic.store.sqlite import open_sqlite
from mnemic.store.standing import Standing
from mnemic.store.work import OutboxKind, OutboxWrite

WORDS = ("unspeakable", "ineffable", "clandestine", "instructed", "unmentionable")
KEY = ENCRYPTION.key.get_secret_value()

SEALING = """
import sys
from pathlib import Path
from pydantic import SecretStr
from mnemic.store import sealing_steps
from mnemic.store.sealing_settings import EncryptionSettings
from mnemic.store.sqlite import open_sqlite
sealing_steps._PLAIN_VERSIONS = sealing_steps._PLAIN_VERSIONS.limit(3)
sealing_steps._PLAIN_VECTORS = sealing_steps._PLAIN_VECTORS.limit(3)
store = open_sqlite(Path(sys.argv[1]), encryption=EncryptionSettings(key=SecretStr(sys.argv[2])), enabling=True)
print("begun", flush=True)
store.seal()
store.close()
print("done", flush=True)
"""

ROTATING = """
import sys
from pathlib import Path
from mnemic.store import sealing_keys
from mnemic.store.sealing_masters import parse_master_key
sealing_keys._REWRAPPED_AT_ONCE = 2
old, new = (parse_master_key(text, "key") for text in sys.argv[2:4])
try:
    keyring = sealing_keys.Keyring(Path(sys.argv[1]), new)
except Exception:
    keyring = sealing_keys.Keyring(Path(sys.argv[1]), old)
print("begun", flush=True)
keyring.rotate(new)
print("done", flush=True)
"""

ADDING = """
import sys
from pathlib import Path
from pydantic import SecretStr
from store_support import add, memory_of
from mnemic.model.scope import Scope
from mnemic.store.sealing_settings import EncryptionSettings
from mnemic.store.sqlite import open_sqlite
store = open_sqlite(Path(sys.argv[1]), encryption=EncryptionSettings(key=SecretStr(sys.argv[2])))
print("begun", flush=True)
for number in range(int(sys.argv[3]), 100_000):
    memory = memory_of("said", Scope(session_id=f"s{number}"), memory_id=f"{number:08}")
    add(store, memory)
    print(memory.memory_id, flush=True)
"""


PYTHONPATH = os.pathsep.join(str(path) for path in (Path(mnemic.__file__).parents[1], Path(__file__).parent))


@pytest.fixture
def plain(tmp_path):
    """A directory with a plain store that holds one of everything."""
    directory = tmp_path / "data"
    with closing(open_sqlite(directory)) as store:
        store.register_model(MODEL, DIMENSION, active=True)
        for number in range(40):
            scope = USER if number % 2 else Scope(user_id="ann", session_id=f"s{number % 6}")
            memory = memory_of(
                f"unspeakable {number}", scope, name="ineffable", metadata={"clandestine": number},
                entities=("unmentionable",), vector=vector_of(number), embedding_model=MODEL, now=1000 + number,
            )  # fmt: skip
            work = OutboxWrite(OutboxKind.EXTRACT, (memory.memory_id,), {"instructions": "instructed"})
            request = RequestRecord("AddMemories", str(number), "f" * 64, "[]")
            write = VersionWrite(memory, ChangeKind.ADDED, f"{number:064}")
            store.write(WriteBatch(tenant="t", inserts=[write], outbox=[work], request=request, now_micros=1000))
            if number % 10 == 3:
                change(store, memory, f"unspeakable again {number}", now=5000 + number)
            if number % 10 == 7:
                remove(store, memory, now=5000 + number)
        for number, value in enumerate(("tea", "coffee")):
            memory = memory_of(f"drinks {value}", kind=MemoryKind.FACT, slot="clandestine.drink", slot_value=value,
                               now=6000 + number)  # fmt: skip
            write = VersionWrite(memory, ChangeKind.ADDED, value, "instructed", Standing(takes_slot=True))
            store.write(WriteBatch(tenant="t", inserts=[write], now_micros=6000 + number))
        store.register_model("another", DIMENSION, active=False)
        missing = store.versions_without_vector("another", limit=5)
        store.put_vectors("another", [(memory.memory_id, memory.version, vector_of(99)) for memory in missing])
    return directory


def told(store):
    """Everything that a store tells."""
    listed = store.list_memories(
        "t", Scope(), ScopeMatch.TENANT, limit=1000, now_micros=9000, include_superseded=True, with_vectors=True
    )
    everyone = [memory.memory_id for memory in listed]
    histories = {memory_id: store.history("t", memory_id) for memory_id in everyone}
    kept = [store.find_request("t", "AddMemories", str(number)) for number in range(40)]
    return listed, histories, store.partition_rows(USERS_PARTITION), kept, store.stats().body_bytes


def holds_words(directory):
    found = set()
    for path in directory.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found |= {word for word in WORDS if word.encode() in content}
            found |= {number for number in range(40) if vector_of(number) in content}
    return found


def killed(script, *arguments, after):
    """Runs a script and kills it so many seconds after it has begun; what it said."""
    environment = os.environ | {"PYTHONPATH": PYTHONPATH}
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    lines = [process.stdout.readline().strip()]
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.read().split()
    process.stdout.close()
    process.wait()
    assert lines[0] == "begun"
    return lines[1:]


def seconds_of(script, *arguments):
    """How long it takes when nobody kills it."""
    environment = os.environ | {"PYTHONPATH": PYTHONPATH}
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout.readline().strip() == "begun"
        begun = time.monotonic()
        assert process.stdout.readline().strip() == "done"
        return time.monotonic() - begun


def test_everything_is_as_before_and_nothing_plain_is_left(plain):
    with closing(open_sqlite(plain)) as store:
        before = told(store)
    assert holds_words(plain) >= set(WORDS)
    with closing(open_sqlite(plain, encryption=ENCRYPTION, enabling=True)) as store:
        progress = []
        assert store.seal(lambda done, total: progress.append((done, total))) > 80
        assert progress[-1][0] == progress[-1][1]
    assert holds_words(plain) == set()
    with closing(open_sqlite(plain, encryption=ENCRYPTION)) as store:
        assert store.check() == []
        assert told(store) == before
        assert store.claim_outbox(OutboxKind.EXTRACT, limit=1, now_micros=9000, lease_micros=9)[0].payload == {
            "instructions": "instructed"
        }
        # What was a fact's twin before is one now, and what holds in a slot is superseded.
        same = memory_of("drinks coffee", kind=MemoryKind.FACT, slot="clandestine.drink", slot_value="coffee", now=7000)
        write = VersionWrite(same, ChangeKind.ADDED, "coffee", standing=Standing(takes_slot=True))
        assert store.commit(WriteBatch(tenant="t", inserts=[write], now_micros=7000)).inserted[0].is_duplicate
        milk = memory_of("drinks milk", kind=MemoryKind.FACT, slot="clandestine.drink", slot_value="milk", now=8000)
        write = VersionWrite(milk, ChangeKind.ADDED, "milk", standing=Standing(takes_slot=True))
        store.write(WriteBatch(tenant="t", inserts=[write], now_micros=8000))
        current = store.list_memories("t", USER, ScopeMatch.VISIBLE, limit=1000, now_micros=9000)
        assert [memory.slot_value for memory in current if memory.slot] == ["milk"]


def test_killed_at_any_moment_it_goes_on(plain):
    with closing(open_sqlite(plain)) as store:
        before = told(store)
    copy = shutil.copytree(plain, plain.with_name("copy"))
    longest = seconds_of(SEALING, str(copy), KEY) / 3
    moments = random.Random(7)
    kills = 0
    while kills < 8 and "done" not in killed(SEALING, str(plain), KEY, after=moments.uniform(0, longest)):
        kills += 1
        with pytest.raises(MnemicError, match="run `mnemic encryption enable` again"):
            open_sqlite(plain, encryption=ENCRYPTION)
        with pytest.raises(MnemicError, match="name no master key"):
            open_sqlite(plain)
    assert kills
    with closing(open_sqlite(plain, encryption=ENCRYPTION, enabling=True)) as store:
        store.seal()
    assert holds_words(plain) == set()
    with closing(open_sqlite(plain, encryption=ENCRYPTION)) as store:
        assert store.check() == []
        assert told(store) == before


def test_a_key_is_durable_before_what_is_sealed_under_it(tmp_path):
    """Each memory is of a session of its own; what was acknowledged before a kill opens after it."""
    moments = random.Random(3)
    said: list[str] = []
    for _ in range(4):
        said += killed(ADDING, str(tmp_path), KEY, str(len(said) + 1000), after=moments.uniform(0.05, 0.4))
        with closing(open_sqlite(tmp_path, encryption=ENCRYPTION)) as store:
            assert store.check() == []
            kept = [memory_id for memory_id in said if memory_id.isdigit() and len(memory_id) == 8]
            assert len(store.get("t", kept)) == len(kept) > 0
            said = [memory.memory_id for memory in store.list_memories(
                "t", Scope(), ScopeMatch.TENANT, limit=100_000, now_micros=9000)]  # fmt: skip


def test_encrypting_again_changes_nothing(plain):
    for expected in (True, False):
        with closing(open_sqlite(plain, encryption=ENCRYPTION, enabling=True)) as store:
            assert bool(store.seal()) is expected


class TestRotation:
    """Another master key in the place of one: what was sealed opens, and only by the new one."""

    OLD, NEW = new_master_key(), new_master_key()

    @pytest.fixture
    def keys(self, tmp_path):
        with closing(Keyring(tmp_path / KEYS_FILE_NAME, parse_master_key(self.OLD, "key"))) as keyring:
            return {keyring.new_key().key_id for _ in range(80)}

    def sealed(self, keyring, keys):
        return {key_id: keyring.key(key_id).seal(b"n" * 12, b"words", b"") for key_id in keys}

    def test_only_the_new_one_opens(self, keys, tmp_path):
        path = tmp_path / KEYS_FILE_NAME
        with closing(Keyring(path, parse_master_key(self.OLD, "key"))) as keyring:
            before = self.sealed(keyring, keys)
            gone = keys.pop()
            keyring.destroy([gone])
            old_file = path.read_bytes()
            assert keyring.rotate(parse_master_key(self.NEW, "key")) >= len(keys)
            assert not keyring.is_rotating
        with pytest.raises(MnemicError, match="master key"):
            Keyring(path, parse_master_key(self.OLD, "key"))
        with closing(Keyring(path, parse_master_key(self.NEW, "key"))) as keyring:
            assert self.sealed(keyring, keys) == {key_id: before[key_id] for key_id in keys}
            assert keyring.find(gone) is None
            assert keyring.status().destroyed == 1
        assert old_file != path.read_bytes()

    def test_killed_at_any_moment_it_goes_on(self, keys, tmp_path):
        path = tmp_path / KEYS_FILE_NAME
        with closing(Keyring(path, parse_master_key(self.OLD, "key"))) as keyring:
            before = self.sealed(keyring, keys)
        copy = shutil.copy(path, tmp_path / "copy.db")
        longest = seconds_of(ROTATING, str(copy), self.OLD, self.NEW) / 3
        moments = random.Random(5)
        kills = 0
        while kills < 8 and "done" not in killed(
            ROTATING, str(path), self.OLD, self.NEW, after=moments.uniform(0, longest)
        ):
            kills += 1
            try:
                keyring = Keyring(path, parse_master_key(self.NEW, "key"))
            except MnemicError:
                keyring = Keyring(path, parse_master_key(self.OLD, "key"))
            with closing(keyring):
                assert self.sealed(keyring, keys) == before
        assert kills
        with closing(Keyring(path, parse_master_key(self.NEW, "key"))) as keyring:
            if keyring.is_rotating:
                keyring.rotate(parse_master_key(self.NEW, "key"))
            assert self.sealed(keyring, keys) == before
            assert keyring.status().left_to_rewrap == 0

    def test_a_destroyed_key_leaves_nothing_in_the_file(self, keys, tmp_path):
        path = tmp_path / KEYS_FILE_NAME
        with closing(Keyring(path, parse_master_key(self.OLD, "key"))) as keyring:
            gone = min(keys)
            row = keyring._connection.execute("SELECT wrapped FROM data_keys WHERE id = ?", (gone,)).fetchone()
            assert row[0] in path.read_bytes()
            assert keyring.destroy([gone]) == 1
            for file in tmp_path.rglob("*"):
                assert row[0] not in file.read_bytes()
