"""`mnemic tenants` and `mnemic keys`, on a data directory and on a server that asks for keys."""

from __future__ import annotations

import json
import signal

import pytest
from test_running import command, serving

from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.server.server import MnemicServer


@pytest.fixture
def guarded(run, tmp_path, monkeypatch):
    """The address of a server that asks for keys; the environment has an operator's."""
    secret = run("keys", "create", "--role", "operator", "-d", str(tmp_path / "guarded")).lines[0]
    settings = load_settings(
        data_directory=tmp_path / "guarded", embedding={"provider": "static"}, authentication={"mode": "keys"}
    )
    with (
        Engine.open(settings) as engine,
        MnemicServer(engine, ServerSettings(address="127.0.0.1:0", log_level="error")) as server,
    ):
        monkeypatch.setenv("MNEMIC_API_KEY", secret)
        yield server.address


@pytest.fixture(params=["directory", "server"])
def accounts(request, run, monkeypatch):
    """As `run`, for commands that must do the same on a data directory and on a server."""
    if request.param == "server":
        monkeypatch.setenv("MNEMIC_ADDRESS", request.getfixturevalue("guarded"))
    return run


def test_tenants_are_created_changed_shown_and_listed(accounts):
    made = accounts("tenants", "create", "acme", "--name", "Acme", "--max-memories", "10", "--json").document
    assert (made["tenant_id"], made["display_name"], made["max_memories"], made["version"]) == ("acme", "Acme", 10, 1)
    changed = accounts("tenants", "update", "acme", "--max-memories", "none", "--max-bytes", "5", "--json").document
    assert (changed["max_memories"], changed["max_bytes"], changed["display_name"]) == (None, 5, "Acme")
    assert accounts("tenants", "show", "acme", "--json").document == changed
    assert accounts("tenants", "show", "--json").document["tenant_id"] == "default"
    listed = accounts("tenants", "list", "--json").document["tenants"]
    assert [tenant["tenant_id"] for tenant in listed] == ["acme", "default"]
    assert accounts("tenants", "list").lines[1].split("\t")[:4] == ["acme", "Acme", "–", "≤ 5 B"]


