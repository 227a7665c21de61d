"""Tells a year to two stores, one with retention, and compares them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf.duration_pb2 import Duration

from bench.harness import Goal, Report, measure, running_server
from bench.lifecycle.year import Truth, Year
from mnemic import MnemicClient
from mnemic.model.memory import Memory
from mnemic.v1 import lifecycle_service_pb2 as lifecycle
from mnemic.v1 import lifecycle_service_pb2_grpc as lifecycle_service
from mnemic.v1 import resources_pb2

USER = "a year"
DAYS_PER_MONTH = 30
SEARCHES = 200
# What docs/retention.md proposes for a chat: facts stay while they hold, messages as far as the budget goes.
POLICIES = (
    lifecycle.RetentionPolicy(
        policy_id="messages", kinds=[resources_pb2.MEMORY_KIND_MESSAGE], max_memories_per_scope=10_000
    ),
    lifecycle.RetentionPolicy(policy_id="superseded", superseded_grace=Duration(seconds=30 * 86_400)),
)


@dataclass
class Month:
    """The store at the end of a month."""

    memories: int
    body_bytes: int
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
                p50_us=month.p50_us,
            )
        report.row(what=f"chat, {label}, at the end", memories=found, recall_at_10=recall)
        if has_retention:
            middle, last = months[len(months) // 2 - 1], months[-1]
            for name, before, after in (
                ("memories", middle.memories, last.memories),
                ("bytes", middle.body_bytes, last.body_bytes),
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
    with (
        running_server(directory, "--embedding", "static") as (address, _),
        grpc.insecure_channel(address) as channel,
        MnemicClient(address) as client,
    ):
        stub = lifecycle_service.LifecycleServiceStub(channel)
        if has_retention:
            for policy in POLICIES:
                request = lifecycle.SetRetentionPolicyRequest(policy=policy, request_id=str(uuid.uuid4()))
                stub.SetRetentionPolicy(request)
        for day, inputs in enumerate(year.tell(), start=1):
            client.add(inputs, user_id=USER)
            if day % DAYS_PER_MONTH == 0:
                if has_retention:
                    _run(stub)
                months.append(_month(client, list(year.truths.values())))
        truths = list(year.truths.values())
        found = sum(_is_found(client, truth) for truth in truths)
    return months, found / len(truths), len(truths)


def _run(stub: lifecycle_service.LifecycleServiceStub) -> None:
    run = stub.RunRetention(lifecycle.RunRetentionRequest(request_id=str(uuid.uuid4()))).run
    asked = lifecycle.GetRetentionRunRequest(run_id=run.run_id, wait=Duration(seconds=60))
    while run.state != resources_pb2.OPERATION_STATE_DONE:
        run = stub.GetRetentionRun(asked, timeout=120).run


def _month(client: MnemicClient, truths: list[Truth]) -> Month:
    latency = measure(
        lambda i: client.search(truths[i % len(truths)].question, user_id=USER, top_k=10), repeats=SEARCHES
    )
    stored = [memory for page in _pages(client) for memory in page]
    return Month(len(stored), sum(len(memory.body.encode()) for memory in stored), latency.median)


def _pages(client: MnemicClient) -> Iterator[Sequence[Memory]]:
    token = ""
    while True:
        page = client.list(user_id=USER, page_size=1000, page_token=token, include_superseded=True)
        yield page.memories
        token = page.next_page_token
        if not token:
            return


def _is_found(client: MnemicClient, truth: Truth) -> bool:
    hits = client.search(truth.question, user_id=USER, top_k=10).hits
    return any(truth.value in hit.memory.body and truth.subject in hit.memory.body for hit in hits)
