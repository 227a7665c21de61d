"""Consolidation, for every client alike."""

import uuid

from client_scenarios import bodies, client_scenario, refusal

from mnemic import Reason

THREE = ("The user has three cats", "User has 3 cats.", "The user also has three cats")


@client_scenario
def facts_that_say_the_same_become_one(memory, user):
    sources = [memory.add(f"said {number}", user_id=user).memories[0].memory_id for number in range(3)]
    first, *others = (
        memory.add({"content": body, "kind": "fact", "source_ids": [source]}, user_id=user).memories[0].memory_id
        for body, source in zip(THREE, sources, strict=True)
    )
    preview = memory.client.consolidate(user_id=user, validate_only=True)
    assert (preview.report.examined_count, preview.report.kept_count, preview.report.merged_count) == (3, 1, 2)
    (sample,) = preview.report.samples
    assert (sample.kept.memory_id, {item.memory_id for item in sample.merged}) == (first, set(others))
    request_id = str(uuid.uuid4())
    done = memory.client.consolidate(user_id=user, request_id=request_id)
    assert done.report == preview.report
    assert set(memory.get(first).source_ids) == {*sources, *others}
    assert memory.client.consolidate(user_id=user, request_id=request_id).replayed
    assert memory.client.consolidate(user_id=user, sample_size=0, timeout=60.0).report.merged_count == 0
    memory.restore(others[0])
    assert memory.client.consolidate(user_id=user).report.merged_count == 0
    facts = [item.body for item in memory.list(user_id=user).memories if item.kind.name == "FACT"]
    assert sorted(facts) == sorted([THREE[0], memory.get(others[0]).body])
    assert bodies(memory.list(user_id=user).memories).count(THREE[0]) == 1


@client_scenario
def consolidations_are_refused_alike(memory, user):
    consolidate = memory.client.consolidate
    assert refusal(consolidate, user_id=user, sample_size=101).reason is Reason.INVALID_FIELD
    assert refusal(consolidate, user_id=user, request_id="no UUID").reason is Reason.INVALID_FIELD
