"""`mnemic backup`: create, list, verify and restore them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnemic.cli.backend import connection_of, directory_settings
from mnemic.cli.documents import print_json, time_text
from mnemic.cli.failures import CommandError, bad_input
from mnemic.cli.options import (
    DirectoryOptions,
    JsonOption,
    TargetOptions,
    with_option_groups,
)
from mnemic.cli.terminal import (
    Column,
    Row,
    bytes_text,
    moment_text,
    print_line,
    print_remark,
    print_table,
    progress_bar,
)
from mnemic.model.audit import LOCAL_COMMAND, AuditAction
from mnemic.model.backup import Backup, BackupDestination, BackupPage, BackupProgress, BackupStep
from mnemic.model.scope import DEFAULT_TENANT

if TYPE_CHECKING:
    from mnemic.client.admin_client import MnemicAdminClient
    from mnemic.engine.backups import Backups

backup_application = typer.Typer(help="Backups: make, list, verify and restore them.")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup: its NAME.db or NAME.json.")]
_MEBIBYTE = 1024 * 1024


@backup_application.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Backups: make, list, verify and restore them."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


class _Source(ABC):
    """Who makes backups."""

    @abstractmethod
    def create(self, name: str, destination: BackupDestination) -> Iterator[BackupStep]:
        """Makes one."""

    @abstractmethod
    def page(self, token: str) -> BackupPage:
        """One page of those that are kept."""


class _Server(_Source):
    def __init__(self, client: MnemicAdminClient) -> None:
        self._client = client

    def create(self, name: str, destination: BackupDestination) -> Iterator[BackupStep]:
        return self._client.create_backup(name, destination=destination)

    def page(self, token: str) -> BackupPage:
        return self._client.backups(page_token=token)


class _Directory(_Source):
    def __init__(self, backups: Backups) -> None:
        self._backups = backups

    def create(self, name: str, destination: BackupDestination) -> Iterator[BackupStep]:

        return self._backups.create(destination, name=name, caller=DEFAULT_TENANT)

    def page(self, token: str) -> BackupPage:
        return self._backups.list_backups(token=token)


@contextmanager
def _source(target: TargetOptions, *, makes: bool = False) -> Iterator[_Source]:
    address = target.address()
    if address is not None:
        from mnemic.client.admin_client import MnemicAdminClient  # noqa: PLC0415 (start-up time: loads grpc)

        connection = connection_of(target)
        with MnemicAdminClient(address, api_key=connection.api_key, credentials=connection.credentials()) as client:
            yield _Server(client)
        return
    from mnemic.engine.auditing import Audit  # noqa: PLC0415 (start-up time)
    from mnemic.engine.backups import Backups  # noqa: PLC0415 (the same)
    from mnemic.store.sqlite import open_sqlite  # noqa: PLC0415 (the same)

    settings = directory_settings(target)
    store = open_sqlite(settings.data_directory, encryption=settings.encryption)
    try:
        audit = Audit(store, settings.audit, is_guarded=settings.authentication.mode != "none")
        # A server enters its calls itself.
        entering = audit.entering(DEFAULT_TENANT, LOCAL_COMMAND, AuditAction.ADMINISTER, "mnemic backup create")
        try:
            with entering if makes else nullcontext():
                yield _Directory(Backups(store, settings.backup, store.commit))
        finally:
            audit.stop()
    finally:
        store.close()


def create(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Its name; made of the time and the revision unless given.")
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIRECTORY", help="Bring it here, instead of where backups are kept."),
    ] = None,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Make a backup of everything, of all tenants, while the server goes on.

    Example: mnemic backup create --output /mnt/backups
    """
    destination = BackupDestination.SERVER if output is None else BackupDestination.STREAM
    with _source(target, makes=True) as source, progress_bar("Backing up", "MiB") as update:
        steps = source.create(name or "", destination)
        backup = _followed(steps, update) if output is None else _received(steps, output, update)
    if as_json:
        print_json(_document(backup))
    else:
        print_line(
            f"backed up {backup.memory_count:,} memories at revision {backup.revision}: {backup.name}, "
            f"{bytes_text(backup.byte_count)}"
        )
        if backup.encrypted:
            print_remark("it is encrypted, and holds no keys: keep keys.db and the master key apart from it")


