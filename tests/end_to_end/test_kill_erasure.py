"""An erasure whose process is killed at any step is finished by the next start, and nothing of it comes back."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from erasure_support import USER, fill, search_bytes, traces_of

from mnemic.engine.engine import Engine
from mnemic.engine.receipts import verify
from mnemic.engine.settings import load_settings
from mnemic.model.operations import OperationState
from mnemic.model.requests import ListRequest
from mnemic.model.scope import ScopeMatch

TENANT = "default"
# A process that erases the person, and kills itself at the n-th call of a step, before or after it.
PROGRAM = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from mnemic.engine import erasing_work
    from mnemic.engine.engine import Engine
    from mnemic.engine.settings import load_settings
    from mnemic.model.erasure import ErasureRequest, ErasureTarget
    from mnemic.model.scope import Scope
    from mnemic.store.erasing import SqlErasures
    from mnemic.store.page_cleaning import PageFile

    directory, user, step, when, number = sys.argv[1:]
    owner = PageFile if hasattr(PageFile, step) else SqlErasures
    work, calls = getattr(owner, step), 0

    def watched(*arguments, **named):
        global calls
        calls += 1
        is_it = calls == int(number)
        if is_it and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = work(*arguments, **named)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, step, watched)
    # Small steps, so that there are many.
    erasing_work._HIDDEN_AT_ONCE, erasing_work._DESTROYED_AT_ONCE = 40, 50
    settings = load_settings(data_directory=Path(directory), embedding={"provider": "static"})
    with Engine.open(settings) as engine:
        engine.erasure.erase("default", ErasureRequest(target=ErasureTarget(scope=Scope(user_id=user))))
    """
)
STEPS = [
    ("begin", "after", 1),
    ("hide", "after", 1),
    ("hide", "before", 3),
    ("touched_partitions", "before", 1),
    ("strike", "before", 1),
    ("strike", "after", 1),
    ("destroy", "after", 1),
    ("destroy", "after", 4),
    ("sweep_scopes", "after", 1),
    ("sweep_partitions", "after", 1),
    ("clean_files", "before", 1),
    ("find_leftovers", "after", 1),
    ("zero_leftovers", "after", 1),
    ("clean_files", "after", 1),
    ("finish", "before", 1),
    ("finish", "after", 1),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A data directory with two people, and what is known of one of them."""
    directory = tmp_path_factory.mktemp("filled") / "data"
    settings = load_settings(data_directory=directory, embedding={"provider": "static"})
    with Engine.open(settings, pull_missing_model=True) as engine:
        found = fill(engine, TENANT, rounds=40)
    return directory, traces_of(directory, found)


@pytest.mark.parametrize(("step", "when", "number"), STEPS)
def test_what_was_begun_is_finished_after_a_kill(filled, tmp_path, step, when, number):
    template, traces = filled
    directory = tmp_path / "data"
    shutil.copytree(template, directory)
    assert len(search_bytes(directory, traces)) > 500
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory), USER.user_id, step, when, str(number)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    settings = load_settings(data_directory=directory, embedding={"provider": "static"})
    with Engine.open(settings) as engine:
        (erasure,) = engine.erasure.list_erasures(TENANT).erasures
        result = engine.erasure.get(TENANT, erasure_id=erasure.erasure_id, wait_seconds=30.0)
        assert result.erasure.state is OperationState.DONE, result.erasure.last_error
        assert search_bytes(directory, traces) == {}
        assert engine.check() == []
        assert engine.list_memories(TENANT, ListRequest(scope=USER, match=ScopeMatch.EXACT)).memories == ()
        counts = {place["place"]: place for place in verify(result.receipt)["places"]}
        # Each memory was counted once, however often the work was begun.
        assert counts["memories"]["found"] == counts["memories"]["destroyed"] == 40 * 3 + _drawn(template)
    assert search_bytes(directory, traces) == {}


def _drawn(template: Path) -> int:
    """The facts that extraction drew of the person."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(f"file:{template / 'mnemic.db'}?mode=ro", uri=True)) as database:
        statement = (
            "SELECT count(DISTINCT memory_id) FROM memory_versions WHERE reason LIKE 'drawn%' AND scope_id IN "
            "(SELECT id FROM scopes WHERE user_id = ?)"
        )
        return database.execute(statement, (USER.user_id,)).fetchone()[0]
