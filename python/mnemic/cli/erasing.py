"""`mnemic erase`, `erasures` and `verify-receipt`: destroying for good, and the proof of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from mnemic.cli.backend import connection_of
from mnemic.cli.documents import print_json, scope_document, time_text
from mnemic.cli.failures import bad_input
from mnemic.cli.memories import open_memory
from mnemic.cli.options import JsonOption, ScopeOptions, TargetOptions
from mnemic.cli.terminal import Column, Row, clean, counted, moment_text, print_line, print_remark, print_table
from mnemic.model.audit import AuditAction
from mnemic.model.erasure import Erasure, ErasureReceipt
from mnemic.model.scope import DEFAULT_TENANT

if TYPE_CHECKING:
    from mnemic.client.grpc_client import MnemicClient
    from mnemic.client.memory import Memory

_WAIT_SECONDS = 60.0
_PLACES = (Column("place"), Column("found", "right"), Column("destroyed", "right"), Column("kept", "right"))
ReceiptOption = Annotated[
    Path | None, typer.Option("--receipt", metavar="FILE", help="Write the signed receipt there.")
]


def erase(
    *,
    scope: ScopeOptions,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="MEMORY_ID", help="One memory and what was derived from it.")
    ] = None,
    whole_tenant: Annotated[bool, typer.Option("--whole-tenant", help="Everything.")] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="For the receipt; must not name the person.")
    ] = "",
    requested_by: Annotated[
        str, typer.Option("--requested-by", metavar="TEXT", help="Who asked, for the receipt.")
    ] = "",
    request_id: Annotated[
        str, typer.Option("--request-id", metavar="UUID", help="Makes a repetition ask for the same erasure.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be destroyed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    receipt: ReceiptOption = None,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Destroy memories for good, in every place that holds them: texts, facts drawn from them, history, vectors,
    snapshots, queues. There is no way back. Every memory goes that carries the ids.

    Example: mnemic erase --user u1 --reason "request 4711" --receipt u1.json
    """
    options: dict[str, Any] = {
        **scope_document(scope.scope()),
        "memory_id": memory or "",
        "whole_tenant": whole_tenant,
        "reason": reason,
        "requested_by": requested_by,
        "request_id": request_id,
    }
    enters = None if dry_run else ("mnemic erase", AuditAction.ERASE)
    with open_memory(target, enters=enters, scope=scope.scope()) as memories:
        if dry_run or not yes:
            preview = memories.erase(validate_only=True, **options).erasure
            if dry_run:
                _print_erasure(preview, as_json=as_json)
                return
            _confirm(preview)
        result = memories.erase(**options)
    _write_receipt(result.receipt, receipt)
    _print_erasure(result.erasure, as_json=as_json)


def _confirm(preview: Erasure) -> None:
    if not sys.stdin.isatty():
        raise bad_input("standard input is no terminal, so nobody can be asked", hint="--yes erases without asking")
    found = {place.place: place.found for place in preview.places}
    for place, count in sorted(found.items()):
        print_remark(f"  {place}: {count}")
    memories = counted(found.get("memories", 0), "memory", "memories")
    typer.confirm(f"Destroy {memories} for good?", abort=True, err=True)


