"""The goals of the issue as rows: each is there in every run, and what was not measured is missed."""

from bench.quality.goals import DEFAULT_MODEL, FAST_MODEL, MEM0, Measured, goals_of
from bench.quality.running import ALL, Pace, Summary

METRICS = ("recall@10", "ndcg@10", "mrr")


def summary(corpus, mode="balanced", kind=ALL, value=0.9, model=DEFAULT_MODEL):
    spans = dict.fromkeys(METRICS, (value - 0.02, value + 0.01))
    return Summary(corpus, model, mode, "profile", kind, 10, dict.fromkeys(METRICS, value), spans, spans, 100.0)


def test_without_anything_measured_every_goal_is_missed():
    goals = goals_of(Measured())
    assert len(goals) == 11
    assert all(goal.value is None and not goal.met and goal.note for goal in goals)


def test_a_goal_tells_its_questions_intervals_and_what_was_left_out():
    measured = Measured(
        [summary("LoCoMo", value=0.8)], leave_one_out={"LoCoMo all recall@10": 0.75}, tuned_commit="abc"
    )
    goal = next(goal for goal in goals_of(measured) if goal.name == "LoCoMo recall@10")
    assert (goal.value, goal.met) == (0.8, False)
    assert goal.note == (
        "10 questions; 95 % by question 0.780 to 0.810, by conversation 0.780 to 0.810; "
        "weights found on the other conversations (tuned at abc): 0.750"
    )


def test_mem0_is_behind_by_the_difference():
    measured = Measured([summary("LoCoMo", value=0.9), summary("LoCoMo", MEM0, value=0.6)])
    goal = next(goal for goal in goals_of(measured) if "Mem0" in goal.name)
    assert round(goal.value, 3) == 0.3
    assert goal.met


def test_the_static_embedding_is_judged_by_the_profile_fast():
    pace = Pace("LoCoMo", FAST_MODEL, (120.0, 300.0), (30.0, 40.0), (60.0, 90.0))
    plain = Measured([summary("LoCoMo", value=0.7, model=FAST_MODEL)], [pace])
    fast = Measured([*plain.summaries, summary("LoCoMo", "fast", value=0.85, model=FAST_MODEL)], [pace])
    values = {
        name: [goal.value for goal in goals_of(run) if "static" in goal.name]
        for name, run in (("plain", plain), ("fast", fast))
    }
    assert values == {"plain": [None, None], "fast": [0.85, 120.0]}
