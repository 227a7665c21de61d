"""Leaving and coming: what holds for every client."""

import hashlib
import io
import json

from client_scenarios import client_scenario, other, refusal

from mnemic import Reason, Scope

CHAT = json.dumps([{"role": "user", "content": "tea"}, {"role": "king", "content": "x"}]).encode()


def file_of(memory, **options) -> bytes:
    pieces = memory.client.export_memories(**options)
    data = b"".join(piece.data for piece in pieces)
    assert pieces[-1].summary.sha256 == hashlib.sha256(data).digest()
    return data


@client_scenario
def an_export_is_imported_from_anything_that_has_bytes(memory, user):
    memory.add(["one", "two"], user_id=user, session_id="s")
    data = file_of(memory, user_id=user, match="exact", include_vectors=True, include_history=True)
    assert len(data.splitlines()) == 2
    assert file_of(memory, user_id=user, match="exact", format="parquet").startswith(b"PAR1")
    copy = Scope(user_id=other(user))
    for number, file in enumerate((data, io.BytesIO(data), [data[:10], data[10:]])):
        *_, last = memory.import_memories(file, "jsonl", override_scope=copy, keep_vectors=True)
        assert (last.added_count, last.duplicate_count) == ((0, 2) if number else (2, 0))
    assert [hit.body for hit in memory.search("two", user_id=other(user))][:1] == ["two"]


@client_scenario
def a_chat_log_is_imported_and_what_cannot_be_is_told(memory, user):
    answers = memory.import_memories(CHAT, "chat", user_id=user)
    assert [problem.reason for answer in answers for problem in answer.errors] == ["INVALID_FIELD"]
    assert (answers[-1].added_count, answers[-1].error_count, answers[-1].done) == (1, 1, True)
    assert memory.import_memories(CHAT, "chat", user_id=user, validate_only=True)[-1].duplicate_count == 1


@client_scenario
def exports_and_imports_are_refused_alike(memory, user):
    assert refusal(memory.export_memories).reason is Reason.SCOPE_MISSING
    assert refusal(memory.export_memories, user_id=user, format="diary").reason is Reason.INVALID_FIELD
    assert refusal(memory.export_memories, user_id=user, format="mem0").reason is Reason.INVALID_FIELD
    assert refusal(memory.export_memories, user_id=user, resume_token="x").reason is Reason.INVALID_PAGE_TOKEN  # noqa: S106 (no secret)
    assert refusal(memory.import_memories, b"{", "chat", user_id=user).reason is Reason.INVALID_FIELD
    assert refusal(memory.import_memories, 7, "chat", user_id=user).reason is Reason.INVALID_FIELD
    assert refusal(memory.import_memories, b"", "diary").reason is Reason.INVALID_FIELD
