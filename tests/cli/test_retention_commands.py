"""`mnemic retention`, on a data directory and on a server."""


def test_a_policy_is_set_tried_run_and_undone(mnemic):
    for number in range(3):
        mnemic("add", f"thing {number}", "--user", "u1")
    tried = mnemic("retention", "preview", "--max-memories", "2", "--json").document["report"]
    assert [(item["cause"], item["memory_count"]) for item in tried["removed"]] == [("count_budget", 1)]
    assert mnemic("retention", "set", "two-each", "--max-memories", "2", "--archive", "7d", "--user", "u1").code == 0
    listed = mnemic("retention", "policies")
    assert "two-each" in listed.out
    assert "beyond 2 a scope" in listed.out
    assert "7d" in listed.out
    done = mnemic("retention", "run", "--json").document
    assert (done["state"], done["report"]["examined_count"]) == ("done", 3)
    archived = mnemic("retention", "archive", "--user", "u1", "--json").document["memories"]
    assert [item["body"] for item in archived] == ["thing 0"]
    assert mnemic("restore", archived[0]["memory_id"]).code == 0
    assert mnemic("retention", "archive", "--json").document["memories"] == []
    assert mnemic("retention", "remove", "two-each").code == 0
    assert mnemic("retention", "policies", "--json").document == {"policies": []}


def test_a_hold_is_made_and_released(mnemic):
    made = mnemic("retention", "hold", "--user", "u1", "--reason", "a case")
    (hold_id,) = made.lines
    assert "a case" in mnemic("retention", "holds").out
    assert mnemic("retention", "release", hold_id).code == 0
    assert mnemic("retention", "holds", "--json").document == {"holds": []}
    assert len(mnemic("retention", "holds", "--released", "--json").document["holds"]) == 1


def test_what_cannot_be_meant_is_refused(run):
    assert "no span of time" in run("retention", "set", "p", "--max-age", "soon").err
    assert "has no limit" in run("retention", "set", "p").err
    assert "--background is for a server" in run("retention", "run", "--background").err
    assert "no weight" in run("retention", "set", "p", "--max-bytes", "1", "--weight", "use").err
