"""`mnemic reembed`."""

from __future__ import annotations

from typing import Annotated

import typer

from mnemic.cli.backend import directory_settings, quiet_logs
from mnemic.cli.documents import print_json
from mnemic.cli.options import DirectoryOptions, JsonOption
from mnemic.cli.terminal import counted, fraction_bar, print_line, progress_bar


def reembed(
    *,
    directory: DirectoryOptions,
    pull: Annotated[
        bool, typer.Option("--pull/--no-pull", help="Fetch the embedding model if it is not installed.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Embed everything again with the model that the settings name. The server must be stopped.

    An interruption loses nothing: run it again and it goes on. Searches use the new model when all is done.

    Example: mnemic reembed --embedding minilm
    """
    from mnemic.engine.engine import open_model  # noqa: PLC0415 (start-up time: loads the engine)
    from mnemic.engine.reembedding import reembed as migrate  # noqa: PLC0415 (the same)
    from mnemic.store.sqlite import open_sqlite  # noqa: PLC0415 (the same)

    quiet_logs()
    settings = directory_settings(directory)
    # The directory first: when it is in use, nobody should wait for a download to learn it.
    store = open_sqlite(settings.data_directory, encryption=settings.encryption)
    try:
        with fraction_bar("Opening the embedding model") as report:
            provider = open_model(settings, pull_missing=pull, progress=report)
        try:
            with progress_bar("Embedding", "versions") as update:
                report_done = migrate(store, provider, lambda done, total: update("Embedding", done, total))
        finally:
            provider.close()
    finally:
        store.close()
    if as_json:
        print_json({"model": report_done.model, "embedded": report_done.embedded, "dropped": list(report_done.dropped)})
        return
    print_line(f"embedded {counted(report_done.embedded, 'version')}; {report_done.model} is active")
    for identity in report_done.dropped:
        print_line(f"dropped the vectors of {identity}")
