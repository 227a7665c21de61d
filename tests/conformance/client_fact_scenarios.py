"""What holds for every client of facts: values that supersede each other, and what is said again."""

from client_scenarios import bodies, client_scenario

from mnemic.model.memory import ChangeKind


@client_scenario
def a_newer_value_supersedes_and_the_older_comes_back(memory, user):
    meat = {"content": "Ana eats meat", "kind": "fact", "slot": "ana.diet", "event_time": "2026-05-01"}
    old = memory.add(meat, user_id=user).memory_ids[0]
    new = memory.add(
        {"content": "Ana is vegan", "kind": "fact", "slot": "ana.diet", "slot_value": "vegan"}, user_id=user
    ).memory_ids[0]
    assert bodies(memory.search("Ana", user_id=user)) == ["Ana is vegan"]
    assert bodies(memory.search("Ana", user_id=user, as_of="2026-05-02")) == ["Ana eats meat"]
    assert memory.get(old).superseded_by == new
    assert [entry.change for entry in memory.history(old)] == [ChangeKind.ADDED, ChangeKind.SUPERSEDED]
    restored = memory.restore(old, user_id=user)
    assert (restored.memory.version, restored.memory.superseded_by) == (2, None)
    assert sorted(bodies(memory.list(user_id=user))) == ["Ana eats meat", "Ana is vegan"]
    memory.add({"content": "Ana eats nothing", "supersedes": [old, new]}, user_id=user)
    assert bodies(memory.list(user_id=user)) == ["Ana eats nothing"]
    moved = memory.add({"content": "Ana fasts", "kind": "fact"}, user_id=user).memory_ids[0]
    assert memory.update(moved, slot="ana.fast", slot_value="yes").memory.slot == "ana.fast"


@client_scenario
def a_fact_that_is_there_is_no_second_one(memory, user):
    first = memory.add({"content": "Ana likes tea", "kind": "fact"}, user_id=user)
    second = memory.add({"content": "Ana likes tea", "kind": "fact"}, user_id=user)
    assert (second.memory_ids, second.memories[0].duplicate) == (first.memory_ids, True)
    assert second.to_dict()["results"][0]["event"] == "NONE"
