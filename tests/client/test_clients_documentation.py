"""The snippets of docs/clients.md run as they stand, one after the other, against a real server."""

import re
from pathlib import Path

import mnemic
from mnemic.client import options
from mnemic.client.inputs import _MESSAGE_KEYS
from mnemic.model.filters import FILTER_FIELDS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)


def test_the_snippets_run(server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNEMIC_EMBEDDING__PROVIDER", "static")
    monkeypatch.setenv("MNEMIC_DATA_DIRECTORY", str(tmp_path / "default"))
    names = {}
    for number, snippet in enumerate(SNIPPETS):
        code = compile(snippet.replace("127.0.0.1:50551", server.address), f"snippet {number}", "exec")
        exec(code, names)  # noqa: S102 (our own documentation)
    printed = capsys.readouterr().out
    assert "I'm vegetarian" in printed
    assert "We moved to Porto" in printed
    assert "at least one of user_id" in printed


def test_the_document_names_every_key_operator_and_field():
    for name in (*_MESSAGE_KEYS, *FILTER_FIELDS, *options.ScopeOptions.__annotations__):
        assert f"`{name}`" in DOCUMENT, name
    for name in ("Memory", "AsyncMemory", "MnemicClient", "AsyncMnemicClient"):
        methods = [
            method for method, member in vars(getattr(mnemic, name)).items() if callable(member) and method[0] != "_"
        ]
        for method in methods:
            assert re.search(rf"`{method}\b", DOCUMENT), f"{name}.{method}"
