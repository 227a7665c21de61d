"""A tiny corpus, remembered and asked through the public API: what bench-quality measures is what searches answer."""

import json
from datetime import UTC, datetime

import pytest

from bench.quality.corpora import Conversation, Corpus, Question, Turn
from bench.quality.modes import DEFAULT, RRF, modes_of
from bench.quality.remembering import Found, Remembered, signals_of
from bench.quality.running import ALL, TokenCounter, answers_of, summaries_of
from bench.quality.thresholds import thresholds_of
from bench.quality.vectors import KnownVectors
from mnemic import Memory
from mnemic.embedding.install import pull_model
from mnemic.model.search import StageTimings

SPOKEN = datetime(2024, 5, 1, tzinfo=UTC)
BODIES = ("My dog is called Rex.", "We went sailing off the coast.", "I bake bread every Sunday.")


def conversation(name: str, bodies) -> Conversation:
    turns = [Turn(f"{name}-{i}", i // 2, body, "Ann", spoken_at=SPOKEN) for i, body in enumerate(bodies)]
    return Conversation(
        name,
        turns,
        [
            Question(f"{name}/dog", "What is the dog called?", "single", frozenset({f"{name}-0"})),
            Question(f"{name}/never", "Who paints the fence?", "other", frozenset({"nowhere"})),
        ],
    )


@pytest.fixture
def corpus() -> Corpus:
    return Corpus("made up", [conversation("one", BODIES), conversation("two", BODIES[:1])])


@pytest.fixture
def remembered(engine, corpus, tmp_path) -> Remembered:
    vectors = KnownVectors("static", tmp_path / "cache")
    with Memory(engine=engine) as memory:
        yield Remembered.by(memory, corpus, vectors)
    vectors.close()


@pytest.fixture
def tokens() -> TokenCounter:
    pull_model("minilm")
    return TokenCounter()


def test_every_turn_is_in_its_users_scope_with_its_session_and_time(remembered, engine):
    one = remembered.users["one"]
    kept = list(Memory(engine=engine).iterate(user_id=one, match="exact"))
    assert {remembered.turn_of[memory.memory_id] for memory in kept} == {"one-0", "one-1", "one-2"}
    assert len({memory.scope.session_id for memory in kept}) == 2
    assert {memory.event_time for memory in kept} == {SPOKEN}


def test_the_ids_of_the_data_set_stay_in_the_bench(remembered):
    assert not any("one" in user or "two" in user for user in remembered.users.values())


@pytest.mark.parametrize("mode", ["balanced", RRF])
def test_a_mode_finds_what_its_conversation_holds_and_nothing_of_another(remembered, tokens, mode):
    chosen = next(m for m in modes_of(signals_of(remembered.backend)) if m.name == mode)
    answers = list(answers_of(remembered, "static", chosen, tokens))
    first = {answer.question.question_id: answer.found.turns[0] for answer in answers}
    assert (first["one/dog"], first["two/dog"]) == (("one-0",), ("two-0",))
    for answer in answers:
        assert all(turns[0].startswith(answer.conversation) for turns in answer.found.turns)


def test_summaries_have_all_questions_and_each_kind(remembered, tokens):
    summaries = {s.kind: s for s in summaries_of(list(answers_of(remembered, "static", DEFAULT, tokens)))}
    assert {kind: (s.count, s.means["recall@1"]) for kind, s in summaries.items()} == {
        ALL: (4, 0.5),
        "single": (2, 1.0),
        "other": (2, 0.0),
    }
    assert summaries["single"].by_question["recall@10"] == (1.0, 1.0)


def test_what_asking_for_more_adds_comes_after_the_ten_in_its_order():
    def found(*names):
        return Found(tuple((name,) for name in names), names, (), (), StageTimings(), 0.0)

    merged = found("b", "a").followed_by(found("a", "c", "b", "d"))
    assert merged.bodies == ("b", "a", "c", "d")
    assert merged.turns == (("b",), ("a",), ("c",), ("d",))


def test_a_line_of_the_file_names_question_evidence_and_first_hits(remembered, tokens):
    line = json.loads(next(answers_of(remembered, "static", DEFAULT, tokens)).line())
    assert (line["question"], line["evidence"], line["ranks"]) == ("one/dog", ["one-0"], [1])
    assert line["first"][0] == ["one-0"]
    # "Ann: My dog is called Rex." and the two other turns, in word pieces.
    assert line["context_tokens"] == 26


def test_vectors_are_those_of_the_model_and_are_known_the_next_time(tmp_path, engine):
    first = KnownVectors("static", tmp_path)
    made = first.of(["a text", "another", "a text"])
    assert made[0] == made[2] != made[1]
    first.close()
    second = KnownVectors("static", tmp_path)
    second._provider = None  # nothing may be embedded now
    assert second.of(["another"]) == made[1:2]


def test_a_signal_that_a_version_does_not_have_is_left_out(remembered):
    signals = signals_of(remembered.backend)
    assert {"vector", "lexical"} <= set(signals)
    ablated = {m.name for m in modes_of(signals) if m.group == "ablation"}
    assert {"balanced without vector", "balanced without lexical"} <= ablated


def test_a_threshold_loses_evidence_and_silences_foreign_questions(remembered, tokens):
    answers = list(answers_of(remembered, "static", DEFAULT, tokens))
    thresholds = thresholds_of(remembered, answers)
    lowest, highest = thresholds[0], thresholds[-1]
    # Three turns in one conversation and one in the other; each has two questions, one of them without an answer.
    assert (lowest.min_score, lowest.recall, lowest.hits, lowest.silent) == (0.0, 0.5, 2.0, 0.0)
    assert [one.hits for one in thresholds] == sorted((one.hits for one in thresholds), reverse=True)
    assert highest.recall == 0.5
    assert highest.hits < lowest.hits


def test_a_single_conversation_has_no_foreign_questions(engine, tmp_path):
    corpus = Corpus("made up", [conversation("one", BODIES)])
    vectors = KnownVectors("static", tmp_path / "cache")
    with Memory(engine=engine) as memory:
        assert thresholds_of(Remembered.by(memory, corpus, vectors), []) == []
    vectors.close()
