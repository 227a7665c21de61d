"""`mnemic import`: memories from JSON Lines, which are read here, and from the files that the engine reads."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from mnemic.cli.backend import Backend, open_backend
from mnemic.cli.documents import print_json
from mnemic.cli.failures import CommandError, bad_input
from mnemic.cli.options import JsonOption, ScopeOptions, TargetOptions
from mnemic.cli.terminal import clean, counted, print_line, print_remark, progress_bar, shortened
from mnemic.cli.transfer import IMPORTED, detected_format, head_of, import_file
from mnemic.model.audit import AuditAction
from mnemic.model.errors import Code, MnemicError
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.transfer import TransferFormat

_STANDARD_INPUT = "-"
# Lines per block. Request ids are made of blocks, so changing this makes a repeated import add everything again.
_BLOCK_LINES = 256
_NAMESPACE = uuid.UUID("5f3b8d0e-6c1f-5e0b-9d52-4b8f3a7c2e61")
_SCOPE_KEYS = {
    "user_id": "user_id",
    "agent_id": "agent_id",
    "session_id": "session_id",
    "run_id": "session_id",
    "app_id": "app_id",
}
_TEXT_KEYS = ("body", "text", "content")
_TIME_KEYS = ("event_time", "timestamp", "event_time_end", "expire_time")
_MOST_SHOWN = 20
# A number of seconds since 1970 has reached 1e11 in the year 5138, one of milliseconds in 1973; likewise for
# microseconds: no time in use can be mistaken.
_MILLISECONDS_FROM = 1e11
_MICROSECONDS_FROM = 1e14


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be imported, and why."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line that can be."""

    number: int
    scope: Scope
    memory: MemoryInput


@dataclass(slots=True)
class Summary:
    """What an import did so far."""

    lines: int = 0
    added: int = 0
    replayed: int = 0
    bad: list[BadLine] = field(default_factory=list)
    revision: int = 0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "lines": self.lines,
            "added": self.added,
            "already_there": self.replayed,
            "bad_lines": [{"line": bad.number, "reason": bad.reason} for bad in self.bad],
            "revision": self.revision,
        }


