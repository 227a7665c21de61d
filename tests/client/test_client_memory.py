"""What only the classes in process do: opening, closing, Mem0's extra methods, and asyncio without blocking."""

import asyncio
import gc
import subprocess
import sys
import threading
import time

import pytest

from mnemic import AsyncMemory, Memory, MnemicError, Reason
from mnemic.client.progress import ProgressLine
from mnemic.engine.settings import load_settings


def refusal(call, *arguments, **options) -> MnemicError:
    with pytest.raises(MnemicError) as refused:
        call(*arguments, **options)
    return refused.value


def test_what_was_added_is_there_after_a_restart(settings):
    with Memory(settings=settings) as memory:
        memory.add("I'm vegetarian", user_id="u1")
    with Memory(settings=settings) as memory:
        assert memory.search("what does she eat?", user_id="u1")[0].body == "I'm vegetarian"


def test_a_directory_may_be_given_alone_or_over_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("MNEMIC_EMBEDDING__PROVIDER", "static")
    with Memory(tmp_path / "one") as memory:
        memory.add("x", user_id="u1")
        assert memory.engine.settings.data_directory == tmp_path / "one"
    with Memory(str(tmp_path / "two"), settings=load_settings(data_directory=tmp_path / "one")) as memory:
        assert not memory.list(user_id="u1")


def test_one_directory_is_open_once(settings):
    with Memory(settings=settings):
        error = refusal(Memory, settings=settings)
        assert error.reason is Reason.STORE_UNAVAILABLE
    Memory(settings=settings).close()


def test_a_memory_that_is_let_go_is_closed(settings):
    memory = Memory(settings=settings)
    memory.add("x", user_id="u1")
    del memory
    gc.collect()
    with Memory(settings=settings) as memory:
        assert len(memory.list(user_id="u1")) == 1


