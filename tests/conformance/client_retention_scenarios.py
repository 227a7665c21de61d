"""Retention, for every client alike."""

import uuid
from datetime import timedelta

from client_scenarios import bodies, client_scenario, refusal

from mnemic import Reason, retention_policy


def own_policy(user: str, **limits) -> dict:
    """A policy of the scenario's own user, that no run applies that does not name it."""
    return {"user_id": user, "disabled": True, **limits}


@client_scenario
def a_policy_is_set_previewed_run_and_undone(memory, user):
    for number in range(4):
        memory.add({"content": f"thing number {number}", "importance": number / 10}, user_id=user)
    # As an id, since what a run makes is its own.
    name = str(uuid.uuid4())
    limits = own_policy(
        user, max_memories_per_scope=2, archive_period=timedelta(minutes=10), score_weights={"use": 0.0}
    )
    checked = memory.set_retention_policy(name, validate_only=True, **limits).policy
    assert refusal(memory.get_retention_policy, name).reason is Reason.RESOURCE_NOT_FOUND
    made = memory.set_retention_policy(name, **limits).policy
    assert (made.version, made.archive_period_micros) == (checked.version, 600_000_000)
    assert memory.get_retention_policy(name) == made
    assert made in memory.client.list_retention_policies(page_size=1000).policies
    tried = memory.preview_retention(trial_policies=[retention_policy("trial", **limits)], sample_size=0, user_id=user)
    assert (tried.report.removed_count, tried.report.samples) == (2, ())
    request_id = str(uuid.uuid4())
    # How far it is in its first answer is chance.
    begun = memory.client.run_retention(policy_ids=[name], request_id=request_id, user_id=user)
    run = memory.retention_run(begun.run.run_id, wait=30)
    assert (run.has_ended, run.report.removed_count, run.report.examined_count) == (True, 2, 4)
    archived = memory.list_archived(user_id=user)
    assert sorted(item.memory.body for item in archived.memories) == ["thing number 0", "thing number 1"]
    memory.restore(archived.memories[0].memory.memory_id)
    assert len(memory.list_archived(user_id=user).memories) == 1
    assert len(bodies(memory.list(user_id=user).memories)) == 3
    assert memory.delete_retention_policy(name) is False
    assert refusal(memory.delete_retention_policy, name).reason is Reason.RESOURCE_NOT_FOUND


@client_scenario
def a_hold_is_made_listed_and_released(memory, user):
    held = memory.create_legal_hold("a case", user_id=user).hold
    assert held.hold_id in [hold.hold_id for hold in memory.client.list_legal_holds(page_size=1000).holds]
    released = memory.release_legal_hold(held.hold_id).hold
    assert (released.hold_id, released.release_time_micros is not None) == (held.hold_id, True)
    assert held.hold_id not in [hold.hold_id for hold in memory.client.list_legal_holds(page_size=1000).holds]
    assert refusal(memory.create_legal_hold, "everybody").reason is Reason.SCOPE_MISSING


@client_scenario
def a_span_that_is_none_is_refused(memory, user):
    assert (
        refusal(memory.set_retention_policy, "p", max_age="soon", user_id=user).violations[0].field == "policy.max_age"
    )
    assert refusal(memory.set_retention_policy, "p", user_id=user).violations[0].field == "policy"
    whole = retention_policy("p", max_age="90d")
    assert refusal(memory.set_retention_policy, whole, max_age="80d").violations[0].field == "policy"