def erasures(
    erasure_id: Annotated[str | None, typer.Argument(metavar="ERASURE_ID", help="One erasure in full.")] = None,
    *,
    receipt: ReceiptOption = None,
    page_size: Annotated[int, typer.Option("--page-size", "-n", metavar="N", help="At most so many.")] = 50,
    page_token: Annotated[str, typer.Option("--page-token", metavar="TOKEN", help="Where the last page ended.")] = "",
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """List what was erased, the latest first; or show one erasure, and write its receipt.

    Example: mnemic erasures --json
    """
    with open_memory(target) as memories:
        if erasure_id is not None:
            _show(memories, erasure_id, receipt, as_json=as_json)
            return
        page = memories.list_erasures(page_size=page_size, page_token=page_token)
    if as_json:
        print_json(
            {"erasures": [_document(erasure) for erasure in page.erasures], "next_page_token": page.next_page_token}
        )
        return
    print_table(
        (Column("erasure"), Column("asked"), Column("state"), Column("memories", "right"), Column("", flexible=True)),
        [Row(_cells(erasure)) for erasure in page.erasures],
    )
    if page.next_page_token:
        print_remark(f"more: --page-token {page.next_page_token}")


def _show(memories: MnemicClient | Memory, erasure_id: str, receipt: Path | None, *, as_json: bool) -> None:
    result = memories.erasure(erasure_id)
    if receipt is not None and result.receipt is None:
        raise bad_input(f"the erasure {erasure_id} is not done yet, so that there is no receipt")
    _write_receipt(result.receipt, receipt)
    _print_erasure(result.erasure, as_json=as_json)


def delete_tenant(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id; `default` stays.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Delete a tenant: destroy its memories for good, with its keys, policies and settings. For operators.

    It returns when the erasure has begun, after which nobody of the tenant comes in; `mnemic erasures ID` follows it.
    Directly on a data directory it returns when all is done.

    Example: mnemic tenants delete acme --yes
    """
    if not yes:
        if not sys.stdin.isatty():
            raise bad_input("standard input is no terminal, so nobody can be asked", hint="--yes does not ask")
        typer.confirm(f"Destroy the tenant {tenant_id} for good?", abort=True, err=True)
    address = target.address()
    if address is not None:
        from mnemic.client.admin_client import MnemicAdminClient  # noqa: PLC0415 (start-up time: loads grpc)

        connection = connection_of(target)
        with MnemicAdminClient(address, api_key=connection.api_key, credentials=connection.credentials()) as client:
            erasure_id = client.delete_tenant(tenant_id)
    else:
        with open_memory(target, enters=("mnemic tenants delete", AuditAction.ERASE)) as memories:
            erasure_id = _delete_here(cast("Memory", memories), tenant_id)
    if as_json:
        print_json({"tenant_id": tenant_id, "erasure_id": erasure_id})
    else:
        print_line(erasure_id)
        print_remark(f"the tenant {tenant_id} is erased")


def _delete_here(memory: Memory, tenant_id: str) -> str:
    engine = memory.engine
    erasure_id, _ = engine.erasure.delete_tenant(tenant_id, engine.authority, caller=DEFAULT_TENANT)
    while memory.erasure(erasure_id, wait=_WAIT_SECONDS).receipt is None:
        pass
    return erasure_id


def verify_receipt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `mnemic erase --receipt` wrote it.")],
    *,
    public_key: Annotated[
        str | None,
        typer.Option("--public-key", metavar="HEX", help="The key that must have signed it, 32 bytes in hex."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify the receipt of an erasure, without a server and without a network.

    Without --public-key it is only shown that the receipt was not changed since it was signed by the key that it names.

    Example: mnemic verify-receipt u1.json --public-key 8a…
    """
    from mnemic.engine.receipts import receipt_from_json, verify  # noqa: PLC0415 (start-up time: loads cryptography)

    try:
        text = file.read_text(encoding="utf-8")
        trusted = None if public_key is None else bytes.fromhex(public_key)
    except OSError as error:
        raise bad_input(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise bad_input("FILE is not UTF-8, or --public-key is not hex") from error
    receipt = receipt_from_json(text)
    document = verify(receipt, trusted)
    if as_json:
        print_json({"verified": True, "key_id": receipt.key_id, "document": document})
        return
    signed = "by the key that was given" if public_key is not None else "by the key that it names itself"
    print_line(f"genuine: signed {signed} ({receipt.key_id})")
    for name in ("erasure_id", "request_time", "completion_time", "requested_by", "reason"):
        print_line(f"{name}: {clean(str(document.get(name, '')))}")


def _write_receipt(receipt: ErasureReceipt | None, file: Path | None) -> None:
    if file is None or receipt is None:
        return
    from mnemic.engine.receipts import receipt_to_json  # noqa: PLC0415 (start-up time: loads cryptography)

    try:
        file.write_text(receipt_to_json(receipt), encoding="utf-8")
    except OSError as error:
        raise bad_input(
            f"the receipt cannot be written to {file}: {error.strerror}; `mnemic erasures ERASURE_ID --receipt FILE` "
            "writes it again"
        ) from error
    print_remark(f"receipt: {file}, signed by the key {receipt.public_key.hex()}")


def _print_erasure(erasure: Erasure, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(erasure))
        return
    if erasure.erasure_id:
        print_line(erasure.erasure_id)
        print_remark("destroyed" if erasure.end_time_micros else f"under way {clean(erasure.last_error)}")
    print_table(
        _PLACES,
        [Row((place.place, str(place.found), str(place.destroyed), str(place.kept))) for place in erasure.places],
    )


def _document(erasure: Erasure) -> dict[str, Any]:
    return {
        "erasure_id": erasure.erasure_id,
        "state": None if erasure.state is None else erasure.state.name.lower(),
        "create_time": None if erasure.create_time_micros is None else time_text(erasure.create_time_micros),
        "end_time": None if erasure.end_time_micros is None else time_text(erasure.end_time_micros),
        "revision": erasure.revision,
        "last_error": erasure.last_error,
        "places": {
            place.place: {
                "found": place.found,
                "destroyed": place.destroyed,
                "kept": place.kept,
                "kept_reason": place.kept_reason,
            }
            for place in erasure.places
        },
    }


def _cells(erasure: Erasure) -> tuple[str, ...]:
    memories = next((place.destroyed for place in erasure.places if place.place == "memories"), 0)
    asked = "" if erasure.create_time_micros is None else moment_text(erasure.create_time_micros)
    state = "" if erasure.state is None else erasure.state.name.lower()
    return erasure.erasure_id, asked, state, str(memories), clean(erasure.last_error)
