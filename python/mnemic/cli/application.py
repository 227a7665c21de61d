"""The commands of `mnemic`, put together."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

import typer

from mnemic.cli.audit import audit_application
from mnemic.cli.backup import backup_application
from mnemic.cli.composing import context
from mnemic.cli.consolidating import consolidate
from mnemic.cli.doctor import doctor
from mnemic.cli.encryption import encryption_application
from mnemic.cli.erasing import erase, erasures, verify_receipt
from mnemic.cli.failures import CommandGroup
from mnemic.cli.importing import import_memories
from mnemic.cli.keys import keys_application
from mnemic.cli.models import models_application
from mnemic.cli.operations import dead_letters, operation
from mnemic.cli.options import with_option_groups
from mnemic.cli.reading import get, history, list_memories, scopes, stats
from mnemic.cli.reembedding import reembed
from mnemic.cli.retention import retention_application
from mnemic.cli.searching import search
from mnemic.cli.serving import serve
from mnemic.cli.tenants import tenants_application
from mnemic.cli.transfer import export_memories
from mnemic.cli.version import version
from mnemic.cli.watching import watch
from mnemic.cli.writing import add, delete, restore, update

_EVERY_DAY = "Memories"
_RUNNING = "Running"

_COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("add", add, _EVERY_DAY),
    ("search", search, _EVERY_DAY),
    ("context", context, _EVERY_DAY),
    ("list", list_memories, _EVERY_DAY),
    ("get", get, _EVERY_DAY),
    ("update", update, _EVERY_DAY),
    ("delete", delete, _EVERY_DAY),
    ("restore", restore, _EVERY_DAY),
    ("history", history, _EVERY_DAY),
    ("scopes", scopes, _EVERY_DAY),
    ("watch", watch, _EVERY_DAY),
    ("import", import_memories, _EVERY_DAY),
    ("export", export_memories, _EVERY_DAY),
    ("consolidate", consolidate, _EVERY_DAY),
    ("erase", erase, _EVERY_DAY),
    ("erasures", erasures, _EVERY_DAY),
    ("verify-receipt", verify_receipt, _EVERY_DAY),
    ("operation", operation, _EVERY_DAY),
    ("serve", serve, _RUNNING),
    ("dead-letters", dead_letters, _RUNNING),
    ("stats", stats, _RUNNING),
    ("reembed", reembed, _RUNNING),
    ("doctor", doctor, _RUNNING),
    ("version", version, _RUNNING),
)

application = typer.Typer(
    name="mnemic",
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@application.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """A memory service for AI agents.

    Commands on memories work on a server (--server ADDRESS, or $MNEMIC_ADDRESS) or directly on a data directory
    (--data-directory, or that of the settings).

    Begin with: mnemic serve
    """
    CommandGroup.debug = debug
    if not debug:
        # What gRPC's core says on standard error of itself, the errors say in words.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for _name, _command, _panel in _COMMANDS:
    application.command(_name, rich_help_panel=_panel)(with_option_groups(_command))
application.add_typer(models_application, name="models", rich_help_panel=_RUNNING)
application.add_typer(keys_application, name="keys", rich_help_panel=_RUNNING)
application.add_typer(retention_application, name="retention", rich_help_panel=_RUNNING)
application.add_typer(encryption_application, name="encryption", rich_help_panel=_RUNNING)
application.add_typer(tenants_application, name="tenants", rich_help_panel=_RUNNING)
application.add_typer(backup_application, name="backup", rich_help_panel=_RUNNING)
application.add_typer(audit_application, name="audit", rich_help_panel=_RUNNING)


def main() -> None:
    """The entry point of the `mnemic` command."""
    application(prog_name="mnemic")
