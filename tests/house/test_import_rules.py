"""The import rules of the house: who may import whom. Only downward, never sideways between adapters."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "mnemic"
CORE = "mnemic._core"

# Room -> the rooms that it may import besides itself. `v1` is generated from the contract.
ALLOWED = {
    "model": set(),
    "v1": set(),
    "store": {"model"},
    "extraction": {"model", "_core"},  # a message's "last week" is read by the code that reads a query's
    "embedding": {"model", "_core"},  # the local models run in the core, and the cache is shared with the front
    "reranking": {"model"},
    "defence": {"model"},
    "engine": {"model", "store", "extraction", "embedding", "reranking", "defence", "_core"},
    "wire": {"model", "v1"},
    "server": {"model", "engine", "wire", "v1", "_core"},
    "client": {"model", "engine", "wire", "v1", "embedding"},
    "cli": {"model", "store", "embedding", "engine", "server", "client", "_core"},
}


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"mnemic.{alias.name}" for alias in node.names] if node.module == "mnemic" else [node.module]
        rooms |= {name.split(".")[1] for name in names if name.startswith("mnemic.")}
    return rooms


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if room_of(path))


def test_every_room_has_a_rule():
    assert {room_of(path) for path in SOURCES} <= set(ALLOWED)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_downward(path):
    room = room_of(path)
    forbidden = imported_rooms(path) - ALLOWED[room] - {room} - {"__version__"}
    assert not forbidden, f"{room} may not import {sorted(forbidden)}"


def test_the_check_sees_imports(tmp_path):
    source = tmp_path / "x.py"
    source.write_text("from mnemic import _core\nimport mnemic.store.sqlite\nfrom mnemic.engine.engine import Engine\n")
    assert imported_rooms(source) == {"_core", "store", "engine"}


def dependencies(crate: str) -> set[str]:
    manifest = tomllib.loads((ROOT / "rust_core" / crate / "Cargo.toml").read_text(encoding="utf-8"))
    return set(manifest.get("dependencies", {}))


@pytest.mark.parametrize("crate", ["access", "embedding", "retrieval"])
def test_only_the_front_knows_other_crates_and_the_network(crate):
    known = dependencies(crate)
    assert not known & {"pyo3", "tokio", "tonic", "hyper"}
    assert not any(name.startswith("mnemic-") for name in known)


def test_the_front_does_not_know_python():
    assert not dependencies("front") & {"pyo3", "mnemic-python"}


def test_the_bindings_hold_no_logic_of_their_own():
    ours = {"mnemic-access", "mnemic-embedding", "mnemic-front", "mnemic-retrieval"}
    assert dependencies("python") == ours | {"pyo3"}


# Longer files are two rooms in one.
MAX_LINES = 500
GENERATED_RUST = ROOT / "rust_core" / "front" / "src" / "contract" / "v1.rs"


def test_files_stay_readable():
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "rust_core").rglob("*.rs"), *(ROOT / "tests").rglob("*.py")]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources
        if room_of_any(path) != "v1"
        and path != GENERATED_RUST
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert not long


def room_of_any(path: Path) -> str:
    return room_of(path) if path.is_relative_to(PACKAGE) else ""
