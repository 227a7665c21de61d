"""What retention says, for people and for programs."""

from __future__ import annotations

from dataclasses import fields

from mnemic.cli.documents import Document, memory_document, print_json, scope_document, time_text
from mnemic.cli.terminal import Column, Row, bytes_text, counted, print_line, print_remark, print_table, scope_text
from mnemic.model.operations import OperationState
from mnemic.model.retention import DAY_MICROS, LegalHold, RetentionPolicy, RetentionReport, RetentionRun

_SPANS = (("d", DAY_MICROS), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000))


def policy_document(policy: RetentionPolicy) -> Document:
    """A policy for programs; spans in seconds."""
    spans = ("max_age", "max_inactivity", "superseded_grace", "session_grace", "archive_period")
    weights = policy.score_weights
    return {
        "policy_id": policy.policy_id,
        "description": policy.description,
        "scope": scope_document(policy.scope),
        "kinds": [kind.name.lower() for kind in policy.kinds],
        "categories": list(policy.categories),
        "has_filter": policy.filter is not None,
        **{f"{name}_seconds": _seconds(getattr(policy, f"{name}_micros")) for name in spans},
        "max_memories_per_scope": policy.max_memories_per_scope,
        "max_bytes_per_scope": policy.max_bytes_per_scope,
        "score_weights": {field.name: getattr(weights, field.name) for field in fields(weights)},
        "disabled": policy.disabled,
        "version": policy.version,
        "create_time": time_text(policy.create_time_micros),
        "update_time": time_text(policy.update_time_micros),
    }


def report_document(report: RetentionReport) -> Document:
    """A report for programs."""
    return {
        "examined_count": report.examined_count,
        "removed": [
            {
                "policy_id": count.policy_id,
                "cause": count.cause.name.lower(),
                "memory_count": count.memory_count,
                "body_bytes": count.body_bytes,
            }
            for count in report.removed
        ],
        "pinned_count": report.pinned_count,
        "held_count": report.held_count,
        "archive_erased_count": report.archive_erased_count,
        "samples": [
            {
                "memory": memory_document(sample.memory),
                "policy_id": sample.policy_id,
                "cause": sample.cause.name.lower(),
                "retention_score": sample.retention_score,
                "last_recall_time": time_text(sample.last_recall_micros),
            }
            for sample in report.samples
        ],
    }


def hold_document(hold: LegalHold) -> Document:
    """A legal hold for programs."""
    return {
        "hold_id": hold.hold_id,
        "scope": scope_document(hold.scope),
        "reason": hold.reason,
        "create_time": time_text(hold.create_time_micros),
        "release_time": time_text(hold.release_time_micros),
    }


def print_run(found: RetentionRun, *, as_json: bool) -> None:
    """Prints how far a run is."""
    if as_json:
        print_json(
            {
                "run_id": found.run_id,
                "state": found.state.name.lower(),
                "report": report_document(found.report),
                "start_time": time_text(found.start_time_micros),
                "end_time": time_text(found.end_time_micros),
                "revision": found.revision,
                "last_error": found.last_error,
            }
        )
        return
    if not found.has_ended:
        print_line(found.run_id)
    print_report(found.report, "went")
    if found.state is OperationState.FAILED:
        print_remark(f"it failed: {found.last_error}")


def print_report(report: RetentionReport, verb: str) -> None:
    """Prints what goes; `verb` says whether it went or would."""
    examples: dict[tuple[str, int], str] = {}
    for sample in report.samples:
        examples.setdefault((sample.policy_id, sample.cause), sample.memory.body)
    columns = [
        Column("Why", style="bold"),
        Column("Memories", justify="right"),
        Column("Text", justify="right"),
        Column("For example", flexible=True),
    ]
    rows = [
        Row(
            (
                why_text(count.policy_id, count.cause.name),
                f"{count.memory_count:,}",
                bytes_text(count.body_bytes),
                examples.get((count.policy_id, count.cause), ""),
            )
        )
        for count in report.removed
    ]
    print_table(columns, rows)
    words = [f"of {counted(report.examined_count, 'memory', 'memories')} {report.removed_count:,} {verb}"]
    for name, count in (("pinned", report.pinned_count), ("under a legal hold", report.held_count)):
        if count:
            words.append(f"{count:,} stay since they are {name}")
    if report.archive_erased_count:
        words.append(f"{report.archive_erased_count:,} of the archive erased")
    print_remark("; ".join(words))


def why_text(policy_id: str, cause: str) -> str:
    """A limit, and the policy that it is of."""
    words = cause.lower().replace("_", " ")
    return f"{policy_id}: {words}" if policy_id else words


def selected_text(policy: RetentionPolicy) -> str:
    """What a policy selects."""
    words = [scope_text(policy.scope), " ".join(kind.name.lower() for kind in policy.kinds), *policy.categories]
    words += ["(filtered)"] if policy.filter is not None else []
    words += ["(disabled)"] if policy.disabled else []
    return " ".join(word for word in words if word) or "everything"


def limits_text(policy: RetentionPolicy) -> str:
    """What a policy makes go."""
    spans = (
        ("older than", policy.max_age_micros),
        ("unused for", policy.max_inactivity_micros),
        ("superseded for", policy.superseded_grace_micros),
        ("session ended", policy.session_grace_micros),
    )
    words = [f"{name} {_span_text(span)}" for name, span in spans if span is not None]
    if policy.max_memories_per_scope is not None:
        words.append(f"beyond {policy.max_memories_per_scope:,} a scope")
    if policy.max_bytes_per_scope is not None:
        words.append(f"beyond {bytes_text(policy.max_bytes_per_scope)} a scope")
    return ", ".join(words)


def archive_text(policy: RetentionPolicy) -> str:
    """How long what goes can be restored."""
    return "30d" if policy.archive_period_micros is None else _span_text(policy.archive_period_micros)


def _span_text(micros: int) -> str:
    for unit, size in _SPANS:
        if micros % size == 0 and micros >= size:
            return f"{micros // size}{unit}"
    return f"{micros / 1e6:g}s"


def _seconds(micros: int | None) -> float | None:
    return None if micros is None else micros / 1e6
