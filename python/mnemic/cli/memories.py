"""What a command works on, where a server and a data directory have the same methods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mnemic.cli.backend import connection_of, directory_settings, quiet_logs
from mnemic.cli.options import TargetOptions

if TYPE_CHECKING:
    from mnemic.client.grpc_client import MnemicClient
    from mnemic.client.memory import Memory


@contextmanager
def open_memory(target: TargetOptions) -> Iterator[MnemicClient | Memory]:
    """What the options name: a server or a data directory; both have the same methods."""
    address = target.address()
    if address is not None:
        from mnemic.client.grpc_client import MnemicClient  # noqa: PLC0415 (start-up time: loads grpc)

        connection = connection_of(target)
        with MnemicClient(address, api_key=connection.api_key, credentials=connection.credentials()) as client:
            yield client
        return
    from mnemic.client.memory import Memory  # noqa: PLC0415 (start-up time: loads the engine)

    quiet_logs()
    with Memory(settings=directory_settings(target)) as memory:
        yield memory
