"""Leaving and coming by commands: a file that comes in again, and files of other systems."""

import json

import pytest

from mnemic.cli.transfer import detected_format
from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.model.access import AccessRole, ApiKey
from mnemic.model.scope import Scope
from mnemic.model.transfer import TransferFormat
from mnemic.server.server import MnemicServer


def fill(mnemic):
    for text in ("I moved to Porto", "I like tea", "My sister is Ana"):
        mnemic("add", text, "--user", "u1")
    mnemic("add", "somebody else", "--user", "u2", "--session", "s")


@pytest.mark.parametrize("name", ["all.jsonl", "all.parquet"])
def test_what_is_exported_is_imported(mnemic, run, tmp_path, monkeypatch, name):
    fill(mnemic)
    file = tmp_path / name
    outcome = mnemic("export", str(file), "--history", "--vectors")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("exported 4 memories, ")
    assert [path.name for path in tmp_path.glob("all.*")] == [name]
    monkeypatch.delenv("MNEMIC_ADDRESS", raising=False)
    elsewhere = ("--data-directory", str(tmp_path / "elsewhere"))
    first = run("import", str(file), "--keep-vectors", "--json", *elsewhere).document
    again = run("import", str(file), "--json", *elsewhere).document
    assert (first["items"], first["added"], first["already_there"]) == (4, 4, 0)
    assert (again["added"], again["already_there"]) == (0, 4)
    found = run("search", "Where do I live now?", "--user", "u1", "--json", *elsewhere).document
    assert {hit["body"] for hit in found["hits"]} >= {"I moved to Porto"}


def test_ids_choose_what_leaves(mnemic, tmp_path):
    fill(mnemic)
    file = tmp_path / "some.jsonl"
    assert mnemic("export", str(file), "--user", "u2", "--json").document["memories"] == 1
    assert mnemic("export", str(file), "--user", "u2", "--match", "visible", "--json").document["memories"] == 0
    assert mnemic("export", str(file), "--match", "what", "--user", "u2").code == 2


def test_an_export_can_be_piped(run):
    fill(run)
    lines = run("export", "-").out.splitlines()
    assert sorted(json.loads(line)["scope"]["userId"] for line in lines) == ["u1", "u1", "u1", "u2"]


def test_an_export_that_broke_off_goes_on(run, tmp_path, monkeypatch):
    monkeypatch.setattr("mnemic.engine.transfer.exporting._PAGE", 1)
    fill(run)
    file, whole = tmp_path / "part.jsonl", tmp_path / "whole.jsonl"
    run("export", str(whole))
    refused = run("export", str(file), "--resume")
    assert refused.code == 2
    assert "no export to go on with" in refused.err
    calls = []

    def breaking(backend, request):
        for piece in original(backend, request):
            calls.append(piece)
            yield piece
            if len(calls) == 2:
                raise KeyboardInterrupt

    from mnemic.cli.local_backend import LocalBackend

    original = LocalBackend.export_memories
    monkeypatch.setattr(LocalBackend, "export_memories", breaking)
    assert run("export", str(file)).code != 0
    assert not file.exists()
    monkeypatch.setattr(LocalBackend, "export_memories", original)
    run("add", "after it broke off", "--user", "u1")
    assert run("export", str(file), "--resume").out.startswith("exported 4 memories")
    assert file.read_bytes() == whole.read_bytes()


CHAT = {"messages": [{"role": "user", "content": "I moved to Porto"}, {"role": "assistant", "content": "Nice"}]}
MEM0 = {"results": [{"id": "a", "memory": "Likes tea", "created_at": "2024-05-07T10:00:00Z", "user_id": "u1"}]}


@pytest.mark.parametrize(("document", "count"), [(CHAT, 2), ([CHAT, CHAT["messages"]], 4), (MEM0, 1)])
@pytest.mark.parametrize("indent", [None, 2])
def test_files_of_other_systems_are_recognised(mnemic, tmp_path, document, count, indent):
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(document, indent=indent))
    first = mnemic("import", str(file), "--user", "u1", "--json").document
    again = mnemic("import", str(file), "--user", "u1", "--json").document
    assert (first["added"], again["added"], again["already_there"]) == (count, 0, count)


def test_nothing_is_imported_of_a_file_with_a_bad_item_unless_asked(mnemic, tmp_path):
    file = tmp_path / "bad.json"
    file.write_text(json.dumps([*CHAT["messages"], {"role": "king", "content": "x"}, *MEM0["results"]]))
    outcome = mnemic("import", str(file), "--user", "u1", "--format", "chat")
    assert outcome.code == 2
    assert "item 2: role: 'king' is unknown" in outcome.err
    assert "nothing was" in outcome.err
    assert mnemic("list", "--user", "u1", "--json").document["memories"] == []
    outcome = mnemic("import", str(file), "--user", "u1", "--format", "chat", "--skip-bad")
    assert "imported 2 memories, 2 bad items skipped" in outcome.out
    assert mnemic("import", str(file), "--format", "diary").code == 2


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"PAR1\x00", TransferFormat.PARQUET),
        (b'{"memoryId": "a", "body": "x"}\n', TransferFormat.JSONL),
        (b'{"results": []}', TransferFormat.MEM0),
        (b'[\n {\n  "id": "a", "memory": "x"', TransferFormat.MEM0),
        (b'{"conversations": [{"from": "human", "value": "x"}]}\n{', TransferFormat.CHAT),
        (b'[{"role": "user"', TransferFormat.CHAT),
        (b'{\n"sessions": [', TransferFormat.CHAT),
        (b'{"body": "x"}\n', None),
        (b'{"role": "user", "content": "x"}\n', None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_a_file_is_known_by_how_it_begins(head, form):
    assert detected_format(head) is form


def test_a_tenants_administrator_takes_its_memories_away(run, tmp_path, monkeypatch):
    settings = load_settings(
        data_directory=tmp_path / "guarded", embedding={"provider": "static"}, authentication={"mode": "keys"}
    )
    serving = ServerSettings(address="127.0.0.1:0", log_level="error")
    with Engine.open(settings) as engine, MnemicServer(engine, serving) as server:
        key = engine.authority.create_key(
            ApiKey(key_id="", tenant="default", role=AccessRole.ADMIN, scope=Scope()), caller="default"
        )
        monkeypatch.setenv("MNEMIC_ADDRESS", server.address)
        monkeypatch.setenv("MNEMIC_API_KEY", key.secret)
        fill(run)
        assert run("export", str(tmp_path / "all.jsonl")).out.startswith("exported 4 memories")
