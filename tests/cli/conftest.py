"""The commands, run in this process with the real engine, on a data directory and on a server."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import structlog
from typer.testing import CliRunner

from mnemic.cli.application import application
from mnemic.cli.backend import quiet_logs
from mnemic.embedding.install import pull_model
from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.server.server import MnemicServer


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def document(self):
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture(scope="session", autouse=True)
def static_model() -> None:
    pull_model("static")


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch) -> Iterator[None]:
    """What a user would have set: a data directory and a model; nothing else of Mnemic's."""
    for name in ("MNEMIC_ADDRESS", "MNEMIC_CONFIG", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MNEMIC_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("MNEMIC_EMBEDDING__PROVIDER", "static")
    # A server in this process would write its log between the commands' output.
    quiet_logs()
    yield
    structlog.reset_defaults()


@pytest.fixture
def run() -> Run:
    """Runs a command line in this process."""
    runner = CliRunner()

    def execute(*arguments: str, typed: str | bytes | None = None) -> Outcome:
        result = runner.invoke(application, list(arguments), input=typed)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return execute


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    """The address of a server."""
    settings = load_settings(data_directory=tmp_path / "served", embedding={"provider": "static"})
    with (
        Engine.open(settings) as engine,
        MnemicServer(engine, ServerSettings(address="127.0.0.1:0", log_level="error")) as serving,
    ):
        yield serving.address


@pytest.fixture(params=["directory", "server"])
def mnemic(request, run, monkeypatch) -> Run:
    """As `run`, for commands that must do the same on a data directory and on a server."""
    if request.param == "server":
        monkeypatch.setenv("MNEMIC_ADDRESS", request.getfixturevalue("server"))
    return run
