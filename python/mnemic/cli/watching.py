"""`mnemic watch`: what happens to memories, as it happens."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from mnemic.cli.backend import connection_of
from mnemic.cli.documents import revision_document
from mnemic.cli.failures import bad_input
from mnemic.cli.filters import FilterOption, MatchOption, parse_filter, parse_match
from mnemic.cli.options import JsonOption, ScopeOptions, TargetOptions
from mnemic.cli.terminal import clean, is_terminal, moment_text, print_line, print_remark, who_text
from mnemic.model.memory import MemoryRevision


def watch(
    *,
    scope: ScopeOptions,
    match: MatchOption = "visible",
    filter_json: FilterOption = None,
    after: Annotated[
        int, typer.Option("--after", metavar="REVISION", help="Start after this revision; unless given, from now on.")
    ] = 0,
    from_start: Annotated[bool, typer.Option("--from-start", help="Start with all that ever happened.")] = False,
    count: Annotated[
        int | None, typer.Option("--count", "-n", metavar="N", min=1, help="End after so many changes.")
    ] = None,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Show what happens to memories, as it happens, until Ctrl-C; with --json one document a line.

    Example: mnemic watch --user u1 --server 127.0.0.1:50551
    """
    address = target.address()
    if address is None:
        raise bad_input(
            "only a server can be watched: nobody else writes to a data directory that this command has open",
            hint="name the server with --server or MNEMIC_ADDRESS",
        )
    from mnemic.client.grpc_client import MnemicClient  # noqa: PLC0415 (start-up time: loads grpc)

    connection = connection_of(target)
    ids = scope.scope()
    asked: dict[str, Any] = {"match": parse_match(match), "filters": parse_filter(filter_json)}
    asked |= {"user_id": ids.user_id, "agent_id": ids.agent_id, "session_id": ids.session_id, "app_id": ids.app_id}
    with (
        MnemicClient(address, api_key=connection.api_key, credentials=connection.credentials()) as client,
        client.watch(after_revision=after, from_start=from_start, **asked) as watching,
    ):
        shown, known = 0, after
        try:
            for changes in watching:
                for entry in changes:
                    if shown == count:
                        return
                    _print(entry, as_json=as_json)
                    shown += 1
                known = changes.revision
                if shown == count:
                    return
        finally:
            # Of a commit that was shown in part all is shown again.
            print_remark(f"to go on: --after {known}" if known else "to go on: --from-start")


def _print(entry: MemoryRevision, *, as_json: bool) -> None:
    if as_json:
        print_line(json.dumps(revision_document(entry), ensure_ascii=False))
    else:
        memory = entry.memory
        cells = [
            str(entry.revision),
            moment_text(entry.change_time_micros),
            entry.change.name.lower(),
            memory.memory_id,
        ]
        cells += [who_text(memory), clean(memory.body)]
        print_line(("  " if is_terminal() else "\t").join(cells))
    # Whoever reads it waits for each.
    sys.stdout.flush()
