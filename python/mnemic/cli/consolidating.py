"""`mnemic consolidate`: facts that say the same become one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mnemic.cli.documents import memory_document, print_json, scope_document
from mnemic.cli.memories import open_memory
from mnemic.cli.options import JsonOption, ScopeOptions, TargetOptions
from mnemic.cli.terminal import Column, Row, clean, counted, print_line, print_remark, print_table
from mnemic.model.consolidation import ConsolidationReport, ConsolidationResult


def consolidate(
    *,
    scope: ScopeOptions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be merged.")] = False,
    samples: Annotated[int, typer.Option("--samples", metavar="N", help="How many examples, up to 100.")] = 5,
    request_id: Annotated[
        str, typer.Option("--request-id", metavar="UUID", help="Makes a repetition give the same answer.")
    ] = "",
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Merge facts of the same scope that say the same in other words: one stays, with the sources of all. The others
    stay in the history, and `mnemic restore` brings them back. Without ids it looks at every scope.

    Example: mnemic consolidate --user u1 --dry-run
    """
    options: dict[str, Any] = dict(scope_document(scope.scope()))
    with open_memory(target) as memories:
        result = memories.consolidate(validate_only=dry_run, sample_size=samples, request_id=request_id, **options)
    if as_json:
        print_json(_document(result))
        return
    report = result.report
    _print_samples(report)
    facts = counted(report.merged_count, "fact", "facts")
    print_line(f"{facts} {'would be merged' if dry_run else 'merged'} into {report.kept_count}")
    print_remark(f"{report.examined_count} looked at, {report.changed_count} changed meanwhile")


def _print_samples(report: ConsolidationReport) -> None:
    if not report.samples:
        return
    print_table(
        (Column("stays", flexible=True), Column("merged", flexible=True)),
        [
            Row((clean(sample.kept.body), clean(" | ".join(memory.body for memory in sample.merged))))
            for sample in report.samples
        ],
    )


def _document(result: ConsolidationResult) -> dict[str, Any]:
    report = result.report
    return {
        "examined_count": report.examined_count,
        "kept_count": report.kept_count,
        "merged_count": report.merged_count,
        "changed_count": report.changed_count,
        "samples": [
            {"kept": memory_document(sample.kept), "merged": [memory_document(memory) for memory in sample.merged]}
            for sample in report.samples
        ],
        "revision": result.revision,
        "replayed": result.replayed,
    }
