"""What holds of which hits a search gives, for every client alike."""

from client_scenarios import client_scenario, refusal

from mnemic import MemoryInput, MemoryKind


def shares_of(result):
    return {name: part.weight for name, part in result.hits[0].score_parts.items()}


@client_scenario
def a_search_without_a_profile_has_the_nodes_default(memory, user):
    memory.add("tea", user_id=user)
    named = ("", "balanced", "fast", "precise")
    shares = {name: shares_of(memory.search("tea", user_id=user, profile=name, explain=True)) for name in named}
    # The conversations of this suite are embedded by the static model.
    assert shares[""] == shares["fast"]
    assert shares["precise"] == shares["balanced"] != shares["fast"]
    unknown = refusal(memory.search, "tea", user_id=user, profile="best")
    assert "balanced, fast, lexical, precise, semantic" in str(unknown)


@client_scenario
def hits_that_say_the_same_share_a_rank(memory, user):
    said = memory.add("I moved to Oslo", user_id=user).memory_ids[0]
    again = memory.add("I moved to OSLO!", user_id=user).memory_ids[0]
    fact = MemoryInput(body="Anna moved to Oslo", kind=MemoryKind.FACT, source_ids=(said, again))
    drawn = memory.add([fact], user_id=user).memory_ids[0]
    memory.add("Ben would move, but not to Oslo and not this year", user_id=user)
    asked = {"user_id": user, "profile": "lexical", "explain": True}
    best, other = memory.search("moved to Oslo", **asked).hits
    together = {best.memory_id, *(hit.memory_id for hit in best.grouped)}
    assert together == {said, drawn, again}
    assert {best.group_id} == {hit.group_id for hit in best.grouped} == {best.memory_id}
    assert all(hit.score_parts and hit.score <= best.score for hit in best.grouped)
    assert (other.group_id, other.grouped) == ("", ())
    separate = memory.search("moved to Oslo", separate=True, **asked).hits
    assert len(separate) == 4
    assert sum(hit.group_id == best.memory_id for hit in separate) == len(together)
    assert not any(hit.grouped for hit in separate)


@client_scenario
def a_search_says_how_sure_it_is_and_may_be_told_to_be_silent(memory, user):
    memory.add("Anna drinks green tea in the morning", user_id=user)
    sure = memory.search("Who drinks green tea?", user_id=user)
    unsure = memory.search("Which submarine did the zeppelin sink?", user_id=user)
    assert (sure.abstain, unsure.abstain) == (False, True)
    assert sure.confidence > 0.5 > unsure.confidence
    assert len(unsure.hits) == 1
    silent = memory.search("Which submarine did the zeppelin sink?", user_id=user, min_confidence=0.5)
    assert (silent.hits, silent.abstain) == ((), True)
    assert len(memory.search("Who drinks green tea?", user_id=user, min_confidence=0.5).hits) == 1
    # By words alone nothing is known of it, and nothing is silenced.
    words = memory.search("zeppelin tea", user_id=user, profile="lexical", min_confidence=1.0)
    assert (words.confidence, words.abstain, len(words.hits)) == (None, False, 1)
    assert refusal(memory.search, "x", user_id=user, min_confidence=1.5).violations[0].field == "min_confidence"
