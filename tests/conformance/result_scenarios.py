"""What holds of which hits a search gives, for every client alike."""

from client_scenarios import client_scenario, refusal


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
