"""Clients whose calls are kept, for any kind of client."""

import asyncio
import inspect

from transcript import Transcript

from mnemic import MnemicError


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
            self._note(name, result)
            return result

        return call

    def _note(self, name, outcome):
        if self._keeps:
            self.transcript.note(name, outcome)

    def _complete(self, result):
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
