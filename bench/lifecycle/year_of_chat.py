"""Tells a year to two stores, one with retention, and compares them.

The clock of the process is set to the time of the year: what retention judges by (age, supersession, recalls, the rest
in the archive) passes as it would. The engine runs in process for that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from bench.harness import Goal, Report, measure
from bench.lifecycle.year import Truth, Year
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryKind
from mnemic.model.operations import OperationState
from mnemic.model.retention import DAY_MICROS, RetentionPolicy
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest

TENANT = "default"
SCOPE = Scope(user_id="a year")
DAYS_PER_MONTH = 30
SEARCHES = 200
# What docs/retention.md proposes for a chat, and a budget for facts under which most that were told must go.
POLICIES = (
    RetentionPolicy(policy_id="messages", kinds=(MemoryKind.MESSAGE,), max_memories_per_scope=10_000),
    RetentionPolicy(policy_id="superseded", superseded_grace_micros=30 * DAY_MICROS),
    RetentionPolicy(policy_id="facts", kinds=(MemoryKind.FACT,), max_memories_per_scope=400),
)


@dataclass
class Month:
    """The store at the end of a month."""

    memories: int
    body_bytes: int
    disk_bytes: int
    p50_us: float


def compare(report: Report, directory: Path, days: int) -> None:
    """Reports growth, latency and what is still found."""
    recalls = {}
    for label, has_retention in (("kept all", False), ("with retention", True)):
        months, recall, found = _tell(directory / label.replace(" ", "-"), days, has_retention=has_retention)
        recalls[label] = recall
        for number in (len(months) // 2, len(months)):
            month = months[number - 1]
            report.row(
                what=f"chat, {label}, month {number}",
                memories=month.memories,
                body_bytes=month.body_bytes,
                disk_bytes=month.disk_bytes,
                p50_us=month.p50_us,
            )
        report.row(what=f"chat, {label}, at the end", memories=found, recall_at_10=recall)
        if has_retention:
            middle, last = months[len(months) // 2 - 1], months[-1]
            for name, before, after in (
                ("memories", middle.memories, last.memories),
                ("bytes", middle.body_bytes, last.body_bytes),
                ("bytes on disk", middle.disk_bytes, last.disk_bytes),
                ("search p50", middle.p50_us, last.p50_us),
            ):
                growth = after / before
                goal = Goal(f"chat with retention: {name} at the end to the middle", growth, "<= 1.1x", growth <= 1.1)
                report.goals.append(goal)
    share = recalls["with retention"] / recalls["kept all"]
    report.goals.append(
        Goal("chat: recall@10 of what is still true, to that without retention", share, ">= 0.95", share >= 0.95)
    )


def _tell(directory: Path, days: int, *, has_retention: bool) -> tuple[list[Month], float, int]:
    year = Year(days)
    months = []
    settings = load_settings(data_directory=directory, embedding={"provider": "static"})
    with (
        patch.object(time, "time_ns", lambda: year.now_micros * 1000),
        Engine.open(settings, pull_missing_model=True) as engine,
    ):
        if has_retention:
            for policy in POLICIES:
                engine.retention.set_policy(TENANT, policy)
        for day, (inputs, questions) in enumerate(year.tell(), start=1):
            engine.add(TENANT, SCOPE, inputs)
            for truth in questions:
                _search(engine, truth)
            # What was asked today was recalled today.
            engine.retention.recalls.take()
            if day % DAYS_PER_MONTH == 0:
                if has_retention:
                    _run(engine)
                months.append(_month(engine, list(year.truths.values())))
        truths = list(year.truths.values())
        found = sum(_is_found(engine, truth) for truth in truths)
    return months, found / len(truths), len(truths)


def _run(engine: Engine) -> None:
    run = engine.retention.run(TENANT).run
    while run.state is not OperationState.DONE:
        if run.state is OperationState.FAILED:
            raise RuntimeError(f"the run of retention failed: {run.last_error}")
        run = engine.retention.find_run(TENANT, run.run_id, wait_seconds=20)


def _month(engine: Engine, truths: list[Truth]) -> Month:
    # A measurement is no use of what it finds.
    with patch.object(engine.retention.recalls, "note_hits"):
        latency = measure(lambda i: _search(engine, truths[i % len(truths)]), repeats=SEARCHES)
    store = engine.stats(TENANT).store
    return Month(store.memories, store.body_bytes, engine.stats().store.bytes_on_disk, latency.median)


def _search(engine: Engine, truth: Truth) -> list[str]:
    request = SearchRequest(scope=SCOPE, query=truth.question, top_k=10)
    return [hit.memory.body for hit in engine.search(TENANT, request).hits]


def _is_found(engine: Engine, truth: Truth) -> bool:
    return any(truth.value in body and truth.subject in body for body in _search(engine, truth))