def test_keys_are_created_listed_and_revoked(accounts):
    accounts("tenants", "create", "acme")
    created = accounts("keys", "create", "--role", "read", "--tenant", "acme", "--user", "anna", "--rate", "5")
    (secret,) = created.lines
    assert secret.startswith("mnk_")
    assert "shown once" in created.err
    (key,) = accounts("keys", "list", "--tenant", "acme", "--json").document["api_keys"]
    assert (key["role"], key["scope"], key["requests_per_second"]) == ("read", {"user_id": "anna"}, 5)
    assert secret.startswith(key["prefix"])
    assert accounts("keys", "revoke", key["key_id"], "--json").document["revoke_time"]
    assert accounts("keys", "list", "--tenant", "acme", "--json").document["api_keys"] == []
    assert len(accounts("keys", "list", "--tenant", "acme", "--all", "--json").document["api_keys"]) == 1
    assert accounts("keys", "list", "--tenant", "acme", "--all").lines[1].split("\t")[3] == "user=anna"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("keys", "create", "--role", "root"), "there are read, write, admin, operator"),
        (("keys", "create", "--role", "admin", "--user", "anna"), "api_key.scope"),
        (("keys", "create", "--role", "read", "--expire-time", "2001-01-01"), "lies in the past"),
        (("keys", "create", "--role", "read", "--tenant", "nobody"), "there is no tenant 'nobody'"),
        (("keys", "revoke", "00000000-0000-7000-8000-000000000000"), "there is no API key"),
        (("tenants", "create", "Acme"), "beginning with a letter"),
        (("tenants", "create", "acme", "--max-bytes", "lots"), "is no number"),
        (("tenants", "update", "acme"), "nothing to change"),
        (("tenants", "show", "nobody"), "there is no tenant 'nobody'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(accounts, arguments, words):
    outcome = accounts(*arguments)
    assert outcome.code in {1, 2}
    assert words in outcome.err
    assert outcome.out == ""


def test_a_guarded_server_asks_every_command_for_a_credential(run, guarded, monkeypatch):
    assert run("add", "tea", "--user", "anna", "--server", guarded).code == 0
    reader = run("keys", "create", "--role", "read", "--server", guarded).lines[0]
    monkeypatch.delenv("MNEMIC_API_KEY")
    refused = run("search", "tea", "--user", "anna", "--server", guarded)
    assert refused.code == 1
    assert "this server asks for a credential" in refused.err
    assert "MNEMIC_API_KEY" in refused.err
    assert run("search", "tea", "--user", "anna", "--server", guarded, "--api-key", reader).code == 0
    denied = run("add", "tea", "--user", "anna", "--server", guarded, "--api-key", reader)
    assert denied.code == 1
    assert "asks for the role write" in denied.err


def test_tls_needs_both_files_or_none(run, tmp_path):
    outcome = run("stats", "--server", "127.0.0.1:1", "--tls-certificate", str(tmp_path / "a.pem"))
    assert outcome.code == 2
    assert "go together" in outcome.err


def test_the_first_key_is_made_before_the_server_starts(tmp_path):
    created = command("keys", "create", "--role", "operator", "--json")
    secret = json.loads(created.stdout)["secret"]
    guard = {"MNEMIC_AUTHENTICATION__MODE": "keys"}
    # With keys an address that others reach needs no flag.
    with serving("--address", "0.0.0.0:0", env=guard) as (address, process):
        local = f"127.0.0.1:{address.rpartition(':')[2]}"
        assert command("stats", "--server", local).returncode == 1
        assert command("stats", "--server", local, env={"MNEMIC_API_KEY": secret}).returncode == 0
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert "access     API keys" in err


def test_how_a_tenants_facts_are_drawn_is_set_and_taken_back(mnemic):
    rules = ["--extraction-exclude", "health", "--extraction-exclude", "money", "--extraction-mode", "local"]
    rules += ["--extraction-category", "place=where somebody is", "--extraction-time-zone", "Europe/Lisbon"]
    made = mnemic("tenants", "create", "acme", *rules, "--json").document["extraction"]
    assert (made["exclude_topics"], made["default_mode"]) == (["health", "money"], "local")
    assert made["categories"] == [{"name": "place", "description": "where somebody is"}]
    changed = mnemic(
        "tenants", "update", "acme", "--extraction-exclude", "none", "--extraction-instructions", "Short.", "--json"
    ).document["extraction"]
    assert (changed["exclude_topics"], changed["instructions"]) == ([], "Short.")
    assert (changed["default_mode"], changed["time_zone"]) == ("local", "Europe/Lisbon")
    assert "time zone: Europe/Lisbon" in mnemic("tenants", "show", "acme").err
    summaries = ("tenants", "update", "acme", "--extraction-summarize-after")
    assert mnemic(*summaries, "7d", "--json").document["extraction"]["summarize_after_seconds"] == 604_800
    assert "summaries after: 7 days" in mnemic("tenants", "show", "acme").err
    assert mnemic(*summaries, "none", "--json").document["extraction"]["summarize_after_seconds"] is None
    assert "no span of time" in mnemic(*summaries, "soon").err
    outcome = mnemic("tenants", "update", "acme", "--extraction-time-zone", "Mars/Olympus")
    assert (outcome.code, "time_zone" in outcome.err) == (2, True)
    outcome = mnemic("tenants", "update", "acme", "--extraction-budget", "much")
    assert (outcome.code, "--extraction-budget" in outcome.err) == (2, True)
    outcome = mnemic("tenants", "update", "acme", "--extraction-budget", "5")
    assert (outcome.code, "price" in outcome.err) == (2, True)


def test_a_tenant_says_what_happens_to_secrets_and_personal_data(mnemic):
    rules = ["--secrets", "refuse", "--personal-data", "redact", "--default-trust", "untrusted"]
    made = mnemic("tenants", "create", "acme", *rules, "--json").document["defence"]
    assert made == {"secret_action": "refuse", "personal_data_action": "redact", "default_trust": "untrusted"}
    changed = mnemic("tenants", "update", "acme", "--secrets", "server", "--json").document["defence"]
    assert changed == made | {"secret_action": None}
    outcome = mnemic("tenants", "update", "acme", "--personal-data", "hide")
    assert (outcome.code, "--personal-data" in outcome.err, "redact" in outcome.err) == (2, True, True)


def test_stats_tell_what_extraction_has_before_it_of_all_and_of_one(mnemic):
    mnemic("tenants", "create", "acme")
    for options in ([], ["--tenant", "acme"]):
        found = mnemic("stats", *options, "--json").document
        assert (found["extraction_pending"], found["extraction_month_cost"]) == (0, 0.0)
        assert found["extraction_oldest_pending"] is None
    assert mnemic("stats", "--tenant", "nobody").code == 1
