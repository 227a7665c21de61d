"""A client in another language, made from what the server says of itself, gets what Python clients get."""

import json
import shutil
import subprocess
from pathlib import Path

import grpc
import pytest
from processes import ServerProcess

HERE = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None or not (HERE / "node_modules").is_dir():
        pytest.skip("Node.js or its packages are not installed: `make setup` installs them where npm is")
    return found


@pytest.mark.parametrize("front", ["on", "off"])
def test_a_client_made_by_reflection_writes_and_finds(node, tmp_path, front):
    server = ServerProcess(tmp_path, "--front", front)
    try:
        command = [node, HERE / "client.js", server.address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {"mnemic.v1.MemoryService", "mnemic.v1.AdminService", "grpc.health.v1.Health"} <= set(seen["services"])
    assert seen["added"] == 2
    assert int(seen["revision"]) >= 1
    assert seen["body"] == seen["same"] == "Ada keeps bees on the roof"
    assert {"vector", "lexical"} <= set(seen["signals"])
    assert seen["refusal"]["code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert "SCOPE_MISSING" in seen["refusal"]["details"]
