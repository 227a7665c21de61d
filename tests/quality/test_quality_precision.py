"""PrecisionMemBench by its own rules, on beliefs made by hand, answered by a real memory."""

import json

import pytest

from bench.quality.precision import Precision, Verdict, best_of, goal_of, judge, load, measure, seeded
from mnemic import Memory


def belief(name, content, *, user="test-user", kind="preference", scope="domain:code", pinned=False, **more):
    return {
        "_id": name,
        "user_id": user,
        "type": kind,
        "canonical_name": name,
        "aliases": [],
        "content": content,
        "why_it_matters": "",
        "scope": [scope],
        "pinned": pinned,
        "superseded_by": None,
        "resolved_at": None,
    } | more


BELIEFS = [
    belief("b-cache", "Redis is the cache.", kind="entity"),
    belief("b-rel", "Login depends on sessions.", kind="relation", participants=["b-cache", "b-novel"]),
    belief("b-pinned", "Postgres was chosen as database.", kind="decision", pinned=True),
    belief("b-old", "MySQL was the database.", pinned=True, superseded_by="b-pinned"),
    belief("b-question", "Whether to use cookies.", kind="open_question", pinned=True),
    belief("b-novel", "Redis is a character of the novel.", scope="domain:writing"),
    belief("b-other", "Redis belongs to somebody else.", user="other-user"),
]


def case(query, expect, **more):
    return {"caseId": query, "category": "", "scope": ["domain:code"], "query": query, "expect": expect} | more


def turn(index, query, expect, **more):
    return {"turnIndex": index, "scope": ["domain:code"], "userMessage": query, "expect": expect} | more


CASES = [
    case("Redis", {"relevantBeliefs": {"shouldOnlyInclude": ["b-cache"]}}),
    case("zebra", {"relevantBeliefs": {"shouldOnlyInclude": []}}),
    case("sessions", {"relevantBeliefs": {"shouldOnlyInclude": ["b-rel", "b-cache"]}}),
    case(
        "database",
        {"pinnedFacts": {"mustInclude": ["b-pinned"]}, "openQuestions": {"mustInclude": ["b-question"]}},
        budget={"maxBeliefs": 1},
    ),
    case("", {"relevantBeliefs": {"mustInclude": ["b-pinned"]}}),
]
SESSION = [
    turn(
        0, "zebra", {"relevantBeliefs": {"shouldOnlyInclude": []}}, createBeliefAtTurn=belief("b-new", "zebra stripes")
    ),
    turn(
        1,
        "zebra",
        {"relevantBeliefs": {"shouldOnlyInclude": ["b-new"]}},
        updateBeliefAtTurn={"beliefId": "b-cache", "addAliases": ["Giraffe"]},
    ),
    turn(2, "giraffe", {"relevantBeliefs": {"shouldOnlyInclude": ["b-cache"]}}),
]


@pytest.fixture
def fixtures(tmp_path):
    files = {
        "beliefs.seed": BELIEFS,
        "retrieval.cases": CASES,
        "session-retrieval.cases": [{"caseId": "s", "turns": SESSION}],
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return load(tmp_path)


@pytest.fixture
def words(engine):
    """A memory that is asked by words alone, so that a belief without the word scores 0."""

    class Words(Memory):
        def search(self, query="", **options):
            return super().search(query, profile="lexical", **options)

    with Words(engine=engine) as memory:
        yield memory


def verdicts(memory, fixtures, min_score=0.5):
    believing = seeded(memory, fixtures)
    return {case.query: judge(believing, case, min_score) for case in fixtures.cases}


def test_exactly_what_was_expected_passes(words, fixtures):
    assert verdicts(words, fixtures)["Redis"] == Verdict(1.0, 1.0, is_passed=True)


def test_where_nothing_is_expected_nothing_is_right_and_anything_is_wrong(words, fixtures):
    assert verdicts(words, fixtures)["zebra"] == Verdict(None, None, is_passed=True)
    wrong = verdicts(Memory(engine=words.engine), fixtures, min_score=0.0)["zebra"]
    assert wrong == Verdict(0.0, None, is_passed=False)


def test_what_a_relation_is_between_comes_with_it_within_the_scope(words, fixtures):
    assert verdicts(words, fixtures)["sessions"] == Verdict(1.0, 1.0, is_passed=True)


def test_pinned_beliefs_are_kept_apart_and_take_of_the_budget(words, fixtures):
    believing = seeded(words, fixtures)
    pinned, relevant, questions = believing.answer(fixtures.cases[3], 0.0)
    assert (pinned, relevant, questions) == (["b-pinned"], [], ["b-question"])


def test_an_empty_question_finds_nothing(words, fixtures):
    assert verdicts(words, fixtures)[""] == Verdict(None, None, is_passed=True)


def test_beliefs_of_another_user_or_scope_are_never_found(words, fixtures):
    believing = seeded(words, fixtures)
    assert believing.answer(fixtures.cases[0], 0.0)[1] == ["b-cache"]


def test_in_a_session_beliefs_come_and_get_aliases(words, fixtures):
    (outcome,) = measure(words, fixtures, [0.5])
    assert outcome.turns == (
        Verdict(None, None, is_passed=True),
        Verdict(1.0, 1.0, is_passed=True),
        Verdict(1.0, 1.0, is_passed=True),
    )


def outcome(min_score, *precisions, recall=1.0):
    return Precision(min_score, tuple(Verdict(value, recall, is_passed=False) for value in precisions), ())


def test_the_best_threshold_balances_precision_and_recall():
    # Harmonic means: 0.18, 0.75, 0.64.
    outcomes = [outcome(0.0, 0.1), outcome(0.3, 0.6), outcome(0.6, 0.9, recall=0.5)]
    assert best_of(outcomes).min_score == 0.3


def test_the_goal_judges_each_case_by_the_threshold_of_the_others():
    # The second threshold is best on the whole, but without the third case the first is.
    outcomes = [outcome(0.0, 0.6, 0.6, 0.0), outcome(0.5, 0.5, 0.5, 1.0)]
    goal = goal_of(outcomes)
    assert goal.value == pytest.approx((0.5 + 0.5 + 0.0) / 3)
    assert not goal.met
