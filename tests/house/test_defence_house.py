"""Whatever makes a version of a memory has asked the defence what of it may be remembered."""

import ast

from test_import_rules import PACKAGE

# What a version is made by, before it is stored.
MAKERS = {"VersionWrite", "Incoming"}
# Who makes versions -> why it need not ask, or empty where it asks.
KNOWN = {
    "engine/writing.py": "",
    "engine/extracting.py": "",
    "engine/transfer/importing.py": "",
    "engine/consolidating.py": "what it writes is remembered already, with the same trust",
}


def names_in(source: str) -> set[str]:
    tree = ast.parse(source)
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def makers() -> dict[str, str]:
    sources = {
        str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8")
        for room in ("engine", "server", "client", "cli")
        for path in (PACKAGE / room).rglob("*.py")
    }
    return {name: source for name, source in sources.items() if names_in(source) & MAKERS}


def test_who_makes_versions_is_known():
    assert set(makers()) == set(KNOWN)


def test_they_ask_the_defence():
    silent = [name for name, source in makers().items() if not KNOWN[name] and "self._defence." not in source]
    assert not silent
