"""`mnemic add`, `update`, `delete` and `restore`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, Any

import typer

from mnemic.cli.backend import Backend, open_backend
from mnemic.cli.documents import add_document, memory_document, print_json
from mnemic.cli.failures import bad_input
from mnemic.cli.options import JsonOption, ScopeOptions, TargetOptions
from mnemic.cli.terminal import counted, print_line, print_remark, shortened, when_text, who_text
from mnemic.cli.values import parse_choice, parse_metadata, parse_time
from mnemic.model.memory import MemoryInput, MemoryKind, Role
from mnemic.model.requests import AddMode, MemoryUpdate, WaitFor

_STANDARD_INPUT = "-"

NameOption = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Who says it, by name.")]
EventTimeOption = Annotated[
    str | None,
    typer.Option("--event-time", "-t", metavar="TIME", help="When it happened, as ISO 8601; UTC unless it says."),
]
ExpireTimeOption = Annotated[
    str | None, typer.Option("--expire-time", metavar="TIME", help="After this it is no longer found.")
]
MetadataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metadata",
        "-m",
        metavar="KEY=VALUE",
        help="A field of your own; repeat it for more. JSON numbers, true, false and lists of texts are understood.",
    ),
]
CategoryOption = Annotated[
    list[str] | None, typer.Option("--category", "-c", metavar="LABEL", help="A label; repeat it for more.")
]

SlotOption = Annotated[
    str | None,
    typer.Option(
        "--slot", metavar="SLOT", help="What it is about, such as user.diet: a newer value supersedes the older."
    ),
]
SlotValueOption = Annotated[str | None, typer.Option("--slot-value", metavar="VALUE", help="The slot's value.")]


def add(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...", help="What to remember, each a memory of its own; - reads one from standard input."
        ),
    ],
    *,
    scope: ScopeOptions,
    role: Annotated[
        str | None, typer.Option("--role", help="Who speaks: user, assistant, system or tool; the user unless said.")
    ] = None,
    kind: Annotated[str, typer.Option("--kind", help="What it is: message, fact, instruction or summary.")] = "message",
    name: NameOption = None,
    event_time: EventTimeOption = None,
    expire_time: ExpireTimeOption = None,
    metadata: MetadataOption = None,
    category: CategoryOption = None,
    slot: SlotOption = None,
    slot_value: SlotValueOption = None,
    supersedes: Annotated[
        list[str] | None,
        typer.Option("--supersedes", metavar="MEMORY_ID", help="What it replaces; repeat it for more."),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            help="What is made of messages: verbatim; local, llm or hybrid draw facts by rules, a model or both. "
            "Unless given the tenant's default.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the facts are found, too.")] = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Remember texts. Durable and found by the next search when it returns.

    Example: mnemic add "I'm vegetarian" --user u1 --event-time 2024-05-07
    """
    template = replace(
        _input(role, kind, name, event_time, expire_time, metadata, category),
        slot=slot or "",
        slot_value=slot_value or "",
        supersedes=tuple(supersedes or ()),
    )
    inputs = [replace(template, body=text) for text in _bodies(texts)]
    with open_backend(target) as backend:
        result = backend.add(
            scope.scope(),
            inputs,
            mode=None if mode is None else parse_choice(mode, AddMode, "--mode"),
            wait_for=WaitFor.EXTRACTED if wait else WaitFor.INDEXED,
        )
    if as_json:
        print_json(add_document(result))
        return
    for added in result.memories:
        print_line(added.memory_id)
    print_remark(f"added {counted(len(result.memories), 'memory', 'memories')} at revision {result.revision}")
    duplicates = sum(added.duplicate for added in result.memories)
    if duplicates:
        print_remark(
            f"{counted(duplicates, 'fact')} of them said nothing new: the id is that of the one that was there"
        )
    if result.operation_id and not wait:
        print_remark(f"facts are being drawn: mnemic operation {result.operation_id}")
    pending = sum(added.embedding_pending for added in result.memories)
    if pending:
        print_remark(f"{counted(pending, 'embedding')} will follow when the provider answers; found by words till then")


def _bodies(texts: list[str]) -> list[str]:
    if texts.count(_STANDARD_INPUT) > 1:
        raise bad_input("TEXT: - is given twice; standard input can be read once")
    return [_read_standard_input() if text == _STANDARD_INPUT else text for text in texts]


def _read_standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode().strip()
    except UnicodeDecodeError as error:
        raise bad_input(f"standard input is not UTF-8 (byte {error.start})") from None


