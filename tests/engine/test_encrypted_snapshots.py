"""Snapshots of an encrypted store: a start uses them as ever, and nobody reads, cuts or exchanges them."""

from __future__ import annotations

import shutil
from contextlib import closing

import numpy as np
import pytest

from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.errors import MnemicError
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest
from mnemic.store import sealing_files
from mnemic.store.sealing_files import FileSealer
from mnemic.store.sealing_keys import Keyring
from mnemic.store.sealing_masters import LocalMasterKey, new_master_key

ROWS = 300
MASTER = LocalMasterKey(b"m" * 32)


def vector_of(number):
    vector = np.random.default_rng(number).standard_normal(256).astype("<f4")
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


@pytest.fixture
def saved(tmp_path):
    """The settings of a directory in which two users' partitions have snapshots."""
    settings = load_settings(
        data_directory=tmp_path / "data", embedding={"provider": "static"}, encryption={"key": new_master_key()}
    )
    with Engine.open(settings, pull_missing_model=True) as engine:
        for user in ("ann", "bob"):
            inputs = [MemoryInput(body=f"{user} hid {n} marbles", vector=vector_of(n)) for n in range(ROWS)]
            engine.add("t", Scope(user_id=user), inputs)
            found(engine, user)
    return settings


def files(settings):
    return sorted((settings.data_directory / "snapshots").iterdir())


def found(engine, user):
    request = SearchRequest(scope=Scope(user_id=user), query="17 marbles", vector=vector_of(17), top_k=20)
    return [hit.memory.body for hit in engine.search("t", request).hits]


def test_a_start_uses_them_and_they_tell_nothing(saved):
    assert len(files(saved)) == 2
    for path in files(saved):
        content = path.read_bytes()
        assert b"marbles" not in content
        assert vector_of(17)[:16] not in content
    with Engine.open(saved) as engine:
        assert found(engine, "ann")[0] == "ann hid 17 marbles"
        assert found(engine, "bob")[0] == "bob hid 17 marbles"
        assert engine.stats().index.snapshots_opened == 2
        assert engine.check() == []


def test_one_in_anothers_place_is_not_used(saved):
    one, other = files(saved)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    with Engine.open(saved) as engine:
        assert found(engine, "ann")[0] == "ann hid 17 marbles"
        assert found(engine, "bob")[0] == "bob hid 17 marbles"
        assert engine.stats().index.snapshots_refused == 2


def test_a_copy_of_one_that_was_removed_does_not_open_again(saved, tmp_path):
    (path, _) = files(saved)
    shutil.copy(path, tmp_path / "copy")
    with Engine.open(saved) as engine:
        engine.drop_index()
        assert not files(saved)
    shutil.rmtree(saved.data_directory / "snapshots", ignore_errors=True)
    (saved.data_directory / "snapshots").mkdir()
    shutil.copy(tmp_path / "copy", path)
    with Engine.open(saved) as engine:
        assert {found(engine, user)[0] for user in ("ann", "bob")} == {"ann hid 17 marbles", "bob hid 17 marbles"}
        assert engine.stats().index.snapshots_refused == 1


class TestFiles:
    """Sealed in chunks, opened whole or not at all."""

    @pytest.fixture
    def sealer(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sealing_files, "_CHUNK_BYTES", 10)
        with closing(Keyring(tmp_path / "keys.db", MASTER)) as keyring:
            yield FileSealer(keyring, tmp_path)

    def sealed(self, sealer, tmp_path, content):
        (tmp_path / "plain").write_bytes(content)
        sealer.seal(tmp_path / "plain", tmp_path / "sealed", "this file")
        return tmp_path / "sealed"

    def opened(self, sealer, path, what="this file"):
        with sealer.opened(path, what) as plain:
            return plain.read_bytes()

    @pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 20, 95])
    def test_what_is_opened_is_what_was_sealed(self, sealer, tmp_path, length):
        content = bytes(range(length))
        path = self.sealed(sealer, tmp_path, content)
        assert self.opened(sealer, path) == content
        assert length < 4 or content not in path.read_bytes()

    def test_nothing_of_it_can_be_changed_cut_or_moved(self, sealer, tmp_path):
        path = self.sealed(sealer, tmp_path, b"first part|second one|the third")
        whole = path.read_bytes()
        start, chunk = 24, 8 + 10 + 16
        first, second = whole[start : start + chunk], whole[start + chunk : start + 2 * chunk]
        others = [whole[:length] for length in range(len(whole))]
        others += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
        others += [whole[:start] + second + first + whole[start + 2 * chunk :], whole + b"more"]
        others.append(whole[:start] + first + whole[start + 2 * chunk :])
        for other in others:
            path.write_bytes(other)
            with pytest.raises(MnemicError):
                self.opened(sealer, path)
        path.write_bytes(whole)
        with pytest.raises(MnemicError, match="is another file"):
            self.opened(sealer, path, "another file")
        assert self.opened(sealer, path) == b"first part|second one|the third"

    def test_what_was_left_in_memory_by_a_kill_is_removed_at_the_next_start(self, sealer, tmp_path):
        left = sealing_files._IN_MEMORY / f"{sealer._prefix}left"
        left.mkdir()
        (left / "plain").write_text("words")
        FileSealer(sealer._keyring, tmp_path)
        assert not left.exists()
