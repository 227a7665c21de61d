"""`mnemic doctor`: what is installed, which paths run, and whether what is kept is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mnemic.cli.documents import print_json
from mnemic.cli.failures import EXIT_FAILURE
from mnemic.cli.options import JsonOption, TargetOptions
from mnemic.cli.terminal import Column, Row, print_table

if TYPE_CHECKING:
    from mnemic.cli.check import Check

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(*, target: TargetOptions, as_json: JsonOption = False) -> None:
    """Check the installation, the model and the data directory, and the server that runs on it or that --server names.

    Ends with code 1 if a check fails; each failure says what to do.

    Example: mnemic doctor --server 127.0.0.1:50551
    """
    from mnemic.cli.check import Level  # noqa: PLC0415 (the same)
    from mnemic.cli.checks import run_checks  # noqa: PLC0415 (start-up time: loads the engine)

    checks = list(run_checks(target))
    failed = [check for check in checks if check.level is Level.FAIL]
    if as_json:
        print_json(
            {
                "ok": not failed,
                "checks": [
                    {"name": check.name, "level": check.level.value, "found": check.found, "hint": check.hint}
                    for check in checks
                ],
            }
        )
    else:
        columns = [Column("Check"), Column("Level"), Column("Found", flexible=True)]
        rows = [
            Row((check.name, check.level.value, check.found), _hint(check), _STYLES[check.level.value])
            for check in checks
        ]
        print_table(columns, rows, note_title="hint")
    if failed:
        raise typer.Exit(EXIT_FAILURE)


def _hint(check: Check) -> str:
    return f"hint: {check.hint}" if check.hint else ""
