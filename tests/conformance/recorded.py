"""Clients whose calls are kept, for any kind of client."""

import asyncio
import inspect

from transcript import Transcript

from mnemic import MnemicError
from mnemic.client.watching import AsyncWatch, Watch


class Recorded:
    """A client whose calls are kept; asynchronous ones are waited for.

    Attributes:
        client: The same, with nothing kept.
        user: Whose memories it makes, this run's own.
    """

    def __init__(self, client, runner: asyncio.Runner, user: str, *, keeps: bool = True) -> None:
        self._client, self._runner, self._keeps = client, runner, keeps
        self.user = user
        self.client = Recorded(client, runner, user, keeps=False) if keeps else self
        # Two clients of one server make memories of their own.
        self.transcript = Transcript({user: "<user>"})

    def __getattr__(self, name):
        member = getattr(self._client, name)

        def call(*arguments, **options):
            try:
                result = self._complete(member(*arguments, **options))
            except MnemicError as error:
                self._note(name, error)
                raise
            if isinstance(result, Watch | AsyncWatch):
                return Watched(result, self)
            self._note(name, result)
            return result

        return call

    def _note(self, name, outcome):
        if self._keeps:
            self.transcript.note(name, outcome)

    def wait_for(self, coroutine):
        return self._runner.run(coroutine)

    def note(self, name, outcome):
        self._note(name, outcome)

    def _complete(self, result):
        if isinstance(result, AsyncWatch):
            return self._runner.run(entered(result))
        if inspect.isgenerator(result):
            return list(result)
        if inspect.isasyncgen(result) or inspect.isawaitable(result):
            return self._runner.run(collected(result))
        return result


async def collected(result):
    """What is awaited, or all that is iterated."""
    if inspect.isasyncgen(result):
        return [item async for item in result]
    return await result


async def entered(watch):
    return await watch.__aenter__()


class Watched:
    """A watch of either kind, whose changes are kept."""

    def __init__(self, watch, recorded: Recorded) -> None:
        self._watch, self._recorded = watch, recorded

    def take(self, count: int) -> list:
        """The next changes, so many; in how many commits' answers and heartbeats they come depends on the time."""
        found = []
        while len(found) < count:
            is_blocking = isinstance(self._watch, Watch)
            found += next(self._watch) if is_blocking else self._recorded.wait_for(anext(self._watch))
        self._recorded.note("watch", found)
        return found

    @property
    def revision(self) -> int:
        return self._watch.revision

    def close(self) -> None:
        if isinstance(self._watch, Watch):
            self._watch.close()
        else:
            self._recorded.wait_for(self._watch.close())