def _followed(steps: Iterator[BackupStep], update: Callable[[str, int, int], None]) -> Backup:
    for step in steps:
        if isinstance(step, Backup):
            return step
        if isinstance(step, BackupProgress):
            update("Backing up", step.done_bytes // _MEBIBYTE, step.total_bytes // _MEBIBYTE)
    raise CommandError("the backup broke off; nothing is left of it")


def _received(steps: Iterator[BackupStep], directory: Path, update: Callable[[str, int, int], None]) -> Backup:
    """Writes what comes beside its place; only a whole one whose bytes are those that were sent becomes a backup."""
    import hashlib  # noqa: PLC0415 (start-up time)

    from mnemic.store.backup_files import write_manifest  # noqa: PLC0415 (the same)
    from mnemic.store.copying import sync  # noqa: PLC0415 (the same)

    part = directory / ".incoming.part"
    digest, size, total = hashlib.sha256(), 0, 0
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with part.open("wb") as file:
            part.chmod(0o600)
            for step in steps:
                if isinstance(step, Backup):
                    backup = step
                    break
                if isinstance(step, BackupProgress):
                    total = step.total_bytes
                    update("Backing up", step.done_bytes // _MEBIBYTE, total // _MEBIBYTE)
                else:
                    file.write(step)
                    digest.update(step)
                    size += len(step)
                    update("Receiving", size // _MEBIBYTE, max(total, size) // _MEBIBYTE)
            else:
                raise CommandError("the backup broke off; nothing is left of it")
        if (digest.digest(), size) != (backup.sha256, backup.byte_count):
            raise CommandError("what came is not what was sent: the SHA-256 differs; try again")
        place = directory / f"{backup.name}.db"
        if place.exists():
            raise bad_input(f"{place} is there already; give another name")
        sync(part)
        part.replace(place)
        write_manifest(directory, backup)
    except OSError as error:
        raise bad_input(f"cannot write to {directory}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return backup


def list_backups(*, target: TargetOptions, as_json: JsonOption = False) -> None:
    """List the backups that are kept (backup.directory of the settings), latest first.

    Example: mnemic backup list
    """
    with _source(target) as source:
        page = source.page("")
        backups = list(page.backups)
        while page.next_page_token:
            page = source.page(page.next_page_token)
            backups += page.backups
    if as_json:
        print_json({"backups": [_document(backup) for backup in backups]})
    else:
        _print(backups)


def _print(backups: list[Backup]) -> None:
    columns = [
        Column("name"),
        Column("made"),
        Column("revision"),
        Column("memories"),
        Column("size"),
        Column("encrypted"),
    ]
    rows: list[Row] = [
        Row(
            [
                backup.name,
                moment_text(backup.create_time_micros),
                str(backup.revision),
                f"{backup.memory_count:,}",
                bytes_text(backup.byte_count),
                "yes" if backup.encrypted else "no",
            ]
        )
        for backup in backups
    ]
    print_table(columns, rows)


def verify(file: FileArgument, *, as_json: JsonOption = False) -> None:
    """Read a backup whole: its bytes are those that were written, and it is a sound database.

    Example: mnemic backup verify /mnt/backups/20261123T014500Z-r5120.db
    """
    from mnemic.store.backup_files import verify_backup  # noqa: PLC0415 (start-up time)

    with progress_bar("Verifying", "MiB") as update:
        backup = verify_backup(file, lambda done, total: update("Verifying", done // _MEBIBYTE, total // _MEBIBYTE))
    if as_json:
        print_json(_document(backup) | {"sound": True})
    else:
        print_line(f"sound: {backup.memory_count:,} memories at revision {backup.revision}")


def restore(
    file: FileArgument,
    *,
    directory: DirectoryOptions,
    replace_database: Annotated[bool, typer.Option("--replace", help="Replace the database that is there.")] = False,
    despite_erasures: Annotated[
        bool,
        typer.Option(
            "--despite-erasures", help="Also when something was erased since: the next start erases it again."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into a data directory that no server has open. It is verified before anything is touched.

    Example: mnemic backup restore /mnt/backups/20261123T014500Z-r5120.db --data-directory /var/lib/mnemic
    """
    from mnemic.store import restoring  # noqa: PLC0415 (start-up time)

    settings = directory_settings(directory)
    with progress_bar("Restoring", "MiB") as update:
        backup = restoring.restore_backup(
            file,
            settings.data_directory,
            lambda done, total: update("Restoring", done // _MEBIBYTE, total // _MEBIBYTE),
            replace=replace_database,
            despite_erasures=despite_erasures,
        )
    if as_json:
        print_json(_document(backup) | {"data_directory": str(settings.data_directory)})
        return
    print_line(
        f"restored {backup.memory_count:,} memories of revision {backup.revision} into {settings.data_directory}"
    )
    if backup.encrypted:
        print_remark("it is encrypted: keys.db of its store must lie in the data directory, and the settings must name "
                     "the master key")  # fmt: skip
    print_remark("API keys are as they were then: revoke again what was revoked since (mnemic keys list)")


def _document(backup: Backup) -> dict[str, Any]:
    return {
        "name": backup.name,
        "revision": backup.revision,
        "bytes": backup.byte_count,
        "sha256": backup.sha256.hex(),
        "create_time": time_text(backup.create_time_micros),
        "memories": backup.memory_count,
        "server_version": backup.server_version,
        "encrypted": backup.encrypted,
    }


for _name, _command in (
    ("create", create),
    ("list", list_backups),
    ("verify", verify),
    ("restore", restore),
):
    backup_application.command(_name)(with_option_groups(_command))
