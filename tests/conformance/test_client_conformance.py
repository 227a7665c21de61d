"""The same calls give equal results and equal errors in process and of a server, blocking or not, however guarded."""

import re
from dataclasses import dataclass

import client_consolidation_scenarios  # noqa: F401 (registers its scenarios)
import client_erasure_scenarios  # noqa: F401 (registers its scenarios)
import client_fact_scenarios  # noqa: F401 (registers its scenarios)
import client_retention_scenarios  # noqa: F401 (registers its scenarios)
import client_transfer_scenarios  # noqa: F401 (registers its scenarios)
import client_watching_scenarios  # noqa: F401 (registers its scenarios)
import composing_scenarios  # noqa: F401 (registers its scenarios)
import pytest
import result_scenarios  # noqa: F401 (registers its scenarios)
from client_scenarios import CLIENT_SCENARIOS, NOT_OF_A_HIT
from deployments import KINDS, REFERENCE, Kind
from recorded import Recorded, collected
from transcript import differences

from mnemic import AsyncMemory, AsyncMnemicClient, Memory, MnemicClient
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings

IN_A_HIT = re.compile(rf".*\.hits\[\d+\](?:\.grouped\[\d+\])?\.memory\.({'|'.join(NOT_OF_A_HIT)}):")
BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class Client:
    """A way to call.

    Attributes:
        kind: Of client.
        deployment: Whom it asks; none for the engine in this process.
    """

    kind: type
    deployment: Kind | None = None

    @property
    def name(self) -> str:
        return f"{self.kind.__name__} {self.deployment.name if self.deployment else 'in process'}"


COMPARED_WITH = Client(MnemicClient, REFERENCE)
CLIENTS = (
    COMPARED_WITH,
    Client(Memory),
    Client(AsyncMemory),
    Client(AsyncMnemicClient, REFERENCE),
    Client(MnemicClient, BY_NAME["front"]),
    Client(AsyncMnemicClient, BY_NAME["front-unix"]),
    Client(MnemicClient, BY_NAME["front-key-tls"]),
    Client(AsyncMnemicClient, BY_NAME["front-token-mtls"]),
)


@pytest.fixture(scope="session")
def client_of(deployment_of, tmp_path_factory, runner):
    """The client of a way to call, connected as a user would."""
    opened, engines = {}, []

    def make(way: Client):
        if way.deployment is None:
            directory = tmp_path_factory.mktemp("process") / "data"
            settings = load_settings(data_directory=directory, embedding={"provider": "static"})
            engines.append(Engine.open(settings, pull_missing_model=True))
            return way.kind(engine=engines[-1])
        deployment = deployment_of(way.deployment)
        credentials = deployment.channel_credentials
        return way.kind(deployment.address, api_key=deployment.secret or None, credentials=credentials)

    def of(way: Client):
        if way not in opened:
            opened[way] = make(way)
        return opened[way]

    yield of
    for client in opened.values():
        closing = client.close()
        if closing is not None:
            runner.run(collected(closing))
    for engine in engines:
        engine.close()


@pytest.fixture(scope="session")
def transcript_of(client_of, runner):
    known = {}

    def run(way: Client, name: str) -> list[tuple[str, object]]:
        if (way, name) not in known:
            recorded = Recorded(client_of(way), runner, f"{way.name}: {name}")
            CLIENT_SCENARIOS[name](recorded, recorded.user)
            known[way, name] = recorded.transcript.lines
        return known[way, name]

    return run


@pytest.mark.parametrize("name", CLIENT_SCENARIOS)
@pytest.mark.parametrize("way", CLIENTS, ids=lambda way: way.name)
def test_every_client_gets_what_the_reference_gets(transcript_of, way, name):
    found = differences(transcript_of(COMPARED_WITH, name), transcript_of(way, name))
    if way.deployment is None:
        found = [words for words in found if not IN_A_HIT.match(words)]
    assert not found, "\n".join(found)


def test_the_clients_have_the_same_methods():
    names = [
        {name for name in dir(way.kind) if not name.startswith("_")} - {"engine", "from_config"} for way in CLIENTS
    ]
    in_process = {"get_all", "delete_all"}
    assert all(found - in_process - {"is_serving"} == names[0] - {"is_serving"} for found in names)