def _input(
    role: str | None,
    kind: str,
    name: str | None,
    event_time: str | None,
    expire_time: str | None,
    metadata: list[str] | None,
    category: list[str] | None,
) -> MemoryInput:
    values: dict[str, Any] = {}
    if event_time is not None:
        values["event_time_micros"], values["event_time_precision"] = parse_time(event_time, "--event-time")
    if expire_time is not None:
        values["expire_time_micros"] = parse_time(expire_time, "--expire-time")[0]
    return MemoryInput(
        body="",
        kind=parse_choice(kind, MemoryKind, "--kind"),
        role=None if role is None else parse_choice(role, Role, "--role"),
        name=name or "",
        metadata=parse_metadata(metadata or []),
        categories=tuple(category or ()),
        **values,
    )


def update(
    memory_id: Annotated[str, typer.Argument(metavar="MEMORY_ID", help="Which.")],
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Its new text; - reads standard input.")] = None,
    *,
    scope: ScopeOptions,
    name: NameOption = None,
    event_time: EventTimeOption = None,
    expire_time: ExpireTimeOption = None,
    metadata: MetadataOption = None,
    category: CategoryOption = None,
    slot: SlotOption = None,
    slot_value: SlotValueOption = None,
    expected_version: Annotated[
        int, typer.Option("--expected-version", metavar="N", help="Refuse unless this is its version now.")
    ] = 0,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Write a new version of a memory; the older stays in its history.

    Metadata and categories replace those that were there.

    Example: mnemic update 0199… "I'm vegan" --event-time 2024-09-01
    """
    values: dict[str, Any] = {}
    if text is not None:
        values["body"] = _bodies([text])[0]
    if name is not None:
        values["name"] = name
    if event_time is not None:
        values["event_time_micros"], values["event_time_precision"] = parse_time(event_time, "--event-time")
    if expire_time is not None:
        values["expire_time_micros"] = parse_time(expire_time, "--expire-time")[0]
    if metadata is not None:
        values["metadata"] = parse_metadata(metadata)
    if category is not None:
        values["categories"] = tuple(category)
    if slot is not None:
        values["slot"] = slot
    if slot_value is not None:
        values["slot_value"] = slot_value
    if not values:
        raise bad_input("nothing to change", hint="give a new TEXT, or --name, --event-time, --metadata …")
    changes = MemoryUpdate(fields=frozenset(values), **values)
    with open_backend(target) as backend:
        result = backend.update(memory_id, changes, expected_version=expected_version, scope=scope.given())
    if as_json:
        print_json({"memory": memory_document(result.memory), "revision": result.revision})
    else:
        print_line(result.memory.memory_id)
        print_remark(f"now at version {result.memory.version}, revision {result.revision}")


def delete(
    memory_ids: Annotated[list[str], typer.Argument(metavar="MEMORY_ID...", help="Which.")],
    *,
    scope: ScopeOptions,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    expected_version: Annotated[
        int, typer.Option("--expected-version", metavar="N", help="Refuse unless this is its version now.")
    ] = 0,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Take memories out of every search; their history stays.

    Example: mnemic delete 0199… --yes
    """
    deleted = []
    with open_backend(target) as backend:
        if not yes:
            _confirm(backend, memory_ids, scope)
        for memory_id in memory_ids:
            result = backend.delete(memory_id, expected_version=expected_version, scope=scope.given())
            deleted.append({"memory_id": memory_id, "revision": result.revision})
            if not as_json:
                # At once: each is a commit of its own, and stands when a later one fails.
                print_line(memory_id)
    if as_json:
        print_json({"deleted": deleted})
    else:
        print_remark(f"deleted {counted(len(deleted), 'memory', 'memories')}")


def restore(
    memory_ids: Annotated[list[str], typer.Argument(metavar="MEMORY_ID...", help="Which.")],
    *,
    scope: ScopeOptions,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Bring back memories that were deleted or superseded; what superseded them stays as it is.

    Example: mnemic restore 0199…
    """
    restored = []
    with open_backend(target) as backend:
        for memory_id in memory_ids:
            result = backend.restore(memory_id, scope=scope.given())
            restored.append({"memory": memory_document(result.memory), "revision": result.revision})
            if not as_json:
                # At once, as for deletions.
                print_line(memory_id)
    if as_json:
        print_json({"restored": restored})
    else:
        print_remark(f"restored {counted(len(restored), 'memory', 'memories')}")


def _confirm(backend: Backend, memory_ids: list[str], scope: ScopeOptions) -> None:
    if not sys.stdin.isatty():
        raise bad_input("standard input is no terminal, so nobody can be asked", hint="--yes deletes without asking")
    for memory_id in memory_ids:
        memory = backend.get(memory_id, scope.given())
        print_remark(f"  {when_text(memory)}  {who_text(memory)}: {shortened(memory.body, 100)}")
    typer.confirm(f"Delete {counted(len(memory_ids), 'memory', 'memories')}?", abort=True, err=True)
