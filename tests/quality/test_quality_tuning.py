"""Features, and weights found on some questions and judged on others."""

import numpy as np
import pytest

from bench.quality.corpora import Conversation, Corpus, Question, Turn
from bench.quality.features import FeatureTable, Ranking
from bench.quality.metrics import measures
from bench.quality.remembering import Remembered, signals_of
from bench.quality.tune import Fitting, leave_one_out
from bench.quality.vectors import KnownVectors
from mnemic import Memory

CANDIDATES = 30


def table(seed: int = 5, questions: int = 40) -> FeatureTable:
    """Of three signals the second tells the evidence, the others are noise; one piece of evidence is nowhere."""
    chance = np.random.default_rng(seed)
    label = np.zeros((questions, CANDIDATES), bool)
    for row in label:
        row[chance.choice(CANDIDATES, 2, replace=False)] = True
    values = chance.random((questions, CANDIDATES, 3), np.float32)
    values[:, :, 1] = np.clip(0.6 * label + 0.5 * values[:, :, 1], 0, 1)
    flat = values.reshape(-1, 3)
    conversations = np.asarray([f"made up/{i % 4}" for i in range(questions)])
    return FeatureTable(
        signals=np.asarray(["first", "second", "third"]),
        raw=flat,
        normalized=flat,
        label=label.ravel(),
        question=np.repeat(np.arange(questions, dtype=np.int32), CANDIDATES),
        texts=np.asarray(["?"] * questions),
        kinds=np.asarray(["kind"] * questions),
        conversations=conversations,
        corpora=np.asarray(["made up"] * questions),
        wanted=np.full(questions, 3, np.int32),
    )


def test_ranks_by_any_score_are_judged_as_answers_are():
    features = table()
    chosen = np.arange(40) % 3 == 0
    scores = np.round(features.normalized.sum(axis=1), 1)[chosen[features.question]]  # rounded, so that there are ties
    judged = Ranking(features, chosen).judge(scores)
    for place, number in enumerate(np.flatnonzero(chosen)):
        rows = features.question == number
        order = np.argsort(-scores[place * CANDIDATES : (place + 1) * CANDIDATES], kind="stable")
        ranks = (np.flatnonzero(features.label[rows][order]) + 1).tolist()
        expected = measures(ranks, 3)
        for name, values in judged.items():
            assert values[place] == pytest.approx(expected[name]), name


def test_a_question_without_any_candidate_scores_nothing():
    features = table(questions=2)
    rows = features.question == 0
    only_first = FeatureTable(
        **{
            name: getattr(features, name)[rows]
            if name in ("raw", "normalized", "label", "question")
            else getattr(features, name)
            for name in features.__dataclass_fields__
        }
    )
    judged = Ranking(only_first, np.ones(2, bool)).judge(only_first.normalized[:, 1])
    assert judged["recall@10"][0] > 0
    assert judged["recall@10"][1] == 0


def test_a_fit_finds_the_signal_that_tells_and_drops_the_others():
    fitting = Fitting(table(), {"first": 0.5, "second": 0.1, "third": 0.5})
    weights = fitting.fit(np.ones(40, bool))
    assert weights["second"] > 5 * max(weights["first"], weights["third"])


def test_leaving_out_judges_each_conversation_by_weights_of_the_others(monkeypatch):
    features = table()
    fitting = Fitting(features, {"first": 0.1, "second": 0.5, "third": 0.1})
    fitted, seen = Fitting.fit, []

    def watched(self, questions):
        seen.append(set(features.conversations[questions].tolist()))
        return fitted(self, questions)

    monkeypatch.setattr(Fitting, "fit", watched)
    among = features.conversations != "made up/3"
    judged = leave_one_out(fitting, among)
    everyone = {f"made up/{i}" for i in range(3)}
    assert seen == [everyone - {name} for name in sorted(everyone)]
    assert judged["recall@10"][~among].max() == 0
    assert judged["recall@10"][among].mean() > 0.6


def test_a_pool_has_the_best_of_every_signal_and_no_others():
    features = table(questions=3)
    pooled = features.pooled(2)
    for number in range(3):
        rows = features.question == number
        best = {int(place) for column in features.raw[rows].T for place in np.argsort(-column)[:2]}
        assert pooled.raw[pooled.question == number].tolist() == features.raw[rows][sorted(best)].tolist()
    assert pooled.wanted.tolist() == features.wanted.tolist()


def test_a_pool_has_nothing_that_no_signal_knows():
    features = table(questions=1)
    features.raw[3] = 0.0
    assert len(features.pooled(CANDIDATES).question) == CANDIDATES - 1


def test_a_table_is_kept_as_it_is(tmp_path):
    features = table()
    features.save(tmp_path / "table.npz")
    again = FeatureTable.load(tmp_path / "table.npz")
    for name in features.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(features, name))


def test_a_table_has_every_candidate_with_its_signals_and_label(engine, tmp_path):
    turns = [Turn("a", 0, "My dog is called Rex."), Turn("b", 0, "We went sailing.")]
    questions = [Question("q", "What is the dog called?", "kind", frozenset({"a", "z"}))]
    corpus = Corpus("made up", [Conversation("one", turns, questions)])
    with Memory(engine=engine) as memory:
        vectors = KnownVectors("static", tmp_path)
        remembered = Remembered.by(memory, corpus, vectors)
        vectors.close()
        features = FeatureTable.collect([remembered], signals_of(memory))
    assert features.label.tolist() == [True, False]
    assert (features.wanted.tolist(), features.conversations.tolist()) == ([2], ["made up/one"])
    lexical = features.signals.tolist().index("lexical")
    assert features.raw[:, lexical].tolist() == [pytest.approx(features.raw[0, lexical]), 0.0]
    assert features.normalized[0, lexical] == 1.0
