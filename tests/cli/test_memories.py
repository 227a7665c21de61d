"""The commands on memories, on a data directory and on a server alike."""

import json

import pytest


def add(mnemic, *texts, user="u1", **options):
    flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    outcome = mnemic("add", *texts, "--user", user, *flags)
    assert outcome.code == 0, outcome.err
    return outcome.lines


def test_what_is_added_is_found_with_its_score_and_parts(mnemic):
    diet, hike = add(
        mnemic, "I am a vegetarian", "We hiked along the coast", name="Ana", event_time="2024-05-07T18:30:00Z"
    )
    outcome = mnemic("search", "hiked where?", "--user", "u1")
    titles, first, second = (line.split("\t") for line in outcome.lines)
    assert titles[:2] == ["#", "score"]
    assert titles[-4:] == ["when (utc)", "who", "text", "memory_id"]
    assert first[-4:] == ["2024-05-07 18:30", "Ana", "We hiked along the coast", hike]
    assert second[-1] == diet
    parts = [0.0 if cell == "–" else float(cell) for cell in first[2:-4]]
    assert float(first[1]) == pytest.approx(sum(parts), abs=0.002)
    assert outcome.err.startswith("2 hits, 2 memories considered")


def test_search_as_json_has_every_part_of_the_score(mnemic):
    [memory_id] = add(mnemic, "The parrot is called Kiwi", metadata="topic=pets")
    document = mnemic("search", "parrot Kiwi", "--user", "u1", "--json").document
    [hit] = document["hits"]
    assert hit["memory_id"] == memory_id
    assert hit["metadata"] == {"topic": "pets"}
    assert hit["scope"] == {"user_id": "u1"}
    total = sum(part["weight"] * part["normalized"] for part in hit["score_parts"].values())
    assert hit["score"] == pytest.approx(total, abs=1e-4)
    assert {"vector", "lexical"} <= set(hit["score_parts"])
    assert document["considered"] == 1
    assert document["revision"] >= 1


def test_explain_says_how_each_part_came_about(mnemic):
    add(mnemic, "The parrot is called Kiwi")
    outcome = mnemic("search", "parrot", "--user", "u1", "--explain")
    assert any(line.strip().startswith("lexical") and "= weight" in line for line in outcome.lines)
    assert outcome.lines[-1].startswith("time in microseconds: total ")


def test_search_shows_what_was_said_around_a_hit_and_what_says_the_same(mnemic):
    first, _, repeat = add(mnemic, "To Lisbon, by train.", "Nice!", "to Lisbon by train")
    search = ("search", "train to Lisbon", "--user", "u1", "--profile", "lexical")
    outcome = mnemic(*search, "--context-window", "1")
    assert outcome.lines[2:] == ["#1  in its conversation", "    user: Nice!", "  > user: to Lisbon by train"]
    assert outcome.err.startswith(f"#1  says the same as\n    {first}  user: To Lisbon, by train.")
    [hit] = mnemic(*search, "--context-window", "1", "--json").document["hits"]
    assert [message["body"] for message in hit["before"]] == ["Nice!"]
    assert (hit["group_id"], [other["memory_id"] for other in hit["grouped"]]) == (repeat, [first])
    apart = mnemic(*search, "--separate", "--json").document["hits"]
    assert [found["memory_id"] for found in apart] == [repeat, first]


def test_search_gives_nothing_where_an_answer_is_unlikely_if_asked_to(mnemic):
    add(mnemic, "Anna drinks green tea")
    search = ("search", "Which submarine did the zeppelin sink?", "--user", "u1")
    assert "nothing here seems to answer that (confidence 0." in mnemic(*search).err
    silent = mnemic(*search, "--min-confidence", "0.5")
    assert silent.err.startswith("no hit, 1 memory considered, confidence 0.")
    assert mnemic(*search, "--min-confidence", "0.5", "--json").document["abstain"] is True


def test_search_takes_what_narrows_it(mnemic):
    add(mnemic, "tea in the morning", metadata="hour=8")
    add(mnemic, "tea at night", metadata="hour=22")
    late = mnemic("search", "tea", "--user", "u1", "--filter", '{"hour": {"gt": 12}}', "--json").document
    assert [hit["body"] for hit in late["hits"]] == ["tea at night"]
    one = mnemic("search", "tea", "--user", "u1", "--top-k", "1", "--json").document
    assert len(one["hits"]) == 1
    words = mnemic("search", "morning", "--user", "u1", "--weight", "vector=0", "--json").document
    assert [hit["body"] for hit in words["hits"]][:1] == ["tea in the morning"]
    assert "vector" not in words["hits"][0]["score_parts"]


def test_a_scope_sees_no_other_scope(mnemic):
    add(mnemic, "a secret of one", user="u1")
    assert mnemic("search", "secret", "--user", "u2", "--json").document["hits"] == []
    outcome = mnemic("search", "secret", "--user", "u2")
    assert "no hit, 0 memories considered" in outcome.err


