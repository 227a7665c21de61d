"""`mnemic encryption`: the master key, and what is encrypted under it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mnemic.cli.failures import bad_input
from mnemic.cli.options import with_option_groups
from mnemic.cli.terminal import print_line, print_remark

encryption_application = typer.Typer(help="Encryption at rest: the master key, and what is encrypted under it.")


@encryption_application.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Encryption at rest: the master key, and what is encrypted under it."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def generate_key(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A new file, for you alone; else standard output.")
    ] = None,
) -> None:
    """Make a master key. Whoever has it and the data directory reads everything; without it nobody does.

    Example: mnemic encryption generate-key /etc/mnemic/master.key
    """
    from mnemic.store.sealing_masters import new_master_key  # noqa: PLC0415 (start-up time: loads cryptography)

    key = new_master_key()
    if path is None:
        print_line(key)
        return
    try:
        descriptor = os.open(path.expanduser(), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise bad_input(
            f"{path} is there already; a master key is never overwritten", hint="give another name, or remove it"
        ) from error
    except OSError as error:
        raise bad_input(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{key}\n")
    print_remark(f"wrote a master key to {path}; keep a copy apart from the data and from its backups")
    print_remark("set encryption.key_file to it before the store has memories")


for _name, _command in (("generate-key", generate_key),):
    encryption_application.command(_name)(with_option_groups(_command))
