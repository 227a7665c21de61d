"""The names of the package, and that asking for one loads no more than it needs."""

import subprocess
import sys

import pytest

import mnemic

HEAVY = ("mnemic._core", "mnemic.engine", "onnxruntime", "sqlalchemy", "pydantic", "tokenizers")


def loaded_by(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", script]
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
    return set(done.stdout.split())


def test_every_public_name_is_there():
    for name in mnemic.__all__:
        assert getattr(mnemic, name) is not None
    assert set(mnemic.__all__) == set(dir(mnemic)) == {*mnemic._MODULES, "__version__"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Memori'"):
        mnemic.Memori  # noqa: B018 (asking for it is the test)


@pytest.mark.parametrize(
    ("statement", "not_loaded"),
    [
        ("import mnemic", (*HEAVY, "grpc", "google.protobuf", "numpy", "mnemic.client")),
        ("import mnemic.v1.memory_service_pb2", (*HEAVY, "grpc", "numpy", "mnemic.client")),
        ("from mnemic import MemoryInput, MnemicError, Scope, SearchHit", (*HEAVY, "grpc", "google.protobuf", "numpy")),
        ("from mnemic import MnemicClient, AsyncMnemicClient", HEAVY),
    ],
)
def test_a_name_loads_what_it_needs(statement, not_loaded):
    assert not loaded_by(statement) & set(not_loaded)