def test_match_widens_to_every_session_only_when_asked(mnemic):
    mnemic("add", "said in session one", "--user", "u1", "--session", "s1")
    visible = mnemic("list", "--user", "u1", "--json").document["memories"]
    assert "--match exact" in mnemic("list", "--user", "u1").err
    assert "--match exact" in mnemic("search", "session", "--user", "u1").err
    exact = mnemic("list", "--user", "u1", "--match", "exact", "--json").document["memories"]
    assert visible == []
    assert [memory["body"] for memory in exact] == ["said in session one"]
    assert len(mnemic("list", "--match", "tenant", "--json").document["memories"]) == 1


def test_add_reads_standard_input(mnemic):
    outcome = mnemic("add", "-", "--user", "u1", "--role", "assistant", typed="Erzähl mir\nmehr\n")
    memory = mnemic("get", outcome.lines[0], "--json").document
    assert (memory["body"], memory["role"]) == ("Erzähl mir\nmehr", "assistant")


def test_metadata_keeps_its_types(mnemic):
    flags = ["a=text", "b=3", "c=true", 'd=["x", "y"]', 'e="7"', "f=2.5", "g={"]
    arguments = [part for flag in flags for part in ("--metadata", flag)]
    outcome = mnemic("add", "x", "--user", "u1", *arguments, "--category", "one", "--category", "two")
    memory = mnemic("get", outcome.lines[0], "--json").document
    assert memory["metadata"] == {"a": "text", "b": 3, "c": True, "d": ["x", "y"], "e": "7", "f": 2.5, "g": "{"}
    assert memory["categories"] == ["one", "two"]


def test_a_date_is_a_day_and_a_naive_time_is_utc(mnemic):
    [day] = add(mnemic, "x", event_time="2024-05-07")
    [naive] = add(mnemic, "x", event_time="2024-05-07T10:00")
    [zoned] = add(mnemic, "x", event_time="2024-05-07T10:00+02:00")
    times = [mnemic("get", memory_id, "--json").document["event_time"] for memory_id in (day, naive, zoned)]
    assert times == ["2024-05-07T00:00:00Z", "2024-05-07T10:00:00Z", "2024-05-07T08:00:00Z"]
    assert mnemic("get", day, "--json").document["event_time_precision"] == "day"
    assert "2024-05-07 UTC (known to the day)" in mnemic("get", day).out


def test_list_goes_from_page_to_page(mnemic):
    add(mnemic, *(f"text {number}" for number in range(5)))
    first = mnemic("list", "--user", "u1", "--page-size", "2", "--json").document
    rest = mnemic(
        "list", "--user", "u1", "--page-size", "2", "--page-token", first["next_page_token"], "--json"
    ).document
    assert [memory["body"] for memory in first["memories"] + rest["memories"]] == [
        "text 4",
        "text 3",
        "text 2",
        "text 1",
    ]
    shown = mnemic("list", "--user", "u1", "--page-size", "2")
    assert f"--page-token {first['next_page_token']}" in shown.err
    everything = mnemic("list", "--user", "u1", "--all", "--json").document
    assert len(everything["memories"]) == 5
    assert everything["next_page_token"] == ""


def test_an_update_is_a_version_and_history_has_them_all(mnemic):
    [memory_id] = add(mnemic, "eats meat", metadata="a=1")
    updated = mnemic(
        "update", memory_id, "eats no meat", "--event-time", "2024-09-01", "--name", "Ana", "--json"
    ).document
    assert updated["memory"]["version"] == 2
    assert (updated["memory"]["body"], updated["memory"]["name"]) == ("eats no meat", "Ana")
    assert updated["memory"]["metadata"] == {"a": 1}
    assert mnemic("delete", memory_id, "--yes").lines == [memory_id]
    revisions = mnemic("history", memory_id, "--json").document["revisions"]
    assert [entry["change"] for entry in revisions] == ["added", "updated", "deleted"]
    assert mnemic("get", memory_id).code == 1
    lines = mnemic("history", memory_id).lines
    assert [line.split("\t")[1] for line in lines] == ["change", "added", "updated", "deleted"]


def test_by_id_the_scope_is_checked_when_it_is_given(mnemic):
    [memory_id] = add(mnemic, "mine")
    assert mnemic("get", memory_id, "--user", "u1").code == 0
    for command in (["get"], ["history"], ["update", "x"], ["delete", "--yes"]):
        outcome = mnemic(command[0], memory_id, *command[1:], "--user", "u2")
        assert outcome.code == 1
        assert "no memory" in outcome.err


def test_an_unexpected_version_is_refused(mnemic):
    [memory_id] = add(mnemic, "one")
    assert mnemic("update", memory_id, "two", "--expected-version", "7").code == 1
    assert mnemic("delete", memory_id, "--yes", "--expected-version", "7").code == 1
    assert mnemic("delete", memory_id, "--yes", "--expected-version", "1").code == 0


def test_nothing_is_deleted_unless_somebody_agrees(mnemic):
    [memory_id] = add(mnemic, "keep me")
    outcome = mnemic("delete", memory_id)
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert mnemic("get", memory_id).code == 0


def test_what_was_deleted_is_said_when_a_later_one_fails(mnemic):
    [memory_id] = add(mnemic, "one")
    outcome = mnemic("delete", memory_id, "00000000-0000-7000-8000-000000000000", "--yes")
    assert (outcome.code, outcome.lines) == (1, [memory_id])


