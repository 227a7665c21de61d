"""What forgetting and leaving cost: `python -m bench.lifecycle` (`make bench-lifecycle`).

A store of a hundred users with 10,000 memories each, vectors given. While others search and add at fixed rates: one
user is erased, a backup is made, retention looks at all. Then a year of one user's chat, and what encryption costs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path

import grpc
from google.protobuf.duration_pb2 import Duration

from bench.encryption import compare as compare_encryption
from bench.harness import Goal, Report, carried_texts, console, many_texts, running_server, vectors_like
from bench.lifecycle.beside import Beside, beside
from bench.lifecycle.year_of_chat import compare as compare_years
from mnemic import MnemicClient
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.v1 import admin_service_pb2 as admin
from mnemic.v1 import admin_service_pb2_grpc as admin_service
from mnemic.v1 import lifecycle_service_pb2 as lifecycle
from mnemic.v1 import lifecycle_service_pb2_grpc as lifecycle_service
from mnemic.v1 import resources_pb2

TENANT = "default"
PER_USER = 10_000
# Of each user's memories; the rest is archived by the measured run.
KEPT_PER_USER = 9_000
HOUR = 3600.0
# Within it the server has looked at what was loaded: it begins after ten seconds.
TIDYING_SECONDS = 60.0
SETTLING_SECONDS = 5.0
ERASURES = 5


def fill(directory: Path, users: int) -> list[bytes]:
    """Writes the store; gives some vectors to search for."""
    settings = load_settings(data_directory=directory, embedding={"provider": "static"})
    texts = many_texts(PER_USER, carried_texts())
    with Engine.open(settings, pull_missing_model=True) as engine:
        vectors = vectors_like(PER_USER, engine.stats().dimension)
        begin = time.perf_counter()
        for user in range(users):
            scope = Scope(user_id=f"user {user}")
            for start in range(0, PER_USER, 1000):
                batch = [MemoryInput(body=texts[i], vector=vectors[i]) for i in range(start, start + 1000)]
                engine.add(TENANT, scope, batch)
            if user % 10 == 9:
                per_second = (user + 1) * PER_USER / (time.perf_counter() - begin)
                console.print(f"{(user + 1) * PER_USER:,} memories written, {per_second:,.0f} a second", style="dim")
    return vectors[:64]


def refill(client: MnemicClient, vectors: list[bytes]) -> None:
    """Writes the first user's memories again, as `fill` does."""
    texts = many_texts(PER_USER, carried_texts())
    for start in range(0, PER_USER, 1000):
        batch = [MemoryInput(body=texts[i], vector=vectors[i % len(vectors)]) for i in range(start, start + 1000)]
        client.add(batch, user_id="user 0")
    # Upkeep compacts what was written at once; that is no part of what comes next.
    time.sleep(SETTLING_SECONDS)


def erase(channel: grpc.Channel, user: str) -> None:
    request = lifecycle.EraseScopeRequest(
        scope=resources_pb2.Scope(user_id=user), reason="bench", request_id=str(uuid.uuid4())
    )
    answer = lifecycle_service.LifecycleServiceStub(channel).EraseScope(request, timeout=HOUR)
    if answer.erasure.state != resources_pb2.OPERATION_STATE_DONE:
        raise RuntimeError(f"the erasure did not end: {answer.erasure}")


def retain(channel: grpc.Channel) -> lifecycle.RetentionReport:
    stub = lifecycle_service.LifecycleServiceStub(channel)
    policy = lifecycle.RetentionPolicy(policy_id="bench", max_memories_per_scope=KEPT_PER_USER)
    stub.SetRetentionPolicy(lifecycle.SetRetentionPolicyRequest(policy=policy, request_id=str(uuid.uuid4())))
    run = stub.RunRetention(lifecycle.RunRetentionRequest(request_id=str(uuid.uuid4()))).run
    while run.state not in {resources_pb2.OPERATION_STATE_DONE, resources_pb2.OPERATION_STATE_FAILED}:
        asked = lifecycle.GetRetentionRunRequest(run_id=run.run_id, wait=Duration(seconds=20))
        run = stub.GetRetentionRun(asked, timeout=HOUR).run
    if run.state != resources_pb2.OPERATION_STATE_DONE:
        raise RuntimeError(f"the run of retention failed: {run.last_error}")
    return run.report


def back_up(channel: grpc.Channel) -> admin.Backup:
    request = admin.CreateBackupRequest(destination=admin.BACKUP_DESTINATION_SERVER, request_id=str(uuid.uuid4()))
    steps = admin_service.AdminServiceStub(channel).CreateBackup(request, timeout=HOUR)
    return next(step.backup for step in steps if step.HasField("backup"))


def report_work(
    report: Report, what: str, size: int, measured: Beside, goal_seconds: float, *, sparing: tuple[str, ...]
) -> None:
    """Reports a work: its time, and by how much others' calls, of those that it is to spare, may slow down."""
    columns: dict[str, float] = {}
    name = f"{what}, {size:,} memories in the store"
    took = measured.seconds
    report.goals.append(Goal(f"{name}: seconds", took, f"<= {goal_seconds:g}", took <= goal_seconds))
    for kind, latencies in (("searches", measured.searches), ("adds", measured.adds)):
        columns |= {
            f"{kind}_idle_p99_ms": latencies.idle_p99_ms,
            f"{kind}_busy_p99_ms": latencies.busy_p99_ms,
            f"{kind}_ratio": latencies.ratio,
        }
        if kind in sparing:
            ratio = latencies.ratio
            report.goals.append(Goal(f"{name}: p99 of others' {kind}", ratio, "<= 1.5x idle", ratio <= 1.5))
    report.row(what=what, memories=size, seconds=took, **columns)


def bench_beside(report: Report, directory: Path, users: int) -> None:
    """Erasure, backup and retention of one store, while others search."""
    size = users * PER_USER
    os.environ["MNEMIC_BACKUP__DIRECTORY"] = str(directory / "backups")
    vectors = fill(directory, users)
    with running_server(directory, "--embedding", "static") as (address, _), grpc.insecure_channel(address) as channel:
        other = "user 1"
        erased = beside(address, other, vectors, lambda: erase(channel, "user 0"))
        report_work(report, "erase one user right after the load", size, erased, 2, sparing=())
        time.sleep(TIDYING_SECONDS)
        with MnemicClient(address) as client:
            refill(client, vectors)
            again = [partial(erase, channel, "user 0")] * ERASURES
            erased = beside(address, other, vectors, *again, prepare=lambda: refill(client, vectors))
        report_work(report, "erase one user", size, erased, 2, sparing=("searches",))
        backed_up = beside(address, other, vectors, lambda: back_up(channel))
        report_work(report, "back up", size, backed_up, 60, sparing=())
        reports: list[lifecycle.RetentionReport] = []
        retained = beside(address, other, vectors, lambda: reports.append(retain(channel)))
        report_work(report, "retention", size, retained, 60, sparing=("searches", "adds"))
        removed = sum(count.memory_count for count in reports[0].removed)
        report.row(what="retention archived", memories=removed)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 users and 60 days instead of 100 and 365")
    quick = parser.parse_args().quick
    report = Report("lifecycle")
    with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as directory:
        bench_beside(report, Path(directory) / "small", 2)
        bench_beside(report, Path(directory) / "large", 20 if quick else 100)
        compare_years(report, Path(directory), 60 if quick else 365)
        compare_encryption(report, 20 if quick else 100)
    report.finish()


if __name__ == "__main__":
    main()
