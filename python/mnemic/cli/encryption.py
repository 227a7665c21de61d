"""`mnemic encryption`: the master key, and what is encrypted under it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mnemic.cli.backend import directory_settings, quiet_logs
from mnemic.cli.documents import print_json
from mnemic.cli.failures import bad_input
from mnemic.cli.options import DirectoryOptions, JsonOption, with_option_groups
from mnemic.cli.terminal import counted, print_line, print_remark, progress_bar

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
    print_remark("set encryption.key_file to it; a store that has memories is encrypted by `mnemic encryption enable`")


def enable(*, directory: DirectoryOptions, as_json: JsonOption = False) -> None:
    """Encrypt a data directory that holds plain text, under the settings' master key. The server must be stopped.

    An interruption loses nothing: run it again and it goes on. At the end the file is made anew (this needs as much
    free disk as it takes), so that nothing plain is left in it; old backups stay as they are.

    Example: mnemic encryption enable --data-directory ./memories
    """
    from mnemic.engine.encrypting import encrypt  # noqa: PLC0415 (start-up time: loads the engine)

    quiet_logs()
    settings = directory_settings(directory)
    with progress_bar("Encrypting", "rows") as update:
        done = encrypt(settings, lambda done, total: update("Encrypting", done, total))
    if as_json:
        print_json({"encrypted": done})
        return
    print_line(f"encrypted {counted(done, 'version and vector', 'versions and vectors')}; nothing plain is left")


def rotate(
    *,
    new_key_file: Annotated[
        Path | None, typer.Option("--new-key-file", metavar="FILE", help="The new master key.")
    ] = None,
    new_key_command: Annotated[
        str | None,
        typer.Option("--new-key-command", metavar="COMMAND", help="A program that wraps and unwraps."),
    ] = None,
    directory: DirectoryOptions,
    as_json: JsonOption = False,
) -> None:
    """Exchange the master key, that of the settings for a new one, and wrap every data key anew. The server must be
    stopped; give it the new master key before it is started.

    An interruption loses nothing: run it again and it goes on.

    Example: mnemic encryption rotate --new-key-file /etc/mnemic/master-2.key
    """
    from mnemic.engine.encrypting import rotate as exchange  # noqa: PLC0415 (start-up time: loads the engine)
    from mnemic.store.sealing_settings import EncryptionSettings  # noqa: PLC0415 (start-up time: loads pydantic)

    if (new_key_file is None) == (new_key_command is None):
        raise bad_input("give one of --new-key-file and --new-key-command")
    quiet_logs()
    settings = directory_settings(directory)
    new = EncryptionSettings(
        key_file=new_key_file,
        key_command=tuple(shlex.split(new_key_command or "")),
        key_command_seconds=settings.encryption.key_command_seconds,
    )
    with progress_bar("Wrapping keys", "keys") as update:
        done = exchange(settings, new, lambda done, total: update("Wrapping keys", done, total))
    if as_json:
        print_json({"rewrapped": done})
        return
    print_line(f"wrapped {counted(done, 'data key')} anew; only the new master key opens the store now")


def status(*, directory: DirectoryOptions, as_json: JsonOption = False) -> None:
    """Show how encrypted a data directory is; also while it is served, and without its master key.

    Example: mnemic encryption status
    """
    from mnemic.engine.encrypting import status as read_status  # noqa: PLC0415 (start-up time: loads the engine)

    found = read_status(directory_settings(directory).data_directory.expanduser().absolute())
    if as_json:
        print_json(asdict(found))
        return
    print_line(f"encryption  {found.state}")
    if found.master_key:
        print_line(f"master key  {found.master_key}")
        print_line(f"data keys   {found.data_keys:,}, and {found.destroyed_keys:,} destroyed")
    print_line(f"versions    {found.encrypted_versions:,} encrypted, {found.plain_versions:,} plain")
    if found.state == "unfinished":
        print_remark("encrypting was interrupted: run `mnemic encryption enable` again")
    if found.keys_to_rewrap:
        print_remark(f"a rotation was interrupted ({found.keys_to_rewrap:,} keys left): run it again")


_COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("generate-key", generate_key),
    ("status", status),
    ("enable", enable),
    ("rotate", rotate),
)

for _name, _command in _COMMANDS:
    encryption_application.command(_name)(with_option_groups(_command))