def test_a_script_that_never_closes_ends_well(settings):
    script = (
        "import sys; from mnemic import Memory; m = Memory(sys.argv[1]); m.add('kept', user_id='u'); "
        "print(m.search('kept', user_id='u')[0].body)"
    )
    command = [sys.executable, "-W", "error", "-c", script, str(settings.data_directory)]
    environment = {"MNEMIC_EMBEDDING__PROVIDER": "static", "PYTHONPATH": ":".join(sys.path), "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert (done.returncode, done.stdout) == (0, "kept\n"), done.stderr
    with Memory(settings=settings) as memory:
        assert len(memory.list(user_id="u")) == 1


def test_an_engine_of_ones_own_stays_open(engine, tmp_path):
    Memory(engine=engine).close()
    with Memory(engine=engine) as memory:
        memory.add("x", user_id="u1")
    assert refusal(Memory, tmp_path, engine=engine).violations[0].field == "data_directory"
    assert refusal(AsyncMemory, settings=engine.settings, engine=engine).violations[0].field == "settings"


def test_from_config(tmp_path):
    config = {"data_directory": str(tmp_path), "embedding": {"provider": "static"}}
    with Memory.from_config(config) as memory:
        memory.add("x", user_id="u1")

    async def asynchronously():
        async with AsyncMemory.from_config(config) as memory:
            return await memory.list(user_id="u1")

    assert len(asyncio.run(asynchronously())) == 1


def test_get_all_gives_every_page_at_once(engine):
    with Memory(engine=engine) as memory:
        memory.add([f"number {number}" for number in range(1000)], user_id="u1")
        memory.add(["the last but one", "the last"], user_id="u1")
        assert len(memory.get_all(user_id="u1")) == 1002
        some = memory.get_all(user_id="u1", limit=1)
        assert (some.memories[0].body, bool(some.next_page_token)) == ("the last", True)
        assert len(memory.get_all(user_id="u1", top_k=1001)) == 1001
        assert memory.get_all(user_id="u1", filters={"name": "nobody"}).to_dict() == {"results": []}
        assert refusal(memory.get_all, user_id="u1", top_k=0).violations[0].field == "top_k"
        assert refusal(memory.get_all).reason is Reason.SCOPE_MISSING


def test_delete_all_takes_every_session_of_the_ids_given(engine):
    with Memory(engine=engine) as memory:
        memory.add(["a", "b"], user_id="u1")
        memory.add("c", user_id="u1", run_id="s1")
        memory.add("d", user_id="u2")
        assert refusal(memory.delete_all).reason is Reason.SCOPE_MISSING
        assert memory.delete_all(user_id="*") == 0
        assert memory.delete_all(user_id="u1") == 3
        assert not memory.get_all(user_id="u1", match="exact")
        assert len(memory.get_all(user_id="u2")) == 1


def test_asyncio_is_never_blocked(engine, monkeypatch):
    slow = threading.Event()
    original = engine.search

    def search(*arguments, **options):
        slow.wait(10)
        return original(*arguments, **options)

    monkeypatch.setattr(engine, "search", search)

    async def run():
        async with AsyncMemory(engine=engine, max_workers=2) as memory:
            await memory.add("x", user_id="u1")
            searching = asyncio.create_task(memory.search("x", user_id="u1"))
            # The loop turns and other calls are served while the search waits.
            added = await asyncio.wait_for(memory.add("y", user_id="u1"), 5)
            assert not searching.done()
            slow.set()
            assert len(await searching) >= 1
            return added

    assert asyncio.run(run()).memory_ids


def test_no_more_calls_run_at_once_than_there_are_threads(engine, monkeypatch):
    running, most, lock = 0, 0, threading.Lock()

    def revision():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        raise MnemicError(Reason.INTERNAL, "done")

    monkeypatch.setattr(engine, "list_memories", lambda *_: revision())

    async def run():
        async with AsyncMemory(engine=engine, max_workers=3) as memory:
            return await asyncio.gather(*(memory.list(user_id="u1") for _ in range(20)), return_exceptions=True)

    assert {type(result) for result in asyncio.run(run())} == {MnemicError}
    assert most == 3


def test_a_call_cancelled_in_time_is_never_begun_and_one_begun_is_finished(engine, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    original = engine.add

    def add(*arguments, **options):
        begun.set()
        go_on.wait(10)
        return original(*arguments, **options)

    monkeypatch.setattr(engine, "add", add)

    async def run():
        async with AsyncMemory(engine=engine, max_workers=1) as memory:
            first = asyncio.create_task(memory.add("begun", user_id="u1"))
            await asyncio.to_thread(begun.wait, 10)
            second = asyncio.create_task(memory.add("waiting", user_id="u1"))
            await asyncio.sleep(0)
            for task in (first, second):
                task.cancel()
            cancelled = await asyncio.gather(first, second, return_exceptions=True)
            go_on.set()
            found = await memory.list(user_id="u1")
            return [type(result) for result in cancelled], [item.body for item in found]

    assert asyncio.run(run()) == ([asyncio.CancelledError] * 2, ["begun"])


def test_the_wait_for_a_thread_counts_towards_the_timeout(engine, monkeypatch):
    go_on = threading.Event()
    original = engine.list_memories
    monkeypatch.setattr(engine, "list_memories", lambda *arguments: go_on.wait(10) and original(*arguments))

    async def run():
        async with AsyncMemory(engine=engine, max_workers=1) as memory:
            listing = asyncio.create_task(memory.list(user_id="u1"))
            adding = asyncio.create_task(memory.add("late", user_id="u1", timeout=0.05))
            await asyncio.sleep(0.2)
            go_on.set()
            with pytest.raises(MnemicError) as refused:
                await adding
            await listing
            return refused.value.reason, len(await memory.list(user_id="u1"))

    assert asyncio.run(run()) == (Reason.DEADLINE_EXCEEDED, 0)


def test_many_at_once_open_one_engine(settings):
    async def run():
        async with AsyncMemory(settings=settings) as memory:
            await asyncio.gather(*(memory.add(f"text {number}", user_id="u1") for number in range(20)))
            return [item.body async for item in memory.iterate(user_id="u1")]

    assert len(asyncio.run(run())) == 20


def test_an_opening_that_failed_is_tried_again(settings):
    async def run():
        memory = AsyncMemory(settings=settings)
        with Memory(settings=settings):
            with pytest.raises(MnemicError) as refused:
                await memory.add("x", user_id="u1")
            assert refused.value.reason is Reason.STORE_UNAVAILABLE
        await memory.add("x", user_id="u1")
        await memory.close()
        await memory.close()

    asyncio.run(run())


def test_progress_is_told_on_standard_error(capsys, monkeypatch):
    line = ProgressLine()
    for fraction in (0.0, 0.5, 1.0):
        line("download", fraction)
    line("convert", 0.0)
    line.finish()
    assert capsys.readouterr().err == "mnemic: download\nmnemic: convert\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    line("download", 0.5)
    line.finish()
    assert capsys.readouterr().err == "\rmnemic: download  50%\n"