def import_memories(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON Lines, one object a line; - for standard input.")],
    *,
    scope: ScopeOptions,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the other lines when some are bad, instead of none.")
    ] = False,
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="jsonl, parquet, mem0, chat or lines; auto: by how it begins."),
    ] = "auto",
    keep_vectors: Annotated[
        bool, typer.Option("--keep-vectors", help="Take the embeddings of an export if they are of this model.")
    ] = False,
    extract: Annotated[
        bool, typer.Option("--extract", help="Also draw facts from the messages of a chat log.")
    ] = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Import memories: an export, Mem0's get_all, chat logs, or lines. Again it adds only what is not there yet.

    An item's own ids win over the flags. Of lines, each holds body (or text, or content) and, if you like, role, name,
    kind, event_time (or timestamp: ISO 8601 or a number since 1970), metadata, categories and the ids.

    Example: mnemic import chat.jsonl --user u1
    """
    summary = Summary()
    with ExitStack() as stack:
        source = stack.enter_context(_open(file))
        known = _format(source, form)
        if known is not None:
            import_file(
                target,
                source,
                known,
                scope=scope.scope(),
                skip_bad=skip_bad,
                keep_vectors=keep_vectors,
                extract=extract,
                as_json=as_json,
            )
            return
        total = _check(source, scope.scope(), summary)
        if summary.bad and not skip_bad:
            _refuse(summary, as_json=as_json)
        backend = stack.enter_context(open_backend(target))
        stack.enter_context(backend.entering("mnemic import", AuditAction.WRITE, scope.scope()))
        update = stack.enter_context(progress_bar("Importing", "lines"))
        summary.bad.clear()
        for block in _blocks(source):
            _import_block(backend, block, scope.scope(), summary, skip_bad=skip_bad)
            summary.lines += len(block.lines)
            update("Importing", summary.lines, total)
    if as_json:
        print_json(summary.document())
    else:
        _print_summary(summary)


def _format(source: IO[bytes], form: str) -> TransferFormat | None:
    """The format that the engine reads; None for lines, which are read here."""
    if form == "auto":
        return detected_format(head_of(source))
    if form == "lines":
        return None
    if form not in IMPORTED:
        raise bad_input(f"--format is {form}; there are auto, lines, {', '.join(IMPORTED)}")
    return IMPORTED[form]


def _open(file: str) -> IO[bytes]:
    """The file, or a copy of standard input, since it is read twice: first to check, then to import."""
    if file != _STANDARD_INPUT:
        try:
            return Path(file).open("rb")
        except OSError as error:
            raise bad_input(f"cannot read {file}: {error.strerror}") from None
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    while chunk := sys.stdin.buffer.read(1 << 20):
        copy.write(chunk)
    copy.seek(0)
    return copy


@dataclass(frozen=True, slots=True)
class _Block:
    first: int
    lines: list[bytes]

    def request_id(self, scope: Scope) -> str:
        """The same for the same lines at the same place for the same scope: a repeated import is a replay.

        Made from the block's own bytes and not the whole file's, so that mending a line, or appending some, does not
        make the blocks before it new.
        """
        digest = hashlib.sha256(b"".join(self.lines)).hexdigest()
        last = self.first + len(self.lines) - 1
        ids = [scope.user_id, scope.agent_id, scope.session_id, scope.app_id]
        return str(uuid.uuid5(_NAMESPACE, json.dumps([digest, self.first, last, *ids])))


def _blocks(source: IO[bytes]) -> Iterator[_Block]:
    source.seek(0)
    lines: list[bytes] = []
    first = 1
    for line in source:
        lines.append(line)
        if len(lines) == _BLOCK_LINES:
            yield _Block(first, lines)
            first += len(lines)
            lines = []
    if lines:
        yield _Block(first, lines)


def _check(source: IO[bytes], default: Scope, summary: Summary) -> int:
    """Reads everything once, so that nothing is imported from a file that is not sound; how many lines it has."""
    total = 0
    for block in _blocks(source):
        total += len(block.lines)
        list(_entries(block, default, summary))
    return total


def _entries(block: _Block, default: Scope, summary: Summary) -> Iterator[Entry]:
    for number, line in enumerate(block.lines, start=block.first):
        if not line.strip():
            continue
        try:
            yield read_line(number, line, default)
        except CommandError as error:
            summary.bad.append(BadLine(number, error.message))


def read_line(number: int, line: bytes, default: Scope) -> Entry:
    """One line as a memory.

    Args:
        number: Its number, from 1.
        line: Its bytes.
        default: The ids that it takes where it has none of its own.

    Raises:
        CommandError: It cannot be imported; the message says why.
    """
    from mnemic.client.inputs import memory_inputs  # noqa: PLC0415 (start-up time: loads numpy)

    values = _object(line)
    scope = _scope(values, default)
    if scope.is_empty:
        raise bad_input("it has no user_id, agent_id, session_id or app_id, and no flag gives one")
    texts = [key for key in _TEXT_KEYS if key in values]
    if len(texts) != 1:
        raise bad_input(f"it has {' and '.join(texts) or 'no text'}; give the text once, as body, text or content")
    body = values.pop(texts[0])
    if not isinstance(body, str) or not body.strip():
        raise bad_input(f"{texts[0]} is {'empty' if isinstance(body, str) else 'no text'}")
    for key in _TIME_KEYS:
        value = values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            values[key] = _moment_of_number(value, key)
    try:
        [memory] = memory_inputs([{**values, "content": body}])
    except MnemicError as error:
        raise bad_input(error.message.replace("messages[0].", "").replace("messages[0]: ", "it ")) from None
    return Entry(number, scope, memory)


def _object(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise bad_input(f"it is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise bad_input("it is nested too deeply") from None
    except ValueError as error:
        raise bad_input(f"it is no JSON: {error}") from None
    if not isinstance(values, dict):
        raise bad_input(f"it is a JSON {type(values).__name__}, not an object")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _moment_of_number(value: float, key: str) -> object:
    from mnemic.model.memory import from_micros  # noqa: PLC0415 (beside its use)

    scale = 1 if abs(value) >= _MICROSECONDS_FROM else 1_000 if abs(value) >= _MILLISECONDS_FROM else 1_000_000
    try:
        return from_micros(round(value * scale))
    except OverflowError:
        raise bad_input(f"{key} {value} lies outside years 1 to 9999") from None


def _scope(values: dict[str, Any], default: Scope) -> Scope:
    """The flags' ids with the line's own over them; takes them out of the line."""
    ids: dict[str, str | None] = {}
    for key, name in _SCOPE_KEYS.items():
        value = values.pop(key, None)
        if value is None:
            continue
        if not isinstance(value, str):
            raise bad_input(f"{key} is {shortened(repr(value), 40)}; ids are texts")
        if name in ids:
            raise bad_input(f"{key} and session_id are both given; they are the same")
        ids[name] = value
    return Scope(**{name: ids.get(name, getattr(default, name)) for name in sorted(set(_SCOPE_KEYS.values()))})


def _import_block(backend: Backend, block: _Block, default: Scope, summary: Summary, *, skip_bad: bool) -> None:
    by_scope: dict[Scope, list[Entry]] = {}
    for entry in _entries(block, default, summary):
        by_scope.setdefault(entry.scope, []).append(entry)
    for scope, entries in by_scope.items():
        _add(backend, block, scope, entries, summary, skip_bad=skip_bad)


def _add(
    backend: Backend, block: _Block, scope: Scope, entries: list[Entry], summary: Summary, *, skip_bad: bool
) -> None:
    """Adds the entries; those that the engine refuses one by one are bad lines, too."""
    while entries:
        try:
            result = backend.add(scope, [entry.memory for entry in entries], request_id=block.request_id(scope))
        except MnemicError as error:
            refused = _refused_position(error, len(entries))
            if refused is None:
                raise
            entry = entries.pop(refused)
            summary.bad.append(BadLine(entry.number, error.message.replace(f"memories[{refused}].", "")))
            if not skip_bad:
                _stop(summary)
        else:
            summary.revision = max(summary.revision, result.revision)
            if result.replayed:
                summary.replayed += len(entries)
            else:
                summary.added += len(entries)
            return


def _refused_position(error: MnemicError, count: int) -> int | None:
    """Which entry the engine refused, None when it refused none of them in particular."""
    if error.code is not Code.INVALID_ARGUMENT:
        return None
    for violation in error.violations:
        head, bracket, rest = violation.field.partition("[")
        if head == "memories" and bracket:
            position = int(rest.partition("]")[0])
            return position if position < count else None
    return None


def _refuse(summary: Summary, *, as_json: bool) -> None:
    """Ends the command before anything was written."""
    if as_json:
        print_json(summary.document())
    _print_bad(summary.bad)
    raise bad_input(
        f"{counted(len(summary.bad), 'line')} cannot be imported; nothing was",
        hint="mend them, or import the others with --skip-bad",
    )


def _stop(summary: Summary) -> None:
    """Ends the command at a line that only the engine could judge."""
    _print_bad(summary.bad)
    raise bad_input(
        f"stopped at line {summary.bad[-1].number}; {summary.added + summary.replayed:,} lines before it are imported",
        hint="mend the line and import again (nothing is added twice), or pass over it with --skip-bad",
    )


def _print_bad(bad: list[BadLine]) -> None:
    for line in bad[:_MOST_SHOWN]:
        print_remark(f"line {line.number}: {clean(line.reason)}")
    if len(bad) > _MOST_SHOWN:
        print_remark(f"… and {counted(len(bad) - _MOST_SHOWN, 'more line')}")


def _print_summary(summary: Summary) -> None:
    summary.bad.sort(key=lambda line: line.number)
    _print_bad(summary.bad)
    words = [f"imported {counted(summary.added, 'memory', 'memories')}"]
    if summary.replayed:
        words.append(f"{summary.replayed:,} were already there")
    if summary.bad:
        words.append(f"{counted(len(summary.bad), 'bad line')} skipped")
    print_line(f"{', '.join(words)}; revision {summary.revision}")
