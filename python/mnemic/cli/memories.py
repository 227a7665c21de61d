"""What a command works on, where a server and a data directory have the same methods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from mnemic.cli.backend import connection_of, directory_settings, quiet_logs
from mnemic.cli.options import TargetOptions
from mnemic.model.audit import LOCAL_COMMAND, AuditAction
from mnemic.model.scope import DEFAULT_TENANT, Scope

if TYPE_CHECKING:
    from mnemic.client.grpc_client import MnemicClient
    from mnemic.client.memory import Memory


@contextmanager
def open_memory(
    target: TargetOptions, *, enters: tuple[str, AuditAction] | None = None, scope: Scope | None = None
) -> Iterator[MnemicClient | Memory]:
    """What the options name: a server or a data directory; both have the same methods.

    Args:
        target: The options.
        enters: As what the command is entered in the audit log of a data directory, if it is; a server enters calls.
        scope: The ids that it is about.
    """
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
        audit = memory.engine.audit
        with (
            nullcontext()
            if enters is None
            else audit.entering(DEFAULT_TENANT, LOCAL_COMMAND, enters[1], enters[0], scope=scope)
        ):
            yield memory
