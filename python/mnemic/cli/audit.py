"""`mnemic audit`: export and verify the audit log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mnemic.cli.backend import connection_of, directory_settings
from mnemic.cli.documents import print_json
from mnemic.cli.failures import CommandError, bad_input
from mnemic.cli.options import JsonOption, TargetOptions, with_option_groups
from mnemic.cli.terminal import counted, print_line
from mnemic.model.audit import AuditAction, AuditEntry, BrokenChainError, verify_chain
from mnemic.model.memory import to_micros
from mnemic.model.scope import DEFAULT_TENANT

audit_application = typer.Typer(help="The audit log: who did what.")

TenantOption = Annotated[str, typer.Option("--tenant", metavar="TENANT", help="Whose; your own unless given.")]
_ACTION = "AUDIT_ACTION_"
_PAGE = 1000


@audit_application.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """The audit log: who did what."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@contextmanager
def _entries(target: TargetOptions, tenant: str, after: int) -> Iterator[Iterable[AuditEntry]]:
    address = target.address()
    if address is not None:
        from mnemic.client.admin_client import MnemicAdminClient  # noqa: PLC0415 (start-up time: loads grpc)

        connection = connection_of(target)
        with MnemicAdminClient(address, api_key=connection.api_key, credentials=connection.credentials()) as client:
            yield client.audit_log(tenant, after=after)
        return
    from mnemic.store.sqlite import open_sqlite  # noqa: PLC0415 (start-up time)

    settings = directory_settings(target)
    store = open_sqlite(settings.data_directory, encryption=settings.encryption)

    def pages() -> Iterator[AuditEntry]:
        last = after
        while page := store.audit_entries(tenant or DEFAULT_TENANT, after=last, limit=_PAGE):
            yield from page
            last = page[-1].sequence

    try:
        yield pages()
    finally:
        store.close()


def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write, as JSON Lines; - for standard output.")],
    *,
    tenant: TenantOption = "",
    after: Annotated[int, typer.Option("--after", metavar="N", help="Only entries after this number.")] = 0,
    target: TargetOptions,
) -> None:
    """Export the audit log of a tenant. `mnemic audit verify FILE` checks the file.

    Example: mnemic audit export audit.jsonl
    """
    with _entries(target, tenant, after) as entries:
        lines = (_line(entry) for entry in entries)
        if file == "-":
            for line in lines:
                sys.stdout.write(line)
            return
        try:
            with Path(file).open("w", encoding="utf-8") as output:
                count = sum(1 for _ in map(output.write, lines))
        except OSError as error:
            raise bad_input(f"cannot write {file}: {error.strerror}") from None
    print_line(f"exported {counted(count, 'entry', 'entries')}")


def verify(
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help="An export; else the log itself.")] = None,
    *,
    tenant: TenantOption = "",
    expected: Annotated[
        str | None,
        typer.Option("--last-hash", metavar="HEX", help="The hash of an earlier verification: it must be in the log."),
    ] = None,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Follow the hashes of an audit log: nothing in it was changed, left out or put in.

    Keep the last hash that it tells: what was cut off at the end shows only beside that.

    Example: mnemic audit verify audit.jsonl
    """
    seen = expected is None

    def watched(entries: Iterable[AuditEntry]) -> Iterator[AuditEntry]:
        nonlocal seen
        for entry in entries:
            seen = seen or entry.entry_hash.hex() == expected
            yield entry

    try:
        if file is None:
            with _entries(target, tenant, 0) as entries:
                state = verify_chain(watched(entries))
        else:
            state = verify_chain(watched(_read(Path(file))))
    except BrokenChainError as error:
        raise CommandError(f"the audit log is broken: {error}") from None
    if not seen:
        raise CommandError(
            f"the audit log is broken: no entry has the hash {expected}; its end was cut off or replaced"
        )
    if as_json:
        print_json({"entries": state.entries, "last_sequence": state.last_sequence, "last_hash": state.last_hash.hex()})
    else:
        print_line(
            f"sound: {counted(state.entries, 'entry', 'entries')}, the last is {state.last_sequence} with the hash "
            f"{state.last_hash.hex()}"
        )


def _line(entry: AuditEntry) -> str:
    values = json.loads(entry.document())
    values["previousHash"], values["entryHash"] = entry.previous_hash.hex(), entry.entry_hash.hex()
    return json.dumps(values, ensure_ascii=False) + "\n"


def _read(path: Path) -> Iterator[AuditEntry]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield _entry(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    raise bad_input(f"line {number} of {path} is no entry of an audit log") from None
    except OSError as error:
        raise bad_input(f"cannot read {path}: {error.strerror}") from None


def _entry(values: dict[str, Any]) -> AuditEntry:
    return AuditEntry(
        sequence=values["sequence"],
        event_time_micros=to_micros(datetime.fromisoformat(values["eventTime"])),
        principal=values["principal"],
        action=AuditAction[values["action"].removeprefix(_ACTION)],
        method=values["method"],
        code=values["code"],
        scope_hashes=tuple(values["scopeHashes"]),
        memory_ids=tuple(values["memoryIds"]),
        memory_count=values["memoryCount"],
        revision=values["revision"],
        call_id=values["callId"],
        previous_hash=bytes.fromhex(values["previousHash"]),
        entry_hash=bytes.fromhex(values["entryHash"]),
    )


for _name, _command in (("export", export), ("verify", verify)):
    audit_application.command(_name)(with_option_groups(_command))
