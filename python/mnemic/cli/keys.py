"""`mnemic keys`: create, list and revoke API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from mnemic.cli.accounts_backend import open_accounts
from mnemic.cli.documents import Document, print_json, scope_document, time_text
from mnemic.cli.options import JsonOption, ScopeOptions, TargetOptions, with_option_groups
from mnemic.cli.terminal import Column, Row, moment_text, print_line, print_remark, print_table, scope_text
from mnemic.cli.values import parse_choice, parse_time
from mnemic.model.access import AccessRole, ApiKey

keys_application = typer.Typer(help="The API keys: who may come in, and what they may do.")

TenantOption = Annotated[
    str, typer.Option("--tenant", metavar="TENANT", help="Whose; unless given, the credential's own, or default.")
]


@keys_application.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """The API keys: who may come in, and what they may do."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def create(
    *,
    role: Annotated[str, typer.Option("--role", help="What it may do: read, write, admin or operator.")],
    tenant: TenantOption = "",
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="A name for people.")] = "",
    expire_time: Annotated[
        str | None, typer.Option("--expire-time", metavar="TIME", help="From then on it is worthless, as ISO 8601.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", metavar="N", help="Calls a second on average; else the server's setting.")
    ] = None,
    burst: Annotated[
        int | None, typer.Option("--burst", metavar="N", help="Calls at once; else the server's setting.")
    ] = None,
    scope: ScopeOptions,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Create an API key and print its secret, which is kept nowhere. With ids, it sees only memories that carry them.

    The first key of a data directory is made while no server has it open.

    Example: mnemic keys create --role operator
    """
    key = ApiKey(
        key_id="",
        tenant=tenant,
        role=parse_choice(role, AccessRole, "--role"),
        display_name=name,
        scope=scope.scope(),
        expire_time_micros=None if expire_time is None else parse_time(expire_time, "--expire-time")[0],
        requests_per_second=rate,
        request_burst=burst,
    )
    with open_accounts(target) as accounts:
        created, secret = accounts.create_key(key)
    if as_json:
        print_json({"api_key": key_document(created), "secret": secret})
        return
    print_line(secret)
    print_remark(f"created the key {created.key_id} ({created.role.name.lower()} of {created.tenant})")
    print_remark("this secret is shown once and kept nowhere: put it where its user finds it, such as MNEMIC_API_KEY")


def list_keys(
    *,
    tenant: TenantOption = "",
    every: Annotated[bool, typer.Option("--all", help="Also those that are revoked or expired.")] = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """List the API keys of a tenant, without their secrets.

    Example: mnemic keys list --tenant acme
    """
    with open_accounts(target) as accounts:
        keys = accounts.keys(tenant, include_inactive=every)
    if as_json:
        print_json({"api_keys": [key_document(key) for key in keys]})
        return
    _print(keys)


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="Which, as `mnemic keys list` shows it.")],
    *,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Make an API key worthless at once and for ever.

    Example: mnemic keys revoke 0198f0c2-…
    """
    with open_accounts(target) as accounts:
        key = accounts.revoke_key(key_id)
    if as_json:
        print_json(key_document(key))
        return
    print_remark(f"revoked the key {key.key_id}")


for _name, _command in (("create", create), ("list", list_keys), ("revoke", revoke)):
    keys_application.command(_name)(with_option_groups(_command))


def key_document(key: ApiKey) -> Document:
    """A key for programs, without its secret."""
    return {
        "key_id": key.key_id,
        "tenant_id": key.tenant,
        "display_name": key.display_name,
        "role": key.role.name.lower(),
        "scope": scope_document(key.scope),
        "prefix": key.prefix,
        "create_time": time_text(key.create_time_micros),
        "expire_time": time_text(key.expire_time_micros),
        "revoke_time": time_text(key.revoke_time_micros),
        "last_use_time": time_text(key.last_use_time_micros),
        "requests_per_second": key.requests_per_second,
        "request_burst": key.request_burst,
    }


def _print(keys: list[ApiKey]) -> None:
    columns = [
        Column("Begins with", style="bold"),
        Column("Role"),
        Column("Name", flexible=True),
        Column("Only"),
        Column("Created (UTC)"),
        Column("Last use (UTC)"),
        Column("Ends (UTC)"),
    ]
    rows = []
    for key in keys:
        ends = key.expire_time_micros if key.revoke_time_micros is None else key.revoke_time_micros
        times = (moment_text(key.create_time_micros), moment_text(key.last_use_time_micros), moment_text(ends))
        cells = (f"{key.prefix}…", key.role.name.lower(), key.display_name, scope_text(key.scope) or "–", *times)
        rows.append(Row(cells, key.key_id, "dim" if key.revoke_time_micros is not None else ""))
    print_table(columns, rows, note_title="key")
