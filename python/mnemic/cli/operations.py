"""`mnemic operation` and `dead-letters`: the work behind the answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mnemic.cli.backend import open_backend
from mnemic.cli.documents import print_json
from mnemic.cli.failures import bad_input
from mnemic.cli.options import JsonOption, TargetOptions
from mnemic.cli.terminal import counted, print_line, print_remark
from mnemic.model.memory import from_micros
from mnemic.model.operations import DeadLetter, Operation


def operation(
    operation_id: Annotated[str, typer.Argument(metavar="OPERATION_ID", help="Which, as an add named it.")],
    *,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="Wait so long until it has ended, 60 at most.")
    ] = 0.0,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Show how far the work is that an add left to do.

    Example: mnemic operation 0199… --wait 30
    """
    with open_backend(target) as backend:
        found = backend.operation(operation_id, wait)
    if as_json:
        print_json(_operation_document(found))
        return
    print_line(found.state.name.lower())
    for memory_id in found.memory_ids:
        print_line(memory_id)
    if found.last_error:
        print_remark(f"after {counted(found.attempts, 'try', 'tries')}: {found.last_error}")


def dead_letters(
    operation_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[OPERATION_ID]...", help="Which to try again; with --replay.")
    ] = None,
    *,
    replay: Annotated[bool, typer.Option("--replay", help="Try them again: those that are named, or all.")] = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """List background work that was given up, oldest first, or try it again.

    Example: mnemic dead-letters --replay
    """
    if operation_ids and not replay:
        raise bad_input("ids are for --replay; without it all are listed")
    with open_backend(target) as backend:
        if replay:
            result = backend.replay_dead_letters(operation_ids or ())
            if as_json:
                print_json({"requeued": result.requeued, "missing_ids": list(result.missing_ids)})
            else:
                print_remark(f"{counted(result.requeued, 'piece')} of work back in the queue")
                for missing in result.missing_ids:
                    print_remark(f"{missing} was not given up, or is not there")
            return
        found: list[DeadLetter] = []
        token = ""
        while True:
            page = backend.dead_letters(token)
            found.extend(page.dead_letters)
            token = page.next_page_token
            if not token:
                break
    if as_json:
        print_json({"dead_letters": [_dead_letter_document(item) for item in found]})
        return
    for item in found:
        print_line(item.operation_id)
        print_remark(
            f"  {item.kind.name.lower()} of {counted(len(item.memory_ids), 'memory', 'memories')}, given up after "
            f"{counted(item.attempts, 'try', 'tries')}: {item.last_error}"
        )
    print_remark(f"{counted(len(found), 'piece')} of work given up")


def _operation_document(found: Operation) -> dict[str, Any]:
    due = found.next_attempt_time_micros
    return {
        "operation_id": found.operation_id,
        "state": found.state.name.lower(),
        "attempts": found.attempts,
        "last_error": found.last_error,
        "memory_ids": list(found.memory_ids),
        "revision": found.revision,
        "next_attempt_time": None if due is None else from_micros(due).isoformat(),
    }


def _dead_letter_document(item: DeadLetter) -> dict[str, Any]:
    failed = item.fail_time_micros
    return {
        "operation_id": item.operation_id,
        "kind": item.kind.name.lower(),
        "memory_ids": list(item.memory_ids),
        "attempts": item.attempts,
        "last_error": item.last_error,
        "create_time": from_micros(item.create_time_micros).isoformat(),
        "fail_time": None if failed is None else from_micros(failed).isoformat(),
    }
