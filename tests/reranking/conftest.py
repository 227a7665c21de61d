"""The service on the loopback."""

import pytest
from reranking_servers import Service, serving


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def address(service):
    with serving(service) as address:
        yield address
