from __future__ import annotations

from collections.abc import Iterator

import pytest
from store_support import ENCRYPTION

from mnemic.store.sealing_settings import NO_ENCRYPTION
from mnemic.store.sqlite import SqliteStore, open_sqlite

# What these say of a store holds of an encrypted one, too.
ALSO_ENCRYPTED = {
    "test_store_changes",
    "test_store_following",
    "test_store_model",
    "test_store_retaining",
    "test_store_work",
    "test_store_writing",
}


def pytest_generate_tests(metafunc):
    if "store" in metafunc.fixturenames and metafunc.module.__name__ in ALSO_ENCRYPTED:
        metafunc.parametrize("store", [NO_ENCRYPTION, ENCRYPTION], ids=["plain", "encrypted"], indirect=True)


@pytest.fixture
def store(tmp_path, request) -> Iterator[SqliteStore]:
    """A store in a fresh directory; whatever the test did, no row may contradict another afterwards."""
    opened = open_sqlite(tmp_path / "data", encryption=getattr(request, "param", NO_ENCRYPTION))
    yield opened
    try:
        assert opened.check() == []
    finally:
        opened.close()
