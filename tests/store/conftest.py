from __future__ import annotations

from collections.abc import Iterator

import pytest

from mnemic.store.sqlite import SqliteStore, open_sqlite


@pytest.fixture
def store(tmp_path) -> Iterator[SqliteStore]:
    """A store in a fresh directory; whatever the test did, no row may contradict another afterwards."""
    opened = open_sqlite(tmp_path / "data")
    yield opened
    try:
        assert opened.check() == []
    finally:
        opened.close()
