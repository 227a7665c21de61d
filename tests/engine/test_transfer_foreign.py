"""What other systems leave behind becomes memories: Mem0's and chat logs of the common shapes."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemic.engine.transfer.chat import read_chat
from mnemic.engine.transfer.json_stream import values
from mnemic.engine.transfer.mem0 import read_mem0
from mnemic.model.errors import MnemicError
from mnemic.model.memory import MemoryKind, Role, to_micros
from mnemic.model.requests import ListRequest
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.transfer import ImportRequest, TransferFormat

USER = Scope(user_id="u")
MAY = to_micros(datetime(2024, 5, 7, 10, tzinfo=UTC))


def in_chunks(data, size=7):
    return iter([data[start : start + size] for start in range(0, len(data), size)])


def chat(*documents, indent=None):
    data = "\n".join(json.dumps(document, indent=indent) for document in documents).encode()
    found = list(read_chat(in_chunks(data)))
    assert list(map(repr, found)) == list(map(repr, read_chat(iter([data]))))
    return found


def said(items):
    return [(item.role, item.name, item.body) for item in items]


TURNS = [{"role": "user", "content": "I moved to Porto"}, {"role": "assistant", "content": "Nice!"}]
SAID = [(Role.USER, "", "I moved to Porto"), (Role.ASSISTANT, "", "Nice!")]


@pytest.mark.parametrize("indent", [None, 2])
def test_openais_messages_in_every_arrangement(indent):
    assert said(chat(TURNS, indent=indent)) == SAID
    assert said(chat({"messages": TURNS}, indent=indent)) == SAID
    assert said(chat([{"messages": TURNS}, {"messages": TURNS}], indent=indent)) == SAID * 2
    assert said(chat(*TURNS)) == SAID
    assert said(chat({"messages": TURNS}, {"messages": TURNS})) == SAID * 2
    parts = [{"type": "text", "text": "I moved"}, {"type": "image_url", "image_url": {}}, "to Porto"]
    assert said(chat([{"role": "user", "content": parts}])) == [(Role.USER, "", "I moved\nto Porto")]


def test_sharegpt():
    turns = [{"from": "human", "value": "I moved to Porto"}, {"from": "gpt", "value": "Nice!"}]
    found = chat({"id": "c7", "conversations": turns})
    assert said(found) == SAID
    assert {item.scope.session_id for item in found} == {"c7"}


def test_locomo_sessions():
    document = {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ana",
            "speaker_b": "Ben",
            "session_2_date_time": "1:56 pm on 8 May, 2023",
            "session_2": [{"speaker": "Ben", "dia_id": "D2:1", "text": "later"}],
            "session_1_date_time": "9:00 am on 7 May, 2023",
            "session_1": [{"speaker": "Ana", "dia_id": "D1:1", "text": "hello"}, {"speaker": "Ben", "text": "hi"}],
        },
    }
    found = chat([document])
    assert said(found) == [(Role.USER, "Ana", "hello"), (Role.USER, "Ben", "hi"), (Role.USER, "Ben", "later")]
    assert [item.scope.session_id for item in found] == ["conv-1/session_1"] * 2 + ["conv-1/session_2"]
    assert found[2].event_time_micros == to_micros(datetime(2023, 5, 8, 13, 56, tzinfo=UTC))


def test_sessions_with_times_and_longmemeval():
    sessions = {"sessions": [{"id": "s1", "time": "2024-05-07", "messages": TURNS}, {"id": "s2", "turns": TURNS}]}
    found = chat(sessions)
    assert [item.scope.session_id for item in found] == ["s1", "s1", "s2", "s2"]
    assert [item.event_time_micros is None for item in found] == [False, False, True, True]
    haystack = {
        "haystack_sessions": [TURNS, TURNS],
        "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/05/21 (Sun) 09:00"],
        "haystack_session_ids": ["a", "b"],
    }
    found = chat([haystack])
    assert [item.scope.session_id for item in found] == ["a", "a", "b", "b"]
    assert found[0].event_time_micros == to_micros(datetime(2023, 5, 20, 2, 21, tzinfo=UTC))


def test_a_message_carries_its_time_and_ids():
    seconds = MAY // 1_000_000
    for written in ("2024-05-07T10:00:00Z", "2024-05-07T12:00:00+02:00", seconds, seconds * 1000, MAY):
        line = {"role": "user", "text": "x", "timestamp": written, "user_id": "u9", "run_id": "r", "name": "Ana"}
        [item] = chat(line)
        assert (item.event_time_micros, item.scope) == (MAY, Scope(user_id="u9", session_id="r"))
        assert item.name == "Ana"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"role": "king", "content": "x"}, "'king' is unknown"),
        ({"role": "assistant", "content": None}, "content: is no text"),
        ({"role": "user", "content": "x", "time": "soon"}, "'soon' is not a time"),
        ({"role": "user", "content": "x", "user_id": 7}, "ids are texts"),
        ("hello", "is a JSON str, not an object"),
    ],
)
def test_a_message_that_cannot_be_taken_is_named_among_the_others(message, words):
    first, bad, last = chat([TURNS[0], message, TURNS[1]])
    assert said([first, last]) == SAID
    assert isinstance(bad, MnemicError)
    assert words in bad.message


MEM0 = {
    "results": [
        {
            "id": "892db2ae-06d9-49e5-8b3e-585ef9b85b8e",
            "memory": "Likes tea",
            "hash": "x",
            "metadata": {"source": "chat", "n": 1, "deep": {"a": 1}, "none": None},
            "created_at": "2024-05-07T03:00:00-07:00",
            "updated_at": None,
            "user_id": "u1",
            "run_id": "r1",
            "categories": ["food"],
        },
        {"id": "b", "memory": "Lives in Porto", "created_at": "2024-05-07T10:00:00Z", "agent_id": "a", "role": "user"},
        {"id": "c", "text": 7},
    ]
}


@pytest.mark.parametrize("document", [MEM0, MEM0["results"]])
def test_mem0s_memories_become_facts(document):
    first, second, bad = read_mem0(in_chunks(json.dumps(document, indent=1).encode()))
    assert (first.kind, first.body, first.scope) == (
        MemoryKind.FACT,
        "Likes tea",
        Scope(user_id="u1", session_id="r1"),
    )
    assert first.create_time_micros == second.create_time_micros == MAY
    assert first.metadata == {
        "source": "chat",
        "n": 1,
        "deep": '{"a": 1}',
        "mem0_id": "892db2ae-06d9-49e5-8b3e-585ef9b85b8e",
    }
    assert first.categories == ("food",)
    assert (second.scope, second.role) == (Scope(agent_id="a"), Role.USER)
    assert isinstance(bad, MnemicError)


def taken_in(engine, data, form, **options):
    request = ImportRequest(format=form, **options)
    *others, last = engine.transfer.import_memories("t", request, in_chunks(data, 1000))
    return replace(last, errors=tuple(problem for answer in others for problem in answer.errors))


def listed(engine):
    request = ListRequest(scope=Scope(), match=ScopeMatch.TENANT, page_size=1000)
    return list(engine.list_memories("t", request).memories)


def test_importing_a_log_again_adds_only_what_is_new(engine):
    lines = [{"role": "user", "content": "yes", "session_id": "s"} for _ in range(600)]
    data = "\n".join(map(json.dumps, lines)).encode()
    last = taken_in(engine, data, TransferFormat.CHAT, default_scope=USER)
    assert (last.added_count, last.error_count) == (600, 0)
    assert taken_in(engine, data, TransferFormat.CHAT, default_scope=USER).duplicate_count == 600
    more = data + b"\n" + json.dumps({"role": "user", "content": "and then", "session_id": "s"}).encode()
    last = taken_in(engine, more, TransferFormat.CHAT, default_scope=USER)
    assert (last.added_count, last.duplicate_count) == (1, 600)
    assert listed(engine)[0].body == "and then"
    assert engine.check() == []


def test_a_log_is_listed_in_its_order(engine):
    turns = [{"role": "user", "content": f"turn {number}"} for number in range(300)]
    document = {"sessions": [{"id": "s", "time": "2024-05-07", "messages": turns}]}
    taken_in(engine, json.dumps(document).encode(), TransferFormat.CHAT, default_scope=USER)
    assert [memory.body for memory in reversed(listed(engine))] == [turn["content"] for turn in turns]


def test_mem0s_memories_are_found_and_keep_their_times(engine):
    last = taken_in(engine, json.dumps(MEM0).encode(), TransferFormat.MEM0)
    assert (last.added_count, last.error_count, last.errors[0].item_index) == (2, 1, 2)
    assert {memory.create_time_micros for memory in listed(engine)} == {MAY}
    assert taken_in(engine, json.dumps(MEM0).encode(), TransferFormat.MEM0).duplicate_count == 2
    assert engine.check() == []


def test_an_item_without_ids_is_an_error_of_that_item(engine):
    last = taken_in(engine, json.dumps(TURNS).encode(), TransferFormat.CHAT)
    assert (last.error_count, last.errors[0].reason) == (2, "SCOPE_MISSING")


def test_facts_are_drawn_from_a_log_if_asked(engine):
    data = json.dumps([{"role": "user", "content": "I live in Porto"}]).encode()
    taken_in(engine, data, TransferFormat.CHAT, default_scope=USER, extract=True)
    assert engine.stats("t").store.outbox_pending + sum(memory.kind is MemoryKind.FACT for memory in listed(engine))


@pytest.mark.parametrize("data", [b"{", b"[1, 2", b"[{}} ", b'{"a": 1} x', b"[1 2]", b"\xff", b'["\xff"]', b"[" * 5000])
def test_a_document_that_is_no_json_is_refused(data):
    with pytest.raises(MnemicError, match="data: "):
        list(values(in_chunks(data)))


def test_a_bad_line_is_told_in_its_place():
    first, bad, last = values(in_chunks(b'{"a": 1}\n{"b": \n{"c": 3}'))
    assert (first, last) == ({"a": 1}, {"c": 3})
    assert isinstance(bad, MnemicError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON), st.integers(1, 20), st.sampled_from([None, 1]))
def test_an_array_is_read_element_by_element_wherever_it_is_cut(elements, size, indent):
    data = json.dumps(elements, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert list(values(in_chunks(data, size))) == elements


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), min_size=1), st.integers(1, 20))
def test_lines_are_read_one_by_one_wherever_they_are_cut(documents, size):
    data = b"\n".join(json.dumps(document).encode() for document in documents)
    assert list(values(in_chunks(data, size))) == documents
