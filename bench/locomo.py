"""Recall on LoCoMo conversations through the running server.

Reads the original format (a list of conversations with `qa` and dated sessions). Each conversation is one user's
scope; ids are opaque to the server. Questions of categories 1 to 4 with evidence are asked as they stand; recall@k is
the share of a question's evidence turns among the first k hits, averaged over questions. Nothing is tuned here.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc

from bench.harness import Report, console, running_server
from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import memory_service_pb2_grpc as service
from mnemic.v1 import query_pb2, resources_pb2

CUTS = (1, 5, 10, 20, 50)
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}


@dataclass(frozen=True)
class Turn:
    turn_id: str
    session: str
    spoken_at: datetime
    speaker: str
    text: str


def turns_of(conversation: Mapping[str, Any]) -> Iterator[Turn]:
    names = [key for key in conversation if re.fullmatch(r"session_\d+", key)]
    for name in sorted(names, key=lambda key: int(key.split("_")[1])):
        begin = datetime.strptime(str(conversation[f"{name}_date_time"]), "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        for position, turn in enumerate(conversation[name]):
            caption = f" [shares a picture: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
            spoken_at = begin + timedelta(seconds=position)
            yield Turn(turn["dia_id"], name, spoken_at, turn["speaker"], turn["text"] + caption)


def ingest(stub: service.MemoryServiceStub, user: str, turns: Sequence[Turn]) -> dict[str, str]:
    """Adds the turns session by session; gives turn id by memory id."""
    sessions: dict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        sessions[turn.session].append(turn)
    ids = {}
    for session, members in sessions.items():
        request = messages.AddMemoriesRequest(scope=resources_pb2.Scope(user_id=user, session_id=f"{user}/{session}"))
        for turn in members:
            item = request.memories.add(body=turn.text, name=turn.speaker, role=resources_pb2.ROLE_USER)
            item.event_time.FromDatetime(turn.spoken_at)
        added = stub.AddMemories(request).memories
        ids |= {memory.memory_id: turn.turn_id for memory, turn in zip(added, members, strict=True)}
    return ids


def evidence_of(question: Mapping[str, Any]) -> list[str]:
    return [found for entry in question.get("evidence", []) for found in re.findall(r"D\d+:\d+", str(entry))]


def ask(
    stub: service.MemoryServiceStub, user: str, question: str, weights: query_pb2.SignalWeights
) -> messages.SearchMemoriesResponse:
    return stub.SearchMemories(
        messages.SearchMemoriesRequest(
            scope=resources_pb2.Scope(user_id=user),
            match=resources_pb2.SCOPE_MATCH_EXACT,
            query=question,
            top_k=max(CUTS),
            weights=weights,
        )
    )


def recalls(found: Sequence[str], evidence: Sequence[str]) -> list[float]:
    wanted = set(evidence)
    return [len(wanted & set(found[:cut])) / len(wanted) for cut in CUTS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="locomo10.json, or a part of it, in the original format")
    parser.add_argument("--conversations", type=int, default=0, help="only so many (0: all)")
    arguments = parser.parse_args()
    conversations = json.loads(arguments.file.read_text(encoding="utf-8"))
    conversations = conversations[: arguments.conversations or None]
    report = Report("locomo")
    modes = {
        "default profile": query_pb2.SignalWeights(),
        "words alone": query_pb2.SignalWeights(vector=0.0, lexical=1.0, entity=0.0),
        "meaning alone": query_pb2.SignalWeights(vector=1.0, lexical=0.0, entity=0.0),
    }
    results: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    times: dict[str, list[float]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary,
        running_server(Path(temporary)) as (address, _),
        grpc.insecure_channel(address) as channel,
    ):
        stub = service.MemoryServiceStub(channel)
        for number, conversation in enumerate(conversations):
            user = f"conversation-{number}"
            turns = list(turns_of(conversation["conversation"]))
            begin = time.perf_counter()
            ids = ingest(stub, user, turns)
            console.print(f"{user}: {len(turns)} turns added in {time.perf_counter() - begin:.1f} s", style="dim")
            known = set(ids.values())
            for question in conversation["qa"]:
                evidence = [turn for turn in evidence_of(question) if turn in known]
                if question["category"] not in CATEGORIES or not evidence:
                    continue
                for mode, weights in modes.items():
                    begin = time.perf_counter()
                    hits = ask(stub, user, question["question"], weights).hits
                    times[mode].append(time.perf_counter() - begin)
                    row = recalls([ids[hit.memory_id] for hit in hits], evidence)
                    results[mode, CATEGORIES[question["category"]]].append(row)
                    results[mode, "all"].append(row)
    for (mode, category), rows in results.items():
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        columns = {f"recall@{cut}": round(mean, 4) for cut, mean in zip(CUTS, means, strict=True)}
        median = sorted(times[mode])[len(times[mode]) // 2] * 1e3 if category == "all" else None
        report.row(mode=mode, questions=category, count=len(rows), **columns, p50_ms=median)
    report.rows.sort(key=lambda row: (row["questions"] != "all", row["questions"]))
    report.finish()


if __name__ == "__main__":
    main()
