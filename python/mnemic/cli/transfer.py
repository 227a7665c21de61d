"""`mnemic export`, and the imports of files that `mnemic import` does not read line by line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Annotated, TypeVar

import typer

from mnemic.cli.backend import Backend, open_backend
from mnemic.cli.documents import print_json
from mnemic.cli.failures import bad_input
from mnemic.cli.options import JsonOption, ScopeOptions, TargetOptions
from mnemic.cli.terminal import bytes_text, clean, counted, print_line, print_remark, progress_bar
from mnemic.model.audit import AuditAction
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.transfer import (
    ExportRequest,
    ExportSummary,
    ImportProblem,
    ImportRequest,
    TransferFormat,
)

Choice = TypeVar("Choice")
Update = Callable[[str, int, int], None]
_STANDARD_OUTPUT = "-"
_CHUNK_BYTES = 256 * 1024
_HEAD_BYTES = 64 * 1024
_MOST_SHOWN = 20
_MATCHES = {"visible": ScopeMatch.VISIBLE, "exact": ScopeMatch.EXACT}
_EXPORTED = {"jsonl": TransferFormat.JSONL, "parquet": TransferFormat.PARQUET}
IMPORTED = {**_EXPORTED, "mem0": TransferFormat.MEM0, "chat": TransferFormat.CHAT}
_CONVERSATIONS = ("messages", "conversations", "conversation", "sessions", "turns", "haystack_sessions")


def export_memories(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write; - for standard output.")],
    *,
    scope: ScopeOptions,
    match: Annotated[
        str, typer.Option("--match", metavar="HOW", help="With ids: exact (all that carry them) or visible.")
    ] = "exact",
    form: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="jsonl or parquet; else by FILE's ending.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Also older versions, and deleted and superseded memories.")
    ] = False,
    vectors: Annotated[bool, typer.Option("--vectors", help="Also the embeddings.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an export to FILE that broke off.")] = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Export memories to a file: everything, or what the ids select. It reflects one moment, whatever goes on.

    The lines are the JSON of the contract's Memory; docs/transfer.md describes them. `mnemic import` reads them again.

    Example: mnemic export everything.jsonl --history
    """
    request = ExportRequest(
        scope=scope.scope(),
        match=ScopeMatch.TENANT if scope.given() is None else _chosen(_MATCHES, match, "--match"),
        format=_chosen(_EXPORTED, form or ("parquet" if file.endswith(".parquet") else "jsonl"), "--format"),
        include_history=history,
        include_vectors=vectors,
    )
    with ExitStack() as stack:
        backend = stack.enter_context(open_backend(target))
        stack.enter_context(backend.entering("mnemic export", AuditAction.READ, request.scope))
        if file == _STANDARD_OUTPUT:
            summary = _write(backend, request, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            print_remark(_words(summary))
            return
        summary = _write_file(backend, request, Path(file), resume=resume)
    if as_json:
        print_json(
            {
                "file": file,
                "memories": summary.memory_count,
                "bytes": summary.byte_count,
                "sha256_of_what_was_sent": summary.sha256.hex(),
            }
        )
    else:
        print_line(_words(summary))


def _words(summary: ExportSummary) -> str:
    return f"exported {counted(summary.memory_count, 'memory', 'memories')}, {bytes_text(summary.byte_count)}"


def _chosen(known: dict[str, Choice], name: str, option: str) -> Choice:
    if name not in known:
        raise bad_input(f"{option} is {name}; there are {', '.join(known)}")
    return known[name]


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """A file that is being written: beside its place, with what resumes it beside that."""

    part: Path
    token: Path

    @classmethod
    def of(cls, file: Path) -> _Unfinished:
        return cls(file.with_name(file.name + ".part"), file.with_name(file.name + ".part.token"))

    def note(self, size: int, token: str) -> None:
        """Notes from where to go on. Both together, since one without the other is of no use."""
        self.token.write_text(json.dumps({"bytes": size, "token": token}), encoding="utf-8")

    def noted(self) -> tuple[int, str]:
        """From where to go on."""
        try:
            noted = json.loads(self.token.read_text(encoding="utf-8"))
            return int(noted["bytes"]), str(noted["token"])
        except (OSError, ValueError, KeyError, TypeError):
            raise bad_input(
                f"there is no export to go on with beside {self.part.name.removesuffix('.part')}",
                hint="leave out --resume",
            ) from None


def _write_file(backend: Backend, request: ExportRequest, file: Path, *, resume: bool) -> ExportSummary:
    """Writes beside the file and puts it in its place when it is whole."""
    unfinished = _Unfinished.of(file)
    start = 0
    if resume:
        start, token = unfinished.noted()
        request = replace(request, resume_token=token)
    try:
        with unfinished.part.open("r+b" if resume else "wb") as output:
            output.truncate(start)
            output.seek(start)
            summary = _write(backend, request, output, unfinished)
        unfinished.part.replace(file)
        unfinished.token.unlink(missing_ok=True)
    except OSError as error:
        raise bad_input(f"cannot write {file}: {error.strerror}") from None
    return summary


def _write(
    backend: Backend, request: ExportRequest, output: IO[bytes], unfinished: _Unfinished | None = None
) -> ExportSummary:
    whole = _known_count(backend)
    with progress_bar("Exporting", "memories") as update:
        for piece in backend.export_memories(request):
            output.write(piece.data)
            if unfinished is not None and piece.resume_token:
                output.flush()
                unfinished.note(output.tell(), piece.resume_token)
            update("Exporting", piece.exported_count, max(whole, piece.exported_count))
            if piece.summary is not None:
                return piece.summary
    raise bad_input("the export broke off", hint="go on with --resume")


def _known_count(backend: Backend) -> int:
    """How many memories there are, for the progress; 0 for who may not ask."""
    try:
        return backend.stats().store.memories
    except MnemicError as error:
        if error.reason is not Reason.PERMISSION_DENIED:
            raise
        return 0


def detected_format(head: bytes) -> TransferFormat | None:
    """The format of a file by its first bytes; None for lines as `mnemic import` itself reads them."""
    if head.startswith(b"PAR1"):
        return TransferFormat.PARQUET
    text = head.lstrip()
    first = _object(text.partition(b"\n")[0])
    if first is not None:
        if "memoryId" in first:
            return TransferFormat.JSONL
        if isinstance(first.get("results"), list) or "memory" in first:
            return TransferFormat.MEM0
        return TransferFormat.CHAT if any(key in first for key in _CONVERSATIONS) else None
    opening = bytes(character for character in text[:2000] if character not in b" \t\r\n")
    if opening.startswith(b'{"results":['):
        return TransferFormat.MEM0
    if opening.startswith((b"[", b'{"')):
        # An array, or a document over several lines.
        return TransferFormat.MEM0 if b'"memory":' in opening and b'"role":' not in opening else TransferFormat.CHAT
    return None


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def head_of(source: IO[bytes]) -> bytes:
    """The first bytes of a file, which is then at its beginning again."""
    source.seek(0)
    head = source.read(_HEAD_BYTES)
    source.seek(0)
    return head


def import_file(
    target: TargetOptions,
    source: IO[bytes],
    form: TransferFormat,
    *,
    scope: Scope,
    skip_bad: bool,
    keep_vectors: bool,
    extract: bool,
    as_json: bool,
) -> None:
    """Takes a file in: first only checks it, unless bad items are to be passed over, and then adds it."""
    request = ImportRequest(
        format=form,
        default_scope=scope,
        keep_vectors=keep_vectors,
        extract=extract,
        stop_on_error=not skip_bad,
    )
    with (
        open_backend(target) as backend,
        backend.entering("mnemic import", AuditAction.WRITE, scope),
        progress_bar("Importing", "items") as update,
    ):
        whole = 0
        if not skip_bad:
            checked, problems = _run(backend, replace(request, validate_only=True), source, update, "Checking")
            if problems:
                _print_problems(problems)
                raise bad_input(
                    f"item {problems[0].item_index} cannot be imported; nothing was",
                    hint="mend it, or import the others with --skip-bad",
                )
            whole = checked["processed"]
        total, problems = _run(backend, request, source, update, "Importing", whole=whole)
    if as_json:
        print_json(
            {
                "items": total["processed"],
                "added": total["added"],
                "already_there": total["duplicates"],
                "bad_items": [{"item": bad.item_index, "reason": bad.message} for bad in problems],
                "revision": total["revision"],
            }
        )
        return
    _print_problems(problems)
    words = [f"imported {counted(total['added'], 'memory', 'memories')}"]
    if total["duplicates"]:
        words.append(f"{total['duplicates']:,} were already there")
    if problems:
        words.append(f"{counted(len(problems), 'bad item')} skipped")
    print_line(f"{', '.join(words)}; revision {total['revision']}")


def _run(
    backend: Backend, request: ImportRequest, source: IO[bytes], update: Update, step: str, *, whole: int = 0
) -> tuple[dict[str, int], list[ImportProblem]]:
    problems: list[ImportProblem] = []
    total = {"processed": 0, "added": 0, "duplicates": 0, "revision": 0}
    for answer in backend.import_memories(request, _chunks(source)):
        problems.extend(answer.errors)
        total = {
            "processed": answer.processed_count,
            "added": answer.added_count,
            "duplicates": answer.duplicate_count,
            "revision": answer.revision,
        }
        update(step, answer.processed_count, max(whole, answer.processed_count))
    return total, problems


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    source.seek(0)
    while chunk := source.read(_CHUNK_BYTES):
        yield chunk


def _print_problems(problems: list[ImportProblem]) -> None:
    for problem in problems[:_MOST_SHOWN]:
        print_remark(f"item {problem.item_index}: {clean(problem.message)}")
    if len(problems) > _MOST_SHOWN:
        print_remark(f"… and {counted(len(problems) - _MOST_SHOWN, 'more item')}")
