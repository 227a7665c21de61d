"""What the clients take for a message, a moment, a vector, metadata and ids, and what they make of it."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest

from mnemic.client.inputs import memory_inputs, micros, vector_bytes
from mnemic.client.requests import add_request, list_request, search_request, update_request
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput, MemoryKind, Role, TimePrecision, TrustLevel
from mnemic.model.requests import AddMode, WaitFor
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SignalWeights

MAY_FIRST = 1_777_593_600_000_000  # 2026-05-01T00:00:00Z
HALF_PAST_NINE = MAY_FIRST + (9 * 60 + 30) * 60_000_000
ONE = np.array([1.0, 0.5], dtype="<f4").tobytes()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("tea", [MemoryInput(body="tea")]),
        (["tea", "milk"], [MemoryInput(body="tea"), MemoryInput(body="milk")]),
        (("tea",), [MemoryInput(body="tea")]),
        ((text for text in ["tea"]), [MemoryInput(body="tea")]),
        (MemoryInput(body="tea", kind=MemoryKind.FACT), [MemoryInput(body="tea", kind=MemoryKind.FACT)]),
        ({"role": "user", "content": "tea"}, [MemoryInput(body="tea", role=Role.USER)]),
        ({"role": "developer", "content": "be brief"}, [MemoryInput(body="be brief", role=Role.SYSTEM)]),
        ({"role": Role.TOOL, "body": "42"}, [MemoryInput(body="42", role=Role.TOOL)]),
        ({"content": "tea", "name": None, "metadata": None}, [MemoryInput(body="tea")]),
        (
            {"role": "user", "content": [{"type": "text", "text": "tea"}, {"type": "text", "text": "milk"}]},
            [MemoryInput(body="tea\nmilk", role=Role.USER)],
        ),
        (
            {"content": "tea", "name": "Ana", "timestamp": "2026-05-01T09:30:00Z", "kind": "fact", "trust": "verified"},
            [
                MemoryInput(
                    body="tea",
                    name="Ana",
                    event_time_micros=HALF_PAST_NINE,
                    kind=MemoryKind.FACT,
                    trust=TrustLevel.VERIFIED,
                )
            ],
        ),
        (
            {"content": "tea", "event_time": date(2026, 5, 1)},
            [MemoryInput(body="tea", event_time_micros=MAY_FIRST, event_time_precision=TimePrecision.DAY)],
        ),
        (
            {"content": "tea", "event_time": "2026-05-01", "event_time_precision": "month"},
            [MemoryInput(body="tea", event_time_micros=MAY_FIRST, event_time_precision=TimePrecision.MONTH)],
        ),
        (
            {"content": "tea", "metadata": {"tags": ["a", "b"], "n": 1}, "categories": ["food"], "vector": [1.0, 0.5]},
            [MemoryInput(body="tea", metadata={"tags": ("a", "b"), "n": 1}, categories=("food",), vector=ONE)],
        ),
    ],
    ids=str,
)
def test_a_message_is_taken_as_text_dict_or_typed(given, expected):
    assert memory_inputs(given) == expected


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        (7, "messages", "give a text"),
        (b"tea", "messages", "give a text"),
        (["tea", None], "messages[1]", "is a NoneType"),
        ([{"role": "user"}], "messages[0].content", "is missing"),
        ({"content": None}, "messages.content", "give the text"),
        ({"content": 7}, "messages.content", "give the text"),
        ({"content": [{"type": "image_url", "image_url": {}}]}, "messages.content[0]", "is no text"),
        ({"content": "x", "text": "y"}, "messages", "has the key 'text'"),
        ({"content": "x", "body": "y"}, "messages.body", "a second time"),
        ({"content": "x", "role": "narrator"}, "messages.role", "user, assistant"),
        ({"content": "x", "kind": 2}, "messages.kind", "there are message, fact"),
        ({"content": "x", "event_time": "yesterday"}, "messages.event_time", "RFC 3339"),
        ({"content": "x", "timestamp": 1_700_000_000}, "messages.timestamp", "is a int"),
        ({"content": "x", "categories": "food"}, "messages.categories", "a list of texts"),
        ({"content": "x", "metadata": {"a": {"b": 1}}}, "messages.metadata['a']", "is a dict"),
        ({"content": "x", "metadata": {"a": None}}, "messages.metadata['a']", "is None"),
        ({"content": "x", "metadata": {"a": [1, 2]}}, "messages.metadata['a']", "besides texts"),
        ({"content": "x", "metadata": "a"}, "messages.metadata", "give a dict"),
        ({"content": "x", "vector": [[1.0]]}, "messages.vector", "a row of numbers"),
        ({"content": "x", "vector": "abc"}, "messages.vector", "a row of numbers"),
        (MemoryInput(body="x", categories="food"), "messages.categories", "a list of texts"),
        (MemoryInput(body="x", metadata={"a": {}}), "messages.metadata['a']", "is a dict"),
    ],
    ids=str,
)
def test_what_is_no_message_is_refused_by_its_place(given, field, words):
    with pytest.raises(MnemicError) as refused:
        memory_inputs(given)
    assert refused.value.reason is Reason.INVALID_FIELD
    assert refused.value.violations[0].field == field
    assert words in refused.value.violations[0].description


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (datetime(2026, 5, 1, 9, 30, tzinfo=UTC), HALF_PAST_NINE),
        (datetime(2026, 5, 1, 9, 30), HALF_PAST_NINE),  # noqa: DTZ001 (that a naive one is UTC is the point)
        (datetime(2026, 5, 1, 11, 30, tzinfo=timezone(timedelta(hours=2))), HALF_PAST_NINE),
        ("2026-05-01T09:30:00Z", HALF_PAST_NINE),
        ("2026-05-01T11:30:00+02:00", HALF_PAST_NINE),
        ("2026-05-01 09:30", HALF_PAST_NINE),
        ("2026-05-01", MAY_FIRST),
        (date(2026, 5, 1), MAY_FIRST),
    ],
    ids=str,
)
def test_a_moment_without_a_zone_is_utc(given, expected):
    assert micros(given, "event_time") == expected


def test_a_vector_is_little_endian_float32():
    assert vector_bytes([1.0, 0.5], "vector") == ONE
    assert vector_bytes(np.array([1.0, 0.5]), "vector") == ONE
    assert vector_bytes(np.array([1.0, 0.5], dtype=">f8"), "vector") == ONE
    assert vector_bytes(ONE, "vector") == ONE


def test_what_is_said_for_all_messages_yields_to_what_one_says_itself():
    request = add_request(
        ["tea", {"content": "milk", "metadata": {"n": 2}, "event_time": "2026-05-02", "categories": ["drink"]}],
        metadata={"n": 1, "who": "Ana"},
        event_time="2026-05-01",
        categories=["food"],
        user_id="u1",
        run_id="s1",
    )
    tea, milk = request.memories
    assert request.scope == Scope(user_id="u1", session_id="s1")
    assert (tea.metadata, tea.categories, tea.event_time_micros) == ({"n": 1, "who": "Ana"}, ("food",), MAY_FIRST)
    assert (milk.metadata, milk.categories) == ({"n": 2, "who": "Ana"}, ("drink", "food"))
    assert milk.event_time_micros == MAY_FIRST + 86_400_000_000


@pytest.mark.parametrize("infer", [None, False])
def test_infer_off_keeps_the_text(infer):
    assert add_request("tea", user_id="u1", infer=infer).memories == (MemoryInput(body="tea"),)


def test_infer_on_asks_a_language_model():
    assert add_request("tea", user_id="u1", infer=True).mode is AddMode.LLM
    assert add_request("tea", user_id="u1", mode="local", wait_for="extracted").wait_for is WaitFor.EXTRACTED
    with pytest.raises(MnemicError, match="infer"):
        add_request("tea", user_id="u1", infer=True, mode="local")
    with pytest.raises(MnemicError, match="infer"):
        add_request("tea", user_id="u1", infer=False, mode="llm")


def test_mem0s_names_mean_ours():
    assert search_request("q", user_id="u", run_id="s", limit=3, threshold=0.2) == search_request(
        "q", user_id="u", session_id="s", top_k=3, min_score=0.2
    )
    assert update_request("m", data="x") == update_request("m", "x")
    # The same said twice is no contradiction.
    assert search_request("q", user_id="u", limit=3, top_k=3).top_k == 3


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: search_request("q", session_id="a", run_id="b"), "session_id"),
        (lambda: search_request("q", user_id="u", top_k=1, limit=2), "top_k"),
        (lambda: search_request("q", user_id="u", min_score=0.1, threshold=0.0), "min_score"),
        (lambda: update_request("m", "x", data="y"), "text"),
    ],
)
def test_a_name_and_its_alias_may_not_contradict(make, field):
    with pytest.raises(MnemicError, match="which means the same") as refused:
        make()
    assert refused.value.violations[0].field == field


def test_a_falsy_value_is_a_value():
    assert search_request("q", user_id="u", threshold=0.0).min_score == 0.0
    # Refused by the engine, not read as "unsaid".
    assert search_request("q", user_id="u", top_k=0).top_k == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [("exact", ScopeMatch.EXACT), ("VISIBLE", ScopeMatch.VISIBLE), (ScopeMatch.TENANT, ScopeMatch.TENANT)],
)
def test_a_match_is_taken_by_name(given, expected):
    assert list_request(user_id="u", match=given).match is expected


def test_the_default_match_is_the_contracts():
    assert search_request("q", user_id="u").match is ScopeMatch.VISIBLE
    assert list_request(user_id="u").match is ScopeMatch.VISIBLE


@pytest.mark.parametrize(
    ("make", "field", "words"),
    [
        (lambda: search_request("q", user_id=7), "scope.user_id", "give a text"),
        (lambda: search_request("q", user_id="u", match="any"), "match", "visible, exact, tenant"),
        (lambda: search_request(None, user_id="u"), "query", "give a text"),
        (lambda: search_request("q", user_id="u", weights={"magic": 1}), "weights.magic", "there are vector"),
    ],
)
def test_bad_arguments_name_what_is_accepted(make, field, words):
    with pytest.raises(MnemicError) as refused:
        make()
    assert refused.value.violations[0].field == field
    assert words in refused.value.violations[0].description


def test_an_unknown_keyword_is_a_type_error():
    with pytest.raises(TypeError, match="colour"):
        search_request("q", user_id="u", colour="red")
    with pytest.raises(TypeError, match="colour"):
        update_request("m", "x", colour="red")


def test_weights_are_taken_as_a_dict():
    assert search_request("q", user_id="u", weights={"vector": 0.2}).weights == SignalWeights(vector=0.2)


def test_an_update_changes_what_is_given_and_nothing_else():
    request = update_request("m", expire_time=None, categories=["food"], user_id="u1", expected_version=2)
    assert request.changes.fields == {"expire_time_micros", "categories"}
    assert request.changes.expire_time_micros is None
    assert (request.scope, request.expected_version) == (Scope(user_id="u1"), 2)
    assert update_request("m", "x").scope is None


def test_a_new_event_time_is_known_as_exactly_as_it_is_given():
    day = update_request("m", event_time="2026-05-01").changes
    assert day.fields == {"event_time_micros", "event_time_precision"}
    assert day.event_time_precision is TimePrecision.DAY
    instant = update_request("m", event_time=datetime(2026, 5, 1, 9, 30, tzinfo=UTC)).changes
    assert instant.event_time_precision is TimePrecision.UNSPECIFIED
