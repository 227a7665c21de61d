"""The deployments that are compared, each started when it is first asked for."""

import asyncio
import contextlib

import pytest
from deployments import Files, deployed


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Files:
    return Files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def deployment_of(tmp_path_factory, certificates):
    """The one of a kind."""
    running = {}
    with contextlib.ExitStack() as stack:

        def of(kind):
            if kind not in running:
                directory = tmp_path_factory.mktemp(kind.name)
                running[kind] = stack.enter_context(deployed(kind, directory, certificates))
            return running[kind]

        yield of


@pytest.fixture(scope="session")
def runner():
    """Waits for asynchronous clients."""
    with asyncio.Runner() as running:
        yield running
