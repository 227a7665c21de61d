"""`mnemic watch`, on a server."""

import json


def test_what_happened_is_shown_and_where_to_go_on(run, server, monkeypatch):
    monkeypatch.setenv("MNEMIC_ADDRESS", server)
    [one, two] = run("add", "one", "two", "--user", "u1").lines
    run("update", one, "uno")
    run("add", "another's", "--user", "u2")
    outcome = run("watch", "--user", "u1", "--from-start", "--count", "3")
    assert outcome.code == 0
    cells = [line.split("\t") for line in outcome.lines]
    assert [(line[0], *line[2:]) for line in cells] == [
        ("1", "added", one, "user", "one"),
        ("1", "added", two, "user", "two"),
        ("2", "updated", one, "user", "uno"),
    ]
    assert "--after 2" in outcome.err
    # Of the first commit one change is missing.
    assert "--from-start" in run("watch", "--user", "u1", "--from-start", "--count", "1").err
    outcome = run("watch", "--user", "u1", "--after", "1", "--count", "1", "--json")
    document = json.loads(outcome.out)
    assert (document["change"], document["memory"]["body"], document["revision"]) == ("updated", "uno", 2)


def test_a_bad_watch_is_refused_and_an_absent_server_is_told(run, server):
    outcome = run("watch", "--server", server)
    assert (outcome.code, "scope" in outcome.err) == (2, True)
    outcome = run("watch", "--user", "u1", "--server", "127.0.0.1:1")
    assert (outcome.code, "127.0.0.1:1" in outcome.err) == (1, True)


def test_a_directory_cannot_be_watched(run):
    outcome = run("watch", "--user", "u1")
    assert (outcome.code, "--server" in outcome.err) == (2, True)
