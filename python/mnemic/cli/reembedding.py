"""`mnemic reembed`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnemic.cli.backend import connection_of, directory_settings, quiet_logs
from mnemic.cli.documents import print_json, time_text
from mnemic.cli.failures import bad_input
from mnemic.cli.options import JsonOption, TargetOptions
from mnemic.cli.terminal import counted, fraction_bar, moment_text, print_line, print_remark, progress_bar
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.operations import OperationState
from mnemic.model.reembedding import ReembedStatus

if TYPE_CHECKING:
    from mnemic.engine.settings import Settings

# Who has the directory notes every few seconds that it got further.
_STILL_MICROS = 60_000_000


def reembed(
    *,
    status: Annotated[
        bool, typer.Option("--status", help="Only say how far it is, also while another process does it.")
    ] = False,
    pull: Annotated[
        bool, typer.Option("--pull/--no-pull", help="Fetch the embedding model if it is not installed.")
    ] = True,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Embed everything again with the model that the settings name. The server must be stopped.

    An interruption loses nothing: run it again and it goes on. Searches use the new model when all is done. A server
    makes the vectors beside its calls if it is started with --next-embedding; start it with that model when
    `mnemic reembed --status` says done.

    Example: mnemic reembed --embedding minilm
    """
    if status:
        found = _status(target)
        if as_json:
            print_json(_document(found))
        else:
            _print_status(found)
        return
    if target.address() is not None:
        raise bad_input(
            "a server's memories are not embedded from outside",
            hint="start it with --next-embedding NAME, or stop it and name its --data-directory here",
        )
    _reembed(directory_settings(target), pull=pull, as_json=as_json)


def _reembed(settings: Settings, *, pull: bool, as_json: bool) -> None:
    from mnemic.engine.models import open_model  # noqa: PLC0415 (start-up time: loads the engine)
    from mnemic.engine.reembedding import reembed as migrate  # noqa: PLC0415 (the same)
    from mnemic.store.sqlite import open_sqlite  # noqa: PLC0415 (the same)

    quiet_logs()
    # The directory first: when it is in use, nobody should wait for a download to learn it.
    store = open_sqlite(settings.data_directory, encryption=settings.encryption)
    try:
        with fraction_bar("Opening the embedding model") as report:
            provider = open_model(settings, pull_missing=pull, progress=report)
        try:
            with progress_bar("Embedding", "versions") as update:
                done = migrate(store, provider, lambda done, total: update("Embedding", done, total))
        finally:
            provider.close()
    finally:
        store.close()
    if as_json:
        print_json({"model": done.model, "embedded": done.embedded, "dropped": list(done.dropped)})
        return
    print_line(f"embedded {counted(done.embedded, 'version')}; {done.model} is active")
    for identity in done.dropped:
        print_line(f"dropped the vectors of {identity}")


def _status(target: TargetOptions) -> ReembedStatus:
    address = target.address()
    if address is None:
        return _status_of_directory(directory_settings(target))
    from mnemic.client.admin_client import MnemicAdminClient  # noqa: PLC0415 (start-up time: loads grpc)

    connection = connection_of(target)
    with MnemicAdminClient(address, api_key=connection.api_key, credentials=connection.credentials()) as client:
        return client.reembed_status()


def _status_of_directory(settings: Settings) -> ReembedStatus:
    from mnemic.engine.reembedding import status_of  # noqa: PLC0415 (start-up time)
    from mnemic.store.sqlite import look_into, open_sqlite  # noqa: PLC0415 (the same)

    try:
        store = open_sqlite(settings.data_directory, encryption=settings.encryption)
    except MnemicError as error:
        if error.reason is not Reason.STORE_UNAVAILABLE or "holder_pid" not in error.metadata:
            raise
    else:
        try:
            return status_of(store, is_filling=False)
        finally:
            store.close()
    # Another process has it, and may be at work.
    with look_into(settings.data_directory) as models:
        now = time.time_ns() // 1000
        return status_of(
            models,
            is_filling=any(
                model.filling is not None and now - model.filling.last_micros < _STILL_MICROS
                for model in models.models()
            ),
        )


def _document(status: ReembedStatus) -> dict[str, Any]:
    return {
        "state": status.state.name.lower(),
        "active_model": status.active_model,
        "target_model": status.target_model,
        "done": status.done_count,
        "total": status.total_count,
        "last_error": status.last_error,
        "start_time": time_text(status.start_time_micros),
        "update_time": time_text(status.update_time_micros),
    }


def _print_status(status: ReembedStatus) -> None:
    model = status.target_model or status.active_model or "no model yet"
    share = f", {status.done_count / status.total_count:.1%}" if status.total_count else ""
    done = f"{status.done_count:,} of {counted(status.total_count, 'version')}{share}"
    print_line(f"{status.state.name.lower()}: {model} has {done}")
    if status.target_model:
        print_line(f"searches use {status.active_model}")
        if status.state is OperationState.DONE:
            print_remark("start the server with this model to switch, or run `mnemic reembed` with it")
    if status.start_time_micros is not None:
        since = moment_text(status.start_time_micros)
        print_line(f"since {since}; last further {moment_text(status.update_time_micros)}")
    if status.last_error:
        print_remark(status.last_error)