def test_scopes_are_listed_with_counts(mnemic):
    add(mnemic, "a", "b", user="u1")
    add(mnemic, "c", user="u2")
    document = mnemic("scopes", "--json").document
    assert [(entry["scope"], entry["memory_count"]) for entry in document["scopes"]] == [
        ({"user_id": "u1"}, 2),
        ({"user_id": "u2"}, 1),
    ]
    assert len(mnemic("scopes", "--user", "u2", "--json").document["scopes"]) == 1
    assert len(mnemic("scopes", "--page-size", "1", "--all").lines) == 3


def test_stats_count(mnemic):
    add(mnemic, "a", "b", user="u1")
    document = mnemic("stats", "--json").document
    assert (document["memories"], document["scopes"]) == (2, 1)
    assert document["embedding_model"].startswith("static-wordllama")
    assert "memories:" in mnemic("stats").out


def test_plain_output_is_one_line_a_memory(mnemic):
    add(mnemic, "two\nlines\tand a tab\x1b[31mred\u202edne")
    _, line = mnemic("list", "--user", "u1").lines
    assert line.split("\t")[2] == "two lines and a tab [31mred dne"


def test_json_is_one_line_for_programs(mnemic):
    add(mnemic, "Grüße")
    out = mnemic("list", "--user", "u1", "--json").out
    assert out.count("\n") == 1
    assert json.loads(out)["memories"][0]["body"] == "Grüße"
    assert "Grüße" in out


def test_reranking_without_a_reranker_says_what_to_set(mnemic):
    add(mnemic, "tea in the morning")
    outcome = mnemic("search", "tea", "--user", "u1", "--rerank")
    assert outcome.code != 0
    assert "reranking.provider" in outcome.err


def test_a_reranker_that_is_away_leaves_the_order_and_says_so(run, monkeypatch):
    add(run, "tea in the morning")
    monkeypatch.setenv("MNEMIC_RERANKING__PROVIDER", "http")
    # Nobody listens there.
    monkeypatch.setenv("MNEMIC_RERANKING__HTTP__BASE_URL", "http://127.0.0.1:9")
    outcome = run("search", "tea", "--user", "u1", "--rerank")
    assert outcome.code == 0
    assert "tea in the morning" in outcome.out
    assert "not reranked" in outcome.err
    document = run("search", "tea", "--user", "u1", "--rerank", "--json").document
    assert document["rerank_skipped"] is True
    assert run("search", "tea", "--user", "u1", "--json").document["rerank_skipped"] is False


def test_a_context_is_the_text_for_a_prompt_and_nothing_else(mnemic):
    [memory_id] = add(mnemic, "We hiked along the coast", name="Ana", event_time="2024-05-07T18:30:00Z")
    outcome = mnemic("context", "hiked where?", "--user", "u1", "--budget", "200")
    assert outcome.lines[0] == "<memory>"
    assert outcome.lines[-2:] == ["[1] 2024-05-07 18:30 Ana: We hiked along the coast", "</memory>"]
    assert outcome.err.startswith("1 memory, ")
    document = mnemic("context", "hiked where?", "--user", "u1", "--budget", "200", "--json").document
    assert document["text"] == outcome.out.rstrip("\n")
    assert (document["memory_ids"], document["omitted"]) == ([memory_id], 0)
    assert mnemic("context", "x", "--user", "u1", "--budget", "3").code == 2


def test_what_is_superseded_comes_back(mnemic):
    [old] = add(mnemic, "Ana eats meat", user="u2", kind="fact", slot="ana.diet", event_time="2024-01-01")
    [new] = add(mnemic, "Ana is vegan", user="u2", kind="fact", slot="ana.diet", slot_value="vegan")
    assert mnemic("get", old, "--json").document["superseded_by"] == new
    assert mnemic("restore", old).lines == [old]
    listed = mnemic("list", "--user", "u2", "--json").document["memories"]
    assert sorted(memory["body"] for memory in listed) == ["Ana eats meat", "Ana is vegan"]
    again = mnemic("add", "Ana is vegan", "--user", "u2", "--kind", "fact", "--slot", "ana.diet")
    assert (again.lines, "nothing new" in again.err) == ([new], True)


def test_facts_are_drawn_from_what_is_said(mnemic):
    added = mnemic("add", "I live in Oslo.", "--user", "u3", "--name", "Ana", "--mode", "local", "--wait", "--json")
    operation_id = added.document["operation_id"]
    state, fact = mnemic("operation", operation_id, "--wait", "30").lines
    assert state == "done"
    assert "Oslo" in mnemic("get", fact, "--json").document["body"]
    assert mnemic("operation", operation_id, "--json").document["memory_ids"] == [fact]
    assert mnemic("dead-letters", "--json").document == {"dead_letters": []}
    assert mnemic("dead-letters", "--replay", "--json").document == {"requeued": 0, "missing_ids": []}
    assert mnemic("dead-letters", operation_id).code != 0
    assert mnemic("add", "x", "--user", "u3", "--mode", "llm").code != 0
