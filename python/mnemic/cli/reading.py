"""`mnemic get`, `list`, `history`, `scopes` and `stats`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mnemic.cli.backend import Backend, open_backend
from mnemic.cli.documents import (
    extraction_document,
    memory_document,
    page_document,
    print_json,
    revision_document,
    scope_page_document,
)
from mnemic.cli.filters import FilterOption, MatchOption, nothing_there, parse_filter, parse_match
from mnemic.cli.options import AsOfOption, JsonOption, ScopeOptions, TargetOptions
from mnemic.cli.terminal import (
    WHEN,
    Column,
    Row,
    bytes_text,
    clean,
    counted,
    moment_text,
    print_line,
    print_remark,
    print_table,
    scope_text,
    shortened,
    when_text,
    who_text,
)
from mnemic.cli.values import parse_time
from mnemic.model.memory import Memory, TimePrecision
from mnemic.model.requests import ListRequest, MemoryPage, ScopePage

MemoryIdArgument = Annotated[str, typer.Argument(metavar="MEMORY_ID", help="Which.")]
AllOption = Annotated[bool, typer.Option("--all", "-a", help="Every page.")]
PageTokenOption = Annotated[
    str, typer.Option("--page-token", metavar="TOKEN", help="Where the last page ended, as that page said.")
]
_LARGEST_PAGE = 1000


def get(
    memory_id: MemoryIdArgument, *, scope: ScopeOptions, target: TargetOptions, as_json: JsonOption = False
) -> None:
    """Show one memory.

    Example: mnemic get 0199…
    """
    with open_backend(target) as backend:
        memory = backend.get(memory_id, scope.given())
    if as_json:
        print_json(memory_document(memory))
        return
    for label, value in _details(memory):
        print_line(f"{label + ':':<12} {value}")
    print_line("")
    print_line("\n".join(clean(line) for line in memory.body.splitlines()))


def _details(memory: Memory) -> Iterator[tuple[str, str]]:
    yield "id", memory.memory_id
    yield "scope", scope_text(memory.scope)
    yield "kind", memory.kind.name.lower()
    yield "who", who_text(memory)
    if memory.event_time_micros is not None:
        precision = memory.event_time_precision
        known = "" if precision is TimePrecision.UNSPECIFIED else f" (known to the {precision.name.lower()})"
        yield "happened", f"{moment_text(memory.event_time_micros)} UTC{known}"
    yield "heard", f"{moment_text(memory.create_time_micros)} UTC"
    yield "version", f"{memory.version} of {moment_text(memory.update_time_micros)} UTC, revision {memory.revision}"
    if memory.valid_to_micros is not None:
        yield "held until", f"{moment_text(memory.valid_to_micros)} UTC"
    if memory.expire_time_micros is not None:
        yield "expires", f"{moment_text(memory.expire_time_micros)} UTC"
    if memory.categories:
        yield "categories", clean(", ".join(memory.categories))
    if memory.entities:
        yield "entities", clean(", ".join(memory.entities))
    for key, value in sorted(memory.metadata.items()):
        yield "metadata", clean(f"{key} = {list(value) if isinstance(value, tuple) else value}")


def list_memories(
    *,
    scope: ScopeOptions,
    match: MatchOption = "visible",
    filter_json: FilterOption = None,
    as_of: AsOfOption = None,
    superseded: Annotated[bool, typer.Option("--include-superseded", help="Also what was superseded.")] = False,
    expired: Annotated[bool, typer.Option("--include-expired", help="Also what has expired.")] = False,
    page_size: Annotated[int, typer.Option("--page-size", "-n", metavar="N", help="At most so many a page.")] = 50,
    page_token: PageTokenOption = "",
    every_page: AllOption = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """List the memories of a scope, newest first.

    Example: mnemic list --user u1 --all
    """
    base: dict[str, Any] = {
        "scope": scope.scope(),
        "match": parse_match(match),
        "filter": parse_filter(filter_json),
        "as_of_micros": None if as_of is None else parse_time(as_of, "--as-of")[0],
        "include_superseded": superseded,
        "include_expired": expired,
        "page_size": _LARGEST_PAGE if every_page else page_size,
    }

    def fetch(backend: Backend, token: str) -> tuple[MemoryPage, str]:
        page = backend.list_memories(ListRequest(**base, page_token=token))
        return page, page.next_page_token

    with open_backend(target) as backend:
        pages = _pages(backend, fetch, page_token, every_page=every_page)
    memories = tuple(memory for page in pages for memory in page.memories)
    last = pages[-1]
    if as_json:
        print_json(page_document(MemoryPage(memories, last.next_page_token, last.revision)))
        return
    _print_memories(memories)
    _print_rest(counted(len(memories), "memory", "memories"), last.next_page_token)
    if not memories and not page_token:
        print_remark(nothing_there(base["match"]))


def _pages(
    backend: Backend, fetch: Callable[[Backend, str], tuple[Any, str]], token: str, *, every_page: bool
) -> list[Any]:
    """The page that a token names and, if wanted, all after it."""
    pages = []
    while True:
        page, token = fetch(backend, token)
        pages.append(page)
        if not token or not every_page:
            return pages


def _print_memories(memories: tuple[Memory, ...]) -> None:
    columns = [WHEN, Column("Who", style="cyan"), Column("Text", flexible=True)]
    rows = [Row((when_text(memory), who_text(memory), memory.body), memory.memory_id) for memory in memories]
    print_table(columns, rows, note_title="memory_id")


def _print_rest(shown: str, next_page_token: str) -> None:
    if next_page_token:
        print_remark(f"{shown}; more follow: --page-token {next_page_token} (or --all)")
    else:
        print_remark(shown)


def history(
    memory_id: MemoryIdArgument, *, scope: ScopeOptions, target: TargetOptions, as_json: JsonOption = False
) -> None:
    """Show all versions of a memory, oldest first; also of a deleted one.

    Example: mnemic history 0199…
    """
    with open_backend(target) as backend:
        revisions = backend.history(memory_id, scope.given())
    if as_json:
        print_json({"revisions": [revision_document(entry) for entry in revisions]})
        return
    columns = [
        Column("Version", justify="right"),
        Column("Change"),
        Column("At (UTC)"),
        Column("Revision", justify="right"),
        Column("Text", flexible=True),
    ]
    rows = []
    for entry in revisions:
        numbers = str(entry.memory.version), str(entry.revision)
        change = entry.change.name.lower(), moment_text(entry.change_time_micros)
        rows.append(Row((numbers[0], *change, numbers[1], entry.memory.body), entry.reason))
    print_table(columns, rows, note_title="reason")


def scopes(
    *,
    scope: ScopeOptions,
    page_size: Annotated[int, typer.Option("--page-size", "-n", metavar="N", help="At most so many a page.")] = 100,
    page_token: PageTokenOption = "",
    every_page: AllOption = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """List the scopes that hold memories, with counts.

    Example: mnemic scopes --user u1
    """
    size = _LARGEST_PAGE if every_page else page_size

    def fetch(backend: Backend, token: str) -> tuple[ScopePage, str]:
        page = backend.list_scopes(scope.scope(), page_size=size, page_token=token)
        return page, page.next_page_token

    with open_backend(target) as backend:
        pages = _pages(backend, fetch, page_token, every_page=every_page)
    found = tuple(summary for page in pages for summary in page.scopes)
    last = pages[-1]
    if as_json:
        print_json(scope_page_document(ScopePage(found, last.next_page_token)))
        return
    columns = [
        Column("User"),
        Column("Agent"),
        Column("Session"),
        Column("App"),
        Column("Memories", justify="right"),
        Column("First (UTC)"),
        Column("Last (UTC)"),
    ]
    rows = []
    for item in found:
        ids = (item.scope.user_id, item.scope.agent_id, item.scope.session_id, item.scope.app_id)
        times = (moment_text(item.first_create_time_micros), moment_text(item.last_create_time_micros))
        rows.append(Row((*(shortened(value or "–", 32) for value in ids), str(item.memory_count), *times)))
    print_table(columns, rows)
    _print_rest(counted(len(found), "scope"), last.next_page_token)


def stats(
    *,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="TENANT", help="Of one tenant; unless given, of all together.")
    ] = None,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Show how much is kept, what extraction has before it and what it cost this month.

    Example: mnemic stats --server 127.0.0.1:50551
    """
    with open_backend(target) as backend:
        stats = backend.stats(tenant)
    # What is in memory says little of a directory that this command opened for itself.
    index = {f"index_{name}": value for name, value in asdict(stats.index).items()} if target.address() else {}
    found: dict[str, Any] = {"embedding_model": stats.model, "embedding_dimension": stats.dimension}
    found |= asdict(stats.store) | index | extraction_document(stats.extraction)
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        if value is None:
            continue
        shown = value
        if isinstance(value, int):
            shown = bytes_text(value) if "bytes" in name else f"{value:,}"
        print_line(f"{name.replace('_', ' ') + ':':<20} {shown}")
