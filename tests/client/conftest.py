"""The four clients over one real engine (two of them behind a real server), all called the same way."""

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from mnemic import AsyncMemory, AsyncMnemicClient, Memory, MnemicClient
from mnemic.engine.settings import ServerSettings
from mnemic.server.server import MnemicServer


class Blocking:
    """An asynchronous client called synchronously: awaits what is to be awaited and collects what is iterated."""

    def __init__(self, client, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name):
        member = getattr(self._client, name)

        def call(*arguments, **options):
            result = member(*arguments, **options)
            return self._runner.run(self._collected(result))

        return call if callable(member) else member

    @staticmethod
    async def _collected(result):
        if inspect.isasyncgen(result):
            return [item async for item in result]
        return await result


@pytest.fixture
def server(engine) -> Iterator[MnemicServer]:
    with MnemicServer(engine, ServerSettings(address="127.0.0.1:0", drain_seconds=2.0)) as started:
        yield started


@pytest.fixture(params=["Memory", "AsyncMemory", "MnemicClient", "AsyncMnemicClient"])
def memory(request, engine):
    """Each of the four in turn."""
    if request.param == "Memory":
        with Memory(engine=engine) as opened:
            yield opened
        return
    if request.param == "MnemicClient":
        with MnemicClient(request.getfixturevalue("server").address) as opened:
            yield opened
        return
    with asyncio.Runner() as runner:
        if request.param == "AsyncMemory":
            opened = AsyncMemory(engine=engine)
        else:
            opened = AsyncMnemicClient(request.getfixturevalue("server").address)
        yield Blocking(opened, runner)
        runner.run(opened.close())
