"""What tests of erasure share: people with much to forget, and a search of every byte of a data directory."""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from mnemic.engine.engine import Engine
from mnemic.model.memory import MemoryInput, MemoryKind
from mnemic.model.requests import AddMode, MemoryUpdate, WaitFor
from mnemic.model.scope import Scope

USER = Scope(user_id="forgotten-Übermut-4093")
BYSTANDER = Scope(user_id="bystander-7731")


@dataclass
class Filled:
    """What was written of the person who is to be forgotten."""

    texts: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)


def fill(engine: Engine, tenant: str, *, rounds: int = 60) -> Filled:
    """Two people's messages, mixed, with facts, updates, deletions, sessions and work that is left to do."""
    filled = Filled()
    for number in range(rounds):
        for scope, mark in ((USER, "Ünique"), (BYSTANDER, "ordinary")):
            session = Scope(user_id=scope.user_id, session_id=f"{scope.user_id}-session-{number % 7}")
            texts = [
                f'{mark} note {number}: "quoted\\slashed" thing {uuid.uuid4().hex}',
                f"I live in {mark}town{number} and my favourite colour is {mark}colour{number}.",
            ]
            added = engine.add(
                tenant,
                session,
                [
                    MemoryInput(body=text, name=f"{mark}name{number}", metadata={"k": f"{mark}meta{number}"})
                    for text in texts
                ],
                mode=AddMode.LOCAL if number % 3 == 0 else AddMode.VERBATIM,
                wait=WaitFor.EXTRACTED if number % 3 == 0 else WaitFor.INDEXED,
                instructions=f"{mark}instruction{number}" if number % 3 == 0 else "",
                request_id=str(uuid.uuid4()),
            )
            ids = [memory.memory_id for memory in added.memories]
            changed = f"{mark} changed {number} {uuid.uuid4().hex}"
            engine.update(
                tenant, ids[0], MemoryUpdate(body=changed, fields=frozenset({"body"})), request_id=str(uuid.uuid4())
            )
            fact = MemoryInput(
                body=f"{mark} fact {number} {uuid.uuid4().hex}",
                kind=MemoryKind.FACT,
                slot=f"{mark}slot{number % 5}",
                slot_value=f"{mark}value{number}",
                source_ids=(ids[1],),
                categories=(f"{mark}label{number}",),
                entities=(f"{mark}entity{number}",),
            )
            stated = engine.add(tenant, scope, [fact])
            if number % 4 == 0:
                engine.delete(tenant, ids[0], request_id=str(uuid.uuid4()))
            if scope is USER:
                filled.texts += [*texts, changed, fact.body, f"{mark}meta{number}", f"{mark}instruction{number}"]
                filled.texts += [f"{mark}value{number}", f"{mark}entity{number}", f"{mark}colour{number}"]
                filled.ids += [*ids, *(memory.memory_id for memory in stated.memories)]
    filled.texts.append(USER.user_id)
    return filled


def traces_of(directory: Path, filled: Filled) -> dict[str, bytes]:
    """What to look for: texts in UTF-8 and as JSON escapes them, ids, content hashes and vectors, by a name each."""
    traces: dict[str, bytes] = {}
    for text in dict.fromkeys(filled.texts):
        traces[f"text {text}"] = text.encode()
        traces[f"json {text}"] = json.dumps(text)[1:-1].encode()
    with closing(sqlite3.connect(f"file:{directory / 'mnemic.db'}?mode=ro", uri=True)) as database:
        statement = (
            "SELECT id, memory_id, content_hash FROM memory_versions WHERE scope_id IN "
            "(SELECT id FROM scopes WHERE user_id = ?)"
        )
        rows = database.execute(statement, (USER.user_id,)).fetchall()
        for row_id, memory_id, content_hash in rows:
            traces[f"id {memory_id}"] = memory_id.encode()
            traces[f"hash {content_hash}"] = content_hash.encode()
            for (vector,) in database.execute("SELECT vector FROM embeddings WHERE version_id = ?", (row_id,)):
                # The first and last part of it as well: one that was half overwritten is still there by half.
                traces[f"vector {row_id} begins"] = vector[:64]
                traces[f"vector {row_id} ends"] = vector[-64:]
    return traces


def search_bytes(directory: Path, traces: dict[str, bytes]) -> dict[str, list[str]]:
    """In which files each of them is; those that are in none are left out."""
    found: dict[str, list[str]] = {}
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for name, trace in traces.items():
            if trace in data:
                found.setdefault(name, []).append(path.name)
    return found
