"""`mnemic tenants`: create, list, show and change them."""

from __future__ import annotations

from typing import Annotated

import typer

from mnemic.cli.accounts_backend import open_accounts
from mnemic.cli.defence_options import DefenceOptions, defence_document, defence_text
from mnemic.cli.documents import Document, print_json, time_text
from mnemic.cli.erasing import delete_tenant
from mnemic.cli.extraction_options import ExtractionOptions, rules_document, rules_text
from mnemic.cli.failures import bad_input
from mnemic.cli.options import JsonOption, TargetOptions, with_option_groups
from mnemic.cli.terminal import Column, Row, bytes_text, clean, moment_text, print_remark, print_table
from mnemic.model.access import Quota, Tenant
from mnemic.model.defence import DefenceRules
from mnemic.model.extraction_rules import ExtractionRules

tenants_application = typer.Typer(help="The tenants: who is kept apart from whom.")

TenantArgument = Annotated[str, typer.Argument(metavar="TENANT", help="Its id, such as acme.")]
NameOption = Annotated[str | None, typer.Option("--name", metavar="TEXT", help="A name for people.")]
MaxMemoriesOption = Annotated[
    str | None,
    typer.Option("--max-memories", metavar="N", help="At most so many memories; `none` for the server's setting."),
]
MaxBytesOption = Annotated[
    str | None,
    typer.Option("--max-bytes", metavar="N", help="At most so many bytes of text; `none` for the server's setting."),
]
_NONE = "none"


@tenants_application.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """The tenants: who is kept apart from whom."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def create(
    tenant_id: TenantArgument,
    *,
    name: NameOption = None,
    max_memories: MaxMemoriesOption = None,
    max_bytes: MaxBytesOption = None,
    extraction: ExtractionOptions,
    defence: DefenceOptions,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Create a tenant.

    Example: mnemic tenants create acme --name "Acme Inc." --max-memories 100000
    """
    quota = Quota(_number(max_memories, "--max-memories"), _number(max_bytes, "--max-bytes"))
    rules = ExtractionRules(**extraction.given())
    with open_accounts(target) as accounts:
        tenant = accounts.create_tenant(
            Tenant(tenant_id, name or "", quota, extraction=rules, defence=DefenceRules(**defence.given()))
        )
    _print([tenant], as_json=as_json)
    if not as_json:
        print_remark(f"created the tenant {tenant.tenant_id}")


def list_tenants(*, target: TargetOptions, as_json: JsonOption = False) -> None:
    """List the tenants.

    Example: mnemic tenants list
    """
    with open_accounts(target) as accounts:
        tenants = accounts.tenants()
    if as_json:
        print_json({"tenants": [tenant_document(tenant) for tenant in tenants]})
        return
    _print(tenants, as_json=False)


def show(
    tenant_id: Annotated[
        str, typer.Argument(metavar="[TENANT]", help="Its id; unless given, the credential's own.")
    ] = "",
    *,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Show one tenant.

    Example: mnemic tenants show acme
    """
    with open_accounts(target) as accounts:
        tenant = accounts.tenant(tenant_id)
    _print([tenant], as_json=as_json)


def update(
    tenant_id: TenantArgument,
    *,
    name: NameOption = None,
    max_memories: MaxMemoriesOption = None,
    max_bytes: MaxBytesOption = None,
    extraction: ExtractionOptions,
    defence: DefenceOptions,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Change a tenant; what is not given stays.

    Example: mnemic tenants update acme --max-memories none --extraction-exclude health
    """
    given = {"display_name": name, "settings.max_memories": max_memories, "settings.max_bytes": max_bytes}
    rules, defended = extraction.given(), defence.given()
    fields = [field for field, value in given.items() if value is not None]
    fields += [f"settings.extraction.{field}" for field in rules]
    fields += [f"settings.{field}" for field in defended]
    if not fields:
        raise bad_input("nothing to change", hint="give --name, --max-memories, --secrets, …: see --help")
    quota = Quota(_number(max_memories, "--max-memories"), _number(max_bytes, "--max-bytes"))
    with open_accounts(target) as accounts:
        tenant = accounts.update_tenant(
            Tenant(
                tenant_id,
                name or "",
                quota,
                extraction=ExtractionRules(**rules),
                defence=DefenceRules(**defended),
            ),
            fields,
        )
    _print([tenant], as_json=as_json)


for _name, _command in (
    ("create", create),
    ("list", list_tenants),
    ("show", show),
    ("update", update),
    ("delete", delete_tenant),
):
    tenants_application.command(_name)(with_option_groups(_command))


def tenant_document(tenant: Tenant) -> Document:
    """A tenant for programs."""
    return {
        "tenant_id": tenant.tenant_id,
        "display_name": tenant.display_name,
        "max_memories": tenant.quota.max_memories,
        "max_bytes": tenant.quota.max_bytes,
        "extraction": rules_document(tenant.extraction),
        "defence": defence_document(tenant.defence),
        "create_time": time_text(tenant.create_time_micros),
        "update_time": time_text(tenant.update_time_micros),
        "version": tenant.version,
    }


def _print(tenants: list[Tenant], *, as_json: bool) -> None:
    if as_json:
        print_json(tenant_document(tenants[0]))
        return
    columns = [
        Column("Tenant", style="bold"),
        Column("Name", flexible=True),
        Column("Memories", justify="right"),
        Column("Text", justify="right"),
        Column("Created (UTC)"),
    ]
    rows = []
    for tenant in tenants:
        memories, size = tenant.quota.max_memories, tenant.quota.max_bytes
        limits = ("–" if memories is None else f"≤ {memories:,}", "–" if size is None else f"≤ {bytes_text(size)}")
        rows.append(Row((tenant.tenant_id, tenant.display_name, *limits, moment_text(tenant.create_time_micros))))
    print_table(columns, rows)
    for tenant in tenants:
        said = "; ".join(f"{name}: {clean(value)}" for name, value in rules_text(tenant.extraction))
        if said:
            print_remark(f"facts of {tenant.tenant_id}: {said}")
        said = "; ".join(f"{name}: {value}" for name, value in defence_text(tenant.defence))
        if said:
            print_remark(f"what {tenant.tenant_id} writes: {said}")


def _number(text: str | None, option: str) -> int | None:
    if text is None or text == _NONE:
        return None
    if not text.isdecimal():
        raise bad_input(f"{option}: {text!r} is no number", hint="give 0 or more, or `none`")
    return int(text)
